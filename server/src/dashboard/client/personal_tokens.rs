//! Personal tokens of the signed-in person.

use app::error::ActionError;
use app::form::{Form, Refused};
use app::pages::client::personal_tokens as page;
use app::pages::client::personal_tokens::TypedToken;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::client::personal_token;
use domain::server;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /account/tokens`
pub async fn list(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::page(Form::default())).await
}

/// `POST /account/tokens`: generates a token. The answer is the only page that shows it.
pub async fn generate(form: Submission) -> Response {
    let form = form.once(page::already_generated);
    let typed = TypedToken {
        name: form.get("name"),
        server: form.get("server"),
        scopes: form.all("scope"),
        expiry: form.get("expiry"),
    };
    let generated = async {
        let (context, form_token) = (form.context(), form.token());
        // This check comes before the password: a form that was sent again needs no password.
        Refused::if_sent_before(personal_token::was_made_by_form(context, &form_token).await?.then_some(""))?;
        form.confirm().await?;
        let person = &form.visit.viewer()?.id;
        let (token, secret) =
            personal_token::generate(context, &form.actor()?, person, &typed.draft(), &form_token).await?;
        let server = server::find(context, &token.server_id).await?.ok_or(ActionError::NotFound)?;
        Ok(Answer::page(move || page::reveal(token, &secret, &server.resource)))
    };
    let outcome = generated.await;
    form.answer(outcome, typed, page::page).await
}
