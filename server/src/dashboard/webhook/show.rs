//! The page of one webhook.

use app::pages::webhook::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /settings/webhooks/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, Query(fields): Query) -> Response {
    let tested = fields.get("delivery");
    respond(visit, || page::page(id, fields.find("done"), &tested)).await
}

/// `GET /settings/webhooks/{id}/remove`: asks before the webhook is removed.
pub async fn remove_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::remove_page(id)).await
}
