//! The form that edits a credential.

use app::error::ActionError;
use app::pages::credential::edit as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::ClientId;
use domain::credential::{CredentialError, edit};

use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /credentials/{client_id}/edit`
pub async fn form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::page(client_id)).await
}

/// `POST /credentials/{client_id}/edit`
pub async fn edit(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = page::Typed {
        team: fields.get("team"),
        name: fields.get("name"),
        description: fields.get("description"),
        scopes: fields.all("scope"),
        token_lifetime: fields.get("token_lifetime"),
        ip_ranges: fields.get("ip_ranges"),
        hard_end_at: fields.get("hard_end_at"),
        assertions: fields.all("assertions"),
    };
    let result = async {
        let change = typed.edit().map_err(CredentialError::Invalid)?;
        let id = ClientId::parse(&client_id).ok_or(CredentialError::NotFound)?;
        let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
        edit::edit(&visit.context, &actor, &id, &change).await
    };
    match result.await {
        Ok(_) => Redirect::to(&format!("/credentials/{client_id}?done=saved")).into_response(),
        Err(CredentialError::Invalid(errors)) => respond(visit, || page::form(client_id, typed, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}
