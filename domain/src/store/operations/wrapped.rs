//! All values that the database holds wrapped under the master key.

use crate::crypto::keys::purpose;
use crate::store::{Result, Store, StoreError, Transaction, composed_sql};

/// A table, its key, a column of wrapped values, and their purpose; [`None`]: the key of the row is the purpose.
const COLUMNS: [(&str, &str, &str, Option<&'static str>); 7] = [
    ("instance_keys", "purpose", "wrapped", None),
    ("signing_keys", "kid", "wrapped", Some(purpose::SIGNING_KEY)),
    ("webhooks", "id", "url", Some(purpose::WEBHOOK_URL)),
    ("webhooks", "id", "secret", Some(purpose::WEBHOOK_SECRET)),
    ("webhooks", "id", "previous_secret", Some(purpose::WEBHOOK_SECRET)),
    ("server_gateways", "server_id", "header_value", Some(purpose::UPSTREAM_HEADER)),
    ("authenticator_apps", "person_id", "secret", Some(purpose::AUTHENTICATOR_APP)),
];

/// One wrapped value and its place.
pub(crate) struct Wrapped {
    /// The purpose that it is wrapped for.
    pub purpose: &'static str,
    /// The value.
    pub wrapped: String,
    /// The identifier of its row.
    pub row: String,
    place: (&'static str, &'static str, &'static str),
}

pub(crate) async fn all(store: &Store) -> Result<Vec<Wrapped>> {
    let mut transaction = store.begin_read().await?;
    all_in(&mut transaction).await
}

pub(crate) async fn all_in(transaction: &mut Transaction) -> Result<Vec<Wrapped>> {
    let mut found = Vec::new();
    for (table, key, column, purpose) in COLUMNS {
        let rows: Vec<(String, String)> =
            composed_sql!("SELECT {key} AS row_key, {column} AS wrapped FROM {table} WHERE {column} IS NOT NULL")
                .all(&mut *transaction)
                .await?;
        for (row, wrapped) in rows {
            let purpose = purpose.or_else(|| purpose::INSTANCE_KEYS.into_iter().find(|known| *known == row));
            let wrong = || StoreError::Inconsistent { table, detail: format!("row_key is {row:?}") };
            found.push(Wrapped { purpose: purpose.ok_or_else(wrong)?, wrapped, row, place: (table, key, column) });
        }
    }
    Ok(found)
}

/// Replaces the wrapped value.
pub(crate) async fn replace(transaction: &mut Transaction, old: &Wrapped, wrapped: &str) -> Result<()> {
    let (table, key, column) = old.place;
    composed_sql!("UPDATE {table} SET {column} = $1 WHERE {key} = $2"; wrapped, old.row).execute(transaction).await
}
