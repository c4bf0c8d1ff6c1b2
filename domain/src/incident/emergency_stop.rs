//! The emergency stop: disables or revokes many credentials at once, selected by team, maker, MCP server and age. It
//! also ends consents, personal tokens and clients, and it can be undone.

use serde_json::{Value, json};

use crate::base::id::{ClientId, McpServerId, PersonId, TeamId};
use crate::credential::{CredentialError, Result};
use crate::model::credential::draft::check_reason;
use crate::model::incident::{DelegatedCounts, Means, Preview, Selection, StopRequest};
use crate::model::server::LONGEST_TOKEN_LIFETIME;
use crate::model::server::gateway::call::{CallSum, CalledFrom};
use crate::prelude::{Action, Actor, AtField, Context, Event, Fault, FieldError, Target, Timestamp};
use crate::store::{self, Store, StoreError};

/// Most credentials of a selection whose calls are shown by address.
const MOST_BY_ADDRESS: i64 = 1000;
/// Most entries about stops that are read.
const MOST_RECORDED: i64 = 200;
/// How many credentials are stopped in one transaction.
pub const BATCH_SIZE: usize = 2000;

/// Counts what a stop would affect.
pub async fn preview(context: &Context, selection: &Selection, means: Means) -> Result<Preview, Fault> {
    let now = context.now();
    let longest_ago = now.minus(LONGEST_TOKEN_LIFETIME);
    Ok(store::incident::emergency_stop::preview(&context.store, selection, means, now, longest_ago).await?)
}

/// What the credentials of the selection called through the gateway from the hour `since` on.
pub async fn calls(context: &Context, selection: &Selection, means: Means, since: i64) -> Result<Vec<CallSum>, Fault> {
    context.calls.flush().await;
    Ok(store::incident::emergency_stop::calls(&context.store, selection, means, context.now(), since).await?)
}

/// What the latest calls of the credentials of the selection called from the moment `since` on, by address, most calls
/// first, at most `limit` rows. `None` when the selection has more than a thousand credentials: to read the
/// calls of each of them would take too long in an emergency.
pub async fn calls_by_address(
    context: &Context,
    selection: &Selection,
    means: Means,
    (credentials, since): (i64, Timestamp),
    limit: u16,
) -> Result<Option<Vec<CalledFrom>>, Fault> {
    if credentials > MOST_BY_ADDRESS {
        return Ok(None);
    }
    let (store, now) = (&context.store, context.now());
    let found = store::incident::emergency_stop::calls_by_address(store, selection, means, now, since, limit.into());
    Ok(Some(found.await?))
}

/// Stops every credential of the selection that exists now, `batch_size` of them in a transaction. Between the batches,
/// exchanges of other credentials go on. The first batch also ends, permanently, everything in the selection that acts
/// for people.
///
/// After each batch, `progress` gets the number of credentials that are stopped on disk. When this returns, all are
/// stopped. Returns their number, and the moment by which [`undo`] identifies this stop.
///
/// The actor's session or token must live when the first batch is written. Later batches only ask whether the actor is
/// still an administrator: a session that reaches its end must not leave half of a leak alive.
///
/// When one batch is enough, each credential gets its own audit entry. Otherwise each batch gets only one, because an
/// emergency must not wait for the log.
pub async fn stop(
    context: &Context,
    actor: &Actor,
    order: &StopRequest<'_>,
    batch_size: usize,
    mut progress: impl FnMut(u64),
) -> Result<(u64, Timestamp)> {
    let StopRequest { selection, means, reason, incident } = order;
    let reason = check_reason(reason).at("reason")?;
    if let Some(number) = incident
        && store::incident::record::find(&context.store, None, *number).await?.is_none()
    {
        return Err(FieldError::new("incident", "There is no incident with this number.").into());
    }
    let now = context.now();
    let (mut total, mut last, mut is_first) = (0, None, true);
    let proven = actor.proven();
    loop {
        let actor = if is_first { actor } else { &proven };
        let mut change = context.begin_change().await?;
        change.authority(actor).await?.require_administrator()?;
        let part = store::incident::emergency_stop::Part { selection, means: *means, now, after: last.as_ref() };
        let found = store::incident::emergency_stop::list(&mut change, &part, batch_size as i64 + 1).await?;
        let (more, all_at_once) = (found.len() > batch_size, last.is_none() && found.len() <= batch_size);
        let stopped = &found[..found.len().min(batch_size)];
        if let Some((up_to, _)) = stopped.last() {
            store::incident::emergency_stop::stop(&mut change, &part, up_to, reason.as_deref()).await?;
            last = Some(up_to.clone());
        }
        let mut events = Vec::new();
        let mut delegated = DelegatedCounts::default();
        if is_first {
            for (id, name) in store::incident::emergency_stop::made_clients(&mut change, selection, now).await? {
                let details = json!({ "reason": reason, "emergency": true });
                events.push(Event::new(Action::ClientRemoved, Target::Client, &id, &name).with(details));
            }
            delegated = store::incident::emergency_stop::end_delegated(&mut change, selection, now).await?;
        }
        is_first = false;
        total += stopped.len() as u64;
        if all_at_once {
            events.extend(stopped.iter().map(|(id, name)| of_one(*means, id, name, reason.as_deref())));
        }
        events.push(stopped_event(order, stopped.len(), delegated, now, reason.as_deref()));
        change.commit_all(actor, &events).await?;
        progress(total);
        if !more {
            return Ok((total, now));
        }
    }
}

fn of_one(means: Means, id: &ClientId, name: &str, reason: Option<&str>) -> Event {
    let action = match means {
        Means::Disable => Action::CredentialDisabled,
        Means::Revoke => Action::CredentialRevoked,
    };
    Event::new(action, Target::Credential, id.as_str(), name).with(json!({ "reason": reason, "emergency": true }))
}

fn stopped_event(
    order: &StopRequest<'_>,
    count: usize,
    delegated: DelegatedCounts,
    now: Timestamp,
    reason: Option<&str>,
) -> Event {
    let selection = order.selection;
    Event::of_instance(Action::EmergencyStopped).with(json!({
        "means": order.means.as_str(),
        "team": selection.team.as_ref().map(TeamId::as_str),
        "made_by": selection.made_by.as_ref().map(PersonId::as_str),
        "mcp_server": selection.server.as_ref().map(McpServerId::as_str),
        "created_before": selection.created_before.map(Timestamp::rfc3339),
        "tag": selection.tag,
        "credentials": count,
        "grants": delegated.grants,
        "personal_tokens": delegated.personal_tokens,
        "clients": delegated.clients,
        "stopped_at": now.millis(),
        "reason": reason,
        "incident": order.incident,
    }))
}

/// What the newest stops did in an incident.
pub(crate) async fn of_incident(context: &Context, number: i64) -> Result<Vec<StopOfIncident>, Fault> {
    let mut stops: Vec<StopOfIncident> = Vec::new();
    for (at, by, details) in store::incident::emergency_stop::recorded(&context.store, MOST_RECORDED).await? {
        let details: Value = serde_json::from_str(&details).unwrap_or_default();
        if details["incident"].as_i64() != Some(number) {
            continue;
        }
        let began = details["stopped_at"].as_i64().map_or(at, Timestamp::from_millis);
        let credentials = details["credentials"].as_i64().unwrap_or(0);
        let disabled = details["means"] == Means::Disable.as_str();
        // A stop in several batches has several entries with the same moment.
        match stops.iter_mut().find(|stop| stop.at == began) {
            Some(stop) => stop.credentials += credentials,
            None => stops.push(StopOfIncident { at: began, by, credentials, disabled }),
        }
    }
    Ok(stops)
}

/// The result of a stop.
pub(crate) struct StopOfIncident {
    pub at: Timestamp,
    /// The name of who stopped.
    pub by: String,
    pub credentials: i64,
    /// Whether they were disabled, not revoked.
    pub disabled: bool,
}

/// Stops that can be undone, because credentials that they disabled are still disabled: the newest first. Each page
/// says so, and each change of a credential writes an audit entry. So the result is kept until the next entry.
pub async fn undoable(context: &Context) -> Result<Vec<(Timestamp, i64)>, Fault> {
    let (seq, _) = store::audit::head(&context.store).await?;
    let store = context.store.clone();
    let stops = async move { in_force(&store).await };
    Ok(context.stops.get(&seq.to_string(), context.now(), stops).await?)
}

async fn in_force(store: &Store) -> Result<Vec<(Timestamp, i64)>, StoreError> {
    let mut moments = Vec::new();
    for (_, _, details) in store::incident::emergency_stop::recorded(store, MOST_RECORDED).await? {
        let details: Value = serde_json::from_str(&details).unwrap_or_default();
        let at = details["stopped_at"].as_i64().filter(|_| details["means"] == Means::Disable.as_str());
        moments.extend(at.map(Timestamp::from_millis));
    }
    // A stop in several batches has several entries with the same moment.
    moments.dedup();
    let mut stops = Vec::new();
    for at in moments.into_iter().take(10) {
        let count = store::incident::emergency_stop::stopped_at(store, at).await?;
        if count > 0 {
            stops.push((at, count));
        }
    }
    Ok(stops)
}

/// Enables the credentials that the stop at this moment disabled. Returns how many.
///
/// Each credential gets its own audit entry, so that its history does not end with the stop. The entry names the moment
/// of the stop, because a stop in several batches wrote no entry for each credential.
pub async fn undo(context: &Context, actor: &Actor, stopped_at: Timestamp) -> Result<u64> {
    let mut total = 0;
    loop {
        let mut change = context.begin_change().await?;
        change.authority(actor).await?.require_administrator()?;
        let limit = BATCH_SIZE as i64;
        let stopped = store::incident::emergency_stop::stopped(&mut change, stopped_at, limit).await?;
        let Some((up_to, _)) = stopped.last() else { break };
        let now = change.now();
        store::operations::policy::confirm_stopped(&mut change, stopped_at, up_to, actor.name(), now).await?;
        store::incident::emergency_stop::undo(&mut change, stopped_at, up_to).await?;
        let count = stopped.len();
        let details = json!({ "stopped_at": stopped_at.rfc3339(), "emergency": true });
        let enabled = |(id, name): &(ClientId, String)| {
            Event::new(Action::CredentialEnabled, Target::Credential, id.as_str(), name).with(details.clone())
        };
        let mut events: Vec<Event> = stopped.iter().map(enabled).collect();
        let undone = json!({ "stopped_at": stopped_at.rfc3339(), "credentials": count });
        events.push(Event::of_instance(Action::EmergencyUndone).with(undone));
        change.commit_all(actor, &events).await?;
        total += count as u64;
        if count < BATCH_SIZE {
            break;
        }
    }
    if total == 0 { Err(CredentialError::NotFound) } else { Ok(total) }
}
