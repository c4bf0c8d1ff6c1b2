//! The audit log: append-only and hash-chained. An entry is written in the transaction of the change that it records.
//!
//! The MAC of an entry covers all of its columns and the MAC of the entry before. The key of the MAC is not in the
//! database in clear. If an attacker without that key edits, removes or reorders rows, the chain breaks at the first
//! changed row. To find out whether the last entries were removed, compare with two values: the head row, and the head
//! in the program's log. The program logs the head at every event, at the start and every hour. Exchanges are not in
//! the audit log: they are in the ledger.

pub(crate) mod verify;

use crate::base::id::{PersonId, TeamId};
use crate::model::audit::{AuditEntry, Filter};
use crate::model::person::authority::Authority;
use crate::prelude::{Context, Result};
use crate::store;

pub use verify::{Verdict, verify};

/// Logs the head of the chain. So this log also covers entries that other programs appended, such as the command line.
pub async fn log_head(context: &Context) -> Result<()> {
    let (seq, head) = store::audit::head(&context.store).await?;
    tracing::info!(seq, head, "audit head");
    Ok(())
}

/// Entries that `authority` sees, newest first, at most `limit`. A person sees what happened to their teams, and to
/// credentials while their teams owned them. They also see what they did themselves, and what happened to them and to
/// the apps and tokens that act for them.
pub async fn list(context: &Context, authority: &Authority, filter: &Filter, limit: u16) -> Result<Vec<AuditEntry>> {
    // One statement for each reader, so that each uses its index.
    let mut entries = Vec::new();
    for reader in readers(authority) {
        entries.extend(store::audit::list(&context.store, reader, filter, i64::from(limit)).await?);
    }
    Ok(newest(entries, limit))
}

/// The newest entries about one target, as far as `authority` sees them in [`list`]. Who sees a credential does not see
/// all of its entries: another team may have owned it before.
pub async fn of_target(
    context: &Context,
    authority: &Authority,
    target_id: &str,
    limit: u16,
) -> Result<Vec<AuditEntry>> {
    let mut entries = Vec::new();
    for reader in readers(authority) {
        entries.extend(store::audit::of_target(&context.store, reader, target_id, i64::from(limit)).await?);
    }
    Ok(newest(entries, limit))
}

/// The readers whose entries `authority` sees; one that is `None` stands for all entries.
fn readers(authority: &Authority) -> Vec<Option<&str>> {
    match authority {
        Authority::Everything => vec![None],
        Authority::Person { id, roles } => roles.keys().map(TeamId::as_str).chain([id.as_str()]).map(Some).collect(),
        Authority::Team(team) => vec![Some(team.as_str())],
    }
}

/// The newest of the entries that several readers see. An entry that more than one of them sees is there once.
fn newest(mut entries: Vec<AuditEntry>, limit: u16) -> Vec<AuditEntry> {
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    entries.dedup_by_key(|entry| entry.seq);
    entries.truncate(usize::from(limit));
    entries
}

/// The newest entries of what a person did, and of what happened to them. The caller has checked that the actor is an
/// administrator: other people see only a part of these entries.
pub async fn of_person(context: &Context, id: &PersonId, limit: u16) -> Result<Vec<AuditEntry>> {
    let filter = Filter::default();
    Ok(store::audit::list(&context.store, Some(id.as_str()), &filter, i64::from(limit)).await?)
}

/// The entry numbered `seq`.
pub async fn find(context: &Context, seq: i64) -> Result<Option<AuditEntry>> {
    Ok(store::audit::find(&context.store, seq).await?)
}

/// Entries with a number above `after`, oldest first, at most `limit`. Exports read the log in this way.
pub async fn walk(context: &Context, after: i64, limit: u16) -> Result<Vec<AuditEntry>> {
    Ok(store::audit::walk(&context.store, after, i64::from(limit)).await?)
}
