//! The form that looks for a leak. What is pasted is answered and dropped.

use app::pages::leaks;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use super::pages::respond;
use crate::http::fields::Fields;

/// `POST /leaks`
pub async fn find(Extension(visit): Extension<Visit>, Extension(fields): Extension<Fields>) -> Response {
    let (text, days) = (fields.get("text"), fields.get("days"));
    respond(visit, async || leaks::result(text, &days).await).await
}
