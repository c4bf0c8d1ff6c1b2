//! The form that edits a client.

use app::error::ActionError;
use app::pages::client::edit as page;
use app::pages::client::new::TypedClient;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::AppClientId;
use domain::client::{self, ClientError};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::confirm_unless_fresh;
use crate::dashboard::client::new::Refused;
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /apps/clients/{id}/edit`
pub async fn form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::form(id, None, Vec::new(), false)).await
}

/// `POST /apps/clients/{id}/edit`: changes the name and where answers go, which is asked for again who is there.
pub async fn edit(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed =
        TypedClient { name: fields.get("name"), redirect_uris: fields.get("redirect_uris"), kind: String::new() };
    let edited = async {
        let client = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
        confirm_unless_fresh(&visit, &session, &fields).await?;
        Ok(client::edit(&visit.context, &visit.actor()?, &client, &typed.draft()).await?)
    };
    match edited.await {
        Ok(()) => Redirect::to(&format!("/apps/clients/{id}?done=edited")).into_response(),
        Err(Refused::Password(errors)) => respond(visit, || page::form(id, Some(typed), errors, true)).await,
        Err(Refused::Client(ClientError::Invalid(errors))) => {
            respond(visit, || page::form(id, Some(typed), errors, false)).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}
