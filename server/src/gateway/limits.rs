//! How much a server behind the gateway is called: calls a minute, and calls at the same time. Each node counts for
//! itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::base::id::McpServerId;
use domain::model::server::gateway::CallLimits;
use domain::model::server::gateway::call::CallerKey;

const MINUTE: i64 = 60_000;
/// From this number of counters on, counters that mean nothing any more are removed.
const MANY: usize = 8192;

/// Whose calls are counted: of a server, and of one caller of it.
type Key = (McpServerId, Option<CallerKey>);

#[derive(Debug, Default)]
struct Counter {
    minute: i64,
    in_minute: u32,
    under_way: u32,
}

/// Counts calls. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallCounters(Arc<Mutex<HashMap<Key, Counter>>>);

/// Calls that are under way. They have ended when this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    counters: CallCounters,
    keys: [Key; 2],
    calls: u32,
}

/// A limit was reached: when to try again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) wait: Duration,
}

impl CallCounters {
    /// Begins this number of calls. With enforced limits, calls over a limit do not begin. Otherwise they begin, and
    /// the second value says that a limit was reached.
    pub(super) fn begin(
        &self,
        server: &McpServerId,
        caller: &CallerKey,
        limits: &CallLimits,
        calls: u32,
        now: Timestamp,
    ) -> (Option<UnderWay>, Option<Reached>) {
        let minute = now.millis().div_euclid(MINUTE);
        let keys = [(server.clone(), None), (server.clone(), Some(caller.clone()))];
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= MANY {
            counters.retain(|_, counter| counter.under_way > 0 || counter.minute == minute);
        }
        let most = [(limits.per_minute, limits.concurrent), (limits.per_minute_each, limits.concurrent_each)];
        let mut reached = None;
        for (key, (per_minute, concurrent)) in keys.iter().zip(most) {
            let counter = counters.entry(key.clone()).or_default();
            if counter.minute != minute {
                (counter.minute, counter.in_minute) = (minute, 0);
            }
            let is_over =
                |count: u32, limit: Option<u32>| limit.is_some_and(|limit| count.saturating_add(calls) > limit);
            if is_over(counter.in_minute, per_minute) {
                let ends = Timestamp::from_millis((minute + 1).saturating_mul(MINUTE));
                reached = Some(Reached { wait: ends.since(now).max(Duration::from_secs(1)) });
            } else if is_over(counter.under_way, concurrent) && reached.is_none() {
                reached = Some(Reached { wait: Duration::from_secs(1) });
            }
        }
        if reached.is_some() && limits.is_enforced {
            return (None, reached);
        }
        for key in &keys {
            let counter = counters.entry(key.clone()).or_default();
            counter.in_minute = counter.in_minute.saturating_add(calls);
            counter.under_way = counter.under_way.saturating_add(calls);
        }
        (Some(UnderWay { counters: self.clone(), keys, calls }), reached)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counters = self.counters.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            if let Some(counter) = counters.get_mut(key) {
                counter.under_way = counter.under_way.saturating_sub(self.calls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_for_the_server_and_for_each_caller() {
        let counters = CallCounters::default();
        let server = McpServerId::parse("srv_0000000000000000000000").expect("an identifier");
        let caller = |id: &str| CallerKey { id: id.to_owned(), person: String::new() };
        let now = Timestamp::from_millis(1_800_000_000_000);
        let begin = |limits: CallLimits, id: &str, at| counters.begin(&server, &caller(id), &limits, 1, at);
        let enforced = CallLimits { is_enforced: true, ..CallLimits::default() };

        let concurrent = CallLimits { concurrent: Some(2), concurrent_each: Some(1), ..enforced };
        let first = begin(concurrent, "a", now).0.expect("one");
        assert_eq!(begin(concurrent, "a", now).1, Some(Reached { wait: Duration::from_secs(1) }));
        let second = begin(concurrent, "b", now).0.expect("another caller");
        assert!(begin(concurrent, "c", now).0.is_none(), "all together");
        drop((first, second));
        assert!(begin(concurrent, "c", now).0.is_some());

        let later = now.plus(Duration::from_secs(60));
        let per_minute = CallLimits { per_minute: Some(3), per_minute_each: Some(2), ..enforced };
        assert!(begin(per_minute, "a", later).0.is_some() && begin(per_minute, "a", later).0.is_some());
        let (refused, reached) = begin(per_minute, "a", later.plus(Duration::from_secs(10)));
        assert!(refused.is_none() && reached == Some(Reached { wait: Duration::from_secs(50) }));
        assert!(begin(per_minute, "b", later).0.is_some());
        assert!(begin(per_minute, "b", later).0.is_none(), "all together");
        assert!(begin(per_minute, "a", later.plus(Duration::from_secs(60))).0.is_some(), "the next minute");

        let observed = CallLimits { is_enforced: false, concurrent: Some(0), ..CallLimits::default() };
        let (begun, reached) = begin(observed, "a", later);
        assert!(begun.is_some() && reached.is_some());
    }
}
