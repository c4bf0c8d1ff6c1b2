//! The layers that every request passes.

pub mod accept;
pub mod body;
pub mod client_address;
mod connections;
pub mod cors;
pub mod error;
pub mod fields;
pub(crate) mod media_type;
pub mod middleware;
pub(crate) mod not_found;
mod pace;
pub mod rate_limit;
pub mod request_id;

use axum::http::HeaderMap;
use axum::http::header::AsHeaderName;

/// The text of a header; nothing when it is absent or not visible ASCII.
pub fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
