//! Appends to the audit log, inside the transaction of the change that an entry records.

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::crypto::keys::MacKey;
use crate::model::actor::Actor;
use crate::model::audit::{AuditEntry, Event};
use crate::store::{self, StoreError, Transaction};

/// Logs a committed entry. The log is outside the database. So the head of the chain in the log shows if an attacker
/// cut off the end of the audit log.
pub(crate) fn note(entry: &AuditEntry) {
    tracing::info!(
        seq = entry.seq,
        head = %entry.mac,
        actor = ?entry.actor_name,
        action = %entry.action,
        target_id = ?entry.target_id,
        "audit"
    );
}

/// Appends `event` inside `transaction`.
pub(crate) async fn append(
    key: &MacKey,
    transaction: &mut Transaction,
    actor: &Actor,
    event: &Event,
    at: Timestamp,
) -> Result<AuditEntry, StoreError> {
    let (seq, previous) = store::audit::head_in(transaction).await?;
    let mut entry = AuditEntry {
        seq: seq + 1,
        at,
        actor_kind: actor.kind().to_owned(),
        actor_id: actor.id().to_owned(),
        actor_name: actor.name().to_owned(),
        action: event.action.as_str().to_owned(),
        target_kind: event.target.as_str().to_owned(),
        target_id: event.target_id.clone(),
        target_name: event.target_name.clone(),
        address: actor.address().map(|address| address.to_string()),
        agent: actor.agent().map(str::to_owned),
        details: event.details.to_string(),
        previous,
        mac: String::new(),
    };
    entry.mac = entry.expected_mac(key);
    store::audit::append(transaction, &entry).await?;
    let also = [event.also_seen_by.as_ref().map(TeamId::as_str), event.person.as_ref().map(PersonId::as_str)];
    store::audit::add_readers(transaction, &entry, also).await?;
    Ok(entry)
}
