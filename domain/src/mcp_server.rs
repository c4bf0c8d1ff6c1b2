//! MCP servers: the protected resources (RFC 9728) that tokens are for (RFC 8707).

use std::time::Duration;

use serde_json::json;

use crate::actor::Actor;
use crate::audit::Event;
use crate::context::Context;
use crate::error::Fault;
use crate::id::McpServerId;
use crate::scope::Scopes;
use crate::store::{self, Store, StoreError};

/// One scope that an MCP server understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeDescription {
    /// The scope token.
    pub name: String,
    /// What it allows, in words for the person who grants it.
    pub description: String,
}

/// A protected resource.
#[derive(Debug, Clone)]
pub struct McpServer {
    /// Its identifier.
    pub id: McpServerId,
    /// Its resource identifier: the `aud` of its tokens.
    pub resource: String,
    /// Its name for people.
    pub name: String,
    /// The scopes it understands; the first is the one a new credential gets.
    pub scopes: Vec<ScopeDescription>,
    /// How long its access tokens live when the credential does not say.
    pub token_lifetime: Duration,
    /// Whether it is the one of this program.
    pub built_in: bool,
}

impl McpServer {
    /// The names of its scopes.
    pub fn scope_names(&self) -> Scopes {
        self.scopes.iter().map(|scope| scope.name.as_str()).collect()
    }

    /// The scopes a new credential gets unless others are chosen.
    pub fn default_scope_names(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().take(1).map(|scope| scope.name.as_str())
    }
}

/// How long access tokens live by default, and the shortest and longest that can be chosen.
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(600);
/// See [`DEFAULT_TOKEN_LIFETIME`].
pub const SHORTEST_TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// See [`DEFAULT_TOKEN_LIFETIME`].
pub const LONGEST_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// Scope of the built-in server: call it at all.
pub const SCOPE_READ: &str = "mcp:read";
/// Scope of the built-in server: list the credentials of this instance.
pub const SCOPE_CREDENTIALS_READ: &str = "credentials:read";
/// Scope of the built-in server: revoke credentials of this instance.
pub const SCOPE_CREDENTIALS_WRITE: &str = "credentials:write";

fn built_in_scopes() -> Vec<ScopeDescription> {
    [
        (SCOPE_READ, "Call the built-in MCP server."),
        (SCOPE_CREDENTIALS_READ, "List the credentials of this Countersign."),
        (SCOPE_CREDENTIALS_WRITE, "Revoke credentials of this Countersign."),
    ]
    .map(|(name, description)| ScopeDescription { name: name.to_owned(), description: description.to_owned() })
    .into()
}

/// Every MCP server, the built-in one first.
pub async fn list(context: &Context) -> Result<Vec<McpServer>, Fault> {
    Ok(store::mcp_servers::list(&context.store).await?)
}

/// The resource identifier under which the built-in server is registered; `None` in a new database.
pub async fn built_in_resource(store: &Store) -> Result<Option<String>, StoreError> {
    Ok(store::mcp_servers::list(store).await?.into_iter().find(|server| server.built_in).map(|server| server.resource))
}

/// Registers the built-in server in a new database.
pub(crate) async fn register_built_in(context: &Context) -> Result<(), StoreError> {
    if built_in_resource(&context.store).await?.is_some() {
        return Ok(());
    }
    let server = McpServer {
        id: McpServerId::generate(context.random.as_ref()),
        resource: context.settings.built_in_resource(),
        name: "Built-in server".to_owned(),
        scopes: built_in_scopes(),
        token_lifetime: DEFAULT_TOKEN_LIFETIME,
        built_in: true,
    };
    let mut change = context.begin_change().await?;
    match store::mcp_servers::insert(change.transaction(), &server, context.now()).await {
        // Another program of this database was faster.
        Err(StoreError::Conflict) => return Ok(()),
        result => result?,
    }
    let event = Event::new("mcp_server.added", "mcp_server", server.id.as_str(), &server.name)
        .with(json!({ "resource": server.resource }));
    change.commit(&Actor::system(), &event).await.map(drop)
}

/// Lets the built-in server follow a changed `public_url`. Only the server does this: the command line, which may
/// run with other settings beside it, must not move the resource under it.
pub async fn move_built_in(context: &Context) -> Result<(), Fault> {
    let resource = context.settings.built_in_resource();
    let servers = store::mcp_servers::list(&context.store).await?;
    let Some(server) = servers.into_iter().find(|server| server.built_in && server.resource != resource) else {
        return Ok(());
    };
    let mut change = context.begin_change().await?;
    store::mcp_servers::set_resource(change.transaction(), &server.id, &resource).await?;
    let event = Event::new("mcp_server.moved", "mcp_server", server.id.as_str(), &server.name)
        .with(json!({ "resource": { "before": server.resource, "after": resource } }));
    change.commit(&Actor::system(), &event).await?;
    Ok(())
}
