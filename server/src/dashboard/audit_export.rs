//! The audit log as a file. It is written as it is read, so a long one needs no memory and begins at once.

use app::pages::activity::{ActivityQuery, filter};
use app::pages::message;
use app::visit::Visit;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, RawQuery};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::audit;
use futures::stream;

use super::pages::respond;
use crate::audit_export::Format;
use crate::http::fields::Fields;

const PAGE: u16 = 500;

/// `GET /activity/export`: the entries that the filter of the page shows, newest first.
pub async fn export(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let query = ActivityQuery {
        actor: fields.get("actor"),
        action: fields.get("action"),
        target: fields.get("target"),
        from: fields.get("from"),
        to: fields.get("to"),
        before: String::new(),
    };
    let Some(format) = Format::parse(&fields.get("format")) else {
        return respond(visit, async || Ok(message::not_found())).await;
    };
    let filter = match filter(&query) {
        Ok(filter) => filter,
        Err(error) => return respond(visit, async || Err(error)).await,
    };
    let head = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(format.head())) });
    let pages = stream::try_unfold(Some(filter), move |filter| {
        let context = visit.context.clone();
        async move {
            let Some(mut filter) = filter else { return Ok(None) };
            let entries = audit::list(&context, &filter, PAGE).await.map_err(|fault| {
                // The answer has begun: all that can be done is to break it off, so that it is not taken for whole.
                tracing::error!(%fault, "an export of the audit log broke off");
                std::io::Error::other("the database does not answer")
            })?;
            let lines: String = entries.iter().map(|entry| format.line(entry)).collect();
            filter.before = entries.last().map(|entry| entry.seq);
            let next = (entries.len() == usize::from(PAGE)).then_some(filter);
            Ok(Some((Bytes::from(lines), next)))
        }
    });
    let body = Body::from_stream(stream::StreamExt::chain(head, pages));
    let headers = [(header::CONTENT_TYPE, format.media_type()), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}
