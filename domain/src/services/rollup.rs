//! Filing: soon after an exchange was recorded it is found under its credential, counted in its hour, and noted as the
//! last use.
//!
//! Each of these lies elsewhere in the database for each credential. An exchange that waited for them would write a dozen
//! pages instead of the end of two tables, over and over. Filing writes each page once for all exchanges that arrived
//! since: of a thousand busy credentials a twentieth of the pages. Nothing that decides about an exchange reads what is
//! filed, so it may be late; whoever wants to see it asks for it first ([`Filing::settle`]), so nobody notices. The
//! alternative, to write it with the exchange, costs a third of the rate with a thousand credentials and two thirds with
//! a million.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::store::token::rollup::{self, Unfiled};
use crate::store::{Store, StoreError};

/// How late exchanges are filed when nobody asks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Most exchanges that are read at once.
const PAGE: usize = 20_000;
/// Most exchanges and most credentials that are filed in one transaction, during which none is issued: some milliseconds.
/// Each credential has its own pages.
const MOST_ENTRIES: usize = 500;
const MOST_CREDENTIALS: usize = 50;
/// Most exchanges of which it is forgotten in one transaction that they are to be filed.
const MOST_FORGOTTEN: usize = 2000;
/// Longest that anybody waits for it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Most that wait for it at once; further ones see what is filed already.
const QUEUE: usize = 256;

enum Message {
    Settle(oneshot::Sender<()>),
    Close,
}

/// Files exchanges in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Filing {
    queue: mpsc::Sender<Message>,
    is_closing: Arc<AtomicBool>,
}

impl Filing {
    pub(crate) fn start(store: Store) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let is_closing = Arc::<AtomicBool>::default();
        tokio::spawn(Clerk { store, inbox, waiting: Vec::new(), is_closing: Arc::clone(&is_closing) }.run());
        Self { queue, is_closing }
    }

    /// Waits until what was recorded before is filed. Under a load that leaves thousands to be filed nobody waits, and behind
    /// a long change nobody waits long: what is shown then is some seconds old.
    pub async fn settle(&self) {
        let (filed, answer) = oneshot::channel();
        if self.queue.try_send(Message::Settle(filed)).is_ok() {
            // No answer: it takes too long, or the database failed, which the next statement says better, or we are closing.
            let _ = tokio::time::timeout(LONGEST_WAIT, answer).await;
        }
    }

    /// Ends the task. What is not filed then is filed after the next start.
    pub(crate) async fn close(&self, limit: Duration) {
        self.is_closing.store(true, Ordering::Relaxed);
        if self.queue.send(Message::Close).await.is_ok() {
            let _ = tokio::time::timeout(limit, self.queue.closed()).await;
        }
    }
}

struct Clerk {
    store: Store,
    inbox: mpsc::Receiver<Message>,
    /// Who waits for this round to end.
    waiting: Vec<oneshot::Sender<()>>,
    is_closing: Arc<AtomicBool>,
}

impl Clerk {
    async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_closing() {
            tokio::select! {
                _ = interval.tick() => {}
                message = self.inbox.recv() => match message {
                    Some(message) => self.hear(message),
                    None => return,
                },
            }
            self.hear_all();
            if let Err(error) = self.file_all().await {
                tracing::warn!(%error, "exchanges could not be filed");
            }
            self.answer();
        }
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    fn hear(&mut self, message: Message) {
        if let Message::Settle(filed) = message {
            self.waiting.push(filed);
        }
    }

    fn hear_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.hear(message);
        }
    }

    fn answer(&mut self) {
        for filed in self.waiting.drain(..) {
            // Whoever asked may be gone.
            let _ = filed.send(());
        }
    }

    /// Files what was recorded before this began.
    async fn file_all(&mut self) -> Result<(), StoreError> {
        while !self.is_closing() {
            let page = rollup::unfiled(&self.store, PAGE).await?;
            self.file_page(&page).await?;
            if page.len() < PAGE {
                break;
            }
        }
        Ok(())
    }

    /// By credential first: each page of the database where something is filed is written once. Then by time: so is each page
    /// that says what is not filed.
    async fn file_page(&mut self, page: &[Unfiled]) -> Result<(), StoreError> {
        let mut by_credential: Vec<&Unfiled> = page.iter().collect();
        by_credential.sort_by(|left, right| (&left.client_id, &left.jti).cmp(&(&right.client_id, &right.jti)));
        let mut rest = by_credential.as_slice();
        while !rest.is_empty() {
            // What is left is found again after the next start.
            if self.is_closing() {
                return Ok(());
            }
            let (bite, after) = rest.split_at(bite(rest));
            let started = Instant::now();
            rollup::file(&self.store, bite).await?;
            self.pause(page, started).await;
            rest = after;
        }
        for bite in page.chunks(MOST_FORGOTTEN) {
            let started = Instant::now();
            rollup::forget(&self.store, bite).await?;
            self.pause(page, started).await;
        }
        Ok(())
    }

    /// Exchanges come first: leaves them the time that was taken from them, unless somebody waits.
    async fn pause(&mut self, page: &[Unfiled], started: Instant) {
        // More is left than this page: who came meanwhile would wait for it as well.
        if page.len() >= PAGE {
            self.hear_all();
            self.answer();
        }
        if self.waiting.is_empty() && self.inbox.is_empty() {
            tokio::time::sleep(started.elapsed()).await;
        }
    }
}

/// How many of the entries, sorted by credential, are filed together.
fn bite(entries: &[&Unfiled]) -> usize {
    let of_credentials = entries.chunk_by(|left, right| left.client_id == right.client_id);
    of_credentials.take(MOST_CREDENTIALS).map(<[&Unfiled]>::len).sum::<usize>().min(MOST_ENTRIES)
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::testing::Instance;

    /// Entries of the ledger that nobody filed, of this many credentials in turn.
    async fn record(store: &Store, exchanges: usize, credentials: usize) {
        let mut transaction = store.begin_exchange().await.expect("begins");
        for number in 0..exchanges {
            for sql in [
                "INSERT INTO ledger (jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at)
                 VALUES ($1, $2, 'sec_none', 'srv_none', 'mcp:read', 3600000, 3601000)",
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
    async fn each_exchange_is_filed_and_counted_once_however_many_do_it() {
        let instance = Instance::new().await;
        let store = &instance.context.store;
        record(store, 3000, 120).await;
        let others = [Filing::start(store.clone()), Filing::start(store.clone())];
        tokio::join!(instance.context.filing.settle(), others[0].settle(), others[1].settle());
        assert_eq!(count(store, "SELECT COUNT(*) FROM pending_exchanges").await, 0);
        assert_eq!(count(store, "SELECT COUNT(*) FROM credential_exchanges").await, 3000);
        assert_eq!(count(store, "SELECT COUNT(*) FROM usage_hours WHERE hour = 1 AND exchanges = 25").await, 120);
        for other in others {
            other.close(Duration::from_secs(5)).await;
        }
    }

    #[tokio::test]
    async fn more_than_a_page_is_filed_and_nobody_waits_for_all_of_it() {
        let instance = Instance::new().await;
        let store = &instance.context.store;
        record(store, PAGE + 10, 3).await;
        instance.context.filing.settle().await;
        assert!(count(store, "SELECT COUNT(*) FROM pending_exchanges").await > 0, "answered before the end");
        // The rest is soon less than a page, and then waited for.
        while count(store, "SELECT COUNT(*) FROM pending_exchanges").await > 0 {
            instance.context.filing.settle().await;
        }
        assert_eq!(count(store, "SELECT COUNT(*) FROM credential_exchanges").await, PAGE as i64 + 10);
        let counted = "SELECT CAST(SUM(exchanges) AS BIGINT) FROM usage_hours WHERE hour = 1";
        assert_eq!(count(store, counted).await, PAGE as i64 + 10);
    }
}
