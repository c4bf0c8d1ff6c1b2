//! Time as a parameter: operations ask a [`Clock`], tests hand them a fixed one.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch: what the database stores.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: the NumericDate of RFC 7519.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Hours since the Unix epoch: the bucket of [`crate::credential::usage`].
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000)
    }

    /// The moment `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_millis(duration)))
    }

    /// The moment `duration` earlier.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_millis(duration)))
    }

    /// How long after `earlier` this moment is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads a moment in RFC 3339 form.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Self::from_millis)
    }

    /// `2026-11-21T09:30:00Z`: RFC 3339, whole seconds, UTC.
    pub fn rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp(self.seconds())
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .unwrap_or_else(|| format!("{} ms", self.0))
    }

    /// Reads `2026-11-21` as the end of that day, UTC: the last moment at which something that "ends on" the
    /// day still works.
    pub fn end_of_day(date: &str) -> Option<Self> {
        Self::start_of_day(date).map(|start| start.plus(Duration::from_secs(24 * 3600)).minus(Duration::from_millis(1)))
    }

    /// Reads `2026-11-21` as the beginning of that day, UTC.
    pub fn start_of_day(date: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(&format!("{}T00:00:00Z", date.trim()), &Rfc3339).ok()?;
        Some(Self(moment.unix_timestamp() * 1000))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rfc3339())
    }
}

fn saturating_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Tells an operation the present time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock, which never goes back while the process runs. A clock that an operator sets back must not
/// prolong sessions and secrets, and must not make a used assertion acceptable again.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now = saturating_millis(since_epoch);
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_one_millisecond_before_the_next() {
        let end = Timestamp::end_of_day("2026-11-21").expect("a date");
        assert_eq!(end.rfc3339(), "2026-11-21T23:59:59Z");
        assert_eq!(end.plus(Duration::from_millis(1)), Timestamp::start_of_day("2026-11-22").expect("a date"));
        assert_eq!(Timestamp::end_of_day("2026-02-30"), None);
        assert_eq!(Timestamp::end_of_day("tomorrow"), None);
    }
}
