//! Signing in and signing out.

use app::links;
use app::pages::person::sign_in as page;
use app::pages::person::sign_in::Problem;
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::crypto::password::Password;
use domain::person::sign_in::second_step::LIFETIME;
use domain::person::sign_in::{self, Attempt, ShownFactor, SignInError, SignInOutcome};
use domain::person::{passkey, session};
use tower_sessions::Session;

use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::auth::return_address::{let_sign_in_lead_to, safe_return};
use crate::dashboard::auth::start_session::{device, enter_as, remembered};
use crate::dashboard::person::openid;
use crate::dashboard::respond::{self, Query, respond};
use crate::dashboard::submit::Submission;
use crate::http::error;
use crate::state::AppState;

/// `GET /login`
pub async fn form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let next = safe_return(&fields.get("next"));
    if visit.viewer.is_some() {
        return Redirect::to(&next).into_response();
    }
    show(visit, next, String::new(), None).await
}

/// `POST /login`
pub async fn sign_in(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let Submission { visit, session, fields, .. } = form;
    let (next, email) = (safe_return(&fields.get("next")), fields.get("email"));
    let attempt = Attempt {
        email: email.clone(),
        password: Password::new(fields.get("password")),
        address: visit.address,
        agent: visit.agent.clone(),
        device: device(&state, &headers),
        next: next.clone(),
    };
    let problem = match sign_in::sign_in(&state.context, attempt).await {
        Ok(SignInOutcome::Whole(person)) => {
            let device = remembered(&state, &headers, &person.id, ShownFactor::Password);
            return enter_as(&state, &visit, &session, &person, device, &next).await;
        }
        Ok(SignInOutcome::SecondStep(token)) => return to_second_step(&state, &token),
        // On this page the form has a password only, no code and no passkey.
        Err(SignInError::Refused | SignInError::WrongCode | SignInError::WrongPasskey | SignInError::TooLate) => {
            Problem::Refused
        }
        Err(SignInError::Throttled { retry_after } | SignInError::TooManyCodes { retry_after }) => {
            Problem::Throttled { retry_after }
        }
        Err(SignInError::Fault(fault)) => {
            tracing::error!(%fault, "a sign-in could not be checked");
            Problem::Unavailable
        }
    };
    refuse(visit, next, email, problem).await
}

/// The form again, with its errors.
pub async fn refuse(visit: Visit, next: String, email: String, problem: Problem) -> Response {
    let wait = match problem {
        Problem::Throttled { retry_after } => Some(retry_after.as_secs()),
        _ => None,
    };
    let mut response = show(visit, next, email, Some(problem)).await;
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn show(visit: Visit, next: String, email: String, problem: Option<Problem>) -> Response {
    let (target, context) = (next.clone(), visit.context.clone());
    let passkeys = passkey::is_possible(&context.settings);
    let mut response = respond(visit, async || Ok(page::page(next, email, problem, passkeys))).await;
    let_sign_in_lead_to(&target, &mut response);
    openid::let_forms_lead_there(&context, &mut response);
    response
}

/// `POST /logout`
pub async fn sign_out(Extension(visit): Extension<Visit>, Extension(session): Extension<Session>) -> Response {
    if let (Ok(viewer), Ok(actor)) = (visit.viewer(), visit.actor())
        && let Err(fault) = session::end(&visit.context, &actor, &viewer.id, &viewer.session).await
    {
        return respond::refuse(visit, fault).await;
    }
    if let Err(error) = session.flush().await {
        tracing::error!(%error, "a session could not be ended");
        return error::plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    Redirect::to(links::SIGN_IN).into_response()
}

/// Redirects the browser to the second step, with the token of the sign-in.
fn to_second_step(state: &AppState, token: &str) -> Response {
    let mut response = Redirect::to(links::SECOND_STEP).into_response();
    Cookie::SecondStep.put(&mut response, token, Some(LIFETIME.as_secs()), state.is_https());
    response
}
