//! `ledger`, and the reads and writes of the issuing transaction. Each statement serves a whole batch, handed over as
//! one JSON parameter: a placeholder a value costs twice as much.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Columns, Store, StoreError, Transaction, to_json};
use crate::base62;
use crate::clock::Timestamp;
use crate::credential::inspect::Impact;
use crate::id::{ClientId, McpServerId, SecretId, TokenId};
use crate::scope::Scopes;
use crate::secret::SecretHash;
use crate::token::ledger::{Issued, SecretState};

/// The state of the secrets with these hashes and of their credentials, by position in `hashes`; unknown ones are
/// left out. A row that makes no sense is the error of its own position: it must not refuse its neighbours.
pub(crate) async fn secret_states(
    transaction: &mut Transaction,
    hashes: &[&SecretHash],
    now: Timestamp,
) -> Result<HashMap<usize, Result<SecretState, String>>, StoreError> {
    let hashes: Vec<&str> = hashes.iter().map(|hash| hash.as_str()).collect();
    let rows = sqlx::query(
        "SELECT asked.key AS position, s.id AS secret_id, s.expires_at AS secret_expires_at,
                s.revoked_at AS secret_revoked_at, s.last_used_at AS secret_last_used_at,
                s.last_used_from AS secret_last_used_from, c.client_id AS client_id, c.scopes AS scopes,
                c.mcp_servers AS mcp_servers, c.token_lifetime AS token_lifetime, c.ip_ranges AS ip_ranges,
                c.hard_end_at AS hard_end_at, c.disabled_at AS disabled_at, c.revoked_at AS revoked_at,
                (SELECT kid FROM signing_keys WHERE active_from <= $2 AND (retired_at IS NULL OR retired_at > $2)
                 ORDER BY active_from DESC LIMIT 1) AS kid
         FROM json_each($1) AS asked
         JOIN client_secrets AS s ON s.hash = asked.value
         JOIN credentials AS c ON c.client_id = s.client_id",
    )
    .bind(to_json(&hashes))
    .bind(now.millis())
    .fetch_all(&mut **transaction)
    .await?;
    rows.iter()
        .map(|row| {
            let position = Columns::of("client_secrets", row).number("position")?;
            let state = secret_state(row).map_err(|error| error.to_string());
            Ok((usize::try_from(position).unwrap_or(usize::MAX), state))
        })
        .collect()
}

fn secret_state(row: &AnyRow) -> Result<SecretState, StoreError> {
    let columns = Columns::of("client_secrets", row);
    let servers: Vec<String> = columns.json("mcp_servers")?;
    let ip_ranges: Vec<String> = columns.json("ip_ranges")?;
    let lifetime: Option<i64> = row.try_get("token_lifetime")?;
    let last_used_from = columns.optional_text("secret_last_used_from")?;
    Ok(SecretState {
        secret_id: columns.parsed("secret_id", SecretId::parse)?,
        client_id: columns.parsed("client_id", ClientId::parse)?,
        secret_expires_at: columns.optional_moment("secret_expires_at")?,
        secret_revoked_at: columns.optional_moment("secret_revoked_at")?,
        secret_last_used_at: columns.optional_moment("secret_last_used_at")?,
        secret_last_used_from: last_used_from.and_then(|address| address.parse().ok()),
        scopes: columns.parsed("scopes", Scopes::parse)?,
        servers: servers.iter().filter_map(|id| McpServerId::parse(id)).collect(),
        token_lifetime: lifetime.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        // A range that cannot be read must not turn into "from anywhere".
        ip_ranges: ip_ranges
            .iter()
            .map(|range| {
                let detail = format!("ip_ranges holds {range:?}");
                range.parse().map_err(|_| StoreError::Inconsistent { table: "credentials", detail })
            })
            .collect::<Result<_, _>>()?,
        hard_end_at: columns.optional_moment("hard_end_at")?,
        disabled_at: columns.optional_moment("disabled_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        kid: columns.optional_text("kid")?,
    })
}

pub(crate) async fn insert(transaction: &mut Transaction, issued: &[Issued]) -> Result<(), StoreError> {
    let rows: Vec<_> = issued
        .iter()
        .map(|entry| {
            json!([
                entry.jti.as_str(),
                entry.client_id.as_str(),
                entry.secret_id.as_str(),
                entry.server_id.as_str(),
                entry.scope.to_string(),
                entry.issued_at.millis(),
                entry.expires_at.millis(),
                entry.address.map(|address| address.to_string()),
            ])
        })
        .collect();
    sqlx::query(
        "INSERT INTO ledger (jti, client_id, secret_id, server_id, scope, issued_at, expires_at, address)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
         FROM json_each($1)",
    )
    .bind(to_json(&rows))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Notes the last use of these secrets and of their credentials, and a credential's first.
pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    uses: &[(&SecretId, &ClientId, Option<IpAddr>)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows: Vec<_> = uses
        .iter()
        .map(|(secret, client, address)| {
            json!([secret.as_str(), client.as_str(), address.map(|address| address.to_string())])
        })
        .collect();
    let rows = to_json(&rows);
    sqlx::query(
        "UPDATE client_secrets SET last_used_at = $2, last_used_from = used.address
         FROM (SELECT value ->> 0 AS id, value ->> 2 AS address FROM json_each($1)) AS used
         WHERE client_secrets.id = used.id",
    )
    .bind(&rows)
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "UPDATE credentials SET last_used_at = $2, last_used_from = used.address,
                verified_at = COALESCE(credentials.verified_at, $2)
         FROM (SELECT value ->> 1 AS client_id, value ->> 2 AS address FROM json_each($1)) AS used
         WHERE credentials.client_id = used.client_id",
    )
    .bind(&rows)
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a protected resource must know of a token beyond its signature.
pub(crate) struct TokenState {
    pub credential_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub secret_revoked_at: Option<Timestamp>,
    pub credential_disabled_at: Option<Timestamp>,
    pub credential_revoked_at: Option<Timestamp>,
    pub hard_end_at: Option<Timestamp>,
}

pub(crate) async fn token_state(store: &Store, jti: &TokenId) -> Result<Option<TokenState>, StoreError> {
    sqlx::query(
        "SELECT c.name AS name, l.revoked_at AS token_revoked_at, s.revoked_at AS secret_revoked_at,
                c.disabled_at AS disabled_at, c.revoked_at AS revoked_at, c.hard_end_at AS hard_end_at
         FROM ledger AS l JOIN client_secrets AS s ON s.id = l.secret_id
         JOIN credentials AS c ON c.client_id = l.client_id WHERE l.jti = $1",
    )
    .bind(jti.as_str())
    .fetch_optional(store.reads())
    .await?
    .map(|row| {
        let columns = Columns::of("ledger", &row);
        Ok(TokenState {
            credential_name: columns.text("name")?,
            token_revoked_at: columns.optional_moment("token_revoked_at")?,
            secret_revoked_at: columns.optional_moment("secret_revoked_at")?,
            credential_disabled_at: columns.optional_moment("disabled_at")?,
            credential_revoked_at: columns.optional_moment("revoked_at")?,
            hard_end_at: columns.optional_moment("hard_end_at")?,
        })
    })
    .transpose()
}

/// See [`Impact`]. `day_ago` and `longest_ago` bound the part of the index that is read.
pub(crate) async fn impact(
    store: &Store,
    client_id: &ClientId,
    now: Timestamp,
    day_ago: Timestamp,
    longest_ago: Timestamp,
) -> Result<Impact, StoreError> {
    let day = sqlx::query(
        "SELECT COUNT(*) AS exchanges, COUNT(DISTINCT address) AS addresses FROM ledger
         WHERE client_id = $1 AND jti >= $2",
    )
    .bind(client_id.as_str())
    .bind(first_jti(day_ago))
    .fetch_one(store.reads())
    .await?;
    let live = sqlx::query(
        "SELECT COUNT(*) AS tokens, MAX(expires_at) AS last_end FROM ledger
         WHERE client_id = $1 AND jti >= $2 AND expires_at > $3 AND revoked_at IS NULL",
    )
    .bind(client_id.as_str())
    .bind(first_jti(longest_ago))
    .bind(now.millis())
    .fetch_one(store.reads())
    .await?;
    let (day, live) = (Columns::of("ledger", &day), Columns::of("ledger", &live));
    Ok(Impact {
        exchanges: day.number("exchanges")?,
        addresses: day.number("addresses")?,
        live_tokens: live.number("tokens")?,
        last_token_ends_at: live.optional_moment("last_end")?,
    })
}

/// The smallest `jti` that can have been issued at `moment`.
fn first_jti(moment: Timestamp) -> String {
    format!("tok_{}", base62::fixed_width(u64::try_from(moment.millis()).unwrap_or(0), 9))
}

/// One exchange, for the list of recent ones.
pub struct RecentExchange {
    /// When.
    pub issued_at: Timestamp,
    /// Granted scopes.
    pub scope: String,
    /// For which MCP server.
    pub server: Option<McpServerId>,
    /// From where.
    pub address: Option<String>,
}

/// The newest exchanges of a credential.
pub(crate) async fn recent(store: &Store, client_id: &ClientId, limit: i64) -> Result<Vec<RecentExchange>, StoreError> {
    sqlx::query(
        "SELECT issued_at, scope, server_id, address FROM ledger WHERE client_id = $1 ORDER BY jti DESC LIMIT $2",
    )
    .bind(client_id.as_str())
    .bind(limit)
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("ledger", row);
        Ok(RecentExchange {
            issued_at: columns.moment("issued_at")?,
            scope: columns.text("scope")?,
            server: McpServerId::parse(&columns.text("server_id")?),
            address: columns.optional_text("address")?,
        })
    })
    .collect()
}
