//! The audit log as a file. It is written as it is read, so a long one needs no memory and begins at once.

use app::pages::audit::activity::{self, ActivityQuery};
use app::pages::message;
use app::visit::Visit;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, RawQuery};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::audit;
use domain::person::authority;
use futures::stream;
use tower_sessions::Session;

use crate::audit_export::Format;
use crate::dashboard::auth::confirm::{Refused, confirm_unless_fresh};
use crate::dashboard::respond::{fields_of, respond};
use crate::http::fields::Fields;

const PAGE: u16 = 500;

/// `GET /activity/export`: asks for the form of the export.
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let query = query_of(&fields_of(query));
    respond(visit, || activity::export_page(query, Vec::new(), false)).await
}

/// The filter that fields hold.
fn query_of(fields: &Fields) -> ActivityQuery {
    ActivityQuery {
        actor: fields.get("actor"),
        action: fields.get("action"),
        target: fields.get("target"),
        from: fields.get("from"),
        to: fields.get("to"),
        before: String::new(),
    }
}

/// `POST /activity/export`: the entries that the filter of the page shows, newest first.
pub async fn export(
    Extension(visit): Extension<Visit>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let query = query_of(&fields);
    let Some(format) = Format::parse(&fields.get("format")) else {
        return respond(visit, async || Ok(message::not_found())).await;
    };
    match confirm_unless_fresh(&visit, &session, &fields).await {
        Ok(()) => {}
        Err(Refused::Fields { errors, ask_password }) => {
            return respond(visit, || activity::export_page(query, errors, ask_password)).await;
        }
        Err(Refused::Action(error)) => return respond(visit, async || Err(error)).await,
    }
    let filter = match activity::filter(&query) {
        Ok(filter) => filter,
        Err(error) => return respond(visit, async || Err(error)).await,
    };
    let actor = match visit.actor() {
        Ok(actor) => actor,
        Err(error) => return respond(visit, async || Err(error)).await,
    };
    let head = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(format.head())) });
    let pages = stream::try_unfold(Some(filter), move |filter| {
        let (context, actor) = (visit.context.clone(), actor.clone());
        async move {
            let Some(mut filter) = filter else { return Ok(None) };
            let page = async {
                // Whoever loses a role while the file is written gets no more of what it showed.
                let authority = authority::of(&context, &actor).await?;
                audit::list(&context, &authority, &filter, PAGE).await
            };
            let entries = page.await.map_err(|fault| {
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
    let headers = [
        (header::CONTENT_TYPE, format.media_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_DISPOSITION, format.disposition()),
    ];
    (headers, body).into_response()
}
