//! `/healthz` and `/readyz`: two statuses, no details.

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

/// The process answers.
pub async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// It can serve: the database answers, a signing key can be opened, and no stop is under way.
pub async fn readyz(State(state): State<AppState>) -> StatusCode {
    let context = &state.context;
    let ready = !state.is_draining()
        && context.store.ping().await.is_ok()
        && context.keys.signing.reload(&context.store, context.now()).await.is_ok();
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
