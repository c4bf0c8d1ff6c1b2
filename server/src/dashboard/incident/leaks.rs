//! The form that responds to a leak: what is pasted is answered and dropped.

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
