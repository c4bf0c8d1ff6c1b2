//! The forms for the account of the signed-in person.

use app::components::sessions::EndedNumbers;
use app::pages::person::account::{self as page, TypedAccount};
use domain::crypto::password::Password;
use domain::model::field_error::FieldError;
use domain::model::webhook::mail::MailKind;
use domain::person;
use domain::person::access::EndAlso;
use domain::person::sign_in::ConfirmationProof;
use domain::webhook::mail;

use crate::dashboard::auth::{SignedIn, passkey_answer};
use crate::dashboard::person::openid::let_forms_lead_there;
use crate::dashboard::prelude::{Answer, Done, Fields, Form, Refused, Response, Submission, links, read, respond};

/// `GET /account`
pub(crate) async fn page(asked: Submission) -> Response {
    let context = asked.context().clone();
    let page = async {
        let fields = &asked.fields;
        let ended = read!(fields => EndedNumbers { sessions, personal_tokens, apps, passkeys });
        page::page(fields.find("done"), ended, Form::default()).await
    };
    let mut response = respond(asked.visit.clone(), page).await;
    let_forms_lead_there(&context, &mut response);
    response
}

/// `POST /account/name`
pub(crate) async fn rename(form: Submission) -> Response {
    let name = form.get("name");
    let renamed = async {
        let (person, actor) = form.sender().await?;
        person::rename(form.context(), &actor, &person, &name).await?;
        Ok(Answer::Next(Done::AccountName.at(links::ACCOUNT)))
    };
    let outcome = renamed.await;
    answer(form, outcome, TypedAccount { name: Some(name), ends: None }).await
}

/// `POST /account/mail`: which e-mails the person wants.
pub(crate) async fn choose_mail(form: Submission) -> Response {
    let chosen = async {
        let kinds: Vec<MailKind> = form.fields.all("mail").iter().filter_map(|word| MailKind::parse(word)).collect();
        mail::choose(form.context(), &form.actor().await?, &kinds).await?;
        Ok(Answer::Next(Done::AccountMail.at(links::ACCOUNT)))
    };
    let outcome = chosen.await;
    answer(form, outcome, TypedAccount::default()).await
}

/// `POST /account/password`
pub(crate) async fn change_password(form: Submission) -> Response {
    let also = end_also(&form.fields);
    let changed = async {
        let typed = || ConfirmationProof::Password {
            password: Password::new(form.get("current_password")),
            code: form.get("code"),
        };
        let present = passkey_answer(&form.fields).map_or_else(typed, ConfirmationProof::Passkey);
        let new = Password::new(form.get("new_password"));
        let keep = &form.visit.viewer()?.session;
        let (person, actor) = form.sender().await?;
        let ended = if person.has_password() {
            person::change_password(form.context(), &actor, &person, keep, present, new, also).await?
        } else if form.visit.must_confirm() {
            let message = "Sign out and sign in again. Then set the password within 5 minutes.";
            return Err(FieldError::new("new_password", message).into());
        } else {
            person::set_first_password(form.context(), &actor, &person, keep, new).await?
        };
        SignedIn::renew(&form.session, form.visit.now()).await;
        Ok(Answer::Next(EndedNumbers::add_to(&Done::AccountPassword.at(links::ACCOUNT), &ended)))
    };
    let outcome = changed.await;
    answer(form, outcome, TypedAccount { name: None, ends: Some(also) }).await
}

/// What ends together with the sessions, as the boxes of the form say.
pub(super) fn end_also(fields: &Fields) -> EndAlso {
    let is_ticked = |name| fields.find(name).is_some();
    EndAlso {
        personal_tokens: is_ticked("end_personal_tokens"),
        apps: is_ticked("end_apps"),
        passkeys: is_ticked("end_passkeys"),
    }
}

/// The answer to a form on the account page.
pub(super) async fn answer(form: Submission, outcome: Result<Answer, Refused>, typed: TypedAccount) -> Response {
    let context = form.context().clone();
    let page = |form| page::page(None, EndedNumbers::default(), form);
    let mut response = form.answer(outcome, typed, page).await;
    if !response.status().is_redirection() {
        let_forms_lead_there(&context, &mut response);
    }
    response
}
