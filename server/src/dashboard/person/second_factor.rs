//! The forms for the second factor of the signed-in person.

use app::pages::person::second_factor as page;
use domain::base::id::PersonId;
use domain::crypto::recovery_code::RecoveryCode;
use domain::person::second_factor::{self, SecondFactorError};
use domain::person::sign_in::ShownFactor;

use crate::dashboard::auth::{Device, viewer};
use crate::dashboard::prelude::{ActionError, Answer, Done, Form, PageResult, Refused, Response, Submission, links};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::person::second_factor::{begin, new_codes as codes_form, remove_app as remove_form};

/// `POST /account/authenticator`: the answer is the only page that shows the secret.
pub(crate) async fn begin_app(form: Submission) -> Response {
    form.run((), page::begin, async |form, ()| {
        let (person, actor) = form.sender().await?;
        let visit = form.visit.clone();
        let begun = second_factor::begin_app(form.context(), &actor, &person.id).await;
        begun.map_or_else(other, |secret| Ok(Answer::Page(Box::new(move || page::scan(&visit, &secret, None)))))
    })
    .await
}

/// `POST /account/authenticator/confirm`: turns the app on, and shows the first recovery codes. It asks for no
/// password, because the setup asked for it at most a quarter of an hour before.
pub(crate) async fn confirm_app(form: Submission) -> Response {
    let confirmed = confirmed(&form).await;
    answer(form, confirmed, (), page::begin).await
}

/// The answer to a form that may have added a factor of `person`. Then the browser is remembered with that factor.
pub(super) async fn answer<T, Work>(
    form: Submission,
    outcome: Result<(Answer, Option<PersonId>), Refused>,
    typed: T,
    page: fn(Form<T>) -> Work,
) -> Response
where
    Work: Future<Output = PageResult> + Send + 'static,
{
    let device = match &outcome {
        Ok((_, Some(person))) => Some(Device::new(&form, person, ShownFactor::SecondFactor)),
        _ => None,
    };
    let mut response = form.answer(outcome.map(|(answer, _)| answer), typed, page).await;
    if let Some(device) = device {
        device.remember(&mut response);
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

/// `POST /account/authenticator/remove`
pub(crate) async fn remove_app(form: Submission) -> Response {
    form.run((), page::remove_app, async |form, ()| {
        let (person, actor) = form.sender().await?;
        match second_factor::remove_app(form.context(), &actor, &person).await {
            Ok(()) => Ok(Answer::Next(Done::AccountAppRemoved.at(links::ACCOUNT))),
            Err(SecondFactorError::NotFound) => Err(ActionError::NotFound.into()),
            Err(error) => other(error),
        }
    })
    .await
}

/// `POST /account/recovery-codes`: makes new codes. The answer is the only page that shows them.
pub(crate) async fn new_codes(form: Submission) -> Response {
    form.run((), page::new_codes, async |form, ()| {
        let (person, actor) = form.sender().await?;
        match second_factor::replace_recovery_codes(form.context(), &actor, &person, &form.token()).await {
            Ok(codes) => Ok(Answer::page(move || page::reveal("Save your new recovery codes", &codes))),
            Err(SecondFactorError::NotFound) => Err(ActionError::NotFound.into()),
            Err(error) => other(error),
        }
    })
    .await
}

/// The page with the recovery codes that were made with a factor. Without codes, the page with the receipt for the
/// factor.
pub(super) fn shown(codes: Vec<RecoveryCode>, title: &'static str, done: Done) -> Answer {
    if codes.is_empty() {
        return Answer::Next(done.at(links::ACCOUNT));
    }
    Answer::page(move || page::reveal(title, &codes))
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
