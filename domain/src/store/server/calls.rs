//! `call_hours` and `calls`: what was called through the gateway.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::model::credential::usage::Bar;
use crate::model::server::gateway::call::{
    Call, CallKind, CallOutcome, CallSum, CalledFrom, CallerKey, CallerSum, RecordedCall, ServerCalls,
};
use crate::store::person::team;
use crate::store::{Columns, Result, Store, composed_sql, row, sql, to_json};

/// The latest calls of a caller that are kept one by one.
pub(crate) const KEPT: i64 = 200;

/// What is counted together: caller, hour, server, kind, name, outcome.
pub(crate) type CallHour = (CallerKey, i64, McpServerId, CallKind, String, CallOutcome);

/// The counts of a [`CallHour`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedCalls {
    pub(crate) calls: i64,
    pub(crate) total_ms: i64,
    pub(crate) longest_ms: i64,
    pub(crate) last_at: Timestamp,
}

/// Adds counts and calls. `place` distinguishes calls of one batch.
pub(crate) async fn record(store: &Store, counted: &HashMap<CallHour, CountedCalls>, calls: &[Call]) -> Result<()> {
    let hours = counted.iter().map(|((caller, hour, server, kind, name, outcome), counted)| {
        json!([
            caller.id,
            caller.person,
            hour,
            server.as_str(),
            kind.as_str(),
            name,
            outcome.as_str(),
            counted.calls,
            counted.total_ms,
            counted.longest_ms,
            counted.last_at.millis(),
        ])
    });
    let hours = to_json(&hours.collect::<Vec<_>>());
    let singles = calls.iter().enumerate().map(|(place, call)| {
        json!([
            call.caller.id,
            call.caller.person,
            call.at.millis(),
            call.request_id,
            place,
            call.server.as_str(),
            call.kind.as_str(),
            call.name,
            call.outcome.as_str(),
            call.milliseconds,
            call.address,
        ])
    });
    let singles = to_json(&singles.collect::<Vec<_>>());
    let callers: BTreeSet<&CallerKey> = calls.iter().map(|call| &call.caller).collect();
    let callers = to_json(&callers.iter().map(|caller| [&caller.id, &caller.person]).collect::<Vec<_>>());
    // This uses the ledger's connection: these counts need not survive a power cut.
    let mut transaction = store.begin_exchange().await?;
    let elements = store.engine().elements("$1", "counted");
    composed_sql!(
        "INSERT INTO call_hours (caller, person, hour, server_id, kind, name, outcome, calls, total_ms, longest_ms,
                                 last_at)
         SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, value ->> 4, value ->> 5,
                value ->> 6, CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT),
                CAST(value ->> 10 AS BIGINT)
         FROM {elements} WHERE EXISTS (SELECT 1 FROM server_gateways WHERE server_id = value ->> 3)
         ORDER BY 1, 2, 3, 4, 5, 6, 7
         ON CONFLICT (caller, person, hour, server_id, kind, name, outcome) DO UPDATE SET
            calls = call_hours.calls + excluded.calls, total_ms = call_hours.total_ms + excluded.total_ms,
            longest_ms = CASE WHEN excluded.longest_ms > call_hours.longest_ms THEN excluded.longest_ms
                              ELSE call_hours.longest_ms END,
            last_at = CASE WHEN excluded.last_at > call_hours.last_at THEN excluded.last_at
                           ELSE call_hours.last_at END";
        hours
    )
    .execute(&mut transaction)
    .await?;
    composed_sql!(
        "INSERT INTO calls (caller, person, at, request_id, place, server_id, kind, name, outcome, milliseconds, address)
         SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, CAST(value ->> 4 AS BIGINT),
                value ->> 5, value ->> 6, value ->> 7, value ->> 8, CAST(value ->> 9 AS BIGINT), value ->> 10
         FROM {elements} WHERE EXISTS (SELECT 1 FROM server_gateways WHERE server_id = value ->> 5)
         ON CONFLICT (caller, person, at, request_id, place) DO NOTHING";
        singles
    )
    .execute(&mut transaction)
    .await?;
    // Two batches of one moment can have the same request identifier only if they are of one request, and a request is
    // in one batch.
    composed_sql!(
        "DELETE FROM calls WHERE (caller, person, at, request_id, place) IN (
             SELECT old.caller, old.person, old.at, old.request_id, old.place
             FROM {elements} JOIN calls AS old ON old.caller = value ->> 0 AND old.person = value ->> 1
             WHERE old.at <= (SELECT edge.at FROM calls AS edge
                             WHERE edge.caller = value ->> 0 AND edge.person = value ->> 1
                             ORDER BY edge.at DESC LIMIT 1 OFFSET {KEPT}))";
        callers
    )
    .execute(&mut transaction)
    .await?;
    transaction.commit().await
}

row! { "call_hours" => CallSum {
    server = "server_id", kind, name, outcome, calls = "n", total_ms, longest_ms, first_at: first_at, last_at
} }

fn first_at(columns: &Columns<'_>) -> Result<Timestamp> {
    let hour: i64 = columns.get("first_hour")?;
    Ok(Timestamp::from_millis(hour.saturating_mul(3_600_000)))
}

/// The columns of sums.
pub(crate) const SUMS: &str = "CAST(SUM(calls) AS BIGINT) AS n, CAST(SUM(total_ms) AS BIGINT) AS total_ms,
     MAX(longest_ms) AS longest_ms, MIN(hour) AS first_hour, MAX(last_at) AS last_at";

/// The condition for callers whom the key `$3` may see: credentials of its teams, and what belongs to the person.
const OF_KEY: &str = concat!(
    "(CAST($3 AS TEXT) IS NULL OR h.person = $3
      OR EXISTS (SELECT 1 FROM personal_tokens AS t WHERE t.id = h.caller AND t.person_id = $3)
      OR EXISTS (SELECT 1 FROM credentials AS c WHERE c.client_id = h.caller AND c.team_id IN ",
    team::of!("$3"),
    "))"
);

/// What was called at a server from an hour on, by name and outcome.
pub(crate) async fn of_server(store: &Store, id: &McpServerId, key: Option<&str>, since: i64) -> Result<Vec<CallSum>> {
    composed_sql!(
        "SELECT server_id, kind, name, outcome, {SUMS} FROM call_hours AS h
         WHERE server_id = $1 AND hour >= $2 AND {OF_KEY}
         GROUP BY server_id, kind, name, outcome ORDER BY n DESC, kind, name, outcome";
        id, since, key
    )
    .all(store)
    .await
}

/// The calls of a server from the hour `first` on, by bars of `length` hours: how many worked, and how many did not.
/// Empty bars are left out.
pub(crate) async fn bars(
    store: &Store,
    id: &McpServerId,
    key: Option<&str>,
    first: i64,
    length: i64,
) -> Result<Vec<Bar>> {
    let rows: Vec<(i64, i64, i64)> = composed_sql!(
        "SELECT h.hour / {length} * {length} AS bar,
                CAST(SUM(CASE WHEN h.outcome = 'ok' THEN h.calls ELSE 0 END) AS BIGINT) AS worked,
                CAST(SUM(CASE WHEN h.outcome = 'ok' THEN 0 ELSE h.calls END) AS BIGINT) AS failed
         FROM call_hours AS h WHERE h.server_id = $1 AND h.hour >= $2 AND {OF_KEY} GROUP BY 1";
        id, first, key
    )
    .about("call_hours")
    .all(store)
    .await?;
    Ok(rows.into_iter().map(|(hour, exchanges, refusals)| Bar { hour, exchanges, refusals }).collect())
}

/// What a caller called from an hour on, by server, name and outcome.
pub(crate) async fn of_caller(store: &Store, caller: &str, person: &str, since: i64) -> Result<Vec<CallSum>> {
    composed_sql!(
        "SELECT server_id, kind, name, outcome, {SUMS} FROM call_hours
         WHERE caller = $1 AND person = $2 AND hour >= $3
         GROUP BY server_id, kind, name, outcome ORDER BY n DESC, server_id, kind, name, outcome";
        caller, person, since
    )
    .all(store)
    .await
}

row! { "call_hours" => ServerCalls { server = "server_id", calls = "n", failed } }

/// How much each server was called from an hour on, most calls first, at most `limit` servers.
pub(crate) async fn by_server(store: &Store, key: Option<&str>, since: i64, limit: i64) -> Result<Vec<ServerCalls>> {
    composed_sql!(
        "SELECT h.server_id AS server_id, CAST(SUM(h.calls) AS BIGINT) AS n,
                CAST(SUM(CASE WHEN h.outcome = 'ok' THEN 0 ELSE h.calls END) AS BIGINT) AS failed
         FROM call_hours AS h WHERE h.hour >= $1 AND {OF_KEY}
         GROUP BY h.server_id ORDER BY n DESC, h.server_id LIMIT $2";
        since, limit, key
    )
    .all(store)
    .await
}

row! { "call_hours" => CallerSum { caller, person, name, person_name, calls = "n", failed, last_at } }

/// Who called a server from an hour on.
pub(crate) async fn callers(
    store: &Store,
    id: &McpServerId,
    key: Option<&str>,
    since: i64,
    limit: i64,
) -> Result<Vec<CallerSum>> {
    composed_sql!(
        "SELECT s.caller AS caller, s.person AS person, COALESCE(c.name, a.name, t.name) AS name,
                COALESCE(p.name, o.name) AS person_name, s.n AS n, s.failed AS failed, s.last_at AS last_at
         FROM (SELECT caller, person, CAST(SUM(calls) AS BIGINT) AS n,
                      CAST(SUM(CASE WHEN outcome = 'ok' THEN 0 ELSE calls END) AS BIGINT) AS failed,
                      MAX(last_at) AS last_at
               FROM call_hours AS h WHERE server_id = $1 AND hour >= $2 AND {OF_KEY}
               GROUP BY caller, person ORDER BY n DESC, caller, person LIMIT $4) AS s
              LEFT JOIN credentials AS c ON c.client_id = s.caller
              LEFT JOIN clients AS a ON a.client_id = s.caller
              LEFT JOIN personal_tokens AS t ON t.id = s.caller
              LEFT JOIN people AS p ON p.id = s.person
              LEFT JOIN people AS o ON o.id = t.person_id
         ORDER BY s.n DESC, s.caller, s.person";
        id, since, key, limit
    )
    .all(store)
    .await
}

row! { "calls" => CalledFrom { address, server = "server_id", kind, name, calls = "n", first_at, last_at } }

/// The columns of a [`CalledFrom`].
pub(crate) const CALLED_FROM: &str = "COALESCE(address, '') AS address, server_id, kind, name, COUNT(*) AS n,
     MIN(at) AS first_at, MAX(at) AS last_at";
/// The condition of calls that reached a server.
pub(crate) const REACHED: &str = "outcome NOT IN ('forbidden', 'blocked', 'limited')";
/// The rows of a [`CalledFrom`], most calls first.
pub(crate) const BY_ADDRESS: &str =
    "GROUP BY COALESCE(address, ''), server_id, kind, name ORDER BY n DESC, 1, server_id, kind, name";

/// What the latest calls of a caller called within a time, by address, most calls first. Calls that did not reach a
/// server are left out.
pub(crate) async fn by_address(
    store: &Store,
    caller: &str,
    person: &str,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<CalledFrom>> {
    composed_sql!(
        "SELECT {CALLED_FROM} FROM calls
         WHERE caller = $1 AND person = $2 AND at >= $3 AND at <= $4 AND {REACHED} {BY_ADDRESS}";
        caller, person, from, until
    )
    .all(store)
    .await
}

row! { "calls" => RecordedCall {
    at, server = "server_id", kind, name, outcome, milliseconds, request_id, address
} }

/// The latest calls of a caller, the newest first.
pub(crate) async fn latest(store: &Store, caller: &str, person: &str, limit: i64) -> Result<Vec<RecordedCall>> {
    sql!(
        "SELECT at, server_id, kind, name, outcome, milliseconds, request_id, address FROM calls
         WHERE caller = $1 AND person = $2 ORDER BY at DESC, request_id DESC, place DESC LIMIT $3";
        caller, person, limit
    )
    .all(store)
    .await
}
