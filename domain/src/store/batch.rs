//! The reads and writes of the issuing transaction. Each statement serves a whole batch, handed over as one JSON parameter,
//! and what is read comes back as one row of JSON lists: a parameter, a row or a column a value costs twice as much.
//!
//! Each word to the database is a way to another thread or process and back, which costs more than most of the work done
//! there. So a batch is one text that reads, and one that writes and commits.
//!
//! - On SQLite the first begins the transaction IMMEDIATE, so nothing can change before the second.
//! - On PostgreSQL a transaction that is held open for the decision would cost two more words. Instead the second
//!   writes only if the audit log still ends where it did when the first read, and keeps it from growing until it is
//!   committed: whatever a decision rests on is only changed with an entry there. Otherwise the batch is decided anew.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::postgres::Turn;
use super::{BatchTurn, Columns, Engine, Store, StoreError, Transaction, list, to_json};
use crate::clock::Timestamp;
use crate::id::{AuthenticatorId, ClientId, McpServerId};
use crate::mcp_server::McpServer;
use crate::scope::Scopes;
use crate::token::assertion::SingleUse;
use crate::token::ledger::{AuthenticatorState, Issued, Proof};

/// The texts of one engine.
struct Statements {
    /// The state of secrets (`$2`), keys (`$3`) and identities (`$4`), each a list of positions and what is presented.
    states: String,
    /// What else a batch is decided on at the moment `$1`, and the states.
    read: String,
    /// Uses the assertions in `$1` up; returns those that were not used before.
    use_assertions: String,
    /// Writes the entries in `$1` and commits. On PostgreSQL it also uses up the assertions in `$2`, and does nothing unless
    /// the audit log ends at `$3`.
    write: String,
}

static SQLITE: LazyLock<Statements> = LazyLock::new(|| Statements::of(Engine::Sqlite));
static POSTGRES: LazyLock<Statements> = LazyLock::new(|| Statements::of(Engine::Postgres));

/// The authenticators' tables: a row is found by this column, and these are its ends.
const KINDS: [(&str, &str, &str, &str); 3] = [
    ("client_secrets", "hash", "a.expires_at, a.retires_at", "$2"),
    ("client_keys", "id", "a.expires_at, a.retires_at", "$3"),
    ("federated_identities", "id", "CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)", "$4"),
];

const LEDGER_COLUMNS: &str = "jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address";
const LEDGER_VALUES: &str = "value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
    CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT), value ->> 7";

impl Statements {
    fn of(engine: Engine) -> Self {
        let states = Self::states(engine);
        let read = Self::read(engine, &states);
        let use_assertions = format!(
            "INSERT INTO used_assertions (client_id, jti, expires_at)
             SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT) FROM {} WHERE 1 = 1 ORDER BY 1, 2
             ON CONFLICT (client_id, jti) DO NOTHING RETURNING client_id, jti",
            engine.elements("$1", "used")
        );
        let write = match engine {
            Engine::Sqlite => Self::sqlite_write(),
            Engine::Postgres => Self::postgres_write(),
        };
        Self { states, read, use_assertions, write }
    }

    /// Three columns, the secrets', the keys' and the identities': lists of lists that begin with the position in the batch.
    fn states(engine: Engine) -> String {
        KINDS
            .map(|(table, column, ends, parameter)| {
                let elements = engine.elements(parameter, "asked");
                let list = list(
                    engine,
                    &format!(
                        "CAST(asked.value ->> 0 AS BIGINT), a.id, c.client_id, a.status_index, {ends}, a.revoked_at,
                         a.last_used_at, a.last_used_from, c.jwt_bearer_since, c.reusable_assertions_since, c.scopes,
                         c.mcp_servers, c.token_lifetime, c.ip_ranges, c.hard_end_at, c.disabled_at, c.revoked_at"
                    ),
                );
                format!(
                    "(SELECT {list} FROM {elements} JOIN {table} AS a ON a.{column} = asked.value ->> 1
                      JOIN credentials AS c ON c.client_id = a.client_id) AS {table}"
                )
            })
            .join(", ")
    }

    fn read(engine: Engine, states: &str) -> String {
        let begin = match engine {
            Engine::Sqlite => "BEGIN IMMEDIATE; ",
            Engine::Postgres => "",
        };
        let keys = list(engine, "active_from, alg, kid");
        format!(
            "{begin}SELECT (SELECT seq FROM audit_head WHERE id = 1) AS head,
                 (SELECT {keys} FROM signing_keys
                  WHERE active_from <= $1 AND (retired_at IS NULL OR retired_at > $1)) AS signing_keys,
                 {states}"
        )
    }

    /// Whatever fails ends the transaction, so SQLite need not keep what each statement overwrites: OR FAIL.
    fn sqlite_write() -> String {
        format!(
            "INSERT OR FAIL INTO ledger ({LEDGER_COLUMNS}) SELECT {LEDGER_VALUES} FROM json_each($1);
             INSERT OR FAIL INTO unfiled_exchanges (jti, agent) SELECT value ->> 0, value ->> 9 FROM json_each($1);
             COMMIT"
        )
    }

    /// Once it is this batch's turn no change is under way, and locking the head's row reads what the last one left there,
    /// even if that was committed after this statement began.
    fn postgres_write() -> String {
        let (entries, used) = (Engine::Postgres.elements("$1", "e"), Engine::Postgres.elements("$2", "a"));
        let turn = Turn::Share.expression();
        format!(
            "WITH turn AS MATERIALIZED (SELECT {turn} AS taken),
             unchanged AS (SELECT seq FROM audit_head, turn WHERE id = 1 AND seq = $3 FOR SHARE OF audit_head),
             used AS (
                 INSERT INTO used_assertions (client_id, jti, expires_at)
                 SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT) FROM {used}
                 WHERE EXISTS (SELECT 1 FROM unchanged) ORDER BY 1, 2
                 ON CONFLICT (client_id, jti) DO NOTHING RETURNING client_id, jti),
             entries AS (
                 SELECT value FROM {entries}
                 WHERE EXISTS (SELECT 1 FROM unchanged) AND (value ->> 8 IS NULL OR EXISTS
                     (SELECT 1 FROM used WHERE used.client_id = value ->> 1 AND used.jti = value ->> 8))),
             written AS (INSERT INTO ledger ({LEDGER_COLUMNS}) SELECT {LEDGER_VALUES} FROM entries),
             left_to_file AS (
                 INSERT INTO unfiled_exchanges (jti, agent) SELECT value ->> 0, value ->> 9 FROM entries)
             SELECT '' AS client_id, '' AS jti FROM unchanged UNION ALL SELECT client_id, jti FROM used"
        )
    }
}

fn statements(engine: Engine) -> &'static Statements {
    match engine {
        Engine::Sqlite => &SQLITE,
        Engine::Postgres => &POSTGRES,
    }
}

/// What a batch is decided on, as it was at one moment.
pub(crate) struct BatchState {
    /// The number of the newest audit entry: whatever is only changed with one is as it was at that number.
    pub head: i64,
    /// The signing key in force, by algorithm.
    pub signing: HashMap<String, String>,
    /// The state of what is presented and of its credentials, by position in the batch; unknown ones are left out. A row
    /// that makes no sense is the error of its own position: it must not refuse its neighbours.
    pub states: HashMap<usize, Result<AuthenticatorState, String>>,
}

impl BatchState {
    fn of(rows: &[AnyRow]) -> Result<Self, StoreError> {
        let columns = Columns::of("ledger", rows.first().ok_or(sqlx::Error::RowNotFound)?);
        let mut keys: Vec<(i64, String, String)> = columns.json("signing_keys")?;
        // Of several the newest signs.
        keys.sort();
        let signing = keys.into_iter().map(|(_, alg, kid)| (alg, kid)).collect();
        Ok(Self { head: columns.number("head")?, signing, states: states_of(&columns)? })
    }
}

fn states_of(columns: &Columns<'_>) -> Result<HashMap<usize, Result<AuthenticatorState, String>>, StoreError> {
    let mut states = HashMap::new();
    for (table, ..) in KINDS {
        let rows: Vec<Box<RawValue>> = columns.json(table)?;
        for row in rows {
            let (position, state) = match serde_json::from_str::<StateRow>(row.get()) {
                Ok(row) => (row.position, row.state()),
                Err(error) => (position_of(&row), Err(error.to_string())),
            };
            states.insert(position, state);
        }
    }
    Ok(states)
}

/// The position of a row whose other columns make no sense.
fn position_of(row: &RawValue) -> usize {
    let values: Vec<serde_json::Value> = serde_json::from_str(row.get()).unwrap_or_default();
    values
        .first()
        .and_then(serde_json::Value::as_u64)
        .and_then(|position| position.try_into().ok())
        .unwrap_or(usize::MAX)
}

/// The list of a state, in the order of the statement.
#[derive(Deserialize)]
struct StateRow {
    position: usize,
    id: String,
    client_id: String,
    status_index: i64,
    expires_at: Option<i64>,
    retires_at: Option<i64>,
    authenticator_revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    last_used_from: Option<String>,
    jwt_bearer_since: Option<i64>,
    reusable_assertions_since: Option<i64>,
    scopes: String,
    mcp_servers: String,
    token_lifetime: Option<i64>,
    ip_ranges: String,
    hard_end_at: Option<i64>,
    disabled_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl StateRow {
    /// # Errors
    ///
    /// Which column makes no sense.
    fn state(self) -> Result<AuthenticatorState, String> {
        let wrong = |column: &str| format!("{column} of {} makes no sense", self.client_id);
        let moment = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let servers: Vec<String> = serde_json::from_str(&self.mcp_servers).map_err(|_| wrong("mcp_servers"))?;
        let ip_ranges: Vec<String> = serde_json::from_str(&self.ip_ranges).map_err(|_| wrong("ip_ranges"))?;
        Ok(AuthenticatorState {
            id: AuthenticatorId::parse(&self.id).ok_or_else(|| wrong("id"))?,
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| wrong("client_id"))?,
            status_index: self.status_index,
            expires_at: moment(self.expires_at),
            retires_at: moment(self.retires_at),
            authenticator_revoked_at: moment(self.authenticator_revoked_at),
            last_used_at: moment(self.last_used_at),
            last_used_from: self.last_used_from.as_deref().and_then(|address| address.parse().ok()),
            jwt_bearer: self.jwt_bearer_since.is_some(),
            reusable_assertions: self.reusable_assertions_since.is_some(),
            scopes: Scopes::parse(&self.scopes).ok_or_else(|| wrong("scopes"))?,
            servers: servers.iter().filter_map(|id| McpServerId::parse(id)).collect(),
            token_lifetime: self.token_lifetime.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
            // A range that cannot be read must not turn into "from anywhere".
            ip_ranges: ip_ranges
                .iter()
                .map(|range| range.parse().map_err(|_| wrong("ip_ranges")))
                .collect::<Result<_, _>>()?,
            hard_end_at: moment(self.hard_end_at),
            disabled_at: moment(self.disabled_at),
            revoked_at: moment(self.revoked_at),
        })
    }
}

/// One exchange to write.
pub(crate) struct NewEntry<'batch> {
    /// What is written.
    pub issued: &'batch Issued,
    /// The assertion that it uses up. Of a batch no two entries use the same.
    pub single_use: Option<&'batch SingleUse>,
}

/// What became of the entries.
pub(crate) enum Written {
    /// They are committed, but for those whose assertion is not among these (client and `jti`): it was used before.
    Committed(HashSet<(String, String)>),
    /// Something was changed since the batch was read: nothing is written.
    Outdated,
}

/// A connection for batches, kept from one to the next while requests wait: to give it back and take it again are two more
/// words to the database.
pub(crate) struct BatchConnection {
    store: Store,
    connection: Option<PoolConnection<Any>>,
    /// From the beginning of a batch to its end.
    turn: Option<BatchTurn>,
    /// PostgreSQL: whether the batch holds its share of the lock from before it reads, in a transaction.
    is_held: bool,
}

impl BatchConnection {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, connection: None, turn: None, is_held: false }
    }

    /// PostgreSQL: gives the connection back until there is another batch. SQLite's went with the turn.
    pub(crate) fn release(&mut self) {
        self.connection = None;
    }

    /// Reads what the requests are decided on. [`BatchConnection::write`] or [`BatchConnection::leave`] must follow.
    ///
    /// `held`: nothing changes from here to the end of the batch, on PostgreSQL for two more words to the database. For a batch
    /// that changes overtook before: others could go on doing so.
    pub(crate) async fn read(
        &mut self,
        proofs: &[&Proof],
        now: Timestamp,
        held: bool,
    ) -> Result<BatchState, StoreError> {
        self.is_held = held && self.store.engine() == Engine::Postgres;
        let was_kept = self.connection.is_some();
        match self.try_read(proofs, now).await {
            // One that broke while it was not used tells nothing about the database.
            Err(_) if was_kept => self.try_read(proofs, now).await,
            read => read,
        }
    }

    async fn try_read(&mut self, proofs: &[&Proof], now: Timestamp) -> Result<BatchState, StoreError> {
        let [secrets, keys, identities] = asked(proofs);
        self.turn = None;
        self.turn = self.store.batch_turn().await?;
        let mut connection = match self.take().await {
            Ok(connection) => connection,
            Err(error) => {
                self.turn = None;
                return Err(error);
            }
        };
        if self.is_held
            && let Err(error) = hold(&mut connection).await
        {
            return self.settle(connection, Err(error));
        }
        // Not `fetch_one`: it stops at the first statement of the text, which is BEGIN.
        let rows = sqlx::query(statements(self.store.engine()).read.as_str())
            .bind(now.millis())
            .bind(secrets)
            .bind(keys)
            .bind(identities)
            .fetch_all(&mut *connection)
            .await;
        self.settle(connection, rows.map_err(StoreError::from).and_then(|rows| BatchState::of(&rows)))
    }

    /// The MCP servers at this moment of the batch.
    pub(crate) async fn mcp_servers(&mut self) -> Result<Vec<McpServer>, StoreError> {
        let mut connection = self.take().await?;
        let servers = super::mcp_servers::list_in(&mut connection).await;
        self.settle(connection, servers)
    }

    /// Writes the entries and commits. `head` is [`BatchState::head`].
    pub(crate) async fn write(&mut self, head: i64, entries: &[NewEntry<'_>]) -> Result<Written, StoreError> {
        let mut connection = self.take().await?;
        let written = match self.store.engine() {
            Engine::Sqlite => write_sqlite(&mut connection, entries).await,
            Engine::Postgres => {
                let written = write_postgres(&mut connection, head, entries).await;
                match written {
                    Ok(written) if self.is_held => end(&mut connection, "COMMIT").await.map(|()| written),
                    written => written,
                }
            }
        };
        let written = self.settle(connection, written);
        self.end_turn();
        written
    }

    /// Ends the batch and leaves nothing behind.
    pub(crate) async fn leave(&mut self) -> Result<(), StoreError> {
        if self.is_held || self.store.engine() == Engine::Sqlite {
            let mut connection = self.take().await?;
            let ended = end(&mut connection, "ROLLBACK").await;
            self.settle(connection, ended)?;
            self.end_turn();
        }
        Ok(())
    }

    /// SQLite: gives the turn on, and the connection with it.
    fn end_turn(&mut self) {
        if let Some(mut turn) = self.turn.take() {
            *turn = self.connection.take();
        }
    }

    async fn take(&mut self) -> Result<PoolConnection<Any>, StoreError> {
        let of_turn = || self.turn.as_mut().and_then(|turn| turn.take());
        match self.connection.take().or_else(of_turn) {
            Some(connection) => Ok(connection),
            None => self.store.ledger_connection().await,
        }
    }

    /// Keeps the connection after a success. After a failure it is closed, and whatever transaction was open in it ends
    /// with it: it cannot be told whether it did already.
    fn settle<T>(
        &mut self,
        mut connection: PoolConnection<Any>,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &result {
            Ok(_) => self.connection = Some(connection),
            Err(_) => {
                connection.close_on_drop();
                self.turn = None;
            }
        }
        result
    }
}

/// Begins a transaction of PostgreSQL in which nothing changes.
async fn hold(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(format!("SELECT {}", Turn::Share.expression()))).execute(connection).await?;
    Ok(())
}

async fn end(connection: &mut AnyConnection, how: &'static str) -> Result<(), StoreError> {
    sqlx::query(how).execute(connection).await?;
    Ok(())
}

async fn write_sqlite(connection: &mut AnyConnection, entries: &[NewEntry<'_>]) -> Result<Written, StoreError> {
    let once = single_uses(entries);
    let fresh = match once.is_empty() {
        true => HashSet::new(),
        false => use_rows(connection, Engine::Sqlite, &once).await?,
    };
    let is_fresh = |entry: &&NewEntry<'_>| {
        entry.single_use.is_none_or(|once| {
            let key = (entry.issued.client_id.as_str().to_owned(), once.jti.clone());
            fresh.contains(&key)
        })
    };
    let rows = to_json(&rows(entries.iter().filter(is_fresh)));
    sqlx::query(statements(Engine::Sqlite).write.as_str()).bind(rows).execute(connection).await?;
    Ok(Written::Committed(fresh))
}

async fn write_postgres(
    connection: &mut AnyConnection,
    head: i64,
    entries: &[NewEntry<'_>],
) -> Result<Written, StoreError> {
    let found = sqlx::query(statements(Engine::Postgres).write.as_str())
        .bind(to_json(&rows(entries.iter())))
        .bind(to_json(&single_uses(entries)))
        .bind(head)
        .fetch_all(connection)
        .await?;
    // The one row without a name says that the audit log was as expected.
    if found.is_empty() { Ok(Written::Outdated) } else { Ok(Written::Committed(names(&found)?)) }
}

#[derive(Serialize)]
struct EntryRow<'batch>(
    &'batch str,
    &'batch str,
    &'batch str,
    &'batch str,
    String,
    i64,
    i64,
    Option<IpAddr>,
    Option<&'batch str>,
    Option<&'batch str>,
);

/// The entries as one parameter.
fn rows<'batch>(entries: impl Iterator<Item = &'batch NewEntry<'batch>>) -> Vec<EntryRow<'batch>> {
    entries
        .map(|NewEntry { issued, single_use }| {
            EntryRow(
                issued.jti.as_str(),
                issued.client_id.as_str(),
                issued.authenticator.as_str(),
                issued.server_id.as_str(),
                issued.scope.to_string(),
                issued.issued_at.millis(),
                issued.expires_at.millis(),
                issued.origin.address,
                single_use.map(|once| once.jti.as_str()),
                issued.origin.agent.as_deref(),
            )
        })
        .collect()
}

/// The assertions to use up: client, `jti`, and until when the use must be remembered.
fn single_uses<'batch>(entries: &'batch [NewEntry<'batch>]) -> Vec<(&'batch str, &'batch str, i64)> {
    entries
        .iter()
        .filter_map(|entry| {
            let once = entry.single_use?;
            Some((entry.issued.client_id.as_str(), once.jti.as_str(), once.until.millis()))
        })
        .collect()
}

async fn use_rows(
    connection: &mut AnyConnection,
    engine: Engine,
    once: &[(&str, &str, i64)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let sql = statements(engine).use_assertions.as_str();
    names(&sqlx::query(sql).bind(to_json(&once)).fetch_all(connection).await?)
}

fn names(rows: &[AnyRow]) -> Result<HashSet<(String, String)>, StoreError> {
    rows.iter()
        .map(|row| {
            let columns = Columns::of("used_assertions", row);
            Ok((columns.text("client_id")?, columns.text("jti")?))
        })
        .collect()
}

/// Uses one assertion up, outside of a batch; false when it was used before.
pub(crate) async fn use_assertion(
    transaction: &mut Transaction,
    engine: Engine,
    client_id: &ClientId,
    once: &SingleUse,
) -> Result<bool, StoreError> {
    let row = (client_id.as_str(), once.jti.as_str(), once.until.millis());
    Ok(!use_rows(transaction, engine, &[row]).await?.is_empty())
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
pub(crate) async fn authenticator_state(
    transaction: &mut Transaction,
    engine: Engine,
    proof: &Proof,
) -> Result<Option<Result<AuthenticatorState, String>>, StoreError> {
    let [secrets, keys, identities] = asked(&[proof]);
    // The parameters are numbered as those of a batch are; this statement has no moment.
    let states = statements(engine).states.replace("$2", "$1").replace("$3", "$2").replace("$4", "$3");
    let sql = AssertSqlSafe(format!("SELECT {states}"));
    let row = sqlx::query(sql).bind(secrets).bind(keys).bind(identities).fetch_one(&mut **transaction).await?;
    Ok(states_of(&Columns::of("credentials", &row))?.remove(&0))
}
