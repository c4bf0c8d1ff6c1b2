//! Changes: transactions that commit together with their audit entries.

mod incidents;

use std::ops::{Deref, DerefMut};

use crate::base::clock::Timestamp;
use crate::base::network::network_of;
use crate::context::Context;
use crate::error::Fault;
use crate::model::actor::{Actor, ActorProof};
use crate::model::audit::{AuditEntry, Event, RepeatedEvent};
use crate::services::audit_log;
use crate::store::{self, On, StatementConnection, StoreError, Transaction};

/// A transaction that is committed together with its audit event. When it is dropped, it is rolled back.
///
/// The session or token of the actor must live in the transaction. A change asks for that before it commits, so no
/// operation can forget it. An operation that may end the actor's own session asks at its beginning, by
/// [`Change::require_live`] or `Change::authority`.
pub struct Change<'context> {
    context: &'context Context,
    transaction: Transaction,
    /// The session or token that was found alive in this transaction.
    live: Option<ActorProof>,
    /// Entries that were appended before the commit.
    entries: Vec<AuditEntry>,
}

impl Context {
    /// Begins a change. See [`Change`].
    pub(crate) async fn begin_change(&self) -> Result<Change<'_>, StoreError> {
        Ok(Change { context: self, transaction: self.store.begin().await?, live: None, entries: Vec::new() })
    }
}

/// The transaction, for the statements of the change.
impl Deref for Change<'_> {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        &self.transaction
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Transaction {
        &mut self.transaction
    }
}

impl<'on> On<'on> for &'on mut Change<'_> {
    fn connection(self) -> StatementConnection<'on> {
        (&mut self.transaction).connection()
    }
}

impl<'context> Change<'context> {
    /// The context in which the change began.
    pub(crate) fn context(&self) -> &'context Context {
        self.context
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// Requires that the session or token with which the actor acts lives at this point of the transaction. A later
    /// call asks the database no more: the change itself may end that session.
    ///
    /// # Errors
    ///
    /// [`Fault::ActorEnded`] when the session or token has ended.
    pub(crate) async fn require_live(&mut self, actor: &Actor) -> Result<(), Fault> {
        let Some(proof) = actor.proof().filter(|proof| self.live.as_ref() != Some(proof)) else { return Ok(()) };
        if !store::person::proof::is_live(&mut self.transaction, actor, proof, self.context.now()).await? {
            return Err(Fault::ActorEnded);
        }
        self.live = Some(proof.clone());
        Ok(())
    }

    /// Writes the event and commits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::commit_all`].
    pub(crate) async fn commit(self, actor: &Actor, event: &Event) -> Result<(), Fault> {
        self.commit_all(actor, std::slice::from_ref(event)).await.map(drop)
    }

    /// Commits a change of several things, with one event each: all of them or none. Returns the numbers of the events
    /// in the audit log. Incidents that the change contains or opens again get further events.
    ///
    /// # Errors
    ///
    /// Those of [`Self::require_live`], or a fault of the database; nothing was changed.
    pub(crate) async fn commit_all(mut self, actor: &Actor, events: &[Event]) -> Result<Vec<i64>, Fault> {
        self.require_live(actor).await?;
        let now = self.context.now();
        let before = self.entries.len();
        let key = &self.context.keys.audit;
        for event in events {
            self.entries.push(audit_log::append(key, &mut self.transaction, actor, event, now).await?);
        }
        let after = self.entries.len();
        if events.iter().any(Event::may_settle_incidents) {
            self.append_settled(actor).await?;
        }
        self.transaction.commit().await?;
        self.entries.iter().for_each(audit_log::note);
        Ok(self.entries[before..after].iter().map(|entry| entry.seq).collect())
    }

    /// Brings the states of incidents up to date, and commits: time contained them, no change did.
    pub(crate) async fn settle_incidents(mut self, actor: &Actor) -> Result<(), Fault> {
        self.append_settled(actor).await?;
        self.commit_all(actor, &[]).await.map(drop)
    }

    /// Appends an event for each incident whose state follows from this transaction.
    async fn append_settled(&mut self, actor: &Actor) -> Result<(), StoreError> {
        let now = self.now();
        for event in incidents::settle(&mut self.transaction, now).await? {
            let key = &self.context.keys.audit;
            self.entries.push(audit_log::append(key, &mut self.transaction, actor, &event, now).await?);
        }
        Ok(())
    }

    /// Writes an event that a stranger can cause as often as they like, and commits. The first one within an hour is in
    /// the audit log at once. The others of that hour are counted, and the log gets one entry that says how many they
    /// were: when the next hour brings another, or by housekeeping ([`write_repeats`](Self::write_repeats)).
    ///
    /// Events are the same when `repeats`, as which they are counted, is the same, and they came from one network. The
    /// log is a chain and no entry of it may change. So the count stands in another table, which is lost or edited
    /// without a trace. An entry for each event was the rejected alternative: strangers filled the log for good.
    ///
    /// A count of a later hour is over too: a clock that was ahead began it. It must not silence the events.
    pub(crate) async fn commit_folded(mut self, actor: &Actor, event: &Event, repeats: &Event) -> Result<(), Fault> {
        let repeated = RepeatedEvent::new(repeats, actor.address().map(network_of));
        let hour = self.now().hour();
        match store::audit::repeats(&mut self, &repeated).await? {
            // The next hour: the clock of another server may be ahead. A clock that was wrong wrote any later hour.
            Some((counted, _)) if (hour..=hour + 1).contains(&counted) => {
                store::audit::count_repeat(&mut self, &repeated).await?;
                return Ok(self.transaction.commit().await?);
            }
            Some((counted, repeats)) => self.append_repeats(&repeated, counted, repeats).await?,
            None => {}
        }
        store::audit::begin_repeats(&mut self, &repeated, hour).await?;
        self.commit(actor, event).await
    }

    /// Writes the entries about repeated events of hours that are over, at most `limit`, and commits. Returns whether
    /// there may be more.
    pub(crate) async fn write_repeats(mut self, limit: usize) -> Result<bool, Fault> {
        let hour = self.now().hour();
        let due = store::audit::due_repeats(&mut self, hour, limit as i64).await?;
        let more = due.len() == limit;
        for (event, counted, repeats) in due {
            self.append_repeats(&event, counted, repeats).await?;
            store::audit::forget_repeats(&mut self, &event).await?;
        }
        self.commit_all(&Actor::system(), &[]).await?;
        Ok(more)
    }

    /// Appends the entry that says how often an event was repeated within an hour.
    async fn append_repeats(&mut self, event: &RepeatedEvent, hour: i64, repeats: i64) -> Result<(), StoreError> {
        let Some(event) = event.summary(hour, repeats).filter(|_| repeats > 0) else { return Ok(()) };
        let now = self.now();
        let key = &self.context.keys.audit;
        let entry = audit_log::append(key, &mut self.transaction, &Actor::system(), &event, now).await?;
        self.entries.push(entry);
        Ok(())
    }

    /// Commits without an event. This is for changes that are recorded elsewhere, because they would make the audit log
    /// too large: an exchange of a client that acts for people stands in `consent_tokens`.
    pub(crate) async fn commit_without_event(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}
