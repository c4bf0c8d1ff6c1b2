//! The forms that invite people.

use app::pages::person::invitation as invitation_page;
use app::pages::team::invite as page;
use app::pages::team::invite::Typed;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::model::team::{Invitation, InvitedRole};
use domain::person::invitation;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /teams/{team_id}/invite`
pub async fn form(Extension(visit): Extension<Visit>, Path(team_id): Path<String>) -> Response {
    respond(visit, || page::page(Some(team_id), Typed::default(), Vec::new(), false)).await
}

/// `GET /people/invite`
pub async fn anywhere_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(None, Typed::default(), Vec::new(), false)).await
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
                InvitedRole::Team(team, _) if into.is_some() => format!("/teams/{team}"),
                _ => "/people".to_owned(),
            };
            respond(visit, async || Ok(invitation_page::link_page(&invitation, &token, onward))).await
        }
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::page(into, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_invite(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &Typed,
) -> Result<(Invitation, String), Refused> {
    let grant = typed.grant()?;
    let actor = visit.actor()?;
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(invitation::invite(&visit.context, &actor, &typed.email, grant).await?)
}
