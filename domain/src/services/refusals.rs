//! Counts refused exchanges in the background.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId};
use crate::model::client::refusal::{AppKey, AppRefusal};
use crate::model::credential::usage::{Counted, Key, RefusalDetail};
use crate::model::origin::Origin;
use crate::model::token::Refusal;
use crate::services::metrics::Metrics;
use crate::services::recorder::{Batch, Recorder};
use crate::store::{self, Store};

/// The most refusals that wait to be counted.
const LONGEST_QUEUE: usize = 4096;

/// A refusal: of which credential or client, and why.
struct Refused<Id, Cause> {
    id: Id,
    cause: Cause,
    detail: RefusalDetail,
    origin: Origin,
    at: Timestamp,
}

/// What is recorded.
enum Record {
    OfCredential(Refused<ClientId, Refusal>),
    OfApp(Refused<AppClientId, AppRefusal>),
}

/// Counts refused exchanges in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RefusalRecorder {
    queue: Recorder<Record>,
    metrics: Arc<Metrics>,
}

impl RefusalRecorder {
    pub(crate) fn start(store: Store, metrics: Arc<Metrics>) -> Self {
        Self { queue: Recorder::start::<Refusals>(store, LONGEST_QUEUE, |_| ()), metrics }
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
            // A lost count does no harm: the refusal itself has been answered.
            self.queue.record(Record::OfCredential(refused));
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
        self.queue.record(Record::OfApp(refused));
    }

    /// Waits until the refusals recorded before are written.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }

    pub(crate) async fn close(&self, limit: Duration) {
        self.queue.close(limit).await;
    }
}

/// Refusals that are written together.
#[derive(Default)]
struct Refusals {
    of_credentials: HashMap<Key, Counted>,
    of_apps: HashMap<AppKey, Counted>,
}

impl Batch for Refusals {
    type Record = Record;

    fn add(&mut self, record: Record) {
        match record {
            Record::OfCredential(refused) => count(&mut self.of_credentials, refused),
            Record::OfApp(refused) => count(&mut self.of_apps, refused),
        }
    }

    async fn write(self, store: &Store) -> u64 {
        let mut lost = 0;
        if !self.of_credentials.is_empty()
            && let Err(error) = store::token::usage::count_refusals(store, &self.of_credentials).await
        {
            tracing::warn!(%error, "refused exchanges could not be counted");
            lost += total(&self.of_credentials);
        }
        if !self.of_apps.is_empty()
            && let Err(error) = store::client::refusal::count(store, &self.of_apps).await
        {
            tracing::warn!(%error, "refused requests of apps could not be counted");
            lost += total(&self.of_apps);
        }
        lost
    }
}

fn total<Key>(counted: &HashMap<Key, Counted>) -> u64 {
    counted.values().map(|counted| counted.count.unsigned_abs()).sum()
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
