//! `sessions`.

use crate::base::clock::Timestamp;
use crate::base::id::{PersonId, SessionId};
use crate::model::person::session::{CookieHash, Session};
use crate::store::{Result, Store, Transaction, composed_sql, row, sql};

/// The value of the cookie's hash while a session has no cookie. No SHA-256 has this form.
const DETACHED: &str = "detached ";

/// Gives a session its new cookie, or stores a new session; false when the session was ended, or the password changed.
pub(crate) async fn attach(store: &Store, cookie: &CookieHash, session: &Session) -> Result<bool> {
    let mut transaction = store.begin().await?;
    let attach = "UPDATE sessions SET id_hash = $1, data = $2 WHERE id = $3 AND revoked_at IS NULL";
    if sql!(attach; cookie, session.data, session.id).changed(&mut transaction).await? {
        transaction.commit().await?;
        return Ok(true);
    }
    sql!(
        "INSERT INTO sessions (id_hash, id, person_id, data, address, agent, created_at, seen_at, expires_at)
         SELECT $1, $2, id, $4, $5, $6, $7, $8, $9 FROM people
         WHERE id = $3 AND password_changed_at = $10 AND disabled_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = $2)";
        cookie, session.id, session.person, session.data, session.address, session.agent, session.created_at,
        session.seen_at, session.expires_at(), session.password_of
    )
    .commit(transaction)
    .await
}

const SELECT: &str =
    "SELECT s.id AS id, person_id, password_changed_at, data, address, agent, s.created_at AS created_at, seen_at
     FROM sessions AS s JOIN people ON people.id = s.person_id";

/// The session with this cookie, unless it has ended, or was not seen after `idle_since`.
pub(crate) async fn find_live(
    store: &Store,
    cookie: &CookieHash,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Option<Session>> {
    composed_sql!(
        "{SELECT} WHERE id_hash = $1 AND revoked_at IS NULL AND expires_at > $2 AND seen_at > $3
             AND people.disabled_at IS NULL";
        cookie, now, idle_since
    )
    .optional(store)
    .await
}

/// The sessions of the person `$1` that live at the moment `$2` and were seen after `$3`.
pub(crate) const LIVE_SESSIONS: &str =
    "SELECT s.id AS id, person_id, password_changed_at, data, address, agent, s.created_at AS created_at, seen_at
         FROM sessions AS s JOIN people ON people.id = s.person_id
         WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND seen_at > $3
         ORDER BY seen_at DESC LIMIT 100";

pub(crate) async fn list_live(
    store: &Store,
    person: &PersonId,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Vec<Session>> {
    sql!(LIVE_SESSIONS; person, now, idle_since).all(store).await
}

row! { "sessions" => Session {
    id, person = "person_id", password_of = "password_changed_at", data, address, agent, created_at, seen_at
} }

pub(crate) async fn touch(store: &Store, cookie: &CookieHash, now: Timestamp) -> Result<()> {
    // Neither a clock that was set back shortens a session, nor does a late request lengthen an ended one.
    let sql = "UPDATE sessions SET seen_at = $1 WHERE id_hash = $2 AND revoked_at IS NULL AND seen_at < $1";
    sql!(sql; now, cookie).commit(store.begin().await?).await.map(drop)
}

pub(crate) async fn save(store: &Store, cookie: &CookieHash, data: &str) -> Result<bool> {
    let sql = "UPDATE sessions SET data = $1 WHERE id_hash = $2 AND revoked_at IS NULL";
    sql!(sql; data, cookie).commit(store.begin().await?).await
}

pub(crate) async fn detach(store: &Store, cookie: &CookieHash) -> Result<()> {
    let sql = "UPDATE sessions SET id_hash = $1 || id WHERE id_hash = $2 AND revoked_at IS NULL";
    sql!(sql; DETACHED, cookie).commit(store.begin().await?).await.map(drop)
}

pub(crate) async fn end(
    transaction: &mut Transaction,
    person: &PersonId,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND person_id = $3 AND revoked_at IS NULL";
    sql!(sql; now, id, person).changed(transaction).await
}

/// Ends the person's sessions, except `keep`. Returns how many of them were live: seen after `idle_since`.
pub(crate) async fn end_all(
    transaction: &mut Transaction,
    person: &PersonId,
    keep: Option<&SessionId>,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<u64> {
    let live = "SELECT COUNT(*) AS n FROM sessions
         WHERE person_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > $3 AND seen_at > $4";
    let kept = keep.map_or("", SessionId::as_str);
    let live: i64 = sql!(live; person, kept, now, idle_since).about("sessions").one(&mut *transaction).await?;
    let sql = "UPDATE sessions SET revoked_at = $1 WHERE person_id = $2 AND id <> $3 AND revoked_at IS NULL";
    sql!(sql; now, person, kept).execute(transaction).await?;
    Ok(live.unsigned_abs())
}
