//! Errors as answers, for everything except pages.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use serde_json::json;

use crate::http::body::BodyError;

/// A JSON body that says no more than the status.
pub fn plain(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut response = (status, Json(json!({ "error": reason }))).into_response();
    retry_if_unavailable(&mut response);
    response
}

/// Logs an internal error, as `tracing::error!` does, and makes the answer: 503, which says nothing about it.
macro_rules! unavailable {
    ($($event:tt)*) => {{
        tracing::error!($($event)*);
        $crate::http::error::plain(axum::http::StatusCode::SERVICE_UNAVAILABLE)
    }};
}
pub(crate) use unavailable;

/// Tells the client to wait this number of seconds before the next request.
pub fn retry_after(response: &mut Response, seconds: u64) {
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
}

/// The answer to a source that did something too often. It may try again after `wait`.
pub(crate) fn too_many(wait: Duration) -> Response {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS);
    retry_after(&mut response, wait.as_secs().max(1));
    response
}

/// Tells the client to come back soon, if the answer is 503.
pub(crate) fn retry_if_unavailable(response: &mut Response) {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        retry_after(response, 1);
    }
}

impl BodyError {
    /// The status for a wrong request.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<BodyError> for Response {
    fn from(error: BodyError) -> Self {
        plain(error.status())
    }
}

/// The status of an OAuth error (RFC 6749 §5.2). `access_denied` has no status there, because an authorization endpoint
/// answers it with a redirect. Where it is answered directly, no client may do what was asked, so it is 403.
pub(crate) fn status_of(code: OAuthErrorCode) -> StatusCode {
    match code {
        OAuthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
        OAuthErrorCode::InsufficientScope | OAuthErrorCode::AccessDenied => StatusCode::FORBIDDEN,
        OAuthErrorCode::InvalidRequest
        | OAuthErrorCode::InvalidGrant
        | OAuthErrorCode::UnauthorizedClient
        | OAuthErrorCode::UnsupportedGrantType
        | OAuthErrorCode::UnsupportedResponseType
        | OAuthErrorCode::InvalidScope
        | OAuthErrorCode::InvalidTarget
        | OAuthErrorCode::AuthorizationPending
        | OAuthErrorCode::SlowDown
        | OAuthErrorCode::ExpiredToken
        | OAuthErrorCode::DeviceDenied => StatusCode::BAD_REQUEST,
        OAuthErrorCode::TemporarilyUnavailable | OAuthErrorCode::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        OAuthErrorCode::TooManyGuesses { .. } | OAuthErrorCode::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        OAuthErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An OAuth error as an answer. `basic` says whether the request had an `Authorization` header. Only then does a failed
/// authentication get a challenge, because a browser shows a password prompt for a challenge.
pub(crate) fn oauth(error: &OAuthError, basic: bool) -> Response {
    oauth_with_status(status_of(error.code), error, basic)
}

/// The same with another status, for cases without an error code in RFC 6749.
pub(crate) fn oauth_with_status(status: StatusCode, error: &OAuthError, basic: bool) -> Response {
    let body = json!({ "error": error.code.as_str(), "error_description": error.description });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if basic && status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mcp-oauth\""));
    }
    retry_if_unavailable(&mut response);
    response
}
