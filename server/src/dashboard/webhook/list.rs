//! The list of webhooks.

use app::pages::webhook::list as page;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /settings/webhooks`
pub async fn page(Extension(visit): Extension<Visit>, RawQuery(text): RawQuery) -> Response {
    let removed = fields_of(text).get("done") == "removed";
    respond(visit, || page::page(removed)).await
}
