//! Pages as answers.

use app::error::ActionError;
use app::page::Page;
use app::pages::message;
use app::render;
use app::visit::Visit;
use axum::extract::Extension;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use futures::future::BoxFuture;

use crate::dashboard::auth::return_address::{page_of_form, safe_return};
use crate::http::error;

/// A page, or the error whose page is shown instead.
pub(crate) type PageResult = Result<Page, ActionError>;

/// Renders a page as an answer. Only the boxing is compiled for every page.
pub(crate) fn respond<'work>(
    visit: Visit,
    page: impl Future<Output = PageResult> + Send + 'work,
) -> BoxFuture<'work, Response> {
    rendered(visit, Box::pin(page))
}

fn rendered(visit: Visit, page: BoxFuture<'_, PageResult>) -> BoxFuture<'_, Response> {
    Box::pin(async {
        let rendered = render::render(visit, || page).await;
        let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::OK);
        let mut response = (status, Html(rendered.html)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if rendered.secret {
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        error::retry_if_unavailable(&mut response);
        response
    })
}

/// The page of an error.
pub(crate) fn refuse(visit: Visit, error: impl Into<ActionError>) -> BoxFuture<'static, Response> {
    let error = error.into();
    respond(visit, async { Err(error) })
}

/// The page for every address without a route.
pub(crate) async fn not_found(Extension(visit): Extension<Visit>) -> Response {
    refuse(visit, ActionError::NotFound).await
}

/// The page for a person who opens an address that only takes a form.
pub(crate) async fn form_only(Extension(visit): Extension<Visit>, uri: Uri) -> Response {
    let path = uri.path();
    let mut page = page_of_form(None, path);
    if page == path {
        page = safe_return(path.rsplit_once('/').map_or("", |(above, _)| above));
    }
    respond(visit, async move { Ok(message::form_only(page)) }).await
}
