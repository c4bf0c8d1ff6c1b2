//! What the gateway of this process remembers, so that one thing is not written to the database again and again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::base::id::McpServerId;
use domain::model::server::gateway::call::CallerKey;

/// How often news of one thing of a server, such as one tool, are written: a server whose definitions change with each
/// answer must not fill the audit log.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most things whose news are remembered.
const MOST_NEWS: usize = 8192;

/// The most first uses of destructive tools that are remembered.
const MOST_USES: usize = 8192;

/// When news of each server were written last.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewsTimes(Arc<Mutex<HashMap<(McpServerId, String), Timestamp>>>);

/// Who used which destructive tool: they are in the database already.
#[derive(Debug, Clone, Default)]
pub(crate) struct DestructiveUses(Arc<Mutex<HashSet<(McpServerId, CallerKey, String)>>>);

impl DestructiveUses {
    /// Whether the use may be the first one. It then counts as known.
    pub(super) fn begin(&self, server: &McpServerId, caller: CallerKey, tool: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_USES {
            known.clear();
        }
        known.insert((server.clone(), caller, tool.to_owned()))
    }

    /// The use could not be written: the next one may be the first one.
    pub(super) fn failed(&self, server: &McpServerId, caller: CallerKey, tool: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(server.clone(), caller, tool.to_owned()));
    }
}

impl NewsTimes {
    /// Whether news of this thing may be written now. They then count as written.
    pub(super) fn begin(&self, server: &McpServerId, thing: &str, now: Timestamp) -> bool {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= MOST_NEWS {
            times.retain(|_, last| last.is_recent(now, INTERVAL));
        }
        let key = (server.clone(), thing.to_owned());
        if times.len() >= MOST_NEWS || times.get(&key).is_some_and(|last| last.is_recent(now, INTERVAL)) {
            return false;
        }
        times.insert(key, now);
        true
    }

    /// News of this thing could not be written: they may be tried again at once.
    pub(super) fn failed(&self, server: &McpServerId, thing: &str) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.remove(&(server.clone(), thing.to_owned()));
    }
}
