//! The loop that fills the outbox and sends what is due: the server runs it in the background.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use crate::base::id::WebhookId;
use crate::context::Context;
use crate::error::Fault;
use crate::store;
use crate::webhook::outbox::enqueue;
use crate::webhook::sender::attempt_due;

/// Keeps the webhooks going. Each has at most one request under way, so a slow receiver holds up nobody but itself, and
/// there are never more requests than webhooks.
pub struct Dispatcher {
    context: Context,
    under_way: HashMap<WebhookId, JoinHandle<()>>,
}

impl Dispatcher {
    /// A dispatcher that has nothing under way.
    pub fn new(context: Context) -> Self {
        Self { context, under_way: HashMap::new() }
    }

    /// Fills the outbox with what is new, and begins to send what is due. Returns without waiting for answers.
    pub async fn turn(&mut self) -> Result<(), Fault> {
        self.under_way.retain(|_, round| !round.is_finished());
        enqueue(&self.context).await?;
        for webhook in store::webhook::due(&self.context.store, self.context.now()).await? {
            self.under_way
                .entry(webhook)
                .or_insert_with_key(|webhook| tokio::spawn(rounds(self.context.clone(), webhook.clone())));
        }
        Ok(())
    }

    /// Waits for the answers to what was begun for one webhook.
    pub async fn settle(&mut self, webhook: &WebhookId) {
        if let Some(round) = self.under_way.remove(webhook) {
            // One that panicked said so itself.
            let _ = round.await;
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.under_way.values().for_each(JoinHandle::abort);
    }
}

/// Sends to one webhook until nothing is due.
async fn rounds(context: Context, webhook: WebhookId) {
    loop {
        match attempt_due(&context, &webhook).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(fault) => {
                tracing::warn!(%fault, %webhook, "a webhook could not be served");
                return;
            }
        }
    }
}
