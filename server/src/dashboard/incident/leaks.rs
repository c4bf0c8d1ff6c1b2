//! The form that responds to a leak. The pasted text is answered and not stored.

use app::pages::incident::leaks as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::respond;
use crate::http::fields::Fields;

/// `GET /leaks`
pub async fn page(Extension(visit): Extension<Visit>) -> Response {
    respond(visit, page::page).await
}

/// `POST /leaks`
pub async fn find(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let (text, days) = (fields.get("text"), fields.get("days"));
    respond(visit, async || page::result(text, &days).await).await
}
