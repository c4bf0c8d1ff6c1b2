//! The pages of people, and the form that changes one.

use app::components::sessions::EndedNumbers;
use app::pages::person::people::{self as page, Change, TypedChange};
use domain::base::id::PersonId;
use domain::person::manage;

use crate::dashboard::person::account::end_also;
use crate::dashboard::prelude::{ActionError, Answer, Fields, Form, PageResult, Response, Submission, links, read};

/// `GET /people`
pub(crate) async fn list(fields: Fields) -> PageResult {
    page::page(fields.find("done")).await
}

/// `GET /people/{person_id}`
pub(crate) async fn one(person_id: String, fields: Fields) -> PageResult {
    let ended = read!(fields => EndedNumbers { sessions, personal_tokens, apps, passkeys });
    page::one(person_id, fields.find("done"), ended, Form::default()).await
}

/// `GET /people/{person_id}/change`
pub(crate) async fn change_form(person_id: String, fields: Fields) -> PageResult {
    let typed = TypedChange { to: Change::parse(&fields.get("to")), ..TypedChange::default() };
    page::change_page(person_id, Form::new(typed)).await
}

/// `POST /people/{person_id}/change`
pub(crate) async fn change(form: Submission, person_id: String) -> Response {
    let also = end_also(&form.fields);
    let typed = TypedChange { to: Change::parse(&form.get("to")), reason: form.get("reason"), ends: Some(also) };
    form.run_of(person_id, typed, page::change_page, async |form, person_id, typed| {
        let (Some(id), Some(to)) = (PersonId::parse(person_id), typed.to) else {
            return Err(ActionError::NotFound.into());
        };
        let (context, actor) = (form.context(), form.actor().await?);
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
            Change::OpenIdDisconnected => {
                let ended = manage::disconnect_openid(context, &actor, &id, also).await?;
                return Ok(Answer::Next(EndedNumbers::add_to(&to.done().at(links::person(&id)), &ended)));
            }
        }
        Ok(Answer::Next(to.done().at(links::person(&id))))
    })
    .await
}
