//! The forms that add keys and identities of a credential.

use app::components::form::proof::{TypedIdentity, TypedKeys};
use app::done::Done;
use app::error::ActionError;
use app::form::Form;
use app::links;
use app::pages::credential::{authenticators as page, fields};
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::ClientId;
use domain::credential::{federated, keys};

use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /credentials/{client_id}/keys/new`
pub async fn key_form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::new_key(client_id, Form::default())).await
}

/// `GET /credentials/{client_id}/identities/new`
pub async fn identity_form(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    Query(fields): Query,
) -> Response {
    respond(visit, || page::new_identity(client_id, Form::new(TypedIdentity::example(&fields.get("example"))))).await
}

/// Reads the keys in a form.
pub(super) fn typed_keys(form: &Submission) -> TypedKeys {
    TypedKeys {
        public_key: form.get("public_key"),
        label: form.get("label"),
        expiry: form.get("expiry"),
        expires_on: form.get("expires_on"),
    }
}

/// Reads the identity in a form.
pub(super) fn typed_identity(form: &Submission) -> TypedIdentity {
    TypedIdentity {
        issuer: form.get("issuer"),
        subject: form.get("subject"),
        audience: form.get("audience"),
        claims: form.get("claims"),
        jwks: form.get("jwks"),
    }
}

/// `POST /credentials/{client_id}/keys/new`
pub async fn add_key(form: Submission, Path(client_id): Path<String>) -> Response {
    let typed = typed_keys(&form);
    let added = async {
        form.confirm().await?;
        let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
        let expiry = fields::read_expiry(&typed.expiry, &typed.expires_on)?;
        keys::add(form.context(), &form.actor()?, &id, &page::keys_draft(&typed), expiry).await?;
        Ok(Answer::Next(Done::CredentialAdded.at(links::credential(&id))))
    };
    let outcome = added.await;
    form.answer(outcome, typed, |form| page::new_key(client_id, form)).await
}

/// `POST /credentials/{client_id}/identities/new`
pub async fn add_identity(form: Submission, Path(client_id): Path<String>) -> Response {
    let typed = typed_identity(&form);
    let added = async {
        form.confirm().await?;
        let id = ClientId::parse(&client_id).ok_or(ActionError::NotFound)?;
        federated::add(form.context(), &form.actor()?, &id, &page::identity_draft(&typed)).await?;
        Ok(Answer::Next(Done::CredentialAdded.at(links::credential(&id))))
    };
    let outcome = added.await;
    form.answer(outcome, typed, |form| page::new_identity(client_id, form)).await
}
