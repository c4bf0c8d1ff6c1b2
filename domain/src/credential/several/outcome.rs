//! What an action does to one credential, or why it stays as it is.

use crate::base::word_enum::word_enum;
use crate::prelude::Event;

/// How many credentials one call of [`give_all`](super::give_all) gives away.
pub const MOST_GIVEN: u16 = 1000;

word_enum! {
    /// Why a credential stayed as it was.
    pub enum Kept {
        /// It was so before.
        Already = "already",
        /// It is revoked.
        Revoked = "revoked",
        /// It does not exist, or the actor may not see it.
        Unseen = "unseen",
        /// The actor may see it, but does not have the role.
        Role = "role",
        /// The new owner is not in its team.
        Owner = "owner",
        /// The new team may not use one of its MCP servers.
        Server = "server",
        /// An MCP server that it would get back is archived.
        Archived = "archived",
        /// It has a scope that only administrators give.
        Scope = "scope",
        /// It would not comply with a policy.
        Policy = "policy",
        /// It would have too many tags.
        Tags = "tags",
        /// It has no other MCP server.
        LastServer = "last_server",
        /// No rotation is under way.
        NotRotating = "not_rotating",
        /// The new secret or key of its rotation has ended, so nothing would be left.
        NewEnded = "new_ended",
        /// A program may still need the old secret or key of its rotation.
        StillUsed = "still_used",
        /// The team that it would go back to was removed.
        TeamGone = "team_gone",
        /// It was changed since, so nothing is reversed.
        Changed = "changed",
    }
}

/// What was done to one credential, and what else changed with it.
pub(super) type Done = (Event, Option<Event>);
