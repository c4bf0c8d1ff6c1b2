//! The form that replaces a signing key. It asks for the password again when that is due.

use app::error::ActionError;
use app::pages::operations::signing_keys as page;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{self, RotationMode};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /settings/keys`: asks before a signing key is replaced.
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let algorithm = fields.find("algorithm").unwrap_or(TokenAlgorithm::default().as_str()).to_owned();
    let haste = fields.find("haste").unwrap_or("ordered").to_owned();
    respond(visit, || page::page(algorithm, haste, Vec::new(), false)).await
}

/// `POST /settings/keys`
pub async fn rotate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let (algorithm, haste) = (fields.get("algorithm"), fields.get("haste"));
    let (Some(chosen), Some(how)) = (TokenAlgorithm::parse(&algorithm), page::read_haste(&haste)) else {
        return respond(visit, async || Err(ActionError::NotFound)).await;
    };
    match confirm_unless_fresh(&visit, &session, &fields).await {
        Ok(()) => {}
        Err(Refused::Fields { errors, ask_password }) => {
            return respond(visit, || page::page(algorithm, haste, errors, ask_password)).await;
        }
        Err(Refused::Action(error)) => return respond(visit, async || Err(error)).await,
    }
    let result = match visit.actor() {
        Ok(actor) => key_rotation::rotate(&visit.context, &actor, chosen, how).await.map_err(ActionError::from),
        Err(error) => Err(error),
    };
    match result {
        Ok(_) if how == RotationMode::Emergency => Redirect::to("/settings?done=replaced").into_response(),
        Ok(_) => Redirect::to("/settings?done=rotated").into_response(),
        Err(error) => respond(visit, async || Err(error)).await,
    }
}
