//! The token in every form: a random part and a MAC over it and over what the browser is known by.
//!
//! It cannot be made for another session, and costs no storage. Where a form may be sent only once, its use is stored
//! with the change it made.

use axum::http::{HeaderMap, HeaderValue, header};
use domain::context::Context;
use domain::id::SessionId;

use app::visit::Viewer;

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
        match (viewer, cookie(headers, cookie_name(https))) {
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

    /// The `Set-Cookie` value of a browser's binding.
    pub fn set_cookie(&self, https: bool) -> Option<HeaderValue> {
        let Self::Browser(value) = self else { return None };
        let secure = if https { "; Secure" } else { "" };
        let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(https));
        HeaderValue::from_str(&cookie).ok()
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

fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-countersign_form" } else { "countersign_form" }
}

/// The value of a cookie of the request.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(own, value)| *own == name && !value.is_empty() && value.len() <= 200)
        .map(|(_, value)| value.to_owned())
}
