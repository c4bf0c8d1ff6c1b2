//! Changes: transactions that commit together with their audit entries.

use crate::base::clock::Timestamp;
use crate::context::Context;
use crate::model::actor::Actor;
use crate::model::audit::Event;
use crate::services::audit_log;
use crate::store::{StoreError, Transaction};

/// A transaction that is committed together with its audit event. When it is dropped, it is rolled back.
pub struct Change<'context> {
    context: &'context Context,
    transaction: Transaction,
}

impl Context {
    /// Begins a change. See [`Change`].
    pub async fn begin_change(&self) -> Result<Change<'_>, StoreError> {
        Ok(Change { context: self, transaction: self.store.begin().await? })
    }
}

impl Change<'_> {
    /// The transaction, for the statements of the change.
    pub(crate) fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// Writes the event, commits, and returns the event's number in the audit log.
    pub(crate) async fn commit(self, actor: &Actor, event: &Event) -> Result<i64, StoreError> {
        let numbers = self.commit_all(actor, std::slice::from_ref(event)).await?;
        Ok(numbers.last().copied().unwrap_or_default())
    }

    /// Commits a change of several things, with one event each: all of them or none.
    pub(crate) async fn commit_all(mut self, actor: &Actor, events: &[Event]) -> Result<Vec<i64>, StoreError> {
        let now = self.context.now();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            entries.push(audit_log::append(&self.context.keys.audit, &mut self.transaction, actor, event, now).await?);
        }
        self.transaction.commit().await?;
        entries.iter().for_each(audit_log::note);
        Ok(entries.iter().map(|entry| entry.seq).collect())
    }

    /// Commits without an event. This is for changes that are recorded elsewhere, because the audit log would not hold
    /// so many: an exchange of a client that acts for people stands in `consent_tokens`.
    pub(crate) async fn commit_without_event(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}
