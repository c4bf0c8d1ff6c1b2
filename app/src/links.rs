//! Addresses of pages.

use domain::base::id::AppClientId;

/// A query string of those parameters that have a value.
pub fn query_string(parameters: &[(&str, &str)]) -> String {
    let parts: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    parts.join("&")
}

/// Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3).
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The page of a client. The identifier of one may be an address.
pub fn client_path(id: &AppClientId) -> String {
    format!("/apps/clients/{}", percent_encoded(id.as_str()))
}
