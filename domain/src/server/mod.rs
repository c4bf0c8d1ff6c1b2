//! MCP servers: the protected resources (RFC 9728) that tokens are for (RFC 8707).
//!
//! | module | what it does |
//! |---|---|
//! | [`access`] | what a change of the teams of a server shuts out |
//! | [`archive`] | archives a server, takes it back, removes it |
//! | [`callers`] | who may call a server |
//! | [`check`] | asks a server whether it protects itself |
//! | [`conversation`] | speaks with a server in its protocol |
//! | [`edit`] | changes name, scopes, token lifetime and algorithm |
//! | [`gateway`] | puts a server behind the gateway |

pub mod access;
pub mod archive;
pub mod callers;
pub mod check;
pub mod conversation;
pub mod edit;
pub mod gateway;

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::{McpServerId, TeamId};
use crate::base::text::is_pasteable;
use crate::crypto::keys::TokenAlgorithm;
use crate::model::credential::draft::{check_description, check_name, check_token_lifetime};
use crate::model::person::team::Team;
use crate::model::server::access::ServerAccess;
use crate::model::server::gateway::{PATH, slug_of};
use crate::model::server::hierarchy;
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::server::{DEFAULT_TOKEN_LIFETIME, McpServer, ScopeDescription, built_in_scopes};
use crate::prelude::{Action, Actor, Change, Changes, Context, Errors, Fault, FieldError, operation_error};
use crate::store::{self, Store, StoreError};

/// Every MCP server, the built-in one first.
pub async fn list(context: &Context) -> Result<Vec<McpServer>, Fault> {
    Ok(store::server::list(&context.store).await?)
}

/// The resource identifier of the built-in server as registered; `None` in a new database.
async fn built_in_resource(store: &Store) -> Result<Option<String>, StoreError> {
    Ok(store::server::list(store).await?.into_iter().find(|server| server.built_in).map(|server| server.resource))
}

/// Registers the built-in server in a new database.
pub(crate) async fn register_built_in(context: &Context) -> Result<(), Fault> {
    if built_in_resource(&context.store).await?.is_some() {
        return Ok(());
    }
    let server = McpServer {
        id: McpServerId::generate(context.random.as_ref()),
        resource: context.settings.built_in_resource(),
        name: "Built-in server".to_owned(),
        scopes: built_in_scopes(),
        token_lifetime: DEFAULT_TOKEN_LIFETIME,
        alg: TokenAlgorithm::default(),
        built_in: true,
        access: ServerAccess::All,
        archived_at: None,
    };
    let mut change = context.begin_change().await?;
    match store::server::insert(&mut change, &server, context.now()).await {
        // Another program with the same database registered it first.
        Err(StoreError::Conflict) => return Ok(()),
        result => result?,
    }
    let event = server.event(Action::McpServerAdded).with(json!({ "resource": server.resource }));
    change.commit(&Actor::system(), &event).await
}

/// The values of a new MCP server.
#[derive(Debug, Clone, Default)]
pub struct ServerDraft {
    /// Its name for people.
    pub name: String,
    /// Its resource identifier: the URL that clients use.
    pub resource: String,
    /// Its scopes, each with a description of what it allows. The first is the default of new credentials.
    pub scopes: Vec<ScopeDescription>,
    /// How long its tokens live; ten minutes when absent.
    pub token_lifetime: Option<Duration>,
    /// The signing algorithm of its tokens.
    pub alg: TokenAlgorithm,
    /// Which teams may use it; all when not said.
    pub access: ServerAccess,
}

operation_error! {
    /// Why a server was not registered or changed.
    pub enum McpServerError: Invalid {
        /// There is no such server, or the actor is no administrator: only administrators change servers.
        #[error("there is no such server, or this is for administrators")]
        NotFound,
    }
}

const MOST_SCOPES: usize = 50;
const LONGEST_RESOURCE: usize = 500;

/// Scopes that are reserved for the built-in server: they let credentials act on this instance, now or in a later
/// version.
fn is_reserved(scope: &str) -> bool {
    scope.starts_with("credentials:") || scope.starts_with("tokens:")
}

/// Checks the scopes of a server.
fn check_scopes(scopes: &[ScopeDescription]) -> Result<(), String> {
    let is_one = |scope: &ScopeDescription| {
        is_pasteable(&scope.name) && Scopes::parse(&scope.name).is_some_and(|one| one.iter().count() == 1)
    };
    if scopes.is_empty() || scopes.len() > MOST_SCOPES || !scopes.iter().all(is_one) {
        return Err(
            "Write one scope per line, such as docs:read and what it allows. At least one is needed.".to_owned()
        );
    }
    let names: Scopes = scopes.iter().map(|scope| scope.name.as_str()).collect();
    if names.iter().count() < scopes.len() {
        return Err("Write each scope once.".to_owned());
    }
    match scopes.iter().find(|scope| is_reserved(&scope.name)) {
        Some(scope) => Err(format!("The scope {} belongs to the built-in server.", scope.name)),
        None => scopes.iter().try_for_each(|scope| check_description(&scope.description).map(drop)),
    }?;
    hierarchy::check(scopes)
}

impl ServerDraft {
    /// Checks the fields. Returns the name as it is stored.
    fn check(&self) -> Result<String, Vec<FieldError>> {
        let mut errors = Errors::default();
        let name = errors.take("name", check_name(&self.name));
        // A resource identifier is compared byte for byte.
        let is_plain = is_pasteable(self.resource.trim());
        if self.resource.len() > LONGEST_RESOURCE || !is_plain || resource::canonical(self.resource.trim()).is_none() {
            let message =
                "Enter the server’s URL as clients call it, such as https://docs.example.com/mcp, without a #.";
            errors.push("resource", message);
        }
        errors.take("scopes", check_scopes(&self.scopes));
        errors.take("token_lifetime", check_token_lifetime(self.token_lifetime));
        errors.none()?;
        Ok(name.unwrap_or_default())
    }
}

/// Registers a protected resource. The first one of an algorithm makes its signing key.
pub async fn add(context: &Context, actor: &Actor, draft: &ServerDraft) -> Result<McpServer, McpServerError> {
    draft.check()?;
    if gateway_slug(context, draft.resource.trim()).is_some() {
        let problem = "This is an address of the gateway. To put a server behind it, give the address of the server.";
        return Err(FieldError::new("resource", problem).into());
    }
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, McpServerError::NotFound).await?;
    let (server, details) = register(&mut change, draft).await?;
    change.commit(actor, &server.event(Action::McpServerAdded).with(details)).await?;
    Ok(server)
}

/// The slug in the resource of a server behind the gateway.
fn gateway_slug<'resource>(context: &Context, resource: &'resource str) -> Option<&'resource str> {
    slug_of(&context.settings.public_url, resource)
}

/// Registers a checked draft. Returns the server, and the details for the audit log.
async fn register(change: &mut Change<'_>, draft: &ServerDraft) -> Result<(McpServer, Value), McpServerError> {
    let (context, now) = (change.context(), change.now());
    let server = McpServer {
        id: McpServerId::generate(context.random.as_ref()),
        resource: draft.resource.trim().to_owned(),
        name: draft.check()?,
        scopes: draft.scopes.clone(),
        token_lifetime: draft.token_lifetime.unwrap_or(DEFAULT_TOKEN_LIFETIME),
        alg: draft.alg,
        built_in: false,
        access: draft.access.clone(),
        archived_at: None,
    };
    let teams = store::person::team::list(&mut *change, None).await?;
    check_teams(&server.access, &teams)?;
    require_free(change, &server).await?;
    match store::server::insert(change, &server, now).await {
        Err(StoreError::Conflict) => return Err(taken().into()),
        result => result?,
    }
    context.keys.signing.ensure(change, server.alg, now, context.random.as_ref()).await?;
    let details = json!({
        "resource": server.resource,
        "scopes": server.scope_names().to_string(),
        "token_lifetime": server.token_lifetime.as_secs(),
        "alg": server.alg.as_str(),
        "teams": names(&server.access, &teams),
    });
    Ok((server, details))
}

/// Every team of the list must exist.
fn check_teams(access: &ServerAccess, teams: &[Team]) -> Result<(), FieldError> {
    let is_known = |id: &TeamId| teams.iter().any(|team| team.id == *id);
    match access {
        ServerAccess::Teams(chosen) if !chosen.iter().all(is_known) => {
            Err(FieldError::new("team", "A team of this list does not exist any more. Choose again."))
        }
        _ => Ok(()),
    }
}

/// Which teams may use a server, as the audit log says it: `all`, or a list of names.
fn names(access: &ServerAccess, teams: &[Team]) -> Value {
    match access {
        ServerAccess::All => json!("all"),
        ServerAccess::Teams(chosen) => {
            let chosen = teams.iter().filter(|team| chosen.contains(&team.id));
            json!(chosen.map(|team| team.name.as_str()).collect::<Vec<_>>())
        }
    }
}

/// Begins a change of the server by an administrator, and reads the server.
async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &McpServerId,
) -> Result<(Change<'context>, McpServer), McpServerError> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, McpServerError::NotFound).await?;
    let servers = store::server::list(&mut change).await?;
    let server = servers.into_iter().find(|server| server.id == *id).ok_or(McpServerError::NotFound)?;
    Ok((change, server))
}

/// Sets which teams may use the server. When this returns, exchanges, refreshes, consents and uses of personal tokens
/// obey it. Access tokens that were issued before live until they end. Only administrators may do this.
///
/// # Errors
///
/// [`McpServerError::Invalid`] at `closes` when something that gets tokens now would get none, and `closes` is false: a
/// person must have been told first.
pub async fn set_access(
    context: &Context,
    actor: &Actor,
    id: &McpServerId,
    access: &ServerAccess,
    closes: bool,
) -> Result<(), McpServerError> {
    let (mut change, server) = begin_for(context, actor, id).await?;
    let teams = store::person::team::list(&mut change, None).await?;
    check_teams(access, &teams)?;
    let mut changes = Changes::default();
    changes.note("teams", names(&server.access, &teams), names(access, &teams));
    if changes.is_empty() {
        return Ok(());
    }
    if !closes {
        access::refuse_closing(&mut change, &server, access).await?;
    }
    let now = change.now();
    store::server::set_access(&mut change, id, access, now).await?;
    Ok(change.commit(actor, &server.event(Action::McpServerEdited).with(changes.into())).await?)
}

fn taken() -> FieldError {
    FieldError::new("resource", "A server with this resource is registered already.")
}

/// Requires that no other server has the resource of `server`.
async fn require_free(change: &mut Change<'_>, server: &McpServer) -> Result<(), McpServerError> {
    let mut others = store::server::list(change).await?.into_iter().filter(|other| other.id != server.id);
    if others.any(|other| resource::names(&other.resource, &server.resource)) {
        return Err(taken().into());
    }
    Ok(())
}

/// The server with this identifier.
pub async fn find(context: &Context, id: &McpServerId) -> Result<Option<McpServer>, Fault> {
    Ok(store::server::list(&context.store).await?.into_iter().find(|server| server.id == *id))
}

/// The server with this identifier or this resource.
pub async fn find_named(context: &Context, name: &str) -> Result<Option<McpServer>, Fault> {
    let servers = store::server::list(&context.store).await?;
    let by_id = servers.iter().find(|server| server.id.as_str() == name);
    Ok(by_id.or_else(|| resource::server(name, &servers)).cloned())
}

/// The issuer of the instance in `store`; `None` in a new database. The built-in server is registered under it.
pub async fn issuer(store: &Store) -> Result<Option<String>, StoreError> {
    let resource = built_in_resource(store).await?;
    Ok(resource.map(|resource| resource.trim_end_matches("/mcp").to_owned()))
}

/// Gives the instance the issuer `issuer`: from now on, the built-in server is registered under it, and so are the
/// servers behind the gateway. Does nothing when that is its issuer already.
///
/// # Errors
///
/// [`McpServerError::Invalid`] when another server is registered under a new resource.
pub async fn move_issuer(context: &Context, actor: &Actor, issuer: &str) -> Result<(), McpServerError> {
    let Some(former) = self::issuer(&context.store).await?.filter(|former| former != issuer) else { return Ok(()) };
    let mut change = context.begin_change().await?;
    let mut events = Vec::new();
    for server in store::server::list(&mut change).await? {
        let resource = match slug_of(&former, &server.resource) {
            _ if server.built_in => format!("{issuer}/mcp"),
            Some(slug) if store::server::gateway::find_by_slug(&mut change, slug).await?.is_some() => {
                format!("{issuer}{PATH}{slug}")
            }
            _ => continue,
        };
        let moved = McpServer { resource, ..server.clone() };
        require_free(&mut change, &moved).await?;
        store::server::set_resource(&mut change, &moved.id, &moved.resource).await?;
        let details = json!({ "resource": { "before": server.resource, "after": moved.resource } });
        events.push(moved.event(Action::McpServerMoved).with(details));
    }
    change.commit_all(actor, &events).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_published_between_host_and_path() {
        for (resource, expected) in [
            ("https://docs.example.com/mcp", "https://docs.example.com/.well-known/oauth-protected-resource/mcp"),
            ("https://docs.example.com", "https://docs.example.com/.well-known/oauth-protected-resource"),
            ("https://docs.example.com/", "https://docs.example.com/.well-known/oauth-protected-resource"),
            ("http://[::1]:9/a/b?c", "http://[::1]:9/.well-known/oauth-protected-resource/a/b?c"),
        ] {
            let server = McpServer {
                id: McpServerId::generate(&crate::testing::SeededRandom::new(1)),
                resource: resource.to_owned(),
                name: "docs".to_owned(),
                scopes: Vec::new(),
                token_lifetime: DEFAULT_TOKEN_LIFETIME,
                alg: TokenAlgorithm::default(),
                built_in: false,
                access: ServerAccess::All,
                archived_at: None,
            };
            assert_eq!(server.metadata_url(), expected);
        }
    }
    #[test]
    fn nothing_is_registered_that_would_mean_something_in_a_shell() {
        let draft = |resource: &str, scope: &str| ServerDraft {
            name: "docs".to_owned(),
            resource: resource.to_owned(),
            scopes: vec![ScopeDescription { name: scope.to_owned(), description: String::new(), implies: Vec::new() }],
            ..ServerDraft::default()
        };
        assert!(draft("https://docs.example.com/mcp?tenant=a", "docs:read").check().is_ok());
        for resource in
            ["https://d.example/$(id)", "https://d.example/a;b", "https://d.example/?a=1&b=2", "https://d.example/'"]
        {
            assert!(draft(resource, "docs:read").check().is_err(), "{resource}");
        }
        for scope in ["it's", "$HOME", "a b", "`id`", "a&b"] {
            assert!(draft("https://docs.example.com/mcp", scope).check().is_err(), "{scope}");
        }
    }
}
