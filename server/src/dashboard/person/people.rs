//! The pages of people, and the form that changes one.

use app::error::ActionError;
use app::pages::person::people as page;
use app::pages::person::people::{Change, Typed};
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::PersonId;
use domain::person::{PersonError, manage};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /people`
pub async fn list(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    respond(visit, || page::page(fields.find("done"))).await
}

/// `GET /people/{person_id}`
pub async fn one(
    Extension(visit): Extension<Visit>,
    Path(person_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields_of(query);
    respond(visit, || page::one(person_id, fields.find("done"), Typed::default(), Vec::new(), false)).await
}

/// `GET /people/{person_id}/change`
pub async fn change_form(
    Extension(visit): Extension<Visit>,
    Path(person_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let to = Change::parse(&fields_of(query).get("to"));
    respond(visit, || page::change_page(person_id, to, String::new(), Vec::new(), false)).await
}

/// `POST /people/{person_id}/change`
pub async fn change(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(person_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    match try_change(&visit, &session, &fields, &person_id).await {
        Ok(to) => Redirect::to(&format!("/people/{person_id}?done={}", to.as_str())).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            let to = Change::parse(&fields.get("to"));
            respond(visit, || page::change_page(person_id, to, fields.get("reason"), errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

impl From<PersonError> for Refused {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            error => Self::Action(error.into()),
        }
    }
}

async fn try_change(visit: &Visit, session: &Session, fields: &Fields, person_id: &str) -> Result<Change, Refused> {
    let (Some(id), Some(to)) = (PersonId::parse(person_id), Change::parse(&fields.get("to"))) else {
        return Err(ActionError::NotFound.into());
    };
    let actor = visit.actor()?;
    // Shutting somebody out must not wait for a password.
    if to != Change::Disabled {
        confirm_unless_fresh(visit, session, fields).await?;
    }
    let context = &visit.context;
    match to {
        Change::Disabled => manage::disable(context, &actor, &id).await?,
        Change::Enabled => manage::enable(context, &actor, &id).await?,
        Change::Administrator => manage::set_administrator(context, &actor, &id, true).await?,
        Change::Person => manage::set_administrator(context, &actor, &id, false).await?,
        Change::SecondFactorRemoved => {
            manage::reset_second_factor(context, &actor, &id, &fields.get("reason")).await?;
        }
        Change::OpenIdDisconnected => manage::disconnect_openid(context, &actor, &id).await?,
    }
    Ok(to)
}
