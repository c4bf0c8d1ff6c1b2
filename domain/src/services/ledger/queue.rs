//! The queue of the ledger: requests wait here until a writer takes them as a batch.

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::model::token::TokenRequest;
use crate::services::ledger::rules::Decision;

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
