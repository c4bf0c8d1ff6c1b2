//! The form that generates a credential.

use app::pages::credential::new as page;
use app::pages::credential::reveal::{self, Occasion};
use app::pages::message;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use domain::credential::CredentialError;
use domain::credential::generate::{self, Generated};
use tower_sessions::Session;

use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::credential::authenticators::{typed_identity, typed_keys};
use crate::dashboard::credential::reveal::{NotShown, revealed};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

/// `GET /credentials/new`
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let (from, example) = (fields.find("from"), fields.find("example"));
    respond(visit, async || page::page(from, example).await).await
}

/// `POST /credentials/new`: generates, and answers with the one page that shows the secret.
pub async fn generate(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = page::Typed {
        team: fields.get("team"),
        name: fields.get("name"),
        description: fields.get("description"),
        servers: fields.all("server"),
        scopes: fields.all("scope"),
        expiry: fields.get("expiry"),
        expires_on: fields.get("expires_on"),
        token_lifetime: fields.get("token_lifetime"),
        ip_ranges: fields.get("ip_ranges"),
        method: fields.get("method"),
        keys: typed_keys(&fields),
        identity: typed_identity(&fields),
        assertions: fields.all("assertions"),
    };
    match try_generate(&visit, &session, &fields, &typed).await {
        Ok(generated) => match revealed(&visit, &generated, Occasion::Generated) {
            Some(reveal) => respond(visit, async || Ok(reveal::page(reveal))).await,
            None => {
                let address = format!("/credentials/{}?done=generated", generated.credential.client_id);
                Redirect::to(&address).into_response()
            }
        },
        Err(NotShown::Refused(Refused::Fields { errors, ask_password })) => {
            respond(visit, || page::form(typed, errors, ask_password)).await
        }
        Err(NotShown::AlreadySubmitted(client_id)) => {
            respond(visit, async || Ok(message::already_generated(client_id.as_str()))).await
        }
        Err(NotShown::Refused(Refused::Action(error))) => respond(visit, async || Err(error)).await,
    }
}

async fn try_generate(
    visit: &Visit,
    session: &Session,
    fields: &Fields,
    typed: &page::Typed,
) -> Result<Generated, NotShown> {
    let draft = typed.draft().map_err(CredentialError::Invalid)?;
    let form_token = fields.get("form_token");
    // Before anything else is asked: whoever reloads the page of the secret must hear that it was shown.
    if let Some(earlier) = generate::made_by_form(&visit.context, &form_token).await? {
        return Err(CredentialError::AlreadySubmitted(earlier).into());
    }
    confirm_unless_fresh(visit, session, fields).await?;
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    Ok(generate::generate(&visit.context, &actor, &draft, Some(&form_token)).await?)
}
