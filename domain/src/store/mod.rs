//! Every SQL statement of Countersign, one file a table or two, each returning domain types.
//!
//! # Rules
//!
//! The statements are portable, so that the same text serves SQLite and PostgreSQL: columns are TEXT and BIGINT,
//! placeholders are `$1`, booleans are nullable moments, sums are `CAST(… AS BIGINT)`, a conflict is recognised by its kind
//! and never by a constraint's name. Where one statement reads or writes a whole batch it takes the batch as one JSON
//! parameter; [`Engine::elements`] makes a table of it.
//!
//! # Connections
//!
//! Reads have connections of their own. A change ([`Store::begin`]) commits to the disk: an acknowledged revocation
//! survives a power cut. The ledger's commits need not wait for the disk: an exchange survives a killed process, and a
//! power cut too where the operator wants it ([`LedgerDurability`]).
//!
//! Changes happen one at a time, and none while a batch of exchanges is decided and written. SQLite has one writer
//! anyway: both begin IMMEDIATE, because a transaction that starts as a reader and then writes fails with "database is
//! locked" when another writer came between. On PostgreSQL a change takes a lock of which everything that must not overlap
//! with one takes a share. So a decision that rests on several rows is safe without a thought about isolation levels,
//! and the two engines behave alike. The rejected
//! alternative, serialisable transactions, makes every caller ready to repeat.

pub mod audit;
pub mod client;
pub mod connection;
pub mod credential;
pub mod incident;
pub mod operations;
pub mod person;
#[cfg(test)]
mod plans;
pub mod server;
pub mod token;
pub mod webhook;

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Row};

use crate::base::clock::Timestamp;
use crate::store::connection::postgres::{self, Turn};
use crate::store::connection::sqlite;
use crate::store::connection::transaction::Turns;

pub use connection::transaction::Transaction;
pub use connection::url::{DatabaseUrl, PostgresUrl};

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Unreachable, busy beyond the time limit, out of space, or broken.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A value that must be unique exists already.
    #[error("the value exists already")]
    Conflict,
    /// A row that the rules cannot have produced.
    #[error("inconsistent row in {table}: {detail}")]
    Inconsistent {
        /// The table of the row.
        table: &'static str,
        /// Which column, and how it is wrong; never a secret value.
        detail: String,
    },
    /// The schema belongs to a newer version of the program.
    #[error("the database was written by a newer version (it has migration {0}, which this version does not know)")]
    NewerSchema(i64),
    /// A migration was edited after it had been applied, or failed.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migration(String),
    /// The database's file cannot be made or opened.
    #[error("the database file cannot be used: {0}")]
    File(#[source] std::io::Error),
    /// The address is none that is supported.
    #[error("{0}")]
    Address(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(sqlx::Error::AnyDriverError(Box::new(error)))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Conflict,
            _ => Self::Unavailable(error),
        }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    url: DatabaseUrl,
    options: StoreOptions,
    reads: AnyPool,
    changes: AnyPool,
    ledger: AnyPool,
    turns: Turns,
    /// SQLite's file, of a server.
    file: Option<Arc<std::fs::File>>,
}

/// How the database is used.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// What an exchange survives.
    pub ledger_durability: LedgerDurability,
    /// Most connections to PostgreSQL, at least [`StoreOptions::FEWEST_CONNECTIONS`]. SQLite's are fixed.
    pub connections: u32,
    /// Whether this is a server, which others must be able to see: see [`Store::servers`].
    pub is_server: bool,
}

impl StoreOptions {
    /// Fewer connections would make reads wait for writes.
    pub const FEWEST_CONNECTIONS: u32 = 7;
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { ledger_durability: LedgerDurability::Process, connections: 16, is_server: false }
    }
}

/// What an exchange survives. A change that was acknowledged survives all of it, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerDurability {
    /// A killed process of ours. The last moments before a power cut (and, on PostgreSQL, before a crash of the database)
    /// may be forgotten: entries of the ledger, and that an assertion was used.
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
}

/// The database's kind, where statements differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one writer.
    Sqlite,
    /// A server that several processes share.
    Postgres,
}

impl Engine {
    /// The elements of the JSON list in this parameter, as rows of a table `name` with a column `value`. What is inside
    /// is read with `->>`, and numbers are cast.
    pub(crate) fn elements(self, parameter: &str, name: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({parameter}) AS {name}"),
            Self::Postgres => format!("jsonb_array_elements(CAST({parameter} AS JSONB)) AS {name}(value)"),
        }
    }

    /// Ends a subquery that picks rows to change where it does not matter which: what somebody else is changing is left
    /// to them.
    pub(crate) fn leaving_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl Store {
    /// Opens the database, making its file (mode 0600) when it is SQLite's and there is none. Its schema stays as it is
    /// until [`Store::migrate`].
    pub async fn open(url: &DatabaseUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match url {
            DatabaseUrl::Sqlite(path) => sqlite::open(path, options).await,
            DatabaseUrl::Postgres(address) => postgres::open(address, options).await,
        }
    }

    /// Brings the schema up to date. Programs that start at once do it one after the other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => sqlite::migrate(&self.changes, path).await,
            DatabaseUrl::Postgres(address) => postgres::migrate(address).await,
        }
    }

    /// Begins a change: its commit reaches the disk, and there is one at a time, so that it may decide on what it reads.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_in_turn(&self.changes).await,
            Engine::Postgres => postgres::begin(&self.changes, Turn::Whole).await,
        }
    }

    async fn begin_in_turn(&self, pool: &AnyPool) -> Result<Transaction, StoreError> {
        let turn = self.turns.next().await?;
        Ok(Transaction::new(pool.begin_with("BEGIN IMMEDIATE").await?, Some(turn)))
    }

    /// A connection of the ledger, for as long as its holder likes.
    async fn ledger_connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.ledger.acquire().await?)
    }

    /// Begins a transaction of the ledger: no change happens before it ends, but on PostgreSQL others of its kind do.
    pub async fn begin_exchange(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_in_turn(&self.ledger).await,
            Engine::Postgres => postgres::begin(&self.ledger, Turn::Share).await,
        }
    }

    /// Begins a transaction that rolls exchanges up: like one of the ledger, but one at a time on PostgreSQL too.
    pub(crate) async fn begin_rollup(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.begin_exchange().await?;
        if self.engine == Engine::Postgres {
            postgres::wait_for_rollup(&mut transaction).await?;
        }
        Ok(transaction)
    }

    /// Keeps SQLite's log short, so that exchanges need not. Others have their own ways.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match self.engine {
            Engine::Sqlite => sqlite::checkpoint(self).await,
            Engine::Postgres => Ok(()),
        }
    }

    /// How many writers of the ledger the database is fastest with.
    pub(crate) fn ledger_writers(&self) -> u32 {
        match self.engine {
            Engine::Sqlite => 1,
            Engine::Postgres => postgres::LEDGER_WRITERS,
        }
    }

    /// How many connections servers have to a PostgreSQL database at this moment, so that what must not happen beside one
    /// can refuse. Of SQLite the lock on its file tells.
    pub async fn servers(&self) -> Result<i64, StoreError> {
        match self.engine {
            Engine::Sqlite => Ok(0),
            Engine::Postgres => postgres::servers(self.reads()).await,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_one(self.reads()).await?;
        Ok(())
    }

    /// The database's kind.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where the database is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Finishes what is under way and closes every connection.
    pub async fn close(&self) {
        self.reads.close().await;
        self.ledger.close().await;
        self.changes.close().await;
    }

    pub(crate) fn reads(&self) -> &AnyPool {
        &self.reads
    }
}

/// Reads one row's columns into domain types.
struct Columns<'row> {
    table: &'static str,
    row: &'row AnyRow,
}

impl<'row> Columns<'row> {
    fn of(table: &'static str, row: &'row AnyRow) -> Self {
        Self { table, row }
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    fn optional_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    fn moment(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.number(column)?))
    }

    fn optional_moment(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
    }

    /// A column that `parse` must understand.
    fn parsed<T>(&self, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| self.inconsistent(format!("{column} is {text:?}")))
    }

    /// A column that holds JSON.
    fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.inconsistent(format!("{column}: {error}")))
    }

    /// The fault of this row, which it names by the identifier that was read.
    fn inconsistent(&self, detail: String) -> StoreError {
        let id = ["id", "client_id", "jti", "kid", "person_id"]
            .into_iter()
            .find_map(|column| self.row.try_get::<Option<String>, _>(column).ok().flatten());
        let row = id.map_or_else(String::new, |id| format!(" (row {id:?})"));
        StoreError::Inconsistent { table: self.table, detail: format!("{detail}{row}") }
    }
}

/// The aggregate that makes of all rows one JSON list of lists of these columns.
pub(crate) fn list(engine: Engine, columns: &str) -> String {
    match engine {
        Engine::Sqlite => format!("json_group_array(json_array({columns}))"),
        Engine::Postgres => format!("CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT)"),
    }
}

/// A list or an object as JSON text. Values handed to it are strings, numbers and lists of them, which JSON always
/// can represent.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

fn millis(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::millis)
}
