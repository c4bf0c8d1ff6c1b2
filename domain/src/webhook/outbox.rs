//! Creates deliveries from new audit entries.

use crate::base::id::DeliveryId;
use crate::model::webhook::Webhook;
use crate::prelude::{Context, Fault};
use crate::store;
use crate::store::webhook::NewDelivery;
use crate::webhook::event;

/// How many entries one transaction handles.
const BATCH_SIZE: i64 = 100;

/// Makes a delivery of each new entry of the audit log, for each webhook that subscribes to it. Returns how many.
///
/// The transaction that stores a webhook's deliveries also notes how far the webhook has come. So no entry is left out
/// or sent twice when two servers do this at once, or when one is interrupted.
pub async fn enqueue(context: &Context) -> Result<usize, Fault> {
    let mut made = 0;
    loop {
        let behind = store::webhook::behind(&context.store).await?;
        let Some(first) = behind.iter().map(|webhook| webhook.after_seq).min() else { return Ok(made) };
        let entries = store::audit::walk(&context.store, first, BATCH_SIZE).await?;
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(made) };
        let mut messages = Vec::new();
        for entry in &entries {
            let team = store::person::team::name_of_owner(&context.store, &entry.target_id).await?;
            messages.extend(
                event::message_of(&context.settings, entry, team.as_deref()).map(|message| (entry.seq, message)),
            );
        }
        let now = context.now();
        let mut transaction = context.store.begin().await?;
        for Webhook { id, events, format, after_seq, .. } in &behind {
            if *after_seq >= last || !store::webhook::advance(&mut transaction, id, *after_seq, last).await? {
                continue;
            }
            for (seq, message) in
                messages.iter().filter(|(seq, message)| seq > after_seq && events.contains(&message.kind))
            {
                let body = message.body(*format);
                let delivery = NewDelivery {
                    id: DeliveryId::generate(context.random.as_ref()),
                    webhook: id,
                    seq: Some(*seq),
                    event: message.name,
                    subject: &message.subject,
                    body: &body,
                    attempts: 0,
                    next_attempt_at: now,
                };
                store::webhook::insert_delivery(&mut transaction, &delivery, now).await?;
                made += 1;
            }
        }
        transaction.commit().await?;
    }
}
