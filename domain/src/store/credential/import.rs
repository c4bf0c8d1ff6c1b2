//! The statements of an import, which works in batches.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::base::id::{McpServerId, SecretId};
use crate::model::credential::Credential;
use crate::store::columns::{Columns, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::credential;
use crate::store::error::StoreError;

/// A credential to insert, with the stored form of its secret.
pub(crate) struct NewImported {
    pub credential: Credential,
    pub secret: SecretId,
    pub hash: String,
    pub hint: String,
}

/// Which of these client identifiers and hashes exist already.
pub(crate) async fn present(
    store: &Store,
    connection: &mut AnyConnection,
    ids: &[&str],
    hashes: &[&str],
) -> Result<(HashSet<String>, HashSet<String>), StoreError> {
    let mut found = (HashSet::new(), HashSet::new());
    for (table, column, values, into) in
        [("credentials", "client_id", ids, &mut found.0), ("client_secrets", "hash", hashes, &mut found.1)]
    {
        let sql = format!(
            "SELECT t.{column} AS found FROM {} JOIN {table} AS t ON t.{column} = asked.value ->> 0",
            store.engine().elements("$1", "asked")
        );
        let values: Vec<[&str; 1]> = values.iter().map(|value| [*value]).collect();
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(to_json(&values)).fetch_all(&mut *connection).await?;
        for row in &rows {
            into.insert(Columns::of(table, row).text("found")?);
        }
    }
    Ok(found)
}

#[derive(Serialize)]
struct CredentialRow<'batch>(
    &'batch str,
    &'batch str,
    String,
    &'batch str,
    &'batch str,
    String,
    String,
    Option<i64>,
    String,
    &'batch str,
    i64,
    Option<i64>,
    &'batch str,
    Option<i64>,
);

pub(crate) async fn insert(
    store: &Store,
    transaction: &mut Transaction,
    batch: &[NewImported],
    maker: &str,
) -> Result<(), StoreError> {
    let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
    let row =
        sqlx::query("UPDATE counters SET value = value + $1 WHERE name = 'status_index' RETURNING value - $1 AS taken")
            .bind(count)
            .fetch_one(&mut **transaction)
            .await?;
    let first_index = Columns::of("counters", &row).number("taken")?;

    let rows: Vec<_> = batch
        .iter()
        .map(|NewImported { credential, .. }| {
            CredentialRow(
                credential.client_id.as_str(),
                &credential.name,
                credential::search_text(credential),
                &credential.description,
                credential.auth_method.as_str(),
                credential.scopes.to_string(),
                to_json(&credential.servers.iter().map(McpServerId::as_str).collect::<Vec<_>>()),
                credential::seconds(credential.token_lifetime),
                to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()),
                &credential.created_by,
                credential.created_at.millis(),
                crate::store::columns::millis(credential.ends_at),
                credential.team.as_str(),
                crate::store::columns::millis(credential.disabled_at),
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                                  token_lifetime, ip_ranges, created_by, created_at, ends_at, team_id, disabled_at,
                                  created_by_id)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                CAST(value ->> 7 AS BIGINT), value ->> 8, value ->> 9, CAST(value ->> 10 AS BIGINT),
                CAST(value ->> 11 AS BIGINT), value ->> 12, CAST(value ->> 13 AS BIGINT), $2
         FROM {}",
        store.engine().elements("$1", "new")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).bind(maker).execute(&mut **transaction).await?;

    let rows: Vec<_> = batch
        .iter()
        .zip(first_index..)
        .map(|(new, index)| {
            let Credential { client_id, created_at, ends_at, .. } = &new.credential;
            (
                new.secret.as_str(),
                client_id.as_str(),
                new.hash.as_str(),
                new.hint.as_str(),
                created_at.millis(),
                crate::store::columns::millis(*ends_at),
                index,
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, status_index, created_by_id)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT),
                CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT), $2
         FROM {}",
        store.engine().elements("$1", "new")
    );
    sqlx::query(AssertSqlSafe(sql)).bind(to_json(&rows)).bind(maker).execute(&mut **transaction).await?;
    Ok(())
}
