//! `openid_links` and `openid_attempts`.

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{OpenIdLinkId, PersonId, SessionId};
use crate::model::person::Link;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// A sign-in attempt, as far as the database holds it.
pub(crate) struct StoredAttempt {
    pub state_hash: String,
    pub browser_hash: String,
    /// The session whose person connects an account.
    pub session: Option<SessionId>,
    pub return_to: String,
}

pub(crate) async fn insert_attempt(
    transaction: &mut Transaction,
    attempt: &StoredAttempt,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO openid_attempts (state_hash, browser_hash, session_id, return_to, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&attempt.state_hash)
    .bind(&attempt.browser_hash)
    .bind(attempt.session.as_ref().map(SessionId::as_str))
    .bind(&attempt.return_to)
    .bind(expires_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Whether this attempt exists. It may have expired.
pub(crate) async fn has_attempt(store: &Store, state_hash: &str, browser_hash: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT state_hash FROM openid_attempts WHERE state_hash = $1 AND browser_hash = $2")
        .bind(state_hash)
        .bind(browser_hash)
        .fetch_optional(store.reads())
        .await?;
    Ok(found.is_some())
}

/// Takes the attempt out of the database. `None` in another browser, or when the attempt has expired.
pub(crate) async fn take_attempt(
    transaction: &mut Transaction,
    state_hash: &str,
    browser_hash: &str,
    now: Timestamp,
) -> Result<Option<StoredAttempt>, StoreError> {
    let row = sqlx::query(
        "DELETE FROM openid_attempts WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > $3
         RETURNING state_hash, browser_hash, session_id, return_to",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(now.millis())
    .fetch_optional(&mut **transaction)
    .await?;
    row.map(|row| {
        let columns = Columns::of("openid_attempts", &row);
        let session = match columns.optional_text("session_id")? {
            Some(_) => Some(columns.parsed("session_id", SessionId::parse)?),
            None => None,
        };
        Ok(StoredAttempt {
            state_hash: columns.text("state_hash")?,
            browser_hash: columns.text("browser_hash")?,
            session,
            return_to: columns.text("return_to")?,
        })
    })
    .transpose()
}

const BY_PERSON: &str = "SELECT id, person_id, subject, account, connected_at, last_used_at FROM openid_links
     WHERE issuer = $1 AND person_id = $2 AND removed_at IS NULL";

pub(crate) async fn find(store: &Store, issuer: &str, person: &PersonId) -> Result<Option<Link>, StoreError> {
    let query = sqlx::query(BY_PERSON).bind(issuer).bind(person.as_str());
    query.fetch_optional(store.reads()).await?.as_ref().map(link).transpose()
}

pub(crate) async fn find_in(
    transaction: &mut Transaction,
    issuer: &str,
    person: &PersonId,
) -> Result<Option<Link>, StoreError> {
    let query = sqlx::query(BY_PERSON).bind(issuer).bind(person.as_str());
    query.fetch_optional(&mut **transaction).await?.as_ref().map(link).transpose()
}

pub(crate) async fn find_by_subject(
    transaction: &mut Transaction,
    issuer: &str,
    subject: &str,
) -> Result<Option<Link>, StoreError> {
    sqlx::query(
        "SELECT id, person_id, subject, account, connected_at, last_used_at FROM openid_links
         WHERE issuer = $1 AND subject = $2 AND removed_at IS NULL",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(&mut **transaction)
    .await?
    .as_ref()
    .map(link)
    .transpose()
}

/// Whether the person is connected to an account of the issuer, or was connected before.
pub(crate) async fn was_connected(
    transaction: &mut Transaction,
    issuer: &str,
    person: &PersonId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM openid_links WHERE issuer = $1 AND person_id = $2")
        .bind(issuer)
        .bind(person.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Columns::of("openid_links", &row).number("n")? > 0)
}

pub(crate) async fn insert(transaction: &mut Transaction, issuer: &str, link: &Link) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO openid_links (id, person_id, issuer, subject, account, connected_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(link.id.as_str())
    .bind(link.person.as_str())
    .bind(issuer)
    .bind(&link.subject)
    .bind(&link.account)
    .bind(link.connected_at.millis())
    .bind(crate::store::columns::millis(link.last_used_at))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn note_use(
    transaction: &mut Transaction,
    id: &OpenIdLinkId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE openid_links SET last_used_at = $1 WHERE id = $2")
        .bind(now.millis())
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Marks a link as removed, and returns its person. The row stays, with the moment of the removal.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    id: &OpenIdLinkId,
    now: Timestamp,
) -> Result<Option<PersonId>, StoreError> {
    sqlx::query("UPDATE openid_links SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL RETURNING person_id")
        .bind(now.millis())
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await?
        .map(|row| Columns::of("openid_links", &row).parsed("person_id", PersonId::parse))
        .transpose()
}

fn link(row: &AnyRow) -> Result<Link, StoreError> {
    let columns = Columns::of("openid_links", row);
    Ok(Link {
        id: columns.parsed("id", OpenIdLinkId::parse)?,
        person: columns.parsed("person_id", PersonId::parse)?,
        subject: columns.text("subject")?,
        account: columns.text("account")?,
        connected_at: columns.moment("connected_at")?,
        last_used_at: columns.optional_moment("last_used_at")?,
    })
}
