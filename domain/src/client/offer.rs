//! Which MCP server a request for a person's consent is for (RFC 8707 §2).
//!
//! Some clients know no `resource`. A token for another server than they meant is refused there, so this decides as
//! little as possible: by the scopes, then by the operator's setting, and otherwise the person chooses.

use crate::base::form_body::TokenForm;
use crate::model::client::{AppClient, ClientKind};
use crate::model::person::authority::Authority;
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::server::{McpServer, PRIVILEGED_SCOPES, SCOPE_INTROSPECT};
use crate::model::token::oauth_error::{OAuthError, OAuthErrorCode, Result};

/// An MCP server that a request can be for, and what the client would get there.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The MCP server.
    pub server: McpServer,
    /// The scopes that the client would get, with all that they imply.
    pub scopes: Scopes,
}

impl Offer {
    /// The offer as the form of its page sends it back: a person allows what they read, and nothing else.
    pub fn shown(&self) -> String {
        format!("{} {}", self.server.id, self.scopes)
    }

    /// Whether the page showed this offer. `shown` is what its form sent.
    pub fn was_shown(&self, shown: &[String]) -> bool {
        shown.is_empty() || shown.contains(&self.shown())
    }
}

/// Who asks, and whom the answer is for.
pub(crate) struct Asking<'asking> {
    /// Whether the client may get scopes that act on credentials: see [`Asking::may_get_privileges`].
    pub privileges: bool,
    /// What the person may use; `None`: nobody is signed in.
    pub authority: Option<&'asking Authority>,
    /// The resource that the setting names for requests without one.
    pub default: Option<&'asking str>,
}

impl Asking<'_> {
    /// Whether a client may get scopes that act on credentials: an administrator added it, and its answer reaches no
    /// other program. A redirect URI says where an answer goes. A device that asks with the name of a public client
    /// says nothing about itself (RFC 8628 §5.4), so it must be a client with a secret.
    pub(crate) fn may_get_privileges(client: &AppClient, is_device: bool) -> bool {
        client.kind == ClientKind::Registered && (!is_device || client.proves_itself())
    }

    /// The offers to the person: one, unless the person must choose.
    ///
    /// # Errors
    ///
    /// `invalid_target` when `resource` names no server here, or the server of the setting is missing; `invalid_scope`
    /// when no scope can be granted. The description names the scopes only to a person who is signed in.
    pub(crate) fn offers(&self, form: &TokenForm, servers: &[McpServer]) -> Result<Vec<Offer>> {
        let asked = form.get("scope");
        let mut resources = form.resources();
        let named = match (resources.next(), resources.next()) {
            (None, _) => return self.offers_of(asked, None, servers),
            (Some(one), None) => resource::server(one, servers),
            (Some(_), Some(_)) => None,
        };
        self.offers_of(asked, Some(named.ok_or_else(unknown_target)?), servers)
    }

    /// The same for a request that was read before: its scopes, and the server that it names, if any.
    pub(crate) fn offers_of(
        &self,
        asked: Option<&str>,
        named: Option<&McpServer>,
        servers: &[McpServer],
    ) -> Result<Vec<Offer>> {
        match named {
            Some(server) if server.is_archived() => Err(unknown_target()),
            Some(server) => Ok(vec![self.offer(asked, server)?]),
            None => self.unnamed(asked, servers),
        }
    }

    /// The offers to a request that names no server.
    fn unnamed(&self, asked: Option<&str>, servers: &[McpServer]) -> Result<Vec<Offer>> {
        let is_open = |server: &&McpServer| {
            !server.is_archived() && self.authority.is_none_or(|authority| server.access.admits(authority))
        };
        let mut offers: Vec<Offer> =
            servers.iter().filter(is_open).filter_map(|server| self.offer(asked, server).ok()).collect();
        // Scopes that no server has say nothing about the server.
        let asked_scopes = asked.and_then(Scopes::parse).unwrap_or_default();
        let known: Vec<&str> =
            asked_scopes.iter().filter(|scope| offers.iter().any(|offer| offer.scopes.contains(scope))).collect();
        let has_all = |offer: &Offer| known.iter().all(|scope| offer.scopes.contains(scope));
        if offers.iter().any(has_all) {
            offers = offers.iter().filter(|offer| has_all(offer)).cloned().collect();
        }
        if offers.len() == 1 {
            return Ok(offers);
        }
        let default = self.default_server(servers)?;
        if let Some(offer) = offers.iter().find(|offer| default.is_some_and(|server| server.id == offer.server.id)) {
            return Ok(vec![offer.clone()]);
        }
        if offers.is_empty() {
            // Nothing can be granted, and the error says so.
            let server =
                default.or_else(|| servers.iter().find(|server| server.built_in)).ok_or_else(unknown_target)?;
            return Ok(vec![self.offer(asked, server)?]);
        }
        Ok(offers)
    }

    /// The server of the setting, if it is set.
    fn default_server<'servers>(&self, servers: &'servers [McpServer]) -> Result<Option<&'servers McpServer>> {
        let Some(default) = self.default else { return Ok(None) };
        let server = resource::server(default, servers).filter(|server| !server.is_archived());
        let missing = || target_error("The MCP server of the setting default_resource is missing. Send resource.");
        server.map(Some).ok_or_else(missing)
    }

    /// What the client would get at the server.
    fn offer(&self, asked: Option<&str>, server: &McpServer) -> Result<Offer> {
        let grantable = self.grantable(server);
        let by_default = server.default_scope_names().collect::<Scopes>().intersection(&grantable);
        let malformed = || OAuthError::new(OAuthErrorCode::InvalidScope, "The scope is malformed.");
        let scopes = Scopes::granted(asked, &grantable, by_default).ok_or_else(malformed)?;
        if scopes.is_empty() {
            return Err(OAuthError::no_scope(self.authority.map(|_| &grantable)));
        }
        // The person reads all that the token will carry.
        Ok(Offer { server: server.clone(), scopes: server.closure(&scopes) })
    }

    /// What a person may let the client do at the server. Only machines may ask about other people's tokens.
    fn grantable(&self, server: &McpServer) -> Scopes {
        let is_for_machines = |name: &str| name == SCOPE_INTROSPECT;
        let is_privileged = |name: &str| PRIVILEGED_SCOPES.contains(&name) && !self.privileges;
        let names = server.scopes.iter().map(|scope| scope.name.as_str());
        names.filter(|name| !is_for_machines(name) && !is_privileged(name)).collect()
    }
}

fn unknown_target() -> OAuthError {
    target_error("resource must name one MCP server of this server.")
}

fn target_error(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidTarget, description)
}
