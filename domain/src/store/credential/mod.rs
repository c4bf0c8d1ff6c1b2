//! Statements of `credentials` and `client_secrets`.
//!
//! | module | tables |
//! |---|---|
//! | [`authenticators`] | `client_keys`, `federated_identities`, and what all authenticators have in common |
//! | [`import`] | many credentials in one statement |
//! | [`list`] | pages of `credentials`, in every order and with every filter |

pub mod authenticators;
pub mod import;
pub mod list;

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId, SecretId, TeamId};
use crate::crypto::secret::SecretHash;
use crate::model::credential::{AssertionRules, AuthMethod, AuthenticatorEnd, ClientSecret, Credential};
use crate::model::server::scope::Scopes;
use crate::store::columns::{Columns, millis, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;
use crate::store::token::status_list;

pub(crate) const COLUMNS: &str = "client_id, team_id, name, description, auth_method, token_endpoint_audience_since,
    reusable_assertions_since, jwt_bearer_since, scopes, mcp_servers, token_lifetime, ip_ranges, created_by,
    created_at, expires_at, ends_at, disabled_at, revoked_at, revoke_reason, verified_at, last_used_at,
    last_used_from, last_used_agent, rotation_ends_at";

pub(crate) fn credential(row: &AnyRow) -> Result<Credential, StoreError> {
    let columns = Columns::of("credentials", row);
    Ok(Credential {
        client_id: columns.parsed("client_id", ClientId::parse)?,
        team: columns.parsed("team_id", TeamId::parse)?,
        name: columns.text("name")?,
        description: columns.text("description")?,
        auth_method: columns.parsed("auth_method", AuthMethod::parse)?,
        assertions: AssertionRules {
            token_endpoint_audience: columns.optional_moment("token_endpoint_audience_since")?.is_some(),
            reusable: columns.optional_moment("reusable_assertions_since")?.is_some(),
            jwt_bearer: columns.optional_moment("jwt_bearer_since")?.is_some(),
        },
        scopes: columns.parsed("scopes", Scopes::parse)?,
        servers: columns.parsed_list("mcp_servers", McpServerId::parse)?,
        token_lifetime: columns.optional_seconds("token_lifetime")?,
        ip_ranges: columns.parsed_list("ip_ranges", |range| range.parse().ok())?,
        created_by: columns.text("created_by")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.optional_moment("expires_at")?,
        ends_at: columns.optional_moment("ends_at")?,
        disabled_at: columns.optional_moment("disabled_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        revoke_reason: columns.optional_text("revoke_reason")?,
        verified_at: columns.optional_moment("verified_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: columns.optional_parsed("last_used_from", |address| address.parse().ok())?,
        last_used_agent: columns.optional_text("last_used_agent")?,
        rotation_ends_at: columns.optional_moment("rotation_ends_at")?,
    })
}

/// What the list searches and sorts by: name and client ID, lower case.
pub(crate) fn search_text(credential: &Credential) -> String {
    format!("{} {}", credential.name.to_lowercase(), credential.client_id.as_str().to_lowercase())
}

/// A LIKE pattern (escape character `\`) for texts that contain `part`, lower case.
pub(crate) fn contains_pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for character in part.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    credential: &Credential,
    maker: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                                  token_lifetime, ip_ranges, created_by, created_at, expires_at, ends_at,
                                  token_endpoint_audience_since, reusable_assertions_since, jwt_bearer_since,
                                  team_id, created_by_id)
         VALUES ($1, $2, $3, $4, $13, $5, $6, $7, $8, $9, $10, $11, $12, $14, $15, $16, $17, $18)",
    )
    .bind(credential.client_id.as_str())
    .bind(&credential.name)
    .bind(search_text(credential))
    .bind(&credential.description)
    .bind(credential.scopes.to_string())
    .bind(to_json(&credential.servers.iter().map(McpServerId::as_str).collect::<Vec<_>>()))
    .bind(seconds(credential.token_lifetime))
    .bind(to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()))
    .bind(&credential.created_by)
    .bind(credential.created_at.millis())
    .bind(millis(credential.expires_at))
    .bind(millis(credential.ends_at))
    .bind(credential.auth_method.as_str())
    .bind(credential.assertions.token_endpoint_audience.then(|| credential.created_at.millis()))
    .bind(credential.assertions.reusable.then(|| credential.created_at.millis()))
    .bind(credential.assertions.jwt_bearer.then(|| credential.created_at.millis()))
    .bind(credential.team.as_str())
    .bind(maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) fn seconds(lifetime: Option<Duration>) -> Option<i64> {
    lifetime.map(|lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
}

/// Writes the fields that an edit may change.
pub(crate) async fn update(
    transaction: &mut Transaction,
    credential: &Credential,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE credentials SET name = $1, search_text = $2, description = $3, scopes = $4, token_lifetime = $5,
                ip_ranges = $6, expires_at = $7, ends_at = $8, token_endpoint_audience_since = $10,
                reusable_assertions_since = $11, jwt_bearer_since = $12, team_id = $13 WHERE client_id = $9",
    )
    .bind(&credential.name)
    .bind(search_text(credential))
    .bind(&credential.description)
    .bind(credential.scopes.to_string())
    .bind(seconds(credential.token_lifetime))
    .bind(to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()))
    .bind(millis(credential.expires_at))
    .bind(millis(credential.ends_at))
    .bind(credential.client_id.as_str())
    .bind(credential.assertions.token_endpoint_audience.then(|| now.millis()))
    .bind(credential.assertions.reusable.then(|| now.millis()))
    .bind(credential.assertions.jwt_bearer.then(|| now.millis()))
    .bind(credential.team.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    transaction: &mut Transaction,
    client_id: &ClientId,
    disabled_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET disabled_at = $1 WHERE client_id = $2")
        .bind(millis(disabled_at))
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn revoke(
    transaction: &mut Transaction,
    client_id: &ClientId,
    now: Timestamp,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET revoked_at = $1, revoke_reason = $2 WHERE client_id = $3")
        .bind(now.millis())
        .bind(reason)
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    for sql in [
        "UPDATE client_secrets SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
        "UPDATE client_keys SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
        "UPDATE federated_identities SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL",
    ] {
        sqlx::query(sql).bind(now.millis()).bind(client_id.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}

pub(crate) async fn find(store: &Store, client_id: &ClientId) -> Result<Option<Credential>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM credentials WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(client_id.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(credential).transpose()
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Option<Credential>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM credentials WHERE client_id = $1"));
    let row = sqlx::query(sql).bind(client_id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(credential).transpose()
}

/// A secret to store. It holds the hash, never the secret itself.
pub(crate) struct NewSecret {
    pub id: SecretId,
    pub client_id: ClientId,
    pub hash: SecretHash,
    pub hint: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The person who made it, and so has seen it.
    pub maker: String,
}

pub(crate) async fn insert_secret(transaction: &mut Transaction, secret: &NewSecret) -> Result<(), StoreError> {
    let status_index = status_list::next_index(transaction).await?;
    sqlx::query(
        "INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, status_index, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(secret.id.as_str())
    .bind(secret.client_id.as_str())
    .bind(secret.hash.as_str())
    .bind(&secret.hint)
    .bind(secret.created_at.millis())
    .bind(millis(secret.expires_at))
    .bind(status_index)
    .bind(&secret.maker)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Every secret, ended ones too, newest first.
pub(crate) async fn secrets<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    client_id: &ClientId,
) -> Result<Vec<ClientSecret>, StoreError> {
    sqlx::query(
        "SELECT id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from, leaked_at,
                leaked_where
         FROM client_secrets WHERE client_id = $1 ORDER BY created_at DESC, id DESC",
    )
    .bind(client_id.as_str())
    .fetch_all(connection)
    .await?
    .iter()
    .map(client_secret)
    .collect()
}

fn client_secret(row: &AnyRow) -> Result<ClientSecret, StoreError> {
    let columns = Columns::of("client_secrets", row);
    Ok(ClientSecret {
        id: columns.parsed("id", SecretId::parse)?,
        hint: columns.text("hint")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.optional_moment("expires_at")?,
        retires_at: columns.optional_moment("retires_at")?,
        revoked_at: columns.optional_moment("revoked_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: columns.optional_parsed("last_used_from", |address| address.parse().ok())?,
        leaked_at: columns.optional_moment("leaked_at")?,
        leaked_where: columns.optional_text("leaked_where")?,
    })
}

/// The secret with this hash, and its credential.
pub(crate) async fn secret_by_hash<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    hash: &SecretHash,
) -> Result<Option<(ClientId, ClientSecret)>, StoreError> {
    sqlx::query(
        "SELECT client_id, id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from,
                leaked_at, leaked_where
         FROM client_secrets WHERE hash = $1",
    )
    .bind(hash.as_str())
    .fetch_optional(connection)
    .await?
    .map(|row| {
        let client_id = Columns::of("client_secrets", &row).parsed("client_id", ClientId::parse)?;
        Ok((client_id, client_secret(&row)?))
    })
    .transpose()
}

/// The hashes of a credential's secrets that were not revoked.
pub(crate) async fn secret_hashes(store: &Store, client_id: &ClientId) -> Result<Vec<(SecretId, String)>, StoreError> {
    sqlx::query("SELECT id, hash FROM client_secrets WHERE client_id = $1 AND revoked_at IS NULL")
        .bind(client_id.as_str())
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(|row| {
            let columns = Columns::of("client_secrets", row);
            Ok((columns.parsed("id", SecretId::parse)?, columns.text("hash")?))
        })
        .collect()
}

/// Replaces another system's hash by ours.
pub(crate) async fn replace_hash(
    transaction: &mut Transaction,
    id: &SecretId,
    hash: &SecretHash,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE client_secrets SET hash = $1 WHERE id = $2")
        .bind(hash.as_str())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Records that a secret leaked. If it was recorded before, the first record stays.
pub(crate) async fn mark_leaked(
    transaction: &mut Transaction,
    id: &SecretId,
    found: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE client_secrets SET leaked_where = COALESCE(leaked_where, $2), leaked_at = COALESCE(leaked_at, $1)
         WHERE id = $3",
    )
    .bind(now.millis())
    .bind(found)
    .bind(id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Stores the end of a credential that follows from the ends of its authenticators.
pub(crate) async fn set_ends(
    transaction: &mut Transaction,
    client_id: &ClientId,
    ends_at: Option<Timestamp>,
    rotation_ends_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE credentials SET ends_at = $1, rotation_ends_at = $2 WHERE client_id = $3")
        .bind(millis(ends_at))
        .bind(millis(rotation_ends_at))
        .bind(client_id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The ends of each secret and key.
pub(crate) async fn authenticator_ends_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Vec<AuthenticatorEnd>, StoreError> {
    sqlx::query(
        "SELECT expires_at, retires_at, revoked_at FROM client_secrets WHERE client_id = $1
         UNION ALL SELECT expires_at, retires_at, revoked_at FROM client_keys WHERE client_id = $1",
    )
    .bind(client_id.as_str())
    .fetch_all(&mut **transaction)
    .await?
    .iter()
    .map(|row| {
        let columns = Columns::of("client_secrets", row);
        Ok(AuthenticatorEnd {
            expires_at: columns.optional_moment("expires_at")?,
            retires_at: columns.optional_moment("retires_at")?,
            revoked: columns.optional_moment("revoked_at")?.is_some(),
        })
    })
    .collect()
}
