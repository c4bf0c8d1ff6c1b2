//! The form that makes a team.

use app::done::Done;
use app::form::Form;
use app::links;
use app::pages::team::new as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::person::team;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /teams/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(Form::default())).await
}

/// `POST /teams/new`
pub async fn create(form: Submission) -> Response {
    let name = form.get("name");
    let created = async {
        let team = team::create(form.context(), &form.actor()?, &name).await?;
        Ok(Answer::Next(Done::TeamCreated.at(links::team(&team.id))))
    };
    let outcome = created.await;
    form.answer(outcome, name, page::page).await
}
