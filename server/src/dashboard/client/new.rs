//! The form that adds a client.

use app::done::Done;
use app::form::{Form, Refused};
use app::links;
use app::pages::client::new::TypedClient;
use app::pages::client::{new as page, secret};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::client;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /apps/clients/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::form(Form::default())).await
}

/// `POST /apps/clients/new`: adds a client. The answer is the only page that shows the secret of a confidential client.
pub async fn add(form: Submission) -> Response {
    let form = form.once(secret::already_added);
    let typed = typed(&form);
    let added = async {
        let form_token = unless_sent_before(&form).await?;
        let (client, secret) =
            client::create(form.context(), &form.actor()?, &typed.draft(), Some(&form_token)).await?;
        Ok(match secret {
            Some(secret) => Answer::page(move || secret::reveal(&client, &secret)),
            None => Answer::Next(Done::ClientAdded.at(links::client(&client.id))),
        })
    };
    let outcome = added.await;
    form.answer(outcome, typed, page::form).await
}

/// Reads the typed fields of a client.
pub(super) fn typed(form: &Submission) -> TypedClient {
    TypedClient { name: form.get("name"), redirect_uris: form.get("redirect_uris"), kind: form.get("kind") }
}

/// The checks before a secret is shown: the form was not sent before, and the person proved who they are.
pub(super) async fn unless_sent_before(form: &Submission) -> Result<String, Refused> {
    let form_token = form.token();
    Refused::if_sent_before(client::made_by_form(form.context(), &form_token).await?)?;
    form.confirm().await?;
    Ok(form_token)
}
