//! Finds the authorization server of an MCP server: the MCP server's metadata (RFC 9728), then that of the
//! authorization server (RFC 8414).

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::body::Bytes;
use serde_json::Value;
use url::Url;

use crate::connect::client::{Client, DEADLINE, Document};
use crate::connect::problem::check_scheme;
use crate::http::media_type::JSON;

/// What is known of the authorization server.
#[derive(Debug, Clone)]
pub(super) struct AuthorizationServer {
    pub(super) issuer: String,
    pub(super) token_endpoint: Url,
    /// The methods of client authentication that it states. Empty: it states none.
    pub(super) methods: Vec<String>,
    /// The identifier of the MCP server for which tokens are asked (RFC 8707).
    pub(super) resource: String,
    /// The scopes that the MCP server demands.
    pub(super) scope: Option<String>,
}

/// The first message of a client: a server that checks tokens refuses it and says where its metadata is.
const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"countersign-connect","version":"1"}}}"#;

/// Finds the authorization server of the MCP server at `resource`.
pub(super) async fn find(client: &Client, resource: &Url) -> Result<AuthorizationServer, String> {
    let mut headers = accepting_json();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    let bare = client.send(Method::POST, resource, headers, Bytes::from_static(INITIALIZE), Some(DEADLINE)).await?;
    let challenge = match bare.status() {
        StatusCode::UNAUTHORIZED => challenge_of(bare.headers()),
        status if status.is_success() => {
            return Err(format!("{resource} answers without a token. Connect to it without this command."));
        }
        status => {
            return Err(format!("{resource} answered {status} to a request without a token. Is the address right?"));
        }
    };
    drop(bare);
    let pointer = challenge.as_deref().and_then(|challenge| parameter(challenge, "resource_metadata"));
    let scope = challenge.as_deref().and_then(|challenge| parameter(challenge, "scope"));
    let metadata = match pointer {
        Some(pointer) => vec![Url::parse(&pointer).map_err(|_| format!("{resource} points to no URL: {pointer}"))?],
        None => {
            [with_inserted_path(resource, "oauth-protected-resource"), at_root(resource, "oauth-protected-resource")]
                .into()
        }
    };
    let document = first_document(client, &metadata, |document| document["resource"].is_string()).await?;
    let (issuer, identifier, supported) = match &document {
        Some(document) => {
            let identifier = document["resource"].as_str().unwrap_or_default();
            check_identifier(resource, identifier)?;
            let issuer = document["authorization_servers"][0].as_str().map(str::to_owned);
            (issuer, identifier.to_owned(), document["scopes_supported"].clone())
        }
        None => (None, resource.to_string(), Value::Null),
    };
    // Before RFC 9728, the MCP server itself was the authorization server.
    let issuer = issuer.unwrap_or_else(|| resource.origin().ascii_serialization());
    let supported =
        supported.as_array().map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    let scope = scope.or(supported).filter(|scope| !scope.is_empty());
    of_issuer(client, &issuer, identifier, scope).await
}

async fn of_issuer(
    client: &Client,
    issuer: &str,
    resource: String,
    scope: Option<String>,
) -> Result<AuthorizationServer, String> {
    let url = Url::parse(issuer).map_err(|_| format!("The issuer {issuer} is no URL."))?;
    check_scheme(&url)?;
    let mut places: Vec<Url> =
        ["oauth-authorization-server", "openid-configuration"].map(|name| with_inserted_path(&url, name)).into();
    let path = url.path().trim_end_matches('/');
    if !path.is_empty() {
        let mut appended = url.clone();
        appended.set_path(&format!("{path}/.well-known/openid-configuration"));
        places.push(appended);
    }
    let is_right = |document: &Value| document["issuer"].as_str().is_some_and(|own| same_issuer(own, issuer));
    let document = first_document(client, &places, is_right).await?;
    let document = document.ok_or_else(|| format!("The authorization server {issuer} publishes no metadata."))?;
    let endpoint = document["token_endpoint"].as_str().and_then(|endpoint| Url::parse(endpoint).ok());
    let token_endpoint = endpoint.ok_or_else(|| format!("The metadata of {issuer} names no token endpoint."))?;
    check_scheme(&token_endpoint)?;
    let methods = document["token_endpoint_auth_methods_supported"].as_array();
    let methods = methods.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let issuer = document["issuer"].as_str().unwrap_or(issuer).to_owned();
    Ok(AuthorizationServer { issuer, token_endpoint, methods, resource, scope })
}

/// Issuers are compared exactly, but for one slash at the end, which some documents have.
pub(super) fn same_issuer(left: &str, right: &str) -> bool {
    left.trim_end_matches('/') == right.trim_end_matches('/')
}

/// The metadata must be about this server: otherwise another one could ask for tokens in its name (RFC 9728 §3.3). It
/// may be about a path above.
fn check_identifier(resource: &Url, identifier: &str) -> Result<(), String> {
    let own = Url::parse(identifier).ok().filter(|own| own.origin() == resource.origin());
    let is_above = own.is_some_and(|own| {
        let above = own.path().trim_end_matches('/');
        resource.path() == own.path()
            || resource.path().strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match is_above {
        true => Ok(()),
        false => Err(format!("The metadata of {resource} is about another server: {identifier}")),
    }
}

/// The first of these documents that is there and right.
async fn first_document(
    client: &Client,
    places: &[Url],
    is_right: impl Fn(&Value) -> bool,
) -> Result<Option<Value>, String> {
    for place in places {
        let Document { status, json, .. } = client.document(Method::GET, place, accepting_json(), Bytes::new()).await?;
        if status.is_success() && is_right(&json) {
            return Ok(Some(json));
        }
    }
    Ok(None)
}

fn accepting_json() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(JSON))])
}

/// The well-known address between host and path (RFC 8414 §3.1, RFC 9728 §3.1).
fn with_inserted_path(url: &Url, name: &str) -> Url {
    let mut place = url.clone();
    place.set_path(&format!("/.well-known/{name}{}", url.path().trim_end_matches('/')));
    place.set_query(None);
    place
}

fn at_root(url: &Url, name: &str) -> Url {
    let mut place = url.clone();
    place.set_path(&format!("/.well-known/{name}"));
    place.set_query(None);
    place
}

/// All challenges of an answer.
pub(super) fn challenge_of(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let all = all.collect::<Vec<_>>().join(", ");
    (!all.is_empty()).then_some(all)
}

/// A parameter of a challenge (RFC 9110 §11.2): a token, or a text in quotes.
pub(super) fn parameter(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let at = rest.to_ascii_lowercase().find(name)?;
        let is_start =
            !rest[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
        let after = rest[at + name.len()..].trim_start();
        match after.strip_prefix('=').filter(|_| is_start).map(str::trim_start) {
            Some(value) => {
                return Some(match value.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
                    None => value.split([',', ' ']).next().unwrap_or_default().to_owned(),
                });
            }
            None => rest = &rest[at + name.len()..],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_challenge_are_read() {
        let challenge =
            r#"Bearer error="invalid_token", resource_metadata="https://a.example/x", scope="a b", other_scope=c"#;
        assert_eq!(parameter(challenge, "resource_metadata").as_deref(), Some("https://a.example/x"));
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("a b"));
        assert_eq!(parameter("Bearer Scope = a,x=y", "scope").as_deref(), Some("a"));
        assert_eq!(parameter("Bearer other_scope=c", "scope"), None);
        assert_eq!(parameter("Bearer", "scope"), None);
    }

    #[test]
    fn metadata_of_another_server_is_refused() {
        let resource = Url::parse("https://a.example/gateway/docs").expect("a URL");
        for right in
            ["https://a.example/gateway/docs", "https://a.example/gateway", "https://a.example/", "https://a.example"]
        {
            assert_eq!(check_identifier(&resource, right), Ok(()), "{right}");
        }
        for wrong in [
            "https://b.example/gateway/docs",
            "https://a.example/gate",
            "http://a.example/",
            "x",
            "https://a.example/gateway/docs/x",
        ] {
            assert!(check_identifier(&resource, wrong).is_err(), "{wrong}");
        }
        assert_eq!(with_inserted_path(&resource, "x").as_str(), "https://a.example/.well-known/x/gateway/docs");
    }
}
