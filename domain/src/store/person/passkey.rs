//! `passkeys`.

use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::{PasskeyId, PersonId};
use crate::model::person::Passkey;
use crate::store::columns::Columns;
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

/// A passkey with the data that its signatures are checked with.
pub(crate) struct StoredPasskey {
    /// The part that is shown to its owner.
    pub passkey: Passkey,
    /// The public key and its counter, as JSON.
    pub credential: String,
}

const COLUMNS: &str = "id, person_id, name, credential, created_at, last_used_at";

fn stored(row: &AnyRow) -> Result<StoredPasskey, StoreError> {
    let columns = Columns::of("passkeys", row);
    Ok(StoredPasskey {
        passkey: Passkey {
            id: columns.parsed("id", PasskeyId::parse)?,
            person: columns.parsed("person_id", PersonId::parse)?,
            name: columns.text("name")?,
            created_at: columns.moment("created_at")?,
            last_used_at: columns.optional_moment("last_used_at")?,
        },
        credential: columns.text("credential")?,
    })
}

/// The passkeys of a person, the oldest first.
pub(crate) async fn of_person(
    connection: impl sqlx::Executor<'_, Database = sqlx::Any>,
    person: &PersonId,
) -> Result<Vec<StoredPasskey>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM passkeys WHERE person_id = $1 AND removed_at IS NULL ORDER BY created_at, id");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(person.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(stored)
        .collect()
}

pub(crate) async fn find_by_credential(
    store: &Store,
    credential_id: &str,
) -> Result<Option<StoredPasskey>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM passkeys WHERE credential_id = $1 AND removed_at IS NULL");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(credential_id)
        .fetch_optional(store.reads())
        .await?
        .as_ref()
        .map(stored)
        .transpose()
}

/// Stores a new passkey; a conflict when its credential is registered already.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    new: &StoredPasskey,
    credential_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO passkeys (id, person_id, credential_id, name, credential, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.passkey.id.as_str())
    .bind(new.passkey.person.as_str())
    .bind(credential_id)
    .bind(&new.passkey.name)
    .bind(&new.credential)
    .bind(new.passkey.created_at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Records a use, with the counter that came with it; false when the passkey was used or removed since it was read.
pub(crate) async fn note_use(
    transaction: &mut Transaction,
    old: &StoredPasskey,
    credential: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let result = sqlx::query(
        "UPDATE passkeys SET credential = $1, last_used_at = $2 WHERE id = $3 AND credential = $4 AND removed_at IS NULL",
    )
    .bind(credential)
    .bind(now.millis())
    .bind(old.passkey.id.as_str())
    .bind(&old.credential)
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Removes one passkey, or all of a person if none is named. Returns how many.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    person: &PersonId,
    id: Option<&PasskeyId>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let result = sqlx::query(
        "UPDATE passkeys SET removed_at = $1 WHERE person_id = $2 AND removed_at IS NULL AND ($3 IS NULL OR id = $3)",
    )
    .bind(now.millis())
    .bind(person.as_str())
    .bind(id.map(PasskeyId::as_str))
    .execute(&mut **transaction)
    .await?;
    Ok(result.rows_affected())
}
