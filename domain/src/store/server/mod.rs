//! `mcp_servers` and `server_teams`.
//!
//! | module | tables |
//! |---|---|
//! | [`access`] | `credential_access`, and what belongs to teams that may use a server |
//! | [`callers`] | `credential_access`, and the consents and personal tokens of a server |
//! | [`check`] | `server_checks` |
//! | [`gateway`] | `server_gateways`, `gateway_tools` and `destructive_uses` |
//! | [`calls`] | `call_hours` and `calls` |

pub mod access;
pub mod callers;
pub mod calls;
pub mod check;
pub mod gateway;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, TeamId};
use crate::crypto::keys::TokenAlgorithm;
use crate::model::server::access::ServerAccess;
use crate::model::server::{McpServer, ScopeDescription};
use crate::store::{Columns, FromRow, On, Result, StoreError, Transaction, row, sql, to_json};

pub(crate) const SELECT: &str = "SELECT id, resource, name, scopes, token_lifetime, alg, built_in_since, limited_since,
                             (SELECT string_agg(team_id, ' ') FROM server_teams WHERE server_id = mcp_servers.id)
                             AS teams, archived_at, implied_scopes FROM mcp_servers
                      ORDER BY CASE WHEN built_in_since IS NULL THEN 1 ELSE 0 END, name";

pub(crate) async fn list(on: impl On<'_>) -> Result<Vec<McpServer>> {
    sql!(SELECT).all(on).await
}

row! { "mcp_servers" => ServerRow {
    id, resource, name, scopes, token_lifetime, alg, built_in_since, limited_since, teams, archived_at,
    implied_scopes
} }

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
    pub limited_since: Option<i64>,
    /// Identifiers with spaces between them.
    pub teams: Option<String>,
    pub archived_at: Option<i64>,
    pub implied_scopes: String,
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
        let implied: Vec<(String, String)> =
            serde_json::from_str(&self.implied_scopes).map_err(|error| wrong(format!("implied_scopes: {error}")))?;
        let described = |(name, description): (String, String)| ScopeDescription {
            implies: implied.iter().filter(|(scope, _)| *scope == name).map(|(_, implied)| implied.clone()).collect(),
            name,
            description,
        };
        // Without the moment all teams may use the server. A list that is empty or cannot be read never means that.
        let access = match self.limited_since {
            None => ServerAccess::All,
            Some(_) => {
                let teams = self.teams.as_deref().unwrap_or_default().split_ascii_whitespace().map(TeamId::parse);
                let teams: Option<BTreeSet<TeamId>> = teams.collect();
                ServerAccess::Teams(teams.ok_or_else(|| wrong("a team".to_owned()))?)
            }
        };
        Ok(McpServer {
            id: McpServerId::parse(id).ok_or_else(|| wrong("id".to_owned()))?,
            resource: self.resource,
            name: self.name,
            scopes: scopes.into_iter().map(described).collect(),
            token_lifetime: u64::try_from(self.token_lifetime)
                .map(Duration::from_secs)
                .map_err(|_| wrong(format!("token_lifetime is {}", self.token_lifetime)))?,
            alg: TokenAlgorithm::parse(&self.alg).ok_or_else(|| wrong(format!("alg is {:?}", self.alg)))?,
            built_in: self.built_in_since.is_some(),
            access,
            archived_at: self.archived_at.map(Timestamp::from_millis),
        })
    }
}

/// Scopes as the column holds them.
pub(crate) fn scopes_json(scopes: &[ScopeDescription]) -> String {
    let scopes: Vec<(&str, &str)> =
        scopes.iter().map(|scope| (scope.name.as_str(), scope.description.as_str())).collect();
    to_json(&scopes)
}

/// What scopes imply, as the column holds it.
pub(crate) fn implied_json(scopes: &[ScopeDescription]) -> String {
    let of = |scope: &'_ ScopeDescription| -> Vec<(String, String)> {
        scope.implies.iter().map(|implied| (scope.name.clone(), implied.clone())).collect()
    };
    to_json(&scopes.iter().flat_map(of).collect::<Vec<_>>())
}

pub(crate) async fn insert(transaction: &mut Transaction, server: &McpServer, now: Timestamp) -> Result<()> {
    sql!(
        "INSERT INTO mcp_servers (id, resource, name, scopes, token_lifetime, alg, built_in_since, created_at,
                                  implied_scopes)
         VALUES ($1, $2, $3, $4, $5, $8, $6, $7, $9)";
        server.id, server.resource, server.name, scopes_json(&server.scopes), server.token_lifetime, server.built_in.then_some(now), now,
        server.alg, implied_json(&server.scopes)
    )
    .execute(&mut *transaction)
    .await?;
    set_access(transaction, &server.id, &server.access, now).await
}

/// Writes the fields that an edit may change.
pub(crate) async fn update(transaction: &mut Transaction, server: &McpServer) -> Result<()> {
    let sql = "UPDATE mcp_servers SET name = $1, scopes = $2, token_lifetime = $3, alg = $4, implied_scopes = $6
               WHERE id = $5";
    let (scopes, implied) = (scopes_json(&server.scopes), implied_json(&server.scopes));
    sql!(sql; server.name, scopes, server.token_lifetime, server.alg, server.id, implied).execute(transaction).await
}

pub(crate) async fn set_archived(
    transaction: &mut Transaction,
    id: &McpServerId,
    archived_at: Option<Timestamp>,
) -> Result<()> {
    sql!("UPDATE mcp_servers SET archived_at = $1 WHERE id = $2"; archived_at, id).execute(transaction).await
}

/// Removes the server, with its list of teams, its check and its gateway. What was called stays on record.
pub(crate) async fn remove(transaction: &mut Transaction, id: &McpServerId) -> Result<()> {
    for sql in [
        "DELETE FROM server_teams WHERE server_id = $1",
        "DELETE FROM server_checks WHERE server_id = $1",
        "DELETE FROM gateway_tools WHERE server_id = $1",
        "DELETE FROM destructive_uses WHERE server_id = $1",
        "DELETE FROM server_gateways WHERE server_id = $1",
        "DELETE FROM mcp_servers WHERE id = $1",
    ] {
        sql!(sql; id).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Sets which teams may use the server. Each of them must exist.
pub(crate) async fn set_access(
    transaction: &mut Transaction,
    id: &McpServerId,
    access: &ServerAccess,
    now: Timestamp,
) -> Result<()> {
    let (since, teams) = match access {
        ServerAccess::All => (None, None),
        ServerAccess::Teams(teams) => (Some(now), Some(teams)),
    };
    sql!("UPDATE mcp_servers SET limited_since = $1 WHERE id = $2"; since, id).execute(&mut *transaction).await?;
    sql!("DELETE FROM server_teams WHERE server_id = $1"; id).execute(&mut *transaction).await?;
    for team in teams.into_iter().flatten() {
        let sql = "INSERT INTO server_teams (server_id, team_id) VALUES ($1, $2)";
        sql!(sql; id, team).execute(&mut *transaction).await?;
    }
    Ok(())
}

pub(crate) async fn set_resource(transaction: &mut Transaction, id: &McpServerId, resource: &str) -> Result<()> {
    sql!("UPDATE mcp_servers SET resource = $1 WHERE id = $2"; resource, id).execute(transaction).await
}
