//! Statements of `clients`. The statements of what acts for people are in [`consent`], [`device`] and
//! [`personal_token`], those of refused requests in [`refusal`].

pub mod consent;
pub mod device;
pub mod personal_token;
pub(crate) mod refusal;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, PersonId};
use crate::crypto::secret::SecretHash;
use crate::model::client::consent::IDLE_LIMIT;
use crate::model::client::{AppClient, ClientImpact, ClientQuery};
use crate::store::credential::contains_pattern;
use crate::store::{Columns, On, Result, Store, Transaction, composed_sql, row, sql};

const SELECT: &str =
    "SELECT client_id, kind, name, redirect_uris, metadata, secret_hint, created_by, created_at, last_used_at,
                             removed_at, disabled_at, described_at, described_until, leaked_at, created_by_id, device_grant_since,
                             CASE WHEN secret_hint IS NOT NULL AND secret_hash IS NULL THEN 1 ELSE 0 END
                             AS secret_ended FROM clients";

row! { "clients" => AppClient {
    id = "client_id", kind, name, redirect_uris, metadata, secret_hint,
    secret_ended: |columns| Ok(columns.get::<i64>("secret_ended")? != 0), leaked_at, created_by, made_by: made_by,
    created_at, last_used_at, removed_at, disabled_at, device_grant_since, described_at, described_until
} }

/// A client that registered itself was made by no person.
fn made_by(columns: &Columns<'_>) -> Result<Option<PersonId>> {
    let is_nobody = columns.get::<String>("created_by_id")?.is_empty();
    if is_nobody { Ok(None) } else { columns.get("created_by_id").map(Some) }
}

/// The person of [`made_by`], as it is stored.
fn maker(client: &AppClient) -> &str {
    client.made_by.as_ref().map_or("", PersonId::as_str)
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    client: &AppClient,
    secret: Option<&SecretHash>,
    registration: Option<&SecretHash>,
) -> Result<()> {
    sql!(
        "INSERT INTO clients
             (client_id, kind, name, redirect_uris, metadata, secret_hash, secret_hint, created_by, created_at,
              last_used_at, described_at, described_until, created_by_id, registration_hash, device_grant_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        client.id, client.kind, client.name, client.redirect_uris, client.metadata, secret,
        client.secret_hint, client.created_by, client.created_at, client.last_used_at, client.described_at,
        client.described_until, maker(client), registration, client.device_grant_since
    )
    .execute(transaction)
    .await
}

/// Replaces the description of a client by the present one.
pub(crate) async fn describe(transaction: &mut Transaction, client: &AppClient) -> Result<()> {
    sql!(
        "UPDATE clients SET name = $1, redirect_uris = $2, metadata = $3, described_at = $4, described_until = $5,
             created_by_id = $6, device_grant_since = $7 WHERE client_id = $8";
        client.name, client.redirect_uris, client.metadata, client.described_at, client.described_until,
        maker(client), client.device_grant_since, client.id
    )
    .execute(transaction)
    .await
}

/// Clients that were not removed, newest first.
pub(crate) async fn list(store: &Store, query: &ClientQuery, limit: i64) -> Result<Vec<AppClient>> {
    let (at, id) = query.after.as_ref().map(|place| (place.at, &place.id)).unzip();
    composed_sql!(
        "{SELECT} WHERE removed_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR kind = $1)
             AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '\\' OR LOWER(client_id) LIKE $2 ESCAPE '\\')
             AND (CAST($3 AS BIGINT) IS NULL OR (created_at, client_id) < ($3, $4))
             AND (CAST($6 AS TEXT) IS NULL OR ($6 = 'disabled') = (disabled_at IS NOT NULL))
         ORDER BY created_at DESC, client_id DESC LIMIT $5";
        query.kind, query.search.as_deref().map(contains_pattern), at, id, limit, query.state
    )
    .all(store)
    .await
}

/// The names of the clients that administrators added.
pub(crate) async fn names_by_administrators(transaction: &mut Transaction) -> Result<Vec<String>> {
    sql!("SELECT name FROM clients WHERE kind = 'registered' AND removed_at IS NULL").all(transaction).await
}

pub(crate) async fn find(on: impl On<'_>, id: &AppClientId) -> Result<Option<AppClient>> {
    composed_sql!("{SELECT} WHERE client_id = $1"; id).optional(on).await
}

pub(crate) async fn find_by_secret(store: &Store, hash: &SecretHash) -> Result<Option<AppClient>> {
    composed_sql!("{SELECT} WHERE secret_hash = $1"; hash).optional(store).await
}

/// Whether the client is served and has this secret.
pub(crate) async fn has_secret(transaction: &mut Transaction, id: &AppClientId, secret: &SecretHash) -> Result<bool> {
    let sql = "SELECT 1 FROM clients WHERE client_id = $1 AND removed_at IS NULL AND disabled_at IS NULL
         AND secret_hash = $2";
    sql!(sql; id, secret).exists(transaction).await
}

/// The client whose registration this token manages, if it was not removed.
pub(crate) async fn find_by_registration(on: impl On<'_>, hash: &SecretHash) -> Result<Option<AppClient>> {
    composed_sql!("{SELECT} WHERE registration_hash = $1 AND removed_at IS NULL"; hash).optional(on).await
}

/// Deletes the token that manages the registration. Returns whether there was one.
pub(crate) async fn forget_registration(transaction: &mut Transaction, id: &AppClientId) -> Result<bool> {
    let sql = "UPDATE clients SET registration_hash = NULL WHERE client_id = $1 AND registration_hash IS NOT NULL";
    sql!(sql; id).changed(transaction).await
}

/// Records that the client got a token.
pub(crate) async fn mark_used(transaction: &mut Transaction, id: &AppClientId, now: Timestamp) -> Result<()> {
    sql!("UPDATE clients SET last_used_at = $1 WHERE client_id = $2"; now, id).execute(transaction).await
}

/// Replaces the client's secret, and what the client's row says about it.
pub(crate) async fn replace_secret(
    transaction: &mut Transaction,
    client: &AppClient,
    secret: &SecretHash,
) -> Result<()> {
    let sql = "UPDATE clients SET secret_hash = $1, secret_hint = $2, created_by_id = $3, leaked_at = $4
         WHERE client_id = $5";
    sql!(sql; secret, client.secret_hint, maker(client), client.leaked_at, client.id).execute(transaction).await
}

/// Deletes the secret of a client. The client stays confidential: it must still prove itself. Returns whether it had
/// one.
pub(crate) async fn forget_secret(transaction: &mut Transaction, id: &AppClientId) -> Result<bool> {
    let sql =
        "UPDATE clients SET secret_hash = NULL, leaked_at = NULL WHERE client_id = $1 AND secret_hash IS NOT NULL";
    sql!(sql; id).changed(transaction).await
}

/// Marks the client as removed, and deletes its secret and the token that manages its registration.
pub(crate) async fn remove(transaction: &mut Transaction, id: &AppClientId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE clients SET removed_at = $1, secret_hash = NULL, registration_hash = NULL WHERE client_id = $2";
    sql!(sql; now, id).execute(transaction).await
}

/// Stops the client from this moment on, or lets it go on.
pub(crate) async fn set_disabled(
    transaction: &mut Transaction,
    id: &AppClientId,
    disabled_at: Option<Timestamp>,
) -> Result<()> {
    sql!("UPDATE clients SET disabled_at = $1 WHERE client_id = $2"; disabled_at, id).execute(transaction).await
}

row! { "consents" => ClientImpact { people, consents, live_tokens, last_token_ends_at } }

/// What lives at `now` for the client.
pub(crate) async fn impact(store: &Store, id: &AppClientId, now: Timestamp) -> Result<ClientImpact> {
    let live = "t.revoked_at IS NULL AND t.expires_at > $2 AND g.client_id = $1 AND g.ended_at IS NULL";
    let tokens = format!("consents AS g JOIN consent_tokens AS t ON t.consent_id = g.id WHERE {live}");
    composed_sql!(
        "SELECT COUNT(DISTINCT person_id) AS people, COUNT(*) AS consents,
                (SELECT COUNT(*) FROM {tokens}) AS live_tokens,
                (SELECT MAX(t.expires_at) FROM {tokens}) AS last_token_ends_at
         FROM consents WHERE client_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3";
        id, now, now.minus(IDLE_LIMIT)
    )
    .one(store)
    .await
}

/// Limits by which clients count as unused.
pub(crate) struct Unused {
    /// Clients that never got a token and were made before this moment.
    pub never_used_before: Timestamp,
    /// Clients that got no token since this moment.
    pub idle_since: Timestamp,
}

/// Deletes unused clients, at most `limit`, and returns their names. Only clients that registered themselves or that a
/// document describes are deleted, and only if they have no code, no consent and no request of a device. The address of
/// a document that an administrator removed stays, so that the client stays removed. A disabled client stays too.
pub(crate) async fn delete_unused(transaction: &mut Transaction, unused: &Unused, limit: i64) -> Result<Vec<String>> {
    let sql = "DELETE FROM clients WHERE client_id IN (
             SELECT c.client_id FROM clients AS c
             WHERE (c.kind = 'dynamic' OR c.kind = 'document' AND c.removed_at IS NULL)
                 AND (c.disabled_at IS NULL OR c.removed_at IS NOT NULL)
                 AND (c.last_used_at IS NULL AND c.created_at < $1 OR c.last_used_at < $2)
                 AND NOT EXISTS (SELECT 1 FROM consents AS g WHERE g.client_id = c.client_id)
                 AND NOT EXISTS (SELECT 1 FROM authorization_codes AS a WHERE a.client_id = c.client_id)
                 AND NOT EXISTS (SELECT 1 FROM device_codes AS d WHERE d.client_id = c.client_id)
             ORDER BY c.created_at LIMIT $3)
         RETURNING name";
    sql!(sql; unused.never_used_before, unused.idle_since, limit).all(transaction).await
}

/// Among clients that registered themselves and were never used, only the newest `most` are kept. Returns when the
/// newest of the others registered; `None` when there are at most `most`.
pub(crate) async fn crowded_out(store: &Store, most: i64) -> Result<Option<Timestamp>> {
    let sql = "SELECT created_at FROM clients WHERE kind = 'dynamic' AND last_used_at IS NULL
         ORDER BY created_at DESC, client_id DESC LIMIT 1 OFFSET $1";
    sql!(sql; most).optional(store).await
}
