//! The audit log: append-only, hash-chained, written in the transaction of the change it records.
//!
//! Each entry's MAC covers all of its columns and the MAC of the entry before, under a key that is not in the
//! database in clear. Whoever edits, removes or reorders rows without that key breaks the chain at the first row
//! they touched; a cut-off tail shows against the head row, and against the head that the log prints with every
//! event, at its start and every hour. Exchanges are not here: they are in the ledger.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::{PersonId, TeamId};
use crate::keys::MacKey;
use crate::store::{self, Store, StoreError, Transaction};

/// What happened, before it is written.
#[derive(Debug, Clone)]
pub struct Event {
    action: &'static str,
    target_kind: &'static str,
    target_id: String,
    target_name: String,
    details: Value,
    also_seen_by: Option<TeamId>,
    person: Option<PersonId>,
}

impl Event {
    /// An event: `action` in the form `credential.revoked`, its target, no details.
    pub fn new(action: &'static str, target_kind: &'static str, target_id: &str, target_name: &str) -> Self {
        Self {
            action,
            target_kind,
            target_id: target_id.to_owned(),
            target_name: target_name.to_owned(),
            details: json!({}),
            also_seen_by: None,
            person: None,
        }
    }

    /// The same event, seen by a team besides the one that owns its target now.
    pub fn also_seen_by(mut self, team: &TeamId) -> Self {
        self.also_seen_by = Some(team.clone());
        self
    }

    /// The same event, seen by the person for whom its target acts: who did it may have been somebody else.
    pub fn about(mut self, person: &PersonId) -> Self {
        self.person = Some(person.clone());
        self
    }

    /// The same event with details: an object, values before and after for an edit. Never a secret.
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// Every action that is recorded, for the filter of the activity page.
pub const ACTIONS: [&str; 68] = [
    "person.created",
    "person.renamed",
    "person.password_changed",
    "person.openid_connected",
    "person.openid_disconnected",
    "person.disabled",
    "person.enabled",
    "person.administrator_changed",
    "second_factor.added",
    "second_factor.removed",
    "recovery_code.used",
    "recovery_codes.replaced",
    "passkey.added",
    "passkey.removed",
    "team.created",
    "team.renamed",
    "team.removed",
    "team.role_changed",
    "invitation.created",
    "invitation.accepted",
    "invitation.withdrawn",
    "session.started",
    "session.refused",
    "session.second_step_asked",
    "session.ended",
    "credential.generated",
    "credential.imported",
    "credential.edited",
    "credential.key_added",
    "credential.key_removed",
    "credential.identity_added",
    "credential.identity_removed",
    "credential.rotation_started",
    "credential.rotation_extended",
    "credential.rotation_finished",
    "credential.rotation_cancelled",
    "credential.leaked",
    "credential.disabled",
    "credential.enabled",
    "credential.revoked",
    "credential.expiring",
    "credential.retired_secret_tried",
    "token.revoked",
    "signing_key.rotated",
    "master_key.replaced",
    "instance.restored",
    "emergency.stopped",
    "emergency.undone",
    "mcp_server.added",
    "mcp_server.moved",
    "webhook.added",
    "webhook.edited",
    "webhook.paused",
    "webhook.resumed",
    "webhook.secret_replaced",
    "webhook.removed",
    "client.added",
    "client.changed",
    "client.secret_ended",
    "client.secret_replaced",
    "client.removed",
    "clients.pruned",
    "grant.allowed",
    "grant.denied",
    "grant.ended",
    "personal_token.generated",
    "personal_token.revoked",
    "leak.reported",
];

/// One written entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// `person`, `credential`, `command_line`, `setup_link` or `system`.
    pub actor_kind: String,
    /// The actor's identifier, may be empty.
    pub actor_id: String,
    /// The actor's name at that time.
    pub actor_name: String,
    /// What was done: one of [`ACTIONS`].
    pub action: String,
    /// What kind of thing it was done to.
    pub target_kind: String,
    /// The target's identifier.
    pub target_id: String,
    /// The target's name at that time.
    pub target_name: String,
    /// Where the actor acted from.
    pub address: Option<String>,
    /// With which user agent.
    pub agent: Option<String>,
    /// A JSON object.
    pub details: String,
    /// The MAC of the entry before.
    pub previous: String,
    /// The MAC of this entry.
    pub mac: String,
}

impl Entry {
    fn expected_mac(&self, key: &MacKey) -> String {
        key.mac_parts(&[
            &self.seq.to_string(),
            &self.at.millis().to_string(),
            &self.actor_kind,
            &self.actor_id,
            &self.actor_name,
            &self.action,
            &self.target_kind,
            &self.target_id,
            &self.target_name,
            // An absent value and an empty one are different entries.
            self.address.as_deref().unwrap_or("\0"),
            self.agent.as_deref().unwrap_or("\0"),
            &self.details,
            &self.previous,
        ])
    }
}

/// Logs a committed entry. The chain's head in the log, outside the database, is what exposes a tail that was cut off.
pub(crate) fn log(entry: &Entry) {
    tracing::info!(
        seq = entry.seq,
        head = %entry.mac,
        actor = %entry.actor_name,
        action = %entry.action,
        target = %entry.target_id,
        "audit"
    );
}

/// Logs the head of the chain: what other programs appended, the command line among them, is then in this log too.
pub async fn log_head(context: &Context) -> Result<(), Fault> {
    let (seq, head) = store::audit::head(&context.store).await?;
    tracing::info!(seq, head, "audit head");
    Ok(())
}

/// Appends `event` inside `transaction`.
pub(crate) async fn append(
    context: &Context,
    transaction: &mut Transaction,
    actor: &Actor,
    event: &Event,
    at: Timestamp,
) -> Result<Entry, StoreError> {
    let (seq, previous) = store::audit::head_in(transaction).await?;
    let mut entry = Entry {
        seq: seq + 1,
        at,
        actor_kind: actor.kind().to_owned(),
        actor_id: actor.id().to_owned(),
        actor_name: actor.name().to_owned(),
        action: event.action.to_owned(),
        target_kind: event.target_kind.to_owned(),
        target_id: event.target_id.clone(),
        target_name: event.target_name.clone(),
        address: actor.address().map(|address| address.to_string()),
        agent: actor.agent().map(str::to_owned),
        details: event.details.to_string(),
        previous,
        mac: String::new(),
    };
    entry.mac = entry.expected_mac(&context.keys.audit);
    store::audit::append(transaction, &entry).await?;
    let also = [event.also_seen_by.as_ref().map(TeamId::as_str), event.person.as_ref().map(PersonId::as_str)];
    store::audit::add_readers(transaction, &entry, also).await?;
    Ok(entry)
}

/// Which entries to list. Empty: all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of the actor's name, or its identifier.
    pub actor: Option<String>,
    /// The action, exactly.
    pub action: Option<String>,
    /// Part of the target's name, or its identifier.
    pub target: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Not after this moment.
    pub until: Option<Timestamp>,
    /// Only entries with a smaller number: the next page.
    pub before: Option<i64>,
}

/// Entries newest first, at most `limit`, as far as `authority` sees them: what happened to credentials while its teams owned
/// them and to the teams, what the person did, and what happened to them and to what acts for them.
pub async fn list(context: &Context, authority: &Authority, filter: &Filter, limit: u16) -> Result<Vec<Entry>, Fault> {
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
    entries.sort_by_key(|entry: &Entry| std::cmp::Reverse(entry.seq));
    entries.dedup_by_key(|entry| entry.seq);
    entries.truncate(usize::from(limit));
    Ok(entries)
}

/// The newest entries about one thing, for those who see the thing.
pub async fn of_target(context: &Context, target_id: &str, limit: u16) -> Result<Vec<Entry>, Fault> {
    Ok(store::audit::of_target(&context.store, target_id, i64::from(limit)).await?)
}

/// The entry numbered `seq`.
pub async fn find(context: &Context, seq: i64) -> Result<Option<Entry>, Fault> {
    Ok(store::audit::find(&context.store, seq).await?)
}

/// Entries oldest first with a number above `after`, at most `limit`: what an export walks through.
pub async fn walk(context: &Context, after: i64, limit: u16) -> Result<Vec<Entry>, Fault> {
    Ok(store::audit::walk(&context.store, after, i64::from(limit)).await?)
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is as it was written; this many.
    Intact {
        /// How many entries there are.
        entries: i64,
    },
    /// The first entry that is not.
    Broken {
        /// Number of the entry that is missing, changed or out of place.
        seq: i64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Recomputes the whole chain.
pub async fn verify(context: &Context) -> Result<Verdict, Fault> {
    verify_chain(&context.store, &context.keys.audit).await
}

/// Recomputes the chain of a database that need not be the instance's own.
pub(crate) async fn verify_chain(store: &Store, key: &MacKey) -> Result<Verdict, Fault> {
    const PAGE: i64 = 1000;
    // The head first: entries appended while we walk are beyond it and no contradiction.
    let (head_seq, head_mac) = store::audit::head(store).await?;
    let (mut expected_seq, mut previous) = (1, String::new());
    loop {
        let entries = store::audit::walk(store, expected_seq - 1, PAGE).await?;
        for entry in &entries {
            let broken = |reason| Verdict::Broken { seq: expected_seq, reason };
            if entry.seq != expected_seq {
                return Ok(broken("it is missing"));
            }
            if entry.previous != previous {
                return Ok(broken("it does not follow the entry before it"));
            }
            if entry.expected_mac(key) != entry.mac {
                return Ok(broken("it was changed"));
            }
            if entry.seq == head_seq && entry.mac != head_mac {
                return Ok(broken("it is not the newest entry that was written"));
            }
            previous.clone_from(&entry.mac);
            expected_seq += 1;
        }
        if entries.len() < PAGE as usize {
            break;
        }
    }
    if expected_seq <= head_seq {
        return Ok(Verdict::Broken { seq: expected_seq, reason: "it is missing" });
    }
    Ok(Verdict::Intact { entries: expected_seq - 1 })
}
