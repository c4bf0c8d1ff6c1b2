//! What a restore ended, and how long rows are kept.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::person::authority::Role;

/// What ended something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The credential was revoked.
    Revoked,
    /// The credential was disabled.
    Disabled,
    /// One of its secrets, keys or identities was revoked; the table it is in.
    AuthenticatorRevoked(&'static str),
    /// The person was disabled.
    PersonDisabled,
    /// The client was removed.
    ClientRemoved,
    /// The client that a document describes was removed, and is not even known in the backup: it would come back with
    /// its next visitor.
    DocumentRemoved,
    /// The secret of the client ended, because it leaked, or was replaced.
    ClientSecretEnded,
    /// The person's account at an OpenID provider was disconnected.
    OpenIdDisconnected,
    /// A passkey was removed.
    PasskeyRemoved,
    /// The person's authenticator app was removed, or replaced by another one.
    AppRemoved,
    /// The person administers the instance no more.
    AdministrationTaken,
    /// The person is in the team no more, or with a lesser role, which is here.
    RoleTaken(Option<Role>),
}

/// Something that works in the backup and had ended in the database that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The credential, unless it is something of a person or of a client.
    pub client_id: Option<ClientId>,
    /// Name of the credential, the person, the passkey or the client.
    pub name: String,
    /// Identifier of what ended; of a role those of the team and the person, with a slash between.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: How,
}

/// How long what is kept.
pub(crate) struct Retention {
    /// Ledger entries after their token's end.
    pub ledger: Duration,
    /// Sessions after their end.
    pub sessions: Duration,
    /// Invitations after their link's end.
    pub invitations: Duration,
    /// Counts by hour.
    pub hours: Duration,
    /// Used form tokens, sign-in counts, used setup links.
    pub traces: Duration,
    /// Deliveries to webhooks, and which alerts were written.
    pub alerts: Duration,
}
