//! An exchange: the request, its proof, the issued token, the causes of a refusal, and the place of a token in the
//! status lists.

pub mod oauth_error;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, McpServerId, TokenId};
use crate::crypto::secret::SecretHash;
use crate::model::origin::Origin;
use crate::model::server::scope::Scopes;
use crate::model::settings::Settings;

/// The proof of a client. It is checked here as far as that is possible before the issuing transaction.
#[derive(Debug)]
pub enum ClientProof {
    /// A secret. Its hash finds its row.
    Secret(SecretHash),
    /// A verified assertion.
    Assertion {
        /// The key or identity it was made with.
        authenticator: AuthenticatorId,
        /// The `jti` that must not be used twice, if the assertion is for one use.
        single_use: Option<SingleUse>,
    },
}

/// What a client asks for at the token endpoint.
#[derive(Debug)]
pub struct TokenRequest {
    /// What proves it.
    pub proof: ClientProof,
    /// The client that the request names. It must be the client of the authenticator.
    pub client_id: Option<ClientId>,
    /// Whether the assertion is the grant (RFC 7523 §2.1). The credential must allow that.
    pub jwt_bearer: bool,
    /// The scope parameter.
    pub scope: RequestedScope,
    /// The resource parameter.
    pub resource: RequestedResource,
    /// Where the request came from.
    pub origin: Origin,
}

/// The `scope` parameter.
#[derive(Debug)]
pub enum RequestedScope {
    /// Not sent: all scopes of the credential.
    Default,
    /// Not readable as scopes.
    Malformed,
    /// These scopes.
    These(Scopes),
}

/// The `resource` parameter.
#[derive(Debug)]
pub enum RequestedResource {
    /// Not sent: the credential's first MCP server.
    Default,
    /// Not a usable identifier, or more than one.
    Unusable,
    /// This MCP server, in canonical form.
    This(String),
}

/// Why an exchange is refused. The operator sees this cause; the client learns less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No secret has this hash, or the secret is of another client.
    WrongSecret,
    /// The assertion is not acceptable; the detail says why.
    AssertionRejected,
    /// The assertion was used before.
    AssertionReplayed,
    /// The credential may not use this grant.
    GrantNotAllowed,
    /// The secret, key or identity was revoked.
    SecretRevoked,
    /// The secret or key has expired.
    SecretExpired,
    /// The secret or key was replaced, and its overlap is over.
    SecretRetired,
    /// The credential was revoked.
    CredentialRevoked,
    /// The credential is disabled.
    CredentialDisabled,
    /// The credential has expired.
    CredentialEnded,
    /// The address is in none of the credential's ranges.
    AddressNotAllowed,
    /// The scope is not readable.
    ScopeMalformed,
    /// None of the scopes may be granted.
    ScopeNotAllowed,
    /// The MCP server is unknown, or the credential may not call it.
    TargetNotAllowed,
}

impl Refusal {
    /// Every cause.
    pub const ALL: [Self; 14] = [
        Self::WrongSecret,
        Self::AssertionRejected,
        Self::AssertionReplayed,
        Self::GrantNotAllowed,
        Self::SecretRevoked,
        Self::SecretExpired,
        Self::SecretRetired,
        Self::CredentialRevoked,
        Self::CredentialDisabled,
        Self::CredentialEnded,
        Self::AddressNotAllowed,
        Self::ScopeMalformed,
        Self::ScopeNotAllowed,
        Self::TargetNotAllowed,
    ];

    /// The cause as stored and logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongSecret => "wrong_secret",
            Self::AssertionRejected => "assertion_rejected",
            Self::AssertionReplayed => "assertion_replayed",
            Self::GrantNotAllowed => "grant_not_allowed",
            Self::SecretRevoked => "secret_revoked",
            Self::SecretExpired => "secret_expired",
            Self::SecretRetired => "secret_retired",
            Self::CredentialRevoked => "credential_revoked",
            Self::CredentialDisabled => "credential_disabled",
            Self::CredentialEnded => "credential_ended",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::ScopeMalformed => "scope_malformed",
            Self::ScopeNotAllowed => "scope_not_allowed",
            Self::TargetNotAllowed => "target_not_allowed",
        }
    }

    /// Reads what [`Refusal::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.as_str() == text)
    }
}

/// A recorded exchange: what the token will say.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token's identifier, key of the entry.
    pub jti: TokenId,
    /// Whose token.
    pub client_id: ClientId,
    /// The secret, key or identity that was presented.
    pub authenticator: AuthenticatorId,
    /// The bit of the secret, key or identity in the token status lists.
    pub status_index: i64,
    /// The MCP server that the token is for.
    pub server_id: McpServerId,
    /// The server's resource identifier.
    pub audience: String,
    /// The granted scopes.
    pub scope: Scopes,
    /// The present moment, as the transaction saw it.
    pub issued_at: Timestamp,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The key that signs at this moment.
    pub kid: String,
    /// Where the request came from.
    pub origin: Origin,
}

/// What the issuing transaction reads about an authenticator and its credential.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticatorState {
    pub id: AuthenticatorId,
    pub client_id: ClientId,
    pub status_index: i64,
    pub expires_at: Option<Timestamp>,
    pub retires_at: Option<Timestamp>,
    pub authenticator_revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_from: Option<IpAddr>,
    pub jwt_bearer: bool,
    pub reusable_assertions: bool,
    pub scopes: Scopes,
    pub servers: Vec<McpServerId>,
    pub token_lifetime: Option<Duration>,
    pub ip_ranges: Vec<IpNet>,
    pub hard_end_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

pub(crate) fn check_alive(state: &AuthenticatorState, address: Option<IpAddr>, now: Timestamp) -> Result<(), Refusal> {
    if state.revoked_at.is_some() {
        return Err(Refusal::CredentialRevoked);
    }
    if state.authenticator_revoked_at.is_some() {
        return Err(Refusal::SecretRevoked);
    }
    if state.disabled_at.is_some() {
        return Err(Refusal::CredentialDisabled);
    }
    if state.hard_end_at.is_some_and(|end| end <= now) {
        return Err(Refusal::CredentialEnded);
    }
    if state.expires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::SecretExpired);
    }
    if state.retires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::SecretRetired);
    }
    let allowed = state.ip_ranges.is_empty()
        || address.is_some_and(|address| state.ip_ranges.iter().any(|range| range.contains(&address)));
    if allowed { Ok(()) } else { Err(Refusal::AddressNotAllowed) }
}

/// An assertion that may be used once. Its use is remembered until the assertion has expired everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleUse {
    /// Its `jti`.
    pub jti: String,
    /// Until when the use must be remembered.
    pub until: Timestamp,
}

/// A last use is recorded when the last recorded use is older than this, or came from another address.
pub(crate) const LAST_USE_INTERVAL: Duration = Duration::from_secs(10);

/// Bits of a status list: 16 KiB before compression.
pub const STATUS_LIST_SIZE: i64 = 1 << 17;

/// The `status` claim of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReference {
    /// Its bit.
    pub status_list: StatusListBit,
}

/// A bit of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusListBit {
    /// Position in the list.
    pub idx: i64,
    /// Address of the list.
    pub uri: String,
}

impl StatusReference {
    /// The bit with this number over all lists.
    pub(crate) fn of(settings: &Settings, index: i64) -> Self {
        Self {
            status_list: StatusListBit {
                idx: index % STATUS_LIST_SIZE,
                uri: status_list_uri(settings, index / STATUS_LIST_SIZE),
            },
        }
    }
}

pub(crate) fn status_list_uri(settings: &Settings, number: i64) -> String {
    format!("{}/mcp/oauth/status/{number}", settings.public_url)
}
