//! Pages as answers.

use std::convert::Infallible;

use app::error::ActionError;
use app::page::Page;
use app::render;
use app::visit::Visit;
use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::http::fields::Fields;

/// Renders a page as an answer.
pub async fn respond<Work>(visit: Visit, page: impl FnOnce() -> Work) -> Response
where
    Work: Future<Output = Result<Page, ActionError>>,
{
    let rendered = render::render(visit, page).await;
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Html(rendered.html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if rendered.secret {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The page of an error.
pub async fn refuse(visit: Visit, error: impl Into<ActionError>) -> Response {
    let error = error.into();
    respond(visit, async || Err(error)).await
}

/// The fields of a page's address.
pub struct Query(pub Fields);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Fields::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// The answer for every address without a route.
pub async fn not_found(Extension(visit): Extension<Visit>) -> Response {
    refuse(visit, ActionError::NotFound).await
}
