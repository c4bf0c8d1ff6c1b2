//! The overview.

use app::pages::operations::overview as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::respond;

/// `GET /`
pub async fn page(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, page::page).await
}
