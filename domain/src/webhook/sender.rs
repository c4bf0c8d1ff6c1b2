//! Attempts: sends deliveries that are due. A delivery that fails is tried again later. Also sends a test message, and
//! an old delivery again when a person asks for it.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::base::id::{DeliveryId, WebhookId};
use crate::base::random::Random;
use crate::base::text::printable;
use crate::crypto::keys::KeyError;
use crate::crypto::keys::purpose::WEBHOOK_URL;
use crate::model::ports::WebhookMessage;
use crate::prelude::{Actor, Context, Fault, Timestamp};
use crate::store;
use crate::store::webhook::{Attempt, Claimed, NewDelivery};
use crate::webhook;
use crate::webhook::WebhookError;
use crate::webhook::event;
use crate::webhook::secret::SigningSecret;

/// The wait after each failed attempt. After the last one the delivery has failed permanently.
const BACKOFF: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(3 * 3600),
    Duration::from_secs(8 * 3600),
];
/// For this time no other server may send the delivery: it is longer than an attempt can take. If the attempt never
/// reports a result, any server may make the next one after it.
const LEASE: Duration = Duration::from_secs(60);
/// Longest text that is stored about a failure, in characters. Part of the text comes from another server.
const LONGEST_PROBLEM: usize = 200;
/// The receiver is gone permanently (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// How to reach a receiver: its address and its signing secrets, unwrapped.
pub(crate) struct Route {
    url: Zeroizing<String>,
    secrets: Vec<(SigningSecret, Option<Timestamp>)>,
}

impl Route {
    pub(crate) async fn open(context: &Context, id: &WebhookId) -> Result<Option<Self>, Fault> {
        let Some(wrapped) = store::webhook::route(&context.store, id).await? else { return Ok(None) };
        let url = context.keys.master.unwrap(WEBHOOK_URL, id.as_str(), &wrapped.url)?;
        let url = std::str::from_utf8(&url).map_err(|_| KeyError::Damaged(WEBHOOK_URL))?.to_owned();
        let mut secrets = vec![(SigningSecret::unwrap(&context.keys.master, id, &wrapped.secret)?, None)];
        if let Some((previous, until)) = &wrapped.previous {
            secrets.push((SigningSecret::unwrap(&context.keys.master, id, previous)?, Some(*until)));
        }
        Ok(Some(Self { url: Zeroizing::new(url), secrets }))
    }

    pub(crate) fn into_url(self) -> String {
        self.url.to_string()
    }

    /// The message that is sent at `now`. While a secret is being replaced, the message has a signature of each secret.
    fn message(&self, delivery: &Claimed, now: Timestamp) -> WebhookMessage {
        let (id, timestamp) = (delivery.id.as_str(), now.seconds());
        let signatures: Vec<String> = self
            .secrets
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| now < until))
            .map(|(secret, _)| secret.sign(id, timestamp, &delivery.body))
            .collect();
        WebhookMessage {
            url: self.url.clone(),
            id: id.to_owned(),
            timestamp,
            signature: signatures.join(" "),
            body: delivery.body.clone(),
        }
    }
}

/// Makes one attempt for the delivery of this webhook that has waited longest. Deliveries are sent one after the other,
/// so events arrive in their order while the receiver works. Returns false when no delivery was due, or another server
/// had claimed it.
pub async fn attempt_due(context: &Context, webhook: &WebhookId) -> Result<bool, Fault> {
    let now = context.now();
    let claimed = store::webhook::claim(&context.store, webhook, now, now.plus(LEASE)).await?;
    let Some(delivery) = claimed else { return Ok(false) };
    // The webhook was removed in the meantime, with its deliveries.
    let Some(route) = Route::open(context, webhook).await? else { return Ok(false) };
    attempt(context, &route, &delivery, true).await?;
    Ok(true)
}

/// Makes one attempt and stores the result.
async fn attempt(context: &Context, route: &Route, delivery: &Claimed, retries: bool) -> Result<(), Fault> {
    let answer = context.post.post(&route.message(delivery, context.now())).await;
    let now = context.now();
    let (status, problem) = match answer {
        Ok(status @ 200..=299) => (Some(status), None),
        Ok(status @ 300..=399) => {
            (Some(status), Some(format!("Receiver returned {status}. Redirects are not followed.")))
        }
        Ok(GONE) => (Some(GONE), Some("Receiver returned 410 Gone.".to_owned())),
        Ok(status) => (Some(status), Some(format!("Receiver returned {status}."))),
        Err(problem) => (None, Some(sentence(&printable(&problem)))),
    };
    let is_gone = status == Some(GONE);
    let again = problem.is_some() && retries && !is_gone;
    let next_attempt_at = if again { next_attempt(context.random.as_ref(), delivery.attempts, now) } else { None };
    let outcome = Attempt { at: now, status, problem, next_attempt_at };
    store::webhook::record(&context.store, delivery, &outcome).await?;
    if is_gone {
        match webhook::pause(context, &Actor::system(), &delivery.webhook, true).await {
            Ok(()) | Err(WebhookError::NotFound) => {}
            Err(WebhookError::Fault(fault)) => return Err(fault),
            Err(error) => tracing::error!(%error, "a webhook could not be paused"),
        }
    }
    Ok(())
}

/// A cause as a sentence: with a capital letter and a full stop.
fn sentence(cause: &str) -> String {
    let cause: String = cause.chars().take(LONGEST_PROBLEM - 1).collect();
    let mut letters = cause.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if cause.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// When the next attempt is made after `attempts` failed ones; `None`: never. A random delay is added, so that
/// deliveries that failed together are not repeated together.
fn next_attempt(random: &dyn Random, attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let backoff = *BACKOFF.get(usize::try_from(attempts - 1).ok()?)?;
    let mut chance = [0];
    random.fill(&mut chance);
    Some(now.plus(backoff + backoff / 10 * u32::from(chance[0]) / 255))
}

/// Sends a test message now, once, and returns the delivery that holds the result. This also works while the webhook is
/// paused: people test a webhook before they resume it.
pub async fn test(context: &Context, actor: &Actor, id: &WebhookId) -> Result<DeliveryId, WebhookError> {
    let (mut change, webhook) = webhook::begin_for(context, actor, id).await?;
    let route = Route::open(context, id).await?.ok_or(WebhookError::NotFound)?;
    let now = context.now();
    let body = event::test(&context.settings, actor, &webhook, now);
    let delivery = NewDelivery {
        id: DeliveryId::generate(context.random.as_ref()),
        webhook: id,
        seq: None,
        event: event::TEST,
        subject: "",
        body: &body,
        // The attempt is under way from the start.
        attempts: 1,
        next_attempt_at: now.plus(LEASE),
    };
    store::webhook::insert_delivery(&mut change, &delivery, now).await?;
    // A test has no audit entry: it changes nothing, and its delivery is on the webhook's page.
    change.commit_all(actor, &[]).await?;
    let claimed =
        Claimed { id: delivery.id.clone(), webhook: id.clone(), attempts: 1, lease: delivery.next_attempt_at, body };
    attempt(context, &route, &claimed, false).await?;
    Ok(claimed.id)
}

/// Resets a delivery, so that it is sent now as if it had never been tried. The identifier stays, so a receiver that
/// got the delivery before recognises it.
pub async fn send_again(
    context: &Context,
    actor: &Actor,
    webhook: &WebhookId,
    delivery: &DeliveryId,
) -> Result<(), WebhookError> {
    let (mut change, found) = webhook::begin_for(context, actor, webhook).await?;
    if found.paused_at.is_some() {
        return Err(WebhookError::Paused);
    }
    let now = change.now();
    if !store::webhook::send_again(&mut change, webhook, delivery, now).await? {
        return Err(WebhookError::NotFound);
    }
    Ok(change.commit_all(actor, &[]).await.map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn attempts_are_ever_rarer_and_then_over() {
        let (random, now) = (SeededRandom::new(1), Timestamp::from_millis(0));
        for (position, backoff) in BACKOFF.iter().enumerate() {
            for _ in 0..50 {
                let next = next_attempt(&random, position as i64 + 1, now).expect("one more").since(now);
                assert!(*backoff <= next && next <= *backoff + *backoff / 10, "{next:?} after {backoff:?}");
            }
        }
        assert_eq!(next_attempt(&random, BACKOFF.len() as i64 + 1, now), None);
    }
}
