//! Reads by key on SQLite, in the thread that asks.
//!
//! sqlx gives each connection a thread. To wake that thread and to be woken by it takes several times as long as a
//! read of a few rows by their keys, which SQLite answers in microseconds. So the reads that each call of an MCP server
//! needs run here. A reader waits for nobody under WAL. Only a page that is not in the system's memory makes the thread
//! wait for the disk; these reads are about tokens that were just issued, and their pages were just written. Every
//! other read stays in a thread of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row};

use crate::store::columns::ParameterValue;
use crate::store::error::Result;

/// How many statements stay prepared: all that are read by key.
const STATEMENTS: usize = 16;
/// The names of parameters, in their order.
const PARAMETERS: [&str; 4] = ["$1", "$2", "$3", "$4"];

/// Connections for reads by key. A thread takes one for one statement, so there are at most as many as threads.
#[derive(Debug, Clone)]
pub(crate) struct DirectReads {
    path: Arc<Path>,
    open: fn(&Path) -> Result<Connection>,
    /// Connections that no thread uses; `None` when the store was closed.
    free: Arc<Mutex<Option<Vec<Connection>>>>,
}

impl DirectReads {
    /// `open` opens a connection to the file that only reads.
    pub(crate) fn new(path: &Path, open: fn(&Path) -> Result<Connection>) -> Self {
        Self { path: path.into(), open, free: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// The first row of the statement, as `read` reads it. The outer `None`: it must be asked elsewhere, because the
    /// store is closed or SQLite refused. The connection is then closed, because it may be the cause.
    pub(crate) fn first<T>(
        &self,
        text: &str,
        values: &[ParameterValue<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Option<Option<Result<T>>> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop();
        let connection = match free {
            Some(connection) => connection,
            None => self.open().inspect_err(|error| tracing::debug!(%error, "no connection for reads by key")).ok()?,
        };
        let found = run(&connection, text, values, read);
        let found = found.inspect_err(|error| tracing::debug!(%error, "a read by key failed")).ok()?;
        if let Some(free) = self.free.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            free.push(connection);
        }
        Some(found)
    }

    fn open(&self) -> Result<Connection> {
        let connection = (self.open)(&self.path)?;
        // This thread serves others as well: it does not sleep until SQLite is free.
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    pub(crate) fn close(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn run<T>(
    connection: &Connection,
    text: &str,
    values: &[ParameterValue<'_>],
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> rusqlite::Result<Option<Result<T>>> {
    let mut statement = connection.prepare_cached(text)?;
    for (name, value) in PARAMETERS.iter().zip(values) {
        // SQLite takes `$1` for a name, and numbers names by their first places in the text.
        let place = statement.parameter_index(name)?.ok_or(rusqlite::Error::InvalidQuery)?;
        match value {
            ParameterValue::Text(text) => statement.raw_bind_parameter(place, text.as_deref())?,
            ParameterValue::Number(number) => statement.raw_bind_parameter(place, number)?,
        }
    }
    let mut rows = statement.raw_query();
    Ok(rows.next()?.map(read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connection::statement::sql;
    use crate::store::{DatabaseUrl, Store, StoreOptions};
    use crate::testing;

    #[tokio::test]
    async fn a_read_by_key_sees_each_commit_and_says_when_it_cannot_answer() {
        let folder = testing::folder();
        let url = DatabaseUrl::Sqlite(folder.join("countersign.db"));
        let store = Store::open(&url, &StoreOptions::default()).await.expect("opens");
        store.migrate().await.expect("gets its schema");
        let read = async |id: i64, other: &str| -> Result<Option<(i64, String)>> {
            let sql = "SELECT written_at, $2 AS text FROM write_probe WHERE id = $1";
            sql!(sql; id, other).by_key().about("write_probe").optional(&store).await
        };
        assert_eq!(read(1, "a").await.expect("reads"), None);
        for at in 1..=3 {
            let sql = "INSERT INTO write_probe (id, written_at) VALUES (1, $1)
                       ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at";
            let mut transaction = store.begin().await.expect("begins");
            sql!(sql; at).execute(&mut transaction).await.expect("writes");
            assert_eq!(
                read(1, "a").await.expect("reads").map(|(at, _)| at),
                (at > 1).then_some(at - 1),
                "not committed"
            );
            transaction.commit().await.expect("commits");
            assert_eq!(read(1, "a").await.expect("reads"), Some((at, "a".to_owned())));
        }
        let direct = store.direct.as_ref().expect("SQLite");
        assert_eq!(direct.free.lock().expect("a lock").as_ref().map(Vec::len), Some(1), "the connection was kept");

        let mut transaction = store.begin().await.expect("begins");
        sql!("ALTER TABLE write_probe RENAME TO hidden").execute(&mut transaction).await.expect("renames");
        transaction.commit().await.expect("commits");
        assert!(read(1, "a").await.is_err(), "the pool says what is wrong");
        assert_eq!(direct.free.lock().expect("a lock").as_ref().map(Vec::len), Some(0), "the connection was closed");
        store.close().await;
        assert!(read(1, "a").await.is_err());
        assert!(direct.free.lock().expect("a lock").is_none());
        // A folder that remains is untidy, but does no harm.
        let _ = std::fs::remove_dir_all(folder);
    }
}
