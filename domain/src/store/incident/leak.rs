//! Finds secrets among all that are stored. Marks consents, personal tokens, clients and access tokens that were
//! reported as leaked.

use std::collections::HashSet;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, TokenId};
use crate::crypto::secret::SecretHash;
use crate::store::token::ledger::is_of_live_authenticator;
use crate::store::{Result, Store, Transaction, composed_sql, sql, to_json};

/// Which of these hashes are stored: of a secret, token or code of any kind. One statement looks up all of them, so
/// that a text full of invented secrets costs little.
pub(crate) async fn known(store: &Store, hashes: &[SecretHash]) -> Result<HashSet<String>> {
    let wanted = store.engine().elements("$1", "wanted");
    let one_each: Vec<[&str; 1]> = hashes.iter().map(|hash| [hash.as_str()]).collect();
    let wanted = format!("IN (SELECT value ->> 0 FROM {wanted})");
    composed_sql!(
        "SELECT hash FROM client_secrets WHERE hash {wanted}
         UNION ALL SELECT secret_hash FROM clients WHERE secret_hash {wanted}
         UNION ALL SELECT registration_hash FROM clients WHERE registration_hash {wanted}
         UNION ALL SELECT token_hash FROM personal_tokens WHERE token_hash {wanted}
         UNION ALL SELECT token_hash FROM refresh_tokens WHERE token_hash {wanted}
         UNION ALL SELECT code_hash FROM authorization_codes WHERE code_hash {wanted}
         UNION ALL SELECT device_hash FROM device_codes WHERE device_hash {wanted}";
        to_json(&one_each)
    )
    .about("client_secrets")
    .collect(store)
    .await
}

/// Marks an access token of a credential; false when it was marked before.
pub(crate) async fn mark_token(transaction: &mut Transaction, jti: &TokenId, expires_at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO reported_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING";
    sql!(sql; jti, expires_at).changed(transaction).await
}

/// The latest moment until which a reported token of a credential works; `None`: none works.
pub(crate) async fn tokens_end(
    transaction: &mut Transaction,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    const REPORTED: &str = concat!(
        "SELECT MAX(r.expires_at) FROM reported_tokens AS r JOIN ledger AS l ON l.jti = r.jti
         WHERE l.client_id = $1 AND r.expires_at > $2 AND l.revoked_at IS NULL AND ",
        is_of_live_authenticator!("$2")
    );
    sql!(REPORTED; client_id, now).about("reported_tokens").one(transaction).await
}

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
