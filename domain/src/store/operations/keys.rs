//! `instance_keys` and `signing_keys`: wrapped values only.

use std::collections::HashMap;

use crate::base::clock::Timestamp;
use crate::crypto::keys::signing::SigningKeyRow;
use crate::store::{Engine, On, Result, Store, Transaction, row, sql};

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
pub(crate) async fn is_new_database(store: &Store) -> Result<bool> {
    let tables = match store.engine() {
        Engine::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'instance_keys'",
        Engine::Postgres => {
            "SELECT COUNT(*) AS n FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_name = 'instance_keys'"
        }
    };
    if sql!(tables).one::<i64>(store).await? == 0 {
        return Ok(true);
    }
    let rows = "SELECT (SELECT COUNT(*) FROM instance_keys) + (SELECT COUNT(*) FROM signing_keys)
             + (SELECT COUNT(*) FROM people) + (SELECT COUNT(*) FROM audit) AS n";
    Ok(sql!(rows).one::<i64>(store).await? == 0)
}

pub(crate) async fn instance_keys(on: impl On<'_>) -> Result<Vec<InstanceKeyRow>> {
    sql!("SELECT purpose, key_id, wrapped FROM instance_keys").all(on).await
}

row! { "instance_keys" => InstanceKeyRow { purpose, key_id, wrapped } }

pub(crate) async fn insert_instance_key(
    transaction: &mut Transaction,
    key: &InstanceKeyRow,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO instance_keys (purpose, key_id, wrapped, created_at) VALUES ($1, $2, $3, $4)";
    sql!(sql; key.purpose, key.key_id, key.wrapped, now).execute(transaction).await
}

/// The key that signs at `now`, by algorithm.
pub(crate) async fn active_signing_keys(on: impl On<'_>, now: Timestamp) -> Result<HashMap<String, String>> {
    let keys = signing_key_states(on, now).await?;
    Ok(signing_at(keys.into_iter().map(|key| (key.active_from.millis(), key.alg, key.kid)).collect(), now))
}

/// The key that signs at `now`, by algorithm: the newest of those that have begun, or else the one that begins first. A
/// key is its moment, algorithm and name.
///
/// When no key has begun, the clock was ahead while the keys were made. To wait until then was the rejected
/// alternative: no token could be issued for hours.
pub(crate) fn signing_at(mut keys: Vec<(i64, String, String)>, now: Timestamp) -> HashMap<String, String> {
    keys.sort();
    let mut chosen = HashMap::new();
    for (begins, alg, kid) in keys {
        if begins <= now.millis() || !chosen.contains_key(&alg) {
            chosen.insert(alg, kid);
        }
    }
    chosen
}

row! { "signing_keys" => SigningKeyRow { kid, alg, public_jwk, wrapped, created_at, active_from } }

/// The keys to publish at `now`: not retired.
pub(crate) async fn published_signing_keys(store: &Store, now: Timestamp) -> Result<Vec<SigningKeyRow>> {
    let sql = "SELECT kid, alg, public_jwk, wrapped, created_at, active_from FROM signing_keys
         WHERE retired_at IS NULL OR retired_at > $1 ORDER BY active_from";
    sql!(sql; now).all(store).await
}

/// Every signing key, also those that left the JWKS.
pub(crate) async fn signing_keys(store: &Store) -> Result<Vec<SigningKeyRow>> {
    sql!("SELECT kid, alg, public_jwk, wrapped, created_at, active_from FROM signing_keys ORDER BY kid")
        .all(store)
        .await
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

row! { "signing_keys" => SigningKeyState { kid, alg, created_at, active_from, retired_at } }

/// Every signing key, newest first, without the keys that left the JWKS before `since`.
pub(crate) async fn signing_key_states(on: impl On<'_>, since: Timestamp) -> Result<Vec<SigningKeyState>> {
    let sql = "SELECT kid, alg, created_at, active_from, retired_at FROM signing_keys
         WHERE retired_at IS NULL OR retired_at > $1 ORDER BY alg, active_from DESC, kid";
    sql!(sql; since).all(on).await
}

/// Sets the moment at which the keys of `alg` leave the JWKS to `retired_at`. A key that leaves earlier keeps its
/// moment.
pub(crate) async fn retire_signing_keys(transaction: &mut Transaction, alg: &str, retired_at: Timestamp) -> Result<()> {
    let sql = "UPDATE signing_keys SET retired_at = $1 WHERE alg = $2 AND (retired_at IS NULL OR retired_at > $1)";
    sql!(sql; retired_at, alg).execute(transaction).await
}

pub(crate) async fn insert_signing_key(transaction: &mut Transaction, key: &SigningKeyRow) -> Result<()> {
    let sql = "INSERT INTO signing_keys (kid, alg, public_jwk, wrapped, created_at, active_from, retired_at)
         VALUES ($1, $2, $3, $4, $5, $6, NULL)";
    sql!(sql; key.kid, key.alg, key.public_jwk, key.wrapped, key.created_at, key.active_from).execute(transaction).await
}

/// Whether the instance was made before the default of this setting changed.
pub(crate) async fn has_earlier_default(store: &Store, setting: &str) -> Result<bool> {
    sql!("SELECT 1 FROM earlier_defaults WHERE name = $1"; setting).exists(store).await
}
