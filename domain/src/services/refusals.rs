//! Counts refused exchanges in the background.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId};
use crate::model::client::refusal::{AppKey, AppRefusal};
use crate::model::credential::usage::{Counted, Key, RefusalDetail};
use crate::model::origin::Origin;
use crate::model::token::Refusal;
use crate::services::metrics::Metrics;
use crate::store::{self, Store};

/// How often counted refusals are written.
pub(crate) const WRITE_INTERVAL: Duration = Duration::from_millis(500);

/// The most refusals that wait to be counted. Further ones are dropped: a flood of wrong secrets must not use up memory
/// or slow the answers down.
pub(crate) const QUEUE: usize = 4096;

/// A refusal: of which credential or client, and why.
pub(crate) struct Refused<Id, Cause> {
    id: Id,
    cause: Cause,
    detail: RefusalDetail,
    origin: Origin,
    at: Timestamp,
}

pub(crate) enum RefusalMessage {
    OfCredential(Refused<ClientId, Refusal>),
    OfApp(Refused<AppClientId, AppRefusal>),
    Flush(oneshot::Sender<()>),
    Close,
}

/// Counts refused exchanges in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RefusalRecorder {
    queue: mpsc::Sender<RefusalMessage>,
    metrics: Arc<Metrics>,
}

impl RefusalRecorder {
    pub(crate) fn start(store: Store, metrics: Arc<Metrics>) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(serve(inbox, store));
        Self { queue, metrics }
    }

    /// Counts a refusal for the credential that it concerns. A refusal without a known credential is not counted,
    /// because no page could show it.
    pub fn record(&self, client_id: Option<&ClientId>, refusal: Refusal, origin: &Origin, at: Timestamp) {
        self.record_detail(client_id, refusal, RefusalDetail::default(), origin, at);
    }

    /// Counts a refusal with details.
    pub(crate) fn record_detail(
        &self,
        client_id: Option<&ClientId>,
        refusal: Refusal,
        detail: RefusalDetail,
        origin: &Origin,
        at: Timestamp,
    ) {
        self.metrics.refusal(refusal);
        if let Some(client_id) = client_id {
            let refused = Refused { id: client_id.clone(), cause: refusal, detail, origin: origin.clone(), at };
            // The queue may be full or closed. A lost count does no harm: the refusal itself has been answered.
            let _ = self.queue.try_send(RefusalMessage::OfCredential(refused));
        }
    }

    /// Counts a refusal of a client that acts for people.
    pub(crate) fn record_of_app(
        &self,
        id: AppClientId,
        cause: AppRefusal,
        detail: Option<String>,
        origin: &Origin,
        at: Timestamp,
    ) {
        let detail = RefusalDetail { text: detail, received: None };
        let refused = Refused { id, cause, detail, origin: origin.clone(), at };
        let _ = self.queue.try_send(RefusalMessage::OfApp(refused));
    }

    /// Waits until the refusals recorded before are written.
    pub async fn flush(&self) {
        let (written, answer) = oneshot::channel();
        if self.queue.send(RefusalMessage::Flush(written)).await.is_ok() {
            // There is no answer when the recorder is closing. It then writes what it has.
            let _ = answer.await;
        }
    }

    pub(crate) async fn close(&self, limit: Duration) {
        if self.queue.send(RefusalMessage::Close).await.is_ok() {
            let _ = tokio::time::timeout(limit, self.queue.closed()).await;
        }
    }
}

pub(crate) async fn serve(mut inbox: mpsc::Receiver<RefusalMessage>, store: Store) {
    let mut counted: HashMap<Key, Counted> = HashMap::new();
    let mut of_apps: HashMap<AppKey, Counted> = HashMap::new();
    let mut closing = false;
    while !closing {
        // Waits for the first refusal, collects more within the interval, and writes all of them once.
        let Some(mut message) = inbox.recv().await else { return };
        let deadline = tokio::time::sleep(WRITE_INTERVAL);
        tokio::pin!(deadline);
        let mut waiting = None;
        loop {
            match message {
                RefusalMessage::OfCredential(refused) => count(&mut counted, refused),
                RefusalMessage::OfApp(refused) => count(&mut of_apps, refused),
                RefusalMessage::Flush(written) => waiting = Some(written),
                RefusalMessage::Close => closing = true,
            }
            if closing || waiting.is_some() {
                break;
            }
            message = tokio::select! {
                () = &mut deadline => break,
                next = inbox.recv() => next.unwrap_or(RefusalMessage::Close),
            };
        }
        if !counted.is_empty()
            && let Err(error) = store::token::usage::count_refusals(&store, &counted).await
        {
            tracing::warn!(%error, "refused exchanges could not be counted");
        }
        counted.clear();
        if !of_apps.is_empty()
            && let Err(error) = store::client::refusal::count(&store, &of_apps).await
        {
            tracing::warn!(%error, "refused requests of apps could not be counted");
        }
        of_apps.clear();
        if let Some(written) = waiting {
            // The request that asked may be gone.
            let _ = written.send(());
        }
    }
}

/// Adds one refusal.
fn count<Id: Eq + Hash, Cause: Eq + Hash>(
    counted: &mut HashMap<(Id, i64, Cause), Counted>,
    refused: Refused<Id, Cause>,
) {
    let Refused { id, cause, detail, origin, at } = refused;
    let entry = counted.entry((id, at.hour(), cause)).or_insert(Counted {
        count: 0,
        last_at: at,
        last_origin: Origin::default(),
        last_detail: RefusalDetail::default(),
    });
    entry.count += 1;
    entry.last_at = entry.last_at.max(at);
    (entry.last_origin, entry.last_detail) = (origin, detail);
}
