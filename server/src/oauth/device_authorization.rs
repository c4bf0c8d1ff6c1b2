//! `POST /mcp/oauth/device_authorization`: a program without a browser asks for a code that its person enters
//! (RFC 8628 §3.1).

use std::net::IpAddr;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::crypto::secret::PlainSecret;
use domain::model::client::device::{DEVICE_CODE_LIFETIME, POLL_EVERY};
use domain::model::token::oauth_error::{OAuthError, OAuthErrorCode};
use domain::token::device_authorization;
use serde_json::json;

use crate::dashboard::auth::form_token::Sender;
use crate::http::client_address::ClientAddress;
use crate::oauth::request::{self, OAuthRequest};
use crate::state::{AppState, SourceLimits};

/// Path of the endpoint.
pub(crate) const PATH: &str = "/mcp/oauth/device_authorization";

/// The endpoint. Requests that pages of other sites send have limits of their own, as registrations do.
pub(crate) async fn endpoint(State(state): State<AppState>, address: ClientAddress, request: Request) -> Response {
    let limits = match Sender::of(request.headers(), &state.context.settings.public_url) {
        Sender::AnotherSite => &state.device_requests_by_pages,
        Sender::Ours | Sender::Unknown => &state.device_requests,
    };
    request::serve(&state, address, request, async |OAuthRequest { form, presented, origin }| {
        count(&state, limits, address.0)?;
        let asked = device_authorization::request(&state.context, presented, &form, &origin).await?;
        let (page, code) = (state.context.settings.device_page(), asked.user_code.shown());
        let body = json!({
            "device_code": PlainSecret::expose(&asked.device_code),
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={code}"),
            "expires_in": DEVICE_CODE_LIFETIME.as_secs(),
            "interval": POLL_EVERY,
        });
        Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response())
    })
    .await
}

/// Counts a request of the address.
fn count(state: &AppState, limits: &SourceLimits, address: Option<IpAddr>) -> Result<(), OAuthError> {
    match limits.count(address, state.context.now()) {
        None => Ok(()),
        Some(wait) => {
            let code = OAuthErrorCode::TooManyRequests { seconds: wait.as_secs().max(1) };
            Err(OAuthError::new(code, "Too many requests for device codes. Wait a little."))
        }
    }
}
