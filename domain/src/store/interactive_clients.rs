//! `interactive_clients`.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::{Columns, Store, StoreError, Transaction, millis, to_json};
use crate::clock::Timestamp;
use crate::id::InteractiveClientId;
use crate::interactive::client::{ClientKind, InteractiveClient};
use crate::interactive::redirect_uri::RedirectUri;
use crate::secret::SecretHash;

const SELECT: &str =
    "SELECT client_id, kind, name, redirect_uris, metadata, secret_hint, created_by, created_at, last_used_at,
                             removed_at FROM interactive_clients";

fn client(row: &AnyRow) -> Result<InteractiveClient, StoreError> {
    let columns = Columns::of("interactive_clients", row);
    let redirect_uris: Vec<String> = columns.json("redirect_uris")?;
    Ok(InteractiveClient {
        id: columns.parsed("client_id", InteractiveClientId::parse)?,
        kind: columns.parsed("kind", ClientKind::parse)?,
        name: columns.text("name")?,
        // One that rules of today would not let in is none that an answer is sent to.
        redirect_uris: redirect_uris.iter().filter_map(|uri| RedirectUri::parse(uri)).collect(),
        metadata: columns.json("metadata")?,
        secret_hint: columns.optional_text("secret_hint")?,
        created_by: columns.text("created_by")?,
        created_at: columns.moment("created_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        removed_at: columns.optional_moment("removed_at")?,
    })
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    client: &InteractiveClient,
    secret: Option<&SecretHash>,
) -> Result<(), StoreError> {
    let redirect_uris: Vec<&str> = client.redirect_uris.iter().map(RedirectUri::as_str).collect();
    sqlx::query(
        "INSERT INTO interactive_clients
             (client_id, kind, name, redirect_uris, metadata, secret_hash, secret_hint, created_by, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
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
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Those that were not removed: first those that administrators made, which clients that register themselves must not crowd out.
pub(crate) async fn list(store: &Store, limit: i64) -> Result<Vec<InteractiveClient>, StoreError> {
    let sql = format!("{SELECT} WHERE removed_at IS NULL ORDER BY kind DESC, created_at DESC, client_id DESC LIMIT $1");
    sqlx::query(AssertSqlSafe(sql)).bind(limit).fetch_all(store.reads()).await?.iter().map(client).collect()
}

pub(crate) async fn find(store: &Store, id: &InteractiveClientId) -> Result<Option<InteractiveClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(client).transpose()
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    id: &InteractiveClientId,
) -> Result<Option<InteractiveClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(client).transpose()
}

pub(crate) async fn find_by_secret(store: &Store, hash: &SecretHash) -> Result<Option<InteractiveClient>, StoreError> {
    let sql = AssertSqlSafe(format!("{SELECT} WHERE secret_hash = $1"));
    let row = sqlx::query(sql).bind(hash.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(client).transpose()
}

/// Notes that the client got a token.
pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    id: &InteractiveClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE interactive_clients SET last_used_at = $1 WHERE client_id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Ends the client; its secret is forgotten.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    id: &InteractiveClientId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE interactive_clients SET removed_at = $1, secret_hash = NULL WHERE client_id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
