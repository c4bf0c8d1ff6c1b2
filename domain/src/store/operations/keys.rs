//! `instance_keys` and `signing_keys`: wrapped values only.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::crypto::keys::signing::SigningKeyRow;
use crate::store::columns::{Columns, millis};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::engine::Engine;
use crate::store::error::StoreError;

/// One wrapped key of the instance.
pub struct InstanceKeyRow {
    /// The purpose of the key. The wrapping authenticates it.
    pub purpose: String,
    /// The identifier by which values made with the key refer to it.
    pub key_id: String,
    /// The key, wrapped under the master key.
    pub wrapped: String,
}

/// Whether the database is new: it has no schema, or a schema and no rows.
pub(crate) async fn is_new_database(store: &Store) -> Result<bool, StoreError> {
    let tables = sqlx::query(match store.engine() {
        Engine::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'instance_keys'",
        Engine::Postgres => {
            "SELECT COUNT(*) AS n FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_name = 'instance_keys'"
        }
    })
    .fetch_one(store.reads())
    .await?;
    if Columns::of("the schema", &tables).number("n")? == 0 {
        return Ok(true);
    }
    let rows = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM instance_keys) + (SELECT COUNT(*) FROM signing_keys)
              + (SELECT COUNT(*) FROM people) + (SELECT COUNT(*) FROM audit) AS n",
    )
    .fetch_one(store.reads())
    .await?;
    Ok(Columns::of("instance_keys", &rows).number("n")? == 0)
}

const SELECT_INSTANCE_KEYS: &str = "SELECT purpose, key_id, wrapped FROM instance_keys";

pub(crate) async fn instance_keys(store: &Store) -> Result<Vec<InstanceKeyRow>, StoreError> {
    sqlx::query(SELECT_INSTANCE_KEYS).fetch_all(store.reads()).await?.iter().map(instance_key).collect()
}

pub(crate) async fn instance_keys_in(transaction: &mut Transaction) -> Result<Vec<InstanceKeyRow>, StoreError> {
    sqlx::query(SELECT_INSTANCE_KEYS).fetch_all(&mut **transaction).await?.iter().map(instance_key).collect()
}

fn instance_key(row: &AnyRow) -> Result<InstanceKeyRow, StoreError> {
    let columns = Columns::of("instance_keys", row);
    Ok(InstanceKeyRow {
        purpose: columns.text("purpose")?,
        key_id: columns.text("key_id")?,
        wrapped: columns.text("wrapped")?,
    })
}

pub(crate) async fn insert_instance_key(
    transaction: &mut Transaction,
    key: &InstanceKeyRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO instance_keys (purpose, key_id, wrapped, created_at) VALUES ($1, $2, $3, $4)")
        .bind(&key.purpose)
        .bind(&key.key_id)
        .bind(&key.wrapped)
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The key that signs at `now`, by algorithm.
pub(crate) async fn active_signing_keys<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    now: Timestamp,
) -> Result<HashMap<String, String>, StoreError> {
    sqlx::query(
        "SELECT alg, kid FROM signing_keys WHERE active_from <= $1 AND (retired_at IS NULL OR retired_at > $1)
         ORDER BY active_from",
    )
    .bind(now.millis())
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("signing_keys", row);
        // If there are several, the newest comes last, and the map keeps it.
        Ok((columns.text("alg")?, columns.text("kid")?))
    })
    .collect()
}

/// The keys to publish at `now`: not retired.
pub(crate) async fn published_signing_keys(store: &Store, now: Timestamp) -> Result<Vec<SigningKeyRow>, StoreError> {
    sqlx::query(
        "SELECT kid, alg, public_jwk, wrapped, created_at, active_from FROM signing_keys
         WHERE retired_at IS NULL OR retired_at > $1 ORDER BY active_from",
    )
    .bind(now.millis())
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("signing_keys", row);
        Ok(SigningKeyRow {
            kid: columns.text("kid")?,
            alg: columns.text("alg")?,
            public_jwk: columns.text("public_jwk")?,
            wrapped: columns.text("wrapped")?,
            created_at: columns.moment("created_at")?,
            active_from: columns.moment("active_from")?,
        })
    })
    .collect()
}

/// A signing key, as an administrator sees it.
#[derive(Debug, Clone)]
pub struct SigningKeyState {
    /// RFC 7638 thumbprint: the `kid` of tokens.
    pub kid: String,
    /// JWS algorithm.
    pub alg: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs, until a newer one does.
    pub active_from: Timestamp,
    /// When it leaves the JWKS.
    pub retired_at: Option<Timestamp>,
}

/// Every signing key, newest first, without the keys that left the JWKS before `since`.
pub(crate) async fn signing_key_states<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    since: Timestamp,
) -> Result<Vec<SigningKeyState>, StoreError> {
    sqlx::query(
        "SELECT kid, alg, created_at, active_from, retired_at FROM signing_keys
         WHERE retired_at IS NULL OR retired_at > $1 ORDER BY alg, active_from DESC, kid",
    )
    .bind(since.millis())
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("signing_keys", row);
        Ok(SigningKeyState {
            kid: columns.text("kid")?,
            alg: columns.text("alg")?,
            created_at: columns.moment("created_at")?,
            active_from: columns.moment("active_from")?,
            retired_at: columns.optional_moment("retired_at")?,
        })
    })
    .collect()
}

/// Sets the moment at which the keys of `alg` leave the JWKS to `retired_at`. A key that leaves earlier keeps its
/// moment.
pub(crate) async fn retire_signing_keys(
    transaction: &mut Transaction,
    alg: &str,
    retired_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE signing_keys SET retired_at = $1 WHERE alg = $2 AND (retired_at IS NULL OR retired_at > $1)")
        .bind(retired_at.millis())
        .bind(alg)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn insert_signing_key(transaction: &mut Transaction, key: &SigningKeyRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO signing_keys (kid, alg, public_jwk, wrapped, created_at, active_from, retired_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&key.kid)
    .bind(&key.alg)
    .bind(&key.public_jwk)
    .bind(&key.wrapped)
    .bind(key.created_at.millis())
    .bind(key.active_from.millis())
    .bind(millis(None))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
