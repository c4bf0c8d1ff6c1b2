//! The form that adds a client.

use app::error::ActionError;
use app::pages::client::new::TypedClient;
use app::pages::client::{new as page, secret};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::client::{self, ClientError};
use domain::crypto::secret::PlainSecret;
use domain::model::client::AppClient;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{self, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /apps/clients/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::form(TypedClient::default(), Vec::new(), false)).await
}

/// `POST /apps/clients/new`: adds, and answers with the one page that shows the secret of a confidential client.
pub async fn add(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed =
        TypedClient { name: fields.get("name"), redirect_uris: fields.get("redirect_uris"), kind: fields.get("kind") };
    match try_add(&visit, &session, &fields, &typed).await {
        Ok((client, Some(secret))) => {
            respond(visit, async || Ok(secret::reveal(client, secret.expose().to_owned()))).await
        }
        Ok((client, None)) => Redirect::to(&format!("/apps/clients/{}?done=added", client.id)).into_response(),
        Err(Refused::Password(errors)) => respond(visit, || page::form(typed, errors, true)).await,
        Err(Refused::Client(ClientError::Invalid(errors))) => respond(visit, || page::form(typed, errors, false)).await,
        Err(Refused::Client(ClientError::AlreadySubmitted(id))) => {
            respond(visit, async || Ok(secret::already_added(&id))).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// Why no client was added, or no secret made.
pub enum Refused {
    Password(Vec<domain::model::field_error::FieldError>),
    Client(ClientError),
    Action(ActionError),
}

impl From<ClientError> for Refused {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
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
            confirm::Refused::Fields { errors, .. } => Self::Password(errors),
            confirm::Refused::Action(error) => Self::Action(error),
        }
    }
}

async fn try_add(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &TypedClient,
) -> Result<(AppClient, Option<PlainSecret>), Refused> {
    let form_token = may_make(visit, session, fields).await?;
    Ok(client::create(&visit.context, &visit.actor()?, &typed.draft(), Some(&form_token)).await?)
}

/// What stands before a secret is shown: the form was not sent before, and the password was proved lately.
pub async fn may_make(visit: &Visit, session: &Session, fields: &Fields) -> Result<String, Refused> {
    let form_token = fields.get("form_token");
    if let Some(earlier) = client::made_by_form(&visit.context, &form_token).await.map_err(ClientError::from)? {
        return Err(ClientError::AlreadySubmitted(earlier).into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(form_token)
}
