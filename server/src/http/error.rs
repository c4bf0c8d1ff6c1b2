//! Errors as answers, for everything that is not a page.

use app::error::ActionError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use serde_json::json;

use crate::http::body::BodyError;

/// A JSON body that says no more than the status does.
pub fn plain(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut response = (status, Json(json!({ "error": reason }))).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl BodyError {
    /// The status that says what was wrong.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// The status of a server function's error.
pub fn action_status(error: &ActionError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The status of an OAuth error (RFC 6749 §5.2). `access_denied` has none there, because an authorization endpoint
/// answers it by a redirect; where it is answered directly, nobody may do what was asked.
pub fn status_of(code: OAuthErrorCode) -> StatusCode {
    match code {
        OAuthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
        OAuthErrorCode::InsufficientScope | OAuthErrorCode::AccessDenied => StatusCode::FORBIDDEN,
        OAuthErrorCode::InvalidRequest
        | OAuthErrorCode::InvalidGrant
        | OAuthErrorCode::UnauthorizedClient
        | OAuthErrorCode::UnsupportedGrantType
        | OAuthErrorCode::UnsupportedResponseType
        | OAuthErrorCode::InvalidScope
        | OAuthErrorCode::InvalidTarget => StatusCode::BAD_REQUEST,
        OAuthErrorCode::TemporarilyUnavailable | OAuthErrorCode::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        OAuthErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An OAuth error as an answer. `basic` says whether the request had an `Authorization` header: only then a failed
/// authentication is answered with a challenge, because a browser shows a password prompt for one.
pub fn oauth(error: &OAuthError, basic: bool) -> Response {
    oauth_with_status(status_of(error.code), error, basic)
}

/// The same with another status, for what RFC 6749 has no error code for.
pub fn oauth_with_status(status: StatusCode, error: &OAuthError, basic: bool) -> Response {
    let body = json!({ "error": error.code.as_str(), "error_description": error.description });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if basic && status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mcp-oauth\""));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
