//! [`Recorder`]: collects what happened, and writes it a batch at a time. Nothing that is recorded waits for the
//! database, and nothing but a killed server loses more than what overflows.

use std::fmt;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::store::Store;

/// How often a batch is written.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);

/// What is written together.
pub(crate) trait Batch: Default + Send + 'static {
    /// One thing that happened.
    type Record: Send + 'static;

    /// Adds a record.
    fn add(&mut self, record: Self::Record);

    /// Writes the batch. A fault is logged: nobody waits for the result. Returns how many records are lost.
    fn write(self, store: &Store) -> impl Future<Output = u64> + Send;
}

enum Message<Record> {
    Record(Record),
    Flush(oneshot::Sender<()>),
    Close,
}

/// Collects records in the background. Cheap to clone.
pub(crate) struct Recorder<Record>(mpsc::Sender<Message<Record>>);

impl<Record> fmt::Debug for Recorder<Record> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Recorder")
    }
}

impl<Record> Clone for Recorder<Record> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Record: Send + 'static> Recorder<Record> {
    /// Starts a recorder. At most `longest` records wait; further ones are dropped, because a flood must not use up
    /// memory or slow the answers down. `lost` gets the number of records of each batch that could not be written.
    pub(crate) fn start<B: Batch<Record = Record>>(
        store: Store,
        longest: usize,
        lost: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        let (queue, inbox) = mpsc::channel(longest);
        tokio::spawn(serve::<B>(inbox, store, lost));
        Self(queue)
    }

    /// Records something. Returns whether it was taken: the queue may be full, or closed.
    pub(crate) fn record(&self, record: Record) -> bool {
        self.0.try_send(Message::Record(record)).is_ok()
    }

    /// Waits until what was recorded before is written.
    pub(crate) async fn flush(&self) {
        let (written, answer) = oneshot::channel();
        if self.0.send(Message::Flush(written)).await.is_ok() {
            // There is no answer when the recorder is closing. It then writes what it has.
            let _ = answer.await;
        }
    }

    /// Writes what is left, and stops.
    pub(crate) async fn close(&self, limit: Duration) {
        if self.0.send(Message::Close).await.is_ok() {
            let _ = tokio::time::timeout(limit, self.0.closed()).await;
        }
    }
}

async fn serve<B: Batch>(
    mut inbox: mpsc::Receiver<Message<B::Record>>,
    store: Store,
    lost: impl Fn(u64) + Send + Sync + 'static,
) {
    let mut closing = false;
    while !closing {
        // Waits for the first record, collects more within the interval, and writes all of them once.
        let Some(mut message) = inbox.recv().await else { return };
        let deadline = tokio::time::sleep(WRITE_INTERVAL);
        tokio::pin!(deadline);
        let (mut batch, mut is_empty, mut waiting) = (B::default(), true, None);
        loop {
            match message {
                Message::Record(record) => {
                    batch.add(record);
                    is_empty = false;
                }
                Message::Flush(written) => waiting = Some(written),
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
        if !is_empty {
            lost(batch.write(&store).await);
        }
        if let Some(written) = waiting {
            // The request that asked may be gone.
            let _ = written.send(());
        }
    }
}
