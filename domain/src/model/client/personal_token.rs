//! Personal tokens: tokens that people generate for their own programs.

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, PersonId, PersonalTokenId};
use crate::model::client::consent::EndCause;
use crate::model::server::scope::Scopes;

/// A token, without what makes it one.
#[derive(Debug, Clone)]
pub struct PersonalToken {
    /// Identifier.
    pub id: PersonalTokenId,
    /// For whom it acts.
    pub person: PersonId,
    /// What its person calls it.
    pub name: String,
    /// The MCP server it is for.
    pub server_id: McpServerId,
    /// What it allows.
    pub scopes: Scopes,
    /// Its last characters.
    pub hint: String,
    /// When it was generated.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From where, where that is known.
    pub last_used_from: Option<String>,
    /// When it was first reported as leaked, where that did not end it.
    pub leaked_at: Option<Timestamp>,
    /// When it was ended before.
    pub ended_at: Option<Timestamp>,
    /// By what.
    pub end_cause: Option<EndCause>,
}

impl PersonalToken {
    /// Whether it is accepted at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.expires_at > now
    }
}

/// A token with the state of its person.
#[derive(Debug, Clone)]
pub struct ListedToken {
    /// The token.
    pub token: PersonalToken,
    /// The present name of its person.
    pub person_name: String,
    /// Whether the person is disabled: then it is not accepted.
    pub is_person_disabled: bool,
}

impl ListedToken {
    /// Its place in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.token.created_at, id: self.token.id.to_string() }
    }
}
