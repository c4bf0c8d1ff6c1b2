//! `GET /mcp/oauth/authorize`: interactive clients are not served yet, and are told so instead of being sent anywhere.

use app::pages::message;
use app::visit::Visit;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use domain::token::error::{OAuthError, OAuthErrorCode};

use crate::dashboard::pages::respond;
use crate::http::error;
use crate::state::AppState;

const ONLY_MACHINES: &str =
    "This server serves machine clients: use the client_credentials grant at the token endpoint.";

/// The endpoint. It never redirects: no redirect URI is registered, so none can be trusted. People get a page, programs the
/// error.
pub async fn endpoint(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return respond(Visit::of_nobody(state.context.clone()), async || Ok(message::no_interactive_clients())).await;
    }
    let error = OAuthError::new(OAuthErrorCode::UnauthorizedClient, ONLY_MACHINES);
    error::oauth_with_status(StatusCode::BAD_REQUEST, &error, false)
}
