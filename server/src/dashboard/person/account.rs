//! The forms for the account of the signed-in person.

use app::pages::person::account as page;
use domain::crypto::password::Password;
use domain::person;
use domain::person::sign_in::ConfirmationProof;

use crate::dashboard::auth::{SignedIn, passkey_answer, viewer};
use crate::dashboard::person::openid::let_forms_lead_there;
use crate::dashboard::prelude::{Answer, Done, Form, Refused, Response, Submission, links, respond};

/// `GET /account`
pub(crate) async fn page(asked: Submission) -> Response {
    let context = asked.context().clone();
    let page = async { page::page(asked.fields.find("done"), Form::default()).await };
    let mut response = respond(asked.visit.clone(), page).await;
    let_forms_lead_there(&context, &mut response);
    response
}

/// `POST /account/name`
pub(crate) async fn rename(form: Submission) -> Response {
    let name = form.get("name");
    let renamed = async {
        let (person, actor) = viewer(&form.visit).await?;
        person::rename(form.context(), &actor, &person, &name).await?;
        Ok(Answer::Next(Done::AccountName.at(links::ACCOUNT)))
    };
    let outcome = renamed.await;
    answer(form, outcome, Some(name)).await
}

/// `POST /account/password`
pub(crate) async fn change_password(form: Submission) -> Response {
    let changed = async {
        let typed = || ConfirmationProof::Password {
            password: Password::new(form.get("current_password")),
            code: form.get("code"),
        };
        let present = passkey_answer(&form.fields).map_or_else(typed, ConfirmationProof::Passkey);
        let new = Password::new(form.get("new_password"));
        let keep = &form.visit.viewer()?.session;
        let (person, actor) = viewer(&form.visit).await?;
        person::change_password(form.context(), &actor, &person, keep, present, new).await?;
        SignedIn::renew(&form.session, form.visit.now()).await;
        Ok(Answer::Next(Done::AccountPassword.at(links::ACCOUNT)))
    };
    let outcome = changed.await;
    answer(form, outcome, None).await
}

/// The answer to a form on the account page.
pub(super) async fn answer(form: Submission, outcome: Result<Answer, Refused>, name: Option<String>) -> Response {
    let context = form.context().clone();
    let mut response = form.answer(outcome, name, |form| page::page(None, form)).await;
    if !response.status().is_redirection() {
        let_forms_lead_there(&context, &mut response);
    }
    response
}
