//! The form that edits a client.

use app::done::Done;
use app::error::ActionError;
use app::form::Form;
use app::links;
use app::pages::client::edit as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::AppClientId;
use domain::client;

use crate::dashboard::client::new::typed;
use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /apps/clients/{id}/edit`
pub async fn form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::form(id, Form::default())).await
}

/// `POST /apps/clients/{id}/edit`: changes the name and the redirect URIs. For new redirect URIs the person proves
/// again who they are.
pub async fn edit(form: Submission, Path(id): Path<String>) -> Response {
    let typed = typed(&form);
    let edited = async {
        let client = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
        form.confirm().await?;
        client::edit(form.context(), &form.actor()?, &client, &typed.draft()).await?;
        Ok(Answer::Next(Done::ClientEdited.at(links::client(&client))))
    };
    let outcome = edited.await;
    form.answer(outcome, Some(typed), |form| page::form(id, form)).await
}
