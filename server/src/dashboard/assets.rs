//! Style sheet, script and icon.

use app::assets::Asset;
use axum::extract::OriginalUri;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::error;

/// `GET /assets/{name}`. The name contains a hash of the content, so the content of a name never changes.
pub(crate) async fn asset(OriginalUri(uri): OriginalUri) -> Response {
    let found = app::assets::find(uri.path());
    found.map_or_else(
        || error::plain(StatusCode::NOT_FOUND),
        |asset| cached(asset, "public, max-age=31536000, immutable"),
    )
}

/// `GET /favicon.ico`: browsers ask for it even when a page names another icon.
pub(crate) async fn favicon() -> Response {
    cached(&app::assets::ICON, "public, max-age=86400")
}

fn cached(asset: &'static Asset, control: &'static str) -> Response {
    ([(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, control)], asset.content.as_str())
        .into_response()
}
