//! `webhooks` and `webhook_deliveries`. Addresses and secrets are wrapped values here.

pub mod alert;

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{DeliveryId, WebhookId};
use crate::model::webhook::EventKind;
use crate::model::webhook::Webhook;
use crate::store::columns::{Columns, millis, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

const COLUMNS: &str =
    "SELECT id, name, host, events, secret_made_at, previous_until, after_seq, created_by, created_at,
    paused_at, gone_at, last_attempt_at, last_status, last_problem, failing_since FROM webhooks";

fn webhook(row: &AnyRow) -> Result<Webhook, StoreError> {
    let columns = Columns::of("webhooks", row);
    Ok(Webhook {
        id: columns.parsed("id", WebhookId::parse)?,
        name: columns.text("name")?,
        host: columns.text("host")?,
        events: columns.parsed_list("events", EventKind::parse)?,
        secret_made_at: columns.moment("secret_made_at")?,
        previous_until: columns.optional_moment("previous_until")?,
        after_seq: columns.number("after_seq")?,
        created_by: columns.text("created_by")?,
        created_at: columns.moment("created_at")?,
        paused_at: columns.optional_moment("paused_at")?,
        gone_at: columns.optional_moment("gone_at")?,
        last_attempt_at: columns.optional_moment("last_attempt_at")?,
        last_status: columns.optional_number("last_status")?,
        last_problem: columns.optional_text("last_problem")?,
        failing_since: columns.optional_moment("failing_since")?,
    })
}

fn names(events: &[EventKind]) -> String {
    to_json(&events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    webhook: &Webhook,
    url: &str,
    secret: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO webhooks (id, name, host, url, events, secret, secret_made_at, after_seq, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(webhook.id.as_str())
    .bind(&webhook.name)
    .bind(&webhook.host)
    .bind(url)
    .bind(names(&webhook.events))
    .bind(secret)
    .bind(webhook.secret_made_at.millis())
    .bind(webhook.after_seq)
    .bind(&webhook.created_by)
    .bind(webhook.created_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn update(transaction: &mut Transaction, webhook: &Webhook, url: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE webhooks SET name = $1, host = $2, url = $3, events = $4 WHERE id = $5")
        .bind(&webhook.name)
        .bind(&webhook.host)
        .bind(url)
        .bind(names(&webhook.events))
        .bind(webhook.id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn count(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM webhooks").fetch_one(&mut **transaction).await?;
    Columns::of("webhooks", &row).number("n")
}

pub(crate) async fn list(store: &Store) -> Result<Vec<Webhook>, StoreError> {
    let sql = format!("{COLUMNS} ORDER BY created_at, id");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(store.reads()).await?.iter().map(webhook).collect()
}

pub(crate) async fn find<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    id: &WebhookId,
) -> Result<Option<Webhook>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(connection).await?;
    row.as_ref().map(webhook).transpose()
}

pub(crate) async fn pause(
    transaction: &mut Transaction,
    id: &WebhookId,
    now: Timestamp,
    gone: bool,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE webhooks SET paused_at = $1, gone_at = $2 WHERE id = $3")
        .bind(now.millis())
        .bind(gone.then(|| now.millis()))
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn resume(transaction: &mut Transaction, id: &WebhookId, head: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE webhooks SET paused_at = NULL, gone_at = NULL, after_seq = $1 WHERE id = $2")
        .bind(head)
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Replaces the present secret by a new one. The present one is kept until `previous_until`.
pub(crate) async fn replace_secret(
    transaction: &mut Transaction,
    id: &WebhookId,
    secret: &str,
    now: Timestamp,
    previous_until: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhooks SET previous_secret = secret, previous_until = $1, secret = $2, secret_made_at = $3
         WHERE id = $4",
    )
    .bind(previous_until.millis())
    .bind(secret)
    .bind(now.millis())
    .bind(id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn remove(transaction: &mut Transaction, id: &WebhookId) -> Result<(), StoreError> {
    for sql in ["DELETE FROM webhook_deliveries WHERE webhook_id = $1", "DELETE FROM webhooks WHERE id = $1"] {
        sqlx::query(sql).bind(id.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Wrapped address and secrets.
pub(crate) struct WrappedRoute {
    pub url: String,
    pub secret: String,
    pub previous: Option<(String, Timestamp)>,
}

pub(crate) async fn route(store: &Store, id: &WebhookId) -> Result<Option<WrappedRoute>, StoreError> {
    sqlx::query("SELECT url, secret, previous_secret, previous_until FROM webhooks WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(store.reads())
        .await?
        .map(|row| {
            let columns = Columns::of("webhooks", &row);
            Ok(WrappedRoute {
                url: columns.text("url")?,
                secret: columns.text("secret")?,
                previous: columns.optional_text("previous_secret")?.zip(columns.optional_moment("previous_until")?),
            })
        })
        .transpose()
}

/// Webhooks that have audit entries to check.
pub(crate) async fn behind(store: &Store) -> Result<Vec<Webhook>, StoreError> {
    let sql = format!("{COLUMNS} WHERE paused_at IS NULL AND after_seq < (SELECT seq FROM audit_head WHERE id = 1)");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(store.reads()).await?.iter().map(webhook).collect()
}

/// Moves a webhook forward in the audit log; false when another process did so, or the webhook was paused.
pub(crate) async fn advance(
    transaction: &mut Transaction,
    id: &WebhookId,
    from: i64,
    to: i64,
) -> Result<bool, StoreError> {
    let moved =
        sqlx::query("UPDATE webhooks SET after_seq = $1 WHERE id = $2 AND after_seq = $3 AND paused_at IS NULL")
            .bind(to)
            .bind(id.as_str())
            .bind(from)
            .execute(&mut **transaction)
            .await?;
    Ok(moved.rows_affected() == 1)
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
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO webhook_deliveries (id, webhook_id, seq, event, subject, body, created_at, attempts, next_attempt_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(delivery.id.as_str())
    .bind(delivery.webhook.as_str())
    .bind(delivery.seq)
    .bind(delivery.event)
    .bind(delivery.subject)
    .bind(delivery.body)
    .bind(now.millis())
    .bind(delivery.attempts)
    .bind(delivery.next_attempt_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Webhooks with a delivery that is due.
pub(crate) async fn due(store: &Store, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
    sqlx::query(
        "SELECT id FROM webhooks AS w WHERE paused_at IS NULL
         AND EXISTS (SELECT 1 FROM webhook_deliveries AS d WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1)",
    )
    .bind(now.millis())
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| Columns::of("webhooks", row).parsed("id", WebhookId::parse))
    .collect()
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
) -> Result<Option<Claimed>, StoreError> {
    let mut transaction = store.begin_exchange().await?;
    let due = sqlx::query(
        "SELECT d.id AS id, d.attempts AS attempts, d.next_attempt_at AS next_attempt_at, d.body AS body
         FROM webhook_deliveries AS d JOIN webhooks AS w ON w.id = d.webhook_id
         WHERE d.webhook_id = $1 AND d.next_attempt_at <= $2 AND w.paused_at IS NULL
         ORDER BY d.next_attempt_at, COALESCE(d.seq, 0) LIMIT 1",
    )
    .bind(webhook.as_str())
    .bind(now.millis())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = due else { return Ok(None) };
    let columns = Columns::of("webhook_deliveries", &row);
    let claimed = Claimed {
        id: columns.parsed("id", DeliveryId::parse)?,
        webhook: webhook.clone(),
        attempts: columns.number("attempts")? + 1,
        lease,
        body: columns.text("body")?,
    };
    let taken = sqlx::query(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, next_attempt_at = $1
         WHERE id = $2 AND next_attempt_at = $3",
    )
    .bind(lease.millis())
    .bind(claimed.id.as_str())
    .bind(columns.number("next_attempt_at")?)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok((taken.rows_affected() == 1).then_some(claimed))
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
pub(crate) async fn record(store: &Store, claimed: &Claimed, attempt: &Attempt) -> Result<(), StoreError> {
    let mut transaction = store.begin_exchange().await?;
    let (at, status) = (attempt.at.millis(), attempt.status.map(i64::from));
    let delivered_at = attempt.problem.is_none().then_some(at);
    let recorded = sqlx::query(
        "UPDATE webhook_deliveries SET next_attempt_at = $1, last_attempt_at = $2, last_status = $3, last_problem = $4,
                delivered_at = $5
         WHERE id = $6 AND next_attempt_at = $7",
    )
    .bind(millis(attempt.next_attempt_at))
    .bind(at)
    .bind(status)
    .bind(attempt.problem.as_deref())
    .bind(delivered_at)
    .bind(claimed.id.as_str())
    .bind(claimed.lease.millis())
    .execute(&mut *transaction)
    .await?;
    if recorded.rows_affected() == 1 {
        sqlx::query(
            "UPDATE webhooks SET last_attempt_at = $1, last_status = $2, last_problem = $3,
                    failing_since = CASE WHEN $4 IS NULL THEN COALESCE(failing_since, $1) ELSE NULL END
             WHERE id = $5",
        )
        .bind(at)
        .bind(status)
        .bind(attempt.problem.as_deref())
        .bind(delivered_at)
        .bind(claimed.webhook.as_str())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Makes a delivery due; false when the webhook has no delivery with this identifier.
pub(crate) async fn send_again(
    store: &Store,
    webhook: &WebhookId,
    delivery: &DeliveryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut transaction = store.begin_exchange().await?;
    let updated = sqlx::query(
        "UPDATE webhook_deliveries SET attempts = 0, next_attempt_at = $1, delivered_at = NULL
         WHERE id = $2 AND webhook_id = $3",
    )
    .bind(now.millis())
    .bind(delivery.as_str())
    .bind(webhook.as_str())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(updated.rows_affected() == 1)
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

/// The newest deliveries, newest first.
pub(crate) async fn deliveries(store: &Store, webhook: &WebhookId, limit: i64) -> Result<Vec<Delivery>, StoreError> {
    sqlx::query(DELIVERIES)
        .bind(webhook.as_str())
        .bind(limit)
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("webhook_deliveries", row);
            Ok(Delivery {
                id: columns.parsed("id", DeliveryId::parse)?,
                event: columns.text("event")?,
                subject: columns.text("subject")?,
                created_at: columns.moment("created_at")?,
                attempts: columns.number("attempts")?,
                next_attempt_at: columns.optional_moment("next_attempt_at")?,
                last_attempt_at: columns.optional_moment("last_attempt_at")?,
                last_status: columns.optional_number("last_status")?,
                last_problem: columns.optional_text("last_problem")?,
                delivered_at: columns.optional_moment("delivered_at")?,
            })
        })
        .collect()
}

/// How many deliveries of the webhook `$1` wait.
pub(crate) const WAITING: &str =
    "SELECT COUNT(*) AS n FROM webhook_deliveries WHERE webhook_id = $1 AND next_attempt_at IS NOT NULL";

pub(crate) async fn waiting(store: &Store, webhook: &WebhookId) -> Result<i64, StoreError> {
    let row = sqlx::query(WAITING).bind(webhook.as_str()).fetch_one(store.reads()).await?;
    Columns::of("webhook_deliveries", &row).number("n")
}
