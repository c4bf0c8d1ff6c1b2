//! `/healthz` and `/readyz`: two statuses, no details.

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

/// The process is alive: it answers.
pub(crate) async fn healthz() -> StatusCode {
    StatusCode::OK
}

/// The server is ready: the database answers, a signing key can be opened, and the server is not stopping.
pub(crate) async fn readyz(State(state): State<AppState>) -> StatusCode {
    let context = &state.context;
    let ready = !state.is_draining()
        && context.store.ping().await.is_ok()
        && context.keys.signing.reload(&context.store, context.now()).await.is_ok();
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
