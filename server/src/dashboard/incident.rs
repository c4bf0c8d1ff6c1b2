//! Responding to an incident: leaks, and the emergency stop.

use std::convert::Infallible;

use app::pages::credential::fields::read_owner;
use app::pages::incident::emergency_stop::{self as page, CONFIRMATION, Outcome, Typed as TypedStop};
use app::pages::incident::record::{self as record_page, Typed, read_moment};
use app::pages::incident::report::{self, TypedReport};
use app::pages::incident::{leaks, list};
use app::render;
use app::visit::Visit;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use domain::base::clock::Timestamp;
use domain::base::id::McpServerId;
use domain::context::Context;
use domain::credential::CredentialError;
use domain::incident::emergency_stop;
use domain::incident::leak::{self, Reported};
use domain::incident::record::handle::{self, Edit, Ending};
use domain::incident::record::{self, export, story};
use domain::model::actor::Actor;
use domain::model::field_error::FieldError;
use domain::model::incident::record::{Incident, Source};
use domain::model::incident::story::Story;
use domain::model::incident::{Means, Preview, Selection, StopRequest};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::dashboard::prelude::{
    ActionError, Answer, Done, Fields, Form, PageResult, Refused, Response, Submission, links, read, refuse, respond,
};
use crate::http::error;

/// Pages that need no more than the parameters of their path.
pub(crate) use app::pages::incident::leaks::page as leaks;

/// `POST /leaks`: the pasted text is answered and not stored. What the person may end and leaked is recorded in an
/// incident. A form of another session is shown again without the text: it may hold secrets, and somebody else may have
/// pasted them.
pub(crate) async fn find_leaks(form: Submission) -> Response {
    let actor = match form.actor().await {
        Ok(actor) => actor,
        Err(refused) => return form.answer(Err(refused), (), leaks::page).await,
    };
    let text = form.get("text");
    if text.trim().is_empty() {
        let error = FieldError::new("text", "Paste what was found: a secret, a token, a client ID, or a whole log.");
        return form.answer(Err(error.into()), (), leaks::page).await;
    }
    let recorded = match form.visit.authority() {
        Ok(authority) => leak::record(form.context(), &actor, authority, &text, Source::Search).await,
        Err(error) => return form.answer(Err(error.into()), (), leaks::page).await,
    };
    match recorded {
        Ok(incident) => respond(form.visit, async move { leaks::result(text, incident).await }).await,
        Err(error) => form.answer(Err(error.into()), (), leaks::page).await,
    }
}

/// `GET /incidents`
pub(crate) async fn incidents(fields: Fields) -> PageResult {
    list::page(fields.find("before").and_then(|number| number.parse().ok())).await
}

/// `GET /incidents/{number}`
pub(crate) async fn incident(number: String, fields: Fields) -> PageResult {
    record_page::page(number, Form::new(Typed { done: fields.find("done").map(str::to_owned), ..Typed::default() }))
        .await
}

/// `POST /incidents/{number}`: who handles it, since when it was exposed, and where.
pub(crate) async fn edit_incident(number: String, form: Submission) -> Response {
    let (owner, exposed_at, found_at) = (form.get("owner"), form.get("exposed_at"), form.get("found_at"));
    let typed = Typed { owner, exposed_at, found_at, edited: true, ..Typed::default() };
    form.run_of(number, typed, record_page::page, async |form, number, typed| {
        let number = numbered(number)?;
        let (owner, exposed_at) = (read_owner(&typed.owner)?, read_moment(&typed.exposed_at)?);
        let edit = Edit { owner, exposed_at, found_at: typed.found_at.clone() };
        handle::edit(form.context(), &form.actor().await?, number, &edit).await?;
        Ok(Answer::Next(Done::IncidentSaved.at(links::incident(number))))
    })
    .await
}

/// `POST /incidents/{number}/note`
pub(crate) async fn note_incident(number: String, form: Submission) -> Response {
    let typed = Typed { note: form.get("note"), ..Typed::default() };
    form.run_of(number, typed, record_page::page, async |form, number, typed| {
        let (number, about) = (numbered(number)?, McpServerId::parse(&form.get("about")));
        handle::add_note(form.context(), &form.actor().await?, number, about.as_ref(), &typed.note).await?;
        let done = if about.is_some() { Done::IncidentTold } else { Done::IncidentNoted };
        Ok(Answer::Next(done.at(links::incident(number))))
    })
    .await
}

/// `POST /incidents/{number}/state`: stops what leaked, closes the incident, or opens it again.
pub(crate) async fn change_incident(number: String, form: Submission) -> Response {
    form.run_of(number, Typed::default(), record_page::page, async |form, number, _| {
        let (number, context, actor) = (numbered(number)?, form.context(), form.actor().await?);
        let done = match form.get("to").as_str() {
            "stop" => {
                handle::stop(context, &actor, number).await?;
                Done::IncidentStopped
            }
            "handled" => {
                handle::close(context, &actor, number, Ending::Handled).await?;
                Done::IncidentClosed
            }
            "false_alarm" => {
                handle::close(context, &actor, number, Ending::FalseAlarm).await?;
                Done::IncidentDismissed
            }
            "open" => {
                handle::reopen(context, &actor, number).await?;
                Done::IncidentReopened
            }
            _ => return Err(ActionError::NotFound.into()),
        };
        Ok(Answer::Next(done.at(links::incident(number))))
    })
    .await
}

/// `GET /incidents/{number}/record.json`
pub(crate) async fn incident_json(number: String, form: Submission) -> Response {
    exported(number, form, "json", "application/json", |context, incident, story| {
        format!("{:#}\n", export::json(context, incident, story))
    })
    .await
}

/// `GET /incidents/{number}/record.md`
pub(crate) async fn incident_markdown(number: String, form: Submission) -> Response {
    exported(number, form, "md", "text/markdown; charset=utf-8", export::markdown).await
}

/// The record as a file.
async fn exported(
    number: String,
    form: Submission,
    ending: &str,
    media_type: &'static str,
    write: impl FnOnce(&Context, &Incident, &Story) -> String,
) -> Response {
    let found = async {
        let (context, authority) = (form.context(), form.visit.authority()?);
        let number = number.parse().map_err(|_| ActionError::NotFound)?;
        let incident = record::find(context, authority, number).await?.ok_or(ActionError::NotFound)?;
        let story = story::read(context, authority, &incident).await?;
        Ok::<_, ActionError>((number, write(context, &incident, &story)))
    };
    match found.await {
        Ok((number, text)) => {
            let name: i64 = number;
            let disposition = format!("attachment; filename=\"incident-{name}.{ending}\"");
            let headers = [
                (header::CONTENT_TYPE, media_type.to_owned()),
                (header::CONTENT_DISPOSITION, disposition),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ];
            (headers, text).into_response()
        }
        Err(error) => refuse(form.visit, error).await,
    }
}

fn numbered(number: &str) -> Result<i64, ActionError> {
    number.parse().map_err(|_| ActionError::NotFound)
}

/// `GET /emergency`: the choice of what is stopped; with a choice in the address, what the stop would end.
pub(crate) async fn emergency(fields: Fields) -> PageResult {
    if fields.find("means").is_some() {
        return stop_form(fields).await;
    }
    let outcome = read!(fields => Outcome { done, count, apps, personal_tokens, clients, incident });
    page::start_page(outcome, Form::new(typed(&fields))).await
}

/// `GET /settings/stop`: what a stop would end, at the address that it had before.
pub(crate) async fn stop_form(fields: Fields) -> PageResult {
    page::page(Form::new(typed(&fields))).await
}

/// `GET /leaks/report`: the form for people. Programs send their reports to the same address with POST.
pub(crate) async fn report_form(_: Fields) -> PageResult {
    report::page(Form::default()).await
}

/// `POST /leaks/reported`: a report by a person, who need not be signed in. The page is not `/leaks/report` itself,
/// because that endpoint answers programs, takes no form token, and says nothing.
pub(crate) async fn report(form: Submission) -> Response {
    let typed = read!(form.fields => TypedReport { url });
    let reported = reported(&form, &typed).await.map(|reported| Answer::page(move || report::result(&reported)));
    form.answer(reported, typed, report::page).await
}

async fn reported(form: &Submission, typed: &TypedReport) -> Result<Reported, Refused> {
    let text = Zeroizing::new(form.get("token"));
    if text.trim().is_empty() {
        return Err(FieldError::new("token", "Paste the secret or token that you found.").into());
    }
    let (visit, state) = (&form.visit, &form.state);
    if let Some(wait) = state.leak_reports_by_source.count(visit.address, visit.now()) {
        let seconds = wait.as_secs().max(1);
        let words =
            format!("There were too many reports from your address. Wait {seconds} seconds, then send it again.");
        return Err(FieldError::new("main", words).into());
    }
    // Possession is the proof, also for people without any right. So it is not their session that acts.
    let actor = Actor::system().at(visit.address, visit.agent.as_deref());
    let place = (!typed.url.trim().is_empty()).then_some(typed.url.as_str());
    Ok(leak::report(form.context(), &actor, &text, place, state.leak_reports.policy).await?)
}

fn typed(fields: &Fields) -> TypedStop {
    read!(fields => TypedStop { team, made_by, server, tag, created_before, means, reason, incident, confirmation })
}

/// `POST /emergency`: a small stop leads back to the page. A large stop is answered with a page that grows
/// while the stop runs. It asks for a confirmation word and not for the password, because an incident must not wait for
/// a password.
pub(crate) async fn stop(form: Submission) -> Response {
    let typed = typed(&form.fields);
    let (selection, means, actor, preview) = match prepared(&form, &typed).await {
        Ok(prepared) => prepared,
        Err(refused) => return form.answer(Err(refused), typed, page::page).await,
    };
    // The stop reports its progress to the page. It goes on when the page is closed.
    let (told, progress) = mpsc::unbounded_channel();
    let incident = typed.incident.parse().ok();
    let (context, reason, batch_size) = (form.context().clone(), typed.reason.clone(), form.state.stop_batch_size);
    let work = tokio::spawn(async move {
        let order = StopRequest { selection: &selection, means, reason: &reason, incident };
        let mut stopped = 0;
        let outcome = emergency_stop::stop(&context, &actor, &order, batch_size, |count| {
            stopped = count;
            // An error means that the page was closed, so there is no reader.
            let _ = told.send(count);
        })
        .await;
        // The page may be closed, so the log says it too.
        if let Err(error) = &outcome {
            tracing::error!(%error, stopped, "an emergency stop broke off after so many credentials");
        }
        outcome
    });
    if preview.credentials > batch_size as i64 {
        return progress_page(form.visit, means, (preview, incident), progress, work).await;
    }
    let outcome = finished(work).await.map(|count| Answer::Next(page::done_address(means, count, &preview, incident)));
    form.answer(outcome, typed, page::page).await
}

/// The typed values, checked; the actor; and what the stop would end.
async fn prepared(form: &Submission, typed: &TypedStop) -> Result<(Selection, Means, Actor, Preview), Refused> {
    let (selection, means) = typed.selection()?;
    if typed.confirmation.trim() != CONFIRMATION {
        return Err(FieldError::new("confirmation", format!("Type {CONFIRMATION} to confirm.")).into());
    }
    let actor = form.actor().await?;
    let preview = emergency_stop::preview(form.context(), &selection, means).await?;
    Ok((selection, means, actor, preview))
}

type Work = JoinHandle<Result<(u64, Timestamp), CredentialError>>;

/// The number of ended credentials.
async fn finished(work: Work) -> Result<u64, Refused> {
    let (count, _) = work.await.map_err(|_| ActionError::Unavailable)??;
    Ok(count)
}

/// The answer: the page up to the progress lines, then the lines as they come, then the rest of the page. It needs no
/// script.
async fn progress_page(
    visit: Visit,
    means: Means,
    (preview, incident): (Preview, Option<i64>),
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
        Bytes::from(match finished(work).await {
            Ok(count) => page::progress_end(means, count, &preview, incident),
            Err(_) => page::progress_broken(),
        })
    });
    let parts = stream::once(async { head }).chain(lines).chain(end).chain(stream::once(async { tail }));
    let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
    ([(header::CACHE_CONTROL, "no-store")], Html(body)).into_response()
}
