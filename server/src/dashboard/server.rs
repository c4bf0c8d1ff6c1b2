//! MCP servers.

use app::pages::credential::usage::read_period;
use app::pages::server::access::{self, TypedAccess};
use app::pages::server::{new, show};
use domain::base::id::McpServerId;
use domain::server;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, PageResult, Refused, Response, Submission, links, read,
};
use crate::http::fields::FromFields;

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::server::{access::form as access_form, list::page as list, new::form as new_form};

/// `GET /servers/{id}`
pub(crate) async fn show(id: String, fields: Fields) -> PageResult {
    show::page(id, read_period(fields.find("period")), fields.find("done")).await
}

/// `POST /servers/new`
pub(crate) async fn add(form: Submission) -> Response {
    let typed = read!(form.fields => new::Typed { name, resource, scopes, token_lifetime, alg, access });
    form.run(typed, new::form, async |form, typed| {
        let draft = typed.draft().map_err(Refused::Invalid)?;
        let server = server::add(form.context(), &form.actor().await?, &draft).await?;
        Ok(Answer::Next(Done::ServerAdded.at(links::server(&server.id))))
    })
    .await
}

impl FromFields for TypedAccess {
    fn read(fields: &Fields, _: &str) -> Self {
        read!(fields => TypedAccess { access, teams: "team" })
    }
}

/// `POST /servers/{id}/access`. A change that lets somebody in needs the password when that is due. A change that only
/// shuts out never waits for it.
pub(crate) async fn set_access(form: Submission, id: String) -> Response {
    let typed = TypedAccess::read(&form.fields, "access");
    form.run_of(id, typed, access::form, async |form, id, typed| {
        let chosen = typed.chosen()?;
        let id = McpServerId::parse(id).ok_or(ActionError::NotFound)?;
        let server = server::find(form.context(), &id).await?.ok_or(ActionError::NotFound)?;
        if !chosen.is_within(&server.access) {
            form.confirm().await?;
        }
        server::set_access(form.context(), &form.actor().await?, &id, &chosen).await?;
        Ok(Answer::Next(Done::ServerAccessSaved.at(links::server(&id))))
    })
    .await
}
