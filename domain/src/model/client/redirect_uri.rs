//! Redirect URIs: where the answer to an authorization request is sent (OAuth 2.1 §2.3).

use url::{Host, Url, form_urlencoded};

/// Longest redirect URI, in bytes.
const LONGEST: usize = 2000;
/// The hosts that mean the person's own computer. An IPv6 literal stands in brackets.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Schemes that a browser or the system handles itself. No program can claim them for itself, or the address would do
/// something else than bring an answer to a program.
const HANDLED_SCHEMES: [&str; 73] = [
    // The web, and what reads like it.
    "ftp",
    "ftps",
    "sftp",
    "ws",
    "wss",
    "gopher",
    "localhost",
    "quic",
    // Documents and scripts inside the browser.
    "about",
    "blob",
    "cid",
    "data",
    "feed",
    "file",
    "filesystem",
    "jar",
    "javascript",
    "jscript",
    "livescript",
    "mhtml",
    "mid",
    "mocha",
    "pcast",
    "res",
    "resource",
    "vbscript",
    "vbs",
    "view",
    "view-source",
    "wyciwyg",
    "xbl",
    // Pages and settings of browsers.
    "brave",
    "chrome",
    "devtools",
    "edge",
    "extension",
    "firefox",
    "opera",
    "orion",
    "safari",
    "vivaldi",
    // Android and Apple: they choose an app by the content of the address.
    "android-app",
    "app-settings",
    "content",
    "intent",
    "intents",
    "itms",
    "itms-apps",
    "itms-services",
    "market",
    "prefs",
    "shortcuts",
    // Mail, calls, messages, maps.
    "callto",
    "facetime",
    "facetime-audio",
    "geo",
    "im",
    "imap",
    "irc",
    "ircs",
    "mailto",
    "maps",
    "mms",
    "mmst",
    "news",
    "nntp",
    "sip",
    "sips",
    "sms",
    "smsto",
    "tel",
    "webcal",
    "xmpp",
];
/// More of them: files and shells of other machines, and names that are no addresses.
const SYSTEM_SCHEMES: [&str; 22] = [
    "afp",
    "dav",
    "davs",
    "hcp",
    "its",
    "ldap",
    "ldaps",
    "magnet",
    "mk",
    "nfs",
    "rdp",
    "rlogin",
    "search",
    "search-ms",
    "shell",
    "smb",
    "ssh",
    "tag",
    "telnet",
    "urn",
    "vnc",
    "x-apple",
];
/// Beginnings of such schemes. A website can claim a scheme that begins with `web+`, an extension of a browser one that
/// begins with `ext+`. Those with `ms-` open documents and settings of Windows.
const HANDLED_BEGINNINGS: [&str; 13] = [
    "http",
    "javascript",
    "vbscript",
    "chrome-",
    "moz-",
    "ms-",
    "safari-",
    "web+",
    "ext+",
    "x-apple.",
    "x-web-search",
    "apple-",
    "about.",
];

/// A redirect URI as it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

/// Where a redirect URI leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'uri> {
    /// A program on the person's own computer.
    Loopback,
    /// A website, by its host and, if it is not the usual one, its port.
    Website(&'uri str),
    /// The program that has claimed this scheme (RFC 8252 §7.1). It can be any program.
    Scheme(&'uri str),
}

impl RedirectUri {
    /// What [`RedirectUri::parse`] takes, in words.
    pub(crate) const RULE: &'static str = "Use https, http on localhost, 127.0.0.1 or [::1], or a scheme of your \
        program such as com.example.app:/callback, without a #.";

    /// Reads a redirect URI: `https`, `http` of the person's own computer, or a private scheme such as
    /// `com.example.app` or `cursor`. A text that two parsers could read differently is refused.
    ///
    /// RFC 8252 §7.1 asks for a dot in a private scheme. Well-known programs have none, and a dot makes no scheme safe:
    /// any program can claim any of them. The page of the consent says so.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}*".contains(&byte));
        if text.len() > LONGEST || !plain || text.contains('#') {
            return None;
        }
        let url = Url::parse(text).ok()?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let uri = Self(text.to_owned());
        let (scheme, rest) = text.split_once(':')?;
        // The text is kept as it was written, so that no comparison meets two forms of one URI.
        let usable = match scheme {
            "https" => url.host_str().is_some_and(|host| uri.authority().is_some_and(|own| own.starts_with(host))),
            "http" => uri.loopback().is_some(),
            scheme => is_private(scheme, rest),
        };
        usable.then_some(uri)
    }

    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an answer may be sent to `asked`: the two texts must be equal. A program on the person's computer
    /// listens on a free port, so for these programs the port may differ (RFC 8252 §7.3).
    pub(crate) fn allows(&self, asked: &str) -> bool {
        if self.0 == asked {
            return true;
        }
        match (self.loopback(), Self(asked.to_owned()).loopback()) {
            (Some(own), Some(asked)) => own == asked,
            _ => false,
        }
    }

    /// Where it leads.
    pub fn destination(&self) -> Destination<'_> {
        if self.loopback().is_some() {
            return Destination::Loopback;
        }
        match self.authority() {
            Some(authority) if self.0.starts_with("https://") => Destination::Website(authority),
            _ => Destination::Scheme(self.0.split(':').next().unwrap_or_default()),
        }
    }

    /// Whether it leads to a website on another computer than the person's own.
    pub(crate) fn is_on_web(&self) -> bool {
        let url = Url::parse(&self.0).ok().filter(|url| url.scheme() == "https");
        url.and_then(|url| url.host().map(|host| host.to_owned())).is_some_and(|host| match host {
            Host::Domain(name) => name.trim_end_matches('.').rsplit('.').next() != Some("localhost"),
            Host::Ipv4(address) => !address.is_loopback(),
            Host::Ipv6(address) => !address.to_canonical().is_loopback(),
        })
    }

    /// The destination in a word: a host, or a scheme.
    pub fn host(&self) -> String {
        match self.destination() {
            Destination::Loopback | Destination::Website(_) => self.authority().unwrap_or_default().to_owned(),
            Destination::Scheme(scheme) => format!("{}:", scheme.to_ascii_lowercase()),
        }
    }

    /// The URI with these parameters added to its query (RFC 6749 §4.1.2).
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        // Some clients do not decode a plus sign as a space, so a space is sent as %20. A plus sign in a value is %2B
        // by now.
        format!("{}{separator}{}", self.0, query.replace('+', "%20"))
    }

    fn authority(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        rest.split(['/', '?']).next().filter(|authority| !authority.is_empty())
    }

    /// For a program on the person's computer: the host, and the text after the port.
    fn loopback(&self) -> Option<(&str, &str)> {
        let rest = self.0.strip_prefix("http://")?;
        let authority = self.authority()?;
        let host = LOOPBACK_HOSTS.into_iter().find(|host| authority.starts_with(host))?;
        let port = &authority[host.len()..];
        let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
        is_port.then(|| (host, &rest[authority.len()..]))
    }
}

/// Whether a program may have claimed the scheme. `rest` is the text behind it. Browsers read a scheme without regard
/// to case.
fn is_private(scheme: &str, rest: &str) -> bool {
    let is_own = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    let lower = scheme.to_ascii_lowercase();
    let is_handled = HANDLED_SCHEMES.contains(&lower.as_str())
        || SYSTEM_SCHEMES.contains(&lower.as_str())
        || HANDLED_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning))
        || lower.ends_with("-extension");
    // A drive of Windows is no scheme. Without a dot, a slash must follow: `mailto:` and its like have none. A host
    // with a port, whose `http://` was forgotten, has none either.
    let is_address = scheme.contains('.') || scheme.len() > 1 && rest.starts_with('/');
    is_address && !is_handled && scheme.bytes().all(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_uris_are_registered() {
        for good in [
            "https://app.example.com/callback",
            "https://app.example.com:8443/callback?x=1",
            "http://localhost/callback",
            "http://127.0.0.1:33418/callback",
            "http://[::1]:8080/callback",
            "com.example.app:/oauth",
            "com.example.app://oauth/callback",
            "cursor://anysphere.cursor-retrieval/oauth/user-callback",
            "vscode://vscode.github-authentication/did-authenticate",
            "raycast:/oauth?package_name=x",
            "MyApp://callback",
        ] {
            assert!(RedirectUri::parse(good).is_some(), "{good}");
        }
        for wrong in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://x",
            "http://app.example.com/callback",
            "http://localhost.evil.example/callback",
            "http://localhost@evil.example/callback",
            "http://127.0.0.1:99999/callback",
            "https://user@app.example.com/",
            "https://app.example.com/#fragment",
            "https://APP.example.com/",
            "https://*.example.com/",
            "HTTPS://app.example.com/",
            " https://app.example.com/",
            "https://app.example.com/\n",
            "https://ä.example/",
            "https:app.example.com",
            "/callback",
            "httpx://app.example.com/",
            "http.example:/callback",
            "localhost:8085/callback",
            "localhost://callback",
            "cursor:callback",
            "c:/callback",
            "",
        ] {
            assert!(RedirectUri::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn no_scheme_that_browsers_or_systems_handle_is_a_private_one() {
        for scheme in [
            "javascript",
            "data",
            "file",
            "vbscript",
            "blob",
            "about",
            "ws",
            "wss",
            "http",
            "mailto",
            "tel",
            "sms",
            "intent",
            "view-source",
            "chrome",
            "chrome-extension",
            "chrome-untrusted",
            "moz-extension",
            "resource",
            "content",
            "ftp",
            "filesystem",
            "ms-settings",
            "search-ms",
            "ssh",
            "smb",
            "itms-services",
            "web+app",
            "ext+app",
            "android-app",
            "javascript.example",
            "edge",
            "webcal",
            "magnet",
            "urn",
            "safari-web-extension",
            "httpx",
        ] {
            for written in [scheme.to_owned(), scheme.to_uppercase(), scheme[..1].to_uppercase() + &scheme[1..]] {
                for rest in ["x", "/x", "//localhost/callback", "//com.example.app/callback"] {
                    let uri = format!("{written}:{rest}");
                    let own = scheme == "http" && written == scheme && rest.contains("localhost");
                    assert_eq!(RedirectUri::parse(&uri).is_some(), own, "{uri}");
                }
            }
        }
        assert_eq!(RedirectUri::parse("Cursor://x/y").expect("valid").host(), "cursor:");
    }

    #[test]
    fn uris_are_equal_as_text_but_for_the_port_on_the_own_computer() {
        let web = RedirectUri::parse("https://app.example.com/callback").expect("valid");
        assert!(web.allows("https://app.example.com/callback"));
        for other in [
            "https://app.example.com/callback/",
            "https://app.example.com/callback?x=1",
            "https://app.example.com/Callback",
            "https://app.example.com:443/callback",
            "https://app.example.com/a/../callback",
            "https://app.example.com/%63allback",
            "https://app.example.com/callback#x",
            "https://evil@app.example.com/callback",
            "https://x.app.example.com/callback",
            "http://app.example.com/callback",
        ] {
            assert!(!web.allows(other), "{other}");
        }
        let local = RedirectUri::parse("http://localhost:8085/callback").expect("valid");
        assert!(local.allows("http://localhost:8099/callback"));
        assert!(local.allows("http://localhost/callback"));
        for other in [
            "http://127.0.0.1:8085/callback",
            "http://localhost:8085/callback2",
            "http://localhost:8085/callback?x",
            "http://localhost:x/callback",
            "http://localhost:+80/callback",
            "http://localhost:8085@evil.example/callback",
            "http://localhost.evil.example/callback",
            "https://localhost:8085/callback",
        ] {
            assert!(!local.allows(other), "{other}");
        }
    }

    #[test]
    fn an_answer_is_added_to_the_query() {
        let uri = |text| RedirectUri::parse(text).expect("valid");
        assert_eq!(
            uri("https://a.example/c").with(&[("code", "x y"), ("state", "&")]),
            "https://a.example/c?code=x%20y&state=%26"
        );
        assert_eq!(uri("https://a.example/c?d=1").with(&[("code", "x")]), "https://a.example/c?d=1&code=x");
        assert_eq!(uri("http://[::1]:8080/c").host(), "[::1]:8080");
        assert_eq!(uri("com.example.app:/c").host(), "com.example.app:");
    }
}
