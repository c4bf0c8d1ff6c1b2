//! The queues of the ledger: of requests, until a writer takes them as a batch, and of look-ups of the keys of clients
//! that prove themselves with an assertion.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::error::Fault;
use crate::model::token::TokenRequest;
use crate::services::ledger::rules::Decision;
use crate::services::metrics::Metrics;
use crate::store::credential::authenticators::KeyRow;
use crate::store::token::batch::KeyLookups;

/// Most requests that share a transaction.
pub(super) const BATCH_SIZE: usize = 64;

/// A request that waits for its decision.
pub(super) struct PendingRequest {
    pub request: TokenRequest,
    pub answer: oneshot::Sender<Decision>,
}

/// A message in the queue.
pub(super) enum LedgerMessage {
    /// A request.
    Request(PendingRequest),
    /// The end of the queue: later requests are refused.
    Close,
}

/// The receiving end of the queue. A writer that has no batch waits here for the next one.
pub(super) struct Inbox(Mutex<mpsc::Receiver<LedgerMessage>>);

impl Inbox {
    pub(super) fn new(receiver: mpsc::Receiver<LedgerMessage>) -> Self {
        Self(Mutex::new(receiver))
    }

    /// Whether requests wait at this moment.
    pub(super) fn has_more(&self) -> bool {
        self.0.try_lock().is_ok_and(|inbox| !inbox.is_empty())
    }

    /// The waiting requests, at least one and at most [`BATCH_SIZE`]; none when the ledger was closed.
    pub(super) async fn next_batch(&self) -> Vec<PendingRequest> {
        let mut inbox = self.0.lock().await;
        let mut messages = Vec::with_capacity(BATCH_SIZE);
        let mut batch = Vec::with_capacity(BATCH_SIZE);
        while batch.is_empty() && inbox.recv_many(&mut messages, BATCH_SIZE).await > 0 {
            for message in messages.drain(..) {
                match message {
                    LedgerMessage::Request(pending) => batch.push(pending),
                    // Requests that are in the queue are still served. Later ones are refused.
                    LedgerMessage::Close => inbox.close(),
                }
            }
        }
        batch
    }
}

/// A request for the keys of a client.
pub(super) struct KeyLookup {
    pub client_id: ClientId,
    /// Keys that stopped working before this moment are left out.
    pub since: Timestamp,
    pub answer: oneshot::Sender<Result<Vec<KeyRow>, Fault>>,
}

/// Answers look-ups until the last sender is gone. It serves all waiting clients at once, and runs beside the
/// exchanges: a client that is refused because of its key takes no place from an exchange.
pub(super) async fn answer_lookups(
    mut inbox: mpsc::Receiver<KeyLookup>,
    mut connection: KeyLookups,
    metrics: Arc<Metrics>,
) {
    let mut waiting = Vec::with_capacity(BATCH_SIZE);
    while inbox.recv_many(&mut waiting, BATCH_SIZE).await > 0 {
        let clients: Vec<_> = waiting.iter().map(|lookup| (&lookup.client_id, lookup.since)).collect();
        match connection.keys(&clients).await {
            Ok(found) => {
                for (lookup, rows) in waiting.drain(..).zip(found) {
                    // The request that asked may be gone.
                    let _ = lookup.answer.send(Ok(rows));
                }
            }
            Err(error) => {
                metrics.ledger_error();
                tracing::error!(%error, requests = waiting.len(), "the keys of clients could not be read");
                for lookup in waiting.drain(..) {
                    let _ = lookup.answer.send(Err(Fault::Overloaded("the keys could not be read")));
                }
            }
        }
    }
}
