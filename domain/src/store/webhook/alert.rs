//! `alerts`: which alerts were written, and which are to be written.

use crate::base::clock::Timestamp;
use crate::base::id::ClientId;
use crate::model::token::Refusal;
use crate::store::{Result, Store, Transaction, row, sql};

/// Credentials that work and end after `after` (a moment and a client ID) and not after `until`, soonest first.
/// Credentials for whose end an alert of `kind` was written are left out.
pub(crate) async fn ending(
    store: &Store,
    kind: &str,
    after: &(Timestamp, String),
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(ClientId, Timestamp)>> {
    let sql = "SELECT c.client_id AS client_id, c.ends_at AS ends_at FROM credentials AS c
         WHERE (COALESCE(c.ends_at, 9223372036854775807), c.client_id) > ($1, $2)
           AND COALESCE(c.ends_at, 9223372036854775807) <= $3
           AND c.revoked_at IS NULL AND c.disabled_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM alerts AS a
                           WHERE a.client_id = c.client_id AND a.kind = $4 AND a.about = c.ends_at)
         ORDER BY COALESCE(c.ends_at, 9223372036854775807), c.client_id LIMIT $5";
    sql!(sql; after.0, after.1, until, kind, limit).about("credentials").all(store).await
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

row! { "refusal_hours" => Tried { client_id, name, cause, day, last_at, last_address, last_agent } }

/// Refusals of these causes in the hours from `since` on, without the refusals whose day has an alert already.
pub(crate) async fn tried(store: &Store, causes: &[Refusal; 5], since: i64, limit: i64) -> Result<Vec<Tried>> {
    let [first, second, third, fourth, fifth] = causes;
    let sql =
        "SELECT r.client_id AS client_id, c.name AS name, r.cause AS cause, r.hour / 24 AS day, r.last_at AS last_at,
                r.last_address AS last_address, r.last_agent AS last_agent
         FROM refusal_hours AS r JOIN credentials AS c ON c.client_id = r.client_id
         WHERE r.hour >= $1 AND r.cause IN ($2, $3, $4, $5, $6)
           AND NOT EXISTS (SELECT 1 FROM alerts AS a
                           WHERE a.client_id = r.client_id AND a.kind = r.cause AND a.about = r.hour / 24)
         ORDER BY r.hour, r.client_id, r.cause LIMIT $7";
    sql!(sql; since, first, second, third, fourth, fifth, limit).all(store).await
}

/// Records an alert; false when it was recorded before.
pub(crate) async fn remember(
    transaction: &mut Transaction,
    client_id: &ClientId,
    kind: &str,
    about: i64,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO alerts (client_id, kind, about, written_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    sql!(sql; client_id, kind, about, now).changed(transaction).await
}
