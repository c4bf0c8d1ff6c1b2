//! `sessions`.

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, SessionId};
use crate::model::person::session::{CookieHash, Session};
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// The value of the cookie's hash while a session has no cookie. No SHA-256 has this form.
const DETACHED: &str = "detached ";

/// Gives a session its new cookie, or stores a new session; false when the session was ended, or the password changed.
pub(crate) async fn attach(store: &Store, cookie: &CookieHash, session: &Session) -> Result<bool, StoreError> {
    let mut transaction = store.begin().await?;
    let attached = sqlx::query("UPDATE sessions SET id_hash = $1, data = $2 WHERE id = $3 AND revoked_at IS NULL")
        .bind(cookie.as_str())
        .bind(&session.data)
        .bind(session.id.as_str())
        .execute(&mut *transaction)
        .await?;
    if attached.rows_affected() == 1 {
        transaction.commit().await?;
        return Ok(true);
    }
    let inserted = sqlx::query(
        "INSERT INTO sessions (id_hash, id, person_id, data, address, agent, created_at, seen_at, expires_at)
         SELECT $1, $2, id, $4, $5, $6, $7, $8, $9 FROM people
         WHERE id = $3 AND password_changed_at = $10 AND disabled_at IS NULL AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = $2)",
    )
    .bind(cookie.as_str())
    .bind(session.id.as_str())
    .bind(session.person.as_str())
    .bind(&session.data)
    .bind(session.address.map(|address| address.to_string()))
    .bind(session.agent.as_deref())
    .bind(session.created_at.millis())
    .bind(session.seen_at.millis())
    .bind(session.expires_at().millis())
    .bind(session.password_of)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(inserted.rows_affected() == 1)
}

pub(crate) async fn find_live(
    store: &Store,
    cookie: &CookieHash,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Option<Session>, StoreError> {
    sqlx::query(
        "SELECT s.id AS id, person_id, password_changed_at, data, address, agent, s.created_at AS created_at, seen_at
         FROM sessions AS s JOIN people ON people.id = s.person_id
         WHERE id_hash = $1 AND revoked_at IS NULL AND expires_at > $2 AND seen_at > $3 AND people.disabled_at IS NULL",
    )
    .bind(cookie.as_str())
    .bind(now.millis())
    .bind(idle_since.millis())
    .fetch_optional(store.reads())
    .await?
    .as_ref()
    .map(session)
    .transpose()
}

/// The sessions of the person `$1` that live at the moment `$2` and were seen after `$3`.
pub(crate) const LIVE_SESSIONS: &str =
    "SELECT s.id AS id, person_id, password_changed_at, data, address, agent, s.created_at AS created_at, seen_at
         FROM sessions AS s JOIN people ON people.id = s.person_id
         WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC LIMIT 100";

pub(crate) async fn list_live(
    store: &Store,
    person: &PersonId,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    sqlx::query(LIVE_SESSIONS)
        .bind(person.as_str())
        .bind(now.millis())
        .bind(idle_since.millis())
        .fetch_all(store.reads())
        .await?
        .iter()
        .map(session)
        .collect()
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    let columns = Columns::of("sessions", row);
    Ok(Session {
        id: columns.parsed("id", SessionId::parse)?,
        person: columns.parsed("person_id", PersonId::parse)?,
        password_of: columns.number("password_changed_at")?,
        data: columns.text("data")?,
        address: columns.optional_parsed("address", |address| address.parse().ok())?,
        agent: columns.optional_text("agent")?,
        created_at: columns.moment("created_at")?,
        seen_at: columns.moment("seen_at")?,
    })
}

pub(crate) async fn touch(store: &Store, cookie: &CookieHash, now: Timestamp) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    // Neither a clock that was set back shortens a session, nor does a late request lengthen an ended one.
    sqlx::query("UPDATE sessions SET seen_at = $1 WHERE id_hash = $2 AND revoked_at IS NULL AND seen_at < $1")
        .bind(now.millis())
        .bind(cookie.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn save(store: &Store, cookie: &CookieHash, data: &str) -> Result<bool, StoreError> {
    let mut transaction = store.begin().await?;
    let result = sqlx::query("UPDATE sessions SET data = $1 WHERE id_hash = $2 AND revoked_at IS NULL")
        .bind(data)
        .bind(cookie.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn detach(store: &Store, cookie: &CookieHash) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    sqlx::query("UPDATE sessions SET id_hash = $1 || id WHERE id_hash = $2 AND revoked_at IS NULL")
        .bind(DETACHED)
        .bind(cookie.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn end(
    transaction: &mut Transaction,
    person: &PersonId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result =
        sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND person_id = $3 AND revoked_at IS NULL")
            .bind(now.millis())
            .bind(id.as_str())
            .bind(person.as_str())
            .execute(&mut **transaction)
            .await?;
    Ok(result.rows_affected() > 0)
}

/// Ends the person's sessions, except `keep`. Returns how many.
pub(crate) async fn end_all(
    transaction: &mut Transaction,
    person: &PersonId,
    keep: Option<&SessionId>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let result =
        sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE person_id = $2 AND id <> $3 AND revoked_at IS NULL")
            .bind(now.millis())
            .bind(person.as_str())
            .bind(keep.map_or("", SessionId::as_str))
            .execute(&mut **transaction)
            .await?;
    Ok(result.rows_affected())
}
