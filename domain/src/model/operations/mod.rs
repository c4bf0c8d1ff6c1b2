//! What a restore ended, how long rows are kept, what is ticked in the checklist, and what the installation allows.

pub mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::base::word_enum::word_enum;
use crate::model::audit::Target;
use crate::model::person::authority::Role;

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The credential was revoked.
    Revoked,
    /// The credential was disabled.
    Disabled,
    /// One of the credential's secrets, keys or identities was revoked. The value is the name of its table.
    AuthenticatorRevoked(&'static str),
    /// The person was disabled.
    PersonDisabled,
    /// The client was removed.
    ClientRemoved,
    /// The client that a document describes was removed, and the backup does not even know it. Without a record, the
    /// next person who uses the client would bring it back.
    DocumentRemoved,
    /// The client was disabled.
    ClientDisabled,
    /// The client that a document describes was disabled, and the backup does not even know it.
    DocumentDisabled,
    /// The secret of the client ended, because it leaked, or was replaced.
    ClientSecretEnded,
    /// The token with which the client manages its registration ended, because it leaked.
    ClientRegistrationEnded,
    /// The person's account at an OpenID provider was disconnected.
    OpenIdDisconnected,
    /// A passkey was removed.
    PasskeyRemoved,
    /// The person's authenticator app was removed, or replaced by another one.
    AppRemoved,
    /// The person no longer administers the instance.
    AdministrationTaken,
    /// The person is no longer in the team, or has a lesser role there: the value.
    RoleTaken(Option<Role>),
    /// A rotation set the moment at which a secret or key stops working, or its life was shortened.
    EndSet,
    /// The credential lost rights: scopes, address ranges, its life, rules of its assertions, or its team.
    CredentialNarrowed,
    /// The credential was given to a team that the backup does not know. It is disabled: nobody may manage it who lost
    /// it, and it belongs to nobody else.
    TeamUnknown,
    /// A secret was reported as leaked.
    Leaked,
    /// The password of the person was changed. The operator is not asked: a later password always wins.
    PasswordChanged,
    /// Redirect URIs of the client were removed, it lost the device grant, or it was reported as leaked.
    ClientNarrowed,
    /// The webhook was removed.
    WebhookRemoved,
    /// The webhook was paused.
    WebhookPaused,
    /// The webhook has another address or another signing secret.
    WebhookChanged,
    /// The webhook has another address or another signing secret, and the backup cannot open them. It is paused.
    WebhookUnreadable,
    /// An access token was revoked.
    TokenRevoked,
    /// Fewer teams may use the MCP server, or it has fewer scopes or shorter tokens.
    ServerNarrowed,
    /// The MCP server was archived or removed. It is archived again.
    ServerArchived,
}

/// Something that works in the backup and had ended in the database that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The credential; `None` when a person or a client is concerned.
    pub client_id: Option<ClientId>,
    /// Name of the credential, the person, the passkey or the client.
    pub name: String,
    /// Identifier of what ended. For a role: the identifiers of the team and of the person, with a slash between.
    pub id: String,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub how: How,
    /// The values of the former database that end it again, where one statement of its own does not.
    pub later: Vec<LaterValue>,
}

/// A value of a column that a restore carries over from the former database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterValue {
    pub(crate) table: &'static str,
    /// The column that identifies the row.
    pub(crate) key: &'static str,
    /// The value of that column.
    pub(crate) id: String,
    pub(crate) column: &'static str,
    /// A text, a number, or nothing. A list of texts: the rows of this key, one for each, in place of those that are
    /// there.
    pub(crate) value: Value,
    /// Whether the column holds numbers. Nothing has a type too.
    pub(crate) is_number: bool,
}

/// The kinds of things that end or lose rights. A restore compares the kinds that the audit log of the former database
/// names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EndingKind {
    /// Credentials, and their secrets, keys and identities.
    Credentials,
    /// People, and how they sign in.
    People,
    /// Roles in teams.
    Roles,
    /// Clients.
    Clients,
    /// Webhooks.
    Webhooks,
    /// Access tokens.
    Tokens,
    /// Signing keys.
    SigningKeys,
    /// MCP servers.
    Servers,
}

/// The part of the former database's audit log that the backup does not have.
#[derive(Debug, Default)]
pub(crate) struct SinceBackup {
    /// The kinds of things that ended or lost rights.
    pub kinds: BTreeSet<EndingKind>,
    /// The things that an entry is about, by the word of their [`Target`](crate::model::audit::Target).
    pub targets: BTreeMap<&'static str, ChangedThings>,
}

/// Things that ended or may have lost rights, by their identifiers: name, and the moment of the last change.
pub(crate) type ChangedThings = BTreeMap<String, (String, Timestamp)>;

impl SinceBackup {
    /// The things of this kind that an entry is about, by their identifiers.
    pub(crate) fn about(&self, target: Target) -> impl Iterator<Item = (&str, &str, Timestamp)> {
        let things = self.targets.get(target.as_str()).into_iter().flatten();
        things.map(|(id, (name, at))| (id.as_str(), name.as_str(), *at))
    }

    /// The things of this kind that an entry is about.
    pub(crate) fn things(&self, target: Target) -> ChangedThings {
        self.targets.get(target.as_str()).cloned().unwrap_or_default()
    }
}

/// How long each kind of row is kept.
pub(crate) struct Retention {
    /// Ledger entries, after the end of their token.
    pub ledger: Duration,
    /// Sessions, after their end.
    pub sessions: Duration,
    /// Invitations, after the end of their link.
    pub invitations: Duration,
    /// Counts by hour.
    pub hours: Duration,
    /// Single calls through the gateway, since they were made.
    pub calls: Duration,
    /// Used form tokens, sign-in counts, used setup links.
    pub traces: Duration,
    /// Networks from which a client proved itself with an imported secret, after the last time.
    pub known_networks: Duration,
    /// Deliveries to webhooks, and the record of which alerts were written.
    pub alerts: Duration,
}

word_enum! {
    /// What a person marks in the checklist of the overview.
    pub enum ChecklistMark {
        /// The master key and a backup are kept elsewhere. No program can know that.
        Backup = "backup",
        /// The list is not shown any more.
        Dismissed = "dismissed",
    }
}
