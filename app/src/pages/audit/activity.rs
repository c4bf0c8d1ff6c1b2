//! The audit log: who changed what, from where, with what result.

use domain::audit::{self, Verdict};
use domain::base::clock::Timestamp;
use domain::model::audit::Filter;
use domain::model::field_error::FieldError;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::parts::{page_links, toolbar};
use crate::form::Refused;
use crate::pages::audit::entry::{EntryView, entry_table};
use crate::pages::audit::words::{action_options, actions_of};
use crate::prelude::*;

const PAGE_SIZE: u16 = 50;

/// The fields of the filter form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActivityQuery {
    /// Part of the actor's name, or its identifier.
    pub actor: String,
    /// An action, or a kind of actions.
    pub action: String,
    /// Part of the target's name, or its identifier.
    pub target: String,
    /// First day.
    pub from: String,
    /// Last day.
    pub to: String,
    /// Only entries below this number: the next page.
    pub before: String,
    /// Only the entry with this number.
    pub entry: String,
}

impl ActivityQuery {
    /// The address of these entries: of the page or of the file.
    fn link(&self, path: &str) -> String {
        let Self { actor, action, target, from, to, before, entry } = self;
        let parameters = [
            ("actor", actor),
            ("action", action),
            ("target", target),
            ("from", from),
            ("to", to),
            ("before", before),
            ("entry", entry),
        ];
        links::with_query(path, &parameters.map(|(name, value)| (name, value.as_str())))
    }
}

/// One page of entries, and where the next page begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActivityView {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// The number below which the next page begins.
    pub next: Option<i64>,
}

/// Entries of the audit log, newest first.
#[server(prefix = "/fn", endpoint = "activity", input = GetUrl)]
pub(crate) async fn activity(query: ActivityQuery) -> Result<ActivityView, ActionError> {
    let visit = signed_in()?;
    let (context, authority) = (&visit.context, visit.authority()?);
    let filter = filter(&query).map_err(Refused::Invalid)?;
    if let Some(seq) = number("entry", &query.entry).map_err(Refused::from)? {
        let just_above = Filter { before: Some(seq + 1), ..Filter::default() };
        let found = audit::list(context, authority, &just_above, 1).await?;
        let entries = found.iter().filter(|entry| entry.seq == seq).map(EntryView::of).collect();
        return Ok(ActivityView { entries, next: None });
    }
    let mut entries: Vec<EntryView> =
        audit::list(context, authority, &filter, PAGE_SIZE + 1).await?.iter().map(EntryView::of).collect();
    let more = entries.len() > usize::from(PAGE_SIZE);
    entries.truncate(usize::from(PAGE_SIZE));
    let next = entries.last().filter(|_| more).map(|entry| entry.seq);
    Ok(ActivityView { entries, next })
}

/// Reads the number of an entry in an address.
fn number(field: &'static str, text: &str) -> Result<Option<i64>, FieldError> {
    let number = (!text.trim().is_empty()).then(|| text.trim().parse::<u32>().map(i64::from));
    number.transpose().map_err(|_| FieldError::new(field, "This link is not valid."))
}

/// Converts the filter form to a filter of the audit log, or says what is wrong with each field.
pub fn filter(query: &ActivityQuery) -> Result<Filter, Vec<FieldError>> {
    let text = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let day = |field, text: &str, read: fn(&str) -> Option<Timestamp>| match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| FieldError::new(field, "Write the day as 2026-11-21.")),
    };
    let from = day("from", &query.from, Timestamp::start_of_day);
    let until = day("to", &query.to, Timestamp::end_of_day);
    let (before, entry) = (number("before", &query.before), number("entry", &query.entry));
    match (from, until, before, entry) {
        (Ok(from), Ok(until), Ok(before), Ok(_)) => Ok(Filter {
            actor: text(&query.actor),
            action: text(&actions_of(query.action.trim())),
            target: text(&query.target),
            from,
            until,
            before,
        }),
        (from, until, before, entry) => {
            Err([from.err(), until.err(), before.err(), entry.err()].into_iter().flatten().collect())
        }
    }
}

/// The page.
pub async fn page(query: ActivityQuery, verify: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let errors = Errors(filter(&query).err().unwrap_or_default());
    let status = errors.status();
    let ActivityView { entries, next } = match status {
        200 => activity(query.clone()).await?,
        _ => ActivityView { entries: Vec::new(), next: None },
    };
    // The chain contains entries of all teams.
    let administers = visit.authority()?.is_administrator();
    let verdict = if verify && administers { Some(audit::verify(&visit.context).await?) } else { None };
    let first = ActivityQuery { before: String::new(), entry: String::new(), ..query.clone() };
    let export = first.link(links::EXPORT_ACTIVITY);
    let next_link = next.map(|next| ActivityQuery { before: next.to_string(), ..query.clone() }.link(links::ACTIVITY));
    let is_later = !query.before.is_empty() || !query.entry.is_empty();
    let first_link = is_later.then(|| first.link(links::ACTIVITY));
    let list = if entries.is_empty() {
        empty(view! { "No entry matches. "<a href=links::ACTIVITY>"Show all entries"</a> })
    } else {
        entry_table(entries, administers, !query.entry.is_empty())
    };
    let lead = match administers {
        true => "Every change, and who made it. Nobody can edit or remove entries.",
        false => "Every change in your teams, and what you did. Nobody can edit or remove entries.",
    };
    let filters = view! {
        <TextField id="actor" label="Who" kind="search" value=query.actor/>
        <Select id="action" label="Did what" options=action_options() chosen=query.action/>
        <TextField id="target" label="To what" kind="search" value=query.target/>
        <TextField id="from" label="First day" kind="date" value=query.from error=errors.at("from")/>
        <TextField id="to" label="Last day" kind="date" value=query.to error=errors.at("to")/>
    };
    let tools = view! {
        <div class="row">
            {administers.then(|| chain_state(verdict))}
            <a class="button" href=export><Drawing icon=Icon::Download/>"Export"</a>
        </div>
    };
    let body = view! {
        <ErrorSummary errors/>
        {head((), "Activity", lead, tools)}
        <section class="panel" aria-label="Entries">
            {toolbar(links::ACTIVITY, "Filter entries", filters)}
            {list}
        </section>
        {(first_link.is_some() || next_link.is_some())
            .then(|| view! { <div class="pager"><span></span>{page_links(first_link, next_link)}</div> })}
    };
    Ok(Page::new("Activity", body).answering(status))
}

/// The form of the export. It exports the entries that the list's filter shows.
pub async fn export_page(form: Form<ActivityQuery>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed: query, errors, .. } = form;
    let is_filtered =
        [&query.actor, &query.action, &query.target, &query.from, &query.to].iter().any(|part| !part.trim().is_empty());
    let lead =
        if is_filtered { "The entries that the filter shows, newest first." } else { "Every entry, newest first." };
    let options = options([("csv", "CSV, for spreadsheets"), ("jsonl", "JSON lines, for programs")]);
    let page = FormPage::new("Export the audit log", links::EXPORT_ACTIVITY, "Export")
        .back(links::ACTIVITY, "Activity")
        .lead(lead)
        .without_cancel()
        .hidden("actor", query.actor)
        .hidden("action", query.action)
        .hidden("target", query.target)
        .hidden("from", query.from)
        .hidden("to", query.to)
        .panel("Export", view! { <Select id="format" label="Format" options chosen="csv"/> });
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

/// Says whether the chain of entries is unchanged. A long chain takes some time, so the page checks only on request.
fn chain_state(verdict: Option<Verdict>) -> AnyView {
    match verdict {
        None => button_link(links::with_query(links::ACTIVITY, &[("verify", "yes")]), "Verify"),
        Some(Verdict::Intact { entries }) => {
            let words = format!("Chain intact: {}", counted(entries, "entry", "entries"));
            html! { <span class="chip" data-tone="ok" role="status">{words}</span> }
        }
        Some(Verdict::Broken { seq, reason }) => {
            let words = format!("Chain broken at entry {seq}: {reason}");
            html! { <span class="chip" data-tone="danger" role="alert">{words}</span> }
        }
    }
}
