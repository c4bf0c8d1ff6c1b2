//! `device_codes`: requests of programs without a browser (RFC 8628).

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId};
use crate::crypto::secret::SecretHash;
use crate::model::client::device::{DeviceRequest, JITTER, POLL_EVERY, SLOWER_BY, SLOWEST};
use crate::model::server::scope::Scopes;
use crate::store::{On, Result, Transaction, composed_sql, row, sql};

const SELECT: &str = "SELECT device_hash, client_id, asked_scope, asked_server, asked_from, agent, created_at,
    expires_at, person_id, server_id, scopes, allowed_at, denied_at, consent_id FROM device_codes";

row! { "device_codes" => DeviceRequest {
    hash = "device_hash", client_id, asked_scope, asked_server, asked_from, agent, created_at, expires_at,
    person = "person_id", server_id, scopes, allowed_at, denied_at, consent = "consent_id"
} }

/// Stores a new request. `user_hash` is the hash of the code that the person enters.
pub(crate) async fn insert(transaction: &mut Transaction, request: &DeviceRequest, user_hash: &str) -> Result<()> {
    sql!(
        "INSERT INTO device_codes (device_hash, user_hash, client_id, asked_scope, asked_server, asked_from, agent,
                                   created_at, expires_at, poll_every)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        request.hash, user_hash, request.client_id, request.asked_scope, request.asked_server, request.asked_from,
        request.agent, request.created_at, request.expires_at, POLL_EVERY
    )
    .execute(transaction)
    .await
}

/// How many requests of the client, from one address or from all, wait for a person at `now`. It counts no further than
/// `limit`.
pub(crate) async fn count_waiting(
    on: impl On<'_>,
    client: &AppClientId,
    from: Option<&str>,
    now: Timestamp,
    limit: i64,
) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS waiting FROM (SELECT 1 FROM device_codes
         WHERE client_id = $1 AND expires_at > $2 AND allowed_at IS NULL AND denied_at IS NULL
             AND (CAST($3 AS TEXT) IS NULL OR asked_from = $3) LIMIT $4) AS counted";
    sql!(sql; client, now, from, limit).one(on).await
}

/// The request with this device code.
pub(crate) async fn find(on: impl On<'_>, hash: &str) -> Result<Option<DeviceRequest>> {
    composed_sql!("{SELECT} WHERE device_hash = $1"; hash).optional(on).await
}

/// The request with this user code.
pub(crate) async fn find_by_user_code(on: impl On<'_>, user_hash: &str) -> Result<Option<DeviceRequest>> {
    composed_sql!("{SELECT} WHERE user_hash = $1"; user_hash).optional(on).await
}

/// Records a request for the token. Returns false when it came too early: then the next one must wait longer.
pub(crate) async fn poll(transaction: &mut Transaction, hash: &str, now: Timestamp) -> Result<bool> {
    let in_time = "UPDATE device_codes SET polled_at = $1
         WHERE device_hash = $2 AND (polled_at IS NULL OR polled_at + poll_every * 1000 <= $3)";
    if sql!(in_time; now, hash, now.plus(JITTER)).changed(&mut *transaction).await? {
        return Ok(true);
    }
    // A program that asks again and again is not worth a write each time.
    let early = "UPDATE device_codes SET polled_at = $1, poll_every = poll_every + $2
         WHERE device_hash = $3 AND poll_every < $4";
    sql!(early; now, SLOWER_BY, hash, SLOWEST).execute(transaction).await?;
    Ok(false)
}

/// Records that a person allows the request. Returns false when it was answered before, or its time is over.
pub(crate) async fn allow(
    transaction: &mut Transaction,
    hash: &str,
    person: &PersonId,
    server: &McpServerId,
    scopes: &Scopes,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE device_codes SET person_id = $1, server_id = $2, scopes = $3, allowed_at = $4
         WHERE device_hash = $5 AND allowed_at IS NULL AND denied_at IS NULL AND expires_at > $4";
    sql!(sql; person, server, scopes, now, hash).changed(transaction).await
}

/// Records that a person denies the request. Returns false when it was answered before, or its time is over.
pub(crate) async fn deny(transaction: &mut Transaction, hash: &str, person: &PersonId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE device_codes SET person_id = $1, denied_at = $2
         WHERE device_hash = $3 AND allowed_at IS NULL AND denied_at IS NULL AND expires_at > $2";
    sql!(sql; person, now, hash).changed(transaction).await
}

/// Ends a request that was not redeemed. Returns false when there is nothing to end.
pub(crate) async fn end(transaction: &mut Transaction, hash: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE device_codes SET denied_at = $1
         WHERE device_hash = $2 AND denied_at IS NULL AND consent_id IS NULL AND expires_at > $1";
    sql!(sql; now, hash).changed(transaction).await
}

/// Ends the requests that a person allowed and that were not redeemed.
pub(crate) async fn end_of_person(transaction: &mut Transaction, person: &PersonId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE device_codes SET denied_at = $1
         WHERE person_id = $2 AND denied_at IS NULL AND consent_id IS NULL";
    sql!(sql; now, person).execute(transaction).await
}

/// Records the consent that the code was redeemed for.
pub(crate) async fn redeem(transaction: &mut Transaction, hash: &SecretHash, consent: &ConsentId) -> Result<()> {
    sql!("UPDATE device_codes SET consent_id = $1 WHERE device_hash = $2"; consent, hash).execute(transaction).await
}
