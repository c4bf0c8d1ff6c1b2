//! `authenticator_apps`, `recovery_codes` and `pending_sign_ins`.

use crate::base::clock::Timestamp;
use crate::base::id::PersonId;
use crate::model::person::Recovery;
use crate::store::{On, Result, Store, Transaction, row, sql};

/// An authenticator app as it is stored.
pub(crate) struct StoredApp {
    /// Its secret, wrapped.
    pub wrapped: String,
    /// When its set-up began.
    pub created_at: Timestamp,
    /// When its first code was accepted.
    pub confirmed_at: Option<Timestamp>,
}

row! { "authenticator_apps" => StoredApp { wrapped = "secret", created_at, confirmed_at } }

pub(crate) async fn app(on: impl On<'_>, person: &PersonId) -> Result<Option<StoredApp>> {
    let sql = "SELECT secret, created_at, confirmed_at FROM authenticator_apps WHERE person_id = $1";
    sql!(sql; person).optional(on).await
}

/// Stores an app that is not confirmed yet; false when the person has a confirmed app.
pub(crate) async fn begin_app(
    transaction: &mut Transaction,
    person: &PersonId,
    wrapped: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO authenticator_apps (person_id, secret, created_at, used_step) VALUES ($1, $2, $3, 0)
         ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
         WHERE authenticator_apps.confirmed_at IS NULL";
    sql!(sql; person, wrapped, now).changed(transaction).await
}

pub(crate) async fn confirm_app(
    transaction: &mut Transaction,
    person: &PersonId,
    step: i64,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE authenticator_apps SET confirmed_at = $1, used_step = $2 WHERE person_id = $3";
    sql!(sql; now, step, person).execute(transaction).await
}

/// Marks the codes up to this step as used; false when they were used before.
pub(crate) async fn use_step(transaction: &mut Transaction, person: &PersonId, step: i64) -> Result<bool> {
    let sql = "UPDATE authenticator_apps SET used_step = $1
         WHERE person_id = $2 AND used_step < $1 AND confirmed_at IS NOT NULL";
    sql!(sql; step, person).changed(transaction).await
}

/// Removes the app; false when there was no confirmed app.
pub(crate) async fn remove_app(transaction: &mut Transaction, person: &PersonId) -> Result<bool> {
    let sql = "DELETE FROM authenticator_apps WHERE person_id = $1 AND confirmed_at IS NOT NULL";
    sql!(sql; person).changed(transaction).await
}

row! { "authenticator_apps" => Recovery { app_since, codes_left } }

pub(crate) async fn recovery(store: &Store, person: &PersonId) -> Result<Recovery> {
    let sql = "SELECT (SELECT confirmed_at FROM authenticator_apps WHERE person_id = $1) AS app_since,
                (SELECT COUNT(*) FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL) AS codes_left";
    sql!(sql; person).one(store).await
}

pub(crate) async fn codes_left(transaction: &mut Transaction, person: &PersonId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL";
    sql!(sql; person).one(transaction).await
}

pub(crate) async fn insert_recovery_code(transaction: &mut Transaction, person: &PersonId, hash: &str) -> Result<()> {
    sql!("INSERT INTO recovery_codes (code_hash, person_id) VALUES ($1, $2)"; hash, person).execute(transaction).await
}

/// Marks a recovery code as used; false when it is not a code of the person, or was used before.
pub(crate) async fn use_recovery_code(
    transaction: &mut Transaction,
    person: &PersonId,
    hash: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE recovery_codes SET used_at = $1 WHERE code_hash = $2 AND person_id = $3 AND used_at IS NULL";
    sql!(sql; now, hash, person).changed(transaction).await
}

pub(crate) async fn remove_recovery_codes(transaction: &mut Transaction, person: &PersonId) -> Result<()> {
    sql!("DELETE FROM recovery_codes WHERE person_id = $1"; person).execute(transaction).await
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
) -> Result<()> {
    let sql = "INSERT INTO pending_sign_ins (token_hash, person_id, password_of, next, expires_at)
         VALUES ($1, $2, $3, $4, $5)";
    sql!(sql; token_hash, pending.person, password_of, pending.next, expires_at).execute(transaction).await
}

/// The sign-in, unless it is too old, the password was changed since, or the person was disabled.
pub(crate) async fn find_pending(on: impl On<'_>, token_hash: &str, now: Timestamp) -> Result<Option<PendingSignIn>> {
    let sql = "SELECT s.person_id AS person_id, s.next AS next
         FROM pending_sign_ins AS s JOIN people ON people.id = s.person_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND people.password_changed_at = s.password_of
            AND people.disabled_at IS NULL";
    sql!(sql; token_hash, now).optional(on).await
}

row! { "pending_sign_ins" => PendingSignIn { person = "person_id", next } }

/// Marks the sign-in as used; false when it was used before.
pub(crate) async fn use_pending(transaction: &mut Transaction, token_hash: &str) -> Result<bool> {
    sql!("DELETE FROM pending_sign_ins WHERE token_hash = $1"; token_hash).changed(transaction).await
}

pub(crate) async fn remove_pending(transaction: &mut Transaction, person: &PersonId) -> Result<()> {
    sql!("DELETE FROM pending_sign_ins WHERE person_id = $1"; person).execute(transaction).await
}
