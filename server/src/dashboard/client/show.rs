//! The page of one client.

use app::pages::client::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /apps/clients/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::page(id, fields.find("done"))).await
}
