//! Removal of rows that no decision can need any more. No rule depends on it: each expiry is checked against the clock
//! where it is used.

use std::time::Duration;

use crate::client::prune;
use crate::model::operations::Retention;
use crate::operations::policy;
use crate::prelude::{Context, Fault, Timestamp};
use crate::store;

const DAY: Duration = Duration::from_secs(24 * 3600);

const RETENTION: Retention = Retention {
    ledger: Duration::from_secs(90 * 24 * 3600),
    sessions: DAY,
    invitations: Duration::from_secs(90 * 24 * 3600),
    hours: Duration::from_secs(400 * 24 * 3600),
    calls: Duration::from_secs(90 * 24 * 3600),
    traces: DAY,
    known_networks: Duration::from_secs(90 * 24 * 3600),
    // Longer than the earliest announcement of an end: an alert that is forgotten would be written again.
    alerts: Duration::from_secs(30 * 24 * 3600),
};

/// How many counts of repeated events one transaction turns into entries of the audit log.
const REPEATS_AT_A_TIME: usize = 100;

/// How long the server waits between two runs.
pub const INTERVAL: Duration = Duration::from_secs(3600);

/// Housekeeping of one server.
///
/// A clock that jumps ahead must not make it remove what is needed after the clock was set back: the record of a used
/// assertion, without which the assertion could be used again, or the ledger. So a run believes the clock only as far
/// as the run before explains it: no later than [`INTERVAL`] after that run. The first run removes nothing.
#[derive(Debug, Default)]
pub struct Housekeeping {
    /// The time of the run before.
    before: Option<Timestamp>,
}

impl Housekeeping {
    /// Removes rows that are older than their retention time, and writes what was counted for the audit log.
    pub async fn run(&mut self, context: &Context) -> Result<(), Fault> {
        let now = context.now();
        let sure = self.before.replace(now).map(|before| now.min(before.plus(INTERVAL)));
        while context.begin_change().await?.write_repeats(REPEATS_AT_A_TIME).await? {}
        let Some(sure) = sure else { return Ok(()) };
        let disabled = policy::disable_unconfirmed(context, sure).await?;
        if disabled > 0 {
            tracing::info!(disabled, "credentials that nobody confirmed were disabled");
        }
        store::operations::housekeeping::run(&context.store, sure, &RETENTION).await?;
        let removed = prune::run(context, sure).await?;
        if removed > 0 {
            tracing::info!(removed, "clients that nobody used were removed");
        }
        Ok(())
    }
}
