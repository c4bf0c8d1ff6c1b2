//! The page of one credential.

use app::pages::credential::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /credentials/{client_id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(client_id): Path<String>, Query(fields): Query) -> Response {
    respond(visit, || page::page(client_id, fields.find("done"))).await
}
