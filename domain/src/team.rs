//! Teams own credentials. People are in teams, each with a [`Role`].

use serde_json::json;

use crate::actor::Actor;
use crate::audit::Event;
use crate::authority::{Authority, Denied, Role};
use crate::context::{Change, Context};
use crate::credential::draft::check_name;
use crate::error::{Fault, FieldError};
use crate::id::{PersonId, TeamId};
use crate::person::Person;
use crate::store::invitations::Withdrawn;
use crate::store::{self, StoreError};

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Identifier.
    pub id: TeamId,
    /// Name, unique whatever the case of its letters.
    pub name: String,
}

/// A team and how much there is of it.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The team.
    pub team: Team,
    /// How many people are in it.
    pub people: i64,
    /// How many of its credentials work.
    pub credentials: i64,
}

/// Somebody in a team.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub person: PersonId,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// What they may do in it.
    pub role: Role,
    /// Whether they cannot sign in.
    pub disabled: bool,
}

/// A team that somebody is in.
#[derive(Debug, Clone)]
pub struct PersonsTeam {
    /// The team.
    pub team: Team,
    /// What they may do in it.
    pub role: Role,
}

/// Why nothing was done with a team.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// There is no such team or person for whoever asks.
    #[error("there is no such team or person")]
    NotFound,
    /// The role is missing.
    #[error("the role does not allow it")]
    Forbidden,
    /// The input is wrong; nothing was changed.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for TeamError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Denied> for TeamError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unseen => Self::NotFound,
            Denied::TooLittle => Self::Forbidden,
        }
    }
}

const MOST_TEAMS: usize = 500;

/// The teams that `authority` sees, by name.
pub async fn list(context: &Context, authority: &Authority) -> Result<Vec<Team>, Fault> {
    Ok(store::teams::list(context.store.reads(), authority.key()).await?)
}

/// The same with how much there is of each.
pub async fn summaries(context: &Context, authority: &Authority) -> Result<Vec<Summary>, Fault> {
    Ok(store::teams::summaries(&context.store, authority.key(), context.now()).await?)
}

/// The team, for those who see it.
pub async fn find(context: &Context, authority: &Authority, id: &TeamId) -> Result<Option<Team>, Fault> {
    if authority.role_in(id).is_none() {
        return Ok(None);
    }
    Ok(store::teams::find(context.store.reads(), id).await?)
}

/// Who is in a team, by name.
pub async fn members(context: &Context, id: &TeamId) -> Result<Vec<Member>, Fault> {
    Ok(store::teams::members(&context.store, id).await?)
}

fn named(name: &str) -> Result<String, TeamError> {
    check_name(name).map_err(|_| {
        TeamError::Invalid(vec![FieldError::new(
            "name",
            "Enter a name of at most 100 letters, digits and punctuation.",
        )])
    })
}

fn taken(error: StoreError) -> TeamError {
    match error {
        StoreError::Conflict => {
            TeamError::Invalid(vec![FieldError::new("name", "There is a team of this name already.")])
        }
        error => error.into(),
    }
}

/// Makes a team. Administrators only.
pub async fn create(context: &Context, actor: &Actor, name: &str) -> Result<Team, TeamError> {
    let team = Team { id: TeamId::generate(context.random.as_ref()), name: named(name)? };
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    if store::teams::list(&mut **change.transaction(), None).await?.len() >= MOST_TEAMS {
        return Err(TeamError::Invalid(vec![FieldError::new(
            "name",
            format!("There are {MOST_TEAMS} teams already."),
        )]));
    }
    let now = change.now();
    store::teams::insert(change.transaction(), &team, now).await.map_err(taken)?;
    change.commit(actor, &event("team.created", &team)).await?;
    Ok(team)
}

fn event(action: &'static str, team: &Team) -> Event {
    Event::new(action, "team", team.id.as_str(), &team.name)
}

/// The team inside a change by `actor`, who needs `role` in it.
async fn find_for(change: &mut Change<'_>, actor: &Actor, id: &TeamId, role: Role) -> Result<Team, TeamError> {
    change.authority(actor).await?.require(id, role)?;
    store::teams::find(&mut **change.transaction(), id).await?.ok_or(TeamError::NotFound)
}

/// Gives the team another name.
pub async fn rename(context: &Context, actor: &Actor, id: &TeamId, name: &str) -> Result<(), TeamError> {
    let name = named(name)?;
    let mut change = context.begin_change().await?;
    let before = find_for(&mut change, actor, id, Role::Manager).await?;
    if before.name == name {
        return Ok(());
    }
    store::teams::set_name(change.transaction(), id, &name).await.map_err(taken)?;
    let event = Event::new("team.renamed", "team", id.as_str(), &name)
        .with(json!({ "name": { "before": before.name, "after": name } }));
    change.commit(actor, &event).await?;
    Ok(())
}

/// Removes a team that owns no credential, not even a revoked one: the audit log would lose whose it was. Administrators
/// only.
pub async fn remove(context: &Context, actor: &Actor, id: &TeamId) -> Result<(), TeamError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let team = store::teams::find(&mut **change.transaction(), id).await?.ok_or(TeamError::NotFound)?;
    let refused = |message: &str| Err(TeamError::Invalid(vec![FieldError::new("team", message)]));
    if *id == TeamId::first() {
        return refused("The first team stays: the command line generates for it.");
    }
    if store::teams::owns_any(change.transaction(), id).await? {
        return refused(
            "The team owns credentials, working or revoked: their history is the team’s. Rename it instead.",
        );
    }
    store::teams::remove(change.transaction(), id).await?;
    change.commit(actor, &event("team.removed", &team)).await?;
    Ok(())
}

/// Gives somebody another role in the team, or takes them out of it. Managers may do this to who is in it; who is not comes
/// by an invitation, or is put there by an administrator. What they made stays the team's.
pub async fn set_role(
    context: &Context,
    actor: &Actor,
    id: &TeamId,
    person: &PersonId,
    role: Option<Role>,
) -> Result<(), TeamError> {
    let mut change = context.begin_change().await?;
    let team = find_for(&mut change, actor, id, Role::Manager).await?;
    let before = store::teams::role(change.transaction(), id, person).await?;
    if before.is_none() {
        change.authority(actor).await?.require_administrator()?;
    }
    let who = store::people::find_in(change.transaction(), person).await?.ok_or(TeamError::NotFound)?;
    if before == role {
        return Ok(());
    }
    let now = change.now();
    match role {
        Some(role) => store::teams::set_role(change.transaction(), id, person, role, now).await?,
        None => store::teams::remove_member(change.transaction(), id, person).await?,
    }
    if role < before {
        // What they sent stood on the role, and a link that gives it back would undo this.
        store::invitations::withdraw_to(change.transaction(), &who.email, Withdrawn::Team(id), now).await?;
        if who.administrator_since.is_none() {
            store::invitations::withdraw_of(change.transaction(), person, Some(id), now).await?;
        }
    }
    change.commit(actor, &role_event(&team, &who, before, role)).await?;
    Ok(())
}

/// That somebody has another role in a team.
pub(crate) fn role_event(team: &Team, person: &Person, before: Option<Role>, after: Option<Role>) -> Event {
    event("team.role_changed", team).with(json!({
        "person": person.name,
        "person_id": person.id.as_str(),
        "role": { "before": before.map(Role::as_str), "after": after.map(Role::as_str) },
    }))
}
