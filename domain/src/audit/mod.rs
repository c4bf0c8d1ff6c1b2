//! The audit log: append-only, hash-chained, written in the transaction of the change it records.
//!
//! Each entry's MAC covers all of its columns and the MAC of the entry before, under a key that is not in the
//! database in clear. Whoever edits, removes or reorders rows without that key breaks the chain at the first row
//! they touched; a cut-off tail shows against the head row, and against the head that the log prints with every
//! event, at its start and every hour. Exchanges are not here: they are in the ledger.

pub(crate) mod verify;

use crate::base::id::TeamId;
use crate::context::Context;
use crate::error::Fault;
use crate::model::audit::{AuditEntry, Filter};
use crate::model::person::authority::Authority;
use crate::store;

pub use verify::{Verdict, verify};

/// Logs the head of the chain: what other programs appended, the command line among them, is then in this log too.
pub async fn log_head(context: &Context) -> Result<(), Fault> {
    let (seq, head) = store::audit::head(&context.store).await?;
    tracing::info!(seq, head, "audit head");
    Ok(())
}

/// Entries newest first, at most `limit`, as far as `authority` sees them: what happened to credentials while its teams
/// owned them and to the teams, what the person did, and what happened to them and to what acts for them.
pub async fn list(
    context: &Context,
    authority: &Authority,
    filter: &Filter,
    limit: u16,
) -> Result<Vec<AuditEntry>, Fault> {
    let readers = match authority {
        Authority::Everything => return Ok(store::audit::list(&context.store, None, filter, i64::from(limit)).await?),
        Authority::Person { id, roles } => {
            roles.keys().map(TeamId::as_str).chain([id.as_str()]).map(str::to_owned).collect()
        }
        Authority::Team(team) => vec![team.as_str().to_owned()],
    };
    // One statement a reader, each along its index; an entry that several of them see is one entry.
    let mut entries = Vec::new();
    for reader in &readers {
        entries.extend(store::audit::list(&context.store, Some(reader), filter, i64::from(limit)).await?);
    }
    entries.sort_by_key(|entry: &AuditEntry| std::cmp::Reverse(entry.seq));
    entries.dedup_by_key(|entry| entry.seq);
    entries.truncate(usize::from(limit));
    Ok(entries)
}

/// The newest entries about one thing, for those who see the thing.
pub async fn of_target(context: &Context, target_id: &str, limit: u16) -> Result<Vec<AuditEntry>, Fault> {
    Ok(store::audit::of_target(&context.store, target_id, i64::from(limit)).await?)
}

/// The entry numbered `seq`.
pub async fn find(context: &Context, seq: i64) -> Result<Option<AuditEntry>, Fault> {
    Ok(store::audit::find(&context.store, seq).await?)
}

/// Entries oldest first with a number above `after`, at most `limit`: what an export walks through.
pub async fn walk(context: &Context, after: i64, limit: u16) -> Result<Vec<AuditEntry>, Fault> {
    Ok(store::audit::walk(&context.store, after, i64::from(limit)).await?)
}
