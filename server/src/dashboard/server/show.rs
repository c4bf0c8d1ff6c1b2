//! The page of one MCP server.

use app::pages::server::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /servers/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::page(id, fields.find("done"))).await
}
