//! `passkeys`.

use crate::base::clock::Timestamp;
use crate::base::id::{PasskeyId, PersonId};
use crate::model::person::Passkey;
use crate::store::{FromRow, On, Result, Store, Transaction, composed_sql, row, sql};

/// A passkey with the data that its signatures are checked with.
pub(crate) struct StoredPasskey {
    /// The part that is shown to its owner.
    pub passkey: Passkey,
    /// The public key and its counter, as JSON.
    pub credential: String,
}

const COLUMNS: &str = "id, person_id, name, credential, created_at, last_used_at";

row! { "passkeys" => Passkey { id, person = "person_id", name, created_at, last_used_at } }
row! { "passkeys" => StoredPasskey { passkey: FromRow::from_row, credential } }

/// The passkeys of a person, the oldest first.
pub(crate) async fn of_person(on: impl On<'_>, person: &PersonId) -> Result<Vec<StoredPasskey>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM passkeys WHERE person_id = $1 AND removed_at IS NULL ORDER BY created_at, id"; person
    )
    .all(on)
    .await
}

pub(crate) async fn find_by_credential(store: &Store, credential_id: &str) -> Result<Option<StoredPasskey>> {
    composed_sql!("SELECT {COLUMNS} FROM passkeys WHERE credential_id = $1 AND removed_at IS NULL"; credential_id)
        .optional(store)
        .await
}

/// Stores a new passkey; a conflict when its credential is registered already.
pub(crate) async fn insert(transaction: &mut Transaction, new: &StoredPasskey, credential_id: &str) -> Result<()> {
    sql!(
        "INSERT INTO passkeys (id, person_id, credential_id, name, credential, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)";
        new.passkey.id, new.passkey.person, credential_id, new.passkey.name, new.credential, new.passkey.created_at
    )
    .execute(transaction)
    .await
}

/// Records a use, with the counter that came with it; false when the passkey was used or removed since it was read.
pub(crate) async fn note_use(
    transaction: &mut Transaction,
    old: &StoredPasskey,
    credential: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE passkeys SET credential = $1, last_used_at = $2
         WHERE id = $3 AND credential = $4 AND removed_at IS NULL";
    sql!(sql; credential, now, old.passkey.id, old.credential).changed(transaction).await
}

/// Removes one passkey, or all of a person if none is named. Returns how many.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    person: &PersonId,
    id: Option<&PasskeyId>,
    now: Timestamp,
) -> Result<u64> {
    let sql =
        "UPDATE passkeys SET removed_at = $1 WHERE person_id = $2 AND removed_at IS NULL AND ($3 IS NULL OR id = $3)";
    sql!(sql; now, person, id).affected(transaction).await
}
