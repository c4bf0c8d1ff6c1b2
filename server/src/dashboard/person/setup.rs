//! Setting up: the one-time link makes the first administrator.

use app::form::Errors;
use app::pages::person::setup::{self as page, Typed};
use app::visit::Visit;
use axum::http::{HeaderValue, header};
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::person::setup::{self, SetupError};
use domain::person::sign_in::ShownFactor;
use domain::person::{NewPerson, PersonError};

use crate::dashboard::auth::enter_as;
use crate::dashboard::prelude::{Form, Response, Submission, links, read, respond};
use crate::dashboard::respond::refuse;
use crate::dashboard::submit::STALE;

/// `GET /setup?token=…`
pub(crate) async fn form(asked: Submission) -> Response {
    let (token, context) = (asked.get("token"), asked.context().clone());
    let mut response = respond(asked.visit, async {
        let is_usable = setup::link_is_usable(&context, &token).await?;
        Ok(if is_usable { page::page(token, Form::default()) } else { page::unusable() })
    })
    .await;
    // The address of this page is a secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /setup`
pub(crate) async fn setup(form: Submission) -> Response {
    let token = form.get("token");
    let typed = read!(form.fields => Typed { name, email });
    if form.visit.is_stale {
        return again(form.visit, token, typed, vec![FieldError::new("main", STALE)]).await;
    }
    let password = Password::new(form.get("password"));
    let new = NewPerson { name: typed.name.clone(), email: typed.email.clone(), password };
    let actor = Actor::setup_link().at(form.visit.address, form.visit.agent.as_deref());
    match setup::create_first_administrator(form.context(), &actor, &token, new).await {
        Ok(person) => enter_as(&form, &person, ShownFactor::Password, links::NEW_CREDENTIAL).await,
        Err(SetupError::LinkUnusable) => respond(form.visit, async { Ok(page::unusable()) }).await,
        Err(SetupError::Person(PersonError::Invalid(errors))) => again(form.visit, token, typed, errors).await,
        Err(SetupError::Person(error)) => refuse(form.visit, error).await,
    }
}

/// The form, again with what was typed.
async fn again(visit: Visit, token: String, typed: Typed, errors: Vec<FieldError>) -> Response {
    let form = Form { typed, errors: Errors(errors), confirm: false };
    respond(visit, async { Ok(page::page(token, form)) }).await
}
