//! PostgreSQL: connections for reads, for changes and for the ledger. Each has the settings for its purpose.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Executor, SqlSafeStr};

use crate::store::columns::Columns;
use crate::store::connection::migrations;
use crate::store::connection::transaction::Transaction;
use crate::store::connection::transaction::WritePermits;
use crate::store::connection::url::{DatabaseUrl, PostgresUrl};
use crate::store::connection::{LedgerDurability, Store, StoreOptions};
use crate::store::engine::Engine;
use crate::store::error::StoreError;

/// How many batches are decided and written at the same time.
pub(crate) const LEDGER_WRITERS: u32 = 2;
/// Changes wait for one another. More connections would only wait inside the database.
const CHANGES: u32 = 2;
/// Connections of the ledger for other tasks than its writers: roll-up, housekeeping, counts of refusals, webhooks.
const OTHERS: u32 = 2;

/// The database gives up a statement that takes longer, or waits longer for a lock, and a transaction that its process
/// has abandoned. No statement of ours is worth just-in-time compilation.
const LIMITS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s'; SET jit = off;";

/// The name by which servers mark their connections. The schema follows it, in a form that is never cut off.
const SERVER: &str = "countersign server";

pub(crate) async fn open(address: &PostgresUrl, options: &StoreOptions) -> Result<Store, StoreError> {
    let ledger = match options.ledger_durability {
        LedgerDurability::Process => "SET synchronous_commit = off",
        LedgerDurability::Power => "SET synchronous_commit = on",
    };
    // A batch looks up a few rows by their keys. Before the tables are analysed, the planner may wrongly choose to read
    // all rows.
    let ledger = format!(
        "{LIMITS} {ledger}; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
         SET plan_cache_mode = force_generic_plan"
    );
    // A server that hangs in the middle of a change blocks all other servers.
    let changes = format!("{LIMITS} SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '5s'");
    let name = if options.is_server { SERVER } else { "countersign" };
    let reads = format!(
        "{LIMITS} SET default_transaction_read_only = on;
         SELECT set_config('application_name', '{name} ' || md5(current_schema()), false)"
    );
    let others = CHANGES + LEDGER_WRITERS + OTHERS;
    Ok(Store {
        engine: Engine::Postgres,
        url: DatabaseUrl::Postgres(address.clone()),
        options: *options,
        reads: pool(address, options.connections.saturating_sub(others).max(1), reads).await?,
        changes: pool(address, CHANGES, changes).await?,
        ledger: pool(address, LEDGER_WRITERS + OTHERS, ledger).await?,
        permits: WritePermits::default(),
        file: None,
    })
}

async fn pool(address: &PostgresUrl, connections: u32, settings: String) -> Result<AnyPool, StoreError> {
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        // One connection is opened at the start, so that the first request need not wait for it.
        .min_connections(1)
        // Requests wait this long for a database that restarts. Then the answer is 503.
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(None)
        // A broken connection is found when it is returned to the pool. After a restart of the database, the first
        // request that uses the connection finds it.
        .test_before_acquire(true)
        .after_connect(move |connection: &mut AnyConnection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(settings).into_sql_str()).await?;
                Ok(())
            })
        })
        .connect(address.expose())
        .await?;
    Ok(pool)
}

/// Brings the schema up to date, under a lock of the database. A migration has no time limit, and may wait for another
/// one.
pub(crate) async fn migrate(address: &PostgresUrl) -> Result<(), StoreError> {
    let pool = pool(address, 1, "SET statement_timeout = 0; SET lock_timeout = 0".to_owned()).await?;
    let result = migrations::run(&pool, Engine::Postgres).await;
    pool.close().await;
    result
}

/// The number of connections that servers have to this database.
pub(crate) async fn servers(pool: &AnyPool) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS n FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = $1 || ' ' || md5(current_schema())",
    )
    .bind(SERVER)
    .fetch_one(pool)
    .await?;
    Columns::of("pg_stat_activity", &row).get("n")
}

/// A lock that a change takes alone, and that transactions of the ledger share. It is held until the transaction ends.
///
/// It is an advisory lock, and not a lock on the row that holds the head of the audit log. When a change waits for a
/// row lock, later transactions that share that lock overtake it, so a revocation could wait as long as exchanges
/// arrive. Waiters for an advisory lock form a queue.
#[derive(Clone, Copy)]
pub(crate) enum ChangeLock {
    /// No other transaction holds it.
    Exclusive,
    /// Others may share it.
    Shared,
}

impl ChangeLock {
    /// An expression that waits for the lock. The lock's number is that of a table, so each instance has its own.
    pub(crate) const fn expression(self) -> &'static str {
        match self {
            Self::Exclusive => "pg_advisory_xact_lock(CAST(CAST(CAST('audit_head' AS REGCLASS) AS OID) AS BIGINT))",
            Self::Shared => "pg_advisory_xact_lock_shared(CAST(CAST(CAST('audit_head' AS REGCLASS) AS OID) AS BIGINT))",
        }
    }
}

/// Waits until no other process rolls exchanges up. Two processes that roll up the same exchanges would wait for each
/// other.
pub(crate) async fn wait_for_rollup(transaction: &mut Transaction) -> Result<(), StoreError> {
    let sql = "SELECT pg_advisory_xact_lock(CAST(CAST(CAST('pending_exchanges' AS REGCLASS) AS OID) AS BIGINT))";
    sqlx::query(sql).execute(&mut **transaction).await?;
    Ok(())
}

/// Begins a transaction that holds this lock. See the documentation of [`crate::store`].
pub(crate) async fn begin(pool: &AnyPool, lock: ChangeLock) -> Result<Transaction, StoreError> {
    let mut transaction = Transaction::from(pool.begin().await?);
    sqlx::query(AssertSqlSafe(format!("SELECT {}", lock.expression()))).execute(&mut *transaction).await?;
    Ok(transaction)
}
