//! All values that the database holds wrapped under the master key.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::crypto::keys::purpose;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// A table, its key, a column of wrapped values, and their purpose; [`None`]: the key of the row is the purpose.
const COLUMNS: [(&str, &str, &str, Option<&'static str>); 6] = [
    ("instance_keys", "purpose", "wrapped", None),
    ("signing_keys", "kid", "wrapped", Some(purpose::SIGNING_KEY)),
    ("webhooks", "id", "url", Some(purpose::WEBHOOK_URL)),
    ("webhooks", "id", "secret", Some(purpose::WEBHOOK_SECRET)),
    ("webhooks", "id", "previous_secret", Some(purpose::WEBHOOK_SECRET)),
    ("authenticator_apps", "person_id", "secret", Some(purpose::AUTHENTICATOR_APP)),
];

/// One wrapped value and its place.
pub(crate) struct Wrapped {
    /// The purpose that it is wrapped for.
    pub purpose: &'static str,
    /// The value.
    pub wrapped: String,
    place: (&'static str, &'static str, &'static str),
    key: String,
}

pub(crate) async fn all(store: &Store) -> Result<Vec<Wrapped>, StoreError> {
    let mut transaction = store.reads().begin().await?.into();
    all_in(&mut transaction).await
}

pub(crate) async fn all_in(transaction: &mut Transaction) -> Result<Vec<Wrapped>, StoreError> {
    let mut found = Vec::new();
    for (table, key, column, purpose) in COLUMNS {
        let sql = format!("SELECT {key} AS row_key, {column} AS wrapped FROM {table} WHERE {column} IS NOT NULL");
        for row in &sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut **transaction).await? {
            found.push(value((table, key, column), purpose, row)?);
        }
    }
    Ok(found)
}

fn value(
    place: (&'static str, &'static str, &'static str),
    purpose: Option<&'static str>,
    row: &AnyRow,
) -> Result<Wrapped, StoreError> {
    let columns = Columns::of(place.0, row);
    let purpose = match purpose {
        Some(purpose) => purpose,
        None => columns.parsed("row_key", |name| purpose::INSTANCE_KEYS.into_iter().find(|known| *known == name))?,
    };
    Ok(Wrapped { purpose, wrapped: columns.text("wrapped")?, place, key: columns.text("row_key")? })
}

/// Replaces the wrapped value.
pub(crate) async fn replace(transaction: &mut Transaction, old: &Wrapped, wrapped: &str) -> Result<(), StoreError> {
    let (table, key, column) = old.place;
    sqlx::query(AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2")))
        .bind(wrapped)
        .bind(&old.key)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
