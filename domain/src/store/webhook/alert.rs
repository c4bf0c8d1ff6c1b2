//! `alerts`: which alerts were written, and which are to be written.

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::token::Refusal;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// Credentials that work and end after `after` (a moment and a client ID) and not after `until`, soonest first.
/// Credentials for whose end an alert of `kind` was written are left out.
pub(crate) async fn ending(
    store: &Store,
    kind: &str,
    after: &(Timestamp, String),
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(ClientId, Timestamp)>, StoreError> {
    sqlx::query(
        "SELECT c.client_id AS client_id, c.ends_at AS ends_at FROM credentials AS c
         WHERE (COALESCE(c.ends_at, 9223372036854775807), c.client_id) > ($1, $2)
           AND COALESCE(c.ends_at, 9223372036854775807) <= $3
           AND c.revoked_at IS NULL AND c.disabled_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM alerts AS a
                           WHERE a.client_id = c.client_id AND a.kind = $4 AND a.about = c.ends_at)
         ORDER BY COALESCE(c.ends_at, 9223372036854775807), c.client_id LIMIT $5",
    )
    .bind(after.0.millis())
    .bind(&after.1)
    .bind(until.millis())
    .bind(kind)
    .bind(limit)
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("credentials", row);
        Ok((columns.parsed("client_id", ClientId::parse)?, columns.moment("ends_at")?))
    })
    .collect()
}

/// Refusals of one credential on one day, of which the webhooks must be told.
pub(crate) struct Tried {
    pub client_id: ClientId,
    pub name: String,
    pub cause: Refusal,
    /// Days since the epoch.
    pub day: i64,
    pub last_at: Timestamp,
    pub last_address: Option<String>,
    pub last_agent: Option<String>,
}

/// Refusals of these causes in the hours from `since` on, without the refusals whose day has an alert already.
pub(crate) async fn tried(
    store: &Store,
    causes: &[Refusal; 5],
    since: i64,
    limit: i64,
) -> Result<Vec<Tried>, StoreError> {
    let [first, second, third, fourth, fifth] = causes.map(Refusal::as_str);
    sqlx::query(
        "SELECT r.client_id AS client_id, c.name AS name, r.cause AS cause, r.hour / 24 AS day, r.last_at AS last_at,
                r.last_address AS last_address, r.last_agent AS last_agent
         FROM refusal_hours AS r JOIN credentials AS c ON c.client_id = r.client_id
         WHERE r.hour >= $1 AND r.cause IN ($2, $3, $4, $5, $6)
           AND NOT EXISTS (SELECT 1 FROM alerts AS a
                           WHERE a.client_id = r.client_id AND a.kind = r.cause AND a.about = r.hour / 24)
         ORDER BY r.hour, r.client_id, r.cause LIMIT $7",
    )
    .bind(since)
    .bind(first)
    .bind(second)
    .bind(third)
    .bind(fourth)
    .bind(fifth)
    .bind(limit)
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("refusal_hours", row);
        Ok(Tried {
            client_id: columns.parsed("client_id", ClientId::parse)?,
            name: columns.text("name")?,
            cause: columns.parsed("cause", Refusal::parse)?,
            day: columns.number("day")?,
            last_at: columns.moment("last_at")?,
            last_address: columns.optional_text("last_address")?,
            last_agent: columns.optional_text("last_agent")?,
        })
    })
    .collect()
}

/// Records an alert; false when it was recorded before.
pub(crate) async fn remember(
    transaction: &mut Transaction,
    client_id: &ClientId,
    kind: &str,
    about: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO alerts (client_id, kind, about, written_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(client_id.as_str())
    .bind(kind)
    .bind(about)
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
