//! The entries of the audit log.

use app::pages::audit::activity as page;
use app::pages::audit::activity::ActivityQuery;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /activity`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let query = ActivityQuery {
        actor: fields.get("actor"),
        action: fields.get("action"),
        target: fields.get("target"),
        from: fields.get("from"),
        to: fields.get("to"),
        before: fields.get("before"),
    };
    let verify = fields.find("verify").is_some();
    respond(visit, || page::page(query, verify)).await
}
