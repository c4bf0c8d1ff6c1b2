//! Style sheet, script and icon.

use axum::extract::OriginalUri;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::error;

/// `GET /assets/{name}`. The name contains a hash of the content, so the content of a name never changes.
pub async fn asset(OriginalUri(uri): OriginalUri) -> Response {
    match app::assets::find(uri.path()) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.content,
        )
            .into_response(),
        None => error::plain(StatusCode::NOT_FOUND),
    }
}

/// `GET /favicon.ico`: browsers ask for it even when a page names another icon.
pub async fn favicon() -> Response {
    let icon = &*app::assets::ICON;
    ([(header::CONTENT_TYPE, icon.media_type), (header::CACHE_CONTROL, "public, max-age=86400")], icon.content)
        .into_response()
}
