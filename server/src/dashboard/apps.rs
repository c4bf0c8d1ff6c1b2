//! Connected apps and their clients.

use app::action::ActionError;
use app::pages::apps::{self, AppsQuery, ClientsQuery, TypedClient};
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::InteractiveClientId;
use domain::interactive::client::{self, ClientError, InteractiveClient};
use domain::secret::PlainSecret;
use tower_sessions::Session;

use super::confirm::{self, confirm_unless_fresh};
use super::pages::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /apps`
pub async fn list(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let query = AppsQuery { after: fields.get("after"), tokens_after: fields.get("tokens_after") };
    respond(visit, || apps::page(query, fields.find("done"))).await
}

/// `GET /apps/clients`
pub async fn clients(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let query = ClientsQuery { q: fields.get("q"), kind: fields.get("kind"), after: fields.get("after") };
    respond(visit, || apps::clients(query, fields.find("done").is_some())).await
}

/// `GET /apps/clients/{id}`
pub async fn client(Extension(visit): Extension<Visit>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    respond(visit, || apps::one_client(id, fields.find("done"))).await
}

/// `GET /apps/clients/new`
pub async fn client_form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || apps::client_form(TypedClient::default(), Vec::new(), false)).await
}

/// `POST /apps/clients/new`: adds, and answers with the one page that shows the secret of a confidential client.
pub async fn add_client(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed =
        TypedClient { name: fields.get("name"), redirect_uris: fields.get("redirect_uris"), kind: fields.get("kind") };
    match try_add(&visit, &session, &fields, &typed).await {
        Ok((client, Some(secret))) => {
            respond(visit, async || Ok(apps::reveal(client, secret.expose().to_owned()))).await
        }
        Ok((client, None)) => Redirect::to(&format!("/apps/clients/{}?done=added", client.id)).into_response(),
        Err(Refused::Password(errors)) => respond(visit, || apps::client_form(typed, errors, true)).await,
        Err(Refused::Client(ClientError::Invalid(errors))) => {
            respond(visit, || apps::client_form(typed, errors, false)).await
        }
        Err(Refused::Client(ClientError::AlreadySubmitted(id))) => {
            respond(visit, async || Ok(apps::already_added(&id))).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// `GET /apps/clients/{id}/edit`
pub async fn edit_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || apps::edit_form(id, None, Vec::new(), false)).await
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
        let client = InteractiveClientId::parse(&id).ok_or(ActionError::NotFound)?;
        confirm_unless_fresh(&visit, &session, &fields).await?;
        Ok(client::edit(&visit.context, &visit.actor()?, &client, &typed.draft()).await?)
    };
    match edited.await {
        Ok(()) => Redirect::to(&format!("/apps/clients/{id}?done=edited")).into_response(),
        Err(Refused::Password(errors)) => respond(visit, || apps::edit_form(id, Some(typed), errors, true)).await,
        Err(Refused::Client(ClientError::Invalid(errors))) => {
            respond(visit, || apps::edit_form(id, Some(typed), errors, false)).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// `GET /apps/clients/{id}/secret`: asks before the secret is replaced.
pub async fn secret_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || apps::secret_form(id, Vec::new(), false)).await
}

/// `POST /apps/clients/{id}/secret`: replaces the secret, and shows the new one once.
pub async fn replace_secret(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let replaced = async {
        let client = InteractiveClientId::parse(&id).ok_or(ActionError::NotFound)?;
        let form_token = may_make(&visit, &session, &fields).await?;
        Ok(client::replace_secret(&visit.context, &visit.actor()?, &client, Some(&form_token)).await?)
    };
    match replaced.await {
        Ok((client, secret)) => respond(visit, async || Ok(apps::reveal(client, secret.expose().to_owned()))).await,
        Err(Refused::Password(errors)) => respond(visit, || apps::secret_form(id, errors, true)).await,
        Err(Refused::Client(ClientError::AlreadySubmitted(id))) => {
            respond(visit, async || Ok(apps::already_added(&id))).await
        }
        Err(Refused::Client(error)) => respond(visit, async || Err(ActionError::from(error))).await,
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// Why no client was added, or no secret made.
enum Refused {
    Password(Vec<domain::error::FieldError>),
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
) -> Result<(InteractiveClient, Option<PlainSecret>), Refused> {
    let form_token = may_make(visit, session, fields).await?;
    Ok(client::create(&visit.context, &visit.actor()?, &typed.draft(), Some(&form_token)).await?)
}

/// What stands before a secret is shown: the form was not sent before, and the password was proved lately.
async fn may_make(visit: &Visit, session: &Session, fields: &Fields) -> Result<String, Refused> {
    let form_token = fields.get("form_token");
    if let Some(earlier) = client::made_by_form(&visit.context, &form_token).await.map_err(ClientError::from)? {
        return Err(ClientError::AlreadySubmitted(earlier).into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    Ok(form_token)
}
