//! The errors of the database.

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Unreachable, busy beyond the time limit, out of space, or broken.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A value that must be unique exists already.
    #[error("the value exists already")]
    Conflict,
    /// A row that the rules cannot have produced.
    #[error("inconsistent row in {table}: {detail}")]
    Inconsistent {
        /// The table of the row.
        table: &'static str,
        /// The column, and what is wrong with it; never a secret value.
        detail: String,
    },
    /// The schema belongs to a newer version of the program.
    #[error("the database was written by a newer version (it has migration {0}, which this version does not know)")]
    NewerSchema(i64),
    /// A migration was edited after it had been applied, or failed.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migration(String),
    /// The database's file cannot be made or opened.
    #[error("the database file cannot be used: {0}")]
    File(#[source] std::io::Error),
    /// The address is not supported.
    #[error("{0}")]
    Address(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(sqlx::Error::AnyDriverError(Box::new(error)))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Conflict,
            _ => Self::Unavailable(error),
        }
    }
}

/// A result of the store.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;
