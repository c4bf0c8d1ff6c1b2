//! MCP servers (protected resources) and their scopes.

pub mod access;
pub mod callers;
pub mod check;
pub mod gateway;
pub(crate) mod hierarchy;
pub mod resource;
pub mod scope;

use std::fmt;
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{McpServerId, TeamId};
use crate::crypto::keys::TokenAlgorithm;
use crate::model::person::authority::Authority;
use crate::model::server::access::ServerAccess;
use crate::model::server::hierarchy::Hierarchy;
use crate::model::server::scope::Scopes;

/// One scope that an MCP server understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeDescription {
    /// The scope token.
    pub name: String,
    /// What it allows, in words for the person who grants it.
    pub description: String,
    /// The scopes of the same server that it implies directly.
    pub implies: Vec<String>,
}

impl ScopeDescription {
    /// How a description begins that says what the scope implies.
    const IMPLIES: &str = "(implies";

    /// Reads a line that a person wrote, such as `docs:write (implies docs:read) Create and change pages.` Between the
    /// implied scopes are spaces or commas. Without a bracket at the end, all that follows counts as implied scopes, so
    /// that the check names them.
    pub fn parse(line: &str) -> Self {
        let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let implied = rest.strip_prefix(Self::IMPLIES).filter(|list| list.starts_with([' ', ')']));
        let (implied, description) = implied.map_or(("", rest), |list| list.split_once(')').unwrap_or((list, "")));
        let words = implied.split([',', ' ']).filter(|word| !word.is_empty());
        Self {
            name: name.to_owned(),
            description: description.trim().to_owned(),
            implies: words.map(str::to_owned).collect(),
        }
    }
}

/// The line that [`ScopeDescription::parse`] reads.
impl fmt::Display for ScopeDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if !self.implies.is_empty() {
            write!(formatter, " {} {})", Self::IMPLIES, self.implies.join(" "))?;
        }
        if !self.description.is_empty() {
            write!(formatter, " {}", self.description)?;
        }
        Ok(())
    }
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
    /// The algorithm that its access tokens are signed with.
    pub alg: TokenAlgorithm,
    /// Whether it is the one of this program.
    pub built_in: bool,
    /// Which teams may use it.
    pub access: ServerAccess,
    /// Since when it is archived, and so gets no new tokens.
    pub archived_at: Option<Timestamp>,
}

impl McpServer {
    /// Whether the credentials of this team get tokens for it.
    pub fn admits_team(&self, team: &TeamId) -> bool {
        self.archived_at.is_none() && self.access.admits_team(team)
    }

    /// Whether an actor with this authority may use it.
    pub fn admits(&self, authority: &Authority) -> bool {
        self.archived_at.is_none() && self.access.admits(authority)
    }

    /// Whether it is archived. The built-in server is part of this program and never is.
    pub fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    /// Those of `held` that the server has, and all scopes that they imply: what a token with them carries.
    pub(crate) fn closure(&self, held: &Scopes) -> Scopes {
        Hierarchy::of(&self.scopes).closure(held)
    }

    /// The scopes that give `scope`: itself, and all that imply it over any number of steps.
    pub fn giving(&self, scope: &str) -> Scopes {
        Hierarchy::of(&self.scopes).giving(scope)
    }

    /// The names of its scopes.
    pub(crate) fn scope_names(&self) -> Scopes {
        self.scopes.iter().map(|scope| scope.name.as_str()).collect()
    }

    /// Removes the scopes that only administrators grant, except the scopes that are `held` already. Forms of people
    /// who are not administrators show the rest.
    pub fn keep_privileged_scopes(&mut self, held: &[&str]) {
        let is_privileged = |name: &str| PRIVILEGED_SCOPES.contains(&name) && !held.contains(&name);
        self.scopes.retain(|scope| !is_privileged(&scope.name));
    }

    /// The scopes a new credential gets unless others are chosen.
    pub fn default_scope_names(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().take(1).map(|scope| scope.name.as_str())
    }

    /// Where it publishes its metadata: the well-known path goes between the host and the path (RFC 9728 §3.1).
    pub fn metadata_url(&self) -> String {
        let host = self.resource.find("://").map_or(0, |position| position + "://".len());
        let path = self.resource[host..].find(['/', '?']).map_or(self.resource.len(), |position| host + position);
        let (origin, path) = self.resource.split_at(path);
        format!("{origin}/.well-known/oauth-protected-resource{}", if path == "/" { "" } else { path })
    }
}

/// The scope of a server for which none is named.
pub const DEFAULT_SCOPE: &str = "mcp:tools";

/// How long access tokens live by default, and the shortest and longest that can be chosen.
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(600);

/// See [`DEFAULT_TOKEN_LIFETIME`].
pub(crate) const SHORTEST_TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// See [`DEFAULT_TOKEN_LIFETIME`].
pub(crate) const LONGEST_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// Scope of the built-in server: call it at all.
pub const SCOPE_READ: &str = "mcp:read";

/// Scope of the built-in server: list the credentials of the caller's team.
pub const SCOPE_CREDENTIALS_READ: &str = "credentials:read";

/// Scope of the built-in server: revoke credentials of the caller's team.
pub const SCOPE_CREDENTIALS_WRITE: &str = "credentials:write";

/// Scopes that reach other credentials: only administrators grant them.
pub const PRIVILEGED_SCOPES: [&str; 2] = [SCOPE_CREDENTIALS_READ, SCOPE_CREDENTIALS_WRITE];

/// Scope of every MCP server's own credential: ask about the tokens that it is sent (RFC 7662).
pub(crate) const SCOPE_INTROSPECT: &str = "tokens:introspect";

/// What a scope allows a client that acts for a person. For some scopes this is more than the scope's description says
/// for a credential, because the person may see and do things in several teams.
pub fn allows_for_person(scope: &ScopeDescription) -> &str {
    match scope.name.as_str() {
        SCOPE_CREDENTIALS_READ => "List every credential that you may see.",
        SCOPE_CREDENTIALS_WRITE => "Revoke every credential that you may revoke.",
        _ => &scope.description,
    }
}

pub(crate) fn built_in_scopes() -> Vec<ScopeDescription> {
    [
        (SCOPE_READ, "Call the built-in MCP server."),
        (SCOPE_CREDENTIALS_READ, "List the credentials of its team."),
        (SCOPE_CREDENTIALS_WRITE, "Revoke credentials of its team."),
        (SCOPE_INTROSPECT, "Ask whether tokens for its MCP servers are valid (introspection)."),
    ]
    .map(|(name, description)| ScopeDescription {
        name: name.to_owned(),
        description: description.to_owned(),
        implies: Vec::new(),
    })
    .into()
}
