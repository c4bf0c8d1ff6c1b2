//! Slows down sources that fail client authentication again and again.
//!
//! It is asked only after an authentication failed, so whoever has a valid credential is served whatever others do from
//! the same address: what is limited is guessing, and what guessing costs us in answers.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::base::clock::Timestamp;

/// Failures that a source may make within [`WINDOW`].
const FAILURES: u32 = 1200;
/// Reports that a source may make within [`WINDOW`].
const REPORTS: u32 = 60;
/// Clients that a source may register within [`WINDOW`].
const REGISTRATIONS: u32 = 30;
/// Clients that a source may register within a [`DAY`]: each leaves an entry in the audit log for good.
const REGISTRATIONS_OF_A_DAY: u32 = 1000;
const WINDOW: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Counters. Sources that share one are limited together; a million sources use no more memory than one.
const COUNTERS: usize = 4096;

/// Failures by source, in a fixed amount of memory.
pub struct RateLimit {
    limit: u32,
    window: Duration,
    counters: Mutex<Vec<(i64, u32)>>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::of(FAILURES, WINDOW)
    }
}

impl RateLimit {
    /// A limit for reports of leaks.
    pub fn for_reports() -> Self {
        Self::of(REPORTS, WINDOW)
    }

    /// A limit for clients that register themselves.
    pub fn for_registrations() -> Self {
        Self::of(REGISTRATIONS, WINDOW)
    }

    /// The same for a whole day.
    pub fn for_registrations_of_a_day() -> Self {
        Self::of(REGISTRATIONS_OF_A_DAY, DAY)
    }

    fn of(limit: u32, window: Duration) -> Self {
        Self { limit, window, counters: Mutex::new(vec![(0, 0); COUNTERS]) }
    }
}

impl RateLimit {
    /// Counts a failure of `source`; the time to wait when there were too many.
    pub fn count(&self, source: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let length = self.window.as_millis() as i64;
        let window = now.millis().div_euclid(length);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = &mut counters[slot(source)];
        if counter.0 != window {
            *counter = (window, 0);
        }
        counter.1 = counter.1.saturating_add(1);
        let ends = Timestamp::from_millis((window + 1).saturating_mul(length));
        (counter.1 > self.limit).then(|| ends.since(now).max(Duration::from_secs(1)))
    }
}

fn slot(source: Option<IpAddr>) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    match source {
        // One household has 2^64 addresses.
        Some(IpAddr::V6(address)) => address.segments()[..4].hash(&mut hasher),
        source => source.hash(&mut hasher),
    }
    hasher.finish() as usize % COUNTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_limited_within_its_window_and_others_are_not() {
        let limit = RateLimit::default();
        let now = Timestamp::from_millis(1_800_000_000_000);
        let source = "192.0.2.1".parse().ok();
        for number in 0..FAILURES {
            assert_eq!(limit.count(source, now), None, "{number}");
        }
        assert!(limit.count(source, now).is_some());
        assert_eq!(limit.count("192.0.2.2".parse().ok(), now), None);
        assert_eq!(limit.count(source, now.plus(WINDOW)), None);
    }
}
