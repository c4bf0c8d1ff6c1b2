//! Metrics for operators: counts of this process since its start, in the text format of Prometheus. They name no
//! credential and no person.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::model::server::gateway::call::CallOutcome;
use crate::model::token::Refusal;

/// Upper bounds of the histogram of exchange times, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds of the histogram of batch sizes, in requests.
const REQUESTS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// A histogram: counts of values by class, with their sum.
#[derive(Debug)]
struct Histogram {
    bounds: &'static [f64],
    /// One class for each bound, and one for larger values.
    classes: Vec<AtomicU64>,
    /// In millionths, because atomic floating point numbers do not exist.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let classes = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Self { bounds, classes, sum: AtomicU64::default() }
    }

    /// Counts a value given in millionths of the unit.
    fn record(&self, millionths: u64) {
        let value = millionths as f64 / 1e6;
        let class = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(millionths, Ordering::Relaxed);
    }

    fn write(&self, text: &mut String, name: &str, help: &str) {
        head(text, name, "histogram", help);
        let mut count = 0;
        let ends = self.bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (class, end) in self.classes.iter().zip(ends) {
            count += class.load(Ordering::Relaxed);
            line(text, &format!("{name}_bucket{{le=\"{end}\"}}"), count);
        }
        line(text, &format!("{name}_sum"), self.sum.load(Ordering::Relaxed) as f64 / 1e6);
        line(text, &format!("{name}_count"), count);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name} {value}");
}

/// The counts.
#[derive(Debug)]
pub struct Metrics {
    exchanges: AtomicU64,
    /// In the order of [`Refusal::ALL`].
    refusals: [AtomicU64; Refusal::ALL.len()],
    exchange_time: Histogram,
    batches: Histogram,
    ledger_errors: AtomicU64,
    /// In the order of [`CallOutcome::ALL`].
    calls: [AtomicU64; CallOutcome::ALL.len()],
    call_time: Histogram,
    calls_not_recorded: AtomicU64,
    calls_over_limit: AtomicU64,
    /// In milliseconds.
    clock_ahead: AtomicI64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            exchanges: AtomicU64::default(),
            refusals: Default::default(),
            exchange_time: Histogram::new(&SECONDS),
            batches: Histogram::new(&REQUESTS),
            ledger_errors: AtomicU64::default(),
            calls: Default::default(),
            call_time: Histogram::new(&SECONDS),
            calls_not_recorded: AtomicU64::default(),
            calls_over_limit: AtomicU64::default(),
            clock_ahead: AtomicI64::default(),
        }
    }
}

impl Metrics {
    /// Records that a batch of exchanges was decided and committed.
    pub(crate) fn batch(&self, requests: usize, granted: usize) {
        self.batches.record((requests as u64).saturating_mul(1_000_000));
        self.exchanges.fetch_add(granted as u64, Ordering::Relaxed);
    }

    /// How many batches there were.
    pub fn batches(&self) -> u64 {
        self.batches.classes.iter().map(|class| class.load(Ordering::Relaxed)).sum()
    }

    /// Records that a batch of exchanges met a fault of the database.
    pub(crate) fn ledger_error(&self) {
        self.ledger_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Records how far this machine's clock is behind the database's, or ahead of it.
    pub fn clock_difference(&self, behind: Duration, ahead: Duration) {
        let millis = |difference: Duration| i64::try_from(difference.as_millis()).unwrap_or(i64::MAX);
        self.clock_ahead.store(millis(ahead).saturating_sub(millis(behind)), Ordering::Relaxed);
    }

    /// How far this machine's clock is ahead of the database's, in milliseconds, as it was compared last.
    pub(crate) fn clock_ahead_millis(&self) -> i64 {
        self.clock_ahead.load(Ordering::Relaxed)
    }

    /// Records that an exchange was refused, with a known or an unknown credential.
    pub(crate) fn refusal(&self, refusal: Refusal) {
        if let Some(position) = Refusal::ALL.iter().position(|other| *other == refusal) {
            self.refusals[position].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a call through the gateway, and the time until its answer was complete.
    pub(crate) fn call(&self, outcome: CallOutcome, time: Duration) {
        if let Some(position) = CallOutcome::ALL.iter().position(|other| *other == outcome) {
            self.calls[position].fetch_add(1, Ordering::Relaxed);
        }
        if outcome.reached() {
            self.call_time.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Records that calls could not be counted for the pages: too many waited, or the database refused them.
    pub(crate) fn calls_not_recorded(&self, calls: u64) {
        self.calls_not_recorded.fetch_add(calls, Ordering::Relaxed);
    }

    /// Records that calls through the gateway were let through over a limit, which is observed and not enforced.
    pub fn over_limit(&self, calls: u32) {
        self.calls_over_limit.fetch_add(u64::from(calls), Ordering::Relaxed);
    }

    /// Records that an exchange was answered, with the time from the request's head to the answer.
    pub fn answered(&self, time: Duration) {
        self.exchange_time.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The counts as text. `queued` is how many exchanges wait for the ledger at this moment.
    pub fn render(&self, version: &str, queued: usize) -> String {
        let mut text = String::with_capacity(4096);
        head(&mut text, "countersign_build_info", "gauge", "The version that runs.");
        line(&mut text, &format!("countersign_build_info{{version=\"{version}\"}}"), 1);
        head(&mut text, "countersign_exchanges_total", "counter", "Tokens issued.");
        line(&mut text, "countersign_exchanges_total", self.exchanges.load(Ordering::Relaxed));
        let name = "countersign_refusals_total";
        head(&mut text, name, "counter", "Exchanges refused, by cause.");
        for (refusal, count) in Refusal::ALL.iter().zip(&self.refusals) {
            line(&mut text, &format!("{name}{{cause=\"{}\"}}", refusal.as_str()), count.load(Ordering::Relaxed));
        }
        let (name, help) = ("countersign_exchange_seconds", "Time from a token request to its answer.");
        self.exchange_time.write(&mut text, name, help);
        let (name, help) = ("countersign_ledger_batch_requests", "Requests that shared a transaction of the ledger.");
        self.batches.write(&mut text, name, help);
        let name = "countersign_ledger_queue";
        head(&mut text, name, "gauge", "Exchanges that wait for the ledger.");
        line(&mut text, name, queued);
        let name = "countersign_ledger_errors_total";
        head(&mut text, name, "counter", "Transactions of the ledger that the database failed.");
        line(&mut text, name, self.ledger_errors.load(Ordering::Relaxed));
        let name = "countersign_calls_total";
        head(&mut text, name, "counter", "Calls through the gateway, by how they ended.");
        for (outcome, count) in CallOutcome::ALL.iter().zip(&self.calls) {
            line(&mut text, &format!("{name}{{outcome=\"{}\"}}", outcome.as_str()), count.load(Ordering::Relaxed));
        }
        let (name, help) =
            ("countersign_call_seconds", "Time from a call through the gateway to the end of its answer.");
        self.call_time.write(&mut text, name, help);
        let name = "countersign_calls_not_recorded_total";
        head(
            &mut text,
            name,
            "counter",
            "Calls through the gateway that are missing on pages: too many waited, or the database had a fault.",
        );
        line(&mut text, name, self.calls_not_recorded.load(Ordering::Relaxed));
        let name = "countersign_calls_over_limit_total";
        head(&mut text, name, "counter", "Calls through the gateway that were over a limit and let through.");
        line(&mut text, name, self.calls_over_limit.load(Ordering::Relaxed));
        let name = "countersign_clock_ahead_seconds";
        head(&mut text, name, "gauge", "How far this machine's clock is ahead of the PostgreSQL database's.");
        line(&mut text, name, self.clock_ahead.load(Ordering::Relaxed) as f64 / 1e3);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_add_up() {
        let metrics = Metrics::default();
        for millis in [1, 3, 3, 7000] {
            metrics.answered(Duration::from_millis(millis));
        }
        metrics.batch(3, 2);
        metrics.refusal(Refusal::SecretExpired);
        metrics.clock_difference(Duration::from_millis(6500), Duration::ZERO);
        let text = metrics.render("1.2.3", 5);
        for expected in [
            "countersign_build_info{version=\"1.2.3\"} 1\n",
            "countersign_exchanges_total 2\n",
            "countersign_refusals_total{cause=\"secret_expired\"} 1\n",
            "countersign_exchange_seconds_bucket{le=\"0.001\"} 1\n",
            "countersign_exchange_seconds_bucket{le=\"0.0025\"} 1\n",
            "countersign_exchange_seconds_bucket{le=\"0.005\"} 3\n",
            "countersign_exchange_seconds_bucket{le=\"5\"} 3\n",
            "countersign_exchange_seconds_bucket{le=\"+Inf\"} 4\n",
            "countersign_exchange_seconds_sum 7.007\n",
            "countersign_exchange_seconds_count 4\n",
            "countersign_ledger_batch_requests_bucket{le=\"2\"} 0\n",
            "countersign_ledger_batch_requests_bucket{le=\"4\"} 1\n",
            "countersign_ledger_queue 5\n",
            "countersign_clock_ahead_seconds -6.5\n",
        ] {
            assert!(text.contains(expected), "{expected}{text}");
        }
    }
}
