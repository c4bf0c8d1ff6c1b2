//! `mcp_servers`.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::crypto::keys::TokenAlgorithm;
use crate::model::server::{McpServer, ScopeDescription};
use crate::store::columns::{Columns, to_json};
use crate::store::connection::Store;
use crate::store::connection::transaction::Transaction;
use crate::store::error::StoreError;

pub(crate) const SELECT: &str =
    "SELECT id, resource, name, scopes, token_lifetime, alg, built_in_since FROM mcp_servers
                      ORDER BY CASE WHEN built_in_since IS NULL THEN 1 ELSE 0 END, name";

pub(crate) async fn list(store: &Store) -> Result<Vec<McpServer>, StoreError> {
    sqlx::query(SELECT).fetch_all(store.reads()).await?.iter().map(server).collect()
}

pub(crate) async fn list_in(connection: &mut AnyConnection) -> Result<Vec<McpServer>, StoreError> {
    sqlx::query(SELECT).fetch_all(connection).await?.iter().map(server).collect()
}

fn server(row: &AnyRow) -> Result<McpServer, StoreError> {
    let columns = Columns::of("mcp_servers", row);
    let row = ServerRow {
        id: columns.text("id")?,
        resource: columns.text("resource")?,
        name: columns.text("name")?,
        scopes: columns.text("scopes")?,
        token_lifetime: columns.number("token_lifetime")?,
        alg: columns.text("alg")?,
        built_in_since: columns.optional_number("built_in_since")?,
    };
    row.server()
}

/// The columns of [`SELECT`], in its order.
pub(crate) struct ServerRow {
    pub id: String,
    pub resource: String,
    pub name: String,
    pub scopes: String,
    pub token_lifetime: i64,
    pub alg: String,
    pub built_in_since: Option<i64>,
}

impl ServerRow {
    pub(crate) fn server(self) -> Result<McpServer, StoreError> {
        let id = self.id.as_str();
        let wrong = |detail: String| StoreError::Inconsistent {
            table: "mcp_servers",
            detail: format!("{detail} (row {id:?})"),
        };
        let scopes: Vec<(String, String)> =
            serde_json::from_str(&self.scopes).map_err(|error| wrong(format!("scopes: {error}")))?;
        Ok(McpServer {
            id: McpServerId::parse(id).ok_or_else(|| wrong("id".to_owned()))?,
            resource: self.resource,
            name: self.name,
            scopes: scopes.into_iter().map(|(name, description)| ScopeDescription { name, description }).collect(),
            token_lifetime: u64::try_from(self.token_lifetime)
                .map(Duration::from_secs)
                .map_err(|_| wrong(format!("token_lifetime is {}", self.token_lifetime)))?,
            alg: TokenAlgorithm::parse(&self.alg).ok_or_else(|| wrong(format!("alg is {:?}", self.alg)))?,
            built_in: self.built_in_since.is_some(),
        })
    }
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    server: &McpServer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scopes: Vec<(&str, &str)> =
        server.scopes.iter().map(|scope| (scope.name.as_str(), scope.description.as_str())).collect();
    sqlx::query(
        "INSERT INTO mcp_servers (id, resource, name, scopes, token_lifetime, alg, built_in_since, created_at)
         VALUES ($1, $2, $3, $4, $5, $8, $6, $7)",
    )
    .bind(server.id.as_str())
    .bind(&server.resource)
    .bind(&server.name)
    .bind(to_json(&scopes))
    .bind(i64::try_from(server.token_lifetime.as_secs()).unwrap_or(i64::MAX))
    .bind(server.built_in.then(|| now.millis()))
    .bind(now.millis())
    .bind(server.alg.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(crate) async fn set_resource(
    transaction: &mut Transaction,
    id: &McpServerId,
    resource: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE mcp_servers SET resource = $1 WHERE id = $2")
        .bind(resource)
        .bind(id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
