//! Connected apps.

use app::pages::client::connected_apps as page;
use app::pages::client::connected_apps::AppsQuery;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /apps`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let query = AppsQuery { after: fields.get("after"), tokens_after: fields.get("tokens_after") };
    respond(visit, || page::page(query, fields.find("done"))).await
}
