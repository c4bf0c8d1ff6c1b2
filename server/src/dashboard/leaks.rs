//! The forms that respond to a leak: what is pasted is answered and dropped; new secrets are shown in the answer alone.

use app::action::ActionError;
use app::pages::leaks;
use app::pages::renew::{self, Typed};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::credential::CredentialError;
use domain::credential::renew::{Renewed, renew_all};
use domain::id::ClientId;
use tower_sessions::Session;

use super::credentials::{Refused, confirm};
use super::pages::respond;
use crate::http::fields::Fields;

/// `POST /leaks`
pub async fn find(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let (text, days) = (fields.get("text"), fields.get("days"));
    respond(visit, async || leaks::result(text, &days).await).await
}

/// `POST /leaks/renew`: asks first, and shows the new secrets when it was asked.
pub async fn renew(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = Typed {
        client_ids: fields.get("client_ids"),
        how: fields.get("how"),
        overlap: fields.get("overlap"),
        overlap_until: fields.get("overlap_until"),
    };
    if fields.find("confirmed").is_none() {
        return respond(visit, || renew::page(typed, Vec::new(), false)).await;
    }
    match try_renew(&visit, &session, &fields, &typed).await {
        Ok(renewed) => respond(visit, async || Ok(renew::reveal(renewed))).await,
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || renew::page(typed, errors, ask_password)).await
        }
        Err(Refused::Operation(error)) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

async fn try_renew(visit: &Visit, session: &Session, fields: &Fields, typed: &Typed) -> Result<Vec<Renewed>, Refused> {
    let renewal = typed.renewal().map_err(|error| CredentialError::Invalid(vec![error]))?;
    if !visit.is_fresh() {
        confirm(visit, session, fields).await?;
    }
    let ids: Option<Vec<ClientId>> = typed.client_ids.split_whitespace().map(ClientId::parse).collect();
    let ids = ids.ok_or(CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let authority = visit.authority().map_err(|_| CredentialError::NotFound)?;
    let form_token = fields.get("form_token");
    Ok(renew_all(&visit.context, authority, &actor, &ids, renewal, &form_token).await?)
}
