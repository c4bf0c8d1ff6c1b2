//! The page of one team.

use app::done::Done;
use app::error::ActionError;
use app::form::Form;
use app::links;
use app::pages::team::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::TeamId;
use domain::person::team;

use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /teams/{team_id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(team_id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::page(team_id, fields.find("done"), Form::default())).await
}

/// `POST /teams/{team_id}/name`
pub async fn rename(form: Submission, Path(team_id): Path<String>) -> Response {
    let name = form.get("name");
    let renamed = async {
        let id = TeamId::parse(&team_id).ok_or(ActionError::NotFound)?;
        team::rename(form.context(), &form.actor()?, &id, &name).await?;
        Ok(Answer::Next(Done::TeamName.at(links::team(&id))))
    };
    let outcome = renamed.await;
    form.answer(outcome, Some(name), |form| page::page(team_id, None, form)).await
}
