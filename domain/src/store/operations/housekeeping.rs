//! Deletions of [`crate::operations::housekeeping`], in small batches, so that no exchange waits long.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::model::operations::Retention;
use crate::store::token::ledger;
use crate::store::{Result, Store, composed_sql, to_json};

/// The most rows that a transaction deletes: some milliseconds, in which SQLite writes nothing else.
const BATCH_SIZE: i64 = 500;
/// How long a used assertion is remembered after its end. An assertion that was verified just before its end may still
/// wait for its exchange. And a clock may be ahead for hours: no assertion ends later than a day from now, so a clock
/// that is ahead by less removes no row of an assertion that can be accepted after the clock was set back.
const ASSERTION_GRACE: Duration = Duration::from_secs(24 * 3600 + 60);

pub(crate) async fn run(store: &Store, now: Timestamp, retention: &Retention) -> Result<()> {
    let before = |age: Duration| now.minus(age).millis();
    let traces = before(retention.traces);
    let hours = now.minus(retention.hours).hour();
    let alerts = before(retention.alerts);
    for (table, key, moment, end) in [
        ("sessions", "id_hash", "expires_at", before(retention.sessions)),
        ("form_submissions", "token_hash", "submitted_at", traces),
        ("used_assertions", "client_id, jti", "expires_at", before(ASSERTION_GRACE)),
        ("sign_in_failures", "bucket", "started_at", traces),
        // A network that is used is remembered again each day.
        ("known_networks", "network", "succeeded_at", before(retention.known_networks)),
        ("setup_links", "token_hash", "expires_at", traces),
        ("pending_sign_ins", "token_hash", "expires_at", traces),
        ("password_links", "token_hash", "expires_at", traces),
        ("invitations", "id", "expires_at", before(retention.invitations)),
        ("generation_requests", "id", "created_at", before(retention.invitations)),
        ("usage_hours", "client_id, hour", "hour", hours),
        ("refusal_hours", "client_id, hour, cause", "hour", hours),
        ("client_refusal_hours", "client_id, hour, cause", "hour", hours),
        ("exchange_hours", "client_id, hour, authenticator_id, server_id", "hour", hours),
        ("team_exchange_hours", "hour, team_id, server_id", "hour", hours),
        ("team_refusal_hours", "hour, team_id, cause", "hour", hours),
        ("call_hours", "caller, person, hour, server_id, kind, name, outcome", "hour", hours),
        ("calls", "caller, person, at, request_id, place", "at", before(retention.calls)),
        ("webhook_deliveries", "id", "created_at", alerts),
        ("alerts", "client_id, kind, about", "written_at", alerts),
        ("authorization_codes", "code_hash", "expires_at", traces),
        ("device_codes", "device_hash", "expires_at", traces),
        ("openid_attempts", "state_hash", "expires_at", traces),
        // A consent is deleted after the rows that belong to it, which end no later.
        ("refresh_tokens", "token_hash", "expires_at", before(retention.ledger)),
        ("consent_tokens", "jti", "expires_at", before(retention.ledger)),
        ("consents", "id", "expires_at", before(retention.ledger)),
        ("personal_tokens", "id", "expires_at", before(retention.ledger)),
        ("reported_tokens", "jti", "expires_at", traces),
    ] {
        delete(store, table, key, moment, end).await?;
    }
    delete_entries(store, now.minus(retention.ledger)).await
}

/// Deletes entries of the ledger whose tokens ended before `end`. It searches by the key, which grows with time,
/// because expiry has no index: a token that expired early was also issued early.
async fn delete_entries(store: &Store, end: Timestamp) -> Result<()> {
    let (leaving, elements) = (store.engine().leaving_locked(), store.engine().elements("$1", "deleted"));
    loop {
        let mut transaction = store.begin_rollup().await?;
        let deleted: Vec<(String, String)> = composed_sql!(
            "DELETE FROM ledger WHERE jti IN
                (SELECT jti FROM ledger WHERE expires_at < $1 AND jti < $2 ORDER BY jti LIMIT $3{leaving})
             RETURNING client_id, jti";
            end, ledger::first_jti(end), BATCH_SIZE
        )
        .all(&mut transaction)
        .await?;
        let names = to_json(&deleted);
        composed_sql!(
            "DELETE FROM credential_exchanges WHERE (client_id, jti) IN
                (SELECT value ->> 0, value ->> 1 FROM {elements})";
            names
        )
        .execute(&mut transaction)
        .await?;
        // An old backup holds pending exchanges that were never rolled up.
        composed_sql!("DELETE FROM pending_exchanges WHERE jti IN (SELECT value ->> 1 FROM {elements})"; names)
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        if deleted.len() < BATCH_SIZE as usize {
            return Ok(());
        }
    }
}

async fn delete(store: &Store, table: &str, key: &str, moment: &str, end: i64) -> Result<()> {
    let leaving = store.engine().leaving_locked();
    loop {
        let mut transaction = store.begin_exchange().await?;
        let deleted = composed_sql!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {moment} < $1 LIMIT $2{leaving})";
            end, BATCH_SIZE
        )
        .affected(&mut transaction)
        .await?;
        transaction.commit().await?;
        if deleted < BATCH_SIZE as u64 {
            return Ok(());
        }
    }
}
