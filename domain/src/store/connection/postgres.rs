//! PostgreSQL: connections for reads, for changes and for the ledger, each with the settings that its purpose asks for.

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

/// Batches that are decided and written at once.
pub(crate) const LEDGER_WRITERS: u32 = 2;
/// Changes wait for one another: more connections would only wait inside the database.
const CHANGES: u32 = 2;
/// Connections of the ledger beside its writers: filing, housekeeping, counts of refusals, webhooks.
const OTHERS: u32 = 2;

/// A statement that takes longer, or waits longer for a lock, is given up; so is a transaction that its process forgot.
/// No statement of ours is worth compiling.
const LIMITS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s'; SET jit = off;";

/// How servers name their connections; the schema follows, in a form that is never cut off.
const SERVER: &str = "countersign server";

pub(crate) async fn open(address: &PostgresUrl, options: &StoreOptions) -> Result<Store, StoreError> {
    let ledger = match options.ledger_durability {
        LedgerDurability::Process => "SET synchronous_commit = off",
        LedgerDurability::Power => "SET synchronous_commit = on",
    };
    // A batch looks a few rows up by their keys. Until the tables were analysed, the planner may think it faster to
    // read all.
    let ledger = format!(
        "{LIMITS} {ledger}; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
         SET plan_cache_mode = force_generic_plan"
    );
    // A server that stands still in the middle of a change stops everybody.
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
        // What is waited for by the first request need not be.
        .min_connections(1)
        // A database that restarts is waited for this long; then the answer is 503.
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(None)
        // A broken connection is found when it is given back, and after a restart of the database by the first to use
        // it.
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

/// Brings the schema up to date, under a lock of the database. A migration may take its time, and wait for another's.
pub(crate) async fn migrate(address: &PostgresUrl) -> Result<(), StoreError> {
    let pool = pool(address, 1, "SET statement_timeout = 0; SET lock_timeout = 0".to_owned()).await?;
    let result = migrations::run(&pool, Engine::Postgres).await;
    pool.close().await;
    result
}

/// Connections of servers to this database.
pub(crate) async fn servers(pool: &AnyPool) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS n FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = $1 || ' ' || md5(current_schema())",
    )
    .bind(SERVER)
    .fetch_one(pool)
    .await?;
    Columns::of("pg_stat_activity", &row).number("n")
}

/// A lock that a change takes alone, and that transactions of the ledger share. It is held until the transaction ends.
///
/// It is an advisory lock, and not a lock of the row that holds the head of the audit log. A change that waits for a
/// row is overtaken by transactions that share it, so a revocation could wait as long as there are exchanges. Waiters
/// for an advisory lock queue.
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

/// Waits until no other process rolls exchanges up: two that work on the same exchanges would wait for each other.
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
