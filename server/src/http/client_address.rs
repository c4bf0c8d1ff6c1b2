//! The source address of a request, as far as it can be trusted.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::http::accept::Peer;

/// The client's address. It is absent when it is unknown: then it satisfies no address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The address of `request`.
    pub fn of(request: &Request, trusted: &[IpNet]) -> Self {
        let Some(peer) = request.extensions().get::<Peer>() else { return Self(None) };
        let address = behind_proxies(peer.0.ip().to_canonical(), request.headers(), trusted);
        if address.is_none() {
            warn_once();
        }
        Self(address)
    }

    /// The address that the middleware found and put into the request.
    pub fn found(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(None))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::found(&parts.extensions))
    }
}

/// Reads `X-Forwarded-For` from the end, where our own proxies append, and stops at the first address that is not a
/// trusted proxy. The sender of the request could have written everything before that address.
///
/// The address is unknown when a trusted proxy does not say whom it serves: its entry is no address, or there is none.
/// A client can tell some proxies to drop the header (`Connection: X-Forwarded-For`). The rejected alternative is the
/// address of the proxy: it often lies in the address range that a credential allows.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    // Bytes, because a line may hold bytes that are no text, and the proxy appended the good address to the same line.
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut address = peer;
    while trusted.iter().any(|range| range.contains(&address)) {
        address = parse(entries.next()?)?;
    }
    Some(address)
}

/// An address, which some proxies write with the port of the client, or in brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bare = || entry.parse().ok();
    let with_port = || entry.parse().ok().map(|address: SocketAddr| address.ip());
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// Logs that a proxy does not say whom it serves. Once: requests can come at any rate.
fn warn_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "the address of a client is unknown: a proxy of trusted_proxies sent no X-Forwarded-For, or one without an \
             address; credentials with address ranges are refused there"
        );
    });
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(peer: &str, forwarded: &[&[u8]], trusted: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(value).expect("a header value"));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|range| range.parse().expect("a range")).collect();
        behind_proxies(peer.parse().expect("an address"), &headers, &trusted).map(|address| address.to_string())
    }

    /// The address behind the proxy 10.0.0.1.
    fn behind(forwarded: &[&[u8]]) -> Option<String> {
        address("10.0.0.1", forwarded, &["10.0.0.0/8"])
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let client = Some("203.0.113.1".to_owned());
        assert_eq!(address("198.51.100.7", &[b"203.0.113.1"], &[]).as_deref(), Some("198.51.100.7"));
        assert_eq!(address("198.51.100.7", &[], &["10.0.0.0/8"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(behind(&[b"203.0.113.1"]), client);
        assert_eq!(behind(&[b"1.1.1.1, 203.0.113.1, 10.0.0.2"]), client);
        assert_eq!(behind(&[b"1.1.1.1", b"203.0.113.1"]), client);
        assert_eq!(behind(&[b"nonsense, 203.0.113.1"]), client);
        assert_eq!(behind(&[b"\xe9, 203.0.113.1"]), client);
        assert_eq!(behind(&[b"\xe9", b"\t203.0.113.1 "]), client);
    }

    #[test]
    fn an_address_is_read_in_each_way_that_proxies_write_it() {
        assert_eq!(behind(&[b"203.0.113.1:4711"]).as_deref(), Some("203.0.113.1"));
        assert_eq!(behind(&[b"::ffff:203.0.113.1"]).as_deref(), Some("203.0.113.1"));
        assert_eq!(behind(&[b"[::ffff:203.0.113.1]:443"]).as_deref(), Some("203.0.113.1"));
        for entry in [&b"2001:db8::1"[..], b"[2001:db8::1]", b"[2001:db8::1]:443"] {
            assert_eq!(behind(&[entry]).as_deref(), Some("2001:db8::1"));
        }
    }

    #[test]
    fn the_address_is_unknown_when_a_trusted_proxy_does_not_say_whom_it_serves() {
        assert_eq!(behind(&[]), None);
        for entry in
            [&b""[..], b"unknown", b"_hidden", b"203.0.113.1, ", b"203.0.113.1, \xe9", b"fe80::1%eth0", b"10.0.0.2"]
        {
            assert_eq!(behind(&[entry]), None, "{entry:?}");
        }
        assert_eq!(behind(&[b"203.0.113.9", b"unknown"]), None);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        /// A line that somebody sent: bytes that a header may hold.
        fn line() -> impl Strategy<Value = Vec<u8>> {
            let byte = prop_oneof![
                6 => prop::sample::select(&b"0123456789abcdf.:[],, \t%"[..]),
                1 => 0x80..=0xFFu8,
                1 => 0x20..=0x7Eu8,
            ];
            prop::collection::vec(byte, 0..60)
        }

        proptest! {
            /// Whatever a client sends, the entry that our proxy appended decides.
            #[test]
            fn a_client_cannot_hide_behind_what_it_sends(
                sent in prop::collection::vec(line(), 0..4),
                client in any::<IpAddr>(),
                port in any::<u16>(),
                style in 0..3u8,
                own_line in any::<bool>(),
            ) {
                let client = client.to_canonical();
                prop_assume!(!"10.0.0.0/8".parse::<IpNet>().expect("a range").contains(&client));
                let entry = match (style, client) {
                    (0, client) => client.to_string(),
                    (1, IpAddr::V6(client)) => format!("[{client}]"),
                    (_, client) => SocketAddr::new(client, port).to_string(),
                };
                let mut lines = sent;
                match lines.last_mut() {
                    Some(last) if !own_line => last.extend_from_slice(format!(", {entry}").as_bytes()),
                    _ => lines.push(entry.into_bytes()),
                }
                let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                prop_assert_eq!(behind(&lines), Some(client.to_string()));
            }

            /// Without a trusted proxy, and with one that adds nothing, no header makes an address of a proxy.
            #[test]
            fn a_header_never_makes_a_trusted_address(sent in prop::collection::vec(line(), 0..4)) {
                let lines: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
                let stranger = address("198.51.100.7", &lines, &["10.0.0.0/8"]);
                prop_assert_eq!(stranger.as_deref(), Some("198.51.100.7"));
                let is_proxy = |address: String| address.starts_with("10.");
                prop_assert!(!behind(&lines).is_some_and(is_proxy));
            }
        }
    }
}
