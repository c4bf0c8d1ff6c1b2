//! Signing a person in: a session under a new cookie, and the token that identifies the browser later.

use app::visit::Visit;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::PersonId;
use domain::model::person::Person;
use domain::person::sign_in::{self, ShownFactor};
use tower_sessions::Session;

use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::auth::signed_in::SignedIn;
use crate::http::error;
use crate::state::AppState;

/// Signs the person in under a new cookie, remembers the browser with `device`, and redirects to `next`.
pub async fn enter_as(
    state: &AppState,
    visit: &Visit,
    session: &Session,
    person: &Person,
    device: Device,
    next: &str,
) -> Response {
    let signed_in = SignedIn::new(&state.context, person, visit.address, visit.agent.clone());
    enter_with(state, session, &signed_in, Some(device), next).await
}

/// The same for a session that already says how the person proved who they are.
pub async fn enter_with(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    device: Option<Device>,
    next: &str,
) -> Response {
    if let Err(error) = signed_in.store(&state.context, session).await {
        tracing::error!(%error, "a session could not be stored");
        return error::plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    let mut response = Redirect::to(next).into_response();
    if let Some(device) = device {
        remember(state, device, &mut response);
    }
    response
}

/// How long a browser is remembered, in seconds: a year.
const REMEMBERED: u64 = 365 * 24 * 3600;

/// The token that identifies a browser later.
pub struct Device(String);

/// The token for this browser. It records the factor that the person has just shown.
pub fn remembered(state: &AppState, headers: &HeaderMap, person: &PersonId, shown: ShownFactor) -> Device {
    Device(sign_in::device_token(&state.context, person, shown, device(state, headers).as_deref()))
}

/// Stores the token in the browser.
pub fn remember(state: &AppState, device: Device, response: &mut Response) {
    Cookie::Device.put(response, &device.0, Some(REMEMBERED), state.is_https());
}

/// The token of an earlier sign-in that the browser sends.
pub fn device(state: &AppState, headers: &HeaderMap) -> Option<String> {
    Cookie::Device.read(headers, state.is_https())
}
