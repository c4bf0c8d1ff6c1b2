//! `personal_tokens`.

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::id::{McpServerId, PersonId, PersonalTokenId};
use crate::crypto::secret::SecretHash;
use crate::model::client::consent::EndCause;
use crate::model::client::personal_token::{ListedToken, PersonalToken};
use crate::model::server::scope::Scopes;
use crate::store::{Engine, FromRow, On, Result, Store, Transaction, composed_sql, row, sql, to_elements};

const COLUMNS: &str =
    "t.id AS id, t.person_id AS person_id, t.name AS name, t.server_id AS server_id, t.scopes AS scopes,
    t.token_hint AS token_hint, t.created_at AS created_at, t.expires_at AS expires_at, t.last_used_at AS last_used_at,
    t.last_used_from AS last_used_from, t.leaked_at AS leaked_at, t.ended_at AS ended_at, t.end_cause AS end_cause";

row! { "personal_tokens" => PersonalToken {
    id, person = "person_id", name, server_id, scopes, hint = "token_hint", created_at, expires_at, last_used_at,
    last_used_from, leaked_at, ended_at, end_cause
} }

row! { "personal_tokens" => ListedToken {
    token: FromRow::from_row, person_name, is_person_disabled = "disabled_at"
} }

fn select_listed() -> String {
    format!(
        "SELECT {COLUMNS}, p.name AS person_name, p.disabled_at AS disabled_at
         FROM personal_tokens AS t JOIN people AS p ON p.id = t.person_id"
    )
}

pub(crate) async fn insert(transaction: &mut Transaction, token: &PersonalToken, hash: &SecretHash) -> Result<()> {
    sql!(
        "INSERT INTO personal_tokens
             (id, person_id, name, server_id, scopes, token_hash, token_hint, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        token.id, token.person, token.name, token.server_id, token.scopes, hash, token.hint, token.created_at,
        token.expires_at
    )
    .execute(transaction)
    .await
}

/// The tokens of all people, or of `person`, that live at `now`, newest first.
pub(crate) async fn list(
    store: &Store,
    person: Option<&PersonId>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedToken>> {
    let sql = list_sql(person.is_some());
    let (at, id) = after.map_or((i64::MAX, ""), |place| (place.at.millis(), place.id.as_str()));
    composed_sql!("{sql}"; now, limit, person, at, id).all(store).await
}

/// The statement of [`list`]. Its parameters are a moment, the limit, the person, and the cursor: a moment and an
/// identifier.
pub(crate) fn list_sql(of_one: bool) -> String {
    let of = if of_one { "t.person_id = $3" } else { "CAST($3 AS TEXT) IS NULL" };
    let listed = select_listed();
    format!(
        "{listed} WHERE {of} AND t.ended_at IS NULL AND t.expires_at > $1 AND (t.created_at, t.id) < ($4, $5)
         ORDER BY t.created_at DESC, t.id DESC LIMIT $2"
    )
}

/// The tokens for this server that live at `now`, newest first: of all people or of `person`, with any scope or with
/// one of the scopes `giving`.
pub(crate) async fn list_of_server(
    store: &Store,
    server: &McpServerId,
    person: Option<&PersonId>,
    giving: Option<&Scopes>,
    after: Option<&Cursor>,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedToken>> {
    let sql = list_of_server_sql(store.engine());
    let (at, id) = after.map_or((i64::MAX, ""), |place| (place.at.millis(), place.id.as_str()));
    composed_sql!("{sql}"; now, limit, person, at, id, server, giving.map(to_elements)).all(store).await
}

/// The statement of [`list_of_server`]. Its parameters are those of [`list_sql`], the server, and a list of
/// scopes.
pub(crate) fn list_of_server_sql(engine: Engine) -> String {
    let (listed, has_scope) = (select_listed(), engine.has_one_of("t.scopes", "$7"));
    format!(
        "{listed} WHERE t.server_id = $6 AND (CAST($3 AS TEXT) IS NULL OR t.person_id = $3)
             AND t.ended_at IS NULL AND t.expires_at > $1
             AND {has_scope} AND (t.created_at, t.id) < ($4, $5)
         ORDER BY t.created_at DESC, t.id DESC LIMIT $2"
    )
}

pub(crate) async fn count_live(on: impl On<'_>, person: &PersonId, now: Timestamp) -> Result<i64> {
    let sql =
        "SELECT COUNT(*) AS live FROM personal_tokens WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2";
    sql!(sql; person, now).one(on).await
}

pub(crate) async fn find_in(transaction: &mut Transaction, id: &PersonalTokenId) -> Result<Option<PersonalToken>> {
    composed_sql!("SELECT {COLUMNS} FROM personal_tokens AS t WHERE t.id = $1"; id).optional(transaction).await
}

/// The token with this hash, also when it has ended.
pub(crate) async fn find_by_hash(store: &Store, hash: &SecretHash) -> Result<Option<ListedToken>> {
    let listed = select_listed();
    composed_sql!("{listed} WHERE t.token_hash = $1"; hash).by_key().optional(store).await
}

/// Records a use.
pub(crate) async fn mark_used(
    store: &Store,
    id: &PersonalTokenId,
    now: Timestamp,
    address: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE personal_tokens SET last_used_at = $1, last_used_from = $2
         WHERE id = $3 AND (last_used_at IS NULL OR last_used_at < $1)";
    sql!(sql; now, address, id).commit(store.begin_exchange().await?).await.map(drop)
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
) -> Result<u64> {
    let (condition, value) = match which {
        PersonalTokenSelection::One(id) => ("id = $3", id.as_str()),
        PersonalTokenSelection::OfPerson(id) => ("person_id = $3", id.as_str()),
        PersonalTokenSelection::All => ("id <> $3", ""),
    };
    composed_sql!(
        "UPDATE personal_tokens SET ended_at = $1, end_cause = $2 WHERE {condition} AND ended_at IS NULL";
        now, cause, value
    )
    .affected(transaction)
    .await
}
