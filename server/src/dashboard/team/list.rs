//! The list of teams.

use app::pages::team::list as page;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /teams`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    respond(visit, || page::page(fields.find("done"))).await
}
