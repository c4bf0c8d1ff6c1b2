//! Whether a request that changes something comes from a page of ours. This is one of two guards; the second guard is
//! the form token.

use axum::http::{HeaderMap, header};

/// Whether the browser says that the request comes from our own origin.
///
/// `Sec-Fetch-Site` decides, because pages can neither set nor remove it. `Origin` decides only where `Sec-Fetch-Site`
/// is absent. Under `Referrer-Policy: no-referrer` browsers send `Origin: null` even for their own forms, so `Origin`
/// alone would refuse these forms. A request with neither header comes from no browser of this decade, and cannot carry
/// a victim's cookie.
pub fn is_same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        Some(site) => site == b"same-origin" || site == b"none",
        None => headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == public_url.as_bytes()),
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
            is_same_origin(&headers, "https://auth.example.com")
        };
        assert!(check(&[]));
        assert!(check(&[("origin", "https://auth.example.com")]));
        assert!(check(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(check(&[("sec-fetch-site", "none")]));
        assert!(!check(&[("origin", "https://evil.example")]));
        assert!(!check(&[("origin", "null")]));
        assert!(!check(&[("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("sec-fetch-site", "same-site"), ("origin", "https://auth.example.com")]));
    }
}
