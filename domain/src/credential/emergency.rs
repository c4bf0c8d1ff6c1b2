//! The emergency stop: many credentials at once, chosen by team, maker, MCP server and age, in one transaction.

use serde_json::{Value, json};

use super::CredentialError;
use super::draft::check_reason;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::{Fault, FieldError};
use crate::id::{McpServerId, PersonId, TeamId};
use crate::mcp_server::LONGEST_TOKEN_LIFETIME;
use crate::store;

/// Up to this many, each credential gets an audit entry of its own. Beyond it the entry of the stop alone has to do: an
/// emergency must not wait for the log.
const MOST_ENTRIES: usize = 2000;

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

/// What a stop would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Credentials that are neither disabled (or, to be revoked, only disabled) nor revoked.
    pub credentials: i64,
    /// Their live tokens.
    pub live_tokens: i64,
}

/// Counts what a stop would end.
pub async fn preview(context: &Context, selection: &Selection, means: Means) -> Result<Preview, Fault> {
    let now = context.now();
    let longest_ago = now.minus(LONGEST_TOKEN_LIFETIME);
    Ok(store::emergency::preview(&context.store, selection, means, now, longest_ago).await?)
}

/// Stops every credential of the selection. When this returns the change is on disk. Returns how many were stopped, and the
/// moment by which [`undo`] knows them.
pub async fn stop(
    context: &Context,
    actor: &Actor,
    selection: &Selection,
    means: Means,
    reason: &str,
) -> Result<(u64, Timestamp), CredentialError> {
    let reason =
        check_reason(reason).map_err(|message| CredentialError::Invalid(vec![FieldError::new("reason", message)]))?;
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let now = change.now();
    let most = MOST_ENTRIES as i64 + 1;
    let mut stopped = store::emergency::list(change.transaction(), selection, means, now, most).await?;
    let count = store::emergency::stop(change.transaction(), selection, means, now, reason.as_deref()).await?;
    if stopped.len() > MOST_ENTRIES {
        stopped.clear();
    }
    let action = match means {
        Means::Disable => "credential.disabled",
        Means::Revoke => "credential.revoked",
    };
    let mut events: Vec<Event> = stopped
        .iter()
        .map(|(id, name)| {
            Event::new(action, "credential", id.as_str(), name).with(json!({ "reason": reason, "emergency": true }))
        })
        .collect();
    events.push(Event::new("emergency.stopped", "instance", "", "").with(json!({
        "means": means.as_str(),
        "team": selection.team.as_ref().map(TeamId::as_str),
        "made_by": selection.made_by.as_ref().map(PersonId::as_str),
        "mcp_server": selection.server.as_ref().map(McpServerId::as_str),
        "created_before": selection.created_before.map(Timestamp::rfc3339),
        "credentials": count,
        "stopped_at": now.millis(),
        "reason": reason,
    })));
    change.commit_all(actor, &events).await?;
    Ok((count, now))
}

/// Stops of the last weeks that disabled credentials which still are: the moment, and how many.
pub async fn undoable(context: &Context) -> Result<Vec<(Timestamp, i64)>, Fault> {
    let filter = audit::Filter { action: Some("emergency.stopped".to_owned()), ..audit::Filter::default() };
    let mut stops = Vec::new();
    for entry in audit::list(context, &Authority::Everything, &filter, 10).await? {
        let details: Value = serde_json::from_str(&entry.details).unwrap_or_default();
        let at = details["stopped_at"].as_i64().filter(|_| details["means"] == Means::Disable.as_str());
        if let Some(at) = at.map(Timestamp::from_millis) {
            let count = store::emergency::stopped_at(&context.store, at).await?;
            if count > 0 {
                stops.push((at, count));
            }
        }
    }
    Ok(stops)
}

/// Lets the credentials go on that a stop at this moment disabled. Returns how many.
pub async fn undo(context: &Context, actor: &Actor, stopped_at: Timestamp) -> Result<u64, CredentialError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let count = store::emergency::undo(change.transaction(), stopped_at).await?;
    if count == 0 {
        return Err(CredentialError::NotFound);
    }
    let event = Event::new("emergency.undone", "instance", "", "")
        .with(json!({ "stopped_at": stopped_at.rfc3339(), "credentials": count }));
    change.commit(actor, &event).await?;
    Ok(count)
}
