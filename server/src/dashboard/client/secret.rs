//! The form that replaces a client’s secret.

use app::error::ActionError;
use app::form::Form;
use app::pages::client::secret as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;
use domain::base::id::AppClientId;
use domain::client;

use crate::dashboard::client::new::unless_sent_before;
use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /apps/clients/{id}/secret`: asks before the secret is replaced.
pub async fn form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::form(id, Form::default())).await
}

/// `POST /apps/clients/{id}/secret`: replaces the secret, and shows the new one once.
pub async fn replace(form: Submission, Path(id): Path<String>) -> Response {
    let form = form.once(page::already_added);
    let replaced = async {
        let client = AppClientId::parse(&id).ok_or(ActionError::NotFound)?;
        let form_token = unless_sent_before(&form).await?;
        let (client, secret) =
            client::replace_secret(form.context(), &form.actor()?, &client, Some(&form_token)).await?;
        Ok(Answer::page(move || page::reveal(&client, &secret)))
    };
    let outcome = replaced.await;
    form.answer(outcome, (), |form| page::form(id, form)).await
}
