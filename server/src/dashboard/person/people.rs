//! The pages of people, and the form that changes one.

use app::pages::person::people::{self as page, Change, TypedChange};
use domain::base::id::PersonId;
use domain::person::manage;

use crate::dashboard::prelude::{ActionError, Answer, Fields, Form, PageResult, Response, Submission, links};

/// `GET /people`
pub(crate) async fn list(fields: Fields) -> PageResult {
    page::page(fields.find("done")).await
}

/// `GET /people/{person_id}`
pub(crate) async fn one(person_id: String, fields: Fields) -> PageResult {
    page::one(person_id, fields.find("done"), Form::default()).await
}

/// `GET /people/{person_id}/change`
pub(crate) async fn change_form(person_id: String, fields: Fields) -> PageResult {
    let typed = TypedChange { to: Change::parse(&fields.get("to")), reason: String::new() };
    page::change_page(person_id, Form::new(typed)).await
}

/// `POST /people/{person_id}/change`
pub(crate) async fn change(form: Submission, person_id: String) -> Response {
    let typed = TypedChange { to: Change::parse(&form.get("to")), reason: form.get("reason") };
    form.run_of(person_id, typed, page::change_page, async |form, person_id, typed| {
        let (Some(id), Some(to)) = (PersonId::parse(person_id), typed.to) else {
            return Err(ActionError::NotFound.into());
        };
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
    })
    .await
}
