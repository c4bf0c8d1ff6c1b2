//! Access tokens: got when they are needed, renewed before their end, and once more after the server refused one.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use hyper::body::Bytes;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::connect::client::Client;
use crate::connect::discovery::{self, AuthorizationServer, same_issuer};
use crate::connect::proof::Proof;
use crate::http::media_type::{FORM, JSON};

/// A token is renewed when this share of its lifetime is left, and at the latest this long before its end.
const RENEW_SHARE: u32 = 5;
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// The lifetime of a token whose answer states none.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// The longest lifetime that is believed, in seconds.
const LONGEST_LIFETIME: u64 = 24 * 3600;

/// Gets tokens for one MCP server. Many callers share one token, and one request for it.
pub(super) struct Tokens {
    client: Client,
    resource: Url,
    proof: Proof,
    scopes: Vec<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    server: Option<AuthorizationServer>,
    /// The issuer that has seen the proof of the client, or that a person named. Another one never sees it.
    issuer: Option<String>,
    /// Whether a person named it.
    is_named: bool,
    token: Option<Token>,
    /// The scopes that the MCP server demanded.
    demanded: Option<String>,
}

struct Token {
    header: HeaderValue,
    renew_at: Instant,
}

impl Tokens {
    /// `issuer` is the only issuer that may see the proof, if a person named it.
    pub(super) fn new(client: Client, resource: Url, proof: Proof, issuer: Option<Url>, scopes: Vec<String>) -> Self {
        let issuer = issuer.map(String::from);
        let state = State { is_named: issuer.is_some(), issuer, ..State::default() };
        Self { client, resource, proof, scopes, state: Mutex::new(state) }
    }

    /// The value of `Authorization`. `refused` is a value that the server refused: it is not given again.
    pub(super) async fn get(&self, refused: Option<&HeaderValue>) -> Result<HeaderValue, String> {
        let mut state = self.state.lock().await;
        let usable = |token: &&Token| Some(&token.header) != refused && Instant::now() < token.renew_at;
        if let Some(token) = state.token.as_ref().filter(usable) {
            return Ok(token.header.clone());
        }
        let server = match &state.server {
            Some(server) => server.clone(),
            None => discovery::find(&self.client, &self.resource).await?,
        };
        let named = &server.issuer;
        let is_named = state.is_named;
        let issuer = state.issuer.get_or_insert_with(|| named.clone());
        if !same_issuer(issuer, named) {
            return Err(if is_named {
                format!("The MCP server names the authorization server {named}, and MCP_ISSUER says {issuer}.")
            } else {
                format!(
                    "The MCP server now names the authorization server {named}; it was {issuer}. If that is right, start again."
                )
            });
        }
        let scope = state.demanded.clone().or_else(|| (!self.scopes.is_empty()).then(|| self.scopes.join(" ")));
        let mut asked = self.ask(&server, scope.as_deref()).await;
        // Without a scope, most servers give what the client has. Some demand one.
        if let (Err(_), None, Some(scope)) = (&asked, &scope, &server.scope) {
            asked = self.ask(&server, Some(scope)).await;
        }
        // The authorization server may have moved: the next attempt looks for it again.
        state.server = asked.is_ok().then_some(server);
        let token = asked?;
        let header = token.header.clone();
        state.token = Some(token);
        Ok(header)
    }

    /// A token with the scopes that the MCP server demanded (403, `insufficient_scope`). `refused` is the token that
    /// did not have them.
    pub(super) async fn step_up(&self, scope: &str, refused: &HeaderValue) -> Result<HeaderValue, String> {
        if !self.scopes.is_empty() {
            return Err(format!("The MCP server demands other scopes than --scope says: {scope}"));
        }
        let before = {
            let mut state = self.state.lock().await;
            if state.demanded.as_deref() == Some(scope) {
                return Err(format!("The client does not have the scopes that the MCP server demands: {scope}"));
            }
            state.demanded.replace(scope.to_owned())
        };
        let wider = self.get(Some(refused)).await;
        if wider.is_err() {
            // The next renewal must not fail for the sake of this one call.
            self.state.lock().await.demanded = before;
        }
        wider
    }

    /// The form of a token request, and the value of `Authorization`.
    fn form(
        &self,
        server: &AuthorizationServer,
        scope: Option<&str>,
    ) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>), String> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("resource", &server.resource);
        if let Some(scope) = scope {
            form.append_pair("scope", scope);
        }
        let authorization = self.proof.add(&mut form, server)?;
        Ok((Zeroizing::new(form.finish()), authorization))
    }

    async fn ask(&self, server: &AuthorizationServer, scope: Option<&str>) -> Result<Token, String> {
        let (body, authorization) = self.form(server, scope)?;
        let mut headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static(FORM)),
            (header::ACCEPT, HeaderValue::from_static(JSON)),
        ]);
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, sensitive(&authorization)?);
        }
        let endpoint = &server.token_endpoint;
        let answer =
            self.client.document(Method::POST, endpoint, headers, Bytes::copy_from_slice(body.as_bytes())).await?;
        let Some(token) = answer.json["access_token"].as_str() else {
            return Err(refusal(&answer.json, answer.status.as_u16(), server));
        };
        let stated = answer.json["expires_in"].as_u64();
        let lifetime = stated.map_or(UNKNOWN_LIFETIME, |seconds| Duration::from_secs(seconds.min(LONGEST_LIFETIME)));
        let early = (lifetime / RENEW_SHARE).min(RENEW_BEFORE);
        let renew_at = Instant::now() + lifetime.saturating_sub(early);
        Ok(Token { header: sensitive(&Zeroizing::new(format!("Bearer {token}")))?, renew_at })
    }
}

fn sensitive(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| "The token cannot be sent in a header.".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What the authorization server said, and what to do.
fn refusal(json: &serde_json::Value, status: u16, server: &AuthorizationServer) -> String {
    let error = json["error"].as_str().unwrap_or("no token");
    let description = json["error_description"].as_str().map(|text| format!(" ({text})")).unwrap_or_default();
    let advice = match error {
        "invalid_client" => "Check MCP_CLIENT_ID and the secret, key or identity token.",
        "invalid_scope" => "Ask for scopes that the client has, with --scope.",
        "invalid_target" => "The client may not call this MCP server. Add the server to the client.",
        "unauthorized_client" => "The client may not use client_credentials.",
        _ => "Try again, or ask the operator of the authorization server.",
    };
    format!("{} gave no token: {status} {error}{description}. {advice}", server.issuer)
}
