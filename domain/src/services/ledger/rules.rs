//! The rules of an exchange. They do no I/O: a writer has read the batch before, and writes the decisions afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, McpServerId, TokenId};
use crate::base::random::Random;
use crate::crypto::keys::KeyError;
use crate::error::{Fault, through_fault};
use crate::model::server::McpServer;
use crate::model::server::hierarchy::Hierarchy;
use crate::model::server::resource;
use crate::model::server::scope::Scopes;
use crate::model::token::{
    AuthenticatorState, ClientProof, IssuedToken, Refusal, RequestedResource, RequestedScope, SingleUse, TokenRequest,
    check_alive,
};
use crate::store::token::batch::ProofState;

/// Why no token is issued.
#[derive(Debug)]
pub enum LedgerError {
    /// The rules forbid it.
    Refused {
        /// The cause.
        refusal: Refusal,
        /// The credential under which the refusal is shown.
        client_id: Option<ClientId>,
        /// The scopes of the server that was asked for, when none of the requested scopes may be granted.
        offered: Option<Scopes>,
    },
    /// A fault of ours.
    Fault(Fault),
}

through_fault!(LedgerError);

impl LedgerError {
    /// A refusal that is shown under this credential.
    pub(crate) fn refused(refusal: Refusal, client_id: Option<ClientId>) -> Self {
        Self::Refused { refusal, client_id, offered: None }
    }
}

/// The result for one request.
pub(super) type Decision = Result<IssuedToken, LedgerError>;

/// An MCP server that a token can be for.
pub(super) struct TokenTarget {
    server: McpServer,
    /// Its resource in canonical form, as requests name it.
    resource: Option<String>,
    /// Its scopes. They are closed here, once for each list of servers, and not in each exchange.
    hierarchy: Hierarchy,
}

impl From<McpServer> for TokenTarget {
    fn from(server: McpServer) -> Self {
        Self { resource: resource::canonical(&server.resource), hierarchy: Hierarchy::of(&server.scopes), server }
    }
}

/// The data that all decisions of a batch use.
pub(super) struct Rules {
    pub servers: Arc<[TokenTarget]>,
    /// The signing key in force, by algorithm.
    pub signing: HashMap<String, String>,
    pub now: Timestamp,
}

impl Rules {
    /// Applies the rules of an exchange, in the order of RFC 6749: which client, whether it may get a token at all,
    /// which scopes, for which server.
    pub(super) fn decide(
        &self,
        state: Option<&AuthenticatorState>,
        request: &TokenRequest,
        random: &dyn Random,
    ) -> Decision {
        let now = self.now;
        let unknown = || LedgerError::refused(Refusal::WrongSecret, request.client_id.clone());
        let state = state.ok_or_else(unknown)?;
        if request.client_id.as_ref().is_some_and(|named| *named != state.client_id) {
            return Err(unknown());
        }
        let refused = |refusal| LedgerError::refused(refusal, Some(state.client_id.clone()));
        check_alive(state, request.origin.address, now).map_err(refused)?;
        if request.jwt_bearer && !state.jwt_bearer {
            return Err(refused(Refusal::GrantNotAllowed));
        }
        if matches!(request.scope, RequestedScope::Malformed) {
            return Err(refused(Refusal::ScopeMalformed));
        }
        let target = target(state, &request.resource, &self.servers);
        let server = target.map(|target| &target.server);
        if server.is_some_and(McpServer::is_archived) {
            return Err(refused(Refusal::ServerArchived));
        }
        if server.is_some_and(|server| !server.access.admits_team(&state.team)) {
            return Err(refused(Refusal::TeamNotAllowed));
        }
        let no_scope = || LedgerError::Refused {
            refusal: Refusal::ScopeNotAllowed,
            client_id: Some(state.client_id.clone()),
            offered: target.map(|target| target.hierarchy.names().clone()),
        };
        let Some(TokenTarget { server, hierarchy, .. }) = target else {
            // A scope that the credential does not have is reported before the target is checked.
            let is_held = |asked: &Scopes| asked.iter().any(|scope| state.scopes.contains(scope));
            return Err(match &request.scope {
                RequestedScope::These(asked) if !is_held(asked) => no_scope(),
                _ if state.scopes.is_empty() => no_scope(),
                _ => refused(Refusal::TargetNotAllowed),
            });
        };
        // A request may name an implied scope alone. The token has what is granted and all that it implies.
        let held = hierarchy.closure(&state.scopes);
        let scope = match &request.scope {
            RequestedScope::These(asked) => hierarchy.closure(&asked.intersection(&held)),
            RequestedScope::Default | RequestedScope::Malformed => held,
        };
        if scope.is_empty() {
            return Err(no_scope());
        }
        let kid = self.signing.get(server.alg.as_str()).cloned().ok_or(KeyError::Missing("signing key"))?;

        let lifetime = state.token_lifetime.unwrap_or(server.token_lifetime);
        let ends = [Some(now.plus(lifetime)), state.expires_at, state.retires_at, state.hard_end_at];
        // A token does not live longer than the secret it was made with.
        let expires_at = ends.into_iter().flatten().min().unwrap_or(now);
        Ok(IssuedToken {
            jti: TokenId::generate(random, now),
            client_id: state.client_id.clone(),
            authenticator: state.id.clone(),
            status_index: state.status_index,
            server_id: server.id.clone(),
            audience: server.resource.clone(),
            scope,
            issued_at: now,
            expires_at,
            kid,
            origin: request.origin.clone(),
        })
    }
}

fn target<'server>(
    state: &AuthenticatorState,
    asked: &RequestedResource,
    servers: &'server [TokenTarget],
) -> Option<&'server TokenTarget> {
    let find = |id: &McpServerId| servers.iter().find(|target| target.server.id == *id);
    match asked {
        RequestedResource::Unusable => None,
        RequestedResource::Default => state.servers.first().and_then(find),
        RequestedResource::This(asked) => {
            let own = state.servers.iter().filter_map(find);
            resource::find(asked, own.filter_map(|target| Some((target.resource.as_deref()?, target))))
        }
    }
}

/// The assertions that the granted exchanges use up, by position. If two are equal, the second is refused.
pub(super) fn single_uses<'batch>(
    requests: &[&'batch TokenRequest],
    states: &[Option<ProofState>],
    decisions: &mut [Decision],
) -> HashMap<usize, &'batch SingleUse> {
    let mut used = HashMap::new();
    let mut seen = HashSet::new();
    for (position, (request, decision)) in requests.iter().zip(decisions.iter_mut()).enumerate() {
        if let (ClientProof::Assertion { single_use: Some(single_use), .. }, Ok(issued)) = (&request.proof, &*decision)
            && matches!(&states[position], Some(Ok(state)) if !state.reusable_assertions)
        {
            if seen.insert((issued.client_id.clone(), single_use.jti.as_str())) {
                used.insert(position, single_use);
            } else {
                *decision = Err(replayed(issued));
            }
        }
    }
    used
}

/// Refuses the requests that were not written because their assertion was used before.
pub(super) fn refuse_replays(
    single_uses: &HashMap<usize, &SingleUse>,
    fresh: &HashSet<(String, String)>,
    decisions: &mut [Decision],
) {
    for (position, single_use) in single_uses {
        if let Ok(issued) = &decisions[*position]
            && !fresh.contains(&(issued.client_id.as_str().to_owned(), single_use.jti.clone()))
        {
            decisions[*position] = Err(replayed(issued));
        }
    }
}

fn replayed(issued: &IssuedToken) -> LedgerError {
    LedgerError::refused(Refusal::AssertionReplayed, Some(issued.client_id.clone()))
}
