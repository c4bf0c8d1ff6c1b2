//! The list of MCP servers.

use app::pages::server::list as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::respond;

/// `GET /servers`
pub async fn page(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, page::page).await
}
