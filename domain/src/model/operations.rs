//! What a restore ended, and how long rows are kept.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
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
    /// The secret of the client ended, because it leaked, or was replaced.
    ClientSecretEnded,
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
    /// Used form tokens, sign-in counts, used setup links.
    pub traces: Duration,
    /// Networks from which a client proved itself with an imported secret, after the last time.
    pub known_networks: Duration,
    /// Deliveries to webhooks, and the record of which alerts were written.
    pub alerts: Duration,
}
