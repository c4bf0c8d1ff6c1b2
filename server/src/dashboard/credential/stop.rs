//! The pages that ask before a credential is disabled, enabled or revoked.

use app::pages::credential::stop as page;
use app::visit::Visit;
use axum::extract::{Extension, Path};
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /credentials/{client_id}/disable`
pub async fn disable_form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::disable_page(client_id)).await
}

/// `GET /credentials/{client_id}/enable`
pub async fn enable_form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::enable_page(client_id)).await
}

/// `GET /credentials/{client_id}/revoke`
pub async fn revoke_form(Extension(visit): Extension<Visit>, Path(client_id): Path<String>) -> Response {
    respond(visit, || page::revoke_page(vec![client_id])).await
}

/// `GET /credentials/revoke`: for the credentials that were ticked in the list.
pub async fn revoke_several_form(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let client_ids = fields.all("client_id");
    respond(visit, || page::revoke_page(client_ids)).await
}
