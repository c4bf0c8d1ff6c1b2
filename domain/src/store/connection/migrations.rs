//! The schema, embedded. See `migrations/README.md`.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr};

use crate::store::engine::Engine;

use crate::store::error::StoreError;

pub(crate) async fn run(pool: &AnyPool, engine: Engine) -> Result<(), StoreError> {
    apply(pool, all(engine)).await
}

async fn apply(pool: &AnyPool, migrations: Vec<Migration>) -> Result<(), StoreError> {
    Migrator::with_migrations(migrations).run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::NewerSchema(version),
        error => StoreError::Migration(error.to_string()),
    })
}

fn all(engine: Engine) -> Vec<Migration> {
    let migration = |version, name: &'static str, sql: &'static str| {
        let sql = match engine {
            Engine::Sqlite => sql.into_sql_str(),
            // Texts are compared byte by byte, as SQLite does. Only then identifiers grow with time, and each page of a
            // list begins where the page before ends, in every language of the database.
            Engine::Postgres => {
                let sql = sql.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" WITHOUT ROWID", "");
                AssertSqlSafe(sql).into_sql_str()
            }
        };
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    let append_only = match engine {
        Engine::Sqlite => include_str!("../../../../migrations/sqlite/0002_audit_append_only.sql"),
        Engine::Postgres => include_str!("../../../../migrations/postgres/0002_audit_append_only.sql"),
    };
    let servers = match engine {
        Engine::Sqlite => concat!(
            include_str!("../../../../migrations/0030_mcp_servers.sql"),
            include_str!("../../../../migrations/sqlite/0030_mcp_servers.sql")
        ),
        Engine::Postgres => concat!(
            include_str!("../../../../migrations/0030_mcp_servers.sql"),
            include_str!("../../../../migrations/postgres/0030_mcp_servers.sql")
        ),
    };
    let mut migrations = vec![
        migration(1, "initial", include_str!("../../../../migrations/0001_initial.sql")),
        migration(2, "audit append only", append_only),
        migration(3, "keys and federation", include_str!("../../../../migrations/0003_keys_and_federation.sql")),
        migration(4, "rotation and status", include_str!("../../../../migrations/0004_rotation_and_status.sql")),
        migration(5, "leak reports", include_str!("../../../../migrations/0005_leak_reports.sql")),
        migration(6, "user agents", include_str!("../../../../migrations/0006_user_agents.sql")),
        migration(7, "teams", include_str!("../../../../migrations/0007_teams.sql")),
        migration(8, "webhooks", include_str!("../../../../migrations/0008_webhooks.sql")),
        migration(9, "lists", include_str!("../../../../migrations/0009_lists.sql")),
        migration(10, "filing", include_str!("../../../../migrations/0010_filing.sql")),
        migration(12, "list indexes", include_str!("../../../../migrations/0012_list_indexes.sql")),
        migration(13, "count when filed", include_str!("../../../../migrations/0013_count_when_filed.sql")),
        migration(14, "interactive clients", include_str!("../../../../migrations/0014_interactive_clients.sql")),
        migration(15, "described clients", include_str!("../../../../migrations/0015_described_clients.sql")),
        migration(16, "personal tokens", include_str!("../../../../migrations/0016_personal_tokens.sql")),
        migration(17, "second factor", include_str!("../../../../migrations/0017_second_factor.sql")),
        migration(18, "passkeys", include_str!("../../../../migrations/0018_passkeys.sql")),
        migration(19, "openid", include_str!("../../../../migrations/0019_openid.sql")),
        migration(20, "leaks of people", include_str!("../../../../migrations/0020_leaks_of_people.sql")),
        migration(21, "names", include_str!("../../../../migrations/0021_names.sql")),
        migration(22, "proven addresses", include_str!("../../../../migrations/0022_proven_addresses.sql")),
        migration(24, "refused claims", include_str!("../../../../migrations/0024_refused_claims.sql")),
        migration(25, "clients", include_str!("../../../../migrations/0025_clients.sql")),
        migration(26, "known networks", include_str!("../../../../migrations/0026_known_networks.sql")),
        migration(27, "server access", include_str!("../../../../migrations/0027_server_access.sql")),
        migration(28, "write probe", include_str!("../../../../migrations/0028_write_probe.sql")),
        migration(29, "team counts", include_str!("../../../../migrations/0029_team_counts.sql")),
        migration(30, "mcp servers", servers),
        migration(31, "owners and tags", include_str!("../../../../migrations/0031_owners_and_tags.sql")),
        migration(32, "list", include_str!("../../../../migrations/0032_list.sql")),
        migration(33, "use", include_str!("../../../../migrations/0033_use.sql")),
        migration(35, "stops", include_str!("../../../../migrations/0035_stops.sql")),
        migration(36, "scope hierarchy", include_str!("../../../../migrations/0036_scope_hierarchy.sql")),
        migration(37, "merged lists", include_str!("../../../../migrations/0037_merged_lists.sql")),
        migration(38, "device grant", include_str!("../../../../migrations/0038_device_grant.sql")),
        migration(39, "client documents", include_str!("../../../../migrations/0039_client_documents.sql")),
        migration(40, "disabled clients", include_str!("../../../../migrations/0040_disabled_clients.sql")),
        migration(41, "keys at an address", include_str!("../../../../migrations/0041_keys_at_an_address.sql")),
        migration(42, "refusals of apps", include_str!("../../../../migrations/0042_refusals_of_apps.sql")),
        migration(43, "gateway", include_str!("../../../../migrations/0043_gateway.sql")),
        migration(44, "password_links", include_str!("../../../../migrations/0044_password_links.sql")),
        migration(45, "incidents", include_str!("../../../../migrations/0045_incidents.sql")),
        migration(46, "mails", include_str!("../../../../migrations/0046_mails.sql")),
        migration(47, "handovers", include_str!("../../../../migrations/0047_handovers.sql")),
        migration(48, "webhook formats", include_str!("../../../../migrations/0048_webhook_formats.sql")),
        migration(49, "policies", include_str!("../../../../migrations/0049_policies.sql")),
    ];
    if engine == Engine::Sqlite {
        let sql = include_str!("../../../../migrations/sqlite/0011_clustered_ledger.sql");
        migrations.push(migration(11, "clustered ledger", sql));
    }
    migrations
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::base::id::{ClientId, TeamId};
    use crate::model::credential::usage::{Bar, Whose};
    use crate::model::person::authority::Authority;
    use crate::store::connection::url::DatabaseUrl;
    use crate::store::connection::{Store, StoreOptions};
    use crate::store::token::usage;
    use crate::testing;

    #[tokio::test]
    async fn exchanges_of_earlier_versions_are_kept_and_found_under_their_credentials() {
        let folder = testing::folder();
        let url = testing::database_url(&folder.join("countersign.db")).await;
        let url = DatabaseUrl::parse(&url).expect("an address");
        let store = Store::open(&url, &StoreOptions::default()).await.expect("opens");
        let earlier = all(store.engine()).into_iter().filter(|migration| migration.version < 10).collect();
        apply(store.changes.connections(), earlier).await.expect("the schema of an earlier version");
        let mut transaction = store.begin().await.expect("begins");
        for number in 0..100 {
            let sql = "INSERT INTO ledger (jti, client_id, authenticator_id, server_id, scope, issued_at, expires_at, address,
                                           revoked_at)
                       VALUES ($1, $2, 'sec_a', 'srv_a', 'mcp:read', $3, $3 + 600000, '192.0.2.1', $4)";
            sqlx::query(sql)
                .bind(format!("tok_{:03}", 99 - number))
                .bind(format!("client-{}", number % 7))
                .bind(number)
                .bind((number == 5).then_some(7_i64))
                .execute(&mut *transaction)
                .await
                .expect("inserts");
        }
        transaction.commit().await.expect("commits");

        store.migrate().await.expect("the schema of this version");
        store.migrate().await.expect("once is enough");
        let sql = "SELECT COUNT(*) AS n, CAST(SUM(l.issued_at) AS BIGINT) AS issued, CAST(SUM(l.revoked_at) AS BIGINT) AS revoked
                   FROM ledger AS l JOIN credential_exchanges AS f ON f.client_id = l.client_id AND f.jti = l.jti
                   WHERE l.address = '192.0.2.1' AND l.expires_at = l.issued_at + 600000";
        let row = sqlx::query(sql).fetch_one(store.reads()).await.expect("reads");
        let found = ["n", "issued", "revoked"].map(|column| row.try_get::<i64, _>(column).expect("a number"));
        assert_eq!(found, [100, 4950, 7]);
        store.close().await;
        // A folder that remains is untidy, but does no harm.
        let _ = std::fs::remove_dir_all(folder);
    }

    #[tokio::test]
    async fn hours_of_earlier_versions_are_in_the_charts_of_credentials_and_teams() {
        let folder = testing::folder();
        let url = testing::database_url(&folder.join("countersign.db")).await;
        let url = DatabaseUrl::parse(&url).expect("an address");
        let store = Store::open(&url, &StoreOptions::default()).await.expect("opens");
        let earlier = all(store.engine()).into_iter().filter(|migration| migration.version < 33).collect();
        apply(store.changes.connections(), earlier).await.expect("the schema of an earlier version");
        let mut transaction = store.begin().await.expect("begins");
        for sql in [
            "INSERT INTO credentials (client_id, name, description, mcp_servers, scopes, auth_method, ip_ranges, created_at,
                                      created_by, search_text, team_id)
             SELECT 'csc_0000000000000000000001', 'old', '', '[]', '', 'client_secret', '[]', 1, '', 'old', id FROM teams",
            "INSERT INTO usage_hours (client_id, hour, exchanges) VALUES ('csc_0000000000000000000001', 48, 5)",
            "INSERT INTO usage_hours (client_id, hour, exchanges) VALUES ('csc_0000000000000000000001', 71, 2)",
            "INSERT INTO refusal_hours (client_id, hour, cause, refusals, last_at)
             VALUES ('csc_0000000000000000000001', 50, 'wrong_secret', 3, 1)",
        ] {
            sqlx::query(sql).execute(&mut *transaction).await.expect("inserts");
        }
        transaction.commit().await.expect("commits");
        store.migrate().await.expect("the schema of this version");
        let id = ClientId::parse("csc_0000000000000000000001").expect("an identifier");
        for whose in [Whose::Credential(&id), Whose::All(&Authority::Everything), Whose::Team(&TeamId::first())] {
            let bars = usage::bars(&store, &whose.into(), 0, 24).await.expect("reads");
            assert_eq!(bars, [Bar { hour: 48, exchanges: 7, refusals: 3 }], "{whose:?}");
        }
        store.close().await;
        let _ = std::fs::remove_dir_all(folder);
    }

    #[tokio::test]
    async fn an_upgrade_keeps_the_default_for_documents_of_clients() {
        for (is_earlier, expected) in [(true, true), (false, false)] {
            let folder = testing::folder();
            let url = testing::database_url(&folder.join("countersign.db")).await;
            let store = Store::open(&DatabaseUrl::parse(&url).expect("an address"), &StoreOptions::default()).await;
            let store = store.expect("opens");
            let earlier = all(store.engine()).into_iter().filter(|migration| migration.version < 39).collect();
            apply(store.changes.connections(), earlier).await.expect("the schema of an earlier version");
            if is_earlier {
                let sql =
                    "INSERT INTO instance_keys (purpose, key_id, wrapped, created_at) VALUES ('pepper', 'a', 'x', 1)";
                let mut transaction = store.begin().await.expect("begins");
                sqlx::query(sql).execute(&mut *transaction).await.expect("inserts");
                transaction.commit().await.expect("commits");
            }
            store.migrate().await.expect("the schema of this version");
            let setting = "client_id_metadata_documents";
            let kept = crate::store::operations::keys::has_earlier_default(&store, setting).await.expect("reads");
            assert_eq!(kept, expected);
            store.close().await;
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    #[tokio::test]
    async fn an_address_is_proven_by_the_invitation_that_made_the_account_and_by_no_later_one() {
        let folder = testing::folder();
        let url = testing::database_url(&folder.join("countersign.db")).await;
        let url = DatabaseUrl::parse(&url).expect("an address");
        let store = Store::open(&url, &StoreOptions::default()).await.expect("opens");
        let earlier = all(store.engine()).into_iter().filter(|migration| migration.version < 22).collect();
        apply(store.changes.connections(), earlier).await.expect("the schema of an earlier version");
        let mut transaction = store.begin().await.expect("begins");
        let run = async |transaction: &mut crate::store::Transaction, sql: String| {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut **transaction).await.expect("inserts");
        };
        // Grace was invited by Ada, an administrator. Mallory's account is older than Ada's invitation.
        for (person, since, created_at) in [("ada", "1", 1), ("grace", "NULL", 500_000), ("mallory", "NULL", 400_000)] {
            let sql = format!(
                "INSERT INTO people (id, email, name, password_hash, administrator_since, created_at, password_changed_at)
                 VALUES ('{person}', '{person}@example.com', '{person}', '', {since}, {created_at}, 1)"
            );
            run(&mut transaction, sql).await;
        }
        for person in ["grace", "mallory"] {
            let sql = format!(
                "INSERT INTO invitations (id, token_hash, email, invited_by, invited_by_name, created_at, expires_at, accepted_at)
                 VALUES ('{person}', '{person}', '{person}@example.com', 'ada', 'Ada', 1, 900000, 501000)"
            );
            run(&mut transaction, sql).await;
        }
        transaction.commit().await.expect("commits");
        store.migrate().await.expect("the schema of this version");
        let sql = "SELECT id FROM people WHERE address_proven_at IS NOT NULL ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(store.reads()).await.expect("reads");
        let proven: Vec<String> = rows.iter().map(|row| row.try_get("id").expect("a text")).collect();
        assert_eq!(proven, ["ada", "grace"]);
        store.close().await;
        let _ = std::fs::remove_dir_all(folder);
    }

    #[tokio::test]
    async fn credentials_of_an_earlier_version_are_callers_of_their_servers_unless_they_are_revoked() {
        let folder = testing::folder();
        let url = testing::database_url(&folder.join("countersign.db")).await;
        let url = DatabaseUrl::parse(&url).expect("an address");
        let store = Store::open(&url, &StoreOptions::default()).await.expect("opens");
        let earlier = all(store.engine()).into_iter().filter(|migration| migration.version < 30).collect();
        apply(store.changes.connections(), earlier).await.expect("the schema of an earlier version");
        let mut transaction = store.begin().await.expect("begins");
        for (id, servers, scopes, revoked) in [
            ("csc_a", r#"["srv_1","srv_2"]"#, "x y", "NULL"),
            ("csc_b", r#"["srv_1"]"#, "", "NULL"),
            ("csc_c", r#"["srv_1"]"#, "x", "1"),
        ] {
            let sql = format!(
                "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                     ip_ranges, created_by, created_at, revoked_at)
                 VALUES ('{id}', '', '', '', '', '{scopes}', '{servers}', '[]', '', 1, {revoked})"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.expect("inserts");
        }
        transaction.commit().await.expect("commits");
        store.migrate().await.expect("the schema of this version");
        let sql = "SELECT server_id || ' ' || scope || ' ' || client_id || ' ' || revoked AS held FROM credential_access ORDER BY 1";
        let rows = sqlx::query(sql).fetch_all(store.reads()).await.expect("reads");
        let held: Vec<String> = rows.iter().map(|row| row.try_get("held").expect("a text")).collect();
        let expected = [
            "srv_1  csc_a 0",
            "srv_1  csc_b 0",
            "srv_1  csc_c 1",
            "srv_1 x csc_a 0",
            "srv_1 y csc_a 0",
            "srv_2  csc_a 0",
            "srv_2 x csc_a 0",
            "srv_2 y csc_a 0",
        ];
        assert_eq!(held, expected);
        store.close().await;
        let _ = std::fs::remove_dir_all(folder);
    }
}
