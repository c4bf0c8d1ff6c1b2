//! Which hosts and addresses may be asked: https and public addresses, and the exceptions from the settings.

use std::net::{IpAddr, Ipv6Addr};

use url::Url;

/// The hosts (`host` or `host:port`) with exceptions, by purpose.
#[derive(Debug, Clone, Default)]
pub struct PrivateHosts {
    /// Discovery documents and keys of issuers. Plain http is allowed too.
    pub issuers: Vec<String>,
    /// Webhooks. Plain http is allowed too.
    pub webhooks: Vec<String>,
    /// Documents of clients.
    pub clients: Vec<String>,
    /// MCP servers. Plain http is allowed too.
    pub upstreams: Vec<String>,
}

/// Hosts (`host` or `host:port`) that may be asked over plain http and at private addresses.
pub(super) struct Exceptions {
    pub(super) hosts: Vec<String>,
    /// The setting that lists them.
    pub(super) setting: &'static str,
    /// Who reads why a host cannot be reached.
    pub(super) reader: CauseReader,
}

/// Who reads why a host cannot be reached. The cause tells whether an internal name exists, and which of our addresses
/// and ports answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CauseReader {
    /// Those who administer Countersign, or a team: they chose the host. Pages that other people open too withhold the
    /// cause from them.
    Administrators,
    /// Every person who signed in may name a host. They read one sentence, and the log holds the cause.
    Anybody,
}

/// The one sentence for [`CauseReader::Anybody`].
pub(super) const UNREACHABLE: &str = "no public server answered there; the log of Countersign says why";

impl Exceptions {
    /// Whether there is an exception for the host of this address.
    pub(super) fn cover(&self, url: &Url) -> bool {
        cover(&self.hosts, url)
    }

    /// The permission for a request to this address.
    pub(super) fn permission(&self, url: &Url) -> EgressPermission<'_> {
        EgressPermission { is_private: self.cover(url), exceptions: self }
    }

    /// The reason why a private address is not asked.
    pub(super) fn not_public(&self) -> String {
        format!("its address is not public; list the host in {} to allow it", self.setting)
    }
}

/// Whether `hosts` (`host` or `host:port`) name the host of this address.
pub(crate) fn cover(hosts: &[String], url: &Url) -> bool {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
    let named = [host.to_string(), format!("{host}:{port}")];
    hosts.iter().any(|allowed| named.contains(allowed))
}

/// Whether one request has an exception, and the setting that could add one.
pub(super) struct EgressPermission<'of> {
    pub(super) is_private: bool,
    pub(super) exceptions: &'of Exceptions,
}

impl EgressPermission<'_> {
    /// What the reader learns when no connection was made.
    ///
    /// The time until the answer is not hidden. A name that does not exist, a private address and a closed port differ
    /// by how long the look-up and the connection take. To wait for the deadline each time was the rejected
    /// alternative: each wrong address would hold a request for seconds, and requests for documents are limited to a
    /// few a minute and person anyway.
    pub(super) fn no_connection(&self, host: &str, cause: String) -> String {
        match self.exceptions.reader {
            CauseReader::Administrators => cause,
            CauseReader::Anybody => {
                tracing::info!(?host, cause, "the server of a client's document cannot be reached");
                UNREACHABLE.to_owned()
            }
        }
    }

    /// Whether to use TLS.
    pub(super) fn scheme(&self, url: &Url) -> Result<bool, String> {
        match url.scheme() {
            "https" => Ok(true),
            "http" if self.is_private => Ok(false),
            _ => Err("only https is asked".to_owned()),
        }
    }
}

/// Whether an address belongs to the public internet (IANA special-purpose registries). An IPv4 address inside an IPv6
/// address counts as that IPv4 address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a, b & 0xC0) == (100, 64)
                || (a, b & 0xFE) == (198, 18)
                || matches!((a, b, c), (192, 0, 0) | (192, 88, 99)))
        }
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3. It includes Teredo, ORCHID, documentation and 6to4, and some of these contain an IPv4
    // address.
    (a & 0xE000) == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0DB8)
        && a != 0x2002
        && (a & 0xFFF0) != 0x3FF0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["140.82.112.3", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::200e"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for special in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "::ffff:7f00:1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
    }
}
