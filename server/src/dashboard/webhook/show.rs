//! The page of one webhook.

use app::pages::webhook::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /settings/webhooks/{id}`
pub async fn page(Extension(visit): Extension<Visit>, Path(id): Path<String>, RawQuery(text): RawQuery) -> Response {
    let fields = fields_of(text);
    let (done, tested) = (fields.get("done"), fields.get("delivery"));
    respond(visit, || page::page(id, done, tested)).await
}

/// `GET /settings/webhooks/{id}/remove`: asks before it is removed.
pub async fn remove_form(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    respond(visit, || page::remove_page(id)).await
}
