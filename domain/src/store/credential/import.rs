//! The statements of an import, which works in batches.

use std::collections::HashSet;

use serde_json::json;
use sqlx::AnyConnection;

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, SecretId};
use crate::model::credential::Credential;
use crate::store::credential;
use crate::store::token::status_list;
use crate::store::{Result, Store, Transaction, composed_sql, to_json};

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
) -> Result<(HashSet<String>, HashSet<String>)> {
    let mut found = (HashSet::new(), HashSet::new());
    for (table, column, values, into) in
        [("credentials", "client_id", ids, &mut found.0), ("client_secrets", "hash", hashes, &mut found.1)]
    {
        let asked = store.engine().elements("$1", "asked");
        let values: Vec<[&str; 1]> = values.iter().map(|value| [*value]).collect();
        *into = composed_sql!(
            "SELECT t.{column} AS found FROM {asked} JOIN {table} AS t ON t.{column} = asked.value ->> 0";
            to_json(&values)
        )
        .collect(&mut *connection)
        .await?;
    }
    Ok(found)
}

pub(crate) async fn insert(
    store: &Store,
    transaction: &mut Transaction,
    batch: &[NewImported],
    maker: &str,
) -> Result<()> {
    let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
    let first_index = status_list::take(transaction, count).await?;
    let new = store.engine().elements("$1", "new");
    let rows: Vec<_> = batch
        .iter()
        .map(|NewImported { credential, .. }| {
            json!([
                credential.client_id.as_str(),
                credential.name,
                credential::search_text(credential),
                credential.description,
                credential.auth_method.as_str(),
                credential.scopes.to_string(),
                to_json(&credential.servers.iter().map(McpServerId::as_str).collect::<Vec<_>>()),
                credential.token_lifetime.map(|lifetime| lifetime.as_secs()),
                to_json(&credential.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()),
                credential.created_by,
                credential.created_at.millis(),
                credential.ends_at.map(Timestamp::millis),
                credential.team.as_str(),
                credential.disabled_at.map(Timestamp::millis),
                credential.notes,
                credential.owner.as_ref().map(|owner| owner.id.as_str()),
            ])
        })
        .collect();
    composed_sql!(
        "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                                  token_lifetime, ip_ranges, created_by, created_at, ends_at, team_id, disabled_at,
                                  notes, owner_id, created_by_id)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                CAST(value ->> 7 AS BIGINT), value ->> 8, value ->> 9, CAST(value ->> 10 AS BIGINT),
                CAST(value ->> 11 AS BIGINT), value ->> 12, CAST(value ->> 13 AS BIGINT), value ->> 14,
                value ->> 15, $2
         FROM {new}";
        to_json(&rows), maker
    )
    .execute(&mut *transaction)
    .await?;

    let tags: Vec<[&str; 2]> = batch
        .iter()
        .flat_map(|NewImported { credential, .. }| {
            credential.tags.iter().map(|tag| [credential.client_id.as_str(), tag.as_str()])
        })
        .collect();
    composed_sql!(
        "INSERT INTO credential_tags (client_id, tag, created_at)
             SELECT c.client_id, value ->> 1, c.created_at FROM {new} JOIN credentials AS c ON c.client_id = value ->> 0";
        to_json(&tags)
    )
    .execute(&mut *transaction)
    .await?;

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
                ends_at.map(Timestamp::millis),
                index,
            )
        })
        .collect();
    composed_sql!(
        "INSERT INTO client_secrets (id, client_id, hash, hint, created_at, expires_at, status_index, created_by_id)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT),
                CAST(value ->> 5 AS BIGINT), CAST(value ->> 6 AS BIGINT), $2
         FROM {new}";
        to_json(&rows), maker
    )
    .execute(transaction)
    .await
}
