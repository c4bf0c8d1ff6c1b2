//! What was called through the gateway, and by whom.

use crate::base::id::McpServerId;
use crate::model::credential::usage::{Bar, Period};
use crate::model::person::authority::Authority;
use crate::model::server::gateway::call::{CallSum, CalledFrom, CallerSum, RecordedCall, ServerCalls};
use crate::prelude::{Context, Fault, Timestamp};
use crate::store::server::calls;

/// What was called at this server from the hour `since` on, by name and outcome, most calls first. People who are no
/// administrators see the calls of credentials of their teams, and their own.
pub async fn by_name(
    context: &Context,
    authority: &Authority,
    id: &McpServerId,
    since: i64,
) -> Result<Vec<CallSum>, Fault> {
    context.calls.flush().await;
    Ok(calls::of_server(&context.store, id, authority.key(), since).await?)
}

/// The calls of this server over time, oldest first. Each bar has the calls that worked (`exchanges`), and the calls
/// that failed (`refusals`). People who are no administrators see the calls of credentials of their teams, and their
/// own.
pub async fn bars(
    context: &Context,
    authority: &Authority,
    id: &McpServerId,
    period: Period,
) -> Result<Vec<Bar>, Fault> {
    context.calls.flush().await;
    let now = context.now();
    let (first, length) = (period.first_hour(now), period.hours_of_bar());
    let counted = calls::bars(&context.store, id, authority.key(), first, length).await?;
    Ok(period.filled(&counted, now))
}

/// How much each server was called from the hour `since` on, most calls first, at most `limit` servers. People who are
/// no administrators see the calls of credentials of their teams, and their own.
pub async fn by_server(
    context: &Context,
    authority: &Authority,
    since: i64,
    limit: u16,
) -> Result<Vec<ServerCalls>, Fault> {
    context.calls.flush().await;
    Ok(calls::by_server(&context.store, authority.key(), since, i64::from(limit)).await?)
}

/// Who called this server from the hour `since` on, most calls first, at most `limit`. People who are no administrators
/// see credentials of their teams, and themselves.
pub async fn by_caller(
    context: &Context,
    authority: &Authority,
    id: &McpServerId,
    since: i64,
    limit: u16,
) -> Result<Vec<CallerSum>, Fault> {
    Ok(calls::callers(&context.store, id, authority.key(), since, i64::from(limit)).await?)
}

/// What this caller called from the hour `since` on, by server, name and outcome, most calls first. `person` is empty
/// unless the caller is an app. Whoever asks must have been allowed to see the caller.
pub async fn of_caller(context: &Context, caller: &str, person: &str, since: i64) -> Result<Vec<CallSum>, Fault> {
    context.calls.flush().await;
    Ok(calls::of_caller(&context.store, caller, person, since).await?)
}

/// The latest calls of this caller, the newest first, at most `limit`. Whoever asks must have been allowed to see the
/// caller.
pub async fn latest(context: &Context, caller: &str, person: &str, limit: u16) -> Result<Vec<RecordedCall>, Fault> {
    context.calls.flush().await;
    Ok(calls::latest(&context.store, caller, person, i64::from(limit)).await?)
}

/// What the latest calls of this caller called, by address. Whoever asks must have been allowed to see the caller.
pub async fn by_address(context: &Context, caller: &str, person: &str) -> Result<Vec<CalledFrom>, Fault> {
    by_address_within(context, caller, person, (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX))).await
}

/// The same for the calls from one moment until another.
pub(crate) async fn by_address_within(
    context: &Context,
    caller: &str,
    person: &str,
    time: (Timestamp, Timestamp),
) -> Result<Vec<CalledFrom>, Fault> {
    context.calls.flush().await;
    Ok(calls::by_address(&context.store, caller, person, time).await?)
}
