//! Deletions of [`crate::housekeeping`], in bites that never hold the exchange up for long.

use std::time::Duration;

use super::{Store, StoreError};
use crate::clock::Timestamp;
use crate::housekeeping::Retention;

/// Rows a transaction deletes at most.
const BITE: i64 = 2000;

pub(crate) async fn run(store: &Store, now: Timestamp, retention: &Retention) -> Result<(), StoreError> {
    let traces = now.minus(retention.traces).millis();
    let hours = now.minus(retention.hours).hour();
    let alerts = now.minus(retention.alerts).millis();
    for (sql, before) in [
        (
            "DELETE FROM ledger WHERE jti IN (SELECT jti FROM ledger WHERE expires_at < $1 ORDER BY jti LIMIT $2)",
            now.minus(retention.ledger).millis(),
        ),
        (
            "DELETE FROM sessions WHERE id_hash IN (SELECT id_hash FROM sessions WHERE ends_at < $1 LIMIT $2)",
            now.minus(retention.sessions).millis(),
        ),
        (
            "DELETE FROM form_submissions WHERE token_hash IN
                (SELECT token_hash FROM form_submissions WHERE submitted_at < $1 LIMIT $2)",
            traces,
        ),
        (
            "DELETE FROM used_assertions WHERE (client_id, jti) IN
                (SELECT client_id, jti FROM used_assertions WHERE expires_at < $1 LIMIT $2)",
            // One that was verified a moment before its end may still wait for its exchange.
            now.minus(Duration::from_secs(60)).millis(),
        ),
        (
            "DELETE FROM sign_in_failures WHERE bucket IN
                (SELECT bucket FROM sign_in_failures WHERE started_at < $1 LIMIT $2)",
            traces,
        ),
        (
            "DELETE FROM setup_links WHERE token_hash IN
                (SELECT token_hash FROM setup_links WHERE expires_at < $1 LIMIT $2)",
            traces,
        ),
        (
            "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at < $1 LIMIT $2)",
            now.minus(retention.invitations).millis(),
        ),
        (
            "DELETE FROM usage_hours WHERE (client_id, hour) IN
                (SELECT client_id, hour FROM usage_hours WHERE hour < $1 LIMIT $2)",
            hours,
        ),
        (
            "DELETE FROM refusal_hours WHERE (client_id, hour, cause) IN
                (SELECT client_id, hour, cause FROM refusal_hours WHERE hour < $1 LIMIT $2)",
            hours,
        ),
        (
            "DELETE FROM webhook_deliveries WHERE id IN
                (SELECT id FROM webhook_deliveries WHERE created_at < $1 LIMIT $2)",
            alerts,
        ),
        (
            "DELETE FROM alerts WHERE (client_id, kind, about) IN
                (SELECT client_id, kind, about FROM alerts WHERE written_at < $1 LIMIT $2)",
            alerts,
        ),
    ] {
        loop {
            let mut transaction = store.begin_exchange().await?;
            let deleted = sqlx::query(sql).bind(before).bind(BITE).execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            if deleted < BITE as u64 {
                break;
            }
        }
    }
    Ok(())
}
