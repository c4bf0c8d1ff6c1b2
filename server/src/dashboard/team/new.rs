//! The form that makes a team.

use app::error::ActionError;
use app::pages::team::new as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::person::team::{self, TeamError};

use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /teams/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(String::new(), Vec::new())).await
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
        Err(TeamError::Invalid(errors)) => respond(visit, || page::page(name, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}
