//! Batches on PostgreSQL: one statement that reads, and one that writes and commits.
//!
//! A round trip to the database's process costs more than most of the work done there. So each statement serves a whole
//! batch, which is one JSON parameter, and answers with one row of JSON lists. A separate parameter, row or column for
//! each value costs twice as much.
//!
//! A transaction that stays open during the decision would cost two more round trips. Instead the second statement
//! writes only if the audit log still ends where it ended when the first statement read it, and it keeps the log from
//! growing until the commit. All data that a decision uses changes only together with an audit entry. If the log has
//! grown, the batch is decided again.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::server::McpServer;
use crate::model::token::ClientProof;
use crate::store::columns::list;
use crate::store::connection::pool::Patience;
use crate::store::connection::postgres::{ChangeLock, LONGEST_OF_BATCH};
use crate::store::credential::authenticators::{KEYS_OF_CLIENT, KeyRow};
use crate::store::operations::keys::signing_at;
use crate::store::server;
use crate::store::token::batch::{
    AuthenticatorTable, BatchOutcome, BatchState, IDENTITIES, KEYS, LEDGER_COLUMNS, LedgerEntry, ProofState, SECRETS,
    StateRow,
};
use crate::store::{Columns, Engine, Result, Store, StoreError, to_json};

/// The tables of authenticators, each with the parameter that holds the look-ups in it: lists of positions in the batch
/// and keys.
const LOOKED_UP: [(&AuthenticatorTable, &str); 3] = [(&SECRETS, "$2"), (&KEYS, "$3"), (&IDENTITIES, "$4")];

const LEDGER_VALUES: &str = "value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
    CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT), value ->> 7";

/// Reads the data for the decisions of a batch at the moment `$1`.
static READ: LazyLock<String> = LazyLock::new(|| {
    let keys = list(Engine::Postgres, "active_from, alg, kid");
    let states = LOOKED_UP.map(|(kind, parameter)| states(kind, parameter)).join(", ");
    format!(
        "SELECT (SELECT seq FROM audit_head WHERE id = 1) AS head,
             (SELECT {keys} FROM signing_keys WHERE retired_at IS NULL OR retired_at > $1) AS signing_keys,
             {states}"
    )
});

/// A column of the answer: a list of pairs, each of a position in the batch and the list of a state.
fn states(kind: &AuthenticatorTable, parameter: &str) -> String {
    let AuthenticatorTable { table, key, .. } = kind;
    let elements = Engine::Postgres.elements(parameter, "asked");
    let list =
        list(Engine::Postgres, &format!("CAST(asked.value ->> 0 AS BIGINT), json_build_array({})", kind.columns()));
    format!(
        "(SELECT {list} FROM {elements} JOIN {table} AS a ON a.{key} = asked.value ->> 1
          JOIN credentials AS c ON c.client_id = a.client_id) AS {table}"
    )
}

/// Writes the entries in `$1`, uses up the assertions in `$2`, commits, and returns the assertions that were not used
/// before. Does nothing unless the audit log ends at `$3`.
///
/// When this statement holds the shared lock, no change is in progress. Locking the row of `audit_head` then
/// returns the value of the newest commit, even if that commit happened after this statement began.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    let (entries, used) = (Engine::Postgres.elements("$1", "e"), Engine::Postgres.elements("$2", "a"));
    let turn = ChangeLock::Shared.expression();
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
         left_for_rollup AS (
             INSERT INTO pending_exchanges (jti, agent) SELECT value ->> 0, value ->> 9 FROM entries)
         SELECT '' AS client_id, '' AS jti FROM unchanged UNION ALL SELECT client_id, jti FROM used"
    )
});

/// Reads the keys of the clients in `$1`, each with its position and the moment: a list of positions and [`KeyRow`]s.
static KEYS_OF_CLIENTS: LazyLock<String> = LazyLock::new(|| {
    let of_one = KEYS_OF_CLIENT.replace("$1", "(asked.value ->> 1)").replace("$2", "CAST(asked.value ->> 2 AS BIGINT)");
    let row = "token_endpoint_audience_since, reusable_assertions_since, restored_at, revoked_at, created_at, id, jwk,
               jwks_uri, document, stopped_at, ends_at";
    let list = list(Engine::Postgres, &format!("CAST(asked.value ->> 0 AS BIGINT), json_build_array({row})"));
    let asked = Engine::Postgres.elements("$1", "asked");
    format!("SELECT {list} AS keys FROM {asked} CROSS JOIN LATERAL ({of_one}) AS keys_of_client")
});

/// The parameters `$2` to `$4` of [`READ`].
fn asked(proofs: &[&ClientProof]) -> [String; 3] {
    LOOKED_UP.map(|(kind, _)| {
        let of_kind = proofs.iter().enumerate().filter_map(|(position, proof)| {
            AuthenticatorTable::of(proof).filter(|(found, _)| found.table == kind.table).map(|(_, key)| (position, key))
        });
        to_json(&of_kind.collect::<Vec<_>>())
    })
}

fn batch_state(rows: &[AnyRow], asked: usize, now: Timestamp) -> Result<BatchState, StoreError> {
    let columns = Columns::of("ledger", rows.first().ok_or(sqlx::Error::RowNotFound)?);
    let mut states: Vec<Option<ProofState>> = Vec::new();
    states.resize_with(asked, || None);
    for (kind, _) in LOOKED_UP {
        let rows: Vec<(usize, Box<RawValue>)> = columns.json(kind.table)?;
        for (position, row) in rows {
            if let Some(state) = states.get_mut(position) {
                *state = Some(StateRow::parse(row.get(), kind.table));
            }
        }
    }
    Ok(BatchState { head: columns.get("head")?, signing: signing_at(columns.json("signing_keys")?, now), states })
}

pub(crate) async fn keys(store: &Store, asked: &[(&ClientId, Timestamp)]) -> Result<Vec<Vec<KeyRow>>, StoreError> {
    let positions = asked.iter().enumerate();
    let parameter: Vec<_> =
        positions.map(|(position, (client_id, since))| (position, client_id.as_str(), since.millis())).collect();
    let patience = patience(store);
    let mut connection = store.read_connection().await?;
    let found = sqlx::query(KEYS_OF_CLIENTS.as_str()).bind(to_json(&parameter));
    let row = match patience.wait(found.fetch_one(&mut *connection)).await {
        Ok(row) => row,
        Err(error) => {
            drop(connection.detach());
            return Err(error.into());
        }
    };
    let rows: Vec<(usize, KeyRow)> = Columns::of("client_keys", &row).json("keys")?;
    let mut keys: Vec<Vec<KeyRow>> = asked.iter().map(|_| Vec::new()).collect();
    for (position, row) in rows {
        if let Some(of_one) = keys.get_mut(position) {
            of_one.push(row);
        }
    }
    Ok(keys)
}

/// How long a statement of a batch is waited for.
fn patience(store: &Store) -> Patience {
    store.patience().shortened(LONGEST_OF_BATCH)
}

/// A connection, kept from one batch to the next while requests wait. To return it to the pool and take it again would
/// cost two more round trips.
pub(crate) struct Batches {
    patience: Patience,
    store: Store,
    connection: Option<PoolConnection<Any>>,
    /// Whether the batch took the shared lock in a transaction before it read.
    is_held: bool,
}

impl Batches {
    pub(crate) fn new(store: Store) -> Self {
        Self { patience: patience(&store), store, connection: None, is_held: false }
    }

    /// Returns the connection to the pool until the next batch.
    pub(crate) fn release(&mut self) {
        self.connection = None;
    }

    pub(crate) async fn read(
        &mut self,
        proofs: &[&ClientProof],
        now: Timestamp,
        held: bool,
    ) -> Result<BatchState, StoreError> {
        self.is_held = held;
        let was_kept = self.connection.is_some();
        match self.try_read(proofs, now).await {
            // A connection that broke while it was unused says nothing about the database.
            Err(_) if was_kept => self.try_read(proofs, now).await,
            read => read,
        }
    }

    async fn try_read(&mut self, proofs: &[&ClientProof], now: Timestamp) -> Result<BatchState, StoreError> {
        let [secrets, keys, identities] = asked(proofs);
        let mut connection = self.take().await?;
        if self.is_held
            && let Err(error) = self.patience.wait(hold(&mut connection)).await
        {
            return self.keep_if_ok(connection, Err(error));
        }
        let read = sqlx::query(READ.as_str()).bind(now.millis()).bind(secrets).bind(keys).bind(identities);
        let rows = self.patience.wait(read.fetch_all(&mut *connection)).await;
        let read = rows.map_err(StoreError::from).and_then(|rows| batch_state(&rows, proofs.len(), now));
        self.keep_if_ok(connection, read)
    }

    pub(crate) async fn mcp_servers(&mut self) -> Result<Vec<McpServer>, StoreError> {
        let mut connection = self.take().await?;
        let servers = self.patience.wait(server::list(&mut *connection)).await;
        self.keep_if_ok(connection, servers)
    }

    pub(crate) async fn write(&mut self, head: i64, entries: &[LedgerEntry<'_>]) -> Result<BatchOutcome, StoreError> {
        let mut connection = self.take().await?;
        let written = match self.patience.wait(write(&mut connection, head, entries)).await {
            Ok(written) if self.is_held => self.patience.wait(end(&mut connection, "COMMIT")).await.map(|()| written),
            written => written,
        };
        self.keep_if_ok(connection, written)
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), StoreError> {
        if self.is_held {
            let mut connection = self.take().await?;
            let ended = self.patience.wait(end(&mut connection, "ROLLBACK")).await;
            self.keep_if_ok(connection, ended)?;
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<PoolConnection<Any>, StoreError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.store.ledger_connection().await,
        }
    }

    /// Keeps the connection after a success. After a failure the connection is closed, and this also ends a transaction
    /// that is still open in it.
    fn keep_if_ok<T>(
        &mut self,
        connection: PoolConnection<Any>,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &result {
            Ok(_) => self.connection = Some(connection),
            Err(_) => drop(connection.detach()),
        }
        result
    }
}

/// Begins a transaction during which no change happens.
async fn hold(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(format!("SELECT {}", ChangeLock::Shared.expression()))).execute(connection).await?;
    Ok(())
}

async fn end(connection: &mut AnyConnection, how: &'static str) -> Result<(), StoreError> {
    sqlx::query(how).execute(connection).await?;
    Ok(())
}

async fn write(
    connection: &mut AnyConnection,
    head: i64,
    entries: &[LedgerEntry<'_>],
) -> Result<BatchOutcome, StoreError> {
    let found = sqlx::query(WRITE.as_str())
        .bind(to_json(&entries.iter().map(EntryRow::from).collect::<Vec<_>>()))
        .bind(to_json(&single_uses(entries)))
        .bind(head)
        .fetch_all(connection)
        .await?;
    // The one row without a name says that the audit log ended as expected.
    if found.is_empty() { Ok(BatchOutcome::Outdated) } else { Ok(BatchOutcome::Committed(names(&found)?)) }
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

impl<'batch> From<&LedgerEntry<'batch>> for EntryRow<'batch> {
    fn from(entry: &LedgerEntry<'batch>) -> Self {
        let LedgerEntry { issued, single_use } = entry;
        Self(
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
    }
}

/// The assertions to use up: client, `jti`, and until when the use must be remembered.
fn single_uses<'batch>(entries: &'batch [LedgerEntry<'batch>]) -> Vec<(&'batch str, &'batch str, i64)> {
    entries
        .iter()
        .filter_map(|entry| {
            let once = entry.single_use?;
            Some((entry.issued.client_id.as_str(), once.jti.as_str(), once.until.millis()))
        })
        .collect()
}

fn names(rows: &[AnyRow]) -> Result<HashSet<(String, String)>, StoreError> {
    rows.iter()
        .map(|row| {
            let columns = Columns::of("used_assertions", row);
            Ok((columns.get("client_id")?, columns.get("jti")?))
        })
        .collect()
}
