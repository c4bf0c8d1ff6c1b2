//! `/device`: a person enters the code that a program without a browser shows, and answers its request.

use app::error::ActionError;
use app::pages::client::device;
use domain::base::id::PersonId;
use domain::client::device::{DeviceError, allow, deny, find};
use domain::model::field_error::FieldError;

use crate::dashboard::prelude::{Answer, Form, Refused, Response, Submission, refuse, respond};
use crate::http::error;

const UNKNOWN: &str = "No device waits with this code. Compare it with the code on the device.";
const EXPIRED: &str = "This code has expired. Start again on the device for a new one.";
const ANSWERED: &str = "This code was used before. Start again on the device for a new one.";

/// `GET`: the form for a code. A code in the address is filled in.
pub(crate) async fn form(asked: Submission) -> Response {
    if !asked.context().settings.device_grant {
        return refuse(asked.visit, ActionError::NotFound).await;
    }
    let code = asked.get("user_code");
    respond(asked.visit, device::enter(Form::new(code))).await
}

/// `POST`: a code, and later the answer to the request with this code.
pub(crate) async fn answer(form: Submission) -> Response {
    if !form.context().settings.device_grant {
        return refuse(form.visit, ActionError::NotFound).await;
    }
    let code = form.get("user_code");
    let outcome = match person(&form) {
        Ok(person) => decide(&form, &person, &code).await,
        Err(error) => Err(Problem::Refused(error.into())),
    };
    let outcome = match outcome {
        Ok(answer) => Ok(answer),
        Err(Problem::Refused(refused)) => Err(refused),
        Err(Problem::Device(DeviceError::TooManyGuesses { retry_after })) => {
            let mut response = respond(form.visit, async move { Ok(device::too_many(retry_after)) }).await;
            error::retry_after(&mut response, retry_after.as_secs().max(1));
            return response;
        }
        Err(Problem::Device(problem)) => explained(problem),
    };
    form.answer(outcome, code, device::enter).await
}

/// Why there is no answer.
enum Problem {
    Device(DeviceError),
    Refused(Refused),
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        Self::Refused(error.into())
    }
}

fn person(form: &Submission) -> Result<PersonId, ActionError> {
    Ok(form.visit.viewer()?.id.clone())
}

/// Does what the person decided. Without a decision, the page asks.
async fn decide(form: &Submission, person: &PersonId, code: &str) -> Result<Answer, Problem> {
    let (context, actor) = (form.context(), form.visit.actor()?);
    let decision = form.get("decision");
    let mut has_changed = false;
    let must_choose = match decision.as_str() {
        "deny" => {
            let client = deny(context, &actor, person, code).await?;
            return Ok(Answer::page(move || device::denied(&client)));
        }
        "allow" => match allow(context, &actor, person, code, &form.get("server"), &form.fields.all("shown")).await {
            Ok((client, offer)) => return Ok(Answer::page(move || device::allowed(&client, &offer))),
            Err(DeviceError::NotChosen) => true,
            // The server that the page showed may have been closed since. Then the page says so.
            Err(DeviceError::NotOpen) => false,
            Err(DeviceError::Changed) => {
                has_changed = true;
                false
            }
            Err(error) => return Err(error.into()),
        },
        _ => false,
    };
    let waiting = find(context, &actor, person, code).await?;
    let (visit, code) = (form.visit.clone(), code.to_owned());
    let must_choose = must_choose && waiting.offers.len() > 1;
    Ok(Answer::Page(Box::new(move || device::ask(&visit, waiting, code, must_choose, has_changed))))
}

/// The form with the words for what is wrong with the code, or a page of its own.
fn explained(problem: DeviceError) -> Result<Answer, Refused> {
    let wrong = |words| Err(FieldError::new("user_code", words).into());
    match problem {
        DeviceError::NotFound => wrong(UNKNOWN),
        DeviceError::Expired => wrong(EXPIRED),
        DeviceError::Answered => wrong(ANSWERED),
        DeviceError::Refused(problem) => Ok(Answer::page(move || device::refused(&problem))),
        DeviceError::Fault(fault) => Err(fault.into()),
        // These are answered before.
        DeviceError::TooManyGuesses { .. } | DeviceError::NotOpen | DeviceError::NotChosen | DeviceError::Changed => {
            Err(ActionError::NotFound.into())
        }
    }
}
