//! The pages, one module each: its component, its server functions, its view types.

pub mod account;
pub mod activity;
pub mod apps;
pub mod authenticators;
pub mod consent;
pub mod credential;
pub mod credentials;
pub mod edit_credential;
pub mod edit_webhook;
pub mod invitation;
pub mod leaks;
pub mod message;
pub mod new_credential;
pub mod openid;
pub mod overview;
pub mod passkeys;
pub mod people;
pub mod personal_tokens;
pub mod renew;
pub mod reveal;
pub mod rotate;
pub mod second_factor;
pub mod second_step;
pub mod servers;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod stop_credential;
pub mod teams;
pub mod webhook;
pub mod webhooks;

/// A query string of those parameters that have a value.
fn query_string(parameters: &[(&str, &str)]) -> String {
    let parts: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    parts.join("&")
}

/// Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
