//! The record of an incident as JSON, for programs, and as Markdown, for tickets and reports.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::base::text::printable;
use crate::model::incident::record::Incident;
use crate::model::incident::story::{Story, Used};
use crate::prelude::{Context, Timestamp};

/// The address of the record.
pub fn address(context: &Context, incident: &Incident) -> String {
    format!("{}/incidents/{}", context.settings.public_url, incident.number)
}

/// The record as JSON. Members are added to it, and none is renamed.
pub fn json(context: &Context, incident: &Incident, story: &Story) -> Value {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "number": incident.number,
        "url": address(context, incident),
        "title": incident.title(),
        "state": incident.state().as_str(),
        "source": incident.source.as_str(),
        "opened_at": incident.opened_at.rfc3339(),
        "opened_by": incident.opened_by,
        "found_at": incident.found_at,
        "exposed_at": moment(incident.exposed_at),
        "contained_at": moment(incident.contained_at),
        "closed_at": moment(incident.closed_at),
        "closed_by": incident.closed_by,
        "false_alarm": incident.dismissed,
        "owner": incident.owner.as_ref().map(|owner| &owner.name),
        "leaked": incident.items.iter().map(|item| json!({
            "kind": item.kind.as_str(),
            "id": item.id,
            "name": item.name,
            "what": item.what,
            "works": item.works,
        })).collect::<Vec<_>>(),
        "leaked_elsewhere": incident.unseen,
        "exchanges_while_exposed": story.exchanges,
        "exchanges_from_new_addresses": story.exchanges_from_new,
        "lists_are_cut": story.is_cut,
        "tokens_ended": story.tokens_ended,
        "tried_since": story.tried,
        "servers_reached": story.servers_reached(),
        "used_while_exposed": story.used.iter().map(|used| json!({
            "credential": used.credential,
            "address": (!used.address.is_empty()).then_some(&used.address),
            "known_before": !used.is_new(),
            "known_since": moment(used.known_since),
            "exchanges": used.exchanges,
            "first_at": used.first_at.rfc3339(),
            "last_at": used.last_at.rfc3339(),
            "servers": used.servers.iter().map(|id| story.server_name(id)).collect::<Vec<_>>(),
            "called": used.calls.iter().map(|call| json!({
                "kind": call.kind.as_str(), "name": call.name, "calls": call.calls,
                "server": story.server_name(&call.server),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "timeline": story.moments.iter().map(|moment| json!({
            "at": moment.at.rfc3339(), "what": moment.words, "of": moment.subject,
        })).collect::<Vec<_>>(),
        "tasks": story.tasks.iter().map(|task| json!({ "what": task.words, "done": task.done })).collect::<Vec<_>>(),
        "notes": story.notes.iter().map(|note| json!({
            "at": note.at.rfc3339(), "by": note.author, "text": note.text,
        })).collect::<Vec<_>>(),
    })
}

/// The record as Markdown. What people and strangers wrote is escaped, so that it cannot become markup in the ticket.
pub fn markdown(context: &Context, incident: &Incident, story: &Story) -> String {
    let mut text = String::new();
    let owner = incident.owner.as_ref().map_or("nobody", |owner| owner.name.as_str());
    let (exchanges, from_new) = (story.exchanges, story.exchanges_from_new);
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "# {}\n\n- State: {}\n- Found: {}\n- Handled by: {}\n- Exposed since: {}\n- Contained: {}\n- Closed: {}\n- Record: {}\n",
        plain(&incident.title()),
        incident.state().as_str(),
        moment(Some(incident.opened_at)),
        plain(owner),
        moment(incident.exposed_at),
        moment(incident.contained_at),
        moment(incident.closed_at),
        address(context, incident),
    );
    let _ = write!(
        text,
        "\n## What it reached\n\n- Exchanges while exposed: {exchanges}, {from_new} from new addresses\n- Tokens ended: {}\n- MCP servers reached: {}\n- Tried since: {}\n",
        story.tokens_ended,
        plain(&listed(&story.servers_reached())),
        story.tried,
    );
    if !story.used.is_empty() {
        text.push_str("\n## Who used it while it was exposed\n\n| Address | Exchanges | Called | First | Known before |\n|---|---|---|---|---|\n");
        story.used.iter().for_each(|used| text.push_str(&row(used)));
    }
    if story.is_cut {
        text.push_str("\nThe list is cut: new addresses come first, and of calls only the latest 200 of each credential are known.\n");
    }
    text.push_str("\n## What happened (UTC)\n\n");
    for entry in &story.moments {
        let of = entry.subject.as_ref().map(|name| format!(" ({})", plain(name))).unwrap_or_default();
        let _ = writeln!(text, "- {}: {}{of}", entry.at.rfc3339(), plain(&entry.words));
    }
    text.push_str("\n## To do\n\n");
    for task in &story.tasks {
        let _ = writeln!(text, "- [{}] {}", if task.done { 'x' } else { ' ' }, plain(&task.words));
    }
    if !story.notes.is_empty() {
        text.push_str("\n## Notes\n\n");
        for note in &story.notes {
            let lines = note.text.lines().map(plain).collect::<Vec<_>>().join("\n  ");
            let _ = writeln!(text, "- {}, {}: {lines}", note.at.rfc3339(), plain(&note.author));
        }
    }
    text
}

/// The text for the owner of an MCP server that strangers reached.
pub fn notice(context: &Context, incident: &Incident, story: &Story, server: &crate::base::id::McpServerId) -> String {
    let used: Vec<&Used> = story.used.iter().filter(|used| used.is_new() && used.servers.contains(server)).collect();
    let mut text = format!(
        "A secret with access to {} leaked. Addresses that did not use it before the leak got tokens for this server:\n",
        story.server_name(server)
    );
    for used in &used {
        let calls: Vec<String> = used
            .calls
            .iter()
            .filter(|call| call.server == *server)
            .map(|call| {
                format!("{} \u{d7}{}", if call.name.is_empty() { call.kind.as_str() } else { &call.name }, call.calls)
            })
            .collect();
        let called = if calls.is_empty() { String::new() } else { format!(", called {}", calls.join(", ")) };
        let _ = writeln!(
            text,
            "- {}: from {} to {} (UTC){called}",
            used.shown_address(),
            used.first_at.rfc3339(),
            used.last_at.rfc3339()
        );
    }
    let end = match incident.contained_at {
        Some(at) => format!("Nothing that leaked works since {}.", at.rfc3339()),
        None => "What leaked still works. We are stopping it.".to_owned(),
    };
    let _ = write!(text, "{end} Please check what these calls read or changed. Record: {}", address(context, incident));
    text
}

fn row(used: &Used) -> String {
    let known = used.known_since.map_or_else(|| "no".to_owned(), |at| format!("yes, since {}", at.rfc3339()));
    format!(
        "| {} | {} | {} | {} | {known} |\n",
        plain(used.shown_address()),
        used.exchanges,
        plain(&used.called()),
        used.first_at.rfc3339()
    )
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "not yet known".to_owned(), Timestamp::rfc3339)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A text of one line without markup: what Markdown gives a meaning gets a backslash.
fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for character in printable(text).chars() {
        if "\\`*_{}[]<>#|!~&@".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_people_wrote_is_no_markup() {
        assert_eq!(plain("a|b [x](y) <i> `c`\n# d"), "a\\|b \\[x\\](y) \\<i\\> \\`c\\` \\# d");
    }
}
