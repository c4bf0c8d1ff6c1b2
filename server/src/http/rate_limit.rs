//! Limits how often a source may do something: fail at client authentication, register a client, report a leak.
//!
//! For client authentication, only failures count, and the limit applies only after a failure. So a client with a valid
//! credential is always served, even when other clients at the same address fail. The limit slows down guessing, and
//! the work that guessing causes here.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::base::clock::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
/// Number of counters. Sources that share a counter are limited together. A million sources use no more memory than one
/// source.
const COUNTERS: usize = 4096;
/// The counter of all requests whose source is unknown. No source shares it.
const UNKNOWN: usize = COUNTERS;

/// Failures per source, in a fixed amount of memory.
pub struct RateLimit {
    limit: u32,
    window: Duration,
    counters: Mutex<Vec<(i64, u32)>>,
    /// Keyed at random for each process. With known keys, an attacker could compute an address of their own that shares
    /// the counter of a victim, and use up its limit.
    hasher: RandomState,
}

impl RateLimit {
    /// Allows this number of requests per source and minute.
    pub(crate) fn a_minute(limit: u32) -> Self {
        Self::new(limit, MINUTE)
    }

    /// Allows this number of requests per source and day.
    pub(crate) fn a_day(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(24 * 3600))
    }

    fn new(limit: u32, window: Duration) -> Self {
        Self { limit, window, counters: Mutex::new(vec![(0, 0); COUNTERS + 1]), hasher: RandomState::new() }
    }

    /// Counts a failure of `source`. Returns the time to wait when there were too many failures.
    pub fn count(&self, source: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let length = self.window.as_millis() as i64;
        let window = now.millis().div_euclid(length);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = &mut counters[self.counter(source)];
        if counter.0 != window {
            *counter = (window, 0);
        }
        counter.1 = counter.1.saturating_add(1);
        let ends = Timestamp::from_millis((window + 1).saturating_mul(length));
        (counter.1 > self.limit).then(|| ends.since(now).max(Duration::from_secs(1)))
    }

    fn counter(&self, source: Option<IpAddr>) -> usize {
        let hash = match source {
            None => return UNKNOWN,
            // One household can use 2^64 addresses, so the counter is for the /64 prefix.
            Some(IpAddr::V6(address)) => self.hasher.hash_one(&address.segments()[..4]),
            Some(IpAddr::V4(address)) => self.hasher.hash_one(address),
        };
        hash as usize % COUNTERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_limited_within_its_window_and_others_are_not() {
        let limit = RateLimit::a_minute(1200);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let source = "192.0.2.1".parse().ok();
        for number in 0..limit.limit {
            assert_eq!(limit.count(source, now), None, "{number}");
        }
        assert!(limit.count(source, now).is_some());
        // A source shares the counter with one of 4,096 others.
        let mut others = (1..=255).map(|last| IpAddr::from([192, 0, 2, last]));
        let other = others.find(|other| limit.counter(Some(*other)) != limit.counter(source));
        assert_eq!(limit.count(other, now), None);
        assert_eq!(limit.count(None, now), None);
        assert_eq!(limit.count(source, now.plus(MINUTE)), None);
    }
    #[test]
    fn which_sources_share_a_counter_is_different_in_each_process() {
        let (one, two) = (RateLimit::a_minute(1), RateLimit::a_minute(1));
        let sources = || (0..=255).map(|last| Some(IpAddr::from([192, 0, 2, last])));
        assert!(sources().any(|source| one.counter(source) != two.counter(source)));
        assert!(sources().all(|source| one.counter(source) != one.counter(None)));
    }
}
