//! Passkeys: what they are to sign, signing in with one, adding and removing one's own.

use app::error::ActionError;
use app::pages::person::sign_in::Problem;
use app::pages::person::{passkeys as page, second_factor};
use app::visit::Visit;
use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::{PasskeyId, PersonId};
use domain::crypto::recovery_code::RecoveryCode;
use domain::error::Fault;
use domain::model::field_error::FieldError;
use domain::person::passkey::{self, Challenge, ChallengePurpose, PasskeyError};
use domain::person::sign_in::{ShownFactor, SignInError, second_step, sign_in_with_passkey};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{self, confirm_unless_fresh, viewer};
use crate::dashboard::auth::passkey_answer;
use crate::dashboard::auth::return_address::safe_return;
use crate::dashboard::auth::start_session::{device, enter_as, remember, remembered};
use crate::dashboard::person::second_step::token;
use crate::dashboard::person::sign_in::refuse;
use crate::dashboard::respond::{fields_of, respond};
use crate::http::error;
use crate::http::fields::Fields;
use crate::state::AppState;

/// `GET /login/passkey`: what a passkey is to sign, of anybody, or of whoever is at the second step. It writes nothing.
pub async fn sign_in_challenge(
    State(state): State<AppState>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if fields_of(query).get("for") != "second-step" {
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

/// `GET /account/passkeys/challenge`: what a passkey of the signed-in person is to sign, or a new one.
pub async fn challenge(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let Ok((person, _)) = viewer(&visit).await else { return error::plain(StatusCode::SERVICE_UNAVAILABLE) };
    hand_out(match fields_of(query).get("for").as_str() {
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
pub async fn sign_in(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
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
pub async fn new_form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    respond(visit, || page::new(fields_of(query).get("name"), Vec::new(), false)).await
}

/// `POST /account/passkeys/new`: first asks who it is, when that is due, and leads back to the form; then adds.
pub async fn add(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
    let name = fields.find("name").or(fields.find(page::KEPT_NAME)).unwrap_or_default().to_owned();
    match try_add(&visit, &session, &fields, &name).await {
        Ok(Step::Proved) => {
            let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let query = if encoded.is_empty() { String::new() } else { format!("?name={encoded}") };
            Redirect::to(&format!("/account/passkeys/new{query}")).into_response()
        }
        Ok(Step::Added { person, codes }) => {
            let device = remembered(&state, &headers, &person, ShownFactor::SecondFactor);
            let mut response = if codes.is_empty() {
                Redirect::to("/account?done=passkey-added").into_response()
            } else {
                respond(visit, async || Ok(second_factor::reveal("Save your recovery codes", &codes))).await
            };
            remember(&state, device, &mut response);
            response
        }
        Err(Refused::Fields { errors, ask_password }) => respond(visit, || page::new(name, errors, ask_password)).await,
        Err(Refused::AlreadySubmitted) => respond(visit, async || Ok(page::already_added())).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// How far a form of [`add`] led.
enum Step {
    /// It is known again who it is.
    Proved,
    /// The passkey is there, with the recovery codes that were made.
    Added { person: PersonId, codes: Vec<RecoveryCode> },
}

async fn try_add(visit: &Visit, session: &Session, fields: &Fields, name: &str) -> Result<Step, Refused> {
    let answer = passkey_answer::read(fields).unwrap_or_default();
    let (person, actor) = viewer(visit).await?;
    // Before anything else is asked: whoever reloads the page of the recovery codes must hear that they were shown.
    if passkey::was_added(&visit.context, &person.id, &answer).await.map_err(ActionError::from)? {
        return Err(Refused::AlreadySubmitted);
    }
    if !visit.is_fresh() {
        // The new passkey of a form that was filled in while the last proof grew old proves nothing, and is no wrong one.
        if fields.find("name").is_some() {
            let errors = vec![FieldError::new("your_password", "Confirm it is you, then add the passkey.")];
            return Err(Refused::Fields { errors, ask_password: true });
        }
        confirm_unless_fresh(visit, session, fields).await?;
        return Ok(Step::Proved);
    }
    let codes = passkey::add(&visit.context, &actor, &person, name, &answer).await?;
    Ok(Step::Added { person: person.id, codes })
}

/// `GET /account/passkeys/{id}/remove`
pub async fn remove_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::remove(id, Vec::new(), false)).await
}

/// `POST /account/passkeys/{id}/remove`
pub async fn remove(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    match try_remove(&visit, &session, &fields, &id).await {
        Ok(()) => Redirect::to("/account?done=passkey-removed").into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::remove(id, errors, ask_password)).await
        }
        Err(Refused::AlreadySubmitted) => respond(visit, async || Ok(page::already_added())).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_remove(visit: &Visit, session: &Session, fields: &Fields, id: &str) -> Result<(), Refused> {
    let id = PasskeyId::parse(id).ok_or(ActionError::NotFound)?;
    confirm_unless_fresh(visit, session, fields).await?;
    let (person, actor) = viewer(visit).await?;
    Ok(passkey::remove(&visit.context, &actor, &person, &id).await?)
}

/// Why nothing was done.
enum Refused {
    Fields { errors: Vec<FieldError>, ask_password: bool },
    AlreadySubmitted,
    Action(ActionError),
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl From<PasskeyError> for Refused {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Invalid(errors) => Self::Fields { errors, ask_password: false },
            PasskeyError::AlreadySubmitted => Self::AlreadySubmitted,
            PasskeyError::NotFound => Self::Action(ActionError::NotFound),
            PasskeyError::Fault(fault) => Self::Action(fault.into()),
        }
    }
}

impl From<confirm::Refused> for Refused {
    fn from(refused: confirm::Refused) -> Self {
        match refused {
            confirm::Refused::Fields { errors, ask_password } => Self::Fields { errors, ask_password },
            confirm::Refused::Action(error) => Self::Action(error),
        }
    }
}
