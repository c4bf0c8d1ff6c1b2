//! The forms of webhooks that validate or show a signing secret.

use app::done::Done;
use app::form::{Form, Refused};
use app::links;
use app::pages::message;
use app::pages::webhook::edit as page;
use app::pages::webhook::edit::Typed;
use app::pages::webhook::show::read_id;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::webhook;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /settings/webhooks/new`
pub async fn new(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::new(Form::default())).await
}

/// `GET /settings/webhooks/{id}/edit`
pub async fn edit_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::edit(id, Form::default())).await
}

/// `GET /settings/webhooks/{id}/secret`: asks before the signing secret is replaced.
pub async fn secret_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::secret(id, Form::default())).await
}

fn typed(form: &Submission) -> Typed {
    Typed { name: form.get("name"), url: form.get("url"), events: form.all("event") }
}

/// The checks before a signing secret is shown: the form was not sent before, and the person proved who they are.
async fn unless_sent_before(form: &Submission) -> Result<String, Refused> {
    let form_token = form.token();
    Refused::if_sent_before(webhook::made_by_form(form.context(), &form_token).await?)?;
    form.confirm().await?;
    Ok(form_token)
}

/// `POST /settings/webhooks/new`: adds a webhook. The answer is the only page that shows the signing secret.
pub async fn add(form: Submission) -> Response {
    let form = form.once(message::already_signed);
    let typed = typed(&form);
    let added = async {
        let form_token = unless_sent_before(&form).await?;
        let (webhook, secret) = webhook::add(form.context(), &form.actor()?, &typed.draft(), Some(&form_token)).await?;
        Ok(Answer::page(move || page::reveal(&webhook, &secret)))
    };
    let outcome = added.await;
    form.answer(outcome, typed, page::new).await
}

/// `POST /settings/webhooks/{id}/secret`: replaces the signing secret, and shows the new one once.
pub async fn replace_secret(form: Submission, Path(id): Path<String>) -> Response {
    let form = form.once(message::already_signed);
    let replaced = async {
        let webhook = read_id(&id)?;
        let form_token = unless_sent_before(&form).await?;
        let (webhook, secret) =
            webhook::replace_secret(form.context(), &form.actor()?, &webhook, Some(&form_token)).await?;
        Ok(Answer::page(move || page::reveal(&webhook, &secret)))
    };
    let outcome = replaced.await;
    form.answer(outcome, (), |form| page::secret(id, form)).await
}

/// `POST /settings/webhooks/{id}/edit`. A new address needs the password when that is due, because events of this
/// instance would be sent to another receiver.
pub async fn edit(form: Submission, Path(id): Path<String>) -> Response {
    let typed = typed(&form);
    let edited = async {
        let webhook = read_id(&id)?;
        let moves = webhook::address(form.context(), &webhook).await? != typed.url.trim();
        if moves {
            form.confirm().await?;
        }
        webhook::edit(form.context(), &form.actor()?, &webhook, &typed.draft()).await?;
        Ok(Answer::Next(Done::WebhookSaved.at(links::webhook(&webhook))))
    };
    let outcome = edited.await;
    form.answer(outcome, Some(typed), |form| page::edit(id, form)).await
}
