//! Taking an MCP server from credentials, or putting another one in its place.

use serde_json::json;

use crate::base::id::McpServerId;
use crate::credential::several::outcome::Kept;
use crate::credential::{Result, complies};
use crate::model::credential::Credential;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, SCOPE_INTROSPECT};
use crate::prelude::{Action, Change, Changes, Event, FieldError};
use crate::store;

/// What is taken, and what comes instead, checked once for all credentials.
pub(super) struct Replacement {
    server: McpServer,
    instead: Option<McpServer>,
    servers: Vec<McpServer>,
}

impl Replacement {
    /// Finds both servers. An archived one cannot come instead.
    pub(super) async fn checked(
        change: &mut Change<'_>,
        server: &McpServerId,
        instead: Option<&McpServerId>,
    ) -> Result<Self> {
        let servers = store::server::list(change).await?;
        let find = |id: &McpServerId| servers.iter().find(|server| server.id == *id).cloned();
        let found = find(server).ok_or_else(|| FieldError::new("server", "Choose an MCP server."))?;
        let instead = match instead {
            None => None,
            Some(id) => {
                let other = find(id).filter(|other| !other.is_archived() && other.id != *server);
                Some(other.ok_or_else(|| FieldError::new("instead", "Choose another MCP server."))?)
            }
        };
        Ok(Self { server: found, instead, servers })
    }
}

/// The servers and scopes of a credential after the replacement, or why it keeps the server.
pub type Replaced = Result<(Vec<McpServerId>, Scopes), Kept>;

/// What taking `server` from the credential, and putting `instead` in its place, would do.
pub fn replaced(
    credential: &Credential,
    server: &McpServerId,
    instead: Option<&McpServer>,
    servers: &[McpServer],
) -> Replaced {
    if credential.revoked_at.is_some() {
        return Err(Kept::Revoked);
    }
    if !credential.servers.contains(server) {
        return Err(Kept::Already);
    }
    if instead.is_some_and(|instead| !instead.access.admits_team(&credential.team)) {
        return Err(Kept::Server);
    }
    let mut rest: Vec<McpServerId> = credential.servers.iter().filter(|id| *id != server).cloned().collect();
    if let Some(instead) = instead.filter(|instead| !rest.contains(&instead.id)) {
        rest.push(instead.id.clone());
    }
    let has = |server: &McpServer, scope: &str| server.scopes.iter().any(|own| own.name == scope);
    // Asking about tokens does not depend on the servers that a credential may call.
    let offered = |scope: &&str| {
        *scope == SCOPE_INTROSPECT || servers.iter().any(|server| rest.contains(&server.id) && has(server, scope))
    };
    let mut scopes: Vec<&str> = credential.scopes.iter().filter(offered).collect();
    let taken = servers.iter().find(|known| known.id == *server);
    let called = taken.is_some_and(|taken| credential.scopes.iter().any(|scope| has(taken, scope)));
    if let Some(instead) = instead.filter(|instead| called && !scopes.iter().any(|scope| has(instead, scope))) {
        scopes.extend(instead.default_scope_names());
    }
    if rest.is_empty() || scopes.is_empty() {
        return Err(Kept::LastServer);
    }
    let scopes = scopes.into_iter().collect();
    Ok((rest, scopes))
}

/// Replaces the server of one credential.
pub(super) async fn replace(
    change: &mut Change<'_>,
    before: Credential,
    replacement: &Replacement,
) -> Result<Result<Event, Kept>> {
    let Replacement { server, instead, servers } = replacement;
    let (rest, scopes) = match replaced(&before, &server.id, instead.as_ref(), servers) {
        Ok(after) => after,
        Err(kept) => return Ok(Err(kept)),
    };
    let after = Credential { servers: rest, scopes, ..before.clone() };
    if !complies(change, &before, &after, servers).await? {
        return Ok(Err(Kept::Policy));
    }
    let now = change.now();
    store::credential::update(change, &after, now).await?;
    Ok(Ok(changed(&before, &after, servers)))
}

/// The event of a credential with other servers and scopes. The identifiers are for reversing it.
pub(super) fn changed(before: &Credential, after: &Credential, servers: &[McpServer]) -> Event {
    let ids = |credential: &Credential| credential.servers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let resources = |credential: &Credential| {
        let is_own = |server: &&McpServer| credential.servers.contains(&server.id);
        servers.iter().filter(is_own).map(|server| server.resource.clone()).collect::<Vec<_>>()
    };
    let mut changes = Changes::default();
    changes.add(
        "mcp_servers",
        json!({
            "before": resources(before), "after": resources(after),
            "before_ids": ids(before), "after_ids": ids(after),
        }),
    );
    changes.note("scopes", before.scopes.to_string(), after.scopes.to_string());
    after.event(Action::CredentialEdited).with(changes.into())
}
