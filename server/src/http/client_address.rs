//! The source address of a request, as far as it can be trusted.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::http::accept::Peer;

/// The client's address. It is absent only when the request did not come through a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The address of `request`.
    pub fn of(request: &Request, trusted: &[IpNet]) -> Self {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
        Self(peer.map(|peer| behind_proxies(peer, request.headers(), trusted)))
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
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut address = peer;
    let entries: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    for entry in entries.iter().rev() {
        if !is_trusted(&address) {
            break;
        }
        match entry.parse::<IpAddr>() {
            Ok(forwarded) => address = forwarded.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header value"));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|range| range.parse().expect("a range")).collect();
        behind_proxies(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("198.51.100.7", &["203.0.113.1"], &[]), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["203.0.113.1"], &["10.0.0.0/8"]), "203.0.113.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.1, 10.0.0.2"], &["10.0.0.0/8"]), "203.0.113.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.1"], &["10.0.0.0/8"]), "203.0.113.1");
        assert_eq!(address("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["::ffff:203.0.113.1"], &["10.0.0.0/8"]), "203.0.113.1");
    }
}
