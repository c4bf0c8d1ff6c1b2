//! New secrets for several credentials at once. They are shown in the answer alone.

use app::pages::credential::renew as page;
use app::pages::credential::renew::Typed;
use app::pages::credential::stop::read_ids;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::credential::CredentialError;
use domain::credential::renew::{Renewed, renew_all};
use domain::error::Fault;
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

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
        return respond(visit, || page::page(typed, Vec::new(), false)).await;
    }
    match try_renew(&visit, &session, &fields, &typed).await {
        Ok(renewed) => respond(visit, async || Ok(page::reveal(renewed))).await,
        Err(Refused::Fields { errors, ask_password }) => {
            respond(visit, || page::page(typed, errors, ask_password)).await
        }
        Err(Refused::Action(error)) => respond(visit, async || Err(error)).await,
    }
}

async fn try_renew(visit: &Visit, session: &Session, fields: &Fields, typed: &Typed) -> Result<Vec<Renewed>, Refused> {
    let renewal = typed.renewal().map_err(|error| CredentialError::Invalid(vec![error]))?;
    confirm_unless_fresh(visit, session, fields).await?;
    let ids = read_ids(typed.client_ids.split_whitespace()).map_err(|_| CredentialError::NotFound)?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let authority = visit.authority().map_err(|_| CredentialError::NotFound)?.clone();
    let (context, form_token) = (visit.context.clone(), fields.get("form_token"));
    // On its own: a browser that goes away must not leave half of them rotated.
    let work = tokio::spawn(async move { renew_all(&context, &authority, &actor, &ids, renewal, &form_token).await });
    match work.await {
        Ok(renewed) => Ok(renewed?),
        Err(_) => Err(CredentialError::Fault(Fault::Overloaded("the renewal broke off")).into()),
    }
}
