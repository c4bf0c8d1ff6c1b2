//! The schema, embedded. See `migrations/README.md`.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr};

use super::{Engine, StoreError};

pub(super) async fn run(pool: &AnyPool, engine: Engine) -> Result<(), StoreError> {
    let migration = |version, name: &'static str, sql: &'static str| {
        let sql = match engine {
            Engine::Sqlite => sql.into_sql_str(),
            // Texts are compared byte by byte, as SQLite does it: identifiers grow with time only then, and a page of a
            // list ends where the next begins whatever the database's language.
            Engine::Postgres => {
                let sql = sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" WITHOUT ROWID", "");
                AssertSqlSafe(sql).into_sql_str()
            }
        };
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    let append_only = match engine {
        Engine::Sqlite => include_str!("../../../migrations/sqlite/0002_audit_append_only.sql"),
        Engine::Postgres => include_str!("../../../migrations/postgres/0002_audit_append_only.sql"),
    };
    let migrator = Migrator::with_migrations(vec![
        migration(1, "initial", include_str!("../../../migrations/0001_initial.sql")),
        migration(2, "audit append only", append_only),
        migration(3, "keys and federation", include_str!("../../../migrations/0003_keys_and_federation.sql")),
        migration(4, "rotation and status", include_str!("../../../migrations/0004_rotation_and_status.sql")),
        migration(5, "leak reports", include_str!("../../../migrations/0005_leak_reports.sql")),
        migration(6, "user agents", include_str!("../../../migrations/0006_user_agents.sql")),
        migration(7, "teams", include_str!("../../../migrations/0007_teams.sql")),
        migration(8, "webhooks", include_str!("../../../migrations/0008_webhooks.sql")),
        migration(9, "lists", include_str!("../../../migrations/0009_lists.sql")),
        migration(10, "filing", include_str!("../../../migrations/0010_filing.sql")),
    ]);
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::NewerSchema(version),
        error => StoreError::Migration(error.to_string()),
    })
}
