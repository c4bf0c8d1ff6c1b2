//! The settings.

use app::pages::operations::settings as page;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /settings`
pub async fn page(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    let outcome = page::Outcome {
        done: fields.get("done"),
        count: fields.get("count"),
        apps: fields.get("apps"),
        personal_tokens: fields.get("personal_tokens"),
        clients: fields.get("clients"),
    };
    respond(visit, || page::page(outcome)).await
}
