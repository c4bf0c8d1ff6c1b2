//! Time as a parameter: operations ask a [`Clock`], tests hand them a fixed one.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
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

    /// Whether `now` is less than `age` after this moment. A later moment was written while the clock was ahead, so it
    /// says nothing about the age: it is not recent.
    pub fn is_recent(self, now: Self, age: Duration) -> bool {
        self <= now && now.since(self) < age
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

/// How long the time stands still after the machine's clock was set back.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// The machine's clock. It never goes back by a few seconds: it stands still until the machine's clock has caught up.
/// So the small corrections of time services prolong nothing, and a used assertion does not become acceptable again.
///
/// A clock that was set back by more was wrong before. Then this clock follows it after [`LONGEST_HOLD`] and says so in
/// the log. The rejected alternative is to stand still until the old time is reached: after one wrong second far in the
/// future, a server would write tokens of that second until it is restarted.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
    /// The time at which the clock stands still, and since when.
    hold: Mutex<Option<(i64, Instant)>>,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.read(saturating_millis(since_epoch), Instant::now)
    }
}

impl SystemClock {
    /// The time when the machine's clock shows `shown`. `moment` does not depend on that clock.
    fn read(&self, shown: i64, moment: impl FnOnce() -> Instant) -> Timestamp {
        if self.latest.fetch_max(shown, Ordering::Relaxed) <= shown {
            return Timestamp(shown);
        }
        let (mut hold, moment) = (self.hold.lock().unwrap_or_else(PoisonError::into_inner), moment());
        let latest = self.latest.load(Ordering::Relaxed);
        if latest <= shown {
            return Timestamp(shown);
        }
        match *hold {
            Some((at, since)) if at == latest => {
                if moment.saturating_duration_since(since) < LONGEST_HOLD {
                    return Timestamp(latest);
                }
                *hold = None;
                self.latest.store(shown, Ordering::Relaxed);
                let (from, to) = (Timestamp(shown).rfc3339(), Timestamp(latest).rfc3339());
                tracing::warn!(
                    from,
                    to,
                    "the clock of this machine was ahead and was set back: what has a time between these two was \
                     written too early"
                );
                Timestamp(shown)
            }
            _ => {
                *hold = Some((latest, moment));
                Timestamp(latest)
            }
        }
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

    #[test]
    fn a_clock_that_is_set_back_stands_still_for_some_seconds_and_then_follows() {
        let (clock, start) = (SystemClock::default(), Instant::now());
        let read = |shown, seconds| clock.read(shown, || start + Duration::from_secs(seconds)).millis();
        assert_eq!(read(1_000_000, 0), 1_000_000);
        assert_eq!(read(999_000, 1), 1_000_000, "a small correction: the time stands still");
        assert_eq!(read(1_001_000, 3), 1_001_000, "the machine's clock has caught up");
        assert_eq!(read(9_000_000, 4), 9_000_000, "the clock jumps ahead");
        assert_eq!(read(1_003_000, 5), 9_000_000, "and back");
        assert_eq!(read(1_007_999, 9), 9_000_000);
        assert_eq!(read(1_008_000, 10), 1_008_000, "it was wrong, so it is followed");
        assert_eq!(read(1_007_000, 20), 1_008_000, "from then on the same holds");
    }

    #[test]
    fn what_was_written_by_a_clock_ahead_is_not_recent() {
        let at = |millis| Timestamp::from_millis(millis);
        let age = Duration::from_millis(10);
        assert!(at(5).is_recent(at(5), age) && at(5).is_recent(at(14), age));
        assert!(!at(5).is_recent(at(15), age));
        assert!(!at(6).is_recent(at(5), age), "it comes from the future");
    }
}
