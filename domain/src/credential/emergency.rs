//! The emergency stop: many credentials at once, chosen by team, maker, MCP server and age.

use serde_json::{Value, json};

use super::CredentialError;
use super::draft::check_reason;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::{Fault, FieldError};
use crate::id::{ClientId, McpServerId, PersonId, TeamId};
use crate::mcp_server::LONGEST_TOKEN_LIFETIME;
use crate::store;

/// How many credentials are stopped in one transaction.
pub const BITE: usize = 2000;

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
pub struct Order<'order> {
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
    /// Clients that the person added, or whose secret they replaced last, when it is about what a person made. The access that
    /// others gave these is among `grants`.
    pub clients: i64,
}

/// How much of what acts for people.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfPeople {
    pub grants: i64,
    pub personal_tokens: i64,
    pub clients: i64,
}

/// Counts what a stop would end.
pub async fn preview(context: &Context, selection: &Selection, means: Means) -> Result<Preview, Fault> {
    let now = context.now();
    let longest_ago = now.minus(LONGEST_TOKEN_LIFETIME);
    Ok(store::emergency::preview(&context.store, selection, means, now, longest_ago).await?)
}

/// Stops every credential of the selection that is there now, `bite` of them in a transaction: exchanges of others go on in
/// between, however many there are. With the first of them ends, for good, what acts for people in it. `progress` is told after
/// each bite how many were stopped; they are stopped on disk then. When this returns all are. Returns how many, and the moment by which [`undo`] knows them.
///
/// When one bite is enough, each credential gets an audit entry of its own; otherwise each bite gets one, because an
/// emergency must not wait for the log.
pub async fn stop(
    context: &Context,
    actor: &Actor,
    order: &Order<'_>,
    bite: usize,
    mut progress: impl FnMut(u64),
) -> Result<(u64, Timestamp), CredentialError> {
    let Order { selection, means, reason } = order;
    let reason =
        check_reason(reason).map_err(|message| CredentialError::Invalid(vec![FieldError::new("reason", message)]))?;
    let now = context.now();
    let (mut total, mut last, mut is_first) = (0, None, true);
    loop {
        let mut change = context.begin_change().await?;
        change.authority(actor).await?.require_administrator()?;
        let part = store::emergency::Part { selection, means: *means, now, after: last.as_ref() };
        let found = store::emergency::list(change.transaction(), &part, bite as i64 + 1).await?;
        let (more, all_at_once) = (found.len() > bite, last.is_none() && found.len() <= bite);
        let stopped = &found[..found.len().min(bite)];
        if let Some((up_to, _)) = stopped.last() {
            store::emergency::stop(change.transaction(), &part, up_to, reason.as_deref()).await?;
            last = Some(up_to.clone());
        }
        let mut events = Vec::new();
        let mut of_people = OfPeople::default();
        if is_first {
            for (id, name) in store::emergency::made_clients(change.transaction(), selection, now).await? {
                let details = json!({ "reason": reason, "emergency": true });
                events.push(Event::new("client.removed", "client", &id, &name).with(details));
            }
            of_people = store::emergency::end_of_people(change.transaction(), selection, now).await?;
        }
        is_first = false;
        total += stopped.len() as u64;
        if all_at_once {
            events.extend(stopped.iter().map(|(id, name)| of_one(*means, id, name, reason.as_deref())));
        }
        events.push(stopped_event(order, stopped.len(), of_people, now, reason.as_deref()));
        change.commit_all(actor, &events).await?;
        progress(total);
        if !more {
            return Ok((total, now));
        }
    }
}

fn of_one(means: Means, id: &ClientId, name: &str, reason: Option<&str>) -> Event {
    let action = match means {
        Means::Disable => "credential.disabled",
        Means::Revoke => "credential.revoked",
    };
    Event::new(action, "credential", id.as_str(), name).with(json!({ "reason": reason, "emergency": true }))
}

fn stopped_event(order: &Order<'_>, count: usize, of_people: OfPeople, now: Timestamp, reason: Option<&str>) -> Event {
    let selection = order.selection;
    Event::new("emergency.stopped", "instance", "", "").with(json!({
        "means": order.means.as_str(),
        "team": selection.team.as_ref().map(TeamId::as_str),
        "made_by": selection.made_by.as_ref().map(PersonId::as_str),
        "mcp_server": selection.server.as_ref().map(McpServerId::as_str),
        "created_before": selection.created_before.map(Timestamp::rfc3339),
        "credentials": count,
        "grants": of_people.grants,
        "personal_tokens": of_people.personal_tokens,
        "clients": of_people.clients,
        "stopped_at": now.millis(),
        "reason": reason,
    }))
}

/// Stops of the last weeks that disabled credentials which still are: the moment, and how many.
pub async fn undoable(context: &Context) -> Result<Vec<(Timestamp, i64)>, Fault> {
    let filter = audit::Filter { action: Some("emergency.stopped".to_owned()), ..audit::Filter::default() };
    let mut moments = Vec::new();
    for entry in audit::list(context, &Authority::Everything, &filter, 200).await? {
        let details: Value = serde_json::from_str(&entry.details).unwrap_or_default();
        let at = details["stopped_at"].as_i64().filter(|_| details["means"] == Means::Disable.as_str());
        moments.extend(at.map(Timestamp::from_millis));
    }
    // A stop of many has many entries, all of one moment.
    moments.dedup();
    let mut stops = Vec::new();
    for at in moments.into_iter().take(10) {
        let count = store::emergency::stopped_at(&context.store, at).await?;
        if count > 0 {
            stops.push((at, count));
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
