//! `client_keys` and `federated_identities`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, FederatedIdentityId, KeyId, TeamId};
use crate::crypto::public_key::PublicKey;
use crate::model::credential::federated::FederatedIdentity;
use crate::model::credential::key::ClientKey;
use crate::store::columns::{Columns, millis, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;
use crate::store::token::status_list;

/// A client that signs its assertions, with the rules for them.
pub(crate) struct KeyOwner {
    pub keys: Vec<(KeyId, PublicKey)>,
    pub token_endpoint_audience: bool,
    pub reusable_assertions: bool,
    /// When this database was restored from a backup. The database before it may have known assertions that were used.
    pub restored_at: Option<Timestamp>,
}

/// Reads the columns of [`KeyRow`], in its order. There is a row for each key of the client `$1` that works, or stopped
/// working after `$2`: the issuing transaction decides whether the key works now. A client without keys has one row
/// without a key. A client that does not exist has no row.
pub(crate) const KEYS_OF_CLIENT: &str = "SELECT c.token_endpoint_audience_since AS token_endpoint_audience_since,
            c.reusable_assertions_since AS reusable_assertions_since,
            (SELECT value FROM counters WHERE name = 'restored_at') AS restored_at,
            COALESCE(k.revoked_at, 0) AS revoked_at, k.created_at AS created_at, k.id AS id, k.jwk AS jwk
     FROM credentials AS c LEFT JOIN client_keys AS k
       ON k.client_id = c.client_id AND (k.revoked_at IS NULL OR k.revoked_at > $2)
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
}

impl KeyOwner {
    /// The client of these rows.
    pub(crate) fn of(mut rows: Vec<KeyRow>) -> Result<Option<Self>, StoreError> {
        // Working keys come first.
        rows.sort_by_key(|row| (row.revoked_at, Reverse(row.created_at)));
        let Some(first) = rows.first() else { return Ok(None) };
        let mut owner = Self {
            keys: Vec::with_capacity(rows.len()),
            token_endpoint_audience: first.token_endpoint_audience_since.is_some(),
            reusable_assertions: first.reusable_assertions_since.is_some(),
            restored_at: first.restored_at.map(Timestamp::from_millis),
        };
        let wrong = |column: &str, id: &str| StoreError::Inconsistent {
            table: "client_keys",
            detail: format!("{column} makes no sense (row {id:?})"),
        };
        for KeyRow { id, jwk, .. } in rows {
            if let (Some(id), Some(jwk)) = (id, jwk) {
                let key = PublicKey::from_stored(&jwk).ok_or_else(|| wrong("jwk", &id))?;
                owner.keys.push((KeyId::parse(&id).ok_or_else(|| wrong("id", &id))?, key));
            }
        }
        Ok(Some(owner))
    }
}

pub(crate) async fn insert_key(transaction: &mut Transaction, key: &ClientKey, maker: &str) -> Result<(), StoreError> {
    let status_index = status_list::next_index(transaction).await?;
    sqlx::query(
        "INSERT INTO client_keys (id, client_id, label, jwk, thumbprint, created_at, expires_at, status_index,
                                  created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(key.id.as_str())
    .bind(key.client_id.as_str())
    .bind(&key.label)
    .bind(key.key.to_jwk().to_string())
    .bind(key.key.thumbprint())
    .bind(key.created_at.millis())
    .bind(millis(key.expires_at))
    .bind(status_index)
    .bind(maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

const SELECT_KEYS: &str =
    "SELECT id, client_id, label, jwk, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from
     FROM client_keys WHERE client_id = $1 ORDER BY created_at DESC, id DESC";

/// Every key, removed ones too, newest first.
pub(crate) async fn keys(store: &Store, client_id: &ClientId) -> Result<Vec<ClientKey>, StoreError> {
    sqlx::query(SELECT_KEYS).bind(client_id.as_str()).fetch_all(store.reads()).await?.iter().map(client_key).collect()
}

pub(crate) async fn keys_in(transaction: &mut Transaction, client_id: &ClientId) -> Result<Vec<ClientKey>, StoreError> {
    let rows = sqlx::query(SELECT_KEYS).bind(client_id.as_str()).fetch_all(&mut **transaction).await?;
    rows.iter().map(client_key).collect()
}

fn client_key(row: &AnyRow) -> Result<ClientKey, StoreError> {
    let columns = Columns::of("client_keys", row);
    Ok(ClientKey {
        id: columns.parsed("id", KeyId::parse)?,
        client_id: columns.parsed("client_id", ClientId::parse)?,
        label: columns.text("label")?,
        key: columns.parsed("jwk", PublicKey::from_stored)?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.optional_moment("expires_at")?,
        retires_at: columns.optional_moment("retires_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: columns.optional_parsed("last_used_from", |address| address.parse().ok())?,
    })
}

/// Ends a key; false when there is no live key with this identifier.
pub(crate) async fn revoke_key(
    transaction: &mut Transaction,
    client_id: &ClientId,
    id: &KeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result =
        sqlx::query("UPDATE client_keys SET revoked_at = $1 WHERE id = $2 AND client_id = $3 AND revoked_at IS NULL")
            .bind(now.millis())
            .bind(id.as_str())
            .bind(client_id.as_str())
            .execute(&mut **transaction)
            .await?;
    Ok(result.rows_affected() == 1)
}

/// Sets or removes the moment at which a secret or key that is being replaced stops working.
pub(crate) async fn retire(
    transaction: &mut Transaction,
    id: &AuthenticatorId,
    retires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let sql = match id {
        AuthenticatorId::Secret(_) => "UPDATE client_secrets SET retires_at = $1 WHERE id = $2",
        AuthenticatorId::Key(_) => "UPDATE client_keys SET retires_at = $1 WHERE id = $2",
        AuthenticatorId::Federated(_) => return Ok(()),
    };
    sqlx::query(sql).bind(millis(retires_at)).bind(id.as_str()).execute(&mut **transaction).await?;
    Ok(())
}

/// Ends one secret, key or identity.
pub(crate) async fn end(transaction: &mut Transaction, id: &AuthenticatorId, now: Timestamp) -> Result<(), StoreError> {
    let sql = match id {
        AuthenticatorId::Secret(_) => "UPDATE client_secrets SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        AuthenticatorId::Key(_) => "UPDATE client_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        AuthenticatorId::Federated(_) => {
            "UPDATE federated_identities SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
        }
    };
    sqlx::query(sql).bind(now.millis()).bind(id.as_str()).execute(&mut **transaction).await?;
    Ok(())
}

pub(crate) async fn insert_identity(
    transaction: &mut Transaction,
    identity: &FederatedIdentity,
    maker: &str,
) -> Result<(), StoreError> {
    let status_index = status_list::next_index(transaction).await?;
    sqlx::query(
        "INSERT INTO federated_identities
             (id, client_id, issuer, subject, audience, claims, jwks, created_at, status_index, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(identity.id.as_str())
    .bind(identity.client_id.as_str())
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(&identity.audience)
    .bind(to_json(&identity.claims))
    .bind(identity.jwks.as_ref().map(ToString::to_string))
    .bind(identity.created_at.millis())
    .bind(status_index)
    .bind(maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

const IDENTITY: &str =
    "SELECT id, client_id, issuer, subject, audience, claims, jwks, created_at, revoked_at, last_used_at,
     last_used_from FROM federated_identities";

/// Every identity, removed ones too, newest first.
pub(crate) async fn all_identities(store: &Store, client_id: &ClientId) -> Result<Vec<FederatedIdentity>, StoreError> {
    let sql = AssertSqlSafe(format!("{IDENTITY} WHERE client_id = $1 ORDER BY created_at DESC, id DESC"));
    sqlx::query(sql).bind(client_id.as_str()).fetch_all(store.reads()).await?.iter().map(identity).collect()
}

/// The live identities of this client at `issuer`.
pub(crate) async fn identities_of(
    store: &Store,
    client_id: &ClientId,
    issuer: &str,
) -> Result<Vec<FederatedIdentity>, StoreError> {
    let sql = AssertSqlSafe(format!(
        "{IDENTITY} WHERE client_id = $1 AND issuer = $2 AND revoked_at IS NULL ORDER BY created_at"
    ));
    let rows = sqlx::query(sql).bind(client_id.as_str()).bind(issuer).fetch_all(store.reads()).await?;
    rows.iter().map(identity).collect()
}

/// The identities of all clients that are not stopped or ended, for exactly this subject. Patterns are left out: a
/// subject with an asterisk would equal the text of a pattern.
pub(crate) async fn identities_with_subject(
    store: &Store,
    issuer: &str,
    subject: &str,
    now: Timestamp,
) -> Result<Vec<FederatedIdentity>, StoreError> {
    let sql = AssertSqlSafe(format!(
        "{IDENTITY} WHERE issuer = $1 AND subject = $2 AND subject NOT LIKE '%*%' AND revoked_at IS NULL
         AND EXISTS (SELECT 1 FROM credentials AS c WHERE c.client_id = federated_identities.client_id
                     AND c.disabled_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $3))
         ORDER BY client_id LIMIT 20"
    ));
    let rows = sqlx::query(sql).bind(issuer).bind(subject).bind(now.millis()).fetch_all(store.reads()).await?;
    rows.iter().map(identity).collect()
}

/// Whether this exact subject stands for a credential of another team.
pub(crate) async fn is_of_another_team(
    transaction: &mut Transaction,
    issuer: &str,
    subject: &str,
    team: &TeamId,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS n FROM federated_identities AS f JOIN credentials AS c ON c.client_id = f.client_id
         WHERE f.issuer = $1 AND f.subject = $2 AND f.revoked_at IS NULL AND c.team_id <> $3",
    )
    .bind(issuer)
    .bind(subject)
    .bind(team.as_str())
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Columns::of("federated_identities", &row).number("n")? > 0)
}

fn identity(row: &AnyRow) -> Result<FederatedIdentity, StoreError> {
    let columns = Columns::of("federated_identities", row);
    let claims: BTreeMap<String, String> = columns.json("claims")?;
    let jwks = match columns.optional_text("jwks")? {
        Some(_) => Some(columns.json("jwks")?),
        None => None,
    };
    Ok(FederatedIdentity {
        id: columns.parsed("id", FederatedIdentityId::parse)?,
        client_id: columns.parsed("client_id", ClientId::parse)?,
        issuer: columns.text("issuer")?,
        subject: columns.text("subject")?,
        audience: columns.text("audience")?,
        claims,
        jwks,
        created_at: columns.moment("created_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: columns.optional_parsed("last_used_from", |address| address.parse().ok())?,
    })
}

/// The identities of a credential that work.
pub(crate) async fn live_identities_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Vec<FederatedIdentity>, StoreError> {
    let sql = AssertSqlSafe(format!("{IDENTITY} WHERE client_id = $1 AND revoked_at IS NULL ORDER BY created_at"));
    let rows = sqlx::query(sql).bind(client_id.as_str()).fetch_all(&mut **transaction).await?;
    rows.iter().map(identity).collect()
}

/// Ends an identity; false when there is no live identity with this identifier.
pub(crate) async fn revoke_identity(
    transaction: &mut Transaction,
    client_id: &ClientId,
    id: &FederatedIdentityId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE federated_identities SET revoked_at = $1 WHERE id = $2 AND client_id = $3 AND revoked_at IS NULL",
    )
    .bind(now.millis())
    .bind(id.as_str())
    .bind(client_id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}
