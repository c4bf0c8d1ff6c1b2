//! The pages of people, and the form that changes one.

use app::components::sessions::EndedNumbers;
use app::pages::person::owned::GivenNumbers;
use app::pages::person::people::{self as page, Change, TypedChange};
use domain::base::id::PersonId;
use domain::credential::edit;
use domain::model::field_error::FieldError;
use domain::person::manage;

use crate::dashboard::person::account::end_also;
use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Response, Submission, links, read,
};

/// `GET /people`
pub(crate) async fn list(fields: Fields) -> PageResult {
    page::page(fields.find("done")).await
}

/// `GET /people/{person_id}`
pub(crate) async fn one(person_id: String, fields: Fields) -> PageResult {
    let ended = read!(fields => EndedNumbers { sessions, personal_tokens, apps, passkeys });
    let given = read!(fields => GivenNumbers { given, stay });
    page::one(person_id, fields.find("done"), (ended, given), Form::default()).await
}

/// `POST /people/{person_id}/owned`: gives the credentials that the person owns to somebody else.
pub(crate) async fn give_credentials(form: Submission, person_id: String) -> Response {
    let page = |id, form: Form<()>| {
        let Form { errors, confirm, .. } = form;
        page::one(id, None, Default::default(), Form { typed: page::Typed::default(), errors, confirm })
    };
    form.run_of(person_id, (), page, async |form, person_id, ()| {
        let id = PersonId::parse(person_id).ok_or(ActionError::NotFound)?;
        let new_owner = PersonId::parse(&form.get("new_owner"));
        let new_owner = new_owner.ok_or_else(|| FieldError::new("new_owner", "Choose a person."))?;
        let (given, stay) = edit::give_all(form.context(), &form.actor().await?, &id, &new_owner).await?;
        let receipt = Done::PersonGaveCredentials.at(links::person(&id));
        Ok(Answer::Next(format!("{receipt}&given={given}&stay={stay}")))
    })
    .await
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
