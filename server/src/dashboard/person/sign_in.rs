//! Signing in and signing out.

use app::pages::person::sign_in::{self as page, Problem};
use app::visit::Visit;
use axum::response::{IntoResponse, Redirect};
use domain::crypto::password::Password;
use domain::error::Fault;
use domain::person::sign_in::second_step::LIFETIME;
use domain::person::sign_in::{self, Attempt, ShownFactor, SignInError, SignInOutcome};
use domain::person::{passkey, session};

use crate::dashboard::auth::{Cookie, Device, enter_as, let_sign_in_lead_to, return_in_address, safe_return};
use crate::dashboard::person::openid;
use crate::dashboard::prelude::{Response, Submission, links, refuse, respond};
use crate::http::error::{self, unavailable};

/// `GET /login`
pub(crate) async fn form(asked: Submission) -> Response {
    let next = return_in_address(&asked.visit.path, &asked.get("next"));
    if asked.visit.viewer.is_some() {
        return Redirect::to(&next).into_response();
    }
    let unsaved = asked.fields.find(links::UNSAVED).map(|_| Problem::Unsaved);
    show(asked.visit, next, String::new(), unsaved).await
}

/// `POST /login`
pub(crate) async fn sign_in(form: Submission) -> Response {
    let (next, email) = (safe_return(&form.get("next")), form.get("email"));
    let attempt = Attempt {
        email: email.clone(),
        password: Password::new(form.get("password")),
        address: form.visit.address,
        agent: form.visit.agent.clone(),
        device: Device::known(&form),
        next: next.clone(),
    };
    let problem = match sign_in::sign_in(form.context(), attempt).await {
        Ok(SignInOutcome::Whole(person)) => return enter_as(&form, &person, ShownFactor::Password, &next).await,
        Ok(SignInOutcome::SecondStep(token)) => {
            let mut response = Redirect::to(links::SECOND_STEP).into_response();
            Cookie::SecondStep.put(&mut response, &token, Some(LIFETIME.as_secs()), form.state.is_https());
            return response;
        }
        // On this page the form has a password only, no code and no passkey.
        Err(error) => problem_of(error, Problem::Refused),
    };
    show(form.visit, next, email, Some(problem)).await
}

/// The problem that the page shows: `refused` for everything that is wrong with the proof.
pub(crate) fn problem_of(error: SignInError, refused: Problem) -> Problem {
    match error {
        SignInError::Throttled { retry_after } | SignInError::TooManyCodes { retry_after } => {
            Problem::Throttled { retry_after }
        }
        SignInError::Fault(fault) => {
            tracing::error!(%fault, "a sign-in could not be checked");
            Problem::Unavailable
        }
        SignInError::Refused | SignInError::WrongCode | SignInError::WrongPasskey | SignInError::TooLate => refused,
    }
}

/// The form, again with its problem.
pub(crate) async fn show(visit: Visit, next: String, email: String, problem: Option<Problem>) -> Response {
    let (target, context) = (next.clone(), visit.context.clone());
    let wait = match &problem {
        Some(Problem::Throttled { retry_after }) => Some(retry_after.as_secs()),
        _ => None,
    };
    let passkeys = passkey::is_possible(&context.settings);
    let mut response = respond(visit, async move { Ok(page::page(next, email, problem, passkeys)) }).await;
    let_sign_in_lead_to(&target, &mut response);
    openid::let_forms_lead_there(&context, &mut response);
    if let Some(seconds) = wait {
        error::retry_after(&mut response, seconds);
    }
    response
}

/// `POST /logout`
pub(crate) async fn sign_out(form: Submission) -> Response {
    if let (Ok(viewer), Ok(actor)) = (form.visit.viewer(), form.visit.actor()) {
        match session::end(form.context(), &actor, &viewer.id, &viewer.session).await {
            // The session may have ended in the meantime.
            Ok(_) | Err(Fault::ActorEnded) => {}
            Err(fault) => return refuse(form.visit, fault).await,
        }
    }
    if let Err(error) = form.session.flush().await {
        return unavailable!(%error, "a session could not be ended");
    }
    let mut response = Redirect::to(links::SIGN_IN).into_response();
    // What one person typed is not for the next person at this browser.
    Cookie::Draft.take(&mut response, form.state.is_https());
    response
}
