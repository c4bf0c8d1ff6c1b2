//! Passkeys: their challenges, signing in with one, and adding and removing those of the signed-in person.

use app::pages::person::passkeys as page;
use app::pages::person::sign_in::Problem;
use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::base::id::{PasskeyId, PersonId};
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::person::passkey::{self, Challenge, ChallengePurpose};
use domain::person::sign_in::{ShownFactor, second_step, sign_in_with_passkey};
use url::form_urlencoded::Serializer;

use crate::dashboard::auth::{Device, enter_as, passkey_answer, safe_return, viewer};
use crate::dashboard::person::second_factor;
use crate::dashboard::person::second_step::token;
use crate::dashboard::person::sign_in::{problem_of, show};
use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links,
};
use crate::http::error::{self, unavailable};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::person::passkeys::remove as remove_form;

/// `GET /login/passkey`: the challenge for a passkey. It is for any person, or for the person at the second step. It
/// writes nothing.
pub(crate) async fn sign_in_challenge(asked: Submission) -> Response {
    let context = asked.context();
    if asked.get("for") != "second-step" {
        return hand_out(passkey::begin_proof(context, ChallengePurpose::SignIn, None).await);
    }
    hand_out(match second_step::find(context, &token(&asked)).await {
        Ok(Some(waiting)) => {
            passkey::begin_proof(context, ChallengePurpose::SecondStep, Some(&waiting.person.id)).await
        }
        Ok(None) => Ok(None),
        Err(fault) => Err(fault),
    })
}

/// `GET /account/passkeys/challenge`: the challenge for a passkey of the signed-in person, or for a new passkey.
pub(crate) async fn challenge(asked: Submission) -> Response {
    let Ok((person, _)) = viewer(&asked.visit).await else { return error::plain(StatusCode::SERVICE_UNAVAILABLE) };
    hand_out(match asked.get("for").as_str() {
        "add" => passkey::begin_adding(asked.context(), &person).await,
        _ => passkey::begin_proof(asked.context(), ChallengePurpose::Confirm, Some(&person.id)).await,
    })
}

fn hand_out(challenge: Result<Option<Challenge>, Fault>) -> Response {
    match challenge {
        Ok(Some(challenge)) => Json(challenge).into_response(),
        Ok(None) => error::plain(StatusCode::NOT_FOUND),
        Err(fault) => unavailable!(%fault, "no challenge could be made"),
    }
}

/// `POST /login/passkey`
pub(crate) async fn sign_in(form: Submission) -> Response {
    let next = safe_return(&form.get("next"));
    let (answer, known) = (passkey_answer(&form.fields).unwrap_or_default(), Device::known(&form));
    let (address, agent) = (form.visit.address, form.visit.agent.as_deref());
    let problem = match sign_in_with_passkey(form.context(), &answer, address, agent, known.as_deref()).await {
        Ok(person) => return enter_as(&form, &person, ShownFactor::SecondFactor, &next).await,
        Err(error) => problem_of(error, Problem::WrongPasskey),
    };
    show(form.visit, next, String::new(), Some(problem)).await
}

/// `GET /account/passkeys/new`
pub(crate) async fn new(fields: Fields) -> PageResult {
    page::new(Form::new(fields.get("name"))).await
}

/// `POST /account/passkeys/new`: when a proof of the person is due, asks for it first and leads back to the form. Then
/// adds.
pub(crate) async fn add(form: Submission) -> Response {
    let form = form.once(page::already_added);
    let name = form.fields.find("name").or(form.fields.find(page::KEPT_NAME)).unwrap_or_default().to_owned();
    let added = added(&form, &name).await;
    second_factor::answer(form, added, name, page::new).await
}

/// The answer to the form, and the person if a passkey was added.
async fn added(form: &Submission, name: &str) -> Result<(Answer, Option<PersonId>), Refused> {
    let answer = passkey_answer(&form.fields).unwrap_or_default();
    let (person, actor) = viewer(&form.visit).await?;
    // This check comes first: a person who reloads the page of the recovery codes must learn that they were shown.
    Refused::if_sent_before(passkey::was_added(form.context(), &person.id, &answer).await?.then_some(""))?;
    if form.visit.must_confirm() {
        // The proof became too old while the person filled in the form. The new passkey in the form cannot prove who
        // they are, but it is not a wrong passkey either.
        if form.fields.find("name").is_some() {
            let error = FieldError::new("your_password", "Confirm it is you, then add the passkey.");
            return Err(Refused::Unconfirmed(vec![error]));
        }
        form.confirm().await?;
        let query = Serializer::new(String::new()).append_pair("name", name).finish();
        let query = if name.is_empty() { String::new() } else { format!("?{query}") };
        return Ok((Answer::Next(format!("{}{query}", links::NEW_PASSKEY)), None));
    }
    let codes = passkey::add(form.context(), &actor, &person, name, &answer).await?;
    Ok((second_factor::shown(codes, "Save your recovery codes", Done::AccountPasskeyAdded), Some(person.id)))
}

/// `POST /account/passkeys/{id}/remove`
pub(crate) async fn remove(form: Submission, id: String) -> Response {
    let form = form.once(page::already_added);
    form.run_of(id, (), page::remove, async |form, id, ()| {
        let passkey = PasskeyId::parse(id).ok_or(ActionError::NotFound)?;
        let (person, actor) = form.sender().await?;
        passkey::remove(form.context(), &actor, &person, &passkey).await?;
        Ok(Answer::Next(Done::AccountPasskeyRemoved.at(links::ACCOUNT)))
    })
    .await
}
