//! The reads and writes of the issuing transaction. Each statement serves a whole batch, handed over as one JSON parameter,
//! and each row comes back as one JSON text: a parameter or a column a value costs twice as much.
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
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::postgres::Turn;
use super::{BatchTurn, Columns, Engine, Store, StoreError, Transaction, to_json};
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
    /// SQLite: writes the entries in `$1`, counts them in the hour `$2`, and commits.
    write: String,
    /// The same, noting the uses in `$3` at the moment `$4`. On PostgreSQL it is the only one, which also uses up the
    /// assertions in `$5` and does nothing unless the audit log ends at `$6`.
    write_with_uses: String,
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
const ADD_UP: &str =
    "ON CONFLICT (client_id, hour) DO UPDATE SET exchanges = usage_hours.exchanges + excluded.exchanges";
const USES: &str = "value ->> 0 AS id, value ->> 1 AS client_id, value ->> 2 AS address, value ->> 3 AS agent";

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
        let (write, write_with_uses) = match engine {
            Engine::Sqlite => Self::sqlite_writes(),
            Engine::Postgres => (String::new(), Self::postgres_write()),
        };
        Self { states, read, use_assertions, write, write_with_uses }
    }

    /// A row is `what` it is about, its position in the batch, and a JSON list.
    fn states(engine: Engine) -> String {
        let list = list_of(engine);
        KINDS
            .map(|(table, column, ends, parameter)| {
                format!(
                    "SELECT 'state' AS what, CAST(asked.value ->> 0 AS BIGINT) AS position,
                            CAST({list}(a.id, c.client_id, a.status_index, {ends}, a.revoked_at, a.last_used_at,
                                        a.last_used_from, c.jwt_bearer_since, c.reusable_assertions_since, c.scopes,
                                        c.mcp_servers, c.token_lifetime, c.ip_ranges, c.hard_end_at, c.disabled_at,
                                        c.revoked_at) AS TEXT) AS value
                     FROM {} JOIN {table} AS a ON a.{column} = asked.value ->> 1
                          JOIN credentials AS c ON c.client_id = a.client_id",
                    engine.elements(parameter, "asked")
                )
            })
            .join(" UNION ALL ")
    }

    fn read(engine: Engine, states: &str) -> String {
        let list = list_of(engine);
        let begin = match engine {
            Engine::Sqlite => "BEGIN IMMEDIATE; ",
            Engine::Postgres => "",
        };
        format!(
            "{begin}SELECT 'head' AS what, seq AS position, '' AS value FROM audit_head WHERE id = 1
             UNION ALL SELECT 'key', active_from, CAST({list}(alg, kid) AS TEXT) FROM signing_keys
             WHERE active_from <= $1 AND (retired_at IS NULL OR retired_at > $1)
             UNION ALL {states}"
        )
    }

    fn sqlite_writes() -> (String, String) {
        let write = format!(
            "INSERT INTO ledger ({LEDGER_COLUMNS}) SELECT {LEDGER_VALUES} FROM json_each($1);
             INSERT INTO usage_hours (client_id, hour, exchanges)
             SELECT value ->> 1, $2, COUNT(*) FROM json_each($1) WHERE 1 = 1 GROUP BY value ->> 1 {ADD_UP}; "
        );
        let mut with_uses = write.clone();
        for (table, ..) in KINDS {
            with_uses += &format!(
                "UPDATE {table} SET last_used_at = $4, last_used_from = uses.address
                 FROM (SELECT {USES} FROM json_each($3)) AS uses WHERE {table}.id = uses.id; "
            );
        }
        with_uses += &format!(
            "UPDATE credentials SET last_used_at = $4, last_used_from = uses.address, last_used_agent = uses.agent,
                    verified_at = COALESCE(credentials.verified_at, $4)
             FROM (SELECT {USES} FROM json_each($3)) AS uses WHERE credentials.client_id = uses.client_id; "
        );
        (write + "COMMIT", with_uses + "COMMIT")
    }

    /// Once it is this batch's turn no change is under way, and locking the head's row reads what the last one left there,
    /// even if that was committed after this statement began.
    ///
    /// Two writers at once must not wait for each other in a circle: what both add to is taken in order, and a last use
    /// that another is noting at this moment is left to it.
    fn postgres_write() -> String {
        let (entries, uses, used) = (
            Engine::Postgres.elements("$1", "e"),
            Engine::Postgres.elements("$3", "u"),
            Engine::Postgres.elements("$5", "a"),
        );
        let turn = Turn::Share.expression();
        let mut notes = String::new();
        for (table, ..) in KINDS {
            notes += &format!(
                ", noted_{table} AS (
                     UPDATE {table} SET last_used_at = $4, last_used_from = uses.address FROM uses
                     WHERE {table}.id = uses.id AND {table}.id IN
                         (SELECT id FROM {table} WHERE id IN (SELECT id FROM uses) FOR NO KEY UPDATE SKIP LOCKED))"
            );
        }
        format!(
            "WITH turn AS MATERIALIZED (SELECT {turn} AS taken),
             unchanged AS (SELECT seq FROM audit_head, turn WHERE id = 1 AND seq = $6 FOR SHARE OF audit_head),
             used AS (
                 INSERT INTO used_assertions (client_id, jti, expires_at)
                 SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT) FROM {used}
                 WHERE EXISTS (SELECT 1 FROM unchanged) ORDER BY 1, 2
                 ON CONFLICT (client_id, jti) DO NOTHING RETURNING client_id, jti),
             written AS (
                 INSERT INTO ledger ({LEDGER_COLUMNS}) SELECT {LEDGER_VALUES} FROM {entries}
                 WHERE EXISTS (SELECT 1 FROM unchanged) AND (value ->> 8 IS NULL OR EXISTS
                     (SELECT 1 FROM used WHERE used.client_id = value ->> 1 AND used.jti = value ->> 8))
                 RETURNING jti, client_id),
             counted AS (
                 INSERT INTO usage_hours (client_id, hour, exchanges)
                 SELECT client_id, $2, COUNT(*) FROM written GROUP BY client_id ORDER BY client_id {ADD_UP}),
             uses AS (SELECT {USES} FROM {uses} WHERE EXISTS (SELECT 1 FROM unchanged))
             {notes},
             noted AS (
                 UPDATE credentials SET last_used_at = $4, last_used_from = uses.address, last_used_agent = uses.agent,
                        verified_at = COALESCE(credentials.verified_at, $4)
                 FROM uses WHERE credentials.client_id = uses.client_id AND credentials.client_id IN
                     (SELECT client_id FROM credentials WHERE client_id IN (SELECT client_id FROM uses)
                      FOR NO KEY UPDATE SKIP LOCKED))
             SELECT '' AS client_id, '' AS jti FROM unchanged UNION ALL SELECT client_id, jti FROM used"
        )
    }
}

/// The function that makes a JSON list of its arguments.
fn list_of(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "json_array",
        Engine::Postgres => "json_build_array",
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
        let mut read = Self { head: 0, signing: HashMap::new(), states: HashMap::with_capacity(rows.len()) };
        let mut active: HashMap<String, i64> = HashMap::new();
        for row in rows {
            let columns = Columns::of("ledger", row);
            let position = columns.number("position")?;
            match columns.text("what")?.as_str() {
                "head" => read.head = position,
                "key" => {
                    let (alg, kid): (String, String) = columns.json("value")?;
                    // Of several the newest signs.
                    if active.get(&alg).is_none_or(|since| *since <= position) {
                        active.insert(alg.clone(), position);
                        read.signing.insert(alg, kid);
                    }
                }
                _ => read_state(&columns, position, &mut read.states)?,
            }
        }
        Ok(read)
    }
}

fn read_state(
    columns: &Columns<'_>,
    position: i64,
    states: &mut HashMap<usize, Result<AuthenticatorState, String>>,
) -> Result<(), StoreError> {
    let text = columns.text("value")?;
    let state = serde_json::from_str::<StateRow>(&text).map_err(|error| error.to_string()).and_then(StateRow::state);
    states.insert(usize::try_from(position).unwrap_or(usize::MAX), state);
    Ok(())
}

/// The list of a state, in the order of the statement.
#[derive(Deserialize)]
struct StateRow {
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
    /// Whether the last use is worth noting.
    pub is_news: bool,
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

    /// Gives the connection back until there is another batch.
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
        let mut connection = self.take().await?;
        self.turn = None;
        self.turn = self.store.batch_turn().await?;
        if self.is_held
            && let Err(error) = hold(&mut connection).await
        {
            return self.settle(connection, Err(error));
        }
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

    /// Writes the entries, counts them in this hour, and commits. `head` is [`BatchState::head`].
    pub(crate) async fn write(
        &mut self,
        head: i64,
        entries: &[NewEntry<'_>],
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let mut connection = self.take().await?;
        let written = match self.store.engine() {
            Engine::Sqlite => write_sqlite(&mut connection, entries, now).await,
            Engine::Postgres => {
                let written = write_postgres(&mut connection, head, entries, now).await;
                match written {
                    Ok(written) if self.is_held => end(&mut connection, "COMMIT").await.map(|()| written),
                    written => written,
                }
            }
        };
        self.turn = None;
        self.settle(connection, written)
    }

    /// Ends the batch and leaves nothing behind.
    pub(crate) async fn leave(&mut self) -> Result<(), StoreError> {
        if self.is_held || self.store.engine() == Engine::Sqlite {
            let mut connection = self.take().await?;
            let ended = end(&mut connection, "ROLLBACK").await;
            self.turn = None;
            self.settle(connection, ended)?;
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<PoolConnection<Any>, StoreError> {
        match self.connection.take() {
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

async fn write_sqlite(
    connection: &mut AnyConnection,
    entries: &[NewEntry<'_>],
    now: Timestamp,
) -> Result<Written, StoreError> {
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
    let kept: Vec<&NewEntry<'_>> = entries.iter().filter(is_fresh).collect();
    let uses = uses(kept.iter().copied());
    let (rows, hour) = (to_json(&rows(kept.iter().copied())), now.hour());
    let statements = statements(Engine::Sqlite);
    if uses.is_empty() {
        sqlx::query(statements.write.as_str()).bind(rows).bind(hour).execute(connection).await?;
    } else {
        sqlx::query(statements.write_with_uses.as_str())
            .bind(rows)
            .bind(hour)
            .bind(to_json(&uses))
            .bind(now.millis())
            .execute(connection)
            .await?;
    }
    Ok(Written::Committed(fresh))
}

async fn write_postgres(
    connection: &mut AnyConnection,
    head: i64,
    entries: &[NewEntry<'_>],
    now: Timestamp,
) -> Result<Written, StoreError> {
    let found = sqlx::query(statements(Engine::Postgres).write_with_uses.as_str())
        .bind(to_json(&rows(entries.iter())))
        .bind(now.hour())
        .bind(to_json(&uses(entries.iter())))
        .bind(now.millis())
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
);

/// The entries as one parameter.
fn rows<'batch>(entries: impl Iterator<Item = &'batch NewEntry<'batch>>) -> Vec<EntryRow<'batch>> {
    entries
        .map(|NewEntry { issued, single_use, .. }| {
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
            )
        })
        .collect()
}

/// The uses to note, one an authenticator: identifier, credential, address and program.
fn uses<'batch>(
    entries: impl Iterator<Item = &'batch NewEntry<'batch>>,
) -> Vec<(&'batch str, &'batch str, Option<IpAddr>, Option<&'batch str>)> {
    let newest: HashMap<&str, &Issued> = entries
        .filter(|entry| entry.is_news)
        .map(|entry| (entry.issued.authenticator.as_str(), entry.issued))
        .collect();
    newest
        .into_iter()
        .map(|(id, issued)| (id, issued.client_id.as_str(), issued.origin.address, issued.origin.agent.as_deref()))
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
    let sql = AssertSqlSafe(statements(engine).states.replace("$2", "$1").replace("$3", "$2").replace("$4", "$3"));
    let rows = sqlx::query(sql).bind(secrets).bind(keys).bind(identities).fetch_all(&mut **transaction).await?;
    let mut states = HashMap::new();
    for row in &rows {
        read_state(&Columns::of("credentials", row), 0, &mut states)?;
    }
    Ok(states.remove(&0))
}
