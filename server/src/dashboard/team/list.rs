//! The list of teams.

use app::pages::team::list as page;
use app::visit::Visit;
use axum::extract::{Extension, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /teams`
pub async fn page(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = fields_of(query);
    respond(visit, || page::page(fields.find("done"))).await
}
