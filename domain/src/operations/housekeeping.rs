//! Removal of rows that no decision can need any more. Nothing depends on it: whatever ends by time is checked against
//! the clock where it is used.

use std::time::Duration;

use crate::client::prune;
use crate::context::Context;
use crate::error::Fault;
use crate::model::operations::Retention;
use crate::store;

const DAY: Duration = Duration::from_secs(24 * 3600);

const RETENTION: Retention = Retention {
    ledger: Duration::from_secs(90 * 24 * 3600),
    sessions: DAY,
    invitations: Duration::from_secs(90 * 24 * 3600),
    hours: Duration::from_secs(400 * 24 * 3600),
    traces: DAY,
    // Longer than an end is announced ahead: an alert that is forgotten is written again.
    alerts: Duration::from_secs(30 * 24 * 3600),
};

/// Removes what is older than its retention.
pub async fn run(context: &Context) -> Result<(), Fault> {
    store::operations::housekeeping::run(&context.store, context.now(), &RETENTION).await?;
    let removed = prune::run(context).await?;
    if removed > 0 {
        tracing::info!(removed, "clients that nobody used were removed");
    }
    Ok(())
}
