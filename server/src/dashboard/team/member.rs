//! The forms that give a person a role in a team.

use app::done::Done;
use app::error::ActionError;
use app::form::{Form, Refused};
use app::links;
use app::pages::person::people;
use app::pages::team::member as page;
use app::pages::team::role::read_role;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::{PersonId, TeamId};
use domain::model::field_error::FieldError;
use domain::person::team;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /teams/{team_id}/members/{person_id}`
pub async fn form(Extension(visit): Extension<Visit>, Path((team_id, person_id)): Path<(String, String)>) -> Response {
    respond(visit, || page::page(team_id, person_id, Form::default())).await
}

/// `POST /teams/{team_id}/members/{person_id}`: changes the role.
pub async fn set_role(form: Submission, Path((team_id, person_id)): Path<(String, String)>) -> Response {
    let role = form.get("role");
    let outcome = role_set(&form, &team_id, &person_id).await;
    let outcome = outcome.map(|()| Answer::Next(Done::TeamRole.at(links::team(&team_id))));
    form.answer(outcome, Some(role), |form| page::page(team_id, person_id, form)).await
}

/// `POST /people/{person_id}/teams`: adds a person to a team.
pub async fn add_to_team(form: Submission, Path(person_id): Path<String>) -> Response {
    let typed = people::Typed { team: form.get("team"), role: form.get("role") };
    let outcome = role_set(&form, &typed.team, &person_id).await;
    let outcome = outcome.map(|()| Answer::Next(Done::PersonRole.at(links::person(&person_id))));
    form.answer(outcome, typed, |form| people::one(person_id, None, form)).await
}

async fn role_set(form: &Submission, team_id: &str, person_id: &str) -> Result<(), Refused> {
    if team_id.is_empty() {
        return Err(FieldError::new("team", "Choose a team.").into());
    }
    let (Some(team), Some(person)) = (TeamId::parse(team_id), PersonId::parse(person_id)) else {
        return Err(ActionError::NotFound.into());
    };
    let role = read_role(&form.get("role"))?;
    let actor = form.actor()?;
    form.confirm().await?;
    Ok(team::set_role(form.context(), &actor, &team, &person, Some(role)).await?)
}
