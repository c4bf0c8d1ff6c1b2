//! The loop that fills the outbox and sends due deliveries. The server runs it in the background.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use crate::base::id::WebhookId;
use crate::prelude::{Context, Fault};
use crate::store;
use crate::webhook::outbox::enqueue;
use crate::webhook::sender::attempt_due;

/// Runs the webhooks. Each webhook has at most one request under way. So a slow receiver delays only its own
/// deliveries, and there are never more requests than webhooks.
pub struct Dispatcher {
    context: Context,
    under_way: HashMap<WebhookId, JoinHandle<()>>,
}

impl Dispatcher {
    /// A dispatcher without any request under way.
    pub fn new(context: Context) -> Self {
        Self { context, under_way: HashMap::new() }
    }

    /// Fills the outbox with new entries, and begins to send due deliveries. Returns without waiting for answers.
    pub async fn send_due(&mut self) -> Result<(), Fault> {
        self.under_way.retain(|_, round| !round.is_finished());
        enqueue(&self.context).await?;
        for webhook in store::webhook::due(&self.context.store, self.context.now()).await? {
            self.under_way
                .entry(webhook)
                .or_insert_with_key(|webhook| tokio::spawn(rounds(self.context.clone(), webhook.clone())));
        }
        Ok(())
    }

    /// Waits until the requests that were begun for one webhook have ended.
    pub async fn finish(&mut self, webhook: &WebhookId) {
        if let Some(round) = self.under_way.remove(webhook) {
            // A task that panicked has reported the panic itself.
            let _ = round.await;
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.under_way.values().for_each(JoinHandle::abort);
    }
}

/// Sends to one webhook until no delivery is due.
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
