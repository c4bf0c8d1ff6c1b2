//! Counts calls through the gateway in the background: a decision never waits for its record.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::server::gateway::call::{Call, CallerKey};
use crate::services::metrics::Metrics;
use crate::services::recorder::{Batch, Recorder};
use crate::store::server::calls::{CallHour, CountedCalls, KEPT};
use crate::store::{self, Store};

/// The most calls that wait to be counted.
const LONGEST_QUEUE: usize = 16_384;

/// Counts calls in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallRecorder {
    queue: Recorder<Call>,
    metrics: Arc<Metrics>,
}

impl CallRecorder {
    pub(crate) fn start(store: Store, metrics: Arc<Metrics>) -> Self {
        let lost = Arc::clone(&metrics);
        let queue = Recorder::start::<Calls>(store, LONGEST_QUEUE, move |calls| lost.calls_not_recorded(calls));
        Self { queue, metrics }
    }

    /// Records a call that has ended.
    pub fn record(&self, call: Call) {
        self.metrics.call(call.outcome, Duration::from_millis(call.milliseconds.unsigned_abs()));
        if !self.queue.record(call) {
            self.metrics.calls_not_recorded(1);
        }
    }

    /// Waits until the calls that were recorded before are written.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }

    pub(crate) async fn close(&self, limit: Duration) {
        self.queue.close(limit).await;
    }
}

/// Calls that are written together.
#[derive(Default)]
struct Calls {
    counted: HashMap<CallHour, CountedCalls>,
    latest: HashMap<CallerKey, VecDeque<Call>>,
}

impl Batch for Calls {
    type Record = Call;

    fn add(&mut self, call: Call) {
        let key =
            (call.caller.clone(), call.at.hour(), call.server.clone(), call.kind, call.name.clone(), call.outcome);
        let counted =
            self.counted.entry(key).or_insert(CountedCalls { calls: 0, total_ms: 0, longest_ms: 0, last_at: call.at });
        counted.calls += 1;
        counted.total_ms = counted.total_ms.saturating_add(call.milliseconds);
        counted.longest_ms = counted.longest_ms.max(call.milliseconds);
        counted.last_at = counted.last_at.max(call.at);
        let latest = self.latest.entry(call.caller.clone()).or_default();
        if latest.len() as i64 == KEPT {
            latest.pop_front();
        }
        latest.push_back(call);
    }

    async fn write(self, store: &Store) -> u64 {
        let latest: Vec<Call> = self.latest.into_values().flatten().collect();
        let Err(error) = store::server::calls::record(store, &self.counted, &latest).await else { return 0 };
        let lost = self.counted.values().map(|counted| counted.calls.unsigned_abs()).sum();
        tracing::warn!(%error, lost, "calls through the gateway could not be counted");
        lost
    }
}
