//! Webhooks.

use app::pages::message;
use app::pages::webhook::{edit, list, show};
use domain::webhook;

use crate::dashboard::prelude::{Answer, Done, Fields, PageResult, Refused, Response, Submission, links, read};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::webhook::edit::{edit as edit_form, new as new_form, secret as secret_form};
pub(crate) use app::pages::webhook::show::remove_page as remove_form;

/// `GET /settings/webhooks`
pub(crate) async fn list(fields: Fields) -> PageResult {
    list::page(fields.find("done")).await
}

/// `GET /settings/webhooks/{id}`
pub(crate) async fn show(id: String, fields: Fields) -> PageResult {
    show::page(id, fields.find("done"), &fields.get("delivery")).await
}

fn typed(form: &Submission) -> edit::Typed {
    read!(form.fields => edit::Typed { name, url, events: "event", format })
}

/// `POST /settings/webhooks/new`: adds a webhook. The answer is the only page that shows the signing secret.
pub(crate) async fn add(form: Submission) -> Response {
    let typed = typed(&form);
    let form = form.once(message::already_signed);
    form.run(typed, edit::new, async |form, typed| {
        let form_token = form.token();
        Refused::if_sent_before(webhook::made_by_form(form.context(), &form_token).await?)?;
        let (webhook, secret) =
            webhook::add(form.context(), &form.actor().await?, &typed.draft(), Some(&form_token)).await?;
        Ok(Answer::page(move || edit::reveal(&webhook, &secret)))
    })
    .await
}

/// `POST /settings/webhooks/{id}/secret`: replaces the signing secret, and shows the new one once.
pub(crate) async fn replace_secret(form: Submission, id: String) -> Response {
    let form = form.once(message::already_signed);
    form.run_of(id, (), edit::secret, async |form, id, ()| {
        let webhook = show::read_id(id)?;
        let form_token = form.token();
        Refused::if_sent_before(webhook::made_by_form(form.context(), &form_token).await?)?;
        let (webhook, secret) =
            webhook::replace_secret(form.context(), &form.actor().await?, &webhook, Some(&form_token)).await?;
        Ok(Answer::page(move || edit::reveal(&webhook, &secret)))
    })
    .await
}

/// `POST /settings/webhooks/{id}/edit`. A new address needs the password when that is due, because events of this
/// instance would be sent to another receiver.
pub(crate) async fn edit(form: Submission, id: String) -> Response {
    let typed = typed(&form);
    form.run_of(id, typed, edit::edit, async |form, id, typed| {
        let webhook = show::read_id(id)?;
        let moves = webhook::address(form.context(), &webhook).await? != typed.url.trim();
        if moves {
            form.confirm().await?;
        }
        webhook::edit(form.context(), &form.actor().await?, &webhook, &typed.draft()).await?;
        Ok(Answer::Next(Done::WebhookSaved.at(links::webhook(&webhook))))
    })
    .await
}
