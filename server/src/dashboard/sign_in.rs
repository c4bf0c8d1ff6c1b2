//! Setting up, signing in, signing out.

use app::action::ActionError;
use app::pages::setup::{self as setup_page, Typed};
use app::pages::sign_in::{self as sign_in_page, Problem};
use app::visit::Visit;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::actor::Actor;
use domain::id::PersonId;
use domain::passkey;
use domain::password::Password;
use domain::person::{NewPerson, Person, PersonError};
use domain::session;
use domain::setup::{self, SetupError};
use domain::sign_in::{self, Attempt, Entry, Shown, SignInError};
use tower_sessions::Session;

use super::cookies::Cookie;
use super::enter::safe_return;
use super::openid;
use super::pages::respond;
use super::second_step;
use super::signed_in::SignedIn;
use crate::http::error;
use crate::http::fields::Fields;
use crate::oauth::authorize;
use crate::state::AppState;

/// `GET /setup?token=…`
pub async fn setup_form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let token = Fields::parse(query.unwrap_or_default().as_bytes()).get("token");
    let context = visit.context.clone();
    let mut response = respond(visit, async || {
        if !setup::link_is_usable(&context, &token).await? {
            return Ok(setup_page::unusable());
        }
        Ok(setup_page::page(token, Typed::default(), Vec::new()))
    })
    .await;
    // The address of this page is a secret.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /setup`
pub async fn setup(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
    let token = fields.get("token");
    let typed = Typed { name: fields.get("name"), email: fields.get("email") };
    let new = NewPerson {
        name: typed.name.clone(),
        email: typed.email.clone(),
        password: Password::new(fields.get("password")),
    };
    let actor = Actor::setup_link().at(visit.address, visit.agent.as_deref());
    match setup::create_first_administrator(&state.context, &actor, &token, new).await {
        Ok(person) => {
            let device = remembered(&state, &headers, &person.id, Shown::Password);
            enter_as(&state, &visit, &session, &person, device, "/credentials/new").await
        }
        Err(SetupError::LinkUnusable) => respond(visit, async || Ok(setup_page::unusable())).await,
        Err(SetupError::Person(PersonError::Invalid(errors))) => {
            respond(visit, async || Ok(setup_page::page(token, typed, errors))).await
        }
        Err(SetupError::Person(error)) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

/// `GET /login`
pub async fn sign_in_form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let next = safe_return(&Fields::parse(query.unwrap_or_default().as_bytes()).get("next"));
    if visit.viewer.is_some() {
        return Redirect::to(&next).into_response();
    }
    show(visit, next, String::new(), None).await
}

/// `POST /login`
pub async fn sign_in(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
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
        Ok(Entry::Whole(person)) => {
            let device = remembered(&state, &headers, &person.id, Shown::Password);
            return enter_as(&state, &visit, &session, &person, device, &next).await;
        }
        Ok(Entry::SecondStep(token)) => return second_step::lead_to(&state, &token),
        // A password has no code or passkey beside it here.
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

/// The form again, with what is wrong.
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
    let mut response = respond(visit, async || Ok(sign_in_page::page(next, email, problem, passkeys))).await;
    authorize::let_sign_in_lead_to(&target, &mut response);
    openid::let_forms_lead_there(&context, &mut response);
    response
}

/// `POST /logout`
pub async fn sign_out(Extension(visit): Extension<Visit>, Extension(session): Extension<Session>) -> Response {
    if let (Ok(viewer), Ok(actor)) = (visit.viewer(), visit.actor())
        && let Err(fault) = session::end(&visit.context, &actor, &viewer.id, &viewer.session).await
    {
        return respond(visit, async || Err(ActionError::from(fault))).await;
    }
    if let Err(error) = session.flush().await {
        tracing::error!(%error, "a session could not be ended");
        return error::plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    Redirect::to("/login").into_response()
}

/// Signs the person in under a new cookie, remembers the browser with `device`, and goes on to `next`.
pub async fn enter_as(
    state: &AppState,
    visit: &Visit,
    session: &Session,
    person: &Person,
    device: Device,
    next: &str,
) -> Response {
    let signed_in = SignedIn::new(&state.context, person, visit.address, visit.agent.clone());
    enter_with(state, session, &signed_in, Some(device), next).await
}

/// The same with what is known about how they proved who they are.
pub async fn enter_with(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    device: Option<Device>,
    next: &str,
) -> Response {
    if let Err(error) = signed_in.store(&state.context, session).await {
        tracing::error!(%error, "a session could not be stored");
        return error::plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    let mut response = Redirect::to(next).into_response();
    if let Some(device) = device {
        remember(state, device, &mut response);
    }
    response
}

/// How long a browser is known, in seconds: a year.
const REMEMBERED: u64 = 365 * 24 * 3600;

/// The token by which a browser is known later.
pub struct Device(String);

/// The token for this browser, in which the person has just shown this.
pub fn remembered(state: &AppState, headers: &HeaderMap, person: &PersonId, shown: Shown) -> Device {
    Device(sign_in::device_token(&state.context, person, shown, device(state, headers).as_deref()))
}

/// Leaves the token in the browser.
pub fn remember(state: &AppState, device: Device, response: &mut Response) {
    Cookie::Device.put(response, &device.0, Some(REMEMBERED), state.is_https());
}

/// What the browser shows of an earlier sign-in.
pub fn device(state: &AppState, headers: &HeaderMap) -> Option<String> {
    Cookie::Device.read(headers, state.is_https())
}
