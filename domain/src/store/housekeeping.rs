//! Deletions of [`crate::housekeeping`], in bites that never hold the exchange up for long.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Store, StoreError, ledger};
use crate::clock::Timestamp;
use crate::housekeeping::Retention;

/// Rows a transaction deletes at most: some milliseconds, in which SQLite writes nothing else.
const BITE: i64 = 500;
/// One that was verified a moment before its end may still wait for its exchange.
const ASSERTION_GRACE: Duration = Duration::from_secs(60);

pub(crate) async fn run(store: &Store, now: Timestamp, retention: &Retention) -> Result<(), StoreError> {
    let before = |age: Duration| now.minus(age).millis();
    let traces = before(retention.traces);
    let hours = now.minus(retention.hours).hour();
    let alerts = before(retention.alerts);
    for (table, key, moment, end) in [
        ("sessions", "id_hash", "ends_at", before(retention.sessions)),
        ("form_submissions", "token_hash", "submitted_at", traces),
        ("used_assertions", "client_id, jti", "expires_at", before(ASSERTION_GRACE)),
        ("sign_in_failures", "bucket", "started_at", traces),
        ("setup_links", "token_hash", "expires_at", traces),
        ("invitations", "id", "expires_at", before(retention.invitations)),
        ("usage_hours", "client_id, hour", "hour", hours),
        ("refusal_hours", "client_id, hour, cause", "hour", hours),
        ("webhook_deliveries", "id", "created_at", alerts),
        ("alerts", "client_id, kind, about", "written_at", alerts),
    ] {
        delete(store, table, key, &format!("{moment} < $1"), end, "").await?;
    }
    // By its key, which grows with time: there is no index of expiries, and what expired early was issued early.
    let ledger_end = now.minus(retention.ledger);
    let condition = "expires_at < $1 AND jti < $3";
    delete(store, "ledger", "jti", condition, ledger_end.millis(), &ledger::first_jti(ledger_end)).await
}

async fn delete(
    store: &Store,
    table: &str,
    key: &str,
    condition: &str,
    end: i64,
    key_end: &str,
) -> Result<(), StoreError> {
    let leaving = store.engine().leaving_locked();
    let sql = format!(
        "DELETE FROM {table} WHERE ({key}) IN
            (SELECT {key} FROM {table} WHERE {condition} AND $3 = $3 LIMIT $2{leaving})"
    );
    loop {
        let mut transaction = store.begin_exchange().await?;
        let deleted = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(end)
            .bind(BITE)
            .bind(key_end)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        transaction.commit().await?;
        if deleted < BITE as u64 {
            return Ok(());
        }
    }
}
