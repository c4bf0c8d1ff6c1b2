//! Statements of `clients`. The statements of what acts for people are in [`consent`] and [`personal_token`].

pub mod consent;
pub mod personal_token;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, PersonId};
use crate::crypto::secret::SecretHash;
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::{AppClient, ClientKind, ClientQuery};
use crate::store::columns::{Columns, millis, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::credential::contains_pattern;
use crate::store::error::StoreError;

const SELECT: &str =
    "SELECT client_id, kind, name, redirect_uris, metadata, secret_hint, created_by, created_at, last_used_at,
                             removed_at, described_at, leaked_at, created_by_id,
                             CASE WHEN secret_hint IS NOT NULL AND secret_hash IS NULL THEN 1 ELSE 0 END
                             AS secret_ended FROM clients";

fn client(row: &AnyRow) -> Result<AppClient, StoreError> {
    let columns = Columns::of("clients", row);
    // A client that registered itself was made by no person.
    let made_by = |id: &str| if id.is_empty() { Some(None) } else { PersonId::parse(id).map(Some) };
    Ok(AppClient {
        id: columns.parsed("client_id", AppClientId::parse)?,
        kind: columns.parsed("kind", ClientKind::parse)?,
        name: columns.text("name")?,
        redirect_uris: columns.parsed_list("redirect_uris", RedirectUri::parse)?,
        metadata: columns.json("metadata")?,
        secret_hint: columns.optional_text("secret_hint")?,
        secret_ended: columns.number("secret_ended")? != 0,
        leaked_at: columns.optional_moment("leaked_at")?,
        created_by: columns.text("created_by")?,
        made_by: columns.parsed("created_by_id", made_by)?,
        created_at: columns.moment("created_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        removed_at: columns.optional_moment("removed_at")?,
        described_at: columns.optional_moment("described_at")?,
    })
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    client: &AppClient,
    secret: Option<&SecretHash>,
) -> Result<(), StoreError> {
    let redirect_uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    sqlx::query(
        "INSERT INTO clients
             (client_id, kind, name, redirect_uris, metadata, secret_hash, secret_hint, created_by, created_at, last_used_at,
              described_at, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(client.id.as_str())
    .bind(client.kind.as_str())
    .bind(&client.name)
    .bind(to_json(&redirect_uris))
    .bind(to_json(&client.metadata))
    .bind(secret.map(SecretHash::as_str))
    .bind(client.secret_hint.as_deref())
    .bind(&client.created_by)
    .bind(client.created_at.millis())
    .bind(millis(client.last_used_at))
    .bind(millis(client.described_at))
    .bind(client.made_by.as_ref().map_or("", PersonId::as_str))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Replaces the description of a client by the present one.
pub(crate) async fn describe(transaction: &mut Transaction, client: &AppClient) -> Result<(), StoreError> {
    let redirect_uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    sqlx::query(
        "UPDATE clients SET name = $1, redirect_uris = $2, metadata = $3, described_at = $4, created_by_id = $5
         WHERE client_id = $6",
    )
    .bind(&client.name)
    .bind(to_json(&redirect_uris))
    .bind(to_json(&client.metadata))
    .bind(millis(client.described_at))
    .bind(client.made_by.as_ref().map_or("", PersonId::as_str))
    .bind(client.id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Clients that were not removed, newest first.
pub(crate) async fn list(store: &Store, query: &ClientQuery, limit: i64) -> Result<Vec<AppClient>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE removed_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR kind = $1)
             AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '\\' OR LOWER(client_id) LIKE $2 ESCAPE '\\')
             AND (CAST($3 AS BIGINT) IS NULL OR (created_at, client_id) < ($3, $4))
         ORDER BY created_at DESC, client_id DESC LIMIT $5"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(query.kind.map(ClientKind::as_str))
        .bind(query.search.as_deref().map(contains_pattern))
        .bind(query.after.as_ref().map(|place| place.at.millis()))
        .bind(query.after.as_ref().map(|place| place.id.as_str()))
        .bind(limit)
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(client)
        .collect()
}

pub(crate) async fn find(store: &Store, id: &AppClientId) -> Result<Option<AppClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(client).transpose()
}

pub(crate) async fn find_in(transaction: &mut Transaction, id: &AppClientId) -> Result<Option<AppClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(client).transpose()
}

pub(crate) async fn find_by_secret(store: &Store, hash: &SecretHash) -> Result<Option<AppClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE secret_hash = $1"));
    let row = sqlx::query(sql).bind(hash.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(client).transpose()
}

/// Records that the client got a token.
pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    id: &AppClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE clients SET last_used_at = $1 WHERE client_id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Replaces the client's secret, and what the client's row says about it.
pub(crate) async fn replace_secret(
    transaction: &mut Transaction,
    client: &AppClient,
    secret: &SecretHash,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE clients SET secret_hash = $1, secret_hint = $2, created_by_id = $3, leaked_at = $4 WHERE client_id = $5",
    )
    .bind(secret.as_str())
    .bind(client.secret_hint.as_deref())
    .bind(client.made_by.as_ref().map_or("", PersonId::as_str))
    .bind(millis(client.leaked_at))
    .bind(client.id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Deletes the secret of a client. The client stays confidential: it must still prove itself. Returns whether it had
/// one.
pub(crate) async fn forget_secret(transaction: &mut Transaction, id: &AppClientId) -> Result<bool, StoreError> {
    let forgotten =
        sqlx::query("UPDATE clients SET secret_hash = NULL WHERE client_id = $1 AND secret_hash IS NOT NULL")
            .bind(id.as_str())
            .execute(&mut **transaction)
            .await?;
    Ok(forgotten.rows_affected() == 1)
}

/// Marks the client as removed, and deletes its secret.
pub(crate) async fn remove(transaction: &mut Transaction, id: &AppClientId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE clients SET removed_at = $1, secret_hash = NULL WHERE client_id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Limits by which clients count as unused.
pub(crate) struct Unused {
    /// Clients that never got a token and were made before this moment.
    pub never_used_before: Timestamp,
    /// Clients that got no token since this moment.
    pub idle_since: Timestamp,
}

/// Deletes unused clients, at most `limit`, and returns their names. Only clients that registered themselves or that a
/// document describes are deleted, and only if they have no code and no consent. The address of a document that an
/// administrator removed stays, so that the client stays removed.
pub(crate) async fn delete_unused(
    transaction: &mut Transaction,
    unused: &Unused,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    sqlx::query(
        "DELETE FROM clients WHERE client_id IN (
             SELECT c.client_id FROM clients AS c
             WHERE (c.kind = 'dynamic' OR c.kind = 'document' AND c.removed_at IS NULL)
                 AND (c.last_used_at IS NULL AND c.created_at < $1 OR c.last_used_at < $2)
                 AND NOT EXISTS (SELECT 1 FROM consents AS g WHERE g.client_id = c.client_id)
                 AND NOT EXISTS (SELECT 1 FROM authorization_codes AS a WHERE a.client_id = c.client_id)
             ORDER BY c.created_at LIMIT $3)
         RETURNING name",
    )
    .bind(unused.never_used_before.millis())
    .bind(unused.idle_since.millis())
    .bind(limit)
    .fetch_all(&mut **transaction)
    .await?
    .iter()
    .map(|row| Columns::of("clients", row).text("name"))
    .collect()
}

/// Among clients that registered themselves and were never used, only the newest `most` are kept. Returns when the
/// newest of the others registered; `None` when there are at most `most`.
pub(crate) async fn crowded_out(store: &Store, most: i64) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(
        "SELECT created_at FROM clients WHERE kind = 'dynamic' AND last_used_at IS NULL
         ORDER BY created_at DESC, client_id DESC LIMIT 1 OFFSET $1",
    )
    .bind(most)
    .fetch_optional(store.reads())
    .await?;
    row.map(|row| Columns::of("clients", &row).moment("created_at")).transpose()
}
