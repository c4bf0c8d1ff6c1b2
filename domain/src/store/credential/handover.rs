//! `handovers`.

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, SecretId};
use crate::store::{On, Result, Store, Transaction, row, sql};

/// A secret that waits to be opened, or was opened.
pub(crate) struct HandoverRow {
    pub token_hash: String,
    pub client_id: ClientId,
    pub secret: SecretId,
    pub sealed: Option<String>,
    pub has_word: bool,
    pub wrong: i64,
    pub made_for: String,
    pub made_by: String,
    pub expires_at: Timestamp,
    pub opened_at: Option<Timestamp>,
}

row! { "handovers" => HandoverRow {
    token_hash, client_id, secret = "secret_id", sealed, has_word: |columns| Ok(columns.get::<i64>("has_word")? != 0),
    wrong, made_for, made_by, expires_at, opened_at
} }

/// Stores a link in place of an earlier one for the same secret that was not opened.
pub(crate) async fn replace(transaction: &mut Transaction, handover: &HandoverRow, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM handovers WHERE secret_id = $1 AND opened_at IS NULL";
    sql!(sql; handover.secret).execute(&mut *transaction).await?;
    let HandoverRow { token_hash, client_id, secret, sealed, has_word, made_for, made_by, expires_at, .. } = handover;
    sql!(
        "INSERT INTO handovers
             (token_hash, client_id, secret_id, sealed, has_word, made_for, made_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        token_hash, client_id, secret, sealed, i64::from(*has_word), made_for, made_by, now, expires_at
    )
    .execute(transaction)
    .await
}

pub(crate) async fn find(on: impl On<'_>, token_hash: &str) -> Result<Option<HandoverRow>> {
    sql!("SELECT * FROM handovers WHERE token_hash = $1"; token_hash).optional(on).await
}

/// The links for secrets of a credential, the newest first.
pub(crate) async fn of_credential(store: &Store, id: &ClientId) -> Result<Vec<HandoverRow>> {
    sql!("SELECT * FROM handovers WHERE client_id = $1 ORDER BY created_at DESC, token_hash"; id).all(store).await
}

/// Notes that the secret was opened, and forgets it; false when it was opened before.
pub(crate) async fn open(transaction: &mut Transaction, token_hash: &str, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE handovers SET opened_at = $1, sealed = NULL WHERE token_hash = $2 AND opened_at IS NULL";
    sql!(sql; now, token_hash).changed(transaction).await
}

/// Counts a wrong word.
pub(crate) async fn count_wrong(transaction: &mut Transaction, token_hash: &str) -> Result<()> {
    sql!("UPDATE handovers SET wrong = wrong + 1 WHERE token_hash = $1"; token_hash).execute(transaction).await
}

pub(crate) async fn remove(transaction: &mut Transaction, token_hash: &str) -> Result<()> {
    sql!("DELETE FROM handovers WHERE token_hash = $1"; token_hash).execute(transaction).await
}

/// A link whose time is over and whose secret nobody opened.
pub(crate) async fn unopened(on: impl On<'_>, now: Timestamp) -> Result<Option<HandoverRow>> {
    let sql = "SELECT * FROM handovers WHERE opened_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 1";
    sql!(sql; now).optional(on).await
}
