//! Teams own credentials. People are members of teams, each with a [`Role`].

use serde_json::json;

use crate::base::id::{PersonId, TeamId};
use crate::model::credential::draft::check_name;
use crate::model::person::authority::{Authority, Role};
use crate::model::person::team::{Member, Summary, Team};
use crate::model::person::{Person, check_email};
use crate::prelude::{
    Action, Actor, AtField, Change, Context, Event, Fault, FieldError, Target, operation_error, through_denied,
};
use crate::store::person::invitation::Withdrawn;
use crate::store::{self, StoreError};

operation_error! {
    /// Why an operation on a team was not done.
    pub enum TeamError: Invalid {
        /// The team or person does not exist, or the actor may not see it.
        #[error("there is no such team or person")]
        NotFound,
        /// The actor does not have the role for this operation.
        #[error("the role does not allow it")]
        Forbidden,
    }
}

through_denied!(TeamError);

const MOST_TEAMS: usize = 500;

/// The teams that `authority` sees, by name.
pub async fn list(context: &Context, authority: &Authority) -> Result<Vec<Team>, Fault> {
    Ok(store::person::team::list(&context.store, authority.key()).await?)
}

/// The teams that `authority` sees, each with counts of its members and credentials. On a large instance the counts of
/// credentials may be some seconds old.
pub async fn summaries(context: &Context, authority: &Authority) -> Result<Vec<Summary>, Fault> {
    let (store, now) = (context.store.clone(), context.now());
    let key = authority.key().map(str::to_owned);
    let count = async move { Ok::<_, Fault>(store::person::team::working(&store, key.as_deref(), now).await?) };
    let working = if store::credential::list::are_many(&context.store).await? {
        context.team_counts.get(authority.key().unwrap_or_default(), now, count).await?
    } else {
        count.await?
    };
    let teams = store::person::team::with_people(&context.store, authority.key()).await?;
    let summary = |(team, people): (Team, i64)| {
        let credentials = working.get(&team.id).copied().unwrap_or_default();
        Summary { team, people, credentials }
    };
    Ok(teams.into_iter().map(summary).collect())
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

fn named(name: &str) -> Result<String, FieldError> {
    if name.trim().is_empty() { Err("Enter a name.".to_owned()) } else { check_name(name) }.at("name")
}

fn taken(error: StoreError) -> TeamError {
    match error {
        StoreError::Conflict => FieldError::new("name", "There is a team of this name already.").into(),
        error => error.into(),
    }
}

/// Adds a team. Only administrators may do this.
pub async fn create(context: &Context, actor: &Actor, name: &str) -> Result<Team, TeamError> {
    let team = Team { id: TeamId::generate(context.random.as_ref()), name: named(name)? };
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    if store::person::team::list(&mut change, None).await?.len() >= MOST_TEAMS {
        return Err(FieldError::new("name", format!("There are {MOST_TEAMS} teams already.")).into());
    }
    let now = change.now();
    store::person::team::insert(&mut change, &team, now).await.map_err(taken)?;
    change.commit(actor, &team.event(Action::TeamCreated)).await?;
    Ok(team)
}

/// Begins a change by a manager of the team, and reads the team.
async fn begin_for<'context>(
    context: &'context Context,
    actor: &Actor,
    id: &TeamId,
) -> Result<(Change<'context>, Team), TeamError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require(id, Role::Manager)?;
    let team = store::person::team::find(&mut change, id).await?.ok_or(TeamError::NotFound)?;
    Ok((change, team))
}

/// Gives the team another name.
pub async fn rename(context: &Context, actor: &Actor, id: &TeamId, name: &str) -> Result<(), TeamError> {
    let name = named(name)?;
    let (mut change, before) = begin_for(context, actor, id).await?;
    if before.name == name {
        return Ok(());
    }
    store::person::team::set_name(&mut change, id, &name).await.map_err(taken)?;
    let event = Event::new(Action::TeamRenamed, Target::Team, id.as_str(), &name)
        .with(json!({ "name": { "before": before.name, "after": name } }));
    Ok(change.commit(actor, &event).await?)
}

/// Removes a team. Only administrators may do this. A team that owns a credential, even a revoked one, stays until the
/// credential moves: without a team, nobody would see it.
pub async fn remove(context: &Context, actor: &Actor, id: &TeamId) -> Result<(), TeamError> {
    let mut change = context.begin_change().await?;
    change.authority(actor).await?.require_administrator()?;
    let team = store::person::team::find(&mut change, id).await?.ok_or(TeamError::NotFound)?;
    let refused = |message: &str| Err(FieldError::new("team", message).into());
    if *id == TeamId::first() {
        return refused("The first team stays: the command line generates for it.");
    }
    if store::person::team::owns_any(&mut change, id).await? {
        return refused("The team owns credentials, working or revoked. Move them to another team first.");
    }
    store::person::team::remove(&mut change, id).await?;
    Ok(change.commit(actor, &team.event(Action::TeamRemoved)).await?)
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
    let (mut change, team) = begin_for(context, actor, id).await?;
    let before = store::person::team::role(&mut change, id, person).await?;
    if before.is_none() {
        change.authority(actor).await?.require_administrator()?;
    }
    let who = store::person::find(&mut change, person).await?.ok_or(TeamError::NotFound)?;
    if before == role {
        return Ok(());
    }
    let now = change.now();
    match role {
        Some(role) => store::person::team::set_role(&mut change, id, person, role, now).await?,
        None => store::person::team::remove_member(&mut change, id, person).await?,
    }
    if role < before {
        // The open invitations of this person depended on the role. An open invitation for this person would give the
        // role back.
        store::person::invitation::withdraw_to(&mut change, &who.email, Withdrawn::Team(id), now).await?;
        if who.administrator_since.is_none() {
            store::person::invitation::withdraw_of(&mut change, person, Some(id), now).await?;
        }
    }
    Ok(change.commit(actor, &role_event(&team, &who, before, role)).await?)
}

/// Adds the owner of an e-mail address to a team, when an account with this address exists, may sign in, and has proven
/// the address. Other addresses get `None` and change nothing: the caller sends an [invitation](super::invitation)
/// instead. So a manager does not learn which accounts are disabled, and nobody gets a role by an address that another
/// manager only claimed for them. An open invitation of the person into the team stops working.
///
/// # Errors
///
/// [`TeamError::Invalid`] when the person is in the team already.
pub async fn add(
    context: &Context,
    actor: &Actor,
    id: &TeamId,
    email: &str,
    role: Role,
) -> Result<Option<Person>, TeamError> {
    let email = check_email(email)?;
    let (mut change, team) = begin_for(context, actor, id).await?;
    let found = store::person::find_by_email(&mut change, &email).await?;
    let Some(person) = found else { return Ok(None) };
    if let Some(held) = store::person::team::role(&mut change, id, &person.id).await? {
        let message =
            format!("{} is in the team already, as {}. Change their role instead.", person.name, held.as_str());
        return Err(FieldError::new("email", message).into());
    }
    if person.disabled_at.is_some() || person.address_proven_at.is_none() {
        return Ok(None);
    }
    let now = change.now();
    store::person::team::set_role(&mut change, id, &person.id, role, now).await?;
    store::person::invitation::withdraw_to(&mut change, &email, Withdrawn::Team(id), now).await?;
    change.commit(actor, &role_event(&team, &person, None, Some(role))).await?;
    Ok(Some(person))
}

/// The audit event: a person has another role in a team.
pub(crate) fn role_event(team: &Team, person: &Person, before: Option<Role>, after: Option<Role>) -> Event {
    team.event(Action::TeamRoleChanged).about(&person.id).with(json!({
        "person": person.name,
        "person_id": person.id.as_str(),
        "role": { "before": before.map(Role::as_str), "after": after.map(Role::as_str) },
    }))
}
