//! `sessions`.

use sqlx::any::AnyRow;

use super::{Columns, Store, StoreError, Transaction};
use crate::clock::Timestamp;
use crate::id::{PersonId, SessionId};
use crate::session::{CookieHash, Session};

pub(crate) async fn insert(store: &Store, cookie: &CookieHash, session: &Session) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    sqlx::query(
        "INSERT INTO sessions (id_hash, id, person_id, data, address, agent, created_at, seen_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(cookie.as_str())
    .bind(session.id.as_str())
    .bind(session.person.as_str())
    .bind(&session.data)
    .bind(session.address.map(|address| address.to_string()))
    .bind(session.agent.as_deref())
    .bind(session.created_at.millis())
    .bind(session.seen_at.millis())
    .bind(session.ends_at().millis())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn find_live(
    store: &Store,
    cookie: &CookieHash,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Option<Session>, StoreError> {
    sqlx::query(
        "SELECT id, person_id, data, address, agent, created_at, seen_at FROM sessions
         WHERE id_hash = $1 AND revoked_at IS NULL AND ends_at > $2 AND seen_at > $3",
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

pub(crate) async fn list_live(
    store: &Store,
    person: &PersonId,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    sqlx::query(
        "SELECT id, person_id, data, address, agent, created_at, seen_at FROM sessions
         WHERE person_id = $1 AND revoked_at IS NULL AND ends_at > $2 AND seen_at > $3 ORDER BY seen_at DESC LIMIT 100",
    )
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
        data: columns.text("data")?,
        address: columns.optional_text("address")?.and_then(|address| address.parse().ok()),
        agent: columns.optional_text("agent")?,
        created_at: columns.moment("created_at")?,
        seen_at: columns.moment("seen_at")?,
    })
}

pub(crate) async fn touch(store: &Store, cookie: &CookieHash, now: Timestamp) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    // A clock that was set back must not shorten a session, nor a late request lengthen an ended one.
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

pub(crate) async fn retire(store: &Store, cookie: &CookieHash, now: Timestamp) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE id_hash = $2 AND revoked_at IS NULL")
        .bind(now.millis())
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

/// Ends the person's sessions but one; returns how many.
pub(crate) async fn end_all_but(
    transaction: &mut Transaction,
    person: &PersonId,
    keep: &SessionId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let result =
        sqlx::query("UPDATE sessions SET revoked_at = $1 WHERE person_id = $2 AND id <> $3 AND revoked_at IS NULL")
            .bind(now.millis())
            .bind(person.as_str())
            .bind(keep.as_str())
            .execute(&mut **transaction)
            .await?;
    Ok(result.rows_affected())
}
