//! The pages of people, and the form that changes one.

use app::components::sessions::EndedNumbers;
use app::pages::credential::list::receipt;
use app::pages::person::change::{self, Change, TypedChange};
use app::pages::person::show::{self, PersonQuery};
use app::pages::person::{owned, people};
use domain::base::id::PersonId;
use domain::credential::several::{Step, give_all};
use domain::model::field_error::FieldError;
use domain::person::access::EndAlso;
use domain::person::manage;

use crate::dashboard::person::account::end_also;
use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Response, Submission, links, read,
};

/// `GET /people`
pub(crate) async fn list(fields: Fields) -> PageResult {
    people::page(&fields.get("q"), fields.find("done")).await
}

/// `GET /people/{person_id}`
pub(crate) async fn one(person_id: String, fields: Fields) -> PageResult {
    let ended = read!(fields => EndedNumbers { sessions, personal_tokens, apps, passkeys });
    show::page(person_id, read!(fields => PersonQuery { view, kind }), fields.find("done"), ended).await
}

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::person::{join::page as join_form, owned::page as owned_form};

/// `POST /people/{person_id}/owned`: gives the credentials that the person owns to somebody else.
pub(crate) async fn give_credentials(form: Submission, person_id: String) -> Response {
    let new_owner = form.get("new_owner");
    form.run_of(person_id, new_owner, owned::page, async |form, person_id, new_owner| {
        let id = PersonId::parse(person_id).ok_or(ActionError::NotFound)?;
        let new_owner = PersonId::parse(new_owner).filter(|new_owner| *new_owner != id);
        let new_owner = new_owner.ok_or_else(|| FieldError::new("new_owner", "Choose a person."))?;
        let receipt = give_all(form.context(), &form.actor().await?, &id, &new_owner).await?;
        let list = links::query_string(&[("owner", id.as_str())]);
        Ok(Answer::Next(receipt::address(&Step::Own(new_owner), &receipt, &list)))
    })
    .await
}

/// `GET /people/{person_id}/name`
pub(crate) async fn rename_form(person_id: String) -> PageResult {
    change::rename_page(person_id, Form::default()).await
}

/// `POST /people/{person_id}/name`
pub(crate) async fn rename(form: Submission, person_id: String) -> Response {
    let name = form.get("name");
    form.run_of(person_id, name, change::rename_page, async |form, person_id, name| {
        let id = PersonId::parse(person_id).ok_or(ActionError::NotFound)?;
        manage::rename(form.context(), &form.actor().await?, &id, name).await?;
        Ok(Answer::Next(Done::PersonNamed.at(links::person(&id))))
    })
    .await
}

/// `GET /people/{person_id}/change`
pub(crate) async fn change_form(person_id: String, fields: Fields) -> PageResult {
    let typed = TypedChange { to: Change::parse(&fields.get("to")), ..TypedChange::default() };
    change::change_page(person_id, Form::new(typed)).await
}

/// `POST /people/{person_id}/change`
pub(crate) async fn change(form: Submission, person_id: String) -> Response {
    let also = end_also(&form.fields);
    let typed = TypedChange { to: Change::parse(&form.get("to")), reason: form.get("reason"), ends: Some(also) };
    form.run_of(person_id, typed, change::change_page, async |form, person_id, typed| {
        let (Some(id), Some(to)) = (PersonId::parse(person_id), typed.to) else {
            return Err(ActionError::NotFound.into());
        };
        let (context, actor) = (form.context(), form.actor().await?);
        if !to.is_urgent() {
            form.confirm().await?;
        }
        match to {
            Change::Disabled => manage::disable(context, &actor, &id).await?,
            Change::Enabled => manage::enable(context, &actor, &id).await?,
            Change::Administrator => manage::set_administrator(context, &actor, &id, true).await?,
            Change::Person => manage::set_administrator(context, &actor, &id, false).await?,
            Change::SecondFactorRemoved => manage::reset_second_factor(context, &actor, &id, &typed.reason).await?,
            Change::AccessEnded => {
                let also = EndAlso { passkeys: false, ..also };
                let ended = manage::end_access(context, &actor, &id, also).await?;
                return Ok(Answer::Next(EndedNumbers::add_to(&to.done().at(links::person(&id)), &ended)));
            }
            Change::OpenIdDisconnected => {
                let ended = manage::disconnect_openid(context, &actor, &id, also).await?;
                return Ok(Answer::Next(EndedNumbers::add_to(&to.done().at(links::person(&id)), &ended)));
            }
        }
        Ok(Answer::Next(to.done().at(links::person(&id))))
    })
    .await
}
