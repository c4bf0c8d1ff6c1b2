//! Entries of the audit log: what happened, before and after it is written.

use serde_json::{Value, json};

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::crypto::keys::MacKey;

/// What happened, before it is written.
#[derive(Debug, Clone)]
pub struct Event {
    pub(crate) action: &'static str,
    pub(crate) target_kind: &'static str,
    pub(crate) target_id: String,
    pub(crate) target_name: String,
    pub(crate) details: Value,
    pub(crate) also_seen_by: Option<TeamId>,
    pub(crate) person: Option<PersonId>,
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
    pub(crate) fn expected_mac(&self, key: &MacKey) -> String {
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
