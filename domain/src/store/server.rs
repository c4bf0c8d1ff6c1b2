//! `mcp_servers`.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::crypto::keys::TokenAlgorithm;
use crate::model::server::{McpServer, ScopeDescription};
use crate::store::{Columns, FromRow, On, Result, StoreError, Transaction, row, sql, to_json};

pub(crate) const SELECT: &str =
    "SELECT id, resource, name, scopes, token_lifetime, alg, built_in_since FROM mcp_servers
                      ORDER BY CASE WHEN built_in_since IS NULL THEN 1 ELSE 0 END, name";

pub(crate) async fn list(on: impl On<'_>) -> Result<Vec<McpServer>> {
    sql!(SELECT).all(on).await
}

row! { "mcp_servers" => ServerRow { id, resource, name, scopes, token_lifetime, alg, built_in_since } }

impl FromRow for McpServer {
    const TABLE: Option<&'static str> = ServerRow::TABLE;

    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        ServerRow::from_row(columns)?.server()
    }
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
    pub(crate) fn server(self) -> Result<McpServer> {
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

pub(crate) async fn insert(transaction: &mut Transaction, server: &McpServer, now: Timestamp) -> Result<()> {
    let scopes: Vec<(&str, &str)> =
        server.scopes.iter().map(|scope| (scope.name.as_str(), scope.description.as_str())).collect();
    sql!(
        "INSERT INTO mcp_servers (id, resource, name, scopes, token_lifetime, alg, built_in_since, created_at)
         VALUES ($1, $2, $3, $4, $5, $8, $6, $7)";
        server.id, server.resource, server.name, to_json(&scopes),
        i64::try_from(server.token_lifetime.as_secs()).unwrap_or(i64::MAX), server.built_in.then_some(now), now,
        server.alg
    )
    .execute(transaction)
    .await
}

pub(crate) async fn set_resource(transaction: &mut Transaction, id: &McpServerId, resource: &str) -> Result<()> {
    sql!("UPDATE mcp_servers SET resource = $1 WHERE id = $2"; resource, id).execute(transaction).await
}
