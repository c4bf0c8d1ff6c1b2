//! `personal_tokens`.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, PersonId, PersonalTokenId};
use crate::crypto::secret::SecretHash;
use crate::model::client::consent::EndCause;
use crate::model::client::personal_token::{ListedToken, PersonalToken};
use crate::model::server::scope::Scopes;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

const COLUMNS: &str =
    "t.id AS id, t.person_id AS person_id, t.name AS name, t.server_id AS server_id, t.scopes AS scopes,
    t.token_hint AS token_hint, t.created_at AS created_at, t.expires_at AS expires_at, t.last_used_at AS last_used_at,
    t.last_used_from AS last_used_from, t.leaked_at AS leaked_at, t.ended_at AS ended_at, t.end_cause AS end_cause";

fn token(row: &AnyRow) -> Result<PersonalToken, StoreError> {
    let columns = Columns::of("personal_tokens", row);
    Ok(PersonalToken {
        id: columns.parsed("id", PersonalTokenId::parse)?,
        person: columns.parsed("person_id", PersonId::parse)?,
        name: columns.text("name")?,
        server_id: columns.parsed("server_id", McpServerId::parse)?,
        scopes: columns.parsed("scopes", Scopes::parse)?,
        hint: columns.text("token_hint")?,
        created_at: columns.moment("created_at")?,
        expires_at: columns.moment("expires_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
        last_used_from: columns.optional_text("last_used_from")?,
        leaked_at: columns.optional_moment("leaked_at")?,
        ended_at: columns.optional_moment("ended_at")?,
        end_cause: columns.optional_parsed("end_cause", EndCause::parse)?,
    })
}

fn listed(row: &AnyRow) -> Result<ListedToken, StoreError> {
    let columns = Columns::of("personal_tokens", row);
    Ok(ListedToken {
        token: token(row)?,
        person_name: columns.text("person_name")?,
        is_person_disabled: columns.optional_moment("disabled_at")?.is_some(),
    })
}

fn select_listed() -> String {
    format!(
        "SELECT {COLUMNS}, p.name AS person_name, p.disabled_at AS disabled_at
         FROM personal_tokens AS t JOIN people AS p ON p.id = t.person_id"
    )
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    token: &PersonalToken,
    hash: &SecretHash,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO personal_tokens (id, person_id, name, server_id, scopes, token_hash, token_hint, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(token.id.as_str())
    .bind(token.person.as_str())
    .bind(&token.name)
    .bind(token.server_id.as_str())
    .bind(token.scopes.to_string())
    .bind(hash.as_str())
    .bind(&token.hint)
    .bind(token.created_at.millis())
    .bind(token.expires_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The tokens of all people, or of `person`, that live at `now`, newest first.
pub(crate) async fn list(
    store: &Store,
    person: Option<&PersonId>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedToken>, StoreError> {
    sqlx::query(AssertSqlSafe(list_sql(person.is_some())))
        .bind(now.millis())
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

/// The statement of [`list`]. Its parameters are a moment, the limit, the person, and the cursor: a moment and an
/// identifier.
pub(crate) fn list_sql(of_one: bool) -> String {
    let of = if of_one { "t.person_id = $3" } else { "CAST($3 AS TEXT) IS NULL" };
    format!(
        "{} WHERE {of} AND t.ended_at IS NULL AND t.expires_at > $1 AND (t.created_at, t.id) < ($4, $5)
         ORDER BY t.created_at DESC, t.id DESC LIMIT $2",
        select_listed()
    )
}

pub(crate) async fn count_live(
    transaction: &mut Transaction,
    person: &PersonId,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS live FROM personal_tokens WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2",
    )
    .bind(person.as_str())
    .bind(now.millis())
    .fetch_one(&mut **transaction)
    .await?;
    Columns::of("personal_tokens", &row).number("live")
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    id: &PersonalTokenId,
) -> Result<Option<PersonalToken>, StoreError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM personal_tokens AS t WHERE t.id = $1"));
    let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map(token).transpose()
}

/// The token with this hash, also when it has ended.
pub(crate) async fn find_by_hash(store: &Store, hash: &SecretHash) -> Result<Option<ListedToken>, StoreError> {
    let sql = AssertSqlSafe(format!("{} WHERE t.token_hash = $1", select_listed()));
    let row = sqlx::query(sql).bind(hash.as_str()).fetch_optional(store.reads()).await?;
    row.as_ref().map(listed).transpose()
}

/// Records a use.
pub(crate) async fn mark_used(
    store: &Store,
    id: &PersonalTokenId,
    now: Timestamp,
    address: Option<&str>,
) -> Result<(), StoreError> {
    let mut transaction = store.begin_exchange().await?;
    sqlx::query(
        "UPDATE personal_tokens SET last_used_at = $1, last_used_from = $2
         WHERE id = $3 AND (last_used_at IS NULL OR last_used_at < $1)",
    )
    .bind(now.millis())
    .bind(address)
    .bind(id.as_str())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// A selection of tokens.
#[derive(Clone, Copy)]
pub(crate) enum PersonalTokenSelection<'id> {
    One(&'id PersonalTokenId),
    OfPerson(&'id PersonId),
    All,
}

/// Ends tokens. Returns how many had not ended before.
pub(crate) async fn end(
    transaction: &mut Transaction,
    which: PersonalTokenSelection<'_>,
    now: Timestamp,
    cause: EndCause,
) -> Result<u64, StoreError> {
    let (condition, value) = match which {
        PersonalTokenSelection::One(id) => ("id = $3", id.as_str()),
        PersonalTokenSelection::OfPerson(id) => ("person_id = $3", id.as_str()),
        PersonalTokenSelection::All => ("id <> $3", ""),
    };
    let sql =
        format!("UPDATE personal_tokens SET ended_at = $1, end_cause = $2 WHERE {condition} AND ended_at IS NULL");
    let ended = sqlx::query(AssertSqlSafe(sql))
        .bind(now.millis())
        .bind(cause.as_str())
        .bind(value)
        .execute(&mut **transaction)
        .await?;
    Ok(ended.rows_affected())
}
