//! Setting up: the one-time link makes the first administrator.

use app::error::ActionError;
use app::pages::person::setup as page;
use app::pages::person::setup::Typed;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::person::setup::{self, SetupError};
use domain::person::sign_in::ShownFactor;
use domain::person::{NewPerson, PersonError};
use tower_sessions::Session;

use crate::dashboard::auth::start_session::{enter_as, remembered};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;
use crate::state::AppState;

/// `GET /setup?token=…`
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let token = Fields::parse(query.unwrap_or_default().as_bytes()).get("token");
    let context = visit.context.clone();
    let mut response = respond(visit, async || {
        if !setup::link_is_usable(&context, &token).await? {
            return Ok(page::unusable());
        }
        Ok(page::page(token, Typed::default(), Vec::new()))
    })
    .await;
    // The address of this page is a secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /setup`
pub async fn setup(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
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
            enter_as(&state, &visit, &session, &person, device, "/credentials/new").await
        }
        Err(SetupError::LinkUnusable) => respond(visit, async || Ok(page::unusable())).await,
        Err(SetupError::Person(PersonError::Invalid(errors))) => {
            respond(visit, async || Ok(page::page(token, typed, errors))).await
        }
        Err(SetupError::Person(error)) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}
