//! Deletions of [`crate::operations::housekeeping`], in small batches, so that no exchange waits long.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::clock::Timestamp;
use crate::model::operations::Retention;
use crate::store::columns::{Columns, to_json};
use crate::store::connection::Store;
use crate::store::error::StoreError;
use crate::store::token::ledger;

/// The most rows that a transaction deletes: some milliseconds, in which SQLite writes nothing else.
const BATCH_SIZE: i64 = 500;
/// An assertion that was verified just before its end may still wait for its exchange.
const ASSERTION_GRACE: Duration = Duration::from_secs(60);

pub(crate) async fn run(store: &Store, now: Timestamp, retention: &Retention) -> Result<(), StoreError> {
    let before = |age: Duration| now.minus(age).millis();
    let traces = before(retention.traces);
    let hours = now.minus(retention.hours).hour();
    let alerts = before(retention.alerts);
    for (table, key, moment, end) in [
        ("sessions", "id_hash", "expires_at", before(retention.sessions)),
        ("form_submissions", "token_hash", "submitted_at", traces),
        ("used_assertions", "client_id, jti", "expires_at", before(ASSERTION_GRACE)),
        ("sign_in_failures", "bucket", "started_at", traces),
        ("setup_links", "token_hash", "expires_at", traces),
        ("pending_sign_ins", "token_hash", "expires_at", traces),
        ("invitations", "id", "expires_at", before(retention.invitations)),
        ("usage_hours", "client_id, hour", "hour", hours),
        ("refusal_hours", "client_id, hour, cause", "hour", hours),
        ("webhook_deliveries", "id", "created_at", alerts),
        ("alerts", "client_id, kind, about", "written_at", alerts),
        ("authorization_codes", "code_hash", "expires_at", traces),
        ("openid_attempts", "state_hash", "expires_at", traces),
        // A consent is deleted after the rows that belong to it, which end no later.
        ("refresh_tokens", "token_hash", "expires_at", before(retention.ledger)),
        ("consent_tokens", "jti", "expires_at", before(retention.ledger)),
        ("consents", "id", "expires_at", before(retention.ledger)),
        ("personal_tokens", "id", "expires_at", before(retention.ledger)),
    ] {
        delete(store, table, key, moment, end).await?;
    }
    delete_entries(store, now.minus(retention.ledger)).await
}

/// Deletes entries of the ledger whose tokens ended before `end`. It searches by the key, which grows with time,
/// because expiry has no index: a token that expired early was also issued early.
async fn delete_entries(store: &Store, end: Timestamp) -> Result<(), StoreError> {
    let delete = format!(
        "DELETE FROM ledger WHERE jti IN
            (SELECT jti FROM ledger WHERE expires_at < $1 AND jti < $2 ORDER BY jti LIMIT $3{}) RETURNING client_id, jti",
        store.engine().leaving_locked()
    );
    let forget = format!(
        "DELETE FROM credential_exchanges WHERE (client_id, jti) IN (SELECT value ->> 0, value ->> 1 FROM {})",
        store.engine().elements("$1", "deleted")
    );
    // An old backup holds pending exchanges that were never rolled up.
    let forget_unfiled = format!(
        "DELETE FROM pending_exchanges WHERE jti IN (SELECT value ->> 1 FROM {})",
        store.engine().elements("$1", "deleted")
    );
    loop {
        let mut transaction = store.begin_rollup().await?;
        let deleted = sqlx::query(AssertSqlSafe(delete.as_str()))
            .bind(end.millis())
            .bind(ledger::first_jti(end))
            .bind(BATCH_SIZE)
            .fetch_all(&mut *transaction)
            .await?
            .iter()
            .map(|row| {
                let columns = Columns::of("ledger", row);
                Ok((columns.text("client_id")?, columns.text("jti")?))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let deleted_json = to_json(&deleted);
        for sql in [&forget, &forget_unfiled] {
            sqlx::query(AssertSqlSafe(sql.as_str())).bind(&deleted_json).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        if deleted.len() < BATCH_SIZE as usize {
            return Ok(());
        }
    }
}

async fn delete(store: &Store, table: &str, key: &str, moment: &str, end: i64) -> Result<(), StoreError> {
    let leaving = store.engine().leaving_locked();
    let sql = format!(
        "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {moment} < $1 LIMIT $2{leaving})"
    );
    loop {
        let mut transaction = store.begin_exchange().await?;
        let deleted = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(end)
            .bind(BATCH_SIZE)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        transaction.commit().await?;
        if deleted < BATCH_SIZE as u64 {
            return Ok(());
        }
    }
}
