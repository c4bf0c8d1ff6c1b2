//! Passkeys: their challenges, signing in with one, and adding and removing those of the signed-in person.

use app::done::Done;
use app::error::ActionError;
use app::form::{Form, Refused};
use app::links;
use app::pages::person::passkeys as page;
use app::pages::person::sign_in::Problem;
use app::visit::Visit;
use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::base::id::{PasskeyId, PersonId};
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::person::passkey::{self, Challenge, ChallengePurpose};
use domain::person::sign_in::{ShownFactor, SignInError, second_step, sign_in_with_passkey};
use url::form_urlencoded::Serializer;

use crate::dashboard::auth::confirm::viewer;
use crate::dashboard::auth::passkey_answer;
use crate::dashboard::auth::return_address::safe_return;
use crate::dashboard::auth::start_session::{device, enter_as, remember, remembered};
use crate::dashboard::person::second_factor;
use crate::dashboard::person::second_step::token;
use crate::dashboard::person::sign_in::refuse;
use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};
use crate::http::error;
use crate::state::AppState;

/// `GET /login/passkey`: the challenge for a passkey. It is for any person, or for the person at the second step. It
/// writes nothing.
pub async fn sign_in_challenge(State(state): State<AppState>, headers: HeaderMap, Query(fields): Query) -> Response {
    if fields.get("for") != "second-step" {
        return hand_out(passkey::begin_proof(&state.context, ChallengePurpose::SignIn, None).await);
    }
    match second_step::find(&state.context, &token(&state, &headers)).await {
        Ok(Some(waiting)) => {
            let person = waiting.person.id;
            hand_out(passkey::begin_proof(&state.context, ChallengePurpose::SecondStep, Some(&person)).await)
        }
        Ok(None) => error::plain(StatusCode::NOT_FOUND),
        Err(fault) => hand_out(Err(fault)),
    }
}

/// `GET /account/passkeys/challenge`: the challenge for a passkey of the signed-in person, or for a new passkey.
pub async fn challenge(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let Ok((person, _)) = viewer(&visit).await else { return error::plain(StatusCode::SERVICE_UNAVAILABLE) };
    hand_out(match fields.get("for").as_str() {
        "add" => passkey::begin_adding(&visit.context, &person).await,
        _ => passkey::begin_proof(&visit.context, ChallengePurpose::Confirm, Some(&person.id)).await,
    })
}

fn hand_out(challenge: Result<Option<Challenge>, Fault>) -> Response {
    match challenge {
        Ok(Some(challenge)) => Json(challenge).into_response(),
        Ok(None) => error::plain(StatusCode::NOT_FOUND),
        Err(fault) => {
            tracing::error!(%fault, "no challenge could be made");
            error::plain(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// `POST /login/passkey`
pub async fn sign_in(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let Submission { visit, session, fields, .. } = form;
    let next = safe_return(&fields.get("next"));
    let (answer, known) = (passkey_answer::read(&fields).unwrap_or_default(), device(&state, &headers));
    let agent = visit.agent.as_deref();
    let problem = match sign_in_with_passkey(&state.context, &answer, visit.address, agent, known.as_deref()).await {
        Ok(person) => {
            let device = remembered(&state, &headers, &person.id, ShownFactor::SecondFactor);
            return enter_as(&state, &visit, &session, &person, device, &next).await;
        }
        Err(SignInError::Throttled { retry_after } | SignInError::TooManyCodes { retry_after }) => {
            Problem::Throttled { retry_after }
        }
        Err(SignInError::Fault(fault)) => {
            tracing::error!(%fault, "a passkey could not be checked");
            Problem::Unavailable
        }
        Err(_) => Problem::WrongPasskey,
    };
    refuse(visit, next, String::new(), problem).await
}

/// `GET /account/passkeys/new`
pub async fn new_form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    respond(visit, || page::new(Form::new(fields.get("name")))).await
}

/// `POST /account/passkeys/new`: when a proof of the person is due, asks for it first and leads back to the form. Then
/// adds.
pub async fn add(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let form = form.once(page::already_added);
    let name = form.fields.find("name").or(form.fields.find(page::KEPT_NAME)).unwrap_or_default().to_owned();
    let outcome = added(&form, &name).await;
    let device = match &outcome {
        Ok((_, Some(person))) => Some(remembered(&state, &headers, person, ShownFactor::SecondFactor)),
        _ => None,
    };
    let mut response = form.answer(outcome.map(|(answer, _)| answer), name, page::new).await;
    if let Some(device) = device {
        remember(&state, device, &mut response);
    }
    response
}

/// The answer to the form, and the person if a passkey was added.
async fn added(form: &Submission, name: &str) -> Result<(Answer, Option<PersonId>), Refused> {
    let answer = passkey_answer::read(&form.fields).unwrap_or_default();
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

/// `GET /account/passkeys/{id}/remove`
pub async fn remove_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::remove(id, Form::default())).await
}

/// `POST /account/passkeys/{id}/remove`
pub async fn remove(form: Submission, Path(id): Path<String>) -> Response {
    let form = form.once(page::already_added);
    let removed = async {
        let passkey = PasskeyId::parse(&id).ok_or(ActionError::NotFound)?;
        let (person, actor) = form.confirmed().await?;
        passkey::remove(form.context(), &actor, &person, &passkey).await?;
        Ok(Answer::Next(Done::AccountPasskeyRemoved.at(links::ACCOUNT)))
    };
    let outcome = removed.await;
    form.answer(outcome, (), |form| page::remove(id, form)).await
}
