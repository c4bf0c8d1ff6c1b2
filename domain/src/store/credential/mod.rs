//! Statements of `credentials` and `client_secrets`.
//!
//! | module | tables |
//! |---|---|
//! | [`authenticators`] | `client_keys`, `federated_identities`, and what all authenticators have in common |
//! | [`generated`] | pages of `credentials` by the person who generated them |
//! | [`import`] | many credentials in one statement |
//! | [`request`] | `generation_requests` |
//! | [`list`] | pages of `credentials`, in every order and with every filter |

pub mod authenticators;
pub(crate) mod generated;
pub(crate) mod handover;
pub mod import;
pub mod list;
pub(crate) mod request;

use ipnet::IpNet;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId, PersonId, SecretId};
use crate::crypto::secret::SecretHash;
use crate::model::credential::key::KeysAt;
use crate::model::credential::{AssertionRules, AuthenticatorEnd, ClientSecret, Credential, Owner};
use crate::store::token::status_list;
use crate::store::{Columns, FromRow, On, Result, Store, Transaction, composed_sql, row, sql};

pub(crate) const COLUMNS: &str = "client_id, team_id, name, description, auth_method, token_endpoint_audience_since,
    reusable_assertions_since, jwt_bearer_since, scopes, mcp_servers, token_lifetime, ip_ranges, created_by,
    created_at, expires_at, ends_at, disabled_at, revoked_at, revoke_reason, verified_at, last_used_at,
    last_used_from, last_used_agent, rotation_ends_at, leak_ends_at, notes, owner_id, jwks_uri, document,
    (SELECT name FROM people WHERE people.id = credentials.owner_id) AS owner_name,
    (SELECT disabled_at FROM people WHERE people.id = credentials.owner_id) AS owner_disabled_at,
    (SELECT string_agg(tag, ' ') FROM credential_tags AS t WHERE t.client_id = credentials.client_id)
        AS tags";

row! { "credentials" => AssertionRules {
    token_endpoint_audience = "token_endpoint_audience_since", reusable = "reusable_assertions_since",
    jwt_bearer = "jwt_bearer_since"
} }
row! { "credentials" => Credential {
    client_id, team = "team_id", name, description, notes, owner: owner, tags: tags, auth_method, keys_at: keys_at,
    assertions: FromRow::from_row, scopes, servers = "mcp_servers", token_lifetime, ip_ranges, created_by, created_at,
    expires_at, ends_at, disabled_at, revoked_at, revoke_reason, verified_at, last_used_at, last_used_from,
    last_used_agent, rotation_ends_at, leak_ends_at
} }

fn keys_at(columns: &Columns<'_>) -> Result<Option<KeysAt>> {
    let document: Option<AppClientId> = columns.get("document")?;
    Ok(match document {
        Some(id) => Some(KeysAt::Document(id)),
        None => columns.get::<Option<String>>("jwks_uri")?.map(KeysAt::Address),
    })
}

fn owner(columns: &Columns<'_>) -> Result<Option<Owner>> {
    let Some(id) = columns.get("owner_id")? else { return Ok(None) };
    Ok(Some(Owner { id, name: columns.get("owner_name")?, disabled: columns.get("owner_disabled_at")? }))
}

/// The tags, which the statement joins with spaces. They are sorted here: a sort in the statement would be done for
/// each row that the list reads.
fn tags(columns: &Columns<'_>) -> Result<Vec<String>> {
    let tags: Option<String> = columns.get("tags")?;
    let mut tags: Vec<String> = tags.iter().flat_map(|tags| tags.split(' ')).map(str::to_owned).collect();
    tags.sort();
    Ok(tags)
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

pub(crate) async fn insert(transaction: &mut Transaction, credential: &Credential, maker: &str) -> Result<()> {
    sql!(
        "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                                  token_lifetime, ip_ranges, created_by, created_at, expires_at, ends_at,
                                  token_endpoint_audience_since, reusable_assertions_since, jwt_bearer_since,
                                  team_id, created_by_id, notes, owner_id, jwks_uri, document)
         VALUES ($1, $2, $3, $4, $13, $5, $6, $7, $8, $9, $10, $11, $12, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22)";
        credential.client_id, credential.name, search_text(credential), credential.description, credential.scopes,
        credential.servers, credential.token_lifetime, credential.ip_ranges, credential.created_by,
        credential.created_at, credential.expires_at, credential.ends_at, credential.auth_method,
        credential.assertions.token_endpoint_audience.then_some(credential.created_at),
        credential.assertions.reusable.then_some(credential.created_at),
        credential.assertions.jwt_bearer.then_some(credential.created_at), credential.team, maker, credential.notes,
        credential.owner.as_ref().map(|owner| &owner.id),
        credential.keys_at.as_ref().and_then(KeysAt::jwks_uri), credential.keys_at.as_ref().and_then(KeysAt::document)
    )
    .execute(&mut *transaction)
    .await?;
    set_tags(transaction, &credential.client_id, &credential.tags).await
}

/// The credential whose program publishes this document: the one that is not revoked, or the one that was revoked last.
/// A revoked one does not stand before a federated identity with this issuer.
pub(crate) async fn of_document(on: impl On<'_>, id: &AppClientId) -> Result<Option<ClientId>> {
    sql!(
        "SELECT client_id FROM credentials WHERE document = $1 AND (revoked_at IS NULL OR NOT EXISTS
             (SELECT 1 FROM federated_identities AS f WHERE f.issuer = $1 AND f.revoked_at IS NULL))
         ORDER BY revoked_at IS NOT NULL, revoked_at DESC LIMIT 1"; id
    )
    .optional(on)
    .await
}

/// Replaces the tags of a credential.
pub(crate) async fn set_tags(transaction: &mut Transaction, client_id: &ClientId, tags: &[String]) -> Result<()> {
    sql!("DELETE FROM credential_tags WHERE client_id = $1"; client_id).execute(&mut *transaction).await?;
    for tag in tags {
        let sql = "INSERT INTO credential_tags (client_id, tag, created_at)
             SELECT client_id, $2, created_at FROM credentials WHERE client_id = $1";
        sql!(sql; client_id, tag).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Writes the fields that an edit may change.
pub(crate) async fn update(transaction: &mut Transaction, credential: &Credential, now: Timestamp) -> Result<()> {
    sql!(
        "UPDATE credentials SET name = $1, search_text = $2, description = $3, scopes = $4, token_lifetime = $5,
                ip_ranges = $6, expires_at = $7, ends_at = $8, token_endpoint_audience_since = $10,
                reusable_assertions_since = $11, jwt_bearer_since = $12, team_id = $13, mcp_servers = $14,
                notes = $15, owner_id = $16 WHERE client_id = $9";
        credential.name, search_text(credential), credential.description, credential.scopes,
        credential.token_lifetime, credential.ip_ranges, credential.expires_at, credential.ends_at,
        credential.client_id, credential.assertions.token_endpoint_audience.then_some(now),
        credential.assertions.reusable.then_some(now), credential.assertions.jwt_bearer.then_some(now),
        credential.team, credential.servers, credential.notes, credential.owner.as_ref().map(|owner| &owner.id)
    )
    .execute(&mut *transaction)
    .await?;
    set_tags(transaction, &credential.client_id, &credential.tags).await
}

pub(crate) async fn set_disabled(
    transaction: &mut Transaction,
    client_id: &ClientId,
    disabled_at: Option<Timestamp>,
) -> Result<()> {
    let sql = "UPDATE credentials SET disabled_at = $1 WHERE client_id = $2";
    sql!(sql; disabled_at, client_id).execute(transaction).await
}

pub(crate) async fn revoke(
    transaction: &mut Transaction,
    client_id: &ClientId,
    now: Timestamp,
    reason: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE credentials SET revoked_at = $1, revoke_reason = $2 WHERE client_id = $3";
    sql!(sql; now, reason, client_id).execute(&mut *transaction).await?;
    for table in authenticators::TABLES {
        composed_sql!("UPDATE {table} SET revoked_at = $1 WHERE client_id = $2 AND revoked_at IS NULL"; now, client_id)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

pub(crate) async fn find(on: impl On<'_>, client_id: &ClientId) -> Result<Option<Credential>> {
    composed_sql!("SELECT {COLUMNS} FROM credentials WHERE client_id = $1"; client_id).optional(on).await
}

/// The credentials of the owner `$1` that are not revoked, newest first, at most `$2`.
pub(crate) const OWNED: &str = "SELECT client_id FROM credentials WHERE owner_id = $1 AND revoked_at IS NULL
     ORDER BY created_at DESC, client_id DESC LIMIT $2";
/// How many these are.
pub(crate) const OWNED_COUNT: &str = "SELECT COUNT(*) AS n FROM credentials WHERE owner_id = $1 AND revoked_at IS NULL";

/// The credentials of an owner, newest first.
pub(crate) async fn owned(on: impl On<'_>, owner: &PersonId, limit: i64) -> Result<Vec<Credential>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM credentials WHERE client_id IN ({OWNED}) ORDER BY created_at DESC, client_id DESC";
        owner, limit
    )
    .all(on)
    .await
}

pub(crate) async fn count_owned(on: impl On<'_>, owner: &PersonId) -> Result<i64> {
    sql!(OWNED_COUNT; owner).one(on).await
}

/// Sets the person who answers for a credential.
pub(crate) async fn set_owner(transaction: &mut Transaction, id: &ClientId, owner: Option<&PersonId>) -> Result<()> {
    sql!("UPDATE credentials SET owner_id = $1 WHERE client_id = $2"; owner, id).execute(transaction).await
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

pub(crate) async fn insert_secret(transaction: &mut Transaction, secret: &NewSecret) -> Result<()> {
    let status_index = status_list::take(transaction, 1).await?;
    sql!(
        "INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, status_index, created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        secret.id, secret.client_id, secret.hash, secret.hint, secret.created_at, secret.expires_at, status_index,
        secret.maker
    )
    .execute(transaction)
    .await
}

/// Every secret, ended ones too, newest first.
pub(crate) async fn secrets(on: impl On<'_>, client_id: &ClientId) -> Result<Vec<ClientSecret>> {
    composed_sql!(
        "SELECT {SECRET} FROM client_secrets WHERE client_id = $1 ORDER BY created_at DESC, id DESC"; client_id
    )
    .all(on)
    .await
}

const SECRET: &str =
    "id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from, leaked_at,
    leaked_where";

row! { "client_secrets" => ClientSecret {
    id, hint, created_at, expires_at, retires_at, revoked_at, last_used_at, last_used_from, leaked_at, leaked_where
} }

impl FromRow for (ClientId, ClientSecret) {
    const TABLE: Option<&'static str> = ClientSecret::TABLE;

    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        Ok((columns.get("client_id")?, ClientSecret::from_row(columns)?))
    }
}

/// The secret with this hash, and its credential.
pub(crate) async fn secret_by_hash(on: impl On<'_>, hash: &SecretHash) -> Result<Option<(ClientId, ClientSecret)>> {
    composed_sql!("SELECT client_id, {SECRET} FROM client_secrets WHERE hash = $1"; hash).optional(on).await
}

/// The hashes of a credential's secrets that were not revoked, each with the address ranges of the credential.
pub(crate) async fn secret_hashes(store: &Store, client_id: &ClientId) -> Result<Vec<(SecretId, String, Vec<IpNet>)>> {
    let sql = "SELECT s.id AS id, s.hash AS hash, c.ip_ranges AS ip_ranges FROM client_secrets AS s
         JOIN credentials AS c ON c.client_id = s.client_id WHERE s.client_id = $1 AND s.revoked_at IS NULL";
    sql!(sql; client_id).about("client_secrets").all(store).await
}

/// Replaces another system's hash by ours.
pub(crate) async fn replace_hash(transaction: &mut Transaction, id: &SecretId, hash: &SecretHash) -> Result<()> {
    sql!("UPDATE client_secrets SET hash = $1 WHERE id = $2"; hash, id).execute(transaction).await
}

/// When a client last proved itself with an imported secret from a network. `network` names both.
pub(crate) async fn known_network(store: &Store, network: &str) -> Result<Option<Timestamp>> {
    sql!("SELECT succeeded_at FROM known_networks WHERE network = $1"; network).optional(store).await
}

/// Remembers that a client proved itself from a network.
pub(crate) async fn remember_network(transaction: &mut Transaction, network: &str, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO known_networks (network, succeeded_at) VALUES ($1, $2)
         ON CONFLICT (network) DO UPDATE SET succeeded_at = $2";
    sql!(sql; network, now).execute(transaction).await
}

/// Records that a secret leaked. If it was recorded before, the first record stays.
pub(crate) async fn mark_leaked(
    transaction: &mut Transaction,
    id: &SecretId,
    found: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE client_secrets SET leaked_where = COALESCE(leaked_where, $2), leaked_at = COALESCE(leaked_at, $1)
         WHERE id = $3";
    sql!(sql; now, found, id).execute(transaction).await
}

/// The moments of a credential that follow from its authenticators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// When the last authenticator ends.
    pub ends_at: Option<Timestamp>,
    /// When the rotation ends.
    pub rotation_ends_at: Option<Timestamp>,
    /// Until when a leaked authenticator works.
    pub leak_ends_at: Option<Timestamp>,
}

/// Stores the moments of a credential that follow from its authenticators.
pub(crate) async fn set_ends(transaction: &mut Transaction, client_id: &ClientId, ends: Ends) -> Result<()> {
    sql!("UPDATE credentials SET ends_at = $1, rotation_ends_at = $2, leak_ends_at = $3 WHERE client_id = $4";
        ends.ends_at, ends.rotation_ends_at, ends.leak_ends_at, client_id)
    .execute(transaction)
    .await
}

row! { "client_secrets" => AuthenticatorEnd {
    expires_at, retires_at, revoked = "revoked_at", leaked = "leaked_at"
} }

/// The ends of each secret and key.
pub(crate) async fn authenticator_ends_in(
    transaction: &mut Transaction,
    client_id: &ClientId,
) -> Result<Vec<AuthenticatorEnd>> {
    let sql = "SELECT expires_at, retires_at, revoked_at, leaked_at FROM client_secrets WHERE client_id = $1
         UNION ALL SELECT expires_at, retires_at, revoked_at, CAST(NULL AS BIGINT) AS leaked_at FROM client_keys
         WHERE client_id = $1";
    sql!(sql; client_id).all(transaction).await
}
