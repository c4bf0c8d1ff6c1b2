//! Why a client that acts for people got no token.

use crate::base::clock::Timestamp;
use crate::base::id::AppClientId;
use crate::base::word_enum::word_enum;

word_enum! {
    /// The cause of a refusal at the token endpoint. The client gets a less precise answer (RFC 6749 §5.2): the cause
    /// is for administrators.
    pub enum AppRefusal {
        /// The client did not prove itself: its secret or assertion is wrong, or is missing.
        NotProven = "not_proven",
        /// The assertion was used before.
        AssertionReplayed = "assertion_replayed",
        /// The keys of the client could not be fetched.
        KeysUnavailable = "keys_unavailable",
        /// The metadata document of the client cannot be used, or clients are not known by documents here.
        DocumentUnusable = "document_unusable",
        /// The client is disabled.
        ClientDisabled = "client_disabled",
        /// The code is not known, or is one of another client.
        CodeUnknown = "code_unknown",
        /// The code was used before.
        CodeUsed = "code_used",
        /// The code has expired.
        CodeExpired = "code_expired",
        /// The `code_verifier` is missing, or is not the one of the request (RFC 7636 §4.6).
        WrongVerifier = "wrong_verifier",
        /// The `redirect_uri` is not the one of the request.
        OtherRedirectUri = "other_redirect_uri",
        /// The person denied the device, or somebody ended the request (RFC 8628 §3.5).
        Denied = "denied",
        /// The refresh token is not known, or is one of another client.
        TokenUnknown = "token_unknown",
        /// The refresh token was used or given up before.
        TokenUsed = "token_used",
        /// The refresh token has expired, or the access of the client has ended.
        AccessEnded = "access_ended",
        /// The person is disabled.
        PersonDisabled = "person_disabled",
        /// The MCP server was removed.
        ServerRemoved = "server_removed",
        /// The MCP server is archived.
        ServerArchived = "server_archived",
        /// The MCP server is open to none of the person's teams.
        TeamsNotAllowed = "teams_not_allowed",
        /// The request is for another MCP server than the person allowed.
        OtherServer = "other_server",
        /// None of the scopes may be granted.
        ScopeNotAllowed = "scope_not_allowed",
        /// The scope is not readable.
        ScopeMalformed = "scope_malformed",
    }
}

/// Refusals of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRefusalSummary {
    /// The cause.
    pub cause: AppRefusal,
    /// How many.
    pub count: i64,
    /// When the last one was.
    pub last_at: Timestamp,
    /// Where it came from.
    pub last_address: Option<String>,
    /// The program that sent it, as it names itself.
    pub last_agent: Option<String>,
    /// What was wrong with it, if the cause alone does not say that.
    pub last_detail: Option<String>,
}

/// The key of a count: client, hour and cause.
pub(crate) type AppKey = (AppClientId, i64, AppRefusal);
