//! `openid_links` and `openid_attempts`.

use crate::base::clock::Timestamp;
use crate::base::id::{OpenIdLinkId, PersonId, SessionId};
use crate::model::person::Link;
use crate::store::{On, Result, Store, Transaction, composed_sql, row, sql};

/// A sign-in attempt, as far as the database holds it.
pub(crate) struct StoredAttempt {
    pub state_hash: String,
    pub browser_hash: String,
    /// The session whose person connects an account.
    pub session: Option<SessionId>,
    pub return_to: String,
}

row! { "openid_attempts" => StoredAttempt { state_hash, browser_hash, session = "session_id", return_to } }

pub(crate) async fn insert_attempt(
    transaction: &mut Transaction,
    attempt: &StoredAttempt,
    expires_at: Timestamp,
) -> Result<()> {
    sql!(
        "INSERT INTO openid_attempts (state_hash, browser_hash, session_id, return_to, expires_at)
         VALUES ($1, $2, $3, $4, $5)";
        attempt.state_hash, attempt.browser_hash, attempt.session, attempt.return_to, expires_at
    )
    .execute(transaction)
    .await
}

/// Whether this attempt exists. It may have expired.
pub(crate) async fn has_attempt(store: &Store, state_hash: &str, browser_hash: &str) -> Result<bool> {
    let sql = "SELECT state_hash FROM openid_attempts WHERE state_hash = $1 AND browser_hash = $2";
    sql!(sql; state_hash, browser_hash).exists(store).await
}

/// Takes the attempt out of the database. `None` in another browser, or when the attempt has expired.
pub(crate) async fn take_attempt(
    transaction: &mut Transaction,
    state_hash: &str,
    browser_hash: &str,
    now: Timestamp,
) -> Result<Option<StoredAttempt>> {
    let sql = "DELETE FROM openid_attempts WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > $3
         RETURNING state_hash, browser_hash, session_id, return_to";
    sql!(sql; state_hash, browser_hash, now).optional(transaction).await
}

const LINK: &str = "SELECT id, person_id, subject, account, connected_at, last_used_at FROM openid_links
     WHERE removed_at IS NULL";

pub(crate) async fn find(on: impl On<'_>, issuer: &str, person: &PersonId) -> Result<Option<Link>> {
    composed_sql!("{LINK} AND issuer = $1 AND person_id = $2"; issuer, person).optional(on).await
}

pub(crate) async fn find_by_subject(
    transaction: &mut Transaction,
    issuer: &str,
    subject: &str,
) -> Result<Option<Link>> {
    composed_sql!("{LINK} AND issuer = $1 AND subject = $2"; issuer, subject).optional(transaction).await
}

/// Whether the person is connected to an account of the issuer, or was connected before.
pub(crate) async fn was_connected(transaction: &mut Transaction, issuer: &str, person: &PersonId) -> Result<bool> {
    let sql = "SELECT 1 FROM openid_links WHERE issuer = $1 AND person_id = $2 LIMIT 1";
    sql!(sql; issuer, person).exists(transaction).await
}

pub(crate) async fn insert(transaction: &mut Transaction, issuer: &str, link: &Link) -> Result<()> {
    sql!(
        "INSERT INTO openid_links (id, person_id, issuer, subject, account, connected_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
        link.id, link.person, issuer, link.subject, link.account, link.connected_at, link.last_used_at
    )
    .execute(transaction)
    .await
}

pub(crate) async fn note_use(transaction: &mut Transaction, id: &OpenIdLinkId, now: Timestamp) -> Result<()> {
    sql!("UPDATE openid_links SET last_used_at = $1 WHERE id = $2"; now, id).execute(transaction).await
}

/// Marks a link as removed, and returns its person. The row stays, with the moment of the removal.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    id: &OpenIdLinkId,
    now: Timestamp,
) -> Result<Option<PersonId>> {
    let sql = "UPDATE openid_links SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL RETURNING person_id";
    sql!(sql; now, id).about("openid_links").optional(transaction).await
}

row! { "openid_links" => Link { id, person = "person_id", subject, account, connected_at, last_used_at } }
