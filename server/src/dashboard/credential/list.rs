//! The list of credentials.

use app::pages::credential::list as page;
use app::pages::credential::list::CredentialsQuery;
use app::visit::Visit;
use axum::extract::Extension;
use axum::response::Response;

use crate::dashboard::respond::{Query, respond};

/// `GET /credentials`
pub async fn page(Extension(visit): Extension<Visit>, Query(fields): Query) -> Response {
    let query = CredentialsQuery {
        q: fields.get("q"),
        status: fields.get("status"),
        team: fields.get("team"),
        sort: fields.get("sort"),
        after: fields.get("after"),
    };
    respond(visit, || page::page(query)).await
}
