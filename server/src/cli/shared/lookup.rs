//! Finds the things that options name.

use domain::base::id::{PersonId, TeamId};
use domain::context::Context;
use domain::model::person::authority::Authority;
use domain::model::person::team::Team;
use domain::person::{manage, team};

use super::error::CliError;
use crate::config::ConfigError;

/// The person that `--owner` names by the email address or the ID.
pub(crate) async fn person_named(context: &Context, name: &str) -> Result<PersonId, CliError> {
    let people = manage::list(context).await?;
    let is_meant = |email: &str, id: &PersonId| email.eq_ignore_ascii_case(name) || id.as_str() == name;
    let found = people.into_iter().map(|listed| listed.person).find(|person| is_meant(&person.email, &person.id));
    found
        .map(|person| person.id)
        .ok_or_else(|| ConfigError::new("--owner", format!("there is no person {name}")).into())
}

/// The team that `--team` names.
pub(crate) async fn team_named(context: &Context, name: &str) -> Result<TeamId, CliError> {
    let teams = team::list(context, &Authority::Everything).await?;
    let is_meant = |team: &&Team| team.name.to_lowercase() == name.to_lowercase();
    let found = teams.iter().find(is_meant).map(|team| team.id.clone());
    found.ok_or_else(|| {
        let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
        ConfigError::new("--team", format!("there is no team {name}; there is {}", names.join(", "))).into()
    })
}
