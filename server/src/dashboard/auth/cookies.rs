//! Cookies of the dashboard, except the session cookie.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// A cookie, by its purpose. All of them are for this host and every path, and scripts cannot read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Binds forms before the person is signed in.
    Form,
    /// Identifies a browser in which a person signed in before.
    Device,
    /// The token of a sign-in that waits for its second step.
    SecondStep,
    /// The browser's half of a sign-in with an OpenID provider.
    OpenId,
    /// The columns of the list of credentials that a person chose.
    Columns,
    /// A form that outlived its session.
    Draft,
}

impl Cookie {
    /// Its value in a request.
    pub(crate) fn read(self, headers: &HeaderMap, https: bool) -> Option<String> {
        let name = self.name(https);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(own, value)| *own == name && !value.is_empty() && value.len() <= self.longest())
            .map(|(_, value)| value.to_owned())
    }

    /// Stores `value` in the browser for `seconds`, or until the browser is closed.
    pub(crate) fn put(self, response: &mut Response, value: &str, seconds: Option<u64>, https: bool) {
        let same_site = match self {
            // The provider sends the browser here from another site, also on the way back to the form.
            Self::OpenId | Self::Draft => "Lax",
            Self::Form | Self::Device | Self::SecondStep | Self::Columns => "Strict",
        };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if https { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite={same_site}{age}{secure}", self.name(https));
        // The server makes the values from letters, digits, `_`, `-`, `$` and `.`. So they always fit into a header.
        if let Ok(mut cookie) = HeaderValue::from_str(&text) {
            cookie.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// Removes the cookie from the browser.
    pub(crate) fn take(self, response: &mut Response, https: bool) {
        self.put(response, "", Some(0), https);
    }

    /// The bytes that its value can have. Browsers store 4,096 bytes of a cookie with its name and attributes.
    pub(crate) fn longest(self) -> usize {
        if self == Self::Draft { 3_800 } else { 200 }
    }

    /// The cookie's name. Over https it has a prefix; with it browsers accept the cookie from this host only.
    fn name(self, https: bool) -> String {
        let prefix = if https { "__Host-" } else { "" };
        let name = match self {
            Self::Form => "form",
            Self::Device => "device",
            Self::SecondStep => "second_step",
            Self::OpenId => "openid",
            Self::Columns => "columns",
            Self::Draft => "draft",
        };
        format!("{prefix}countersign_{name}")
    }
}
