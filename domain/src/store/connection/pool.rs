//! [`Pool`]: connections that are waited for only so long, and errors that say why there is none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, SqlSafeStr};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::store::connection::transaction::{Transaction, WritePermit};
use crate::store::error::{Result, StoreError};

/// How long the search for the cause may take when no connection could be had.
const LONGEST_SEARCH: Duration = Duration::from_secs(2);
/// How long a cause that was found is believed. All requests that wait for a connection share one search.
const CAUSE_BELIEVED: Duration = Duration::from_secs(1);
/// A statement that has waited this long is given up as soon as another one shows that the network is silent.
const SUSPICIOUS: Duration = Duration::from_secs(3);

/// Connections of one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    connections: AnyPool,
    patience: Patience,
    attempt: Arc<Attempt>,
}

impl Pool {
    /// A pool whose connections get `settings`, statements that make each of them ready. One connection is opened at
    /// once.
    pub(crate) async fn open(options: AnyPoolOptions, url: &str, settings: String, patience: Patience) -> Result<Self> {
        let attempt = Arc::new(Attempt { url: url.to_owned(), settings: settings.clone(), cause: Mutex::default() });
        let options = options.after_connect(move |connection: &mut AnyConnection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(settings).into_sql_str()).await?;
                Ok(())
            })
        });
        let pool = Self { connections: options.connect_lazy(url)?, patience, attempt };
        drop(pool.acquire().await?);
        Ok(pool)
    }

    /// A connection.
    ///
    /// # Errors
    ///
    /// The cause why there is none, in words of the database or the system.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Any>> {
        self.named(self.connections.acquire().await).await
    }

    /// Begins a transaction with this statement. It keeps the permit until its end.
    pub(crate) async fn begin(&self, statement: &'static str, permit: Option<WritePermit>) -> Result<Transaction> {
        let begun = self.patience.wait(self.connections.begin_with(statement)).await;
        Ok(Transaction::new(self.named(begun).await?, permit, self.patience.clone()))
    }

    /// How long a statement on these connections is waited for.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    /// The connections themselves. Their statements have no time limit.
    pub(crate) fn connections(&self) -> &AnyPool {
        &self.connections
    }

    /// The driver only says that the pool timed out, whatever the cause.
    async fn named<T>(&self, result: std::result::Result<T, sqlx::Error>) -> Result<T> {
        match result {
            Err(sqlx::Error::PoolTimedOut) => Err(StoreError::Unavailable(self.attempt.cause().await)),
            result => Ok(result?),
        }
    }
}

/// What opens one more connection, to see why a pool has none.
#[derive(Debug)]
struct Attempt {
    url: String,
    settings: String,
    /// The cause that was found last, as a text, and when.
    cause: Mutex<Option<(Instant, String)>>,
}

impl Attempt {
    async fn cause(&self) -> sqlx::Error {
        let mut known = self.cause.lock().await;
        let fresh = known.as_ref().filter(|(at, _)| at.elapsed() < CAUSE_BELIEVED);
        let text = match fresh {
            Some((_, text)) => text.clone(),
            None => match tokio::time::timeout(LONGEST_SEARCH, self.connect()).await {
                Ok(Ok(())) => "all connections are in use".to_owned(),
                // These two errors of the driver say first that they are errors.
                Ok(Err(sqlx::Error::Io(error))) => error.to_string(),
                Ok(Err(sqlx::Error::Database(error))) => error.message().to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "its server does not answer".to_owned(),
            },
        };
        *known = Some((Instant::now(), text.clone()));
        sqlx::Error::Io(io::Error::other(text))
    }

    async fn connect(&self) -> std::result::Result<(), sqlx::Error> {
        let mut connection = AnyConnection::connect(&self.url).await?;
        connection.execute(AssertSqlSafe(self.settings.clone()).into_sql_str()).await?;
        connection.close().await
    }
}

/// How long an answer of the database is waited for.
///
/// The database's own limits end a statement that takes too long, and the answer says so. But if the database's machine
/// is gone, or a firewall dropped the connection, no answer comes at all, and the system goes on sending for a quarter
/// of an hour. The driver lets nobody set the options of its socket, so the limit is here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience {
    limit: Option<Duration>,
    silence: Silence,
}

/// When an answer was last missing. All pools of a store share it: a firewall drops all connections at once.
#[derive(Debug, Clone)]
pub(crate) struct Silence(Arc<watch::Sender<Option<Instant>>>);

impl Default for Silence {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Silence {
    /// Records that an answer is missing.
    pub(crate) fn noticed(&self) {
        self.0.send_replace(Some(Instant::now()));
    }
}

impl Patience {
    /// Waits this long.
    pub(crate) fn of(limit: Duration, silence: Silence) -> Self {
        Self { limit: Some(limit), silence }
    }

    /// The same for work with another limit. Without a limit it stays so.
    pub(crate) fn shortened(&self, limit: Duration) -> Self {
        Self { limit: self.limit.map(|old| old.min(limit)), silence: self.silence.clone() }
    }

    /// Waits for `work`.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::Io`] when no answer came in time. The connection then must not be used again.
    pub(crate) async fn wait<T, E: From<sqlx::Error>>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        let Some(limit) = self.limit else { return work.await };
        let suspicious = Instant::now() + SUSPICIOUS;
        let mut silence = self.silence.0.subscribe();
        let elsewhere = silence.wait_for(|noticed| noticed.is_some_and(|noticed| noticed > suspicious));
        tokio::select! {
            biased;
            done = work => done,
            waited = tokio::time::timeout(limit, elsewhere) => {
                if waited.is_err() {
                    self.silence.noticed();
                }
                Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer")).into())
            }
        }
    }
}

/// Whether the connection of this result is of no more use.
pub(crate) fn is_broken<T>(result: &Result<T>) -> bool {
    matches!(result, Err(StoreError::Unavailable(sqlx::Error::Io(_))))
}
