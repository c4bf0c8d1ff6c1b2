//! Batches on SQLite: a connection of the ledger's own, used in the ledger's own thread.
//!
//! sqlx gives each connection a thread, and each statement costs a message to that thread and one back. A batch spent
//! more time on waiting for the two threads to wake each other than in SQLite. A direct call costs only the work of the
//! statement. So each row has a statement, prepared once, and nothing is turned into JSON. BEGIN IMMEDIATE comes before
//! the read, so nothing can change between the read and the write.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::server::McpServer;
use crate::model::token::ClientProof;
use crate::store::connection::sqlite;
use crate::store::connection::transaction::WritePermit;
use crate::store::credential::authenticators::{self, KeyRow};
use crate::store::operations::keys::signing_at;
use crate::store::server::{self, ServerRow};
use crate::store::token::batch::{
    AuthenticatorTable, BatchOutcome, BatchState, IDENTITIES, KEYS, LEDGER_COLUMNS, LedgerEntry, ProofState, SECRETS,
    StateRow, damaged,
};
use crate::store::{Result, Store, StoreError};

/// How many statements stay prepared: all statements of this module.
const STATEMENTS: usize = 16;

const HEAD: &str = "SELECT seq FROM audit_head WHERE id = 1";
const SIGNING_KEYS: &str = "SELECT active_from, alg, kid FROM signing_keys
                            WHERE retired_at IS NULL OR retired_at > ?1";
const LEAVE_FOR_ROLLUP: &str = "INSERT INTO pending_exchanges (jti, agent) VALUES (?1, ?2)";

static SECRET: LazyLock<String> = LazyLock::new(|| select(&SECRETS));
static KEY: LazyLock<String> = LazyLock::new(|| select(&KEYS));
static IDENTITY: LazyLock<String> = LazyLock::new(|| select(&IDENTITIES));
static ENTRY: LazyLock<String> =
    LazyLock::new(|| format!("INSERT INTO ledger ({LEDGER_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));

static KEYS_OF_CLIENT: LazyLock<String> = LazyLock::new(|| numbered(authenticators::KEYS_OF_CLIENT));
static USE_ASSERTION: LazyLock<String> = LazyLock::new(|| numbered(super::USE_ASSERTION));

/// A statement for both engines, with the parameters numbered as SQLite does it. SQLite takes `$2` for a name, and
/// numbers each name by its first place in the text.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn select(kind: &AuthenticatorTable) -> String {
    kind.select(&kind.columns(), "?1")
}

/// The connection, and the permit to write.
pub(crate) struct Batches {
    store: Store,
    path: PathBuf,
    connection: Option<Connection>,
    /// Held from the beginning of a batch to its end.
    permit: Option<WritePermit>,
}

impl Batches {
    pub(crate) fn new(store: Store, path: PathBuf) -> Self {
        Self { store, path, connection: None, permit: None }
    }

    pub(crate) async fn read(&mut self, proofs: &[&ClientProof], now: Timestamp) -> Result<BatchState, StoreError> {
        let permit = sqlite::batch_permit(&self.store).await?;
        if self.connection.is_none() {
            self.connection = Some(with_statements(sqlite::open_for_batches(&self.store, &self.path)?));
        }
        self.permit = Some(permit);
        self.attempt(|connection| {
            run(connection, "BEGIN IMMEDIATE")?;
            read(connection, proofs, now)
        })
    }

    pub(crate) fn mcp_servers(&mut self) -> Result<Vec<McpServer>, StoreError> {
        self.attempt(mcp_servers_in)
    }

    pub(crate) fn write(&mut self, entries: &[LedgerEntry<'_>]) -> Result<BatchOutcome, StoreError> {
        let written = self.attempt(|connection| {
            let fresh = write(connection, entries)?;
            run(connection, "COMMIT")?;
            Ok(BatchOutcome::Committed(fresh))
        });
        self.permit = None;
        written
    }

    pub(crate) fn roll_back(&mut self) -> Result<(), StoreError> {
        let ended = self.attempt(|connection| run(connection, "ROLLBACK"));
        self.permit = None;
        ended
    }

    /// Keeps the connection after a success. After a failure the connection is closed, and this also ends a transaction
    /// that is still open in it. A full disk has ended the transaction already; an invalid statement has not.
    fn attempt<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // Without this connection the batch has ended: another connection would not be in its transaction.
        let connection = self.connection.take().ok_or(sqlx::Error::PoolClosed)?;
        let done = work(&connection);
        match &done {
            Ok(_) => self.connection = Some(connection),
            Err(_) => {
                drop(connection);
                self.permit = None;
            }
        }
        done
    }
}

/// Finds keys on a separate connection, which does not wait for writers.
pub(crate) struct KeyLookups {
    path: PathBuf,
    connection: Option<Connection>,
}

impl KeyLookups {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, connection: None }
    }

    pub(crate) fn keys(&mut self, asked: &[(&ClientId, Timestamp)]) -> Result<Vec<Vec<KeyRow>>, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => with_statements(sqlite::open_for_lookups(&self.path)?),
        };
        let found =
            asked.iter().map(|(client_id, since)| keys(&connection, client_id, *since)).collect::<Result<_, _>>()?;
        // After an error the next look-up opens another connection: this one may be broken.
        self.connection = Some(connection);
        Ok(found)
    }
}

/// The connection, with a cache large enough for all prepared statements of this module.
fn with_statements(connection: Connection) -> Connection {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn read(connection: &Connection, proofs: &[&ClientProof], now: Timestamp) -> Result<BatchState, StoreError> {
    let head = connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0))?;
    let keys = connection
        .prepare_cached(SIGNING_KEYS)?
        .query_map([now.millis()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let states = proofs.iter().map(|proof| state(connection, proof)).collect::<Result<_, _>>()?;
    Ok(BatchState { head, signing: signing_at(keys, now), states })
}

fn state(connection: &Connection, proof: &ClientProof) -> Result<Option<ProofState>, StoreError> {
    let Some((kind, found)) = AuthenticatorTable::of(proof) else { return Ok(None) };
    let sql = match kind.table {
        table if table == SECRETS.table => &SECRET,
        table if table == KEYS.table => &KEY,
        _ => &IDENTITY,
    };
    let mut statement = connection.prepare_cached(sql)?;
    let state = statement.query_row([found], |row| {
        Ok(match state_row(row) {
            Ok(row) => row.state(kind.table),
            Err(error) => Err(damaged(kind.table, &row.get::<_, String>(0).unwrap_or_default(), error)),
        })
    });
    Ok(state.optional()?)
}

/// Reads [`AuthenticatorTable::columns`].
fn state_row<'row>(row: &'row Row<'_>) -> rusqlite::Result<StateRow<'row>> {
    let text = |index: usize| -> rusqlite::Result<Cow<'row, str>> { Ok(row.get_ref(index)?.as_str()?.into()) };
    Ok(StateRow {
        id: text(0)?,
        client_id: text(1)?,
        status_index: row.get(2)?,
        expires_at: row.get(3)?,
        retires_at: row.get(4)?,
        authenticator_revoked_at: row.get(5)?,
        last_used_at: row.get(6)?,
        last_used_from: row.get(7)?,
        jwt_bearer_since: row.get(8)?,
        reusable_assertions_since: row.get(9)?,
        scopes: text(10)?,
        mcp_servers: text(11)?,
        token_lifetime: row.get(12)?,
        ip_ranges: text(13)?,
        hard_end_at: row.get(14)?,
        disabled_at: row.get(15)?,
        revoked_at: row.get(16)?,
        team: text(17)?,
    })
}

fn keys(connection: &Connection, client_id: &ClientId, since: Timestamp) -> Result<Vec<KeyRow>, StoreError> {
    let mut statement = connection.prepare_cached(&KEYS_OF_CLIENT)?;
    let rows = statement.query_map(params![client_id.as_str(), since.millis()], |row| {
        Ok(KeyRow {
            token_endpoint_audience_since: row.get(0)?,
            reusable_assertions_since: row.get(1)?,
            restored_at: row.get(2)?,
            revoked_at: row.get(3)?,
            created_at: row.get(4)?,
            id: row.get(5)?,
            jwk: row.get(6)?,
            jwks_uri: row.get(7)?,
            document: row.get(8)?,
            stopped_at: row.get(9)?,
            ends_at: row.get(10)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn mcp_servers_in(connection: &Connection) -> Result<Vec<McpServer>, StoreError> {
    let mut statement = connection.prepare_cached(server::SELECT)?;
    let rows = statement.query_map([], |row| {
        Ok(ServerRow {
            id: row.get(0)?,
            resource: row.get(1)?,
            name: row.get(2)?,
            scopes: row.get(3)?,
            token_lifetime: row.get(4)?,
            alg: row.get(5)?,
            built_in_since: row.get(6)?,
            limited_since: row.get(7)?,
            teams: row.get(8)?,
            archived_at: row.get(9)?,
            implied_scopes: row.get(10)?,
        })
    })?;
    rows.map(|row| row?.server()).collect()
}

/// Writes the entries whose assertion was not used before, and returns which assertions those are.
fn write(connection: &Connection, entries: &[LedgerEntry<'_>]) -> Result<HashSet<(String, String)>, StoreError> {
    let mut fresh = HashSet::new();
    let mut entry = connection.prepare_cached(&ENTRY)?;
    let mut leave_for_rollup = connection.prepare_cached(LEAVE_FOR_ROLLUP)?;
    for LedgerEntry { issued, single_use } in entries {
        if let Some(once) = single_use {
            let mut use_assertion = connection.prepare_cached(&USE_ASSERTION)?;
            let client_id = issued.client_id.as_str();
            if use_assertion.execute(params![client_id, once.jti, once.until.millis()])? == 0 {
                continue;
            }
            fresh.insert((client_id.to_owned(), once.jti.clone()));
        }
        entry.execute(params![
            issued.jti.as_str(),
            issued.client_id.as_str(),
            issued.authenticator.as_str(),
            issued.server_id.as_str(),
            issued.scope.to_string(),
            issued.issued_at.millis(),
            issued.expires_at.millis(),
            issued.origin.address.map(|address| address.to_string()),
        ])?;
        leave_for_rollup.execute(params![issued.jti.as_str(), issued.origin.agent.as_deref()])?;
    }
    Ok(fresh)
}
