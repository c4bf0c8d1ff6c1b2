//! How much a credential is used and refused, hour by hour: rows that stay few however many requests there are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::ClientId;
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::store::{self, Store};
use crate::token::ledger::Refusal;

pub use crate::store::ledger::RecentExchange;

/// Exchanges and refusals in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    /// Hours since the epoch.
    pub hour: i64,
    /// Tokens issued.
    pub exchanges: i64,
    /// Exchanges refused.
    pub refusals: i64,
}

/// Whose use is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// That of one credential.
    Credential(&'a ClientId),
    /// That of all which an authority sees.
    All(&'a Authority),
}

/// The last `hours` hours, oldest first, none left out. Those of everything on a large instance may be some seconds old.
pub async fn hours(context: &Context, whose: Whose<'_>, hours: u16) -> Result<Vec<Hour>, Fault> {
    let last = context.now().hour();
    let first = last - i64::from(hours) + 1;
    context.filing.settle().await;
    let counted = match whose {
        Whose::All(authority) if store::credential_list::are_many(&context.store).await? => {
            let (store, authority) = (context.store.clone(), authority.clone());
            let name = format!("{} {hours}", authority.key().unwrap_or_default());
            let count = async move { Ok(store::usage::hours(&store, Whose::All(&authority), first).await?) };
            context.hours.get(&name, context.now(), count).await?
        }
        whose => store::usage::hours(&context.store, whose, first).await?,
    };
    Ok((first..=last)
        .map(|hour| {
            counted.iter().find(|counted| counted.hour == hour).copied().unwrap_or(Hour { hour, ..Hour::default() })
        })
        .collect())
}

/// Refusals of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalSummary {
    /// The cause.
    pub cause: Refusal,
    /// How many.
    pub count: i64,
    /// When the last one was.
    pub last_at: Timestamp,
    /// Where it came from.
    pub last_address: Option<String>,
    /// With which program, as it says itself.
    pub last_agent: Option<String>,
    /// What was wrong with it, where the cause alone does not say.
    pub last_detail: Option<String>,
}

/// What was refused to a credential in the last 30 days, by cause, latest first.
pub async fn refusals(context: &Context, client_id: &ClientId) -> Result<Vec<RefusalSummary>, Fault> {
    let since = context.now().hour() - 30 * 24;
    Ok(store::usage::refusals(&context.store, client_id, since).await?)
}

/// The newest exchanges of a credential.
pub async fn recent_exchanges(context: &Context, client_id: &ClientId) -> Result<Vec<RecentExchange>, Fault> {
    Ok(store::ledger::recent(&context.store, client_id, 10).await?)
}

/// Refusals of one cause in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalHour {
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// The cause.
    pub cause: Refusal,
    /// How many.
    pub count: i64,
}

/// What was refused to a credential in the last `hours` hours, by hour and cause, latest first.
pub async fn refusals_by_hour(context: &Context, client_id: &ClientId, hours: u16) -> Result<Vec<RefusalHour>, Fault> {
    let first = context.now().hour() - i64::from(hours) + 1;
    Ok(store::usage::refusals_by_hour(&context.store, client_id, first).await?)
}

/// How often counted refusals are written.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);
/// Most refusals that wait to be counted. Beyond it they are dropped: a flood of wrong secrets must not use up
/// memory, nor slow the answers down.
const QUEUE: usize = 4096;

struct Refused {
    client_id: ClientId,
    refusal: Refusal,
    detail: Option<String>,
    origin: Origin,
    at: Timestamp,
}

enum Message {
    Refused(Refused),
    Settle(oneshot::Sender<()>),
    Close,
}

/// Refusals of one credential in one hour for one cause, not yet written.
pub(crate) struct Counted {
    pub count: i64,
    pub last_at: Timestamp,
    pub last_origin: Origin,
    pub last_detail: Option<String>,
}

/// What refusals are counted by.
pub(crate) type Key = (ClientId, i64, Refusal);

/// Counts refused exchanges in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RefusalRecorder {
    queue: mpsc::Sender<Message>,
    metrics: Arc<Metrics>,
}

impl RefusalRecorder {
    pub(crate) fn start(store: Store, metrics: Arc<Metrics>) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(serve(inbox, store));
        Self { queue, metrics }
    }

    /// Counts a refusal at the credential it concerns. Without one there is nowhere to show it.
    pub fn record(&self, client_id: Option<&ClientId>, refusal: Refusal, origin: &Origin, at: Timestamp) {
        self.record_detail(client_id, refusal, None, origin, at);
    }

    /// The same with what was wrong: names of claims and what was expected of them, nothing of what was sent.
    pub fn record_detail(
        &self,
        client_id: Option<&ClientId>,
        refusal: Refusal,
        detail: Option<String>,
        origin: &Origin,
        at: Timestamp,
    ) {
        self.metrics.refusal(refusal);
        if let Some(client_id) = client_id {
            let refused = Refused { client_id: client_id.clone(), refusal, detail, origin: origin.clone(), at };
            // Full or closed: the count is a courtesy, the refusal itself has been answered.
            let _ = self.queue.try_send(Message::Refused(refused));
        }
    }

    /// Waits until what was recorded before is written.
    pub async fn settle(&self) {
        let (written, answer) = oneshot::channel();
        if self.queue.send(Message::Settle(written)).await.is_ok() {
            // No answer: it is closing, and writes what it has.
            let _ = answer.await;
        }
    }

    pub(crate) async fn close(&self, limit: Duration) {
        if self.queue.send(Message::Close).await.is_ok() {
            let _ = tokio::time::timeout(limit, self.queue.closed()).await;
        }
    }
}

async fn serve(mut inbox: mpsc::Receiver<Message>, store: Store) {
    let mut counted: HashMap<Key, Counted> = HashMap::new();
    let mut closing = false;
    while !closing {
        // Wait for the first one, gather what follows within the interval, write once.
        let Some(mut message) = inbox.recv().await else { return };
        let deadline = tokio::time::sleep(WRITE_INTERVAL);
        tokio::pin!(deadline);
        let mut waiting = None;
        loop {
            match message {
                Message::Refused(refused) => count(&mut counted, refused),
                Message::Settle(written) => waiting = Some(written),
                Message::Close => closing = true,
            }
            if closing || waiting.is_some() {
                break;
            }
            message = tokio::select! {
                () = &mut deadline => break,
                next = inbox.recv() => next.unwrap_or(Message::Close),
            };
        }
        if !counted.is_empty()
            && let Err(error) = store::usage::count_refusals(&store, &counted).await
        {
            tracing::warn!(%error, "refused exchanges could not be counted");
        }
        counted.clear();
        if let Some(written) = waiting {
            // Whoever asked may be gone.
            let _ = written.send(());
        }
    }
}

/// Adds one refusal.
fn count(counted: &mut HashMap<Key, Counted>, refused: Refused) {
    let key = (refused.client_id, refused.at.hour(), refused.refusal);
    let entry = counted.entry(key).or_insert(Counted {
        count: 0,
        last_at: refused.at,
        last_origin: Origin::default(),
        last_detail: None,
    });
    entry.count += 1;
    entry.last_at = entry.last_at.max(refused.at);
    entry.last_origin = refused.origin;
    entry.last_detail = refused.detail;
}
