//! MCP servers.

use app::pages::server::{new, show};
use domain::server;

use crate::dashboard::prelude::{Answer, Done, Fields, PageResult, Refused, Response, Submission, links, read};

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::server::{list::page as list, new::form as new_form};

/// `GET /servers/{id}`
pub(crate) async fn show(id: String, fields: Fields) -> PageResult {
    show::page(id, fields.find("done")).await
}

/// `POST /servers/new`
pub(crate) async fn add(form: Submission) -> Response {
    let typed = read!(form.fields => new::Typed { name, resource, scopes, token_lifetime, alg });
    form.run(typed, new::form, async |form, typed| {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        let server = server::add(form.context(), &form.actor().await?, &draft).await?;
        Ok(Answer::Next(Done::ServerAdded.at(links::server(&server.id))))
    })
    .await
}
