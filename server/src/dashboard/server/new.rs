//! The form that registers an MCP server.

use app::done::Done;
use app::form::{Form, Refused};
use app::links;
use app::pages::server::new as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;
use domain::server;

use crate::dashboard::respond::respond;
use crate::dashboard::submit::{Answer, Submission};

/// `GET /servers/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::form(Form::default())).await
}

/// `POST /servers/new`
pub async fn add(form: Submission) -> Response {
    let typed = page::Typed {
        name: form.get("name"),
        resource: form.get("resource"),
        scopes: form.get("scopes"),
        token_lifetime: form.get("token_lifetime"),
        alg: form.get("alg"),
    };
    let added = async {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        let server = server::add(form.context(), &form.actor()?, &draft).await?;
        Ok(Answer::Next(Done::ServerAdded.at(links::server(&server.id))))
    };
    let outcome = added.await;
    form.answer(outcome, typed, page::form).await
}
