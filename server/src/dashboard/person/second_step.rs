//! The second step of a sign-in: a code or a passkey, after the right password. Until then the browser has a cookie
//! that gives access only to this page.

use app::pages::person::sign_in;
use app::pages::person::sign_in::second_step::{self as page, Problem};
use app::visit::Visit;
use axum::response::{IntoResponse, Redirect};
use domain::person::sign_in::second_step::{self, SecondStepAttempt, SecondStepProof, Waiting};
use domain::person::sign_in::{ShownFactor, SignInError};

use crate::dashboard::auth::{
    Cookie, Device, enter_as, let_sign_in_lead_to, passkey_answer, return_in_address, safe_return,
};
use crate::dashboard::person::sign_in::show as page_of_sign_in;
use crate::dashboard::prelude::{Response, Submission, links, refuse, respond};
use crate::http::error;

/// The value for a recovery code, on the wire.
const RECOVERY: &str = "recovery-code";

/// `GET /login/second-factor`
pub(crate) async fn form(asked: Submission) -> Response {
    let recovery = asked.get("with") == RECOVERY;
    match second_step::find(asked.context(), &token(&asked)).await {
        Ok(Some(waiting)) => show(asked.visit, recovery, None, &waiting).await,
        // A visitor who comes from the page itself was at the second step.
        Ok(None) => match asked.fields.find("next") {
            Some(next) => {
                let next = return_in_address(&asked.visit.path, next);
                too_late(asked.visit, next).await
            }
            None => Redirect::to(links::SIGN_IN).into_response(),
        },
        Err(fault) => refuse(asked.visit, fault).await,
    }
}

/// Starts the sign-in again, with the same address to go on to.
async fn too_late(visit: Visit, next: String) -> Response {
    if visit.viewer.is_some() {
        return Redirect::to(&next).into_response();
    }
    page_of_sign_in(visit, next, String::new(), Some(sign_in::Problem::TooLate)).await
}

/// `POST /login/second-factor`
pub(crate) async fn finish(form: Submission) -> Response {
    let token = token(&form);
    let waiting = match second_step::find(form.context(), &token).await {
        Ok(Some(waiting)) => waiting,
        Ok(None) => return too_late(form.visit, safe_return(&form.fields.get("next"))).await,
        Err(fault) => return refuse(form.visit, fault).await,
    };
    let recovery = form.get("with") == RECOVERY;
    if form.visit.is_stale {
        return show(form.visit, recovery, Some(Problem::Stale), &waiting).await;
    }
    let step = SecondStepAttempt {
        token,
        proof: passkey_answer(&form.fields)
            .map_or_else(|| SecondStepProof::Code(form.get("code")), SecondStepProof::Passkey),
        address: form.visit.address,
        agent: form.visit.agent.clone(),
        device: Device::known(&form),
    };
    let problem = match second_step::finish(form.context(), step).await {
        Ok(entered) => {
            let mut response = enter_as(&form, &entered.person, ShownFactor::SecondFactor, &entered.next).await;
            Cookie::SecondStep.take(&mut response, form.state.is_https());
            return response;
        }
        Err(SignInError::TooLate) => return too_late(form.visit, safe_return(&waiting.next)).await,
        Err(SignInError::Refused | SignInError::WrongCode) => Problem::WrongCode,
        Err(SignInError::WrongPasskey) => Problem::WrongPasskey,
        Err(SignInError::Throttled { retry_after }) => Problem::Throttled { retry_after },
        Err(SignInError::TooManyCodes { retry_after }) => Problem::TooManyCodes { retry_after },
        Err(SignInError::Fault(fault)) => {
            tracing::error!(%fault, "a second step could not be checked");
            Problem::Unavailable
        }
    };
    show(form.visit, recovery, Some(problem), &waiting).await
}

async fn show(visit: Visit, recovery: bool, problem: Option<Problem>, waiting: &Waiting) -> Response {
    let factors = waiting.person.factors;
    let mut response = respond(visit, async { Ok(page::page(factors, recovery, &waiting.next, problem)) }).await;
    let_sign_in_lead_to(&waiting.next, &mut response);
    if let Some(Problem::Throttled { retry_after } | Problem::TooManyCodes { retry_after }) = problem {
        error::retry_after(&mut response, retry_after.as_secs());
    }
    response
}

/// The browser's token of the sign-in in progress, if it has one.
pub(crate) fn token(form: &Submission) -> String {
    Cookie::SecondStep.read(&form.headers, form.state.is_https()).unwrap_or_default()
}
