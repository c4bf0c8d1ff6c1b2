//! Removal of unused clients. Every client that registers itself leaves an entry, and most of them never come back.

use std::time::Duration;

use serde_json::json;

use crate::prelude::{Action, Actor, Context, Event, Fault, Timestamp};
use crate::store::client::{self, Unused};

/// A client that no person ever allowed anything is kept this long after it was first seen.
pub const NEVER_USED: Duration = Duration::from_secs(7 * 24 * 3600);
/// A client that was used is kept this long after its last token, and until the record of its consents is gone.
pub const IDLE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How many unused clients are kept while they wait for their first use. When there are more, the next run removes the
/// oldest ones, because registering costs nothing.
const MOST_NEVER_USED: u32 = 10_000;
/// How many clients one transaction removes.
const BATCH_SIZE: usize = 500;
/// How many names an audit entry holds.
const MOST_NAMES: usize = 20;

/// Removes clients that registered themselves or have a document, were idle for too long, and have no consents. Clients
/// that administrators added stay. Returns how many were removed. `now` is a time that surely is not ahead.
pub(crate) async fn run(context: &Context, now: Timestamp) -> Result<usize, Fault> {
    let crowded = client::crowded_out(&context.store, i64::from(MOST_NEVER_USED)).await?;
    let never_used_before = now.minus(NEVER_USED).max(crowded.unwrap_or(now.minus(NEVER_USED)));
    let unused = Unused { never_used_before, idle_since: now.minus(IDLE) };
    let mut total = 0;
    loop {
        let mut change = context.begin_change().await?;
        let removed = client::delete_unused(&mut change, &unused, BATCH_SIZE as i64).await?;
        if removed.is_empty() {
            return Ok(total);
        }
        total += removed.len();
        let names: Vec<&String> = removed.iter().take(MOST_NAMES).collect();
        let event = Event::of_instance(Action::ClientsPruned)
            .with(json!({ "clients": removed.len(), "names": names, "crowded_out": crowded.is_some() }));
        change.commit(&Actor::system(), &event).await?;
        if removed.len() < BATCH_SIZE {
            return Ok(total);
        }
    }
}
