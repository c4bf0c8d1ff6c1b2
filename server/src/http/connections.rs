//! How many connections one source may have: one host must not take the places of all others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

/// How often the log says that connections were refused.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts connections by source: an IPv4 address, or the first 64 bits of an IPv6 address, because one household can
/// use all addresses behind them.
#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    /// Proxies, each of which stands for many clients. They have no share.
    exempt: Arc<[IpNet]>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: HashMap<Source, usize>,
    /// Connections that were refused since the last line in the log.
    refused: u64,
    logged_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// A place of a source. It is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    source: Option<Source>,
}

impl Shares {
    /// At most `most` connections for each source, except for `exempt`.
    pub(super) fn new(most: usize, exempt: Arc<[IpNet]>) -> Arc<Self> {
        Arc::new(Self { most, exempt, counts: Mutex::default() })
    }

    /// A place for a connection from this address; `None` when its source has its share already.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = address.to_canonical();
        if self.exempt.iter().any(|range| range.contains(&address)) {
            return Some(Share { shares: Arc::clone(self), source: None });
        }
        let source = Source::of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let open = counts.open.entry(source).or_default();
        if *open < self.most {
            *open += 1;
            return Some(Share { shares: Arc::clone(self), source: Some(source) });
        }
        counts.refused += 1;
        if counts.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            tracing::warn!(
                %address,
                refused = counts.refused,
                most = self.most,
                "a source has as many connections as one source may have; if it is a proxy, name it in trusted_proxies"
            );
            counts.refused = 0;
            counts.logged_at = Some(Instant::now());
        }
        None
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(source) = self.source else { return };
        let mut counts = self.shares.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = counts.open.get_mut(&source) {
            *open -= 1;
            if *open == 0 {
                counts.open.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_share_and_no_more() {
        let shares = Shares::new(2, ["10.0.0.1/32".parse().expect("a range")].into());
        let take = |address: &str| shares.take(address.parse().expect("an address"));
        let (first, second) = (take("192.0.2.1").expect("one"), take("::ffff:192.0.2.1").expect("two"));
        assert!(take("192.0.2.1").is_none());
        let other = take("192.0.2.2").expect("another source");
        drop(first);
        let third = take("192.0.2.1").expect("one place is free again");
        let sixth: Vec<Share> =
            ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"].iter().filter_map(|one| take(one)).collect();
        assert_eq!(sixth.len(), 2);
        assert!(take("2001:db8:0:1::3").is_none(), "the same 64 bits");
        assert!(take("2001:db8:0:2::3").is_some());
        let proxies: Vec<Share> = (0..9).filter_map(|_| take("10.0.0.1")).collect();
        assert_eq!(proxies.len(), 9, "a proxy stands for many");
        drop((second, other, third, sixth, proxies));
        assert!(shares.counts.lock().expect("a lock").open.is_empty(), "nothing is left of those who are gone");
    }
}
