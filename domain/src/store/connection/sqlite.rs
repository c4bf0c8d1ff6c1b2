//! SQLite: one file, and these connections: a pool of readers, those for reads by key ([`DirectReads`]), one for
//! changes, and for the ledger one for batches and one for everything else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{ErrorCode, OpenFlags};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, Connection, Row};

use crate::base::private_file;
use crate::store::connection::direct::DirectReads;
use crate::store::connection::migrations;
use crate::store::connection::pool::{Patience, Pool};
use crate::store::connection::statement::sql;
use crate::store::connection::transaction::{WritePermit, WritePermits};
use crate::store::connection::url::DatabaseUrl;
use crate::store::connection::{LedgerDurability, Store, StoreOptions};
use crate::store::engine::Engine;
use crate::store::error::StoreError;

/// Below this version SQLite can corrupt a WAL database that two connections write.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

const EVERY_CONNECTION: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";

const READS: &str = "PRAGMA query_only = ON;";

/// Connections that write keep up to 16 MiB of the database in memory, so that pages that are written often need not be
/// read again. The data to undo a statement stays in memory too: otherwise each batch would make a file and remove it.
/// A log that grew longer than 16 MiB, for example during a long read, is cut when it begins again.
const WRITES: &str = "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216;";

/// When the log has this many pages, a server moves them into the database: four megabytes, SQLite's own default.
const LONG_LOG: i64 = 1000;
/// A log of this many pages is moved quickly.
const LITTLE_LOG: i64 = 100;
/// How often a server tries to shorten the log to that length, while other connections write.
const MOST_PASSES: u32 = 4;
/// At this many pages of the log an exchange itself moves them, if the server does not keep up.
const LONGEST_LOG: i64 = 8_000;

/// SQLite gives its log the mode of the file, and under root also the owner.
pub(crate) async fn open(path: &Path, options: &StoreOptions) -> Result<Store, StoreError> {
    private_file::open(path, false).map_err(StoreError::File)?;
    check_file(path)?;
    let changes = writes(LedgerDurability::Power, options.is_server);
    // WAL comes before all other settings: changing the mode needs the file alone.
    let changes = pool(path, 1, format!("PRAGMA journal_mode = WAL; {changes}")).await?;
    check_version(&changes).await?;
    check_journal(&changes).await?;
    Ok(Store {
        engine: Engine::Sqlite,
        url: DatabaseUrl::Sqlite(path.to_owned()),
        options: *options,
        reads: pool(path, 4, READS.to_owned()).await?,
        direct: Some(DirectReads::new(path, open_for_lookups)),
        changes,
        ledger: pool(path, 1, writes(options.ledger_durability, options.is_server)).await?,
        file: options
            .is_server
            .then(|| std::fs::File::open(path))
            .transpose()
            .map_err(StoreError::File)?
            .map(kept_open),
        permits: WritePermits::default(),
    })
}

/// Refuses a file that is no database. Such a file will not become one, and a pool would try again until its time is
/// over.
fn check_file(path: &Path) -> Result<(), StoreError> {
    let read = open_directly(path, READS)?.query_row("PRAGMA schema_version", (), |_| Ok(()));
    match read.as_ref().err().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            let problem = "it is not a database, or is damaged: restore a backup";
            Err(StoreError::File(std::io::Error::new(std::io::ErrorKind::InvalidData, problem)))
        }
        // The connections of the pools say what else is wrong.
        _ => Ok(()),
    }
}

/// The file, which stays open until the process ends. To close it would release the locks of all connections of this
/// process to it.
fn kept_open(file: std::fs::File) -> Arc<std::fs::File> {
    let file = Arc::new(file);
    std::mem::forget(Arc::clone(&file));
    file
}

/// The settings of a connection that writes.
fn writes(durability: LedgerDurability, is_server: bool) -> String {
    let durability = match durability {
        LedgerDurability::Process => "PRAGMA synchronous = NORMAL;",
        LedgerDurability::Power => "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;",
    };
    let checkpoint = match is_server {
        // See `checkpoint`.
        true => format!("PRAGMA wal_autocheckpoint = {LONGEST_LOG};"),
        false => String::new(),
    };
    format!("{durability} {WRITES} {checkpoint}")
}

/// Waits until a batch of exchanges may write. The batch holds the permit until its end.
pub(crate) async fn batch_permit(store: &Store) -> Result<WritePermit, StoreError> {
    store.permits.acquire().await
}

/// A connection for batches of exchanges.
pub(crate) fn open_for_batches(store: &Store, path: &Path) -> Result<rusqlite::Connection, StoreError> {
    open_directly(path, &writes(store.options.ledger_durability, store.options.is_server))
}

/// A connection for reads beside the batches.
pub(crate) fn open_for_lookups(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    open_directly(path, READS)
}

/// A connection to the existing file. If the file is gone, no new one is made.
fn open_directly(path: &Path, settings: &str) -> Result<rusqlite::Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.execute_batch(EVERY_CONNECTION)?;
    connection.execute_batch(settings)?;
    Ok(connection)
}

/// Moves a long log into the database. By default SQLite does so in the commit that makes the log too long, and every
/// transaction behind that commit waits for the disk. Here most of the log is moved while others write, until little is
/// left. Only the rest is moved under a permit, because SQLite starts the log from the beginning only when all of it
/// has been moved.
pub(crate) async fn checkpoint(store: &Store) -> Result<(), StoreError> {
    // The connection is taken before the permit: the holder of the permit must not wait for readers.
    let mut connection = store.reads.acquire().await?;
    if left(&mut connection, "PRAGMA wal_checkpoint(NOOP)").await? < LONG_LOG {
        return Ok(());
    }
    for _ in 0..MOST_PASSES {
        left(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        // The pages that were written meanwhile.
        if left(&mut connection, "PRAGMA wal_checkpoint(NOOP)").await? < LITTLE_LOG {
            break;
        }
    }
    if let Some(file) = &store.file {
        // The file is synced before the permit is taken. Under the permit SQLite then waits only for the pages that are
        // not on the disk yet, and these are few.
        let file = Arc::clone(file);
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        synced.map_err(std::io::Error::other).flatten().map_err(StoreError::File)?;
    }
    let _permit = store.permits.acquire().await?;
    left(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
    Ok(())
}

/// How many pages of the log are not in the database after this statement.
async fn left(connection: &mut AnyConnection, checkpoint: &'static str) -> Result<i64, StoreError> {
    let row = sqlx::query(checkpoint).fetch_one(connection).await?;
    let (pages, moved): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    Ok(pages - moved)
}

/// Brings the schema up to date, under a lock on a file beside the database.
pub(crate) async fn migrate(changes: &Pool, path: &Path) -> Result<(), StoreError> {
    let lock = private_file::open(&path.with_added_extension("migration"), false).map_err(StoreError::File)?;
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    // Neither a panic nor a shutdown interrupts the wait for the lock.
    let lock = locked.map_err(std::io::Error::other).flatten().map_err(StoreError::File)?;
    migrations::run(changes.connections(), Engine::Sqlite).await?;
    lock.unlock().map_err(StoreError::File)
}

/// Whether the file that a server opened is still the one at its path. Somebody may have removed or replaced it.
pub(crate) fn is_in_place(store: &Store) -> bool {
    let (Some(file), DatabaseUrl::Sqlite(path)) = (&store.file, &store.url) else { return true };
    match (file.metadata(), std::fs::metadata(path)) {
        #[cfg(unix)]
        (Ok(opened), Ok(present)) => {
            use std::os::unix::fs::MetadataExt;
            (opened.dev(), opened.ino()) == (present.dev(), present.ino())
        }
        (_, present) => present.is_ok(),
    }
}

/// The path as a URL. It is absolute, so that its first folder is not read as a host. All characters that have a
/// meaning in a URL are escaped.
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

pub(crate) async fn pool(path: &Path, connections: u32, pragmas: String) -> Result<Pool, StoreError> {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // SQLite ends a transaction by itself when the disk is full. sqlx does not know that, and the connection would
        // refuse the next transaction.
        .before_acquire(|connection: &mut AnyConnection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        });
    // A file needs no time limit: SQLite's own ends what waits for a lock.
    Pool::open(options, &sqlite_url(path)?, format!("{EVERY_CONNECTION} {pragmas}"), Patience::default()).await
}

/// On a file system that cannot share memory, SQLite silently falls back to a journal under which readers block
/// writers.
async fn check_journal(pool: &Pool) -> Result<(), StoreError> {
    let mode: String = sql!("PRAGMA journal_mode").one(pool).await?;
    let synchronous: i64 = sql!("PRAGMA synchronous").one(pool).await?;
    tracing::debug!(mode, synchronous, "the database's journal");
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Address(format!(
        "the file system does not allow SQLite's WAL (journal mode {mode}); use a local disk"
    )))
}

async fn check_version(pool: &Pool) -> Result<(), StoreError> {
    let version: String = sql!("SELECT sqlite_version()").one(pool).await?;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(StoreError::Migration(format!(
            "SQLite {version} can corrupt a database that two connections write; 3.51.3 or newer is needed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_long_log_is_moved_whole_and_begins_anew() {
        let folder = testing::folder();
        let options = StoreOptions { is_server: true, ..StoreOptions::default() };
        let store = open(&folder.join("countersign.db"), &options).await.expect("opens");
        store.migrate().await.expect("gets its schema");
        let write = async |pages: i64| {
            let mut transaction = store.begin_exchange().await.expect("begins");
            let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
                       INSERT INTO pending_exchanges (jti, agent)
                       SELECT lower(hex(randomblob(16))), hex(zeroblob(1800)) FROM numbers";
            sqlx::query(sql).bind(pages).execute(&mut *transaction).await.expect("inserts");
            transaction.commit().await.expect("commits");
        };
        let log = async |column: usize| {
            let row = sqlx::query("PRAGMA wal_checkpoint(NOOP)").fetch_one(store.reads()).await.expect("reads");
            row.try_get::<i64, _>(column).expect("pages")
        };
        write(2 * LONG_LOG).await;
        let (long, moved) = (log(1).await, log(2).await);
        assert!(long - moved >= LONG_LOG, "{long} pages, {moved} moved: a server leaves it to `checkpoint`");
        store.checkpoint().await.expect("moves them");
        assert_eq!((log(1).await, log(2).await), (long, long), "nothing is left");
        write(1).await;
        let short = log(1).await;
        assert!(short < LITTLE_LOG, "{short} pages: the log begins again");
        write(6 * LONG_LOG).await;
        let length = || std::fs::metadata(folder.join("countersign.db-wal")).expect("the log").len();
        let most = 16 * 1024 * 1024;
        assert!(length() > most, "{} bytes", length());
        store.checkpoint().await.expect("moves them");
        write(1).await;
        assert!(length() <= most, "{} bytes: the long log was cut", length());
        // The log is still too short to be moved.
        store.checkpoint().await.expect("looks");
        assert_eq!(log(2).await, 0, "a short log is left alone");
        store.close().await;
        // A folder that remains is untidy, but does no harm.
        let _ = std::fs::remove_dir_all(folder);
    }
}
