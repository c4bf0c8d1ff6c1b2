//! The forms that add keys and identities of a credential.

use app::components::proof::{TypedIdentity, TypedKeys};
use app::pages::credential::{authenticators as page, fields};
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::base::id::ClientId;
use domain::credential::{CredentialError, federated, keys};
use domain::model::actor::Actor;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /credentials/{client_id}/keys/new`
pub async fn key_form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::new_key(client_id, TypedKeys::default(), Vec::new(), false)).await
}

/// `GET /credentials/{client_id}/identities/new`
pub async fn identity_form(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let typed = TypedIdentity::example(&fields_of(query).get("example"));
    respond(visit, || page::new_identity(client_id, typed, Vec::new(), false)).await
}

/// The keys that fields hold.
pub(super) fn typed_keys(fields: &Fields) -> TypedKeys {
    TypedKeys {
        public_key: fields.get("public_key"),
        label: fields.get("label"),
        expiry: fields.get("expiry"),
        expires_on: fields.get("expires_on"),
    }
}

/// The identity that fields hold.
pub(super) fn typed_identity(fields: &Fields) -> TypedIdentity {
    TypedIdentity {
        issuer: fields.get("issuer"),
        subject: fields.get("subject"),
        audience: fields.get("audience"),
        claims: fields.get("claims"),
        jwks: fields.get("jwks"),
    }
}

/// `POST /credentials/{client_id}/keys/new`
pub async fn add_key(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed_keys(&fields);
    let result = added(&visit, &session, &fields, &client_id, async |actor, id| {
        let expiry = fields::read_expiry(&typed.expiry, &typed.expires_on)
            .map_err(|error| CredentialError::Invalid(vec![error]))?;
        keys::add(&visit.context, &actor, &id, &page::keys_draft(&typed), expiry).await.map(drop)
    });
    match result.await {
        Ok(()) => Redirect::to(&format!("/credentials/{client_id}?done=added")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::new_key(client_id, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// `POST /credentials/{client_id}/identities/new`
pub async fn add_identity(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Path(client_id): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed_identity(&fields);
    let result = added(&visit, &session, &fields, &client_id, async |actor, id| {
        federated::add(&visit.context, &actor, &id, &page::identity_draft(&typed)).await.map(drop)
    });
    match result.await {
        Ok(()) => Redirect::to(&format!("/credentials/{client_id}?done=added")).into_response(),
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::new_identity(client_id, typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

/// Adds what proves a credential, after asking again who it is when that is due.
async fn added<Work: Future<Output = Result<(), CredentialError>>>(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    client_id: &str,
    work: impl FnOnce(Actor, ClientId) -> Work,
) -> Result<(), Refused> {
    confirm_unless_fresh(visit, session, fields).await?;
    let id = ClientId::parse(client_id).ok_or(CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    Ok(work(actor, id).await?)
}
