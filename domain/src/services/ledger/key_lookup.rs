//! Looks up the keys of clients that prove themselves with an assertion. It serves all waiting clients at once, and
//! runs beside the exchanges: a client that is refused because of its key takes no place from an exchange.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::error::Fault;
use crate::services::ledger::queue::BATCH_SIZE;
use crate::services::metrics::Metrics;
use crate::store::credential::authenticators::KeyRow;
use crate::store::token::batch::KeyLookups;

/// A request for the keys of a client.
pub(super) struct KeyLookup {
    pub client_id: ClientId,
    /// Keys that stopped working before this moment are left out.
    pub since: Timestamp,
    pub answer: oneshot::Sender<Result<Vec<KeyRow>, Fault>>,
}

/// Answers look-ups until the last sender is gone.
pub(super) async fn serve(mut inbox: mpsc::Receiver<KeyLookup>, mut connection: KeyLookups, metrics: Arc<Metrics>) {
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
