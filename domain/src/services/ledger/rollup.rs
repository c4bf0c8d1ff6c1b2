//! The roll-up. Soon after an exchange is recorded, the roll-up lists it under its credential, counts it in its hour,
//! and records it as the last use.
//!
//! Each of these writes goes to another place of the database for each credential. An exchange that waited for them
//! would write a dozen pages instead of the end of two tables. The roll-up writes each page once for all exchanges
//! since the last roll-up: with a thousand busy credentials that is a twentieth of the pages. The alternative, to do
//! these writes with the exchange, costs a third of the rate with a thousand credentials and two thirds with a million.
//!
//! No decision about an exchange reads what the roll-up writes, so it may be late. A page that shows a count or a last
//! use first waits for it ([`Rollup::flush`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::store::token::rollup::{self, PendingExchange};
use crate::store::{Store, StoreError};

/// How often exchanges are rolled up when no page waits.
const INTERVAL: Duration = Duration::from_secs(2);
/// The most exchanges that are read at once.
const PAGE_SIZE: usize = 20_000;
/// The most exchanges of one transaction. No exchange is issued while it runs: some milliseconds.
const BATCH_SIZE: usize = 500;
/// The most credentials of one transaction: each credential has its own pages.
const BATCH_CREDENTIALS: usize = 50;
/// The most exchanges that one transaction removes from the list of pending exchanges.
const FORGET_BATCH_SIZE: usize = 2000;
/// The longest time that a page waits for the roll-up.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The most pages that wait at once. Further pages show what is already rolled up.
const QUEUE_SIZE: usize = 256;

enum RollupMessage {
    Flush(oneshot::Sender<()>),
    Close,
}

/// Rolls exchanges up in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollup {
    queue: mpsc::Sender<RollupMessage>,
    is_closing: Arc<AtomicBool>,
}

impl Rollup {
    pub(crate) fn start(store: Store) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE_SIZE);
        let is_closing = Arc::<AtomicBool>::default();
        tokio::spawn(RollupTask { store, inbox, waiting: Vec::new(), is_closing: Arc::clone(&is_closing) }.run());
        Self { queue, is_closing }
    }

    /// Waits until the exchanges recorded before are rolled up. Under a load that leaves thousands of exchanges
    /// pending, pages do not wait. Behind a long change, pages wait only a short time. In both cases the page shows
    /// data that is some seconds old.
    pub async fn flush(&self) {
        let (done, answer) = oneshot::channel();
        if self.queue.try_send(RollupMessage::Flush(done)).is_ok() {
            // There are three reasons for no answer: the roll-up takes too long, the instance closes, or the database
            // failed. The page's next statement reports a failed database better than an error here would.
            let _ = tokio::time::timeout(LONGEST_WAIT, answer).await;
        }
    }

    /// Ends the task. Pending exchanges are rolled up after the next start.
    pub(crate) async fn close(&self, limit: Duration) {
        self.is_closing.store(true, Ordering::Relaxed);
        if self.queue.send(RollupMessage::Close).await.is_ok() {
            let _ = tokio::time::timeout(limit, self.queue.closed()).await;
        }
    }
}

struct RollupTask {
    store: Store,
    inbox: mpsc::Receiver<RollupMessage>,
    /// The pages that wait for this round to end.
    waiting: Vec<oneshot::Sender<()>>,
    is_closing: Arc<AtomicBool>,
}

impl RollupTask {
    async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_closing() {
            tokio::select! {
                _ = interval.tick() => {}
                message = self.inbox.recv() => match message {
                    Some(message) => self.receive(message),
                    None => return,
                },
            }
            self.receive_all();
            if let Err(error) = self.roll_up_all().await {
                tracing::warn!(%error, "exchanges could not be rolled up");
            }
            self.answer();
        }
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    fn receive(&mut self, message: RollupMessage) {
        if let RollupMessage::Flush(done) = message {
            self.waiting.push(done);
        }
    }

    fn receive_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.receive(message);
        }
    }

    fn answer(&mut self) {
        for done in self.waiting.drain(..) {
            // The request for the page may be gone.
            let _ = done.send(());
        }
    }

    /// Rolls up the exchanges that were recorded before this call.
    async fn roll_up_all(&mut self) -> Result<(), StoreError> {
        while !self.is_closing() {
            let page = rollup::pending(&self.store, PAGE_SIZE).await?;
            self.roll_up_page(&page).await?;
            if page.len() < PAGE_SIZE {
                break;
            }
        }
        Ok(())
    }

    /// Works by credential first, so that each database page of a credential is written once. Then it removes the
    /// exchanges from the list in the order of time, so that each database page of the list is written once too.
    async fn roll_up_page(&mut self, page: &[PendingExchange]) -> Result<(), StoreError> {
        let mut by_credential: Vec<&PendingExchange> = page.iter().collect();
        by_credential.sort_by(|left, right| (&left.client_id, &left.jti).cmp(&(&right.client_id, &right.jti)));
        let mut rest = by_credential.as_slice();
        while !rest.is_empty() {
            // Pending exchanges are found again after the next start.
            if self.is_closing() {
                return Ok(());
            }
            let (batch, after) = rest.split_at(batch_len(rest));
            let started = Instant::now();
            rollup::roll_up(&self.store, batch).await?;
            self.pause(page, started).await;
            rest = after;
        }
        for batch in page.chunks(FORGET_BATCH_SIZE) {
            let started = Instant::now();
            rollup::forget(&self.store, batch).await?;
            self.pause(page, started).await;
        }
        Ok(())
    }

    /// Pauses as long as the roll-up ran, unless a page waits: exchanges have priority.
    async fn pause(&mut self, page: &[PendingExchange], started: Instant) {
        // More exchanges are pending than one read returns. Pages that asked meanwhile would wait for these too, so
        // they are answered now.
        if page.len() >= PAGE_SIZE {
            self.receive_all();
            self.answer();
        }
        if self.waiting.is_empty() && self.inbox.is_empty() {
            tokio::time::sleep(started.elapsed()).await;
        }
    }
}

/// How many of the entries, sorted by credential, one transaction rolls up.
fn batch_len(entries: &[&PendingExchange]) -> usize {
    let of_credentials = entries.chunk_by(|left, right| left.client_id == right.client_id);
    of_credentials.take(BATCH_CREDENTIALS).map(<[&PendingExchange]>::len).sum::<usize>().min(BATCH_SIZE)
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::testing::Instance;

    /// Records entries that are not rolled up, for this many credentials in turn.
    async fn record(store: &Store, exchanges: usize, credentials: usize) {
        let mut transaction = store.begin_exchange().await.expect("begins");
        for number in 0..exchanges {
            for sql in [
                "INSERT INTO ledger (jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at)
                 VALUES ($1, $2, 'sec_0000000000000000000000', 'srv_none', 'mcp:read', 3600000, 3601000)",
                "INSERT INTO pending_exchanges (jti, agent) SELECT $1, $2",
            ] {
                let client_id = format!("client-{}", number % credentials);
                let jti = format!("tok_{number:06}");
                sqlx::query(sql).bind(jti).bind(client_id).execute(&mut *transaction).await.expect("inserts");
            }
        }
        transaction.commit().await.expect("commits");
    }

    async fn count(store: &Store, sql: &'static str) -> i64 {
        let row = sqlx::query(sql).fetch_one(store.reads()).await.expect("reads");
        row.try_get::<i64, _>(0).expect("a number")
    }

    #[tokio::test]
    async fn each_exchange_is_rolled_up_and_counted_once_however_many_do_it() {
        let instance = Instance::new().await;
        let store = &instance.context.store;
        let sql = "INSERT INTO credentials (client_id, name, description, mcp_servers, scopes, auth_method, ip_ranges,
                                            created_at, created_by, search_text, team_id)
                   SELECT 'client-7', 'seven', '', '[]', '', 'client_secret', '[]', 1, '', 'seven', id FROM teams";
        let mut transaction = store.begin().await.expect("begins");
        sqlx::query(sql).execute(&mut *transaction).await.expect("inserts");
        transaction.commit().await.expect("commits");
        record(store, 3000, 120).await;
        let others = [Rollup::start(store.clone()), Rollup::start(store.clone())];
        tokio::join!(instance.context.rollup.flush(), others[0].flush(), others[1].flush());
        assert_eq!(count(store, "SELECT COUNT(*) FROM pending_exchanges").await, 0);
        assert_eq!(count(store, "SELECT COUNT(*) FROM credential_exchanges").await, 3000);
        assert_eq!(count(store, "SELECT COUNT(*) FROM exchange_hours WHERE hour = 1 AND exchanges = 25").await, 120);
        let of_teams = "SELECT CAST(SUM(exchanges) AS BIGINT) FROM team_exchange_hours WHERE hour = 1";
        assert_eq!(count(store, of_teams).await, 25, "of the credential that exists");
        for other in others {
            other.close(Duration::from_secs(5)).await;
        }
    }

    #[tokio::test]
    async fn more_than_a_page_is_rolled_up_and_nobody_waits_for_all_of_it() {
        let instance = Instance::new().await;
        let store = &instance.context.store;
        record(store, PAGE_SIZE + 10, 3).await;
        instance.context.rollup.flush().await;
        assert!(count(store, "SELECT COUNT(*) FROM pending_exchanges").await > 0, "answered before the end");
        // As soon as less than one page is pending, `flush` waits for it.
        while count(store, "SELECT COUNT(*) FROM pending_exchanges").await > 0 {
            instance.context.rollup.flush().await;
        }
        assert_eq!(count(store, "SELECT COUNT(*) FROM credential_exchanges").await, PAGE_SIZE as i64 + 10);
        let counted = "SELECT CAST(SUM(exchanges) AS BIGINT) FROM exchange_hours WHERE hour = 1";
        assert_eq!(count(store, counted).await, PAGE_SIZE as i64 + 10);
    }
}
