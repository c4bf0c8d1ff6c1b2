//! `form_submissions`: the one-use tokens of forms that were sent. `made_id` is the identifier of the thing that a form
//! made, of any kind.

use crate::base::clock::Timestamp;
use crate::store::columns::Columns;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// The identifier of what the form with this token made.
pub(crate) async fn find<'connection>(
    connection: impl sqlx::Executor<'connection, Database = sqlx::Any>,
    token_hash: &str,
) -> Result<Option<String>, StoreError> {
    sqlx::query("SELECT made_id FROM form_submissions WHERE token_hash = $1")
        .bind(token_hash)
        .fetch_optional(connection)
        .await?
        .map(|row| Columns::of("form_submissions", &row).text("made_id"))
        .transpose()
}

/// Records what the form made.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    token_hash: &str,
    made: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO form_submissions (token_hash, made_id, submitted_at) VALUES ($1, $2, $3)")
        .bind(token_hash)
        .bind(made)
        .bind(now.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
