//! The page of one client.

use app::pages::client::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /apps/clients/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    respond(visit, || page::page(id, fields.find("done"))).await
}
