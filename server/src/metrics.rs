//! `/metrics`, on an address of its own. Only the operator's Prometheus should read it.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use domain::context::Context;

use crate::http::error;

/// The router of the metrics' address.
pub fn router(context: Context) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || error::plain(StatusCode::NOT_FOUND))
        .with_state(context)
}

async fn metrics(State(context): State<Context>) -> impl IntoResponse {
    let text = context.metrics.render(env!("CARGO_PKG_VERSION"), context.ledger.queued());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
