//! The forms of the emergency stop. It asks for a word and not for the password: an incident must not wait for a password.

use std::convert::Infallible;

use app::error::ActionError;
use app::pages::incident::emergency_stop as page;
use app::pages::incident::emergency_stop::{CONFIRMATION, Typed};
use app::render;
use app::visit::Visit;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use domain::base::clock::Timestamp;
use domain::credential::CredentialError;
use domain::incident::emergency_stop;
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::incident::{Means, Preview, Selection, StopRequest};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::dashboard::respond::{fields_of, respond};
use crate::http::error;
use crate::http::fields::Fields;
use crate::state::AppState;

/// `GET /settings/stop`
pub async fn form(Extension(visit): Extension<Visit>, RawQuery(query): RawQuery) -> Response {
    let typed = typed(&fields_of(query));
    respond(visit, || page::page(typed, Vec::new())).await
}

/// What the fields of a stop hold.
fn typed(fields: &Fields) -> Typed {
    Typed {
        team: fields.get("team"),
        made_by: fields.get("made_by"),
        server: fields.get("server"),
        created_before: fields.get("created_before"),
        means: fields.get("means"),
        reason: fields.get("reason"),
        confirmation: fields.get("confirmation"),
    }
}

/// `POST /settings/stop`: a stop of a few leads back to the settings; one of many is answered with a page that grows while
/// it goes on.
pub async fn stop(
    State(state): State<AppState>,
    Extension(visit): Extension<Visit>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let typed = typed(&fields);
    let (selection, means, actor, preview) = match prepared(&visit, &typed).await {
        Ok(prepared) => prepared,
        Err(CredentialError::Invalid(errors)) => return respond(visit, || page::page(typed, errors)).await,
        Err(error) => return respond(visit, async || Err(ActionError::from(error))).await,
    };
    // Told to the page, if it is still there; the stop goes on without it.
    let (told, progress) = mpsc::unbounded_channel();
    let (context, reason, bite) = (visit.context.clone(), typed.reason.clone(), state.stop_bite);
    let work = tokio::spawn(async move {
        let order = StopRequest { selection: &selection, means, reason: &reason };
        emergency_stop::stop(&context, &actor, &order, bite, |count| {
            // Nobody reads when the page was left.
            let _ = told.send(count);
        })
        .await
    });
    if preview.credentials > bite as i64 {
        return progress_page(visit, means, preview, progress, work).await;
    }
    let error = match work.await {
        Ok(Ok((count, _))) => return Redirect::to(&page::done_address(means, count, &preview)).into_response(),
        Ok(Err(CredentialError::Invalid(errors))) => {
            return respond(visit, || page::page(typed, errors)).await;
        }
        Ok(Err(error)) => ActionError::from(error),
        Err(_) => ActionError::Unavailable,
    };
    respond(visit, async || Err(error)).await
}

/// What was typed, checked; who does it; and what it is about.
async fn prepared(visit: &Visit, typed: &Typed) -> Result<(Selection, Means, Actor, Preview), CredentialError> {
    let invalid = |error| CredentialError::Invalid(vec![error]);
    let (selection, means) = typed.selection().map_err(invalid)?;
    if typed.confirmation.trim() != CONFIRMATION {
        return Err(invalid(FieldError::new("confirmation", format!("Type {CONFIRMATION} to confirm."))));
    }
    let actor = visit.actor().map_err(|_| CredentialError::NotFound)?;
    let preview = emergency_stop::preview(&visit.context, &selection, means).await.map_err(CredentialError::Fault)?;
    Ok((selection, means, actor, preview))
}

type Work = JoinHandle<Result<(u64, Timestamp), CredentialError>>;

/// The page up to where the lines go, the lines as they come, the rest of the page. It needs no script.
async fn progress_page(
    visit: Visit,
    means: Means,
    preview: Preview,
    progress: mpsc::UnboundedReceiver<u64>,
    work: Work,
) -> Response {
    let rendered = render::render(visit, async || Ok(page::progress_page(means, &preview))).await;
    let Some((head, tail)) = rendered.html.split_once(page::PROGRESS_MARK) else {
        return error::plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let (head, tail) = (Bytes::from(head.to_owned()), Bytes::from(tail.to_owned()));
    let lines = stream::unfold(progress, move |mut progress| async move {
        let stopped = progress.recv().await?;
        Some((Bytes::from(page::progress_line(stopped, preview.credentials)), progress))
    });
    let end = stream::once(async move {
        Bytes::from(match work.await {
            Ok(Ok((count, _))) => page::progress_end(means, count, &preview),
            Ok(Err(error)) => {
                // Its faults are logged by the conversion.
                let _ = ActionError::from(error);
                page::progress_broken()
            }
            Err(_) => page::progress_broken(),
        })
    });
    let parts = stream::once(async { head }).chain(lines).chain(end).chain(stream::once(async { tail }));
    let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
    ([(header::CACHE_CONTROL, "no-store")], Html(body)).into_response()
}
