//! The second step of a sign-in: a code or a passkey, after the right password. Until then the browser has a cookie
//! that gives access only to this page.

use app::links;
use app::pages::person::second_step::Problem;
use app::pages::person::{second_step as page, sign_in};
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::person::sign_in::second_step::{self, SecondStepAttempt, SecondStepProof, Waiting};
use domain::person::sign_in::{ShownFactor, SignInError};

use crate::dashboard::auth::cookies::Cookie;
use crate::dashboard::auth::passkey_answer;
use crate::dashboard::auth::return_address::{let_sign_in_lead_to, safe_return};
use crate::dashboard::auth::start_session::{device, enter_as, remembered};
use crate::dashboard::person::sign_in::refuse;
use crate::dashboard::respond::{self, Query, respond};
use crate::dashboard::submit::Submission;
use crate::state::AppState;

/// The value for a recovery code, on the wire.
const RECOVERY: &str = "recovery-code";

/// `GET /login/second-factor`
pub async fn form(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Query(fields): Query,
) -> Response {
    let recovery = fields.get("with") == RECOVERY;
    match second_step::find(&state.context, &token(&state, &headers)).await {
        Ok(Some(waiting)) => show(visit, recovery, None, &waiting).await,
        // A visitor who comes from the page itself was at the second step.
        Ok(None) => match fields.find("next") {
            Some(next) => too_late(visit, next).await,
            None => Redirect::to(links::SIGN_IN).into_response(),
        },
        Err(fault) => respond::refuse(visit, fault).await,
    }
}

/// Starts the sign-in again, with the same address to go on to.
async fn too_late(visit: Visit, next: &str) -> Response {
    let next = safe_return(next);
    if visit.viewer.is_some() {
        return Redirect::to(&next).into_response();
    }
    refuse(visit, next, String::new(), sign_in::Problem::TooLate).await
}

/// `POST /login/second-factor`
pub async fn finish(State(state): State<AppState>, headers: HeaderMap, form: Submission) -> Response {
    let Submission { visit, session, fields, .. } = form;
    let token = token(&state, &headers);
    let waiting = match second_step::find(&state.context, &token).await {
        Ok(Some(waiting)) => waiting,
        Ok(None) => return too_late(visit, &fields.get("next")).await,
        Err(fault) => return respond::refuse(visit, fault).await,
    };
    let step = SecondStepAttempt {
        token,
        proof: passkey_answer::read(&fields)
            .map_or_else(|| SecondStepProof::Code(fields.get("code")), SecondStepProof::Passkey),
        address: visit.address,
        agent: visit.agent.clone(),
        device: device(&state, &headers),
    };
    let problem = match second_step::finish(&state.context, step).await {
        Ok(entered) => {
            let device = remembered(&state, &headers, &entered.person.id, ShownFactor::SecondFactor);
            let mut response = enter_as(&state, &visit, &session, &entered.person, device, &entered.next).await;
            Cookie::SecondStep.take(&mut response, state.is_https());
            return response;
        }
        Err(SignInError::TooLate) => return too_late(visit, &waiting.next).await,
        Err(SignInError::Refused | SignInError::WrongCode) => Problem::WrongCode,
        Err(SignInError::WrongPasskey) => Problem::WrongPasskey,
        Err(SignInError::Throttled { retry_after }) => Problem::Throttled { retry_after },
        Err(SignInError::TooManyCodes { retry_after }) => Problem::TooManyCodes { retry_after },
        Err(SignInError::Fault(fault)) => {
            tracing::error!(%fault, "a second step could not be checked");
            Problem::Unavailable
        }
    };
    show(visit, fields.get("with") == RECOVERY, Some(problem), &waiting).await
}

async fn show(visit: Visit, recovery: bool, problem: Option<Problem>, waiting: &Waiting) -> Response {
    let factors = waiting.person.factors;
    let mut response = respond(visit, async || Ok(page::page(factors, recovery, &waiting.next, problem))).await;
    let_sign_in_lead_to(&waiting.next, &mut response);
    if let Some(Problem::Throttled { retry_after } | Problem::TooManyCodes { retry_after }) = problem {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
    }
    response
}

/// The browser's token of the sign-in in progress, if it has one.
pub fn token(state: &AppState, headers: &HeaderMap) -> String {
    Cookie::SecondStep.read(headers, state.is_https()).unwrap_or_default()
}
