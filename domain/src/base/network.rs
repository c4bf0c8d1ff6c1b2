//! Networks of addresses.

use std::net::IpAddr;

/// The network that an address belongs to, and so its owner: one household has one IPv4 address but 2^64 IPv6
/// addresses.
pub(crate) fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}
