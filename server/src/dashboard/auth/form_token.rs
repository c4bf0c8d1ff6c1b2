//! The two guards against forms of other sites: the origin that the browser names, and the token in every form.
//!
//! The token is a random part, and a MAC over that part and over the browser's session or cookie. It is not valid in
//! another session, and needs no storage. Where a form may be sent only once, the change stores the use of the token.

use app::visit::Viewer;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use domain::base::id::SessionId;
use domain::context::Context;

use crate::dashboard::auth::cookies::Cookie;

/// What a form is bound to: the session of a signed-in person, or a cookie of its own before the sign-in.
pub(crate) enum Binding {
    /// The session.
    Session(SessionId),
    /// The value of the cookie.
    Browser(String),
}

impl Binding {
    /// The binding of a request. A browser without a cookie gets a new cookie; the flag says so.
    pub(crate) fn of(context: &Context, viewer: Option<&Viewer>, headers: &HeaderMap, https: bool) -> (Self, bool) {
        match (viewer, Cookie::Form.read(headers, https)) {
            (Some(viewer), _) => (Self::Session(viewer.session.clone()), false),
            (None, Some(value)) => (Self::Browser(value), false),
            (None, None) => (Self::Browser(random(context)), true),
        }
    }

    /// What the MAC covers besides the random part. The kind is in it: the identifier of a session is no secret, and a
    /// cookie can hold it.
    fn label(&self) -> [&str; 2] {
        match self {
            Self::Session(id) => ["form of a session", id.as_str()],
            Self::Browser(value) => ["form of a browser", value],
        }
    }

    /// Stores a browser's binding in its cookie. A session has its own cookie.
    pub(crate) fn remember(&self, response: &mut Response, https: bool) {
        if let Self::Browser(value) = self {
            Cookie::Form.put(response, value, None, https);
        }
    }

    /// A new token for a form of this browser.
    pub(crate) fn token(&self, context: &Context) -> String {
        let nonce = random(context);
        let [kind, value] = self.label();
        let mac = context.keys.forms.mac_parts(&[kind, value, &nonce]);
        format!("{nonce}.{mac}")
    }

    /// Whether `token` was made for this browser.
    pub(crate) fn accepts(&self, context: &Context, token: &str) -> bool {
        let [kind, value] = self.label();
        token.split_once('.').is_some_and(|(nonce, mac)| context.keys.forms.verify_parts(&[kind, value, nonce], mac))
    }
}

fn random(context: &Context) -> String {
    use base64::Engine;
    let mut bytes = [0u8; 16];
    context.random.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The sender of a form, as the browser names it.
///
/// `Sec-Fetch-Site` decides, because pages can neither set nor remove it. `Origin` decides only where `Sec-Fetch-Site`
/// is absent. Under `Referrer-Policy: no-referrer` browsers send `Origin: null` even for their own forms, so `Origin`
/// alone would refuse these forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A page of ours.
    Ours,
    /// A page of another origin.
    AnotherSite,
    /// Neither header is there. Current browsers send at least one with every form, so a form with a session and
    /// without these headers is refused.
    Unknown,
}

impl Sender {
    /// The sender of a request to us, at `public_url`.
    pub(crate) fn of(headers: &HeaderMap, public_url: &str) -> Self {
        let (site, origin) = (headers.get("sec-fetch-site"), headers.get(header::ORIGIN));
        let is_ours = match (site.map(|site| site.as_bytes()), origin) {
            (Some(site), _) => site == b"same-origin" || site == b"none",
            (None, Some(origin)) => origin.as_bytes() == public_url.as_bytes(),
            (None, None) => return Self::Unknown,
        };
        if is_ours { Self::Ours } else { Self::AnotherSite }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fetch_header_decides_and_the_origin_stands_in() {
        let check = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a header value"));
            }
            Sender::of(&headers, "https://auth.example.com")
        };
        assert_eq!(check(&[]), Sender::Unknown);
        for ours in [
            &[("origin", "https://auth.example.com")] as &[_],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(check(ours), Sender::Ours, "{ours:?}");
        }
        for other in [
            &[("origin", "https://evil.example")] as &[_],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://auth.example.com")],
        ] {
            assert_eq!(check(other), Sender::AnotherSite, "{other:?}");
        }
    }
}
