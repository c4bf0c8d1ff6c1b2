//! Moving credentials to another team: what stands in the way, and what becomes of their owners.

use crate::base::id::{PersonId, TeamId};
use crate::credential::several::outcome::{Done, Kept};
use crate::credential::{Result, changed_event, complies, generate, moved_event, owner_change};
use crate::model::credential::{Credential, Owner};
use crate::model::operations::policy::CredentialFacts;
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::Team;
use crate::model::server::{McpServer, PRIVILEGED_SCOPES};
use crate::prelude::{Actor, Change, Changes, Context, Fault, FieldError};
use crate::store;

/// Where credentials move, checked once for all of them.
pub(super) struct Move {
    team: Team,
    /// The owner of what loses its owner.
    owner: Option<Owner>,
    /// Whether this owner gets it in any case: a move is reversed that brought another owner.
    pub(super) restores: bool,
    servers: Vec<McpServer>,
}

impl Move {
    /// Checks that the actor manages the team, and that the owner sees it.
    pub(super) async fn checked(
        change: &mut Change<'_>,
        actor: &Actor,
        team: &TeamId,
        owner: Option<&PersonId>,
    ) -> Result<Self> {
        change.authority(actor).await?.require(team, Role::Manager)?;
        let team = store::person::team::find(&mut *change, team).await?;
        let team = team.ok_or_else(|| FieldError::new("team", "Choose a team."))?;
        let owner = match owner {
            Some(person) => Some(generate::owner(change, &team, person).await?),
            None => None,
        };
        Ok(Self { team, owner, restores: false, servers: store::server::list(change).await? })
    }
}

/// What a move would do to one credential.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// The credential.
    pub credential: Credential,
    /// Why it would stay.
    pub kept: Option<Kept>,
    /// Its MCP servers that are not open to the new team.
    pub closed: Vec<McpServer>,
    /// Whether its owner is not in the new team.
    pub loses_owner: bool,
}

/// What a move to the team would do to each of the credentials. The move itself decides again.
pub async fn foresee(
    context: &Context,
    authority: &Authority,
    credentials: Vec<Credential>,
    team: &TeamId,
) -> Result<Vec<Foreseen>, Fault> {
    let servers = store::server::list(&context.store).await?;
    let policies = store::operations::policy::all(&context.store).await?;
    let complies = |before: &Credential| {
        let after = Credential { team: team.clone(), ..before.clone() };
        let (after, before) = (CredentialFacts::of(&after, &servers), CredentialFacts::of(before, &servers));
        policies.check(&after, Some(&before)).is_ok()
    };
    let mut foreseen = Vec::with_capacity(credentials.len());
    for credential in credentials {
        let loses_owner = match &credential.owner {
            Some(owner) => !sees(&context.store, &owner.id, team).await?,
            None => false,
        };
        let may = authority.role_in(&credential.team).is_some_and(|role| role >= Role::Manager);
        let kept = match obstacle(&credential, team, &servers, authority) {
            _ if !may => Some(Kept::Role),
            None if credential.revoked_at.is_none() && !complies(&credential) => Some(Kept::Policy),
            kept => kept,
        };
        let closed = match kept {
            Some(Kept::Server) => closed_to(&credential, team, &servers).cloned().collect(),
            _ => Vec::new(),
        };
        foreseen.push(Foreseen { credential, kept, closed, loses_owner });
    }
    Ok(foreseen)
}

/// Whether the person may still sign in and sees the team.
async fn sees(store: &store::Store, person: &PersonId, team: &TeamId) -> Result<bool, Fault> {
    let authority = store::person::team::authority_of_person(store, person).await?;
    Ok(authority.is_some_and(|authority| authority.role_in(team).is_some()))
}

/// The MCP servers of the credential that are not open to the team.
fn closed_to<'servers>(
    credential: &'servers Credential,
    team: &'servers TeamId,
    servers: &'servers [McpServer],
) -> impl Iterator<Item = &'servers McpServer> {
    servers.iter().filter(|server| credential.servers.contains(&server.id) && !server.access.admits_team(team))
}

/// Why the credential cannot move to the team.
fn obstacle(credential: &Credential, team: &TeamId, servers: &[McpServer], authority: &Authority) -> Option<Kept> {
    if credential.team == *team {
        return Some(Kept::Already);
    }
    // What is revoked gets no tokens, whatever the new team may use.
    if credential.revoked_at.is_some() {
        return None;
    }
    if !authority.is_administrator() && PRIVILEGED_SCOPES.iter().any(|scope| credential.scopes.contains(scope)) {
        return Some(Kept::Scope);
    }
    closed_to(credential, team, servers).next().map(|_| Kept::Server)
}

/// Moves the credential under the rules of an edit. An owner who is not in the new team is left behind.
pub(super) async fn moved(
    change: &mut Change<'_>,
    actor: &Actor,
    before: Credential,
    to: &Move,
) -> Result<Result<Done, Kept>> {
    let authority = change.authority(actor).await?;
    if let Some(kept) = obstacle(&before, &to.team.id, &to.servers, &authority) {
        return Ok(Err(kept));
    }
    let mut after = Credential { team: to.team.id.clone(), ..before.clone() };
    if before.revoked_at.is_none() && !complies(change, &before, &after, &to.servers).await? {
        return Ok(Err(Kept::Policy));
    }
    let mut changes = Changes::default();
    if to.restores && to.owner.is_some() {
        after.owner.clone_from(&to.owner);
        changes.add("owner", owner_change(before.owner.as_ref(), to.owner.as_ref()));
    } else if let Some(owner) = &before.owner {
        let stays = store::person::team::authority_of_person(&mut *change, &owner.id).await?;
        if stays.is_none_or(|stays| stays.role_in(&to.team.id).is_none()) {
            after.owner.clone_from(&to.owner);
            changes.add("owner", owner_change(Some(owner), to.owner.as_ref()));
        }
    }
    let old_team = store::person::team::find(&mut *change, &before.team).await?;
    let now = change.now();
    store::credential::update(change, &after, now).await?;
    Ok(Ok((moved_event(&before, old_team, &to.team), changed_event(&after, changes))))
}
