//! The page of one credential.

use app::pages::credential::show as page;
use app::visit::Visit;
use axum::extract::{Extension, Path, RawQuery};
use axum::response::Response;

use crate::dashboard::respond::{fields_of, respond};

/// `GET /credentials/{client_id}`
pub async fn page(
    Extension(visit): Extension<Visit>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let done = fields_of(query).find("done").map(str::to_owned);
    respond(visit, || page::page(client_id, done)).await
}
