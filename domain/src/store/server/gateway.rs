//! `server_gateways`, `gateway_tools` and `destructive_uses`.

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::model::server::gateway::call::CallerKey;
use crate::model::server::gateway::rules::Rules;
use crate::model::server::gateway::tools::{Definition, Tool};
use crate::model::server::gateway::{CallLimits, Gateway, UpstreamGreeting, UpstreamRefusal};
use crate::store::{Columns, FromRow, On, Result, Transaction, composed_sql, row, sql, to_json};

const SELECT: &str = "SELECT server_id, slug, upstream, header_name, identity_since, on_change, reports_destructive,
     calls_per_minute, concurrent_calls, calls_per_minute_each, concurrent_calls_each, limits_enforced_since, rules,
     prompts, greeting_name, greeting_protocol, greeted_at, refused_status, refused_at FROM server_gateways";

row! { "server_gateways" => Gateway {
    slug, upstream, header = "header_name", sends_identity = "identity_since", on_change, reports_destructive,
    limits: limits, rules: |columns| columns.json::<Rules>("rules"), prompts, greeting: greeting, refusal: refusal
} }

fn limits(columns: &Columns<'_>) -> Result<CallLimits> {
    let limit = |column| -> Result<Option<u32>> {
        let number: Option<i64> = columns.get(column)?;
        let read =
            |number: i64| u32::try_from(number).map_err(|_| columns.inconsistent(format!("{column} is {number}")));
        number.map(read).transpose()
    };
    Ok(CallLimits {
        per_minute: limit("calls_per_minute")?,
        concurrent: limit("concurrent_calls")?,
        per_minute_each: limit("calls_per_minute_each")?,
        concurrent_each: limit("concurrent_calls_each")?,
        is_enforced: columns.get("limits_enforced_since")?,
    })
}

fn greeting(columns: &Columns<'_>) -> Result<Option<UpstreamGreeting>> {
    let Some(at) = columns.get("greeted_at")? else { return Ok(None) };
    Ok(Some(UpstreamGreeting { name: columns.get("greeting_name")?, protocol: columns.get("greeting_protocol")?, at }))
}

fn refusal(columns: &Columns<'_>) -> Result<Option<UpstreamRefusal>> {
    let Some(at) = columns.get("refused_at")? else { return Ok(None) };
    Ok(Some(UpstreamRefusal { status: columns.get("refused_status")?, at }))
}

impl FromRow for (McpServerId, Gateway) {
    const TABLE: Option<&'static str> = Gateway::TABLE;

    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        Ok((columns.get("server_id")?, Gateway::from_row(columns)?))
    }
}

pub(crate) async fn find(on: impl On<'_>, id: &McpServerId) -> Result<Option<Gateway>> {
    composed_sql!("{SELECT} WHERE server_id = $1"; id).optional(on).await
}

/// The gateway with this slug, and its server.
pub(crate) async fn find_by_slug(on: impl On<'_>, slug: &str) -> Result<Option<(McpServerId, Gateway)>> {
    composed_sql!("{SELECT} WHERE slug = $1"; slug).optional(on).await
}

/// Every gateway, with its server.
pub(crate) async fn list(on: impl On<'_>) -> Result<Vec<(McpServerId, Gateway)>> {
    composed_sql!("{SELECT} ORDER BY slug").all(on).await
}

pub(crate) async fn insert(transaction: &mut Transaction, id: &McpServerId, gateway: &Gateway) -> Result<()> {
    sql!(
        "INSERT INTO server_gateways (server_id, slug, upstream, on_change, rules, prompts)
         VALUES ($1, $2, $3, $4, $5, '[]')";
        id, gateway.slug, gateway.upstream, gateway.on_change, to_json(&gateway.rules)
    )
    .execute(transaction)
    .await
}

/// Writes what an administrator may change, except the header and the rules.
pub(crate) async fn update(
    transaction: &mut Transaction,
    id: &McpServerId,
    gateway: &Gateway,
    now: Timestamp,
) -> Result<()> {
    let since = |is_on: bool| is_on.then_some(now);
    let limits = gateway.limits;
    let number = |limit: Option<u32>| limit.map(i64::from);
    sql!(
        "UPDATE server_gateways SET upstream = $1, identity_since = $2, on_change = $3, reports_destructive = $4,
             calls_per_minute = $5, concurrent_calls = $6, calls_per_minute_each = $7, concurrent_calls_each = $8,
             limits_enforced_since = $9 WHERE server_id = $10";
        gateway.upstream, since(gateway.sends_identity), gateway.on_change, since(gateway.reports_destructive),
        number(limits.per_minute), number(limits.concurrent), number(limits.per_minute_each),
        number(limits.concurrent_each), since(limits.is_enforced), id
    )
    .execute(transaction)
    .await
}

/// Sets the header with which we prove ourselves: its name, and its wrapped value. `None` removes it. What the server
/// refused before means nothing any more.
pub(crate) async fn set_header(
    transaction: &mut Transaction,
    id: &McpServerId,
    header: Option<(&str, &str)>,
) -> Result<()> {
    let sql = "UPDATE server_gateways SET header_name = $1, header_value = $2, refused_status = NULL, refused_at = NULL
               WHERE server_id = $3";
    let (name, value) = header.unzip();
    sql!(sql; name, value, id).execute(transaction).await
}

/// The wrapped value of the header.
pub(crate) async fn header_value(on: impl On<'_>, id: &McpServerId) -> Result<Option<String>> {
    let sql = "SELECT header_value FROM server_gateways WHERE server_id = $1 AND header_value IS NOT NULL";
    sql!(sql; id).optional(on).await
}

pub(crate) async fn set_rules(transaction: &mut Transaction, id: &McpServerId, rules: &Rules) -> Result<()> {
    sql!("UPDATE server_gateways SET rules = $1 WHERE server_id = $2"; to_json(rules), id).execute(transaction).await
}

/// Stores what the server said about itself, and the prompts that it has. It took our header, so an earlier refusal is
/// over.
pub(crate) async fn set_greeting(
    transaction: &mut Transaction,
    id: &McpServerId,
    greeting: &UpstreamGreeting,
    prompts: &[String],
) -> Result<()> {
    let sql = "UPDATE server_gateways SET greeting_name = $1, greeting_protocol = $2, greeted_at = $3, prompts = $4,
                   refused_status = NULL, refused_at = NULL WHERE server_id = $5";
    sql!(sql; greeting.name, greeting.protocol, greeting.at, to_json(&prompts), id).execute(transaction).await
}

/// Stores that the server refused our header; `None`: it takes it again. Returns whether that is news.
pub(crate) async fn set_refusal(
    transaction: &mut Transaction,
    id: &McpServerId,
    refusal: Option<UpstreamRefusal>,
) -> Result<bool> {
    let (status, at) = refusal.map(|refusal| (refusal.status, refusal.at)).unzip();
    let sql = "UPDATE server_gateways SET refused_status = $1, refused_at = $2
               WHERE server_id = $3 AND (refused_at IS NULL) = (CAST($2 AS BIGINT) IS NOT NULL)";
    sql!(sql; status, at, id).changed(transaction).await
}

row! { "gateway_tools" => Tool {
    name, accepted: |columns| definition(columns, "accepted"), accepted_at,
    seen: |columns| definition(columns, "seen"), seen_at
} }

fn definition(columns: &Columns<'_>, column: &str) -> Result<Option<Definition>> {
    Ok(columns.get::<Option<String>>(column)?.map(Definition::from_stored))
}

/// The tools of a server, by name.
pub(crate) async fn tools(on: impl On<'_>, id: &McpServerId) -> Result<Vec<Tool>> {
    let sql = "SELECT name, accepted, accepted_at, seen, seen_at FROM gateway_tools WHERE server_id = $1 ORDER BY name";
    sql!(sql; id).all(on).await
}

/// Stores the definition that the server sends now.
pub(crate) async fn set_seen(
    transaction: &mut Transaction,
    id: &McpServerId,
    name: &str,
    seen: &Definition,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO gateway_tools (server_id, name, seen, seen_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (server_id, name) DO UPDATE SET seen = excluded.seen, seen_at = excluded.seen_at";
    sql!(sql; id, name, seen.as_str(), now).execute(transaction).await
}

/// Stores that the server no longer has the tool. A tool that was never accepted is forgotten.
pub(crate) async fn set_gone(transaction: &mut Transaction, id: &McpServerId, name: &str) -> Result<()> {
    let forget = "DELETE FROM gateway_tools WHERE server_id = $1 AND name = $2 AND accepted IS NULL";
    sql!(forget; id, name).execute(&mut *transaction).await?;
    let sql = "UPDATE gateway_tools SET seen = NULL, seen_at = NULL WHERE server_id = $1 AND name = $2";
    sql!(sql; id, name).execute(transaction).await
}

/// Accepts the definitions that the server sends now, and forgets the tools that it no longer has.
pub(crate) async fn accept(transaction: &mut Transaction, id: &McpServerId, now: Timestamp) -> Result<()> {
    let forget = "DELETE FROM gateway_tools WHERE server_id = $1 AND seen IS NULL";
    sql!(forget; id).execute(&mut *transaction).await?;
    let sql = "UPDATE gateway_tools SET accepted = seen, accepted_at = $1
               WHERE server_id = $2 AND (accepted IS NULL OR accepted <> seen)";
    sql!(sql; now, id).execute(transaction).await
}

/// Stores the first use of a destructive tool by a caller; false when there was one before.
pub(crate) async fn insert_destructive_use(
    transaction: &mut Transaction,
    id: &McpServerId,
    caller: &CallerKey,
    name: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO destructive_uses (caller, person, server_id, name, first_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (caller, person, server_id, name) DO NOTHING";
    sql!(sql; caller.id, caller.person, id, name, now).changed(transaction).await
}
