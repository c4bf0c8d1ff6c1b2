//! `webhooks` and `webhook_deliveries`. Addresses and secrets are wrapped values here.

pub mod alert;
pub(crate) mod mail;

use crate::base::clock::Timestamp;
use crate::base::id::{DeliveryId, WebhookId};
use crate::model::webhook::Webhook;
use crate::store::{On, Result, Store, Transaction, composed_sql, row, sql};

const COLUMNS: &str =
    "SELECT id, name, host, format, events, secret_made_at, previous_until, after_seq, created_by, created_at,
    paused_at, gone_at, last_attempt_at, last_status, last_problem, failing_since FROM webhooks";

row! { "webhooks" => Webhook {
    id, name, host, format, events, secret_made_at, previous_until, after_seq, created_by, created_at, paused_at, gone_at,
    last_attempt_at, last_status, last_problem, failing_since
} }

pub(crate) async fn insert(transaction: &mut Transaction, webhook: &Webhook, url: &str, secret: &str) -> Result<()> {
    sql!(
        "INSERT INTO webhooks
             (id, name, host, url, format, events, secret, secret_made_at, after_seq, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        webhook.id, webhook.name, webhook.host, url, webhook.format, webhook.events, secret, webhook.secret_made_at,
        webhook.after_seq, webhook.created_by, webhook.created_at
    )
    .execute(transaction)
    .await
}

pub(crate) async fn update(transaction: &mut Transaction, webhook: &Webhook, url: &str) -> Result<()> {
    let sql = "UPDATE webhooks SET name = $1, host = $2, url = $3, events = $4, format = $5 WHERE id = $6";
    sql!(sql; webhook.name, webhook.host, url, webhook.events, webhook.format, webhook.id).execute(transaction).await
}

pub(crate) async fn count(transaction: &mut Transaction) -> Result<i64> {
    sql!("SELECT COUNT(*) AS n FROM webhooks").one(transaction).await
}

pub(crate) async fn list(store: &Store) -> Result<Vec<Webhook>> {
    composed_sql!("{COLUMNS} ORDER BY created_at, id").all(store).await
}

pub(crate) async fn find(on: impl On<'_>, id: &WebhookId) -> Result<Option<Webhook>> {
    composed_sql!("{COLUMNS} WHERE id = $1"; id).optional(on).await
}

pub(crate) async fn pause(transaction: &mut Transaction, id: &WebhookId, now: Timestamp, gone: bool) -> Result<()> {
    let sql = "UPDATE webhooks SET paused_at = $1, gone_at = $2 WHERE id = $3";
    sql!(sql; now, gone.then_some(now), id).execute(transaction).await
}

pub(crate) async fn resume(transaction: &mut Transaction, id: &WebhookId, head: i64) -> Result<()> {
    let sql = "UPDATE webhooks SET paused_at = NULL, gone_at = NULL, after_seq = $1 WHERE id = $2";
    sql!(sql; head, id).execute(transaction).await
}

/// Replaces the present secret by a new one. The present one is kept until `previous_until`.
pub(crate) async fn replace_secret(
    transaction: &mut Transaction,
    id: &WebhookId,
    secret: &str,
    now: Timestamp,
    previous_until: Timestamp,
) -> Result<()> {
    let sql = "UPDATE webhooks SET previous_secret = secret, previous_until = $1, secret = $2, secret_made_at = $3
         WHERE id = $4";
    sql!(sql; previous_until, secret, now, id).execute(transaction).await
}

pub(crate) async fn remove(transaction: &mut Transaction, id: &WebhookId) -> Result<()> {
    for sql in ["DELETE FROM webhook_deliveries WHERE webhook_id = $1", "DELETE FROM webhooks WHERE id = $1"] {
        sql!(sql; id).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Wrapped address and secrets.
pub(crate) struct WrappedRoute {
    pub url: String,
    pub secret: String,
    pub previous: Option<(String, Timestamp)>,
}

row! { "webhooks" => WrappedRoute {
    url, secret,
    previous: |columns| Ok(columns.get::<Option<_>>("previous_secret")?.zip(columns.get("previous_until")?))
} }

pub(crate) async fn route(store: &Store, id: &WebhookId) -> Result<Option<WrappedRoute>> {
    sql!("SELECT url, secret, previous_secret, previous_until FROM webhooks WHERE id = $1"; id).optional(store).await
}

/// Webhooks that have audit entries to check.
pub(crate) async fn behind(store: &Store) -> Result<Vec<Webhook>> {
    composed_sql!("{COLUMNS} WHERE paused_at IS NULL AND after_seq < (SELECT seq FROM audit_head WHERE id = 1)")
        .all(store)
        .await
}

/// Moves a webhook forward in the audit log; false when another process did so, or the webhook was paused.
pub(crate) async fn advance(transaction: &mut Transaction, id: &WebhookId, from: i64, to: i64) -> Result<bool> {
    let sql = "UPDATE webhooks SET after_seq = $1 WHERE id = $2 AND after_seq = $3 AND paused_at IS NULL";
    sql!(sql; to, id, from).changed(transaction).await
}

/// A delivery to be stored.
pub(crate) struct NewDelivery<'of> {
    pub id: DeliveryId,
    pub webhook: &'of WebhookId,
    pub seq: Option<i64>,
    pub event: &'static str,
    pub subject: &'of str,
    pub body: &'of str,
    pub attempts: i64,
    pub next_attempt_at: Timestamp,
}

pub(crate) async fn insert_delivery(
    transaction: &mut Transaction,
    delivery: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<()> {
    sql!(
        "INSERT INTO webhook_deliveries
             (id, webhook_id, seq, event, subject, body, created_at, attempts, next_attempt_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        delivery.id, delivery.webhook, delivery.seq, delivery.event, delivery.subject, delivery.body, now,
        delivery.attempts, delivery.next_attempt_at
    )
    .execute(transaction)
    .await
}

/// Webhooks with a delivery that is due.
pub(crate) async fn due(store: &Store, now: Timestamp) -> Result<Vec<WebhookId>> {
    let sql = "SELECT id FROM webhooks AS w WHERE paused_at IS NULL
         AND EXISTS (SELECT 1 FROM webhook_deliveries AS d WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1)";
    sql!(sql; now).about("webhooks").all(store).await
}

/// A delivery that one process has claimed for a while: no other process sends it meanwhile.
pub(crate) struct Claimed {
    pub id: DeliveryId,
    pub webhook: WebhookId,
    /// The number of attempts, with the present one.
    pub attempts: i64,
    /// The end of the claim. It also distinguishes this claim from a later one.
    pub lease: Timestamp,
    pub body: String,
}

/// Claims the delivery that has been due longest, by moving its next attempt to the end of the claim. No other process
/// finds it before then. These rows need not survive a power cut: a delivery that is lost in this way is sent again.
pub(crate) async fn claim(
    store: &Store,
    webhook: &WebhookId,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Option<Claimed>> {
    let mut transaction = store.begin_exchange().await?;
    let due: Option<(DeliveryId, i64, Timestamp, String)> = sql!(
        "SELECT d.id AS id, d.attempts AS attempts, d.next_attempt_at AS next_attempt_at, d.body AS body
         FROM webhook_deliveries AS d JOIN webhooks AS w ON w.id = d.webhook_id
         WHERE d.webhook_id = $1 AND d.next_attempt_at <= $2 AND w.paused_at IS NULL
         ORDER BY d.next_attempt_at, COALESCE(d.seq, 0) LIMIT 1";
        webhook, now
    )
    .about("webhook_deliveries")
    .optional(&mut transaction)
    .await?;
    let Some((id, attempts, due_at, body)) = due else { return Ok(None) };
    let sql = "UPDATE webhook_deliveries SET attempts = attempts + 1, next_attempt_at = $1
         WHERE id = $2 AND next_attempt_at = $3";
    let taken = sql!(sql; lease, id, due_at).commit(transaction).await?;
    Ok(taken.then(|| Claimed { id, webhook: webhook.clone(), attempts: attempts + 1, lease, body }))
}

/// The result of an attempt.
pub(crate) struct Attempt {
    pub at: Timestamp,
    pub status: Option<u16>,
    /// What went wrong; `None` when it was delivered.
    pub problem: Option<String>,
    /// When the next attempt is due; `None` when there is none.
    pub next_attempt_at: Option<Timestamp>,
}

/// Stores the result of a claimed delivery, unless another process has claimed it meanwhile.
pub(crate) async fn record(store: &Store, claimed: &Claimed, attempt: &Attempt) -> Result<()> {
    let mut transaction = store.begin_exchange().await?;
    let (at, status) = (attempt.at, attempt.status.map(i64::from));
    let delivered_at = attempt.problem.is_none().then_some(at);
    let recorded = sql!(
        "UPDATE webhook_deliveries SET next_attempt_at = $1, last_attempt_at = $2, last_status = $3, last_problem = $4,
                delivered_at = $5
         WHERE id = $6 AND next_attempt_at = $7";
        attempt.next_attempt_at, at, status, attempt.problem, delivered_at, claimed.id, claimed.lease
    )
    .changed(&mut transaction)
    .await?;
    if recorded {
        let sql = "UPDATE webhooks SET last_attempt_at = $1, last_status = $2, last_problem = $3,
                    failing_since = CASE WHEN $4 IS NULL THEN COALESCE(failing_since, $1) ELSE NULL END
             WHERE id = $5";
        sql!(sql; at, status, attempt.problem, delivered_at, claimed.webhook).execute(&mut transaction).await?;
    }
    transaction.commit().await
}

/// Makes a delivery due; false when the webhook has no delivery with this identifier.
pub(crate) async fn send_again(
    transaction: &mut Transaction,
    webhook: &WebhookId,
    delivery: &DeliveryId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE webhook_deliveries SET attempts = 0, next_attempt_at = $1, delivered_at = NULL
         WHERE id = $2 AND webhook_id = $3";
    sql!(sql; now, delivery, webhook).changed(transaction).await
}

/// A message to a webhook, sent or waiting.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its identifier: the `webhook-id`.
    pub id: DeliveryId,
    /// The type of the message.
    pub event: String,
    /// Name of what it is about; empty for a test.
    pub subject: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often it was tried since it was made, or since a person sent it again.
    pub attempts: i64,
    /// When it is tried next; `None`: it was delivered, or has failed for good.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// What was answered then.
    pub last_status: Option<i64>,
    /// What went wrong then.
    pub last_problem: Option<String>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
}

/// The newest deliveries of the webhook `$1`, at most `$2`.
pub(crate) const DELIVERIES: &str =
    "SELECT id, event, subject, created_at, attempts, next_attempt_at, last_attempt_at, last_status, last_problem,
                delivered_at
         FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, COALESCE(seq, 0) DESC, id LIMIT $2";

row! { "webhook_deliveries" => Delivery {
    id, event, subject, created_at, attempts, next_attempt_at, last_attempt_at, last_status, last_problem,
    delivered_at
} }

/// The newest deliveries, newest first.
pub(crate) async fn deliveries(store: &Store, webhook: &WebhookId, limit: i64) -> Result<Vec<Delivery>> {
    sql!(DELIVERIES; webhook, limit).all(store).await
}

/// How many deliveries of the webhook `$1` wait.
pub(crate) const WAITING: &str =
    "SELECT COUNT(*) AS n FROM webhook_deliveries WHERE webhook_id = $1 AND next_attempt_at IS NOT NULL";

pub(crate) async fn waiting(store: &Store, webhook: &WebhookId) -> Result<i64> {
    sql!(WAITING; webhook).one(store).await
}
