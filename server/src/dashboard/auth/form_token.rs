//! The token in every form: a random part and a MAC over it and over what the browser is known by.
//!
//! It cannot be made for another session, and costs no storage. Where a form may be sent only once, its use is stored
//! with the change it made.

use app::visit::Viewer;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::base::id::SessionId;
use domain::context::Context;

use crate::dashboard::auth::cookies::Cookie;

/// What forms are bound to: the session of a signed-in person, a cookie of its own before.
pub enum Binding {
    /// The session.
    Session(SessionId),
    /// The value of the cookie.
    Browser(String),
}

impl Binding {
    /// The binding of a request. A browser without a cookie gets a new one; the flag says so.
    pub fn of(context: &Context, viewer: Option<&Viewer>, headers: &HeaderMap, https: bool) -> (Self, bool) {
        match (viewer, Cookie::Form.read(headers, https)) {
            (Some(viewer), _) => (Self::Session(viewer.session.clone()), false),
            (None, Some(value)) => (Self::Browser(value), false),
            (None, None) => (Self::Browser(random(context)), true),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Session(id) => id.as_str(),
            Self::Browser(value) => value,
        }
    }

    /// Leaves a browser's binding in it; a session has its own cookie.
    pub fn remember(&self, response: &mut Response, https: bool) {
        if let Self::Browser(value) = self {
            Cookie::Form.put(response, value, None, https);
        }
    }

    /// A new token for a form of this browser.
    pub fn token(&self, context: &Context) -> String {
        let nonce = random(context);
        let mac = context.keys.forms.mac_parts(&["form", self.as_str(), &nonce]);
        format!("{nonce}.{mac}")
    }

    /// Whether `token` was made for this browser.
    pub fn accepts(&self, context: &Context, token: &str) -> bool {
        token
            .split_once('.')
            .is_some_and(|(nonce, mac)| context.keys.forms.verify_parts(&["form", self.as_str(), nonce], mac))
    }
}

fn random(context: &Context) -> String {
    use base64::Engine;
    let mut bytes = [0u8; 16];
    context.random.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
