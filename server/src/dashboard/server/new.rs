//! The form that registers an MCP server.

use app::error::ActionError;
use app::pages::server::new as page;
use app::pages::server::new::Typed;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::model::server::McpServer;
use domain::server::{self, McpServerError};

use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /servers/new`
pub async fn form(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, || page::form(page::Typed::default(), Vec::new())).await
}

/// `POST /servers/new`
pub async fn add(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let typed = Typed {
        name: fields.get("name"),
        resource: fields.get("resource"),
        scopes: fields.get("scopes"),
        token_lifetime: fields.get("token_lifetime"),
        alg: fields.get("alg"),
    };
    match try_add(&visit, &typed).await {
        Ok(server) => Redirect::to(&format!("/servers/{}?done=added", server.id)).into_response(),
        Err(McpServerError::Invalid(errors)) => respond(visit, || page::form(typed, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

async fn try_add(visit: &Visit, typed: &Typed) -> Result<McpServer, McpServerError> {
    let draft = typed.draft().map_err(McpServerError::Invalid)?;
    // The route lets only administrators in.
    let actor = visit.actor().map_err(|_| McpServerError::Invalid(Vec::new()))?;
    server::add(&visit.context, &actor, &draft).await
}
