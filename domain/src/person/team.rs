//! Teams own credentials. People are members of teams, each with a [`Role`].

use serde_json::json;

use crate::base::id::{PersonId, TeamId};
use crate::change::Change;
use crate::context::Context;
use crate::error::{Fault, through_denied, through_fault};
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::credential::draft::check_name;
use crate::model::field_error::FieldError;
use crate::model::person::Person;
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::{Member, Summary, Team};
use crate::store::person::invitation::Withdrawn;
use crate::store::{self, StoreError};

/// Why an operation on a team was not done.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// The team or person does not exist, or the actor may not see it.
    #[error("there is no such team or person")]
    NotFound,
    /// The actor does not have the role for this operation.
    #[error("the role does not allow it")]
    Forbidden,
    /// The input is wrong; nothing was changed.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(TeamError: StoreError);
through_denied!(TeamError);

const MOST_TEAMS: usize = 500;

/// The teams that `authority` sees, by name.
pub async fn list(context: &Context, authority: &Authority) -> Result<Vec<Team>, Fault> {
    Ok(store::person::team::list(&context.store, authority.key()).await?)
}

/// The teams that `authority` sees, each with counts of its members and credentials.
pub async fn summaries(context: &Context, authority: &Authority) -> Result<Vec<Summary>, Fault> {
    Ok(store::person::team::summaries(&context.store, authority.key(), context.now()).await?)
}

/// The team, when `authority` sees it.
pub async fn find(context: &Context, authority: &Authority, id: &TeamId) -> Result<Option<Team>, Fault> {
    if authority.role_in(id).is_none() {
        return Ok(None);
    }
    Ok(store::person::team::find(&context.store, id).await?)
}

/// The members of a team, by name.
pub async fn members(context: &Context, id: &TeamId) -> Result<Vec<Member>, Fault> {
    Ok(store::person::team::members(&context.store, id).await?)
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

/// Adds a team. Only administrators may do this.
pub async fn create(context: &Context, actor: &Actor, name: &str) -> Result<Team, TeamError> {
    let team = Team { id: TeamId::generate(context.random.as_ref()), name: named(name)? };
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    if store::person::team::list(change.transaction(), None).await?.len() >= MOST_TEAMS {
        return Err(TeamError::Invalid(vec![FieldError::new(
            "name",
            format!("There are {MOST_TEAMS} teams already."),
        )]));
    }
    let now = change.now();
    store::person::team::insert(change.transaction(), &team, now).await.map_err(taken)?;
    change.commit(actor, &event(Action::TeamCreated, &team)).await?;
    Ok(team)
}

fn event(action: Action, team: &Team) -> Event {
    Event::new(action, Target::Team, team.id.as_str(), &team.name)
}

/// Reads the team inside a change by `actor`, who needs `role` in it.
async fn find_for(change: &mut Change<'_>, actor: &Actor, id: &TeamId, role: Role) -> Result<Team, TeamError> {
    change.authority(actor).await?.require(id, role)?;
    store::person::team::find(change.transaction(), id).await?.ok_or(TeamError::NotFound)
}

/// Gives the team another name.
pub async fn rename(context: &Context, actor: &Actor, id: &TeamId, name: &str) -> Result<(), TeamError> {
    let name = named(name)?;
    let mut change = context.begin_change().await?;
    let before = find_for(&mut change, actor, id, Role::Manager).await?;
    if before.name == name {
        return Ok(());
    }
    store::person::team::set_name(change.transaction(), id, &name).await.map_err(taken)?;
    let event = Event::new(Action::TeamRenamed, Target::Team, id.as_str(), &name)
        .with(json!({ "name": { "before": before.name, "after": name } }));
    change.commit(actor, &event).await?;
    Ok(())
}

/// Removes a team. Only administrators may do this. A team that owns a credential, even a revoked one, stays: without
/// the team, the audit log would not show who owned the credential.
pub async fn remove(context: &Context, actor: &Actor, id: &TeamId) -> Result<(), TeamError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let team = store::person::team::find(change.transaction(), id).await?.ok_or(TeamError::NotFound)?;
    let refused = |message: &str| Err(TeamError::Invalid(vec![FieldError::new("team", message)]));
    if *id == TeamId::first() {
        return refused("The first team stays: the command line generates for it.");
    }
    if store::person::team::owns_any(change.transaction(), id).await? {
        return refused(
            "The team owns credentials, working or revoked: their history is the team’s. Rename it instead.",
        );
    }
    store::person::team::remove(change.transaction(), id).await?;
    change.commit(actor, &event(Action::TeamRemoved, &team)).await?;
    Ok(())
}

/// Gives a person another role in the team, or removes them from it. Managers may do this only for members. A person
/// who is not a member joins by an invitation, or an administrator adds them. What the person made stays with the team.
pub async fn set_role(
    context: &Context,
    actor: &Actor,
    id: &TeamId,
    person: &PersonId,
    role: Option<Role>,
) -> Result<(), TeamError> {
    let mut change = context.begin_change().await?;
    let team = find_for(&mut change, actor, id, Role::Manager).await?;
    let before = store::person::team::role(change.transaction(), id, person).await?;
    if before.is_none() {
        change.authority(actor).await?.require_administrator()?;
    }
    let who = store::person::find(change.transaction(), person).await?.ok_or(TeamError::NotFound)?;
    if before == role {
        return Ok(());
    }
    let now = change.now();
    match role {
        Some(role) => store::person::team::set_role(change.transaction(), id, person, role, now).await?,
        None => store::person::team::remove_member(change.transaction(), id, person).await?,
    }
    if role < before {
        // The open invitations of this person depended on the role. An open invitation for this person would give the
        // role back.
        store::person::invitation::withdraw_to(change.transaction(), &who.email, Withdrawn::Team(id), now).await?;
        if who.administrator_since.is_none() {
            store::person::invitation::withdraw_of(change.transaction(), person, Some(id), now).await?;
        }
    }
    change.commit(actor, &role_event(&team, &who, before, role)).await?;
    Ok(())
}

/// The audit event: a person has another role in a team.
pub(crate) fn role_event(team: &Team, person: &Person, before: Option<Role>, after: Option<Role>) -> Event {
    event(Action::TeamRoleChanged, team).with(json!({
        "person": person.name,
        "person_id": person.id.as_str(),
        "role": { "before": before.map(Role::as_str), "after": after.map(Role::as_str) },
    }))
}
