//! The pages of people, and the form that changes one.

use app::error::ActionError;
use app::form::{Form, Refused};
use app::links;
use app::pages::person::people as page;
use app::pages::person::people::{Change, TypedChange};
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::PersonId;
use domain::person::manage;

use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /people`
pub async fn list(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    respond(visit, || page::page(fields.find("done"))).await
}

/// `GET /people/{person_id}`
pub async fn one(Extension(visit): Extension<Visit>, Path(person_id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::one(person_id, fields.find("done"), Form::default())).await
}

/// `GET /people/{person_id}/change`
pub async fn change_form(
    Extension(visit): Extension<Visit>,
    Path(person_id): Path<String>,
    Query(fields): Query,
) -> Response {
    let typed = TypedChange { to: Change::parse(&fields.get("to")), reason: String::new() };
    respond(visit, || page::change_page(person_id, Form::new(typed))).await
}

/// `POST /people/{person_id}/change`
pub async fn change(form: Submission, Path(person_id): Path<String>) -> Response {
    let typed = TypedChange { to: Change::parse(&form.get("to")), reason: form.get("reason") };
    let outcome = changed(&form, &person_id, &typed).await;
    form.answer(outcome, typed, |form| page::change_page(person_id, form)).await
}

async fn changed(form: &Submission, person_id: &str, typed: &TypedChange) -> Result<Answer, Refused> {
    let (Some(id), Some(to)) = (PersonId::parse(person_id), typed.to) else { return Err(ActionError::NotFound.into()) };
    let (context, actor) = (form.context(), form.actor()?);
    // To shut a person out needs no password, because that must not wait.
    if to != Change::Disabled {
        form.confirm().await?;
    }
    match to {
        Change::Disabled => manage::disable(context, &actor, &id).await?,
        Change::Enabled => manage::enable(context, &actor, &id).await?,
        Change::Administrator => manage::set_administrator(context, &actor, &id, true).await?,
        Change::Person => manage::set_administrator(context, &actor, &id, false).await?,
        Change::SecondFactorRemoved => manage::reset_second_factor(context, &actor, &id, &typed.reason).await?,
        Change::OpenIdDisconnected => manage::disconnect_openid(context, &actor, &id).await?,
    }
    Ok(Answer::Next(to.done().at(links::person(&id))))
}
