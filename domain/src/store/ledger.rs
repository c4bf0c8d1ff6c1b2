//! `ledger`, and the reads and writes of the issuing transaction. Each statement serves a whole batch, handed over as
//! one JSON parameter: a placeholder a value costs twice as much.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row};

use super::{Columns, Store, StoreError, Transaction, to_json};
use crate::base62;
use crate::clock::Timestamp;
use crate::credential::inspect::Impact;
use crate::id::{AuthenticatorId, ClientId, McpServerId, TokenId};
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::token::assertion::SingleUse;
use crate::token::ledger::{AuthenticatorState, Issued, Proof};

/// One statement a kind of authenticator, alike but for the table, how a row is found, and whether it has an expiry.
macro_rules! select_states {
    ($table:literal, $column:literal, $ends:literal, $asked:literal) => {
        concat!(
            "SELECT 'state' AS what, asked.value ->> 0 AS position, a.id AS id, a.status_index AS status_index, ",
            $ends,
            ", a.revoked_at AS authenticator_revoked_at, a.last_used_at AS last_used_at,
              a.last_used_from AS last_used_from, c.client_id AS client_id, c.scopes AS scopes,
              c.mcp_servers AS mcp_servers, c.token_lifetime AS token_lifetime, c.ip_ranges AS ip_ranges,
              c.hard_end_at AS hard_end_at, c.disabled_at AS disabled_at, c.revoked_at AS revoked_at,
              c.jwt_bearer_since AS jwt_bearer_since, c.reusable_assertions_since AS reusable_assertions_since
              FROM json_each(",
            $asked,
            ") AS asked JOIN ",
            $table,
            " AS a ON a.",
            $column,
            " = asked.value ->> 1 JOIN credentials AS c ON c.client_id = a.client_id"
        )
    };
}

const SECRET_STATES: &str =
    select_states!("client_secrets", "hash", "a.expires_at AS expires_at, a.retires_at AS retires_at", "$2");
const KEY_STATES: &str =
    select_states!("client_keys", "id", "a.expires_at AS expires_at, a.retires_at AS retires_at", "$3");
const IDENTITY_STATES: &str = select_states!(
    "federated_identities",
    "id",
    "CAST(NULL AS BIGINT) AS expires_at, CAST(NULL AS BIGINT) AS retires_at",
    "$4"
);

/// What a batch is decided on, as it was when its transaction began.
pub(crate) struct BatchState {
    /// The number of the newest audit entry: whatever is only changed with one is as it was at that number.
    pub head: i64,
    /// The signing key in force, by algorithm.
    pub signing: HashMap<String, String>,
    /// The state of what is presented and of its credentials, by position in the batch; unknown ones are left out. A row
    /// that makes no sense is the error of its own position: it must not refuse its neighbours.
    pub states: HashMap<usize, Result<AuthenticatorState, String>>,
}

/// The transaction of a batch.
///
/// Each word to the database is a hand-over to the thread of its connection and back, which costs more than most of the
/// statements: so a batch is one text that begins the transaction and reads, and one that writes and commits. SQLite runs
/// several statements of one text; sqlx numbers their parameters together.
pub(crate) struct Batch {
    connection: PoolConnection<Any>,
    is_open: bool,
}

impl Batch {
    /// Begins the transaction and reads what its requests are decided on.
    pub(crate) async fn begin(
        store: &Store,
        proofs: &[&Proof],
        now: Timestamp,
    ) -> Result<(Self, BatchState), StoreError> {
        let connection = store.exchange_connection().await?;
        let [secrets, keys, identities] = asked(proofs);
        let sql = AssertSqlSafe(format!(
            "BEGIN IMMEDIATE;
             SELECT 'head' AS what, seq FROM audit_head WHERE id = 1;
             SELECT 'key' AS what, alg, kid FROM signing_keys
             WHERE active_from <= $1 AND (retired_at IS NULL OR retired_at > $1) ORDER BY active_from;
             {SECRET_STATES}; {KEY_STATES}; {IDENTITY_STATES}"
        ));
        let mut batch = Self { is_open: true, connection };
        let rows = sqlx::query(sql)
            .bind(now.millis())
            .bind(secrets)
            .bind(keys)
            .bind(identities)
            .fetch_all(&mut *batch.connection)
            .await;
        let read = rows.map_err(StoreError::from).and_then(|rows| BatchState::of(&rows, proofs.len()));
        match read {
            Ok(read) => Ok((batch, read)),
            Err(error) => {
                batch.abandon().await;
                Err(error)
            }
        }
    }

    /// The connection, for what not every batch needs.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// Writes the entries, counts them in this hour, and commits.
    pub(crate) async fn commit(mut self, issued: &[&Issued], hour: i64) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO ledger (jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
            FROM json_each($1);
            INSERT INTO usage_hours (client_id, hour, exchanges)
            SELECT key, $3, value FROM json_each($2) WHERE 1 = 1
            ON CONFLICT (client_id, hour) DO UPDATE SET exchanges = usage_hours.exchanges + excluded.exchanges;
            COMMIT";
        let mut counts: HashMap<&str, i64> = HashMap::new();
        for entry in issued {
            *counts.entry(entry.client_id.as_str()).or_default() += 1;
        }
        let written = sqlx::query(SQL)
            .bind(entries(issued))
            .bind(to_json(&counts))
            .bind(hour)
            .execute(&mut *self.connection)
            .await;
        match written {
            Ok(_) => {
                self.is_open = false;
                Ok(())
            }
            Err(error) => {
                self.abandon().await;
                Err(error.into())
            }
        }
    }

    /// Ends the transaction and leaves nothing behind.
    pub(crate) async fn abandon(mut self) {
        // Where it cannot be told whether it ended, the connection is closed when this is dropped, and the transaction with
        // it.
        self.is_open = sqlx::query("ROLLBACK").execute(&mut *self.connection).await.is_err();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.is_open {
            self.connection.close_on_drop();
        }
    }
}

impl BatchState {
    fn of(rows: &[AnyRow], requests: usize) -> Result<Self, StoreError> {
        let mut read = Self { head: 0, signing: HashMap::new(), states: HashMap::with_capacity(requests) };
        for row in rows {
            let columns = Columns::of("ledger", row);
            match columns.text("what")?.as_str() {
                "head" => read.head = columns.number("seq")?,
                // Of several the newest comes last and stays.
                "key" => drop(read.signing.insert(columns.text("alg")?, columns.text("kid")?)),
                _ => read_state(row, &mut read.states)?,
            }
        }
        Ok(read)
    }
}

fn read_state(row: &AnyRow, states: &mut HashMap<usize, Result<AuthenticatorState, String>>) -> Result<(), StoreError> {
    let position = Columns::of("credentials", row).number("position")?;
    let state = authenticator_state(row).map_err(|error| error.to_string());
    states.insert(usize::try_from(position).unwrap_or(usize::MAX), state);
    Ok(())
}

/// What the statements of secrets, keys and identities are asked for: positions and what is presented.
fn asked(proofs: &[&Proof]) -> [String; 3] {
    let (mut secrets, mut keys, mut identities) = (Vec::new(), Vec::new(), Vec::new());
    for (position, proof) in proofs.iter().enumerate() {
        match proof {
            Proof::Secret(hash) => secrets.push((position, hash.as_str())),
            Proof::Assertion { authenticator, .. } => match authenticator {
                AuthenticatorId::Secret(_) => {}
                AuthenticatorId::Key(id) => keys.push((position, id.as_str())),
                AuthenticatorId::Federated(id) => identities.push((position, id.as_str())),
            },
        }
    }
    [to_json(&secrets), to_json(&keys), to_json(&identities)]
}

/// The state of one proof and its credential, outside of a batch.
pub(crate) async fn authenticator_state_of(
    transaction: &mut Transaction,
    proof: &Proof,
) -> Result<Option<Result<AuthenticatorState, String>>, StoreError> {
    let [secrets, keys, identities] = asked(&[proof]);
    let sql = match proof {
        Proof::Assertion { authenticator: AuthenticatorId::Key(_), .. } => KEY_STATES,
        Proof::Assertion { authenticator: AuthenticatorId::Federated(_), .. } => IDENTITY_STATES,
        Proof::Secret(_) | Proof::Assertion { .. } => SECRET_STATES,
    };
    // The statements number their parameters as those of a batch do.
    let rows =
        sqlx::query(sql).bind(0_i64).bind(secrets).bind(keys).bind(identities).fetch_all(&mut **transaction).await?;
    let mut states = HashMap::new();
    for row in &rows {
        read_state(row, &mut states)?;
    }
    Ok(states.remove(&0))
}

fn authenticator_state(row: &AnyRow) -> Result<AuthenticatorState, StoreError> {
    let columns = Columns::of("credentials", row);
    let servers: Vec<String> = columns.json("mcp_servers")?;
    let ip_ranges: Vec<String> = columns.json("ip_ranges")?;
    let lifetime: Option<i64> = row.try_get("token_lifetime")?;
    let last_used_from = columns.optional_text("last_used_from")?;
    Ok(AuthenticatorState {
        id: columns.parsed("id", AuthenticatorId::parse)?,
        client_id: columns.parsed("client_id", ClientId::parse)?,
        status_index: columns.number("status_index")?,
        expires_at: columns.optional_moment("expires_at")?,
        retires_at: columns.optional_moment("retires_at")?,
        authenticator_revoked_at: columns.optional_moment("authenticator_revoked_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: last_used_from.and_then(|address| address.parse().ok()),
        jwt_bearer: columns.optional_moment("jwt_bearer_since")?.is_some(),
        reusable_assertions: columns.optional_moment("reusable_assertions_since")?.is_some(),
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
    })
}

/// Uses these assertions up; returns those that were not used before.
pub(crate) async fn use_assertions(
    connection: &mut AnyConnection,
    used: &[(&ClientId, &SingleUse)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let rows: Vec<_> =
        used.iter().map(|(client, once)| json!([client.as_str(), once.jti, once.until.millis()])).collect();
    sqlx::query(
        "INSERT INTO used_assertions (client_id, jti, expires_at)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE 1 = 1
         ON CONFLICT (client_id, jti) DO NOTHING RETURNING client_id, jti",
    )
    .bind(to_json(&rows))
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("used_assertions", row);
        Ok((columns.text("client_id")?, columns.text("jti")?))
    })
    .collect()
}

/// The entries as one parameter.
fn entries(issued: &[&Issued]) -> String {
    let rows: Vec<_> = issued
        .iter()
        .map(|entry| {
            (
                entry.jti.as_str(),
                entry.client_id.as_str(),
                entry.authenticator.as_str(),
                entry.server_id.as_str(),
                entry.scope.to_string(),
                entry.issued_at.millis(),
                entry.expires_at.millis(),
                entry.origin.address.map(|address| address.to_string()),
            )
        })
        .collect();
    to_json(&rows)
}

/// Notes the last use of these authenticators and of their credentials, and a credential's first.
pub(crate) async fn mark_used(
    connection: &mut AnyConnection,
    uses: &[&Issued],
    now: Timestamp,
) -> Result<(), StoreError> {
    macro_rules! update {
        ($table:literal) => {
            concat!(
                "UPDATE ",
                $table,
                " SET last_used_at = $2, last_used_from = used.address
                 FROM (SELECT value ->> 0 AS id, value ->> 2 AS address FROM json_each($1)) AS used WHERE ",
                $table,
                ".id = used.id"
            )
        };
    }
    let rows = |wanted: fn(&AuthenticatorId) -> bool| {
        let rows: Vec<_> = uses
            .iter()
            .filter(|issued| wanted(&issued.authenticator))
            .map(|issued| {
                let address = issued.origin.address.map(|address| address.to_string());
                json!([issued.authenticator.as_str(), issued.client_id.as_str(), address, issued.origin.agent])
            })
            .collect();
        (!rows.is_empty()).then(|| to_json(&rows))
    };
    for (sql, rows) in [
        (update!("client_secrets"), rows(|id| matches!(id, AuthenticatorId::Secret(_)))),
        (update!("client_keys"), rows(|id| matches!(id, AuthenticatorId::Key(_)))),
        (update!("federated_identities"), rows(|id| matches!(id, AuthenticatorId::Federated(_)))),
        (
            "UPDATE credentials SET last_used_at = $2, last_used_from = used.address, last_used_agent = used.agent,
                    verified_at = COALESCE(credentials.verified_at, $2)
             FROM (SELECT value ->> 1 AS client_id, value ->> 2 AS address, value ->> 3 AS agent
                   FROM json_each($1)) AS used
             WHERE credentials.client_id = used.client_id",
            rows(|_| true),
        ),
    ] {
        if let Some(rows) = rows {
            sqlx::query(sql).bind(rows).bind(now.millis()).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Notes that a client proved itself for something else than a token.
pub(crate) async fn mark_authenticated(
    transaction: &mut Transaction,
    state: &AuthenticatorState,
    origin: &Origin,
    now: Timestamp,
) -> Result<(), StoreError> {
    let address = origin.address.map(|address| address.to_string());
    let authenticator = match &state.id {
        AuthenticatorId::Secret(_) => "UPDATE client_secrets SET last_used_at = $1, last_used_from = $2 WHERE id = $3",
        AuthenticatorId::Key(_) => "UPDATE client_keys SET last_used_at = $1, last_used_from = $2 WHERE id = $3",
        AuthenticatorId::Federated(_) => {
            "UPDATE federated_identities SET last_used_at = $1, last_used_from = $2 WHERE id = $3"
        }
    };
    sqlx::query(authenticator)
        .bind(now.millis())
        .bind(address.as_deref())
        .bind(state.id.as_str())
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE credentials SET last_used_at = $1, last_used_from = $2, last_used_agent = $3,
                verified_at = COALESCE(verified_at, $1) WHERE client_id = $4",
    )
    .bind(now.millis())
    .bind(address.as_deref())
    .bind(origin.agent.as_deref())
    .bind(state.client_id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a protected resource must know of a token beyond its signature.
pub(crate) struct TokenState {
    pub credential_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub authenticator_revoked_at: Option<Timestamp>,
    pub authenticator_retires_at: Option<Timestamp>,
    pub credential_disabled_at: Option<Timestamp>,
    pub credential_revoked_at: Option<Timestamp>,
    pub hard_end_at: Option<Timestamp>,
}

pub(crate) async fn token_state(store: &Store, jti: &TokenId) -> Result<Option<TokenState>, StoreError> {
    sqlx::query(
        "SELECT c.name AS name, l.revoked_at AS token_revoked_at, c.disabled_at AS disabled_at,
                c.revoked_at AS revoked_at, c.hard_end_at AS hard_end_at,
                COALESCE(s.revoked_at, k.revoked_at, f.revoked_at) AS authenticator_revoked_at,
                COALESCE(s.retires_at, k.retires_at) AS retires_at
         FROM ledger AS l JOIN credentials AS c ON c.client_id = l.client_id
              LEFT JOIN client_secrets AS s ON s.id = l.authenticator_id
              LEFT JOIN client_keys AS k ON k.id = l.authenticator_id
              LEFT JOIN federated_identities AS f ON f.id = l.authenticator_id
         WHERE l.jti = $1",
    )
    .bind(jti.as_str())
    .fetch_optional(store.reads())
    .await?
    .map(|row| {
        let columns = Columns::of("ledger", &row);
        Ok(TokenState {
            credential_name: columns.text("name")?,
            token_revoked_at: columns.optional_moment("token_revoked_at")?,
            authenticator_revoked_at: columns.optional_moment("authenticator_revoked_at")?,
            authenticator_retires_at: columns.optional_moment("retires_at")?,
            credential_disabled_at: columns.optional_moment("disabled_at")?,
            credential_revoked_at: columns.optional_moment("revoked_at")?,
            hard_end_at: columns.optional_moment("hard_end_at")?,
        })
    })
    .transpose()
}

/// Ends one token; false when there is no such live one.
pub(crate) async fn revoke_token(
    transaction: &mut Transaction,
    jti: &TokenId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result = sqlx::query("UPDATE ledger SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL")
        .bind(now.millis())
        .bind(jti.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// Condition: what the token `l` was made with still works at the moment in this parameter.
macro_rules! is_of_live_authenticator {
    ($now:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM client_secrets AS a WHERE a.id = l.authenticator_id
                         AND (a.revoked_at IS NOT NULL OR a.retires_at <= ",
            $now,
            ")) AND NOT EXISTS (SELECT 1 FROM client_keys AS a WHERE a.id = l.authenticator_id
                         AND (a.revoked_at IS NOT NULL OR a.retires_at <= ",
            $now,
            ")) AND NOT EXISTS (SELECT 1 FROM federated_identities AS a WHERE a.id = l.authenticator_id
                         AND a.revoked_at IS NOT NULL)"
        )
    };
}
pub(super) use is_of_live_authenticator;

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
    let live = sqlx::query(concat!(
        "SELECT COUNT(*) AS tokens, MAX(l.expires_at) AS last_end FROM ledger AS l
         WHERE l.client_id = $1 AND l.jti >= $2 AND l.expires_at > $3 AND l.revoked_at IS NULL AND ",
        is_of_live_authenticator!("$3")
    ))
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

/// What was done with a credential since a moment.
pub struct Reach {
    /// Exchanges.
    pub exchanges: i64,
    /// The addresses they came from with how many each, most first.
    pub addresses: Vec<(String, i64)>,
    /// The MCP servers the tokens were for, with how many each.
    pub servers: Vec<(McpServerId, i64)>,
}

/// See [`Reach`]. At most `most` addresses.
pub(crate) async fn reach(
    store: &Store,
    client_id: &ClientId,
    since: Timestamp,
    most: i64,
) -> Result<Reach, StoreError> {
    let addresses = sqlx::query(
        "SELECT COALESCE(address, '') AS address, COUNT(*) AS n FROM ledger WHERE client_id = $1 AND jti >= $2
         GROUP BY COALESCE(address, '') ORDER BY n DESC, address LIMIT $3",
    )
    .bind(client_id.as_str())
    .bind(first_jti(since))
    .bind(most)
    .fetch_all(store.reads())
    .await?;
    let servers = sqlx::query(
        "SELECT server_id, COUNT(*) AS n FROM ledger WHERE client_id = $1 AND jti >= $2
         GROUP BY server_id ORDER BY n DESC",
    )
    .bind(client_id.as_str())
    .bind(first_jti(since))
    .fetch_all(store.reads())
    .await?;
    let count = |row: &AnyRow| Columns::of("ledger", row).number("n");
    Ok(Reach {
        exchanges: servers.iter().map(count).sum::<Result<i64, _>>()?,
        addresses: addresses
            .iter()
            .map(|row| Ok((Columns::of("ledger", row).text("address")?, count(row)?)))
            .collect::<Result<_, StoreError>>()?,
        servers: servers
            .iter()
            .map(|row| Ok((Columns::of("ledger", row).parsed("server_id", McpServerId::parse)?, count(row)?)))
            .collect::<Result<_, StoreError>>()?,
    })
}

/// The smallest `jti` that can have been issued at `moment`.
pub(super) fn first_jti(moment: Timestamp) -> String {
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
