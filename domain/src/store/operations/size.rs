//! The size of the database.

use crate::store::{Engine, Result, Store, sql};

/// The number of bytes that the database takes on its disk.
pub(crate) async fn bytes(store: &Store) -> Result<i64> {
    let size = match store.engine() {
        Engine::Sqlite => sql!("SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()"),
        Engine::Postgres => sql!("SELECT pg_database_size(current_database()) AS n"),
    };
    size.about("the database").one(store).await
}
