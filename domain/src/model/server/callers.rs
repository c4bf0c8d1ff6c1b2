//! Who may call an MCP server.

use std::time::Duration;

use crate::base::id::TeamId;
use crate::model::credential::Credential;

/// How many credentials, connected apps and personal tokens there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallerCounts {
    /// Credentials that are not revoked.
    pub credentials: i64,
    /// Live consents of connected apps.
    pub apps: i64,
    /// Live personal tokens.
    pub personal_tokens: i64,
}

impl CallerCounts {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who may call an MCP server, in numbers.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// All of them.
    pub all: CallerCounts,
    /// How many callers get each scope of the server, in its order. A credential gets a scope that it holds, or that
    /// one of its scopes implies.
    pub by_scope: Vec<(String, CallerCounts)>,
}

/// What an archived MCP server stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArchiveFacts {
    /// Who gets no tokens for it any more.
    pub callers: CallerCounts,
    /// The credentials among them that have no other MCP server.
    pub credentials_only_for_it: i64,
    /// The longest lifetime of a token for it.
    pub longest_lifetime: Duration,
    /// Exchanges of credentials in the last 24 hours.
    pub exchanges: i64,
    /// Whether only the newest exchanges of that day were read, so that there may be more.
    pub is_at_least: bool,
}

/// The place in the list of an MCP server's credentials where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallerCursor {
    pub team: TeamId,
    /// When the last credential was generated, in milliseconds.
    pub created_at: i64,
    pub client_id: String,
}

impl CallerCursor {
    /// The place after this credential.
    pub(crate) fn after(credential: &Credential) -> Self {
        Self {
            team: credential.team.clone(),
            created_at: credential.created_at.millis(),
            client_id: credential.client_id.to_string(),
        }
    }

    /// The cursor as an address carries it. It is no secret: a person who changes it sees no more than their authority
    /// lets them.
    pub(crate) fn to_text(&self) -> String {
        format!("{}.{}.{}", self.team, self.created_at, self.client_id)
    }

    /// Reads what [`Self::to_text`] wrote. An imported client ID may hold dots.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (team, created_at, client_id) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { team: TeamId::parse(team)?, created_at: created_at.parse().ok()?, client_id: client_id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = CallerCursor { team: TeamId::first(), created_at: 17, client_id: "an.imported.one".to_owned() };
        assert_eq!(CallerCursor::parse(&cursor.to_text()), Some(cursor));
        for wrong in ["", "17.x", "team_x.17.csc", "nobody's.17.csc_1"] {
            assert_eq!(CallerCursor::parse(wrong), None, "{wrong}");
        }
    }
}
