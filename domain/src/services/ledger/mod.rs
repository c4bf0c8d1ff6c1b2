//! The ledger: every exchange is decided and recorded before its token leaves.
//!
//! Requests queue. One task takes the requests that wait, at most `BATCH_SIZE`, and serves them together:
//!
//! 1. It reads the state of all their authenticators and credentials.
//! 2. It decides each request.
//! 3. It writes an entry for each that is granted, and commits.
//!
//! On SQLite this is one transaction. On PostgreSQL several such tasks run, and step 3 writes only if no change
//! happened since step 1: otherwise the batch is decided again. So every decision rests on what the database held after
//! its request arrived: no cache exists that a revocation would have to reach, and many requests share the cost of a
//! commit. The alternatives: a transaction per request limits SQLite to a tenth of the rate; a cache of credential
//! states honours revoked secrets.
//!
//! | module | what it does |
//! |---|---|
//! | `queue` | holds the requests that wait, and hands them out as batches; looks up the keys of assertions |
//! | `writer` | serves a batch |
//! | [`rules`] | decides: who, whether at all, what, for which server |
//! | [`rollup`] | later sums up what was recorded, for the pages |

mod queue;
pub mod rollup;
pub mod rules;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::ClientId;
use crate::base::random::Random;
use crate::error::Fault;
use crate::model::token::{IssuedToken, TokenRequest};
use crate::services::ledger::queue::{Inbox, KeyLookup, LedgerMessage, PendingRequest};
use crate::services::ledger::rules::LedgerError;
use crate::services::ledger::writer::{Writer, WriterShared};
use crate::services::metrics::Metrics;
use crate::store::Store;
use crate::store::credential::authenticators::KeyOwner;
use crate::store::token::batch::{BatchConnection, KeyLookups};

/// The most requests that wait. Beyond it the answer is 503: a longer queue would only delay every request.
const QUEUE_SIZE: usize = 1024;
const FULL: Fault = Fault::Overloaded("too many exchanges at once");
const CLOSING: Fault = Fault::Overloaded("shutting down");

/// The queue to the ledger's task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    queue: mpsc::Sender<LedgerMessage>,
    lookups: mpsc::Sender<KeyLookup>,
    /// It carries no value. Its other end closes with the last of the writers.
    writers: watch::Receiver<()>,
}

impl Ledger {
    /// Starts the ledger's tasks in a thread of their own. In a thread that also serves thousands of connections, each
    /// step of a batch would wait for all of these connections, and no batch would finish.
    ///
    /// # Errors
    ///
    /// The system gives no further thread.
    pub(crate) fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (queue, inbox) = mpsc::channel(QUEUE_SIZE);
        let (lookups, asked) = mpsc::channel(QUEUE_SIZE);
        let (alive, writers) = watch::channel(());
        let shared = Arc::new(WriterShared { inbox: Inbox::new(inbox), clock, random, metrics, _alive: alive });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // The task ends with the runtime.
            runtime.spawn(queue::answer_lookups(asked, KeyLookups::new(store.clone()), Arc::clone(&shared.metrics)));
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..store.ledger_writers() {
                let writer = Writer::new(BatchConnection::new(store.clone()), Arc::clone(&shared));
                running.spawn_on(writer.run(), runtime.handle());
            }
            drop((shared, store));
            runtime.block_on(async { while running.join_next().await.is_some() {} });
        })?;
        Ok(Self { queue, lookups, writers })
    }

    /// Whether the queue has room for one more request. Callers ask this before they do any work for the request.
    ///
    /// # Errors
    ///
    /// [`Fault::Overloaded`] when the queue is full.
    pub(crate) fn check_room(&self) -> Result<(), Fault> {
        if self.queue.capacity() > 0 { Ok(()) } else { Err(FULL) }
    }

    /// Decides and records one exchange.
    pub(crate) async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, LedgerError> {
        let (answer, decided) = oneshot::channel();
        let message = LedgerMessage::Request(PendingRequest { request, answer });
        self.queue.try_send(message).map_err(|_| FULL)?;
        decided.await.map_err(|_| CLOSING)?
    }

    /// The rules for the client's assertions, and its keys that work or stopped working after `since`; `None` when
    /// there is no such client.
    pub(crate) async fn keys(&self, client_id: ClientId, since: Timestamp) -> Result<Option<KeyOwner>, Fault> {
        let (answer, found) = oneshot::channel();
        self.lookups.try_send(KeyLookup { client_id, since, answer }).map_err(|_| FULL)?;
        let rows = found.await.map_err(|_| CLOSING)??;
        Ok(KeyOwner::of(rows)?)
    }

    /// How many requests wait at this moment.
    pub fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Serves the requests in the queue, refuses later ones, and returns when done or after `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        if self.queue.send(LedgerMessage::Close).await.is_ok() {
            let mut writers = self.writers.clone();
            // After the limit, some requests have no answer. No token exists without an entry, so there is nothing to
            // undo.
            let _ = tokio::time::timeout(limit, writers.changed()).await;
        }
    }
}
