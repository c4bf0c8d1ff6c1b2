//! The schema, embedded. See `migrations/README.md`.

use sqlx::AnyPool;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::StoreError;

pub(super) async fn run(pool: &AnyPool) -> Result<(), StoreError> {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(vec![
        migration(1, "initial", include_str!("../../../migrations/0001_initial.sql")),
        migration(2, "audit append only", include_str!("../../../migrations/sqlite/0002_audit_append_only.sql")),
        migration(3, "keys and federation", include_str!("../../../migrations/0003_keys_and_federation.sql")),
        migration(4, "rotation and status", include_str!("../../../migrations/0004_rotation_and_status.sql")),
        migration(5, "leak reports", include_str!("../../../migrations/0005_leak_reports.sql")),
        migration(6, "user agents", include_str!("../../../migrations/0006_user_agents.sql")),
        migration(7, "teams", include_str!("../../../migrations/0007_teams.sql")),
        migration(8, "webhooks", include_str!("../../../migrations/0008_webhooks.sql")),
    ]);
    migrator.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::NewerSchema(version),
        error => StoreError::Migration(error.to_string()),
    })
}
