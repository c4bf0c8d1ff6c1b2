//! Entries of the audit log, before and after they are written.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, TeamId};
use crate::base::word_enum::word_enum;
use crate::crypto::keys::MacKey;
use crate::model::client::AppClient;
use crate::model::client::personal_token::PersonalToken;
use crate::model::credential::Credential;
use crate::model::person::Person;
use crate::model::person::team::Team;
use crate::model::server::McpServer;
use crate::model::webhook::Webhook;

/// What happened, before it is written.
#[derive(Debug, Clone)]
pub struct Event {
    pub(crate) action: Action,
    pub(crate) target: Target,
    pub(crate) target_id: String,
    pub(crate) target_name: String,
    pub(crate) details: Value,
    pub(crate) also_seen_by: Option<TeamId>,
    pub(crate) person: Option<PersonId>,
}

impl Event {
    /// An event without details.
    pub fn new(action: Action, target: Target, target_id: &str, target_name: &str) -> Self {
        Self {
            action,
            target,
            target_id: target_id.to_owned(),
            target_name: target_name.to_owned(),
            details: json!({}),
            also_seen_by: None,
            person: None,
        }
    }

    /// An event about Countersign itself, without details.
    pub(crate) fn of_instance(action: Action) -> Self {
        Self::new(action, Target::Instance, "", "")
    }

    /// The same event, also shown to this team, besides the team that owns the target now.
    pub(crate) fn also_seen_by(mut self, team: &TeamId) -> Self {
        self.also_seen_by = Some(team.clone());
        self
    }

    /// The same event, also shown to the person for whom its target acts. Another person may have made the change.
    pub fn about(mut self, person: &PersonId) -> Self {
        self.person = Some(person.clone());
        self
    }

    /// Whether the change of it may end something that leaked, or make it work again.
    pub(crate) fn may_settle_incidents(&self) -> bool {
        use Target::{Client, Consent, Credential, Incident, Instance, Person, PersonalToken};
        matches!(self.target, Client | Consent | Credential | Incident | Instance | Person | PersonalToken)
    }

    /// The same event with details: a JSON object. For an edit it holds the values before and after. Never a secret.
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// The same event with these members of a JSON object as further details.
    pub(crate) fn and(mut self, more: Value) -> Self {
        if let (Value::Object(details), Value::Object(more)) = (&mut self.details, more) {
            details.extend(more);
        }
        self
    }
}

/// Events that count as one when they repeat, as it is stored: a JSON list of what they have in common.
pub(crate) struct RepeatedEvent(String);

impl RepeatedEvent {
    /// Events like `event` from `network`.
    pub(crate) fn new(event: &Event, network: Option<String>) -> Self {
        let Event { action, target, target_id, target_name, details, .. } = event;
        Self(json!([action.as_str(), target.as_str(), target_id, target_name, details, network]).to_string())
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The event that says how often these were repeated in the hour that began `hour` hours after the Unix epoch.
    /// `None` for the action of another build.
    pub(crate) fn summary(&self, hour: i64, repeats: i64) -> Option<Event> {
        type Stored = (String, String, String, String, Value, Option<String>);
        let (action, target, id, name, mut details, network) = serde_json::from_str::<Stored>(&self.0).ok()?;
        details["repeats"] = json!(repeats);
        details["within_the_hour_from"] = json!(Timestamp::from_millis(hour * 3_600_000).rfc3339());
        details["network"] = json!(network);
        Some(Event::new(Action::parse(&action)?, Target::parse(&target)?, &id, &name).with(details))
    }
}

/// What an edit changes: the values before and after, by field.
#[derive(Default)]
pub(crate) struct Changes(Map<String, Value>);

impl Changes {
    /// Adds the field if its values differ.
    pub(crate) fn note<T: Serialize + PartialEq>(&mut self, field: &str, before: T, after: T) {
        if before != after {
            self.add(field, json!({ "before": before, "after": after }));
        }
    }

    pub(crate) fn add(&mut self, field: &str, value: Value) {
        self.0.insert(field.to_owned(), value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Changes> for Value {
    fn from(changes: Changes) -> Self {
        Self::Object(changes.0)
    }
}

word_enum! {
    /// The kinds of changes that are recorded. The text of each on the Activity page stands in `app`, in
    /// `pages/audit/entry.rs`.
    pub enum Action {
        PersonCreated = "person.created",
        PersonRenamed = "person.renamed",
        PersonPasswordChanged = "person.password_changed",
        PersonMailChosen = "person.mail_chosen",
        PersonPasswordLinkCreated = "person.password_link_created",
        PersonPasswordLinkWithdrawn = "person.password_link_withdrawn",
        PersonOpenIdConnected = "person.openid_connected",
        PersonOpenIdDisconnected = "person.openid_disconnected",
        PersonDisabled = "person.disabled",
        PersonEnabled = "person.enabled",
        PersonAdministratorChanged = "person.administrator_changed",
        SecondFactorAdded = "second_factor.added",
        SecondFactorRemoved = "second_factor.removed",
        RecoveryCodeUsed = "recovery_code.used",
        RecoveryCodesReplaced = "recovery_codes.replaced",
        PasskeyAdded = "passkey.added",
        PasskeyRemoved = "passkey.removed",
        TeamCreated = "team.created",
        TeamRenamed = "team.renamed",
        TeamRemoved = "team.removed",
        TeamRoleChanged = "team.role_changed",
        InvitationCreated = "invitation.created",
        InvitationAccepted = "invitation.accepted",
        InvitationWithdrawn = "invitation.withdrawn",
        SessionStarted = "session.started",
        SessionRefused = "session.refused",
        SessionSecondStepAsked = "session.second_step_asked",
        SessionEnded = "session.ended",
        CredentialGenerated = "credential.generated",
        CredentialImported = "credential.imported",
        CredentialEdited = "credential.edited",
        CredentialSecretAdded = "credential.secret_added",
        CredentialSecretRemoved = "credential.secret_removed",
        CredentialHandoverCreated = "credential.handover_created",
        CredentialSecretOpened = "credential.secret_opened",
        CredentialSecretUnopened = "credential.secret_unopened",
        CredentialKeyAdded = "credential.key_added",
        CredentialKeyRemoved = "credential.key_removed",
        CredentialIdentityAdded = "credential.identity_added",
        CredentialIdentityRemoved = "credential.identity_removed",
        CredentialRotationStarted = "credential.rotation_started",
        CredentialRotationExtended = "credential.rotation_extended",
        CredentialRotationFinished = "credential.rotation_finished",
        CredentialRotationCancelled = "credential.rotation_cancelled",
        CredentialLeaked = "credential.leaked",
        CredentialDisabled = "credential.disabled",
        CredentialEnabled = "credential.enabled",
        CredentialRevoked = "credential.revoked",
        CredentialExpiring = "credential.expiring",
        CredentialConfirmed = "credential.confirmed",
        CredentialRequested = "credential.requested",
        CredentialRequestDecided = "credential.request_decided",
        CredentialRequestWithdrawn = "credential.request_withdrawn",
        CredentialsExported = "credentials.exported",
        CredentialRetiredSecretTried = "credential.retired_secret_tried",
        TokenRevoked = "token.revoked",
        SigningKeyRotated = "signing_key.rotated",
        MasterKeyReplaced = "master_key.replaced",
        InstanceRestored = "instance.restored",
        EmergencyStopped = "emergency.stopped",
        EmergencyUndone = "emergency.undone",
        McpServerAdded = "mcp_server.added",
        McpServerMoved = "mcp_server.moved",
        McpServerEdited = "mcp_server.edited",
        McpServerArchived = "mcp_server.archived",
        McpServerUnarchived = "mcp_server.unarchived",
        McpServerRemoved = "mcp_server.removed",
        McpServerChecked = "mcp_server.checked",
        McpServerRulesChanged = "mcp_server.rules_changed",
        McpServerToolsChanged = "mcp_server.tools_changed",
        McpServerToolsAccepted = "mcp_server.tools_accepted",
        DestructiveToolUsed = "mcp_server.destructive_tool_used",
        WebhookAdded = "webhook.added",
        WebhookEdited = "webhook.edited",
        WebhookPaused = "webhook.paused",
        WebhookResumed = "webhook.resumed",
        WebhookSecretReplaced = "webhook.secret_replaced",
        WebhookRemoved = "webhook.removed",
        ClientAdded = "client.added",
        ClientChanged = "client.changed",
        ClientSecretEnded = "client.secret_ended",
        ClientSecretReplaced = "client.secret_replaced",
        ClientDisabled = "client.disabled",
        ClientEnabled = "client.enabled",
        ClientRemoved = "client.removed",
        ClientsPruned = "clients.pruned",
        ChecklistChanged = "checklist.changed",
        PolicyChanged = "policy.changed",
        GrantAllowed = "grant.allowed",
        GrantDenied = "grant.denied",
        GrantEnded = "grant.ended",
        PersonalTokenGenerated = "personal_token.generated",
        PersonalTokenRevoked = "personal_token.revoked",
        LeakReported = "leak.reported",
        IncidentOpened = "incident.opened",
        IncidentEdited = "incident.edited",
        IncidentNoted = "incident.noted",
        IncidentContained = "incident.contained",
        IncidentClosed = "incident.closed",
        IncidentReopened = "incident.reopened",
    }
}

word_enum! {
    /// The kinds of things that an [`Event`] is about.
    pub enum Target {
        Credential = "credential",
        Client = "client",
        Consent = "grant",
        PersonalToken = "personal_token",
        Person = "person",
        Passkey = "passkey",
        /// A session; also a sign-in with an unknown account.
        Session = "session",
        Team = "team",
        McpServer = "mcp_server",
        Webhook = "webhook",
        /// The record of a leak; its identifier is its number.
        Incident = "incident",
        /// A policy; its identifier is its name.
        Policy = "policy",
        /// A credential that a member asked for.
        Request = "generation_request",
        SigningKey = "signing_key",
        MasterKey = "master_key",
        /// Countersign itself: the event has no other target.
        Instance = "instance",
    }
}

/// Defines, for things that have a name, the event about them.
macro_rules! targets {
    ($($thing:ty, $target:ident, $id:ident;)+) => {
        $(
            impl $thing {
                /// An event about it, without details.
                pub(crate) fn event(&self, action: Action) -> Event {
                    Event::new(action, Target::$target, self.$id.as_str(), &self.name)
                }
            }
        )+
    };
}

targets! {
    Credential, Credential, client_id;
    AppClient, Client, id;
    PersonalToken, PersonalToken, id;
    Person, Person, id;
    Team, Team, id;
    McpServer, McpServer, id;
    Webhook, Webhook, id;
}

/// One written entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
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
    /// What was done: the word of an [`Action`].
    pub action: String,
    /// What kind of thing it was done to: the word of a [`Target`].
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

impl AuditEntry {
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

/// The entries to list. The empty filter selects all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of the actor's name, or its identifier.
    pub actor: Option<String>,
    /// The word of the action, exactly; or words of several, with commas between them.
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
