//! Signing a person in: a session under a new cookie, and the token that identifies the browser later.

use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::PersonId;
use domain::model::person::Person;
use domain::person::sign_in::{self, ShownFactor};

use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::auth::signed_in::SignedIn;
use crate::dashboard::submit::Submission;
use crate::http::error::unavailable;

/// Signs the person in under a new cookie, remembers the browser with the factor that they have just shown, and
/// redirects to `next`.
pub(crate) async fn enter_as(form: &Submission, person: &Person, shown: ShownFactor, next: &str) -> Response {
    let device = Device::new(form, &person.id, shown);
    enter_with(form, &SignedIn::new(&form.visit, person), Some(device), next).await
}

/// The same for a session that already says how the person proved who they are.
pub(crate) async fn enter_with(
    form: &Submission,
    signed_in: &SignedIn,
    device: Option<Device>,
    next: &str,
) -> Response {
    if let Err(error) = signed_in.store(form.context(), &form.session).await {
        return unavailable!(%error, "a session could not be stored");
    }
    let mut response = Redirect::to(next).into_response();
    if let Some(device) = device {
        device.remember(&mut response);
    }
    response
}

/// How long a browser is remembered, in seconds: a year.
const REMEMBERED: u64 = 365 * 24 * 3600;

/// The token that identifies a browser later.
pub(crate) struct Device {
    token: String,
    https: bool,
}

impl Device {
    /// The token for this browser. It records the factor that the person has just shown.
    pub(crate) fn new(form: &Submission, person: &PersonId, shown: ShownFactor) -> Self {
        let earlier = Self::known(form);
        let token = sign_in::device_token(form.context(), person, shown, earlier.as_deref());
        Self { token, https: form.state.is_https() }
    }

    /// The token of an earlier sign-in that the browser sends.
    pub(crate) fn known(form: &Submission) -> Option<String> {
        Cookie::Device.read(&form.headers, form.state.is_https())
    }

    /// Stores the token in the browser.
    pub(crate) fn remember(&self, response: &mut Response) {
        Cookie::Device.put(response, &self.token, Some(REMEMBERED), self.https);
    }
}
