//! `GET /mcp/oauth/status/{number}`: a token status list, signed (draft-ietf-oauth-status-list §8).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::error;
use crate::state::AppState;

/// The endpoint. The list contains no names, so it needs no authentication.
pub async fn endpoint(State(state): State<AppState>, Path(number): Path<String>, headers: HeaderMap) -> Response {
    let Some(number) = number.parse().ok().filter(|parsed: &i64| parsed.to_string() == number) else {
        return error::plain(StatusCode::NOT_FOUND);
    };
    let list = match state.context.status_lists.publish(number, state.context.now()).await {
        Ok(Some(list)) => list,
        Ok(None) => return error::plain(StatusCode::NOT_FOUND),
        Err(fault) => {
            tracing::error!(%fault, "a token status list cannot be published");
            return error::plain(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == list.etag.as_bytes());
    let age = format!("public, max-age={}", state.context.settings.status_list_ttl.as_secs());
    let validators = [(header::CACHE_CONTROL, age), (header::ETAG, list.etag.clone())];
    if known {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    let mut response = (validators, list.token.clone()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/statuslist+jwt"));
    response
}
