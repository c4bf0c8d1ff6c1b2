//! Calls through the gateway, on the pages of servers, credentials, leaks and stops.

use std::collections::BTreeMap;

use domain::model::server::McpServer;
use domain::model::server::gateway::call::{CallKind, CallOutcome, CallSum, CalledFrom, CallerSum, RecordedCall};

use crate::pages::credential::list::short_resource;
use crate::prelude::*;

/// How a call ended, in words and in the colour of its chip.
pub(crate) fn outcome_words(outcome: CallOutcome) -> (&'static str, &'static str) {
    match outcome {
        CallOutcome::Ok => ("Worked", "ok"),
        CallOutcome::ToolError => ("Tool failed", "warn"),
        CallOutcome::Error => ("Error", "warn"),
        CallOutcome::Forbidden => ("No scope", "danger"),
        CallOutcome::Blocked => ("Blocked", "danger"),
        CallOutcome::Limited => ("Over limit", "danger"),
        CallOutcome::Unreachable => ("No answer", "danger"),
        CallOutcome::Cancelled => ("Cancelled", "idle"),
        CallOutcome::Cut => ("Cut off", "danger"),
    }
}

/// What was called, by its name.
pub(crate) fn called(kind: CallKind, name: &str) -> AnyView {
    match kind {
        CallKind::Tool => html! { <code>{name.to_owned()}</code> },
        CallKind::Prompt => html! { "Prompt "<code>{name.to_owned()}</code> },
        CallKind::Resource => html! { "Resources" },
    }
}

/// The name of a server, with a link to its page.
fn server_link(servers: &[McpServer], id: &str) -> AnyView {
    match servers.iter().find(|server| server.id.as_str() == id) {
        Some(server) => {
            html! { <a title=short_resource(&server.resource) href=links::server(&server.id)>{server.name.clone()}</a> }
        }
        None => muted("A removed server"),
    }
}

/// The calls of one tool, prompt or resource: how many there were, and how many did not work.
struct Line {
    calls: i64,
    failed: i64,
    total_ms: i64,
    longest_ms: i64,
    timed: i64,
    last: domain::base::clock::Timestamp,
    outcomes: BTreeMap<&'static str, i64>,
}

/// The sums of calls, by server, kind and name, most calls first.
fn lines(sums: Vec<CallSum>) -> Vec<((String, CallKind, String), Line)> {
    let mut lines: Vec<((String, CallKind, String), Line)> = Vec::new();
    for sum in sums {
        let key = (sum.server.to_string(), sum.kind, sum.name.clone());
        let place = lines.iter().position(|(own, _)| *own == key).unwrap_or_else(|| {
            let line = Line {
                calls: 0,
                failed: 0,
                total_ms: 0,
                longest_ms: 0,
                timed: 0,
                last: sum.last_at,
                outcomes: BTreeMap::new(),
            };
            lines.push((key, line));
            lines.len() - 1
        });
        let line = &mut lines[place].1;
        line.calls += sum.calls;
        line.last = line.last.max(sum.last_at);
        if !sum.outcome.is_ok() {
            line.failed += sum.calls;
            *line.outcomes.entry(outcome_words(sum.outcome).0).or_default() += sum.calls;
        }
        if sum.outcome.reached() {
            line.timed += sum.calls;
            line.total_ms += sum.total_ms;
            line.longest_ms = line.longest_ms.max(sum.longest_ms);
        }
    }
    lines.sort_by_key(|(_, line)| std::cmp::Reverse(line.calls));
    lines
}

/// Calls by what was called. `servers` is empty on the page of one server.
pub(crate) fn calls_table(sums: Vec<CallSum>, servers: Option<&[McpServer]>) -> AnyView {
    let rows = lines(sums).into_iter().map(|((server, kind, name), line)| {
        let mean = if line.timed == 0 { String::new() } else { milliseconds(line.total_ms / line.timed) };
        let longest = if line.timed == 0 { String::new() } else { milliseconds(line.longest_ms) };
        let failed = line.outcomes.iter().map(|(words, count)| format!("{words}: {}", grouped(*count)));
        let failed = failed.collect::<Vec<_>>().join(", ");
        cells![
            called(kind, &name),
            servers.map(|servers| server_link(servers, &server)),
            grouped(line.calls),
            html! { {grouped(line.failed)}{(!failed.is_empty()).then(|| sub(failed))} },
            mean,
            longest,
            distance(line.last),
        ]
    });
    let columns = [
        Column::from("Called"),
        Column::when("MCP server", servers.is_some()),
        Column::number("Calls"),
        Column::number("Did not work"),
        Column::number("Mean"),
        Column::number("Longest"),
        Column::from("Last call"),
    ];
    table(columns, rows)
}

/// A length of time, as people compare it.
fn milliseconds(count: i64) -> String {
    if count < 10_000 { format!("{} ms", grouped(count)) } else { format!("{} s", grouped(count / 1000)) }
}

/// Who called a server.
pub(crate) fn callers_table(callers: Vec<CallerSum>) -> AnyView {
    let rows = callers.into_iter().map(|caller| {
        let name = match (&caller.name, caller.caller.starts_with("csc_")) {
            (Some(name), true) => {
                html! { <a href=links::credential(&caller.caller)>{name.clone()}</a>{sub("Credential")} }
            }
            (Some(name), false) => {
                let person = caller.person_name.clone().map(|person| format!(" of {person}")).unwrap_or_default();
                let kind = if caller.person.is_empty() { "Personal token" } else { "App" };
                html! { {name.clone()}{sub(format!("{kind}{person}"))} }
            }
            (None, _) => html! { <code>{caller.caller.clone()}</code>{sub("No longer there")} },
        };
        cells![name, grouped(caller.calls), grouped(caller.failed), distance(caller.last_at)]
    });
    let columns = ["Caller".into(), Column::number("Calls"), Column::number("Did not work"), Column::from("Last call")];
    table(columns, rows)
}

/// What a caller called, and from which addresses: for a person who asks what a stranger did with a secret.
pub(crate) fn blast_radius(calls: Vec<CallSum>, from: Vec<CalledFrom>, servers: &[McpServer]) -> AnyView {
    if calls.is_empty() {
        return ().into_any();
    }
    html! {
        <h3 class="under">"Tools called through the gateway"</h3>
        {calls_table(calls, Some(servers))}
        <h3 class="under">"Tools called, by address (the latest 200 calls)"</h3>
        {called_from_table(from, servers)}
    }
}

/// Calls that reached a server, by the address of the client.
pub(crate) fn called_from_table(from: Vec<CalledFrom>, servers: &[McpServer]) -> AnyView {
    let rows = from.into_iter().map(|row| {
        let address = match row.address.as_str() {
            "" => muted("Unknown address"),
            address => html! { <code>{address.to_owned()}</code> },
        };
        cells![
            address,
            called(row.kind, &row.name),
            server_link(servers, row.server.as_str()),
            grouped(row.calls),
            moment(row.first_at),
            moment(row.last_at),
        ]
    });
    let columns = [
        Column::from("From"),
        Column::from("Called"),
        Column::from("MCP server"),
        Column::number("Calls"),
        Column::from("First call"),
        Column::from("Last call"),
    ];
    table(columns, rows)
}

/// The latest calls of a caller, one by one.
pub(crate) fn latest_table(calls: Vec<RecordedCall>, servers: &[McpServer]) -> AnyView {
    let rows = calls.into_iter().map(|call| {
        let (words, tone) = outcome_words(call.outcome);
        cells![
            moment(call.at),
            html! { {called(call.kind, &call.name)}{sub(server_link(servers, call.server.as_str()))} },
            chip(words, tone),
            milliseconds(call.milliseconds),
            html! { {call.address.unwrap_or_else(|| "Unknown address".to_owned())}{sub(html! { <code>{call.request_id}</code> })} },
        ]
    });
    let columns = [
        Column::from("When"),
        Column::from("Called"),
        Column::from("Result"),
        Column::number("Took"),
        Column::labelled("From, and the request in the log", "From"),
    ];
    table(columns, rows)
}
