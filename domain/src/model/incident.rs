//! Emergency stops and reported leaks.

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, PersonId, TeamId};

/// Which credentials. Empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of this team.
    pub team: Option<TeamId>,
    /// Those that this person generated, or of which they made a secret, a key or an identity that was not revoked.
    pub made_by: Option<PersonId>,
    /// Those that may call this MCP server.
    pub server: Option<McpServerId>,
    /// Those generated before this moment.
    pub created_before: Option<Timestamp>,
}

/// What is done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Reversible.
    Disable,
    /// Final.
    Revoke,
}

impl Means {
    /// The word on the wire and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Revoke => "revoke",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Disable, Self::Revoke].into_iter().find(|means| means.as_str() == text)
    }
}

/// A stop, as it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct StopRequest<'order> {
    /// Which credentials.
    pub selection: &'order Selection,
    /// What is done to them.
    pub means: Means,
    /// Why; kept in the audit log, and with each credential that is revoked.
    pub reason: &'order str,
}

/// What a stop would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Credentials that are neither disabled (or, to be revoked, only disabled) nor revoked.
    pub credentials: i64,
    /// Their live tokens.
    pub live_tokens: i64,
    /// What people allowed apps, for the same MCP server, by the same person, before the same moment. No team owns it.
    pub grants: i64,
    /// Personal tokens, in the same way.
    pub personal_tokens: i64,
    /// Clients that the person added, or whose secret they replaced last, when it is about what a person made. The
    /// access that others gave these is among `grants`.
    pub clients: i64,
}

/// How much ended that acts for people.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DelegatedCounts {
    pub grants: i64,
    pub personal_tokens: i64,
    pub clients: i64,
}

/// What happens to a secret that somebody reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It ends at once, with the tokens that it made.
    #[default]
    Revoke,
    /// It is marked, and people decide.
    Alert,
}
