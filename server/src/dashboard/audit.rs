//! The audit log, and the audit log as a file. The file is written while it is read. So a long log needs no memory, and
//! the download begins at once.

use app::pages::audit::activity::{self, ActivityQuery};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::IntoResponse;
use domain::audit;
use domain::context::Context;
use domain::crypto::secret::without_secrets;
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::person::authority;
use futures::stream;

use crate::audit_export::Format;
use crate::dashboard::prelude::{ActionError, Fields, Form, PageResult, Refused, Response, Submission, read, refuse};

const PAGE: u16 = 500;

/// `GET /activity`
pub(crate) async fn activity(fields: Fields) -> PageResult {
    activity::page(query_of(&fields), fields.find("verify").is_some()).await
}

/// `GET /activity/export`: the form of the export.
pub(crate) async fn export_form(fields: Fields) -> PageResult {
    activity::export_page(Form::new(of_all_pages(&fields))).await
}

/// The filter. The page repeats it in its links, so it must hold no secret that somebody searched for.
fn query_of(fields: &Fields) -> ActivityQuery {
    let query = read!(fields => ActivityQuery { actor, action, target, from, to, before, entry });
    ActivityQuery { actor: without_secrets(&query.actor), target: without_secrets(&query.target), ..query }
}

fn of_all_pages(fields: &Fields) -> ActivityQuery {
    ActivityQuery { before: String::new(), entry: String::new(), ..query_of(fields) }
}

/// `POST /activity/export`: the entries that the filter of the page shows, newest first.
pub(crate) async fn export(form: Submission) -> Response {
    let query = of_all_pages(&form.fields);
    let Some(format) = Format::parse(&form.get("format")) else {
        return refuse(form.visit, ActionError::NotFound).await;
    };
    let may = async {
        let filter = activity::filter(&query)?;
        Ok::<_, Refused>((filter, form.actor().await?))
    };
    match may.await {
        Ok((filter, actor)) => file(form.context().clone(), actor, filter, format),
        Err(refused) => form.answer(Err(refused), query, activity::export_page).await,
    }
}

fn file(context: Context, actor: Actor, filter: Filter, format: Format) -> Response {
    let head = stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(format.head())) });
    let pages = stream::try_unfold(Some(filter), move |filter| {
        let (context, actor) = (context.clone(), actor.clone());
        async move {
            let Some(mut filter) = filter else { return Ok(None) };
            let page = async {
                // A person who loses a role while the file is written gets no more entries of that role.
                let authority = authority::of(&context, &actor).await?;
                audit::list(&context, &authority, &filter, PAGE).await
            };
            let entries = page.await.map_err(|fault| {
                // The answer has already begun. The server can only break it off, so that the browser does not take it
                // for complete.
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
    let (media_type, disposition) = format.headers();
    let headers = [(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, disposition)];
    ([(header::CACHE_CONTROL, "no-store")], headers, body).into_response()
}
