//! The forms of teams and invitations that validate, reveal a link, or ask for the password.

use app::action::ActionError;
use app::pages::teams::{self, Typed, read_role};
use app::pages::{invitation as invitation_page, people};
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::error::FieldError;
use domain::id::{PersonId, TeamId};
use domain::invitation::{self, Grant, InvitationError};
use domain::team::{self, TeamError};
use tower_sessions::Session;

use super::confirm::{Refused, confirm_unless_fresh};
use super::pages::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /teams`
pub async fn list(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    respond(visit, || teams::page(fields.find("done"))).await
}

/// `GET /teams/new`
pub async fn new_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || teams::new_page(String::new(), Vec::new())).await
}

/// `POST /teams/new`
pub async fn create(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let name = fields.get("name");
    let result = match visit.actor() {
        Ok(actor) => team::create(&visit.context, &actor, &name).await,
        Err(error) => return respond(visit, async || Err(error)).await,
    };
    match result {
        Ok(team) => Redirect::to(&format!("/teams/{}?done=created", team.id)).into_response(),
        Err(TeamError::Invalid(errors)) => respond(visit, || teams::new_page(name, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

/// `GET /teams/{team_id}`
pub async fn one(
    Extension(visit): Extension<Visit>,
    Path(team_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields_of(query);
    respond(visit, || teams::one(team_id, fields.find("done"), None, Vec::new())).await
}

/// `POST /teams/{team_id}/name`
pub async fn rename(
    Extension(visit): Extension<Visit>,
    Path(team_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let name = fields.get("name");
    let result = async {
        let id = TeamId::parse(&team_id).ok_or(TeamError::NotFound)?;
        let actor = visit.actor().map_err(|_| TeamError::NotFound)?;
        team::rename(&visit.context, &actor, &id, &name).await
    };
    match result.await {
        Ok(()) => Redirect::to(&format!("/teams/{team_id}?done=name")).into_response(),
        Err(TeamError::Invalid(errors)) => respond(visit, || teams::one(team_id, None, Some(name), errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

/// `GET /teams/{team_id}/members/{person_id}`
pub async fn member(
    Extension(visit): Extension<Visit>,
    Path((team_id, person_id)): Path<(String, String)>,
) -> Response {
    respond(visit, || teams::member_page(team_id, person_id, None, Vec::new(), false)).await
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
            respond(visit, || teams::member_page(team_id, person_id, role, errors, ask_password)).await
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

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Fields { errors: vec![error], ask_password: false }
    }
}

impl From<TeamError> for Refused {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
    }
}

impl From<InvitationError> for Refused {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
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

/// `GET /teams/{team_id}/invite`
pub async fn invite_form(Extension(visit): Extension<Visit>, Path(team_id): Path<String>) -> Response {
    respond(visit, || teams::invite_page(Some(team_id), Typed::default(), Vec::new(), false)).await
}

/// `GET /people/invite`
pub async fn invite_anywhere_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || teams::invite_page(None, Typed::default(), Vec::new(), false)).await
}

/// `POST /teams/{team_id}/invite`
pub async fn invite(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(team_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    answer_invite(visit, session, fields, Some(team_id)).await
}

/// `POST /people/invite`
pub async fn invite_anywhere(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    answer_invite(visit, session, fields, None).await
}

/// Invites, and answers with the one page that shows the link. A reload makes another link, and the one before stops
/// working: nothing is there twice.
async fn answer_invite(visit: Visit, session: Session, fields: Fields, into: Option<String>) -> Response {
    let typed = Typed {
        email: fields.get("email"),
        team: into.clone().unwrap_or_else(|| fields.get("team")),
        role: fields.get("role"),
    };
    match try_invite(&visit, &session, &fields, &typed).await {
        Ok((invitation, token)) => {
            let onward = match &invitation.grant {
                Grant::Team(team, _) if into.is_some() => format!("/teams/{team}"),
                _ => "/people".to_owned(),
            };
            respond(visit, async || Ok(invitation_page::link_page(&invitation, &token, onward))).await
        }
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || teams::invite_page(into, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_invite(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &Typed,
) -> Result<(invitation::Invitation, String), Refused> {
    let grant = typed.grant()?;
    let actor = visit.actor()?;
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(invitation::invite(&visit.context, &actor, &typed.email, grant).await?)
}
