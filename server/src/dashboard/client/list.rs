//! The list of clients.

use app::pages::client::list as page;
use app::pages::client::list::ClientsQuery;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /apps/clients`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let query = ClientsQuery { q: fields.get("q"), kind: fields.get("kind"), after: fields.get("after") };
    respond(visit, || page::page(query, fields.find("done"))).await
}
