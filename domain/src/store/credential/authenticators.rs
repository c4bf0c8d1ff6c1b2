//! `client_keys` and `federated_identities`, and what `client_secrets` shares with them.

use std::cmp::Reverse;

use serde::Deserialize;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, AuthenticatorId, ClientId, KeyId};
use crate::crypto::public_key::PublicKey;
use crate::model::credential::federated::FederatedIdentity;
use crate::model::credential::key::{ClientKey, KeysAt};
use crate::store::token::status_list;
use crate::store::{On, Result, Store, StoreError, Transaction, composed_sql, row, sql};

/// The tables of what proves a client.
pub(crate) const TABLES: [&str; 3] = ["client_secrets", "client_keys", "federated_identities"];

/// The table of the authenticator.
pub(crate) fn table(id: &AuthenticatorId) -> &'static str {
    let [secrets, keys, identities] = TABLES;
    match id {
        AuthenticatorId::Secret(_) => secrets,
        AuthenticatorId::Key(_) => keys,
        AuthenticatorId::Federated(_) => identities,
    }
}

/// A client that signs its assertions, with the rules for them.
pub(crate) struct KeyOwner {
    pub keys: Vec<(KeyId, PublicKey)>,
    pub token_endpoint_audience: bool,
    pub reusable_assertions: bool,
    /// Where it publishes its keys, if they are not given.
    pub keys_at: Option<KeysAt>,
    /// When it was revoked or disabled, or its last day.
    stopped_at: Option<Timestamp>,
    /// When this database was restored from a backup. The database before it may have known assertions that were used.
    pub restored_at: Option<Timestamp>,
}

/// Reads the columns of [`KeyRow`], in its order. There is a row for each key of the client `$1` that works, or stopped
/// working after `$2`: the issuing transaction decides whether the key works now. A client without keys has one row
/// without a key. A client that does not exist has no row.
pub(crate) const KEYS_OF_CLIENT: &str = "SELECT c.token_endpoint_audience_since AS token_endpoint_audience_since,
            c.reusable_assertions_since AS reusable_assertions_since,
            (SELECT value FROM counters WHERE name = 'restored_at') AS restored_at,
            COALESCE(k.revoked_at, 0) AS revoked_at, k.created_at AS created_at, k.id AS id, k.jwk AS jwk,
            c.jwks_uri AS jwks_uri, c.document AS document, COALESCE(c.revoked_at, c.disabled_at) AS stopped_at,
            c.expires_at AS ends_at
     FROM credentials AS c LEFT JOIN client_keys AS k
       ON k.client_id = c.client_id AND k.unpublished_at IS NULL AND (k.revoked_at IS NULL OR k.revoked_at > $2)
          AND (k.expires_at IS NULL OR k.expires_at > $2) AND (k.retires_at IS NULL OR k.retires_at > $2)
     WHERE c.client_id = $1 ORDER BY COALESCE(k.revoked_at, 0), k.created_at DESC LIMIT 20";

/// See [`KEYS_OF_CLIENT`].
#[derive(Debug, Deserialize)]
pub(crate) struct KeyRow {
    pub token_endpoint_audience_since: Option<i64>,
    pub reusable_assertions_since: Option<i64>,
    pub restored_at: Option<i64>,
    pub revoked_at: i64,
    pub created_at: Option<i64>,
    pub id: Option<String>,
    pub jwk: Option<String>,
    pub jwks_uri: Option<String>,
    pub document: Option<String>,
    pub stopped_at: Option<i64>,
    pub ends_at: Option<i64>,
}

impl KeyOwner {
    /// The client of these rows.
    pub(crate) fn of(mut rows: Vec<KeyRow>) -> Result<Option<Self>> {
        // Working keys come first.
        rows.sort_by_key(|row| (row.revoked_at, Reverse(row.created_at)));
        let Some(first) = rows.first() else { return Ok(None) };
        let wrong = |table: &'static str, column: &str, id: &str| StoreError::Inconsistent {
            table,
            detail: format!("{column} makes no sense (row {id:?})"),
        };
        let keys_at = match &first.document {
            Some(id) => {
                let document = AppClientId::parse(id).ok_or_else(|| wrong("credentials", "document", id))?;
                Some(KeysAt::Document(document))
            }
            None => first.jwks_uri.clone().map(KeysAt::Address),
        };
        let mut owner = Self {
            keys: Vec::with_capacity(rows.len()),
            token_endpoint_audience: first.token_endpoint_audience_since.is_some(),
            reusable_assertions: first.reusable_assertions_since.is_some(),
            restored_at: first.restored_at.map(Timestamp::from_millis),
            keys_at,
            stopped_at: [first.stopped_at, first.ends_at].into_iter().flatten().min().map(Timestamp::from_millis),
        };
        for KeyRow { id, jwk, .. } in rows {
            if let (Some(id), Some(jwk)) = (id, jwk) {
                let key = PublicKey::from_stored(&jwk).ok_or_else(|| wrong("client_keys", "jwk", &id))?;
                owner.keys.push((KeyId::parse(&id).ok_or_else(|| wrong("client_keys", "id", &id))?, key));
            }
        }
        Ok(Some(owner))
    }

    /// Whether it is revoked or disabled, or its last day is over.
    pub(crate) fn is_stopped(&self, now: Timestamp) -> bool {
        self.stopped_at.is_some_and(|at| at <= now)
    }
}

/// When the last secret or key in `table` was made that has no deadline. The order is that of their bits in the status
/// list, which are handed out one after the other: a clock that was ahead and was set right does not change it.
pub(crate) async fn newest_made(
    on: impl On<'_>,
    table: &'static str,
    client_id: &ClientId,
) -> Result<Option<Timestamp>> {
    composed_sql!(
        "SELECT created_at FROM {table} WHERE client_id = $1 AND retires_at IS NULL
         ORDER BY status_index DESC LIMIT 1"; client_id
    )
    .optional(on)
    .await
}

pub(crate) async fn insert_key(transaction: &mut Transaction, key: &ClientKey, maker: &str) -> Result<()> {
    let status_index = status_list::take(transaction, 1).await?;
    sql!(
        "INSERT INTO client_keys (id, client_id, label, jwk, thumbprint, created_at, expires_at, status_index,
                                  created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        key.id, key.client_id, key.label, key.key.to_jwk().to_string(), key.key.thumbprint(), key.created_at,
        key.expires_at, status_index, maker
    )
    .execute(transaction)
    .await
}

/// Every key, removed ones too, newest first.
pub(crate) async fn keys(on: impl On<'_>, client_id: &ClientId) -> Result<Vec<ClientKey>> {
    let sql =
        "SELECT id, client_id, label, jwk, created_at, expires_at, retires_at, revoked_at, unpublished_at, last_used_at,
                last_used_from
         FROM client_keys WHERE client_id = $1 ORDER BY created_at DESC, id DESC";
    sql!(sql; client_id).all(on).await
}

row! { "client_keys" => ClientKey {
    id, client_id, label, key = "jwk", created_at, expires_at, retires_at, revoked_at, unpublished_at, last_used_at,
    last_used_from
} }

/// Sets or removes the moment at which a secret or key that is being replaced stops working.
pub(crate) async fn retire(
    transaction: &mut Transaction,
    id: &AuthenticatorId,
    retires_at: Option<Timestamp>,
) -> Result<()> {
    if matches!(id, AuthenticatorId::Federated(_)) {
        return Ok(());
    }
    let table = table(id);
    composed_sql!("UPDATE {table} SET retires_at = $1 WHERE id = $2"; retires_at, id).execute(transaction).await
}

/// Sets or removes the expiry of a secret or key.
pub(crate) async fn set_expiry(
    transaction: &mut Transaction,
    id: &AuthenticatorId,
    expires_at: Option<Timestamp>,
) -> Result<()> {
    let table = table(id);
    composed_sql!("UPDATE {table} SET expires_at = $1 WHERE id = $2"; expires_at, id).execute(transaction).await
}

/// Ends one secret, key or identity.
pub(crate) async fn end(transaction: &mut Transaction, id: &AuthenticatorId, now: Timestamp) -> Result<()> {
    let table = table(id);
    composed_sql!("UPDATE {table} SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"; now, id)
        .execute(transaction)
        .await
}

/// Ends a key that its program publishes no more.
pub(crate) async fn unpublish(transaction: &mut Transaction, id: &KeyId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE client_keys SET revoked_at = $1, unpublished_at = $1 WHERE id = $2 AND revoked_at IS NULL";
    sql!(sql; now, id).execute(transaction).await
}

/// Ends a secret, key or identity of this credential; false when it has no live one with this identifier.
pub(crate) async fn revoke(
    transaction: &mut Transaction,
    client_id: &ClientId,
    id: &AuthenticatorId,
    now: Timestamp,
) -> Result<bool> {
    let table = table(id);
    composed_sql!(
        "UPDATE {table} SET revoked_at = $1 WHERE id = $2 AND client_id = $3 AND revoked_at IS NULL";
        now, id, client_id
    )
    .changed(transaction)
    .await
}

pub(crate) async fn insert_identity(
    transaction: &mut Transaction,
    identity: &FederatedIdentity,
    maker: &str,
) -> Result<()> {
    let status_index = status_list::take(transaction, 1).await?;
    sql!(
        "INSERT INTO federated_identities
             (id, client_id, issuer, subject, audience, claims, jwks, created_at, status_index, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        identity.id, identity.client_id, identity.issuer, identity.subject, identity.audience,
        identity.claims, identity.jwks, identity.created_at, status_index, maker
    )
    .execute(transaction)
    .await
}

const IDENTITY: &str =
    "SELECT id, client_id, issuer, subject, audience, claims, jwks, created_at, revoked_at, last_used_at,
     last_used_from FROM federated_identities";

row! { "federated_identities" => FederatedIdentity {
    id, client_id, issuer, subject, audience, claims, jwks, created_at, revoked_at, last_used_at, last_used_from
} }

/// Every identity, removed ones too, newest first.
pub(crate) async fn all_identities(store: &Store, client_id: &ClientId) -> Result<Vec<FederatedIdentity>> {
    composed_sql!("{IDENTITY} WHERE client_id = $1 ORDER BY created_at DESC, id DESC"; client_id).all(store).await
}

/// The live identities of this client at `issuer`.
pub(crate) async fn identities_of(store: &Store, client_id: &ClientId, issuer: &str) -> Result<Vec<FederatedIdentity>> {
    composed_sql!(
        "{IDENTITY} WHERE client_id = $1 AND issuer = $2 AND revoked_at IS NULL ORDER BY created_at";
        client_id, issuer
    )
    .all(store)
    .await
}

/// The identities for exactly this subject, of clients that have not ended. A team whose clients with this subject are
/// all disabled counts too: its programs must not get tokens of another team. Otherwise disabled clients are left out.
/// Patterns are left out: a subject with an asterisk would equal the text of a pattern.
pub(crate) async fn identities_with_subject(
    store: &Store,
    issuer: &str,
    subject: &str,
    now: Timestamp,
) -> Result<Vec<FederatedIdentity>> {
    composed_sql!(
        "{IDENTITY} WHERE issuer = $1 AND subject = $2 AND subject NOT LIKE '%*%' AND revoked_at IS NULL
         AND EXISTS (SELECT 1 FROM credentials AS c WHERE c.client_id = federated_identities.client_id
                     AND (c.expires_at IS NULL OR c.expires_at > $3)
                     AND (c.disabled_at IS NULL OR NOT EXISTS (
                         SELECT 1 FROM federated_identities AS f JOIN credentials AS o ON o.client_id = f.client_id
                         WHERE f.issuer = $1 AND f.subject = $2 AND f.revoked_at IS NULL AND o.team_id = c.team_id
                             AND o.disabled_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > $3))))
         ORDER BY client_id LIMIT 20";
        issuer, subject, now
    )
    .all(store)
    .await
}

/// Whether a live identity has this issuer.
pub(crate) async fn is_issuer(transaction: &mut Transaction, issuer: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM federated_identities WHERE issuer = $1 AND revoked_at IS NULL LIMIT 1";
    sql!(sql; issuer).exists(transaction).await
}

/// The identities of a credential that work.
pub(crate) async fn live_identities_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Vec<FederatedIdentity>> {
    composed_sql!("{IDENTITY} WHERE client_id = $1 AND revoked_at IS NULL ORDER BY created_at"; client_id)
        .all(transaction)
        .await
}
