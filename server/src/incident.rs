//! Reports of leaks from outside: from people and programs that found a secret, and from GitHub's secret scanning.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::crypto::public_key::PublicKey;
use domain::incident::leak::{self, Reported};
use domain::model::actor::Actor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::dashboard::auth::form_token::Sender;
use crate::http::body::{self, LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error::{self, unavailable};
use crate::http::fields::Fields;
use crate::http::{media_type, text};
use crate::state::AppState;
pub use crate::state::LeakReports;

/// A file of keys, in the format that GitHub publishes.
#[derive(Deserialize)]
struct KeyFile {
    public_keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
struct KeyEntry {
    key_identifier: String,
    key: String,
}

/// Reads a file of keys, in the format of <https://api.github.com/meta/public_keys/secret_scanning>.
///
/// # Errors
///
/// The error says what is wrong with the file.
pub fn read_github_keys(text: &str) -> Result<Vec<(String, PublicKey)>, String> {
    let file: KeyFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    file.public_keys
        .into_iter()
        .map(|entry| match PublicKey::read_all(&entry.key)?.into_iter().next() {
            Some(key) => Ok((entry.key_identifier, key)),
            None => Err("a key is missing".to_owned()),
        })
        .collect()
}

/// Whether GitHub signed this body.
fn is_signed(reports: &LeakReports, headers: &HeaderMap, body: &[u8]) -> bool {
    let identifier = text(headers, "github-public-key-identifier");
    let signature = text(headers, "github-public-key-signature").and_then(|signature| STANDARD.decode(signature).ok());
    let (Some(identifier), Some(signature)) = (identifier, signature) else { return false };
    reports.github_keys.iter().any(|(name, key)| name == identifier && key.verify_der(body, &signature))
}

/// `POST /leaks/report`: a caller who has a secret may end it. The answer does not say what the secret was for.
pub async fn report(
    State(state): State<AppState>,
    address: ClientAddress,
    request: Request,
) -> Result<Response, Response> {
    let is_json = match media_type::of_body(request.headers()).as_str() {
        media_type::JSON => true,
        media_type::FORM => false,
        _ => return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send a form or application/json.")),
    };
    // A page of another site would use up the limit of each visitor's address.
    if Sender::of(request.headers(), &state.context.settings.public_url) == Sender::AnotherSite {
        return Err(refused(StatusCode::FORBIDDEN, "Reports are taken from programs, not from pages of other sites."));
    }
    if let Some(wait) = state.leak_reports_by_source.count(address.0, state.context.now()) {
        return Err(error::too_many(wait));
    }
    let (head, body) = body::split(request, LIMIT).await?;
    let Some((token, place)) = reported(is_json, &body) else {
        return Err(wrong("Send token, as a form or as JSON: the secret or token that leaked."));
    };
    let reported = take(&state, address, &head.headers, &token, place.as_deref()).await?;
    let uncached = [(header::CACHE_CONTROL, "no-store")];
    if reported.more {
        let problem = "The text holds more than is handled at once. Send the rest as further reports.";
        return Ok((StatusCode::ACCEPTED, uncached, Json(json!({ "more": problem }))).into_response());
    }
    Ok((StatusCode::ACCEPTED, uncached).into_response())
}

/// Ends what the token belongs to, as the policy says.
async fn take(
    state: &AppState,
    address: ClientAddress,
    headers: &HeaderMap,
    token: &str,
    place: Option<&str>,
) -> Result<Reported, Response> {
    let actor = Actor::system().at(address.0, text(headers, header::USER_AGENT));
    let reported = leak::report(&state.context, &actor, token, place, state.leak_reports.policy).await;
    reported.map_err(|fault| unavailable!(%fault, "a report of a leak could not be served"))
}

fn refused(status: StatusCode, problem: &'static str) -> Response {
    (status, Json(json!({ "error": problem }))).into_response()
}

fn wrong(problem: &'static str) -> Response {
    refused(StatusCode::BAD_REQUEST, problem)
}

#[derive(Deserialize)]
struct Report {
    token: String,
    url: Option<String>,
}

fn reported(is_json: bool, body: &[u8]) -> Option<(Zeroizing<String>, Option<String>)> {
    let (token, url) = if is_json {
        let report: Report = serde_json::from_slice(body).ok()?;
        (report.token, report.url)
    } else {
        let fields = Fields::parse(body);
        (fields.get("token"), fields.find("url").map(str::to_owned))
    };
    (!token.is_empty()).then(|| (Zeroizing::new(token), url))
}

/// One match of GitHub's secret scanning.
#[derive(Deserialize)]
struct Find {
    token: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

/// Our answer about a match. It identifies the token by its hash, because an answer must not contain the token.
#[derive(Serialize)]
struct Label {
    token_hash: String,
    token_type: String,
    label: &'static str,
}

/// `POST /leaks/github`: matches of GitHub's secret scanning partner programme, signed by GitHub.
pub async fn github(
    State(state): State<AppState>,
    address: ClientAddress,
    request: Request,
) -> Result<Response, Response> {
    if state.leak_reports.github_keys.is_empty() {
        return Err(error::plain(StatusCode::NOT_FOUND));
    }
    let (head, body) = body::split(request, LIMIT).await?;
    if !is_signed(&state.leak_reports, &head.headers, &body) {
        return Err(error::plain(StatusCode::UNAUTHORIZED));
    }
    let Ok(finds) = serde_json::from_slice::<Vec<Find>>(&body) else {
        return Err(wrong("The body must be a list of objects with token, type, url and source."));
    };
    let mut labels = Vec::with_capacity(finds.len());
    for find in finds {
        let place = find.url.filter(|url| !url.is_empty()).or(find.source);
        let known = take(&state, address, &head.headers, &find.token, place.as_deref()).await?.is_known();
        labels.push(Label {
            token_hash: leak::hash(&find.token),
            token_type: find.kind,
            label: if known { "true_positive" } else { "false_positive" },
        });
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(labels)).into_response())
}
