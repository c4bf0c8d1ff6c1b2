//! PostgreSQL: connections for reads, for changes and for the ledger. Each has the settings for its purpose.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, Connection, Executor, Row};

use crate::base::clock::Timestamp;
use crate::store::connection::migrations;
use crate::store::connection::pool::{Patience, Pool, Silence};
use crate::store::connection::statement::{composed_sql, sql};
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
/// has abandoned. It notices within seconds that the machine of a server is gone, and releases the server's locks. No
/// statement of ours is worth just-in-time compilation.
const LIMITS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s'; SET jit = off;
    SET tcp_user_timeout = '10s'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;";

/// How long a statement is waited for. It is longer than the database's own limit, whose error says more.
const LONGEST_STATEMENT: Duration = Duration::from_secs(12);
/// How long a statement of a batch is waited for: it looks up and writes a few rows.
pub(crate) const LONGEST_OF_BATCH: Duration = Duration::from_secs(4);
/// How long the question whether something can be written may take.
const LONGEST_PROBE: Duration = Duration::from_secs(3);
/// How long an unused connection may take to show that it lives.
const LONGEST_PING: Duration = Duration::from_secs(1);
/// A connection that was unused for a shorter time is taken without a ping.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

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
    let silence = Silence::default();
    let patience = Patience::of(LONGEST_STATEMENT, silence.clone());
    let store = Store {
        engine: Engine::Postgres,
        url: DatabaseUrl::Postgres(address.clone()),
        options: *options,
        reads: pool(
            address,
            options.connections.saturating_sub(others).max(1),
            reads,
            patience.clone(),
            silence.clone(),
        )
        .await?,
        direct: None,
        changes: pool(address, CHANGES, changes, patience.clone(), silence.clone()).await?,
        ledger: pool(address, LEDGER_WRITERS + OTHERS, ledger, patience, silence).await?,
        permits: WritePermits::default(),
        file: None,
    };
    check_sessions(&store.reads, &store.changes).await?;
    Ok(store)
}

/// How often [`check_sessions`] looks. Other clients of a pooler may hide from one look what it does.
const LOOKS: u32 = 3;

/// Refuses a pooler that gives the connection of the database to another client after each transaction (PgBouncer calls
/// it transaction mode). The settings of our connections would then hold for other connections: a change that must
/// reach the disk could run with the settings of the ledger, which need not. Nothing is prepared here, because prepared
/// statements are what fails first behind such a pooler, with an error that says nothing.
async fn check_sessions(one: &Pool, other: &Pool) -> Result<(), StoreError> {
    let patience = one.patience().clone();
    let (mut one, mut other) = (one.acquire().await?, other.acquire().await?);
    let keep_theirs = patience.wait(async {
        for _ in 0..LOOKS {
            let process = server_process(&mut one).await?;
            other.execute("BEGIN").await?;
            // Inside a transaction a pooler keeps the connection for its client.
            let keep_theirs =
                process != server_process(&mut other).await? && process == server_process(&mut one).await?;
            other.execute("ROLLBACK").await?;
            if !keep_theirs {
                return Ok(false);
            }
        }
        Ok::<_, sqlx::Error>(true)
    });
    let error = match keep_theirs.await {
        Ok(true) => return Ok(()),
        // The words of PgBouncer.
        Err(sqlx::Error::Database(error)) if error.message().contains("statement pooling mode") => not_ours(),
        Ok(false) => not_ours(),
        Err(error) => error.into(),
    };
    // The pool would ask these connections for a sign of life.
    drop((one.detach(), other.detach()));
    Err(error)
}

fn not_ours() -> StoreError {
    let problem = "it leads to a pooler that is not in session mode, and connections have settings that must stay \
                   theirs: in PgBouncer set pool_mode = session";
    StoreError::Address(problem.to_owned())
}

/// The process of the database that serves this connection.
async fn server_process(connection: &mut AnyConnection) -> Result<i32, sqlx::Error> {
    connection.fetch_one("SELECT pg_backend_pid()").await?.try_get(0)
}

async fn pool(
    address: &PostgresUrl,
    connections: u32,
    settings: String,
    patience: Patience,
    silence: Silence,
) -> Result<Pool, StoreError> {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        // One connection is opened at the start, so that the first request need not wait for it.
        .min_connections(1)
        // Requests wait this long for a database that restarts. Then the answer is 503.
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(None)
        // The driver's own test waits without a limit. See the two tests below.
        .test_before_acquire(false)
        .before_acquire(move |connection: &mut AnyConnection, meta| {
            let silence = silence.clone();
            Box::pin(async move {
                if meta.idle_for < TRUSTED_FOR {
                    return Ok(true);
                }
                let lives = ping(connection).await;
                if matches!(&lives, Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut) {
                    silence.noticed();
                }
                lives.map(|()| true)
            })
        })
        // The driver pings a connection that comes back, without a limit. Until the answer comes, the connection has a
        // place in the pool. So a silent network would use up all places.
        .after_release(|connection: &mut AnyConnection, _| {
            Box::pin(async move { ping(connection).await.map(|()| true) })
        });
    Pool::open(options, address.expose(), settings, patience).await
}

/// Asks the connection for a sign of life.
async fn ping(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let answer = tokio::time::timeout(LONGEST_PING, connection.ping()).await;
    answer.unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

/// Brings the schema up to date, under a lock of the database. A migration has no time limit, and may wait for another
/// one.
pub(crate) async fn migrate(address: &PostgresUrl) -> Result<(), StoreError> {
    let settings = "SET statement_timeout = 0; SET lock_timeout = 0".to_owned();
    let pool = pool(address, 1, settings, Patience::default(), Silence::default()).await?;
    let result = migrations::run(pool.connections(), Engine::Postgres).await;
    pool.close().await;
    result
}

/// The number of connections that servers have to this database.
pub(crate) async fn servers(store: &Store) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = $1 || ' ' || md5(current_schema())";
    sql!(sql; SERVER).about("pg_stat_activity").one(store).await
}

/// See [`Store::probe_write`].
pub(crate) async fn probe_write(pool: &Pool, now: Timestamp) -> Result<Timestamp, StoreError> {
    let sql = "INSERT INTO write_probe (id, written_at) VALUES (1, $1)
               ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at
               RETURNING CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    sql!(sql; now).within(LONGEST_PROBE).one(pool).await
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
    sql!("SELECT pg_advisory_xact_lock(CAST(CAST(CAST('pending_exchanges' AS REGCLASS) AS OID) AS BIGINT))")
        .execute(transaction)
        .await
}

/// Begins a transaction that holds this lock. See the documentation of [`crate::store`].
pub(crate) async fn begin(pool: &Pool, lock: ChangeLock) -> Result<Transaction, StoreError> {
    let mut transaction = pool.begin("BEGIN", None).await?;
    let lock = lock.expression();
    composed_sql!("SELECT {lock}").execute(&mut transaction).await?;
    Ok(transaction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Instance;

    #[tokio::test]
    async fn a_probe_that_waits_for_a_connection_does_not_report_a_silent_network() {
        let instance = Instance::new().await;
        let store = &instance.context.store;
        // SQLite has no network.
        if store.engine() == Engine::Sqlite {
            return;
        }
        let mut held = Vec::new();
        for _ in 0..LEDGER_WRITERS + OTHERS {
            held.push(store.ledger_connection().await.expect("a connection"));
        }
        let (slow, probed) =
            tokio::join!(sql!("SELECT 1 FROM pg_sleep(5)").exists(store), store.probe_write(instance.context.now()));
        let problem = probed.expect_err("no connection is free").to_string();
        assert!(problem.contains("all connections are in use"), "{problem}");
        assert!(slow.expect("is not given up"));
        drop(held);
        store.probe_write(instance.context.now()).await.expect("writes");
    }
}
