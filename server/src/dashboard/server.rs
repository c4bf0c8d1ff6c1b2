//! MCP servers.

use app::done::Done;
use app::form::Refused;
use app::links;
use app::pages::server::{list, new, show};
use axum::response::Response;
use domain::server;

use crate::dashboard::respond::PageResult;
use crate::dashboard::submit::{Answer, Submission};
use crate::http::fields::{Fields, read};

/// Forms that were not sent yet.
pub use app::pages::server::new::form as new_form;

/// `GET /servers`
pub async fn list(_: Fields) -> PageResult {
    list::page().await
}

/// `GET /servers/{id}`
pub async fn show(id: String, fields: Fields) -> PageResult {
    show::page(id, fields.find("done")).await
}

/// `POST /servers/new`
pub async fn add(form: Submission) -> Response {
    let typed = read!(form.fields => new::Typed { name, resource, scopes, token_lifetime, alg });
    form.run(typed, new::form, async |form, typed| {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        let server = server::add(form.context(), &form.actor()?, &draft).await?;
        Ok(Answer::Next(Done::ServerAdded.at(links::server(&server.id))))
    })
    .await
}
