//! Password links: an administrator makes one, and the person sets a password with it.

use app::form::Errors;
use app::pages::person::sign_in::password_link as page;
use axum::http::{HeaderValue, header};
use domain::base::id::PersonId;
use domain::crypto::password::Password;
use domain::model::field_error::FieldError;
use domain::person::PersonError;
use domain::person::access::EndAlso;
use domain::person::password_link;
use domain::webhook::mail;

use crate::dashboard::person::account::end_also;
use crate::dashboard::prelude::{
    ActionError, Answer, Fields, Form, PageResult, Refused, Response, Submission, respond,
};
use crate::dashboard::submit::STALE;

/// `GET /people/{person_id}/password-link`
pub(crate) async fn question(person_id: String) -> PageResult {
    page::question(person_id, Form::default()).await
}

/// `POST /people/{person_id}/password-link`: makes a link. The answer is the only page that shows it.
pub(crate) async fn make(form: Submission, person_id: String) -> Response {
    form.run_of(person_id, (), page::question, async |form, person_id, ()| {
        let id = PersonId::parse(person_id).ok_or(ActionError::NotFound)?;
        let (link, token) = password_link::create(form.context(), &form.actor().await?, &id).await?;
        Ok(Answer::page(move || page::link_page(&link, &token)))
    })
    .await
}

/// `GET /password/forgot`
pub(crate) async fn forgotten(_: Fields) -> PageResult {
    page::forgotten(Form::default()).await
}

/// `POST /password/forgot`: the answer is the same for every address, and comes before the address is looked up.
pub(crate) async fn ask(form: Submission) -> Response {
    let email = form.get("email");
    let refuse = |message: String| Refused::from(FieldError::new("email", message));
    let outcome = match form.state.password_requests.count(form.visit.address, form.visit.now()) {
        _ if form.context().mail.is_none() => Err(ActionError::NotFound.into()),
        _ if form.visit.is_stale => Err(ActionError::StaleForm.into()),
        _ if email.trim().is_empty() => Err(refuse("Enter your email address.".to_owned())),
        Some(wait) => {
            let seconds = wait.as_secs().max(1);
            Err(refuse(format!("There were too many requests from your address. Wait {seconds} seconds.")))
        }
        None => {
            let (context, email) = (form.context().clone(), email.clone());
            tokio::spawn(async move {
                if let Err(fault) = mail::ask_for_password_link(&context, &email).await {
                    tracing::error!(%fault, "a password link could not be sent");
                }
            });
            Ok(Answer::page(page::asked))
        }
    };
    form.answer(outcome, email, page::forgotten).await
}

/// `GET /password?token=…`
pub(crate) async fn form(asked: Submission) -> Response {
    show(asked, None, Errors::default()).await
}

async fn show(asked: Submission, ends: Option<EndAlso>, errors: Errors) -> Response {
    let (token, context) = (asked.get("token"), asked.context().clone());
    let mut response = respond(asked.visit, async move {
        match password_link::open(&context, &token).await? {
            Some(link) => page::page(link, token, ends, errors).await,
            None => Ok(page::unusable()),
        }
    })
    .await;
    // The address of this page is a secret, even when the page shows no secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /password`: sets the password. Nobody is signed in by it: the person may have a second factor.
pub(crate) async fn set(form: Submission) -> Response {
    let also = end_also(&form.fields);
    if form.visit.is_stale {
        return show(form, Some(also), Errors(vec![FieldError::new("main", STALE)])).await;
    }
    let (address, agent) = (form.visit.address, form.visit.agent.clone());
    let (token, password) = (form.get("token"), Password::new(form.get("password")));
    let set = password_link::set_password(form.context(), &token, password, also, |actor| {
        actor.at(address, agent.as_deref())
    });
    match set.await {
        Ok((_, ended)) => respond(form.visit, async move { Ok(page::done(&ended)) }).await,
        Err(PersonError::Invalid(errors)) => show(form, Some(also), Errors(errors)).await,
        Err(PersonError::NotFound) => respond(form.visit, async { Ok(page::unusable()) }).await,
        Err(error) => respond(form.visit, async { Err(ActionError::from(error)) }).await,
    }
}
