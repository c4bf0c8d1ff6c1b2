//! The tasks of the ledger. Each takes a batch of requests, reads the state that the decisions need, decides, and
//! records.

use std::sync::Arc;

use tokio::sync::watch;

use crate::base::clock::{Clock, Timestamp};
use crate::base::random::Random;
use crate::error::Fault;
use crate::model::token::{ClientProof, TokenRequest};
use crate::services::ledger::queue::{Inbox, PendingRequest};
use crate::services::ledger::rules::{self, Decision, LedgerError, Rules, TokenTarget};
use crate::services::metrics::Metrics;
use crate::store::StoreError;
use crate::store::token::batch::{BatchConnection, BatchOutcome, BatchState, LedgerEntry};

/// The maximum number of attempts for a batch that changes interrupt. During the last attempt no change can happen.
const MOST_ATTEMPTS: usize = 3;

/// What the writers share.
pub(super) struct WriterShared {
    pub inbox: Inbox,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub metrics: Arc<Metrics>,
    /// Closes with the last of the writers.
    pub _alive: watch::Sender<()>,
}

/// A task of the ledger.
pub(super) struct Writer {
    /// Declared before `shared`, so that it is dropped first: when `shared` is gone, the connection is closed.
    connection: BatchConnection,
    shared: Arc<WriterShared>,
    /// The MCP servers, and the number of the audit log's newest entry when they were read.
    servers: Option<(i64, Arc<[TokenTarget]>)>,
}

impl Writer {
    pub(super) fn new(connection: BatchConnection, shared: Arc<WriterShared>) -> Self {
        Self { connection, shared, servers: None }
    }

    /// Serves batches until the ledger is closed.
    pub(super) async fn run(mut self) {
        loop {
            let batch = self.shared.inbox.next_batch().await;
            if batch.is_empty() {
                break;
            }
            self.serve(batch).await;
            if !self.shared.inbox.has_more() {
                self.connection.release();
            }
        }
    }

    async fn serve(&mut self, batch: Vec<PendingRequest>) {
        let requests: Vec<&TokenRequest> = batch.iter().map(|pending| &pending.request).collect();
        match self.decide_and_record(&requests).await {
            Ok(decisions) => {
                let granted = decisions.iter().filter(|decision| decision.is_ok()).count();
                self.shared.metrics.batch(decisions.len(), granted);
                for (pending, decision) in batch.into_iter().zip(decisions) {
                    // The client may have disconnected and not want its answer. The entry stays.
                    let _ = pending.answer.send(decision);
                }
            }
            Err(fault) => {
                self.shared.metrics.ledger_error();
                tracing::error!(%fault, requests = batch.len(), "the ledger could not be written");
                for pending in batch {
                    let fault = Fault::Overloaded("the ledger could not be written");
                    let _ = pending.answer.send(Err(LedgerError::Fault(fault)));
                }
            }
        }
    }

    async fn decide_and_record(&mut self, requests: &[&TokenRequest]) -> Result<Vec<Decision>, Fault> {
        let proofs: Vec<&ClientProof> = requests.iter().map(|request| &request.proof).collect();
        for attempt in 1..=MOST_ATTEMPTS {
            let now = self.shared.clock.now();
            let read = self.connection.read(&proofs, now, attempt == MOST_ATTEMPTS).await?;
            if let Some(decisions) = self.decide_and_write(requests, read, now).await? {
                return Ok(decisions);
            }
        }
        Err(Fault::Overloaded("too many changes at once"))
    }

    /// `None` when a change happened meanwhile: then nothing is written.
    async fn decide_and_write(
        &mut self,
        requests: &[&TokenRequest],
        read: BatchState,
        now: Timestamp,
    ) -> Result<Option<Vec<Decision>>, Fault> {
        let BatchState { head, signing, mut states } = read;
        let rules = Rules { servers: self.servers(head).await?, signing, now };
        let random = self.shared.random.as_ref();
        let mut decisions = Vec::with_capacity(requests.len());
        for (request, state) in requests.iter().zip(&mut states) {
            decisions.push(match state.take_if(|state| state.is_err()) {
                Some(Err(damage)) => Err(LedgerError::Fault(damage.into())),
                _ => rules.decide(state.as_ref().and_then(|state| state.as_ref().ok()), request, random),
            });
        }
        let single_uses = rules::single_uses(requests, &states, &mut decisions);
        let mut entries = Vec::with_capacity(decisions.len());
        for (position, decision) in decisions.iter().enumerate() {
            if let Ok(issued) = decision {
                entries.push(LedgerEntry { issued, single_use: single_uses.get(&position).copied() });
            }
        }
        if entries.is_empty() {
            self.connection.roll_back().await?;
            return Ok(Some(decisions));
        }
        let BatchOutcome::Committed(fresh) = self.connection.write(head, &entries).await? else { return Ok(None) };
        rules::refuse_replays(&single_uses, &fresh, &mut decisions);
        Ok(Some(decisions))
    }

    /// The MCP servers as they are at this number of the audit log. Every change of them has an entry, so a list that
    /// was read at the same number is the same list. This cache cannot be stale, because the number is read with each
    /// batch.
    async fn servers(&mut self, head: i64) -> Result<Arc<[TokenTarget]>, StoreError> {
        if let Some((at, servers)) = &self.servers
            && *at == head
        {
            return Ok(Arc::clone(servers));
        }
        let servers: Arc<[TokenTarget]> =
            self.connection.mcp_servers().await?.into_iter().map(TokenTarget::from).collect();
        self.servers = Some((head, Arc::clone(&servers)));
        Ok(servers)
    }
}
