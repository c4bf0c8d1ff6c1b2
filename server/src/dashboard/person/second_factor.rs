//! The forms of one's own second factor.

use app::error::ActionError;
use app::pages::person::second_factor as page;
use app::visit::Visit;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::person::Person;
use domain::person::second_factor::{self, SecondFactorError};
use domain::person::sign_in::ShownFactor;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{self, confirm_unless_fresh, viewer};
use crate::dashboard::auth::start_session::{remember, remembered};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;
use crate::state::AppState;

/// `GET /account/authenticator`
pub async fn begin_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::begin(Vec::new(), false)).await
}

/// `POST /account/authenticator`: answers with the one page that shows the secret.
pub async fn begin_app(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let begun = async {
        let (person, actor) = proved(&visit, &session, &fields).await?;
        Ok(second_factor::begin_app(&visit.context, &actor, &person.id).await?)
    };
    match begun.await {
        Ok(secret) => respond(visit.clone(), async || page::scan(&visit, &secret, None)).await,
        Err(Refused::Fields { errors, ask_password }) => respond(visit, || page::begin(errors, ask_password)).await,
        Err(refused) => other(visit, refused).await,
    }
}

/// `POST /account/authenticator/confirm`: turns the app on, and shows the first recovery codes. It asks for no password: what
/// it confirms was begun with one, a quarter of an hour ago at most.
pub async fn confirm_app(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Extension(fields): Extension<Fields>,
) -> Response {
    let confirmed = async {
        let (person, actor) = viewer(&visit).await?;
        let (shown, code, form_token) = (fields.get("shown"), fields.get("code"), fields.get("form_token"));
        let codes = second_factor::confirm_app(&visit.context, &actor, &person, &shown, &code, &form_token).await?;
        Ok((person, codes))
    };
    match confirmed.await {
        Ok((person, codes)) => {
            let device = remembered(&state, &headers, &person.id, ShownFactor::SecondFactor);
            let mut response = if codes.is_empty() {
                Redirect::to("/account?done=app-added").into_response()
            } else {
                respond(visit, async || Ok(page::reveal("Save your recovery codes", &codes))).await
            };
            remember(&state, device, &mut response);
            response
        }
        Err(Refused::Factor(SecondFactorError::WrongCode)) => {
            let message =
                "This is not the code that the app shows now. Check the time of your device, and try the next code.";
            respond(visit.clone(), async || {
                let viewer = visit.viewer()?;
                match second_factor::unconfirmed_app(&visit.context, &viewer.id, &fields.get("shown")).await {
                    Ok(secret) => page::scan(&visit, &secret, Some(message.to_owned())),
                    Err(_) => Ok(page::begin_again()),
                }
            })
            .await
        }
        Err(refused) => other(visit, refused).await,
    }
}

/// `GET /account/authenticator/remove`
pub async fn remove_app_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::remove_app(Vec::new(), false)).await
}

/// `POST /account/authenticator/remove`
pub async fn remove_app(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let removed = async {
        let (person, actor) = proved(&visit, &session, &fields).await?;
        Ok(second_factor::remove_app(&visit.context, &actor, &person).await?)
    };
    match removed.await {
        Ok(()) => Redirect::to("/account?done=app-removed").into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::remove_app(errors, ask_password)).await
        }
        Err(Refused::Factor(SecondFactorError::NotFound)) => respond(visit, async || Err(ActionError::NotFound)).await,
        Err(refused) => other(visit, refused).await,
    }
}

/// `GET /account/recovery-codes`
pub async fn new_codes_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::new_codes(Vec::new(), false)).await
}

/// `POST /account/recovery-codes`: makes them anew, and answers with the one page that shows them.
pub async fn new_codes(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let made = async {
        let (person, actor) = proved(&visit, &session, &fields).await?;
        let form_token = fields.get("form_token");
        Ok(second_factor::replace_recovery_codes(&visit.context, &actor, &person, &form_token).await?)
    };
    match made.await {
        Ok(codes) => respond(visit, async || Ok(page::reveal("Save your new recovery codes", &codes))).await,
        Err(Refused::Fields { errors, ask_password }) => respond(visit, || page::new_codes(errors, ask_password)).await,
        Err(Refused::Factor(SecondFactorError::NotFound)) => respond(visit, async || Err(ActionError::NotFound)).await,
        Err(refused) => other(visit, refused).await,
    }
}

/// Why nothing was done.
enum Refused {
    Fields { errors: Vec<FieldError>, ask_password: bool },
    Factor(SecondFactorError),
    Action(ActionError),
}

impl From<SecondFactorError> for Refused {
    fn from(error: SecondFactorError) -> Self {
        Self::Factor(error)
    }
}

impl From<ActionError> for Refused {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
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

/// The signed-in person, asked again who they are when that is due.
async fn proved(visit: &Visit, session: &Session, fields: &Fields) -> Result<(Person, Actor), Refused> {
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(viewer(visit).await?)
}

/// Whatever is not about what was typed.
async fn other(visit: Visit, refused: Refused) -> Response {
    respond(visit, async || match refused {
        Refused::Factor(SecondFactorError::AlreadySubmitted) => Ok(page::already_shown()),
        Refused::Factor(SecondFactorError::NotShown) => Ok(page::not_shown()),
        Refused::Factor(SecondFactorError::Fault(fault)) => Err(fault.into()),
        Refused::Factor(_) => Ok(page::begin_again()),
        Refused::Action(error) => Err(error),
        Refused::Fields { errors, .. } => Err(domain::credential::CredentialError::Invalid(errors).into()),
    })
    .await
}
