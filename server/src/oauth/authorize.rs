//! `GET /mcp/oauth/authorize`: interactive clients are not served yet, and are told so instead of being sent anywhere.

use axum::http::StatusCode;
use axum::response::Response;
use domain::token::error::{OAuthError, OAuthErrorCode};

use crate::http::error;

/// The endpoint. It never redirects: no redirect URI is registered, so none can be trusted.
pub async fn endpoint() -> Response {
    let error = OAuthError::new(
        OAuthErrorCode::UnauthorizedClient,
        "This server serves machine clients: use the client_credentials grant at the token endpoint.",
    );
    error::oauth_with_status(StatusCode::BAD_REQUEST, &error, false)
}
