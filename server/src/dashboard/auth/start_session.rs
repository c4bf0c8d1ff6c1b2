//! Signing somebody in: a session under a new cookie, and the token by which the browser is known later.

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

/// Signs the person in under a new cookie, remembers the browser with `device`, and goes on to `next`.
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

/// The same with what is known about how they proved who they are.
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

/// How long a browser is known, in seconds: a year.
const REMEMBERED: u64 = 365 * 24 * 3600;

/// The token by which a browser is known later.
pub struct Device(String);

/// The token for this browser, in which the person has just shown this.
pub fn remembered(state: &AppState, headers: &HeaderMap, person: &PersonId, shown: ShownFactor) -> Device {
    Device(sign_in::device_token(&state.context, person, shown, device(state, headers).as_deref()))
}

/// Leaves the token in the browser.
pub fn remember(state: &AppState, device: Device, response: &mut Response) {
    Cookie::Device.put(response, &device.0, Some(REMEMBERED), state.is_https());
}

/// What the browser shows of an earlier sign-in.
pub fn device(state: &AppState, headers: &HeaderMap) -> Option<String> {
    Cookie::Device.read(headers, state.is_https())
}
