//! The form that registers an MCP server.

use app::action::ActionError;
use app::pages::servers::{self, Typed};
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::{IntoResponse, Redirect, Response};
use domain::mcp_server::{self, McpServer, McpServerError};

use super::pages::respond;
use crate::http::fields::Fields;

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
        Err(McpServerError::Invalid(errors)) => respond(visit, || servers::form(typed, errors)).await,
        Err(error) => respond(visit, async || Err(ActionError::from(error))).await,
    }
}

async fn try_add(visit: &Visit, typed: &Typed) -> Result<McpServer, McpServerError> {
    let draft = typed.draft().map_err(McpServerError::Invalid)?;
    // The door lets only administrators in.
    let actor = visit.actor().map_err(|_| McpServerError::Invalid(Vec::new()))?;
    mcp_server::add(&visit.context, &actor, &draft).await
}
