//! The form that edits a credential.

use app::done::Done;
use app::error::ActionError;
use app::form::Refused;
use app::links;
use app::pages::credential::edit as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::ClientId;
use domain::credential::edit;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /credentials/{client_id}/edit`
pub async fn form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::page(client_id)).await
}

/// `POST /credentials/{client_id}/edit`
pub async fn edit(form: Submission, Path(client_id): Path<String>) -> Response {
    let typed = page::Typed {
        team: form.get("team"),
        name: form.get("name"),
        description: form.get("description"),
        scopes: form.all("scope"),
        token_lifetime: form.get("token_lifetime"),
        ip_ranges: form.get("ip_ranges"),
        hard_end_at: form.get("hard_end_at"),
        assertions: form.all("assertions"),
    };
    let edited = async {
        let change = typed.edit().map_err(Refused::Invalid)?;
        let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
        edit::edit(form.context(), &form.actor()?, &id, &change).await?;
        Ok(Answer::Next(Done::CredentialSaved.at(links::credential(&id))))
    };
    let outcome = edited.await;
    form.answer(outcome, typed, |form| page::form(client_id, form)).await
}
