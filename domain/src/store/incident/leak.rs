//! Marks consents, personal tokens and clients that were reported as leaked.

use crate::base::clock::Timestamp;
use crate::store::{Result, Transaction, composed_sql};

/// The tables of what acts for people.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    PersonalTokens,
    Consents,
    Clients,
}

/// Marks the row; false when it was marked before.
pub(crate) async fn mark(transaction: &mut Transaction, table: Table, id: &str, now: Timestamp) -> Result<bool> {
    let (table, key) = match table {
        Table::PersonalTokens => ("personal_tokens", "id"),
        Table::Consents => ("consents", "id"),
        Table::Clients => ("clients", "client_id"),
    };
    composed_sql!("UPDATE {table} SET leaked_at = $1 WHERE {key} = $2 AND leaked_at IS NULL"; now, id)
        .changed(transaction)
        .await
}
