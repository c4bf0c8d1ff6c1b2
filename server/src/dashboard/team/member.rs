//! The forms that give somebody a role in a team.

use app::error::ActionError;
use app::pages::person::people;
use app::pages::team::member as page;
use app::pages::team::role::read_role;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::{PersonId, TeamId};
use domain::model::field_error::FieldError;
use domain::person::team;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /teams/{team_id}/members/{person_id}`
pub async fn form(Extension(visit): Extension<Visit>, Path((team_id, person_id)): Path<(String, String)>) -> Response {
    respond(visit, || page::page(team_id, person_id, None, Vec::new(), false)).await
}

/// `POST /teams/{team_id}/members/{person_id}`: another role.
pub async fn set_role(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path((team_id, person_id)): Path<(String, String)>,
    Extension(fields): Extension<Fields>,
) -> Response {
    match try_set_role(&visit, &session, &fields, &team_id, &person_id).await {
        Ok(()) => Redirect::to(&format!("/teams/{team_id}?done=role")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            let role = Some(fields.get("role"));
            respond(visit, || page::page(team_id, person_id, role, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// `POST /people/{person_id}/teams`: puts somebody into a team.
pub async fn add_to_team(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(person_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    match try_set_role(&visit, &session, &fields, &fields.get("team"), &person_id).await {
        Ok(()) => Redirect::to(&format!("/people/{person_id}?done=role")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            let typed = people::Typed { team: fields.get("team"), role: fields.get("role") };
            respond(visit, || people::one(person_id, None, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_set_role(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    team_id: &str,
    person_id: &str,
) -> Result<(), Refused> {
    if team_id.is_empty() {
        return Err(FieldError::new("team", "Choose a team.").into());
    }
    let (Some(team), Some(person)) = (TeamId::parse(team_id), PersonId::parse(person_id)) else {
        return Err(ActionError::NotFound.into());
    };
    let role = read_role(&fields.get("role"))?;
    let actor = visit.actor()?;
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(team::set_role(&visit.context, &actor, &team, &person, Some(role)).await?)
}
