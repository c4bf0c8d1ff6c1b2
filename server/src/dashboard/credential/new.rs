//! The form that generates a credential.

use app::done::Done;
use app::form::Refused;
use app::links;
use app::pages::credential::new as page;
use app::pages::credential::reveal::{NewSecret, Occasion};
use app::pages::message;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::credential::generate;

use crate::dashboard::credential::authenticators::{typed_identity, typed_keys};
use crate::dashboard::respond::{Query, respond};
use crate::dashboard::submit::{Answer, Submission};

/// `GET /credentials/new`
pub async fn form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    respond(visit, || page::page(fields.find("from"), fields.find("example"))).await
}

/// `POST /credentials/new`: generates a credential. The answer is the only page that shows the secret.
pub async fn generate(form: Submission) -> Response {
    let form = form.once(message::already_generated);
    let typed = page::Typed {
        team: form.get("team"),
        name: form.get("name"),
        description: form.get("description"),
        servers: form.all("server"),
        scopes: form.all("scope"),
        expiry: form.get("expiry"),
        expires_on: form.get("expires_on"),
        token_lifetime: form.get("token_lifetime"),
        ip_ranges: form.get("ip_ranges"),
        method: form.get("method"),
        keys: typed_keys(&form),
        identity: typed_identity(&form),
        assertions: form.all("assertions"),
    };
    let generated = async {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        // This check comes first: a person who reloads the page of the secret must learn that it was shown.
        Refused::if_sent_before(generate::made_by_form(form.context(), &form.token()).await?)?;
        form.confirm().await?;
        let generated = generate::generate(form.context(), &form.actor()?, &draft, Some(&form.token())).await?;
        Ok(match NewSecret::of(&form.visit, &generated, Occasion::Generated) {
            Some(secret) => Answer::page(|| secret.page()),
            None => Answer::Next(Done::CredentialGenerated.at(links::credential(&generated.credential.client_id))),
        })
    };
    let outcome = generated.await;
    form.answer(outcome, typed, page::form).await
}
