//! `POST /mcp/oauth/register`: a client makes itself known (RFC 7591).

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::error::Fault;
use domain::interactive::registration::{RegistrationError, register};
use domain::origin::Origin;
use domain::token::error::OAuthError;
use serde_json::json;

use crate::http::body::{self, TOKEN_LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::error;
use crate::state::AppState;

/// Where it is.
pub const PATH: &str = "/mcp/oauth/register";

/// The endpoint. Anybody may use it, so a source may not use it often.
pub async fn endpoint(
    State(state): State<AppState>,
    Extension(address): Extension<ClientAddress>,
    request: Request,
) -> Response {
    if request.method() != Method::POST {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "Use POST.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if let Some(wait) = state.registrations_by_source.count(address.0, state.context.now()) {
        let code = "temporarily_unavailable";
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, code, "Too many registrations. Wait a little.");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        return response;
    }
    let (head, body) = request.into_parts();
    let metadata = match body::read(body, TOKEN_LIMIT).await {
        Ok(metadata) => metadata,
        Err(error) => return refuse(error.status(), "invalid_client_metadata", "The body did not arrive."),
    };
    let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    match register(&state.context, &metadata, &Origin::new(address.0, agent)).await {
        Ok(client) => {
            (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(client))
                .into_response()
        }
        Err(error) => refusal(error),
    }
}

fn refusal(error: RegistrationError) -> Response {
    match error {
        RegistrationError::Off => {
            refuse(StatusCode::FORBIDDEN, "access_denied", "Clients cannot register themselves here.")
        }
        RegistrationError::RedirectUri(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_redirect_uri", problem),
        RegistrationError::Metadata(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_client_metadata", problem),
        RegistrationError::Fault(fault) => {
            tracing::error!(%fault, "a client could not be registered");
            error::oauth(&OAuthError::from(Fault::Overloaded("registration")), false)
        }
    }
}

fn refuse(status: StatusCode, code: &str, description: &str) -> Response {
    let body = json!({ "error": code, "error_description": description });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
