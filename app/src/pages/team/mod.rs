//! Teams: their members, the members' roles, and how people join.

pub mod invite;
pub mod list;
pub mod member;
pub mod new;
pub mod remove;
pub mod rename;
pub mod role;
pub mod show;

use domain::base::id::{PersonId, TeamId};
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::person::team;

use crate::prelude::*;

/// Who may stop the credentials of this team, for a person who may not: its managers and members, or an administrator
/// when it has none.
pub(crate) async fn who_may_act(visit: &Visit, team: &TeamId) -> Result<String, ActionError> {
    let members = team::members(&visit.context, team).await?;
    let members = members.into_iter().filter(|member| member.role != Role::Viewer && !member.disabled);
    let names: Vec<String> = members.map(|member| format!("{} ({})", member.name, member.email)).collect();
    Ok(if names.is_empty() { "an administrator".to_owned() } else { names.join(", ") })
}

/// The teams of a person that have no other manager who may sign in.
pub(crate) async fn only_manager_of(
    visit: &Visit,
    person: &PersonId,
    teams: &[Team],
) -> Result<Vec<String>, ActionError> {
    let mut names = Vec::new();
    for team in teams {
        let members = team::members(&visit.context, &team.id).await?;
        let (own, others): (Vec<_>, Vec<_>) = members
            .into_iter()
            .filter(|member| member.role == Role::Manager && !member.disabled)
            .partition(|member| member.person == *person);
        if !own.is_empty() && others.is_empty() {
            names.push(team.name.clone());
        }
    }
    Ok(names)
}

/// The team at this address.
pub(crate) async fn find(visit: &Visit, id: &str) -> Result<Team, ActionError> {
    let id = TeamId::parse(id).ok_or(ActionError::NotFound)?;
    team::find(&visit.context, visit.authority()?, &id).await?.ok_or(ActionError::NotFound)
}
