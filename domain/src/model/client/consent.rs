//! Consents: what a person allows a client to do. Also the lifetimes of consents and authorization codes.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId};
use crate::base::word_enum::word_enum;
use crate::model::client::ClientKind;
use crate::model::server::scope::Scopes;

/// A consent that was not used for this long has ended.
pub const IDLE_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A consent that is this old has ended, even if it is in use.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_secs(90 * 24 * 3600);

word_enum! {
    /// What ended a consent or a personal token before its time.
    pub enum EndCause {
        /// The person for whom it acted.
        Person = "person",
        /// An administrator other than that person.
        Administrator = "administrator",
        /// The client that had it.
        Client = "client",
        /// Its client was removed.
        ClientRemoved = "client_removed",
        /// Its person was disabled.
        PersonDisabled = "person_disabled",
        /// An authorization code or a device code was presented a second time.
        CodeReused = "code_reused",
        /// A refresh token was presented a second time.
        TokenReused = "token_reused",
        /// It was reported as leaked.
        Leaked = "leaked",
        /// An emergency stop.
        Emergency = "emergency",
        /// The database was restored from a backup.
        Restored = "restored",
    }
}

/// What a person allows a client to do.
#[derive(Debug, Clone)]
pub struct Consent {
    /// Identifier.
    pub id: ConsentId,
    /// Who allowed it.
    pub person: PersonId,
    /// The client.
    pub client_id: AppClientId,
    /// The MCP server its tokens are for.
    pub server_id: McpServerId,
    /// What its tokens may do at most.
    pub scopes: Scopes,
    /// Where the person was sent back to: a host, or a scheme. Empty when the client used the device grant.
    pub redirect_host: String,
    /// The bit of its tokens in the token status lists.
    pub status_index: i64,
    /// When the client got its first token.
    pub created_at: Timestamp,
    /// When it is over at the latest.
    pub expires_at: Timestamp,
    /// When the client last got a token.
    pub last_used_at: Timestamp,
    /// From where.
    pub last_used_from: Option<String>,
    /// When a token of it was first reported as leaked and the report did not end the consent.
    pub leaked_at: Option<Timestamp>,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// What ended it.
    pub end_cause: Option<EndCause>,
}

impl Consent {
    /// Whether the client used the device grant: the person was sent nowhere.
    pub fn is_of_device(&self) -> bool {
        self.redirect_host.is_empty()
    }

    /// When it ended, or ends if it is not used until then.
    pub fn end(&self) -> Timestamp {
        self.ended_at.unwrap_or(self.expires_at.min(self.last_used_at.plus(IDLE_LIMIT)))
    }

    /// Whether the client can get tokens with it at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.expires_at > now && now.since(self.last_used_at) < IDLE_LIMIT
    }
}

/// The consents to list.
#[derive(Debug, Clone, Default)]
pub struct ConsentQuery {
    /// Consents for this MCP server.
    pub server: Option<McpServerId>,
    /// Part of the name of the person or of the app.
    pub search: Option<String>,
    /// The list continues after this position.
    pub after: Option<Cursor>,
}

/// A consent with the names of the person and the client.
#[derive(Debug, Clone)]
pub struct ListedConsent {
    /// The consent.
    pub consent: Consent,
    /// Who allowed it.
    pub person_name: String,
    /// Name of the client.
    pub client_name: String,
    /// Who made the client, and so who chose that name.
    pub client_kind: ClientKind,
    /// Since when the client is stopped.
    pub client_disabled_at: Option<Timestamp>,
}

impl ListedConsent {
    /// Its place in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.consent.created_at, id: self.consent.id.to_string() }
    }
}

/// How long a code can be redeemed.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// When a used refresh token comes again within this time of its first use, its client sent two requests at once, or
/// lost the answer. It gets the same next token. Client libraries that get an error instead sign their person out.
pub(crate) const REPEATABLE: Duration = Duration::from_secs(30);
