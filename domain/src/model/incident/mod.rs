//! Emergency stops, reported leaks, and the incidents that they belong to.

pub mod record;
pub mod story;

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::base::word_enum::word_enum;

/// The credentials that a stop selects. The empty selection selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Credentials of this team.
    pub team: Option<TeamId>,
    /// Credentials that this person generated, or for which they made a secret, a key or an identity that was not
    /// revoked.
    pub made_by: Option<PersonId>,
    /// Credentials that may call this MCP server.
    pub server: Option<McpServerId>,
    /// Credentials that were generated before this moment.
    pub created_before: Option<Timestamp>,
    /// Credentials with this tag.
    pub tag: Option<String>,
}

impl Selection {
    /// Whether only credentials can be in it: nothing that acts for people has a team or a tag.
    pub(crate) fn is_of_credentials(&self) -> bool {
        self.team.is_some() || self.tag.is_some()
    }
}

word_enum! {
    /// What a stop does to them.
    pub enum Means {
        /// Reversible.
        Disable = "disable",
        /// Final.
        Revoke = "revoke",
    }
}

/// The request for a stop.
#[derive(Debug, Clone, Copy)]
pub struct StopRequest<'order> {
    /// Which credentials.
    pub selection: &'order Selection,
    /// What is done to them.
    pub means: Means,
    /// Why; kept in the audit log, and with each credential that is revoked.
    pub reason: &'order str,
    /// The incident that it belongs to, which shows its result.
    pub incident: Option<i64>,
}

/// What a stop would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Credentials that are neither disabled (or, to be revoked, only disabled) nor revoked.
    pub credentials: i64,
    /// Their live tokens.
    pub live_tokens: i64,
    /// Consents for the same MCP server, of the same person, given before the same moment. No team owns a consent.
    pub grants: i64,
    /// Personal tokens, selected in the same way.
    pub personal_tokens: i64,
    /// Clients that the person added, or whose secret they replaced last, if the stop names a person. The consents that
    /// other people gave these clients are among `grants`.
    pub clients: i64,
}

/// How many consents, personal tokens and clients ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DelegatedCounts {
    pub grants: i64,
    pub personal_tokens: i64,
    pub clients: i64,
}

/// What happens to a secret that is reported as leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It ends at once, with the tokens that it made.
    #[default]
    Revoke,
    /// It is marked as leaked, and people decide what to do.
    Alert,
}
