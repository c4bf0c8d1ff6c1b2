//! The forms that invite people.

use app::form::Form;
use app::links;
use app::pages::person::invitation as invitation_page;
use app::pages::team::invite as page;
use app::pages::team::invite::Typed;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::model::person::team::InvitedRole;
use domain::person::invitation;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /teams/{team_id}/invite`
pub async fn form(Extension(visit): Extension<Visit>, Path(team_id): Path<String>) -> Response {
    respond(visit, || page::page(Some(team_id), Form::default())).await
}

/// `GET /people/invite`
pub async fn anywhere_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(None, Form::default())).await
}

/// `POST /teams/{team_id}/invite`
pub async fn invite(form: Submission, Path(team_id): Path<String>) -> Response {
    answer(form, Some(team_id)).await
}

/// `POST /people/invite`
pub async fn invite_anywhere(form: Submission) -> Response {
    answer(form, None).await
}

/// Invites a person. The answer is the only page that shows the link. A reload makes another link, and the link before
/// it stops working. So no invitation exists twice.
async fn answer(form: Submission, into: Option<String>) -> Response {
    let team = into.clone().unwrap_or_else(|| form.get("team"));
    let typed = Typed { email: form.get("email"), team, role: form.get("role") };
    let invited = async {
        let role = typed.grant()?;
        let actor = form.actor()?;
        form.confirm().await?;
        let (invitation, token) = invitation::invite(form.context(), &actor, &typed.email, role).await?;
        let onward = match &invitation.grant {
            InvitedRole::Team(team, _) if into.is_some() => links::team(team),
            _ => links::PEOPLE.to_owned(),
        };
        Ok(Answer::page(move || invitation_page::link_page(&invitation, &token, onward)))
    };
    let outcome = invited.await;
    form.answer(outcome, typed, |form| page::page(into, form)).await
}
