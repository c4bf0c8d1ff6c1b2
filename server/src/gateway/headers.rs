//! Which headers pass: a list for each way. What is on no list stays here, also what clients and servers invent later.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::media_type::JSON;

/// Headers from the client to the server. The session is not among them: it is translated.
const TO_SERVER: [&str; 8] = [
    "accept",
    "accept-language",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "traceparent",
    "user-agent",
];
/// The beginning of headers that repeat an argument of a tool (SEP-2243).
const PARAMETER: &str = "mcp-param-";
/// Headers from the server to the client.
const TO_CLIENT: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::RETRY_AFTER, HeaderName::from_static("mcp-protocol-version")];

/// The headers of the request to the server.
pub(super) fn to_server(headers: &HeaderMap, has_body: bool) -> HeaderMap {
    let is_passed = |name: &&HeaderName| TO_SERVER.contains(&name.as_str()) || name.as_str().starts_with(PARAMETER);
    let mut passed = HeaderMap::new();
    for name in headers.keys().filter(is_passed) {
        // Of most of these headers, a second one would be unclear. `Accept` can be in several lines.
        for value in headers.get_all(name).iter().take(if name == header::ACCEPT { usize::MAX } else { 1 }) {
            passed.append(name, value.clone());
        }
    }
    passed.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json, text/event-stream"));
    if has_body {
        passed.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    passed
}

/// The headers of the answer to the client.
pub(super) fn to_client(headers: &HeaderMap) -> HeaderMap {
    let mut passed: HeaderMap =
        TO_CLIENT.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect();
    // The answer depends on the token, whatever the server says.
    passed.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    passed
}

/// Whether a header says this: as it is, or in base64 if it cannot be in a header as it is (SEP-2243).
pub(super) fn says(value: &HeaderValue, stated: &str) -> bool {
    if value.as_bytes() == stated.as_bytes() {
        return true;
    }
    let encoded = value.to_str().ok().and_then(|text| text.strip_prefix("=?base64?")?.strip_suffix("?="));
    encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).is_some_and(|decoded| decoded == stated.as_bytes())
}

/// What [`says`] understands as this text.
pub(crate) fn saying(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text;
    match is_plain && !text.starts_with("=?base64?") {
        true => text.to_owned(),
        false => format!("=?base64?{}?=", STANDARD.encode(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_pass() {
        let mut sent = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("content-type", "text/plain"),
            ("host", "a.example"),
            ("countersign-identity", "forged"),
            ("mcp-session-id", "s"),
            ("accept-encoding", "gzip"),
            ("x-api-key", "k"),
            ("mcp-method", "ping"),
            ("mcp-param-region", "eu"),
            ("last-event-id", "7"),
        ] {
            sent.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let passed = to_server(&sent, true);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "content-type", "last-event-id", "mcp-method", "mcp-param-region"]);
        assert_eq!(passed["content-type"], "application/json");
        for name in ["set-cookie", "server", "www-authenticate", "location", "x-powered-by", "mcp-protocol-version"] {
            sent.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let passed = to_client(&sent);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "content-type", "mcp-protocol-version"]);
    }

    #[test]
    fn a_header_may_say_it_in_base64() {
        let says = |value: &'static str, stated| super::says(&HeaderValue::from_static(value), stated);
        for text in ["search", "a b", " a", "äö", "=?base64?x?=", "a\nb"] {
            let value = HeaderValue::from_str(&saying(text)).expect("a header");
            assert!(super::says(&value, text), "{text}");
        }
        assert!(says("search", "search") && says("=?base64?w6TDtg==?=", "äö"));
        assert!(!says("search", "Search") && !says("=?base64?w6TDtg==?=", "ä") && !says("=?base64?%?=", "a"));
    }
}
