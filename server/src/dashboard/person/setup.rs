//! Setting up: the one-time link makes the first administrator.

use app::form::{Errors, Form};
use app::links;
use app::pages::person::setup as page;
use app::pages::person::setup::Typed;
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::person::setup::{self, SetupError};
use domain::person::sign_in::ShownFactor;
use domain::person::{NewPerson, PersonError};

use crate::dashboard::auth::start_session::{enter_as, remembered};
use crate::dashboard::respond::{Query, refuse, respond};
use crate::dashboard::submit::Submission;
use crate::state::AppState;

/// `GET /setup?token=…`
pub async fn form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let token = fields.get("token");
    let context = visit.context.clone();
    let mut response = respond(visit, async || {
        if !setup::link_is_usable(&context, &token).await? {
            return Ok(page::unusable());
        }
        Ok(page::page(token, Form::default()))
    })
    .await;
    // The address of this page is a secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /setup`
pub async fn setup(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let Submission { visit, session, fields, .. } = form;
    let token = fields.get("token");
    let typed = Typed { name: fields.get("name"), email: fields.get("email") };
    let new = NewPerson {
        name: typed.name.clone(),
        email: typed.email.clone(),
        password: Password::new(fields.get("password")),
    };
    let actor = Actor::setup_link().at(visit.address, visit.agent.as_deref());
    match setup::create_first_administrator(&state.context, &actor, &token, new).await {
        Ok(person) => {
            let device = remembered(&state, &headers, &person.id, ShownFactor::Password);
            enter_as(&state, &visit, &session, &person, device, links::NEW_CREDENTIAL).await
        }
        Err(SetupError::LinkUnusable) => respond(visit, async || Ok(page::unusable())).await,
        Err(SetupError::Person(PersonError::Invalid(errors))) => {
            let form = Form { typed, errors: Errors(errors), confirm: false };
            respond(visit, async || Ok(page::page(token, form))).await
        }
        Err(SetupError::Person(error)) => refuse(visit, error).await,
    }
}
