//! The form of the emergency stop: typed confirmation, and the password again when it is due.

use app::action::ActionError;
use app::pages::settings::{self, CONFIRMATION, Typed};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::clock::Timestamp;
use domain::credential::CredentialError;
use domain::credential::emergency::{self, Means};
use domain::error::FieldError;
use tower_sessions::Session;

use super::credentials::{Refused, confirm};
use super::pages::respond;
use crate::http::fields::Fields;

/// What the fields hold.
pub fn typed(fields: &Fields) -> Typed {
    Typed {
        server: fields.get("server"),
        created_before: fields.get("created_before"),
        means: fields.get("means"),
        reason: fields.get("reason"),
        confirmation: fields.get("confirmation"),
    }
}

/// `POST /settings/stop`
pub async fn stop(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed(&fields);
    match try_stop(&visit, &session, &fields, &typed).await {
        Ok((means, count, at)) => {
            let done = if means == Means::Disable { "disabled" } else { "revoked" };
            Redirect::to(&format!("/settings?done={done}&count={count}&stopped_at={}", at.millis())).into_response()
        }
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || settings::stop_page(typed, errors, ask_password)).await
        }
        Err(Refused::Operation(error)) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

async fn try_stop(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &Typed,
) -> Result<(Means, u64, Timestamp), Refused> {
    let invalid = |error| CredentialError::Invalid(vec![error]);
    let (selection, means) = typed.selection().map_err(invalid)?;
    if typed.confirmation.trim() != CONFIRMATION {
        return Err(invalid(FieldError::new("confirmation", format!("Type {CONFIRMATION} to confirm."))).into());
    }
    if !visit.is_fresh() {
        confirm(visit, session, fields).await?;
    }
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let (count, at) = emergency::stop(&visit.context, &actor, &selection, means, &typed.reason).await?;
    Ok((means, count, at))
}
