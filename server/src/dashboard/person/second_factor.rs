//! The forms for the second factor of the signed-in person.

use app::done::Done;
use app::error::ActionError;
use app::form::{Form, Refused};
use app::links;
use app::pages::person::second_factor as page;
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::base::id::PersonId;
use domain::crypto::recovery_code::RecoveryCode;
use domain::person::second_factor::{self, SecondFactorError};
use domain::person::sign_in::ShownFactor;

use crate::dashboard::auth::confirm::viewer;
use crate::dashboard::auth::start_session::{remember, remembered};
use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};
use crate::state::AppState;

/// `GET /account/authenticator`
pub async fn begin_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::begin(Form::default())).await
}

/// `POST /account/authenticator`: the answer is the only page that shows the secret.
pub async fn begin_app(form: Submission) -> Response {
    let begun = async {
        let (person, actor) = form.confirmed().await?;
        let secret = match second_factor::begin_app(form.context(), &actor, &person.id).await {
            Ok(secret) => secret,
            Err(error) => return other(error),
        };
        let visit = form.visit.clone();
        Ok(Answer::Page(Box::new(move || page::scan(&visit, &secret, None))))
    };
    let outcome = begun.await;
    form.answer(outcome, (), page::begin).await
}

/// `POST /account/authenticator/confirm`: turns the app on, and shows the first recovery codes. It asks for no
/// password, because the setup asked for it at most a quarter of an hour before.
pub async fn confirm_app(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let outcome = confirmed(&form).await;
    let device = match &outcome {
        Ok((_, Some(person))) => Some(remembered(&state, &headers, person, ShownFactor::SecondFactor)),
        _ => None,
    };
    let mut response = form.answer(outcome.map(|(answer, _)| answer), (), page::begin).await;
    if let Some(device) = device {
        remember(&state, device, &mut response);
    }
    response
}

/// The answer to the form, and the person if an app was turned on.
async fn confirmed(form: &Submission) -> Result<(Answer, Option<PersonId>), Refused> {
    let (person, actor) = viewer(&form.visit).await?;
    let (context, shown_token, code) = (form.context(), form.get("shown"), form.get("code"));
    match second_factor::confirm_app(context, &actor, &person, &shown_token, &code, &form.token()).await {
        Ok(codes) => Ok((shown(codes, "Save your recovery codes", Done::AccountAppAdded), Some(person.id))),
        Err(SecondFactorError::WrongCode) => {
            let Ok(secret) = second_factor::unconfirmed_app(context, &person.id, &shown_token).await else {
                return Ok((Answer::page(page::begin_again), None));
            };
            let message =
                "This is not the code that the app shows now. Check the time of your device, and try the next code.";
            let visit = form.visit.clone();
            Ok((Answer::Page(Box::new(move || page::scan(&visit, &secret, Some(message.to_owned())))), None))
        }
        Err(error) => Ok((other(error)?, None)),
    }
}

/// `GET /account/authenticator/remove`
pub async fn remove_app_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::remove_app(Form::default())).await
}

/// `POST /account/authenticator/remove`
pub async fn remove_app(form: Submission) -> Response {
    let removed = async {
        let (person, actor) = form.confirmed().await?;
        match second_factor::remove_app(form.context(), &actor, &person).await {
            Ok(()) => Ok(Answer::Next(Done::AccountAppRemoved.at(links::ACCOUNT))),
            Err(error) => not_found_or_other(error),
        }
    };
    let outcome = removed.await;
    form.answer(outcome, (), page::remove_app).await
}

/// `GET /account/recovery-codes`
pub async fn new_codes_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::new_codes(Form::default())).await
}

/// `POST /account/recovery-codes`: makes new codes. The answer is the only page that shows them.
pub async fn new_codes(form: Submission) -> Response {
    let made = async {
        let (person, actor) = form.confirmed().await?;
        match second_factor::replace_recovery_codes(form.context(), &actor, &person, &form.token()).await {
            Ok(codes) => Ok(Answer::page(move || page::reveal("Save your new recovery codes", &codes))),
            Err(error) => not_found_or_other(error),
        }
    };
    let outcome = made.await;
    form.answer(outcome, (), page::new_codes).await
}

/// The page with the recovery codes that were made with a factor. Without codes, the page with the receipt for the
/// factor.
pub(super) fn shown(codes: Vec<RecoveryCode>, title: &'static str, done: Done) -> Answer {
    if codes.is_empty() {
        return Answer::Next(done.at(links::ACCOUNT));
    }
    Answer::page(move || page::reveal(title, &codes))
}

fn not_found_or_other(error: SecondFactorError) -> Result<Answer, Refused> {
    match error {
        SecondFactorError::NotFound => Err(ActionError::NotFound.into()),
        error => other(error),
    }
}

/// Every error that is not about a typed field.
fn other(error: SecondFactorError) -> Result<Answer, Refused> {
    match error {
        SecondFactorError::AlreadySubmitted => Ok(Answer::page(page::already_shown)),
        SecondFactorError::NotShown => Ok(Answer::page(page::not_shown)),
        SecondFactorError::Fault(fault) => Err(fault.into()),
        SecondFactorError::WrongCode | SecondFactorError::Exists | SecondFactorError::NotFound => {
            Ok(Answer::page(page::begin_again))
        }
    }
}
