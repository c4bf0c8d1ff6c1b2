//! The form that replaces a signing key. It asks for the password again when that is due.

use app::done::Done;
use app::error::ActionError;
use app::form::Form;
use app::links;
use app::pages::operations::signing_keys as page;
use app::pages::operations::signing_keys::TypedRotation;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{self, RotationMode};

use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /settings/keys`: asks before a signing key is replaced.
pub async fn form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let typed = TypedRotation {
        algorithm: fields.find("algorithm").unwrap_or(TokenAlgorithm::default().as_str()).to_owned(),
        haste: fields.find("haste").unwrap_or("ordered").to_owned(),
    };
    respond(visit, || page::page(Form::new(typed))).await
}

/// `POST /settings/keys`
pub async fn rotate(form: Submission) -> Response {
    let typed = TypedRotation { algorithm: form.get("algorithm"), haste: form.get("haste") };
    let rotated = async {
        let algorithm = TokenAlgorithm::parse(&typed.algorithm).ok_or(ActionError::NotFound)?;
        let haste = page::read_haste(&typed.haste).ok_or(ActionError::NotFound)?;
        form.confirm().await?;
        let rotated = key_rotation::rotate(form.context(), &form.actor()?, algorithm, haste).await;
        rotated.map_err(ActionError::from)?;
        let done = if haste == RotationMode::Emergency { Done::SettingsKeyReplaced } else { Done::SettingsKeyRotated };
        Ok(Answer::Next(done.at(links::SETTINGS)))
    };
    let outcome = rotated.await;
    form.answer(outcome, typed, page::page).await
}
