//! The forms of the settings: signing keys, which ask for the password again when it is due, and the emergency stop, which
//! asks for a word instead: an incident must not wait for a password.

use app::action::ActionError;
use app::pages::settings::{self, CONFIRMATION, Typed};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::credential::CredentialError;
use domain::credential::emergency::{self, Means};
use domain::error::FieldError;
use domain::keys::TokenAlgorithm;
use domain::keys::rotation::{self, Haste};
use tower_sessions::Session;

use super::credentials::{Refused, confirm};
use super::pages::respond;
use crate::http::fields::Fields;

/// What the fields of a stop hold.
pub fn typed(fields: &Fields) -> Typed {
    Typed {
        team: fields.get("team"),
        made_by: fields.get("made_by"),
        server: fields.get("server"),
        created_before: fields.get("created_before"),
        means: fields.get("means"),
        reason: fields.get("reason"),
        confirmation: fields.get("confirmation"),
    }
}

/// `POST /settings/keys`
pub async fn rotate_keys(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let (algorithm, haste) = (fields.get("algorithm"), fields.get("haste"));
    let (Some(chosen), Some(how)) = (TokenAlgorithm::parse(&algorithm), settings::read_haste(&haste)) else {
        return respond(visit, async || Err(ActionError::NotFound)).await;
    };
    if !visit.is_fresh() {
        match confirm(&visit, &session, &fields).await {
            Ok(()) => {}
            Err(Refused::Fields { errors, ask_password }) => {
                return respond(visit, || settings::keys_page(algorithm, haste, errors, ask_password)).await;
            }
            Err(Refused::Operation(error)) => return respond(visit, async || Err(ActionError::from(error))).await,
        }
    }
    let result = match visit.actor() {
        Ok(actor) => rotation::rotate(&visit.context, &actor, chosen, how).await.map_err(ActionError::from),
        Err(error) => Err(error),
    };
    match result {
        Ok(_) if how == Haste::Emergency => Redirect::to("/settings?done=replaced").into_response(),
        Ok(_) => Redirect::to("/settings?done=rotated").into_response(),
        Err(error) => respond(visit, async || Err(error)).await,
    }
}

/// `POST /settings/stop`
pub async fn stop(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let typed = typed(&fields);
    match try_stop(&visit, &typed).await {
        Ok((means, count)) => {
            let done = if means == Means::Disable { "disabled" } else { "revoked" };
            Redirect::to(&format!("/settings?done={done}&count={count}")).into_response()
        }
        Err(CredentialError::Invalid(errors)) => respond(visit, || settings::stop_page(typed, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

async fn try_stop(visit: &Visit, typed: &Typed) -> Result<(Means, u64), CredentialError> {
    let invalid = |error| CredentialError::Invalid(vec![error]);
    let (selection, means) = typed.selection().map_err(invalid)?;
    if typed.confirmation.trim() != CONFIRMATION {
        return Err(invalid(FieldError::new("confirmation", format!("Type {CONFIRMATION} to confirm."))));
    }
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let (count, _) = emergency::stop(&visit.context, &actor, &selection, means, &typed.reason).await?;
    Ok((means, count))
}
