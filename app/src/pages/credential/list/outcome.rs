//! Words about what an action did to several credentials, and to which it did nothing.

use domain::credential::several::Kept;

use crate::pages::credential::find;
use crate::prelude::*;

/// What was done, in one word.
pub(super) fn done(action: &str) -> &'static str {
    match action {
        "revoke" => "revoked",
        "disable" => "disabled",
        "enable" => "enabled",
        "finish" => "finished",
        "deadline" => "given another deadline",
        "move" => "moved",
        "owner" => "given to another owner",
        "unassign" => "changed",
        "undo" => "changed back",
        "tag" => "tagged",
        _ => "changed",
    }
}

/// What the action is done to, one and several.
pub(super) fn what(action: &str) -> (&'static str, &'static str) {
    match action {
        "finish" | "deadline" => ("rotation", "rotations"),
        _ => ("credential", "credentials"),
    }
}

/// Why a credential stays as it is.
pub(super) fn why(kept: Kept, action: &str) -> String {
    match kept {
        Kept::Already => match action {
            "move" => "is in that team already".to_owned(),
            "owner" => "has this owner already".to_owned(),
            "tag" => "has these tags already".to_owned(),
            "unassign" => "does not have this MCP server".to_owned(),
            other => format!("was {} before", done(other)),
        },
        Kept::Revoked => "is revoked and cannot be changed".to_owned(),
        Kept::Unseen => "does not exist, or you do not have access".to_owned(),
        Kept::Role => "your role in its team does not allow this".to_owned(),
        Kept::Owner => "that person is not in its team, or is disabled".to_owned(),
        Kept::Server if action == "move" => "one of its MCP servers is not open to the new team".to_owned(),
        Kept::Server => "an MCP server is not open to its team".to_owned(),
        Kept::Archived => "an MCP server is archived: unarchive it first".to_owned(),
        Kept::Scope => "has a scope that only an administrator gives to a team".to_owned(),
        Kept::Policy => "would not comply with a policy".to_owned(),
        Kept::Tags => "would have too many tags".to_owned(),
        Kept::LastServer => "has no other MCP server: give it one first, or revoke it".to_owned(),
        Kept::NotRotating => "no rotation is under way".to_owned(),
        Kept::NewEnded => {
            "the new secret or key has ended, so nothing would be left: cancel the rotation, or rotate again".to_owned()
        }
        Kept::StillUsed => "a program may still need the old secret or key".to_owned(),
        Kept::TeamGone => "its earlier team was removed, or is not one of yours".to_owned(),
        Kept::Changed => "was changed since".to_owned(),
    }
}

/// Reads the numbers of the first and the last entry.
pub(super) fn read_entries(range: &str) -> Option<(i64, i64)> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The credential with this identifier by its name, for texts about credentials that stayed as they were.
pub(super) async fn named(visit: &Visit, client_id: &str) -> Option<(String, String)> {
    let credential = find(visit, client_id).await.ok()?;
    Some((credential.name, credential.client_id.to_string()))
}
