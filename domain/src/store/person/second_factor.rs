//! `authenticator_apps`, `recovery_codes` and `pending_sign_ins`.

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::PersonId;
use crate::model::person::Recovery;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// An authenticator app as it is stored.
pub(crate) struct StoredApp {
    /// Its secret, wrapped.
    pub wrapped: String,
    /// When its set-up began.
    pub created_at: Timestamp,
    /// When its first code was accepted.
    pub confirmed_at: Option<Timestamp>,
}

pub(crate) async fn app(
    connection: impl sqlx::Executor<'_, Database = sqlx::Any>,
    person: &PersonId,
) -> Result<Option<StoredApp>, StoreError> {
    sqlx::query("SELECT secret, created_at, confirmed_at FROM authenticator_apps WHERE person_id = $1")
        .bind(person.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| {
            let columns = Columns::of("authenticator_apps", &row);
            Ok(StoredApp {
                wrapped: columns.text("secret")?,
                created_at: columns.moment("created_at")?,
                confirmed_at: columns.optional_moment("confirmed_at")?,
            })
        })
        .transpose()
}

/// Stores an app that is not confirmed yet; false when the person has a confirmed app.
pub(crate) async fn begin_app(
    transaction: &mut Transaction,
    person: &PersonId,
    wrapped: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "INSERT INTO authenticator_apps (person_id, secret, created_at, used_step) VALUES ($1, $2, $3, 0)
         ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
         WHERE authenticator_apps.confirmed_at IS NULL",
    )
    .bind(person.as_str())
    .bind(wrapped)
    .bind(now.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn confirm_app(
    transaction: &mut Transaction,
    person: &PersonId,
    step: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE authenticator_apps SET confirmed_at = $1, used_step = $2 WHERE person_id = $3")
        .bind(now.millis())
        .bind(step)
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Marks the codes up to this step as used; false when they were used before.
pub(crate) async fn use_step(transaction: &mut Transaction, person: &PersonId, step: i64) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE authenticator_apps SET used_step = $1
         WHERE person_id = $2 AND used_step < $1 AND confirmed_at IS NOT NULL",
    )
    .bind(step)
    .bind(person.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Removes the app; false when there was no confirmed app.
pub(crate) async fn remove_app(transaction: &mut Transaction, person: &PersonId) -> Result<bool, StoreError> {
    let result = sqlx::query("DELETE FROM authenticator_apps WHERE person_id = $1 AND confirmed_at IS NOT NULL")
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn recovery(store: &Store, person: &PersonId) -> Result<Recovery, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT confirmed_at FROM authenticator_apps WHERE person_id = $1) AS app_since,
                (SELECT COUNT(*) FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL) AS codes_left",
    )
    .bind(person.as_str())
    .fetch_one(store.reads())
    .await?;
    let columns = Columns::of("authenticator_apps", &row);
    Ok(Recovery { app_since: columns.optional_moment("app_since")?, codes_left: columns.number("codes_left")? })
}

pub(crate) async fn codes_left(transaction: &mut Transaction, person: &PersonId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL")
        .bind(person.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    Columns::of("recovery_codes", &row).number("n")
}

pub(crate) async fn insert_recovery_code(
    transaction: &mut Transaction,
    person: &PersonId,
    hash: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO recovery_codes (code_hash, person_id) VALUES ($1, $2)")
        .bind(hash)
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Marks a recovery code as used; false when it is not a code of the person, or was used before.
pub(crate) async fn use_recovery_code(
    transaction: &mut Transaction,
    person: &PersonId,
    hash: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE recovery_codes SET used_at = $1 WHERE code_hash = $2 AND person_id = $3 AND used_at IS NULL",
    )
    .bind(now.millis())
    .bind(hash)
    .bind(person.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn remove_recovery_codes(transaction: &mut Transaction, person: &PersonId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM recovery_codes WHERE person_id = $1")
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A sign-in that waits for its second step.
pub(crate) struct PendingSignIn {
    /// The person whose password was correct.
    pub person: PersonId,
    /// The page to show after the sign-in.
    pub next: String,
}

pub(crate) async fn insert_pending(
    transaction: &mut Transaction,
    token_hash: &str,
    pending: &PendingSignIn,
    password_of: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pending_sign_ins (token_hash, person_id, password_of, next, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(token_hash)
    .bind(pending.person.as_str())
    .bind(password_of.millis())
    .bind(&pending.next)
    .bind(expires_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The sign-in, unless it is too old, the password was changed since, or the person was disabled.
pub(crate) async fn find_pending(
    connection: impl sqlx::Executor<'_, Database = sqlx::Any>,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<PendingSignIn>, StoreError> {
    sqlx::query(
        "SELECT s.person_id AS person_id, s.next AS next FROM pending_sign_ins AS s JOIN people ON people.id = s.person_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND people.password_changed_at = s.password_of
            AND people.disabled_at IS NULL",
    )
    .bind(token_hash)
    .bind(now.millis())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(pending)
    .transpose()
}

fn pending(row: &AnyRow) -> Result<PendingSignIn, StoreError> {
    let columns = Columns::of("pending_sign_ins", row);
    Ok(PendingSignIn { person: columns.parsed("person_id", PersonId::parse)?, next: columns.text("next")? })
}

/// Marks the sign-in as used; false when it was used before.
pub(crate) async fn use_pending(transaction: &mut Transaction, token_hash: &str) -> Result<bool, StoreError> {
    let result = sqlx::query("DELETE FROM pending_sign_ins WHERE token_hash = $1")
        .bind(token_hash)
        .execute(&mut **transaction)
        .await?;
    Ok(result.rows_affected() == 1)
}

pub(crate) async fn remove_pending(transaction: &mut Transaction, person: &PersonId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM pending_sign_ins WHERE person_id = $1")
        .bind(person.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
