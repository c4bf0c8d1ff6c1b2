//! The settings.

use app::pages::operations::settings as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /settings`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let outcome = page::Outcome {
        done: fields.find("done").map(str::to_owned),
        count: fields.get("count"),
        apps: fields.get("apps"),
        personal_tokens: fields.get("personal_tokens"),
        clients: fields.get("clients"),
    };
    respond(visit, || page::page(outcome)).await
}
