//! The form that replaces a client’s secret.

use app::error::ActionError;
use app::pages::client::secret as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::AppClientId;
use domain::client::{self, ClientError};
use tower_sessions::Session;

use crate::dashboard::client::new::{Refused, may_make};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /apps/clients/{id}/secret`: asks before the secret is replaced.
pub async fn form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::form(id, Vec::new(), false)).await
}

/// `POST /apps/clients/{id}/secret`: replaces the secret, and shows the new one once.
pub async fn replace(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let replaced = async {
        let client = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
        let form_token = may_make(&visit, &session, &fields).await?;
        Ok(client::replace_secret(&visit.context, &visit.actor()?, &client, Some(&form_token)).await?)
    };
    match replaced.await {
        Ok((client, secret)) => respond(visit, async || Ok(page::reveal(client, secret.expose().to_owned()))).await,
        Err(Refused::Password(errors)) => respond(visit, || page::form(id, errors, true)).await,
        Err(Refused::Client(ClientError::AlreadySubmitted(id))) => {
            respond(visit, async || Ok(page::already_added(&id))).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}
