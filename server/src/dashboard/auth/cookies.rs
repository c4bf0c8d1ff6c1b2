//! Cookies of the dashboard besides that of the session.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// A cookie, by what it is for. All of them are for this host and every path, and out of reach of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// What forms are bound to before somebody is signed in.
    Form,
    /// By what a browser is known later, in which a person signed in.
    Device,
    /// The token of a sign-in that waits for its second step.
    SecondStep,
    /// The browser's half of a sign-in at an OpenID provider.
    OpenId,
}

impl Cookie {
    /// Its value in a request.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Option<String> {
        let name = self.name(https);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(own, value)| *own == name && !value.is_empty() && value.len() <= 200)
            .map(|(_, value)| value.to_owned())
    }

    /// Leaves `value` in the browser for `seconds`, or until the browser is closed.
    pub fn put(self, response: &mut Response, value: &str, seconds: Option<u64>, https: bool) {
        let same_site = match self {
            // The provider sends the browser here from another site.
            Self::OpenId => "Lax",
            Self::Form | Self::Device | Self::SecondStep => "Strict",
        };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if https { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite={same_site}{age}{secure}", self.name(https));
        // Values are made here, of letters and digits: they always fit into a header.
        if let Ok(mut cookie) = HeaderValue::from_str(&text) {
            cookie.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// Takes it from the browser.
    pub fn take(self, response: &mut Response, https: bool) {
        self.put(response, "", Some(0), https);
    }

    /// Over https with the prefix by which browsers hold a cookie to its host.
    fn name(self, https: bool) -> String {
        let prefix = if https { "__Host-" } else { "" };
        let name = match self {
            Self::Form => "form",
            Self::Device => "device",
            Self::SecondStep => "second_step",
            Self::OpenId => "openid",
        };
        format!("{prefix}countersign_{name}")
    }
}
