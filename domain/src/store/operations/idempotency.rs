//! `form_submissions`: the one-use tokens of forms that were sent. `made_id` is the identifier of the thing that a form
//! made, of any kind.

use crate::base::clock::Timestamp;
use crate::store::{On, Result, Transaction, sql};

/// The identifier of what the form with this token made.
pub(crate) async fn find(on: impl On<'_>, token_hash: &str) -> Result<Option<String>> {
    sql!("SELECT made_id FROM form_submissions WHERE token_hash = $1"; token_hash).optional(on).await
}

/// Records what the form made.
pub(crate) async fn insert(transaction: &mut Transaction, token_hash: &str, made: &str, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO form_submissions (token_hash, made_id, submitted_at) VALUES ($1, $2, $3)";
    sql!(sql; token_hash, made, now).execute(transaction).await
}
