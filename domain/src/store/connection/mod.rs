//! Connections to SQLite and PostgreSQL, their transactions and migrations.

pub(crate) mod direct;
pub mod migrations;
pub mod pool;
pub mod postgres;
pub mod sqlite;
pub mod statement;
pub mod transaction;
pub mod url;

use std::sync::Arc;

use sqlx::Any;
use sqlx::pool::PoolConnection;

use crate::base::clock::Timestamp;
use crate::store::connection::direct::DirectReads;
use crate::store::connection::pool::{Patience, Pool};
use crate::store::connection::postgres::ChangeLock;
use crate::store::connection::statement::{On, StatementConnection, sql};
use crate::store::connection::transaction::{Transaction, WritePermits};
use crate::store::connection::url::DatabaseUrl;
use crate::store::engine::Engine;
use crate::store::error::StoreError;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) engine: Engine,
    pub(super) url: DatabaseUrl,
    pub(super) options: StoreOptions,
    pub(super) reads: Pool,
    /// SQLite only.
    pub(super) direct: Option<DirectReads>,
    pub(super) changes: Pool,
    pub(super) ledger: Pool,
    pub(super) permits: WritePermits,
    /// The file of SQLite, which a server keeps open.
    pub(super) file: Option<Arc<std::fs::File>>,
}

/// How the database is used.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// What an exchange survives.
    pub ledger_durability: LedgerDurability,
    /// Most connections to PostgreSQL, at least [`StoreOptions::FEWEST_CONNECTIONS`]. SQLite's are fixed.
    pub connections: u32,
    /// Whether this process is a server. Other processes must be able to see that: see [`Store::servers`].
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

/// The failures that an exchange survives. A change that was acknowledged survives all of them, with either value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerDurability {
    /// A killed process of ours. A power cut (and, on PostgreSQL, a crash of the database) may lose the last moments:
    /// entries of the ledger, and the record that an assertion was used.
    Process,
    /// Also a power cut: each commit waits for the disk.
    Power,
}

impl Store {
    /// Opens the database. If it is SQLite and its file does not exist, the file is made (mode 0600). The schema stays
    /// as it is until [`Store::migrate`].
    pub async fn open(url: &DatabaseUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match url {
            DatabaseUrl::Sqlite(path) => sqlite::open(path, options).await,
            DatabaseUrl::Postgres(address) => postgres::open(address, options).await,
        }
    }

    /// Brings the schema up to date. Programs that start at the same time do it one after the other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(path) => sqlite::migrate(&self.changes, path).await,
            DatabaseUrl::Postgres(address) => postgres::migrate(address).await,
        }
    }

    /// Begins a change. Its commit reaches the disk. There is one change at a time, so it may decide on what it reads.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_with_permit(&self.changes).await,
            Engine::Postgres => postgres::begin(&self.changes, ChangeLock::Exclusive).await,
        }
    }

    async fn begin_with_permit(&self, pool: &Pool) -> Result<Transaction, StoreError> {
        let permit = self.permits.acquire().await?;
        pool.begin("BEGIN IMMEDIATE", Some(permit)).await
    }

    /// Begins a transaction that only reads.
    pub(crate) async fn begin_read(&self) -> Result<Transaction, StoreError> {
        self.reads.begin("BEGIN", None).await
    }

    /// A connection for reads. Its statements have no time limit.
    pub(crate) async fn read_connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        self.reads.acquire().await
    }

    /// How long one statement is waited for.
    pub(super) fn patience(&self) -> &Patience {
        self.ledger.patience()
    }

    /// A connection of the ledger. Its holder may keep it without a time limit.
    pub(super) async fn ledger_connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        self.ledger.acquire().await
    }

    /// Begins a transaction of the ledger. No change happens before it ends. On PostgreSQL other such transactions run
    /// beside it.
    pub(crate) async fn begin_exchange(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_with_permit(&self.ledger).await,
            Engine::Postgres => postgres::begin(&self.ledger, ChangeLock::Shared).await,
        }
    }

    /// Begins a transaction of the roll-up. It is like one of the ledger, but on PostgreSQL too there is only one at a
    /// time.
    pub(crate) async fn begin_rollup(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.begin_exchange().await?;
        if self.engine == Engine::Postgres {
            postgres::wait_for_rollup(&mut transaction).await?;
        }
        Ok(transaction)
    }

    /// Keeps SQLite's log short, so that exchanges need not do it. Does nothing for other databases.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match self.engine {
            Engine::Sqlite => sqlite::checkpoint(self).await,
            Engine::Postgres => Ok(()),
        }
    }

    /// The number of ledger writers with which the database is fastest.
    pub(crate) fn ledger_writers(&self) -> u32 {
        match self.engine {
            Engine::Sqlite => 1,
            Engine::Postgres => postgres::LEDGER_WRITERS,
        }
    }

    /// How many connections servers have to a PostgreSQL database at this moment. A command that must not run beside a
    /// server refuses if there are any. For SQLite the lock on the file gives this answer.
    pub async fn servers(&self) -> Result<i64, StoreError> {
        match self.engine {
            Engine::Sqlite => Ok(0),
            Engine::Postgres => postgres::servers(self).await,
        }
    }

    /// Writes one row, as an exchange would. Returns the clock of the database, if it is another machine's.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nothing can be written, or when SQLite's file was removed or replaced: the server would go
    /// on writing to a file that nobody finds.
    pub async fn probe_write(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        match self.engine {
            Engine::Sqlite => {
                if !sqlite::is_in_place(self) {
                    return Err(StoreError::File(std::io::Error::other("it was removed or replaced")));
                }
                let mut transaction = self.begin_exchange().await?;
                sql!("INSERT INTO write_probe (id, written_at) VALUES (1, $1)
                      ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at"; now)
                .execute(&mut transaction)
                .await?;
                transaction.commit().await?;
                Ok(None)
            }
            Engine::Postgres => postgres::probe_write(&self.ledger, now).await.map(Some),
        }
    }

    /// The database's kind.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where the database is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Waits for running work and closes every connection.
    pub async fn close(&self) {
        if let Some(direct) = &self.direct {
            direct.close();
        }
        self.reads.close().await;
        self.ledger.close().await;
        self.changes.close().await;
    }

    #[cfg(test)]
    pub(crate) fn reads(&self) -> &sqlx::AnyPool {
        self.reads.connections()
    }
}

impl<'on> On<'on> for &'on Store {
    fn connection(self) -> StatementConnection<'on> {
        StatementConnection::OneOf(&self.reads, self.direct.as_ref())
    }
}
