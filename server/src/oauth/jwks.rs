//! `GET /mcp/oauth/jwks`: the public signing keys (RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::error;
use crate::state::AppState;

/// How long verifiers may keep the keys, in seconds. A new key is published longer than this before it signs.
const MAX_AGE: &str = "public, max-age=300";

/// The endpoint.
pub async fn endpoint(State(state): State<AppState>) -> Response {
    let context = &state.context;
    match context.keys.signing.jwks(&context.store, context.now()).await {
        Ok(jwks) => ([(header::CACHE_CONTROL, MAX_AGE)], Json(jwks)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the signing keys cannot be published");
            error::plain(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
