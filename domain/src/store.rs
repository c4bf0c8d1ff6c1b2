//! Every SQL statement of Countersign, one file a table or two, each returning domain types.
//!
//! # Rules
//!
//! The statements are portable, so that the same text can serve SQLite and PostgreSQL: columns are TEXT and
//! BIGINT, placeholders are `$1`, booleans are nullable moments, sums are `CAST(… AS BIGINT)`, a conflict is
//! recognised by its kind and never by a constraint's name. Where one statement reads or writes a whole batch it
//! takes the batch as one JSON parameter, which is SQLite's `json_each`.
//!
//! # Connections
//!
//! Reads share a small pool. Every change goes through one connection whose commits reach the disk
//! (`synchronous=FULL`): an acknowledged revocation survives a power cut. The ledger has a connection of its own
//! with `synchronous=NORMAL`: an exchange survives a killed process, and thousands a second need not wait for the
//! disk. Both begin IMMEDIATE, because a transaction that starts as a reader and then writes fails with "database is
//! locked" when another writer came between.

pub mod alerts;
pub mod audit;
pub mod authenticators;
pub mod credentials;
pub mod emergency;
pub mod housekeeping;
pub(crate) mod invitations;
pub mod keys;
pub mod ledger;
pub mod mcp_servers;
mod migrations;
pub mod people;
pub mod sessions;
pub mod status_lists;
pub(crate) mod teams;
pub mod usage;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor, Row};

use crate::clock::Timestamp;

/// Below this version SQLite can corrupt a WAL database that two connections write.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// A transaction; dropped without [`Transaction::commit`] it leaves nothing behind.
pub type Transaction = sqlx::Transaction<'static, Any>;

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
    reads: AnyPool,
    changes: AnyPool,
    ledger: AnyPool,
    path: PathBuf,
}

impl Store {
    /// Opens the database at `sqlite://PATH`, making the file (mode 0600) when there is none. Its schema stays as it is
    /// until [`Store::migrate`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = sqlite_path(url)?;
        private_file(&path, false)?;
        sqlx::any::install_default_drivers();
        // WAL before anything else: changing the mode needs the file alone.
        let changes =
            pool(&path, 1, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;").await?;
        check_sqlite_version(&changes).await?;
        check_journal(&changes).await?;
        let ledger = pool(&path, 1, "PRAGMA synchronous = NORMAL;").await?;
        let reads = pool(&path, 4, "PRAGMA query_only = ON;").await?;
        Ok(Self { reads, changes, ledger, path })
    }

    /// Brings the schema up to date. Programs that start at once do it one after the other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let lock = private_file(&self.path.with_added_extension("migration"), false)?;
        let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
        // Neither a panic nor a shutdown interrupts the waiting.
        let lock = locked.map_err(std::io::Error::other).flatten().map_err(StoreError::File)?;
        migrations::run(&self.changes).await?;
        lock.unlock().map_err(StoreError::File)
    }

    /// Begins a transaction whose commit reaches the disk.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.changes.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The connection of the ledger, for a transaction that is one text to begin and one to end.
    pub(crate) async fn exchange_connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.ledger.acquire().await?)
    }

    /// Begins a transaction of the ledger.
    pub async fn begin_exchange(&self) -> Result<Transaction, StoreError> {
        Ok(self.ledger.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_one(self.reads()).await?;
        Ok(())
    }

    /// Writes a consistent copy (mode 0600) to `target`, a path that must not exist yet, and checks the copy. What could
    /// not be checked is not left behind.
    pub async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        private_file(target, true)?;
        let result = self.copy_into(target).await;
        if result.is_err() {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(target);
        }
        result
    }

    async fn copy_into(&self, target: &Path) -> Result<(), StoreError> {
        let name = target.to_str().ok_or_else(|| StoreError::Address("the path is not valid UTF-8".to_owned()))?;
        sqlx::query("VACUUM INTO $1").bind(name).execute(&self.changes).await?;
        let copy = pool(target, 1, "PRAGMA query_only = ON;").await?;
        let verdict: String = sqlx::query("PRAGMA integrity_check").fetch_one(&copy).await?.try_get(0)?;
        copy.close().await;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::Inconsistent { table: "the copy", detail: verdict }) }
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
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

fn sqlite_path(url: &str) -> Result<PathBuf, StoreError> {
    url.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains('?')).map(PathBuf::from).ok_or_else(
        || StoreError::Address(format!("{} is not of the form sqlite://PATH", url.split(':').next().unwrap_or(""))),
    )
}

/// Opens the file, or makes it so that only its owner may read it. SQLite gives its WAL the same mode.
fn private_file(path: &Path, new: bool) -> Result<std::fs::File, StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).create_new(new).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(StoreError::File)
}

/// The path as a URL: absolute, so that its first folder is not taken for a host, and with everything escaped that means
/// something in a URL.
fn sqlite_url(path: &Path) -> Result<String, StoreError> {
    let path = std::path::absolute(path).map_err(StoreError::File)?;
    let path = path.to_str().ok_or_else(|| StoreError::Address("the path is not valid UTF-8".to_owned()))?;
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => url.push(char::from(byte)),
            byte => url += &format!("%{byte:02X}"),
        }
    }
    Ok(url)
}

async fn pool(path: &Path, connections: u32, pragmas: &'static str) -> Result<AnyPool, StoreError> {
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                connection
                    .execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
                    .await?;
                connection.execute(pragmas).await?;
                Ok(())
            })
        })
        .connect(&sqlite_url(path)?)
        .await?;
    Ok(pool)
}

/// A file system that cannot share memory makes SQLite fall back silently to a journal under which readers block writers.
async fn check_journal(pool: &AnyPool) -> Result<(), StoreError> {
    let mode: String = sqlx::query("PRAGMA journal_mode").fetch_one(pool).await?.try_get(0)?;
    let synchronous: i64 = sqlx::query("PRAGMA synchronous").fetch_one(pool).await?.try_get(0)?;
    tracing::debug!(mode, synchronous, "the database's journal");
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Address(format!(
        "the file system does not allow SQLite's WAL (journal mode {mode}); use a local disk"
    )))
}

async fn check_sqlite_version(pool: &AnyPool) -> Result<(), StoreError> {
    let version: String = sqlx::query("SELECT sqlite_version()").fetch_one(pool).await?.try_get(0)?;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(StoreError::Migration(format!(
            "SQLite {version} can corrupt a database that two connections write; 3.51.3 or newer is needed"
        )));
    }
    Ok(())
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
        parse(&text)
            .ok_or_else(|| StoreError::Inconsistent { table: self.table, detail: format!("{column} is {text:?}") })
    }

    /// A column that holds JSON.
    fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|error| StoreError::Inconsistent { table: self.table, detail: format!("{column}: {error}") })
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
