//! Finds the things that arguments name.

use domain::context::Context;
use domain::model::person::Person;
use domain::model::person::authority::Authority;
use domain::model::person::team::Team;
use domain::person::{manage, team};

use super::error::CliError;
use crate::config::ConfigError;

/// The person that `argument` names by the email address or the ID.
pub(crate) async fn person_named(context: &Context, argument: &str, name: &str) -> Result<Person, CliError> {
    let people = manage::list(context).await?;
    let is_meant = |person: &Person| person.email.eq_ignore_ascii_case(name) || person.id.as_str() == name;
    let found = people.into_iter().map(|listed| listed.person).find(is_meant);
    found.ok_or_else(|| ConfigError::new(argument, format!("there is no person {name}")).into())
}

/// The team that `argument` names by the name or the ID.
pub(crate) async fn team_named(context: &Context, argument: &str, name: &str) -> Result<Team, CliError> {
    let mut teams = team::list(context, &Authority::Everything).await?;
    let is_meant = |team: &Team| team.name.to_lowercase() == name.to_lowercase() || team.id.as_str() == name;
    if let Some(found) = teams.iter().position(is_meant) {
        return Ok(teams.swap_remove(found));
    }
    let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
    Err(ConfigError::new(argument, format!("there is no team {name}; there is {}", names.join(", "))).into())
}
