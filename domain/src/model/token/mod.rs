//! An exchange: the request, its proof, the issued token, the causes of a refusal, and the place of a token in the
//! status lists.

pub mod claims;
pub mod oauth_error;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, McpServerId, TeamId, TokenId};
use crate::base::word_enum::word_enum;
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

word_enum! {
    /// Why an exchange is refused. The operator sees this cause; the client learns less.
    pub enum Refusal {
        /// No secret has this hash, or the secret is of another client.
        WrongSecret = "wrong_secret",
        /// An imported secret was presented after too many wrong ones. It was not evaluated.
        TooManyGuesses = "too_many_guesses",
        /// The assertion is not acceptable; the detail says why.
        AssertionRejected = "assertion_rejected",
        /// The audience of the assertion is the token endpoint, which the credential does not accept.
        AssertionForTokenEndpoint = "assertion_for_token_endpoint",
        /// The assertion was used before.
        AssertionReplayed = "assertion_replayed",
        /// The credential may not use this grant.
        GrantNotAllowed = "grant_not_allowed",
        /// The secret, key or identity was revoked.
        SecretRevoked = "secret_revoked",
        /// The secret or key has expired.
        SecretExpired = "secret_expired",
        /// The secret or key was replaced, and its overlap is over.
        SecretRetired = "secret_retired",
        /// The credential was revoked.
        CredentialRevoked = "credential_revoked",
        /// The credential is disabled.
        CredentialDisabled = "credential_disabled",
        /// The credential has expired.
        CredentialEnded = "credential_ended",
        /// The address is in none of the credential's ranges.
        AddressNotAllowed = "address_not_allowed",
        /// The scope is not readable.
        ScopeMalformed = "scope_malformed",
        /// None of the scopes may be granted.
        ScopeNotAllowed = "scope_not_allowed",
        /// The MCP server is unknown, or the credential may not call it.
        TargetNotAllowed = "target_not_allowed",
        /// The MCP server is not open to the team of the credential.
        TeamNotAllowed = "team_not_allowed",
        /// The MCP server is archived.
        ServerArchived = "server_archived",
    }
}

impl Refusal {
    /// Refusals of a secret, key or identity that was valid once. The proof itself was right, so only a party that had
    /// the secret, key or identity can cause these refusals.
    pub(crate) const AFTER_ITS_END: [Self; 5] =
        [Self::SecretRetired, Self::SecretExpired, Self::SecretRevoked, Self::CredentialRevoked, Self::CredentialEnded];
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
    /// The team that owns the credential.
    pub team: TeamId,
}

/// Checks what can end a credential or its authenticator, and the address. The first cause in this order is the answer.
pub(crate) fn check_alive(state: &AuthenticatorState, address: Option<IpAddr>, now: Timestamp) -> Result<(), Refusal> {
    let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    let causes = [
        (state.revoked_at.is_some(), Refusal::CredentialRevoked),
        (state.authenticator_revoked_at.is_some(), Refusal::SecretRevoked),
        (state.disabled_at.is_some(), Refusal::CredentialDisabled),
        (is_over(state.hard_end_at), Refusal::CredentialEnded),
        (is_over(state.expires_at), Refusal::SecretExpired),
        (is_over(state.retires_at), Refusal::SecretRetired),
        (!is_allowed_from(&state.ip_ranges, address), Refusal::AddressNotAllowed),
    ];
    causes.into_iter().find(|(applies, _)| *applies).map_or(Ok(()), |(_, refusal)| Err(refusal))
}

/// Whether these address ranges allow the address. No ranges allow every address.
pub(crate) fn is_allowed_from(ranges: &[IpNet], address: Option<IpAddr>) -> bool {
    ranges.is_empty() || address.is_some_and(|address| ranges.iter().any(|range| range.contains(&address)))
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
pub(crate) const STATUS_LIST_SIZE: i64 = 1 << 17;

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
