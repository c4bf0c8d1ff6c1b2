//! The size and the schema of the database, and when a backup of it was proved.

use crate::base::clock::Timestamp;
use crate::store::{Engine, Result, Store, sql};

/// The number of bytes that the database takes on its disk.
pub(crate) async fn bytes(store: &Store) -> Result<i64> {
    let size = match store.engine() {
        Engine::Sqlite => sql!("SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()"),
        Engine::Postgres => sql!("SELECT pg_database_size(current_database()) AS n"),
    };
    size.about("the database").one(store).await
}

/// The number of the newest migration.
pub(crate) async fn schema(store: &Store) -> Result<i64> {
    sql!("SELECT MAX(version) AS version FROM _sqlx_migrations").about("_sqlx_migrations").one(store).await
}

/// Records that a backup was proved.
pub(crate) async fn backup_was_proved(store: &Store, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO counters (name, value) VALUES ('backup_proved_at', $1)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sql!(sql; now).commit(store.begin_exchange().await?).await
}

/// When the last backup was proved.
pub(crate) async fn backup_proved_at(store: &Store) -> Result<Option<Timestamp>> {
    sql!("SELECT value FROM counters WHERE name = 'backup_proved_at'").about("counters").optional(store).await
}
