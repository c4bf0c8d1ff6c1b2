//! Removal of rows that no decision can need any more. No rule depends on it: each expiry is checked against the clock
//! where it is used.

use std::time::Duration;

use crate::client::prune;
use crate::model::operations::Retention;
use crate::prelude::{Context, Fault};
use crate::store;

const DAY: Duration = Duration::from_secs(24 * 3600);

const RETENTION: Retention = Retention {
    ledger: Duration::from_secs(90 * 24 * 3600),
    sessions: DAY,
    invitations: Duration::from_secs(90 * 24 * 3600),
    hours: Duration::from_secs(400 * 24 * 3600),
    traces: DAY,
    known_networks: Duration::from_secs(90 * 24 * 3600),
    // Longer than the earliest announcement of an end: an alert that is forgotten would be written again.
    alerts: Duration::from_secs(30 * 24 * 3600),
};

/// How many counts of repeated events one transaction turns into entries of the audit log.
const REPEATS_AT_A_TIME: usize = 100;

/// Removes rows that are older than their retention time, and writes what was counted for the audit log.
pub async fn run(context: &Context) -> Result<(), Fault> {
    store::operations::housekeeping::run(&context.store, context.now(), &RETENTION).await?;
    while context.begin_change().await?.write_repeats(REPEATS_AT_A_TIME).await? {}
    let removed = prune::run(context).await?;
    if removed > 0 {
        tracing::info!(removed, "clients that nobody used were removed");
    }
    Ok(())
}
