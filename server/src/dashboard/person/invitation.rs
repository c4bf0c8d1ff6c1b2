//! The page that an invitation's link opens.

use app::form::Errors;
use app::pages::person::invitation as page;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect};
use domain::crypto::password::Password;
use domain::model::field_error::FieldError;
use domain::model::person::team::InvitedRole;
use domain::person::invitation::{self, InvitationError};
use domain::person::sign_in::ShownFactor;

use crate::dashboard::auth::enter_as;
use crate::dashboard::prelude::{ActionError, Done, Form, Response, Submission, links, respond};
use crate::dashboard::submit::STALE;

/// `GET /invitation?token=…`
pub(crate) async fn form(asked: Submission) -> Response {
    show(asked, Form::default()).await
}

/// The page of the invitation for this visitor. Whoever has no account sees the form with their name.
async fn show(asked: Submission, name: Form<String>) -> Response {
    let token = asked.get("token");
    let viewer = asked.visit.viewer.as_ref().map(|viewer| viewer.email.clone());
    let context = asked.context().clone();
    let mut response = respond(asked.visit, async move {
        let Some((invitation, exists)) = invitation::open(&context, &token).await? else {
            return Ok(page::unusable());
        };
        match viewer {
            Some(email) if email == invitation.email => page::join_page(invitation, token).await,
            Some(_) => Ok(page::for_somebody_else(&invitation.email)),
            None if exists => Ok(page::sign_in_first(&invitation.email)),
            None => page::account_page(invitation, token, name).await,
        }
    })
    .await;
    // The address of this page is a secret, even when the page shows no secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /invitation`: makes the account and signs the person in, or gives the role to the signed-in person.
pub(crate) async fn accept(form: Submission) -> Response {
    let (token, name) = (form.get("token"), form.get("name"));
    if form.visit.is_stale {
        let errors = Errors(vec![FieldError::new("main", STALE)]);
        return show(form, Form { typed: name, errors, confirm: false }).await;
    }
    let error = if form.visit.viewer.is_some() {
        match join(&form, &token).await {
            Ok(next) => return Redirect::to(&next).into_response(),
            Err(error) => error,
        }
    } else {
        let password = Password::new(form.get("password"));
        let (address, agent) = (form.visit.address, form.visit.agent.clone());
        let accepted = invitation::accept_as_new(form.context(), &token, &name, password, |actor| {
            actor.at(address, agent.as_deref())
        });
        match accepted.await {
            Ok(person) => return enter_as(&form, &person, ShownFactor::Password, links::OVERVIEW).await,
            Err(error) => error,
        }
    };
    let context = form.context().clone();
    respond(form.visit, async move {
        if matches!(error, InvitationError::LinkUnusable) {
            return Ok(page::unusable());
        }
        let Some((invitation, _)) = invitation::open(&context, &token).await? else { return Ok(page::unusable()) };
        match error {
            InvitationError::Invalid(errors) => {
                let form = Form { typed: name, errors: Errors(errors), confirm: false };
                page::account_page(invitation, token, form).await
            }
            InvitationError::ForSomebodyElse => Ok(page::for_somebody_else(&invitation.email)),
            InvitationError::AccountExists => Ok(page::sign_in_first(&invitation.email)),
            error => Err(ActionError::from(error)),
        }
    })
    .await
}

/// Gives the role in the invitation to the signed-in person. Returns the address to go to.
async fn join(form: &Submission, token: &str) -> Result<String, InvitationError> {
    let (Ok(viewer), Ok(actor)) = (form.visit.viewer(), form.visit.actor()) else {
        return Err(InvitationError::NotFound);
    };
    let invitation = invitation::accept(form.context(), &actor, &viewer.id, token).await?;
    Ok(match invitation.role {
        InvitedRole::Team(team, _) => Done::TeamJoined.at(links::team(&team)),
        InvitedRole::Administrator => links::OVERVIEW.to_owned(),
    })
}
