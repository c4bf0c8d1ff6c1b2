//! Reports of leaks from outside: from people and programs that found a secret, and from GitHub's secret scanning.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::incident::leak;
use domain::model::actor::Actor;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::http::body::{self, LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error;
use crate::http::fields::Fields;
use crate::incident::report_policy::is_signed;
use crate::state::AppState;

/// `POST /leaks/report`: a caller who has a secret may end it. The answer does not say what the secret was for.
pub async fn report(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    if let Some(wait) = state.leak_reports_by_source.count(address.0, state.context.now()) {
        let mut response = error::plain(StatusCode::TOO_MANY_REQUESTS);
        response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
        return response;
    }
    let (head, body) = request.into_parts();
    let body = match body::read(body, LIMIT).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let Some((token, place)) = reported(&head.headers, &body) else {
        return wrong("Send token, as a form or as JSON: the secret or token that leaked.");
    };
    let agent = agent(&head.headers);
    let actor = Actor::system().at(address.0, agent);
    match leak::report(&state.context, &actor, &token, place.as_deref(), state.leak_reports.policy).await {
        Ok(_) => (StatusCode::ACCEPTED, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(fault) => {
            tracing::error!(%fault, "a report of a leak could not be served");
            error::plain(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok())
}

fn wrong(problem: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": problem }))).into_response()
}

#[derive(Deserialize)]
struct Report {
    token: String,
    url: Option<String>,
}

/// The reported secret, and where it was found.
fn reported(headers: &HeaderMap, body: &[u8]) -> Option<(Zeroizing<String>, Option<String>)> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (token, url) = if content_type.starts_with("application/json") {
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
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    if state.leak_reports.github_keys.is_empty() {
        return error::plain(StatusCode::NOT_FOUND);
    }
    let (head, body) = request.into_parts();
    let body = match body::read(body, LIMIT).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    if !is_signed(&state.leak_reports, &head.headers, &body) {
        return error::plain(StatusCode::UNAUTHORIZED);
    }
    let Ok(finds) = serde_json::from_slice::<Vec<Find>>(&body) else {
        return wrong("The body must be a list of objects with token, type, url and source.");
    };
    let actor = Actor::system().at(address.0, agent(&head.headers));
    let mut labels = Vec::with_capacity(finds.len());
    for find in finds {
        let place = find.url.filter(|url| !url.is_empty()).or(find.source);
        let policy = state.leak_reports.policy;
        let known = match leak::report(&state.context, &actor, &find.token, place.as_deref(), policy).await {
            Ok(known) => known,
            Err(fault) => {
                tracing::error!(%fault, "a report of a leak could not be served");
                return error::plain(StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        labels.push(Label {
            token_hash: leak::hash(&find.token),
            token_type: find.kind,
            label: if known { "true_positive" } else { "false_positive" },
        });
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(labels)).into_response()
}
