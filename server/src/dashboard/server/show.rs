//! The page of one MCP server.

use app::pages::server::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /servers/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let done = fields_of(query).find("done").is_some();
    respond(visit, || page::page(id, done)).await
}
