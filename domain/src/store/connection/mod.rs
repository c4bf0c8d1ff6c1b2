//! Connections to SQLite and PostgreSQL, their transactions and migrations.

pub mod migrations;
pub mod postgres;
pub mod sqlite;
pub mod transaction;
pub mod url;

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};

use crate::store::connection::postgres::ChangeLock;
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
    pub(super) reads: AnyPool,
    pub(super) changes: AnyPool,
    pub(super) ledger: AnyPool,
    pub(super) permits: WritePermits,
    /// SQLite's file, of a server.
    pub(super) file: Option<Arc<std::fs::File>>,
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
    /// A killed process of ours. The last moments before a power cut (and, on PostgreSQL, before a crash of the
    /// database) may be forgotten: entries of the ledger, and that an assertion was used.
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
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

    /// Begins a change: its commit reaches the disk, and there is one at a time, so that it may decide on what it
    /// reads.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_with_permit(&self.changes).await,
            Engine::Postgres => postgres::begin(&self.changes, ChangeLock::Exclusive).await,
        }
    }

    async fn begin_with_permit(&self, pool: &AnyPool) -> Result<Transaction, StoreError> {
        let permit = self.permits.acquire().await?;
        Ok(Transaction::new(pool.begin_with("BEGIN IMMEDIATE").await?, Some(permit)))
    }

    /// A connection of the ledger, for as long as its holder likes.
    pub(super) async fn ledger_connection(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.ledger.acquire().await?)
    }

    /// Begins a transaction of the ledger: no change happens before it ends, but on PostgreSQL others of its kind do.
    pub async fn begin_exchange(&self) -> Result<Transaction, StoreError> {
        match self.engine {
            Engine::Sqlite => self.begin_with_permit(&self.ledger).await,
            Engine::Postgres => postgres::begin(&self.ledger, ChangeLock::Shared).await,
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

    /// How many connections servers have to a PostgreSQL database at this moment, so that what must not happen beside
    /// one can refuse. Of SQLite the lock on its file tells.
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
