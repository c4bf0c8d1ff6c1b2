//! `consents` and what belongs to them: `authorization_codes`, `refresh_tokens`, `consent_tokens`.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId, TokenId};
use crate::crypto::secret::SecretHash;
use crate::model::client::ClientKind;
use crate::model::client::consent::{Consent, EndCause, IDLE_LIMIT, ListedConsent};
use crate::model::server::scope::Scopes;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// What an authorization code was issued for.
pub(crate) struct Code {
    pub person: PersonId,
    pub client_id: AppClientId,
    /// The redirect URI that the authorization request named.
    pub redirect_uri: String,
    /// The S256 challenge (RFC 7636 §4.2).
    pub challenge: String,
    pub server_id: McpServerId,
    pub scopes: Scopes,
    pub expires_at: Timestamp,
    /// The consent that it was redeemed for.
    pub grant: Option<ConsentId>,
}

pub(crate) async fn insert_code(
    transaction: &mut Transaction,
    hash: &SecretHash,
    code: &Code,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO authorization_codes
             (code_hash, person_id, client_id, redirect_uri, challenge, server_id, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(hash.as_str())
    .bind(code.person.as_str())
    .bind(code.client_id.as_str())
    .bind(&code.redirect_uri)
    .bind(&code.challenge)
    .bind(code.server_id.as_str())
    .bind(code.scopes.to_string())
    .bind(code.expires_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn code(transaction: &mut Transaction, hash: &SecretHash) -> Result<Option<Code>, StoreError> {
    let row = sqlx::query(
        "SELECT person_id, client_id, redirect_uri, challenge, server_id, scopes, expires_at, consent_id
         FROM authorization_codes WHERE code_hash = $1",
    )
    .bind(hash.as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    row.map(|row| {
        let columns = Columns::of("authorization_codes", &row);
        Ok(Code {
            person: columns.parsed("person_id", PersonId::parse)?,
            client_id: columns.parsed("client_id", AppClientId::parse)?,
            redirect_uri: columns.text("redirect_uri")?,
            challenge: columns.text("challenge")?,
            server_id: columns.parsed("server_id", McpServerId::parse)?,
            scopes: columns.parsed("scopes", Scopes::parse)?,
            expires_at: columns.moment("expires_at")?,
            grant: columns.optional_parsed("consent_id", ConsentId::parse)?,
        })
    })
    .transpose()
}

/// Records the consent that the code was redeemed for.
pub(crate) async fn use_code(
    transaction: &mut Transaction,
    hash: &SecretHash,
    grant: &ConsentId,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE authorization_codes SET consent_id = $1 WHERE code_hash = $2")
        .bind(grant.as_str())
        .bind(hash.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn insert(transaction: &mut Transaction, grant: &Consent) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consents (id, person_id, client_id, server_id, scopes, redirect_host, status_index, created_at, expires_at,
                             last_used_at, last_used_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(grant.id.as_str())
    .bind(grant.person.as_str())
    .bind(grant.client_id.as_str())
    .bind(grant.server_id.as_str())
    .bind(grant.scopes.to_string())
    .bind(&grant.redirect_host)
    .bind(grant.status_index)
    .bind(grant.created_at.millis())
    .bind(grant.expires_at.millis())
    .bind(grant.last_used_at.millis())
    .bind(grant.last_used_from.as_deref())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The columns of a consent `g`.
const COLUMNS: &str = "g.id AS id, g.person_id AS person_id, g.client_id AS client_id, g.server_id AS server_id,
    g.scopes AS scopes, g.redirect_host AS redirect_host, g.status_index AS status_index, g.created_at AS created_at,
    g.expires_at AS expires_at, g.last_used_at AS last_used_at, g.last_used_from AS last_used_from, g.leaked_at AS leaked_at,
    g.ended_at AS ended_at, g.end_cause AS end_cause";

fn grant(row: &AnyRow) -> Result<Consent, StoreError> {
    let columns = Columns::of("consents", row);
    Ok(Consent {
        id: columns.parsed("id", ConsentId::parse)?,
        person: columns.parsed("person_id", PersonId::parse)?,
        client_id: columns.parsed("client_id", AppClientId::parse)?,
        server_id: columns.parsed("server_id", McpServerId::parse)?,
        scopes: columns.parsed("scopes", Scopes::parse)?,
        redirect_host: columns.text("redirect_host")?,
        status_index: columns.number("status_index")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.moment("expires_at")?,
        last_used_at: columns.moment("last_used_at")?,
        last_used_from: columns.optional_text("last_used_from")?,
        leaked_at: columns.optional_moment("leaked_at")?,
        ended_at: columns.optional_moment("ended_at")?,
        end_cause: columns.optional_parsed("end_cause", EndCause::parse)?,
    })
}

pub(crate) async fn find_in(transaction: &mut Transaction, id: &ConsentId) -> Result<Option<Consent>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM consents AS g WHERE g.id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(grant).transpose()
}

fn listed(row: &AnyRow) -> Result<ListedConsent, StoreError> {
    let columns = Columns::of("consents", row);
    Ok(ListedConsent {
        consent: grant(row)?,
        person_name: columns.text("person_name")?,
        client_name: columns.text("client_name")?,
        client_kind: columns.parsed("client_kind", ClientKind::parse)?,
    })
}

fn select_listed() -> String {
    format!(
        "SELECT {COLUMNS}, p.name AS person_name, c.name AS client_name, c.kind AS client_kind
         FROM consents AS g JOIN people AS p ON p.id = g.person_id
              JOIN clients AS c ON c.client_id = g.client_id"
    )
}

/// The consents of all people, or of `person`, that live at `now`, newest first.
pub(crate) async fn list(
    store: &Store,
    person: Option<&PersonId>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedConsent>, StoreError> {
    sqlx::query(AssertSqlSafe(list_sql(person.is_some())))
        .bind(now.millis())
        .bind(now.minus(IDLE_LIMIT).millis())
        .bind(limit)
        .bind(person.map(PersonId::as_str))
        .bind(after.map_or(i64::MAX, |place| place.at.millis()))
        .bind(after.map_or("", |place| place.id.as_str()))
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(listed)
        .collect()
}

/// The statement of [`list`]. Its parameters are two moments, the limit, the person, and the cursor: a moment and an
/// identifier.
pub(crate) fn list_sql(of_one: bool) -> String {
    let of = if of_one { "g.person_id = $4" } else { "CAST($4 AS TEXT) IS NULL" };
    format!(
        "{} WHERE {of} AND g.ended_at IS NULL AND g.expires_at > $1 AND g.last_used_at > $2
             AND (g.created_at, g.id) < ($5, $6)
         ORDER BY g.created_at DESC, g.id DESC LIMIT $3",
        select_listed()
    )
}

pub(crate) async fn find_listed(
    transaction: &mut Transaction,
    id: &ConsentId,
) -> Result<Option<ListedConsent>, StoreError> {
    let sql = AssertSqlSafe(format!("{} WHERE g.id = $1", select_listed()));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(listed).transpose()
}

/// A token that belongs to a consent.
#[derive(Clone, Copy)]
pub(crate) enum ConsentTokenRef<'clue> {
    /// A refresh token, used or not.
    RefreshToken(&'clue SecretHash),
    /// An access token.
    AccessToken(&'clue TokenId),
}

/// The consent that a refresh token or an access token belongs to, also when the token or the consent has ended.
pub(crate) async fn find_by(store: &Store, clue: ConsentTokenRef<'_>) -> Result<Option<ListedConsent>, StoreError> {
    let (of, value) = match clue {
        ConsentTokenRef::RefreshToken(hash) => {
            ("SELECT consent_id FROM refresh_tokens WHERE token_hash = $1", hash.as_str())
        }
        ConsentTokenRef::AccessToken(jti) => ("SELECT consent_id FROM consent_tokens WHERE jti = $1", jti.as_str()),
    };
    let sql = AssertSqlSafe(format!("{} WHERE g.id = ({of})", select_listed()));
    let row = sqlx::query(sql).bind(value).fetch_optional(store.reads()).await?;
    row.as_ref().map(listed).transpose()
}

/// The scopes of the person's consents for this client and server that live at `now`.
pub(crate) async fn granted(
    store: &Store,
    person: &PersonId,
    client: &AppClientId,
    server: &McpServerId,
    now: Timestamp,
) -> Result<Vec<Scopes>, StoreError> {
    sqlx::query(
        "SELECT scopes FROM consents WHERE person_id = $1 AND client_id = $2 AND server_id = $3 AND ended_at IS NULL
             AND expires_at > $4 AND last_used_at > $5 LIMIT 100",
    )
    .bind(person.as_str())
    .bind(client.as_str())
    .bind(server.as_str())
    .bind(now.millis())
    .bind(now.minus(IDLE_LIMIT).millis())
    .fetch_all(store.reads())
    .await?
    .iter()
    .map(|row| Columns::of("consents", row).parsed("scopes", Scopes::parse))
    .collect()
}

/// Records a use.
pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    id: &ConsentId,
    now: Timestamp,
    address: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE consents SET last_used_at = $1, last_used_from = $2 WHERE id = $3")
        .bind(now.millis())
        .bind(address)
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A selection of consents.
#[derive(Clone, Copy)]
pub(crate) enum ConsentSelection<'id> {
    One(&'id ConsentId),
    OfClient(&'id AppClientId),
    OfPerson(&'id PersonId),
    All,
}

/// Ends consents. Returns how many had not ended before.
pub(crate) async fn end(
    transaction: &mut Transaction,
    which: ConsentSelection<'_>,
    now: Timestamp,
    cause: EndCause,
) -> Result<u64, StoreError> {
    let (condition, value) = match which {
        ConsentSelection::One(id) => ("id = $3", id.as_str()),
        ConsentSelection::OfClient(id) => ("client_id = $3", id.as_str()),
        ConsentSelection::OfPerson(id) => ("person_id = $3", id.as_str()),
        ConsentSelection::All => ("id <> $3", ""),
    };
    let sql = format!("UPDATE consents SET ended_at = $1, end_cause = $2 WHERE {condition} AND ended_at IS NULL");
    let ended = sqlx::query(AssertSqlSafe(sql))
        .bind(now.millis())
        .bind(cause.as_str())
        .bind(value)
        .execute(&mut **transaction)
        .await?;
    Ok(ended.rows_affected())
}

/// Deletes the codes of a client that were not redeemed.
pub(crate) async fn forget_codes_of_client(
    transaction: &mut Transaction,
    client: &AppClientId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM authorization_codes WHERE client_id = $1 AND consent_id IS NULL")
        .bind(client.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Whether this is the hash of a code or a refresh token that was ever issued.
pub(crate) async fn is_known(store: &Store, hash: &SecretHash) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 AS known FROM authorization_codes WHERE code_hash = $1
         UNION ALL SELECT 1 FROM refresh_tokens WHERE token_hash = $1",
    )
    .bind(hash.as_str())
    .fetch_optional(store.reads())
    .await?;
    Ok(row.is_some())
}

/// Whether this is the hash of a refresh token that was neither used nor revoked, and has not ended.
pub(crate) async fn is_usable(store: &Store, hash: &SecretHash, now: Timestamp) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 AS usable FROM refresh_tokens
         WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(hash.as_str())
    .bind(now.millis())
    .fetch_optional(store.reads())
    .await?;
    Ok(row.is_some())
}

/// A refresh token, as it is stored.
pub(crate) struct RefreshToken {
    pub grant: ConsentId,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// The hash of the refresh token that replaced it.
    pub successor: Option<String>,
    pub revoked_at: Option<Timestamp>,
}

pub(crate) async fn insert_refresh_token(
    transaction: &mut Transaction,
    hash: &SecretHash,
    grant: &ConsentId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO refresh_tokens (token_hash, consent_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash.as_str())
        .bind(grant.as_str())
        .bind(expires_at.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The refresh token with this hash.
pub(crate) async fn refresh_token(
    transaction: &mut Transaction,
    hash: &str,
) -> Result<Option<RefreshToken>, StoreError> {
    let row = sqlx::query(
        "SELECT consent_id, expires_at, used_at, successor, revoked_at FROM refresh_tokens WHERE token_hash = $1",
    )
    .bind(hash)
    .fetch_optional(&mut **transaction)
    .await?;
    row.map(|row| {
        let columns = Columns::of("refresh_tokens", &row);
        Ok(RefreshToken {
            grant: columns.parsed("consent_id", ConsentId::parse)?,
            expires_at: columns.moment("expires_at")?,
            used_at: columns.optional_moment("used_at")?,
            successor: columns.optional_text("successor")?,
            revoked_at: columns.optional_moment("revoked_at")?,
        })
    })
    .transpose()
}

/// Records the token that replaced a refresh token. The moment of the first use stays.
pub(crate) async fn use_refresh_token(
    transaction: &mut Transaction,
    hash: &SecretHash,
    successor: &SecretHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE refresh_tokens SET used_at = COALESCE(used_at, $1), successor = $2 WHERE token_hash = $3")
        .bind(now.millis())
        .bind(successor.as_str())
        .bind(hash.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(crate) async fn revoke_refresh_token(
    transaction: &mut Transaction,
    hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE refresh_tokens SET revoked_at = $1 WHERE token_hash = $2")
        .bind(now.millis())
        .bind(hash)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// An access token of a consent.
pub(crate) struct ConsentToken<'token> {
    pub jti: &'token TokenId,
    pub grant: &'token ConsentId,
    pub scope: &'token Scopes,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub address: Option<&'token str>,
}

pub(crate) async fn insert_token(transaction: &mut Transaction, token: &ConsentToken<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consent_tokens (jti, consent_id, scope, issued_at, expires_at, address) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token.jti.as_str())
    .bind(token.grant.as_str())
    .bind(token.scope.to_string())
    .bind(token.issued_at.millis())
    .bind(token.expires_at.millis())
    .bind(token.address)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a protected resource must know about a consent's token besides its signature.
pub(crate) struct TokenState {
    pub person: PersonId,
    pub person_name: String,
    pub client_id: AppClientId,
    pub client_name: String,
    pub token_revoked_at: Option<Timestamp>,
    pub grant_ended_at: Option<Timestamp>,
    pub person_disabled_at: Option<Timestamp>,
    pub client_removed_at: Option<Timestamp>,
}

pub(crate) async fn token_state(store: &Store, jti: &TokenId) -> Result<Option<TokenState>, StoreError> {
    let row = sqlx::query(
        "SELECT t.revoked_at AS revoked_at, g.ended_at AS ended_at, g.person_id AS person_id,
                g.client_id AS client_id, p.name AS person_name, p.disabled_at AS disabled_at, c.name AS client_name,
                c.removed_at AS removed_at
         FROM consent_tokens AS t JOIN consents AS g ON g.id = t.consent_id JOIN people AS p ON p.id = g.person_id
              JOIN clients AS c ON c.client_id = g.client_id WHERE t.jti = $1",
    )
    .bind(jti.as_str())
    .fetch_optional(store.reads())
    .await?;
    row.map(|row| {
        let columns = Columns::of("consent_tokens", &row);
        Ok(TokenState {
            person: columns.parsed("person_id", PersonId::parse)?,
            person_name: columns.text("person_name")?,
            client_id: columns.parsed("client_id", AppClientId::parse)?,
            client_name: columns.text("client_name")?,
            token_revoked_at: columns.optional_moment("revoked_at")?,
            grant_ended_at: columns.optional_moment("ended_at")?,
            person_disabled_at: columns.optional_moment("disabled_at")?,
            client_removed_at: columns.optional_moment("removed_at")?,
        })
    })
    .transpose()
}

/// Ends one access token; false when there is no live token with this identifier.
pub(crate) async fn revoke_token(
    transaction: &mut Transaction,
    jti: &TokenId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let revoked = sqlx::query("UPDATE consent_tokens SET revoked_at = $1 WHERE jti = $2 AND revoked_at IS NULL")
        .bind(now.millis())
        .bind(jti.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(revoked.rows_affected() == 1)
}
