//! `POST /mcp/oauth/register`: a client makes itself known (RFC 7591).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::client::registration::{RegistrationError, register};
use domain::error::Fault;
use domain::model::origin::Origin;
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use serde_json::json;

use crate::http::body::{self, TOKEN_LIMIT};
use crate::http::client_address::ClientAddress;
use crate::http::{error, text};
use crate::state::AppState;

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/register";

/// The endpoint. It needs no authentication, so the number of registrations per source is limited.
pub(crate) async fn endpoint(
    State(state): State<AppState>,
    address: ClientAddress,
    request: Request,
) -> Result<Response, Response> {
    if request.method() != Method::POST {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "Use POST.");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Err(response);
    }
    let now = state.context.now();
    let limits = [&state.registrations_by_source, &state.registrations_of_a_day];
    if let Some(wait) = limits.into_iter().find_map(|limit| limit.count(address.0, now)) {
        let code = "temporarily_unavailable";
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, code, "Too many registrations. Wait a little.");
        error::retry_after(&mut response, wait.as_secs().max(1));
        return Err(response);
    }
    let (head, metadata) = body::split(request, TOKEN_LIMIT)
        .await
        .map_err(|error| refuse(error.status(), "invalid_client_metadata", "The body did not arrive."))?;
    let origin = Origin::new(address.0, text(&head.headers, header::USER_AGENT));
    let bearer = text(&head.headers, header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let client = register(&state.context, &metadata, bearer, &origin).await.map_err(refusal)?;
    let uncached = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((StatusCode::CREATED, uncached, Json(client)).into_response())
}

fn refusal(error: RegistrationError) -> Response {
    match error {
        RegistrationError::Off => {
            let denied = OAuthErrorCode::AccessDenied;
            refuse(error::status_of(denied), denied.as_str(), "Clients cannot register themselves here.")
        }
        // RFC 7591 §3.2.2 does not define this refusal; RFC 6750 §3 does.
        RegistrationError::Unauthorized => {
            let problem = "Send the initial access token of this server as a bearer token.";
            let mut response = refuse(StatusCode::UNAUTHORIZED, "invalid_token", problem);
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        RegistrationError::RedirectUri(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_redirect_uri", &problem),
        RegistrationError::Metadata(problem) => refuse(StatusCode::BAD_REQUEST, "invalid_client_metadata", &problem),
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
