//! The receipt of an action on several credentials. It is read from the audit log, so its address can be kept and
//! shared. It shows what the person who opens it may see.

use std::collections::HashMap;

use domain::audit;
use domain::credential::several::{Kept, MOST_GIVEN, Receipt, Step};
use domain::model::audit::{Action, AuditEntry, Filter};
use domain::model::credential::query::OwnedBy;
use serde_json::Value;

use crate::pages::credential::list::outcome::{done, named, read_entries, what, why};
use crate::pages::credential::{MOST_AT_ONCE, find};
use crate::prelude::*;

/// The parameters in the address of a receipt.
#[derive(Debug, Clone, Default)]
pub struct ReceiptQuery {
    /// The action: the word of a [`Step`].
    pub action: String,
    /// The first and the last audit entry: `212-213`.
    pub entries: String,
    /// The credentials that stayed as they were: client ID, colon, the word of [`Kept`].
    pub kept: Vec<String>,
    /// How many more stayed as they were, without a name in the address.
    pub more_kept: String,
    /// The query of the list.
    pub list: String,
}

/// The address of the receipt. It names at most [`MOST_AT_ONCE`] credentials that stayed as they were: proxies refuse
/// long addresses.
pub fn address(step: &Step, receipt: &Receipt, list: &str) -> String {
    let entries = match receipt.entries.as_slice() {
        [] => String::new(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
    };
    let named = receipt.kept.iter().take(MOST_AT_ONCE);
    let kept: Vec<String> = named.map(|(id, why)| format!("{id}:{}", why.as_str())).collect();
    let more = receipt.kept.len() - kept.len();
    let more = if more == 0 { String::new() } else { more.to_string() };
    let kept = kept.iter().map(|kept| ("kept", kept.as_str()));
    let parameters = [("do", word_of(step)), ("entries", entries.as_str())].into_iter().chain(kept);
    links::with_query(
        links::RECEIPT,
        &parameters.chain([("more_kept", more.as_str()), ("list", list)]).collect::<Vec<_>>(),
    )
}

/// The word of an action in addresses and forms.
fn word_of(step: &Step) -> &'static str {
    match step {
        Step::Revoke(_) => "revoke",
        Step::Disable => "disable",
        Step::Enable => "enable",
        Step::Finish { .. } => "finish",
        Step::Deadline(_) => "deadline",
        Step::Move { .. } => "move",
        Step::Own(_) => "owner",
        Step::Unassign { .. } => "unassign",
        Step::Undo { .. } => "undo",
        Step::Tag { .. } => "tag",
    }
}

/// The opposite action, if one click is enough for that.
fn opposite(action: &str) -> Option<(&'static str, &'static str)> {
    match action {
        "disable" => Some(("enable", "Enable again")),
        "enable" => Some(("disable", "Disable again")),
        _ => None,
    }
}

/// The action that the audit log knows, and for edits the one in the address.
fn action_of(entries: &[AuditEntry], asked: &str) -> String {
    let known = entries.first().and_then(|entry| Action::parse(&entry.action));
    let word = match known {
        Some(Action::CredentialRevoked) => "revoke",
        Some(Action::CredentialDisabled) => "disable",
        Some(Action::CredentialEnabled) => "enable",
        Some(Action::CredentialRotationFinished) => "finish",
        Some(Action::CredentialRotationExtended) => "deadline",
        Some(_) if !matches!(asked, "move" | "owner" | "tag" | "unassign" | "undo") => "",
        _ => asked,
    };
    word.to_owned()
}

/// The page.
pub async fn page(query: ReceiptQuery) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let entries = entries(&visit, &query.entries).await?;
    let mut kept = Vec::new();
    for one in query.kept.iter().take(MOST_AT_ONCE) {
        if let Some((id, why)) = one.rsplit_once(':').and_then(|(id, word)| Some((id, Kept::parse(word)?))) {
            kept.push((named(&visit, id).await, why));
        }
    }
    let more_kept = query.more_kept.parse().unwrap_or(0_usize).min(usize::from(MOST_GIVEN));
    if entries.is_empty() && kept.is_empty() {
        return Err(ActionError::NotFound);
    }
    let action = action_of(&entries, &query.action);
    let tokens: i64 = entries.iter().filter_map(|entry| details(entry).get("live_tokens")?.as_i64()).sum();
    let summary = summary(&entries, &kept, more_kept, &action, tokens);
    let is_move = matches!(action.as_str(), "move" | "undo");
    let owners = if is_move { owners_with(&visit, &entries).await? } else { HashMap::new() };
    let text = text(&entries, &owners, &kept, &action, &summary);
    let ids: Vec<String> = entries.iter().map(|entry| entry.target_id.clone()).collect();
    let back = links::credentials_of_query(&query.list);
    let again = opposite(&action)
        .filter(|_| !ids.is_empty())
        .map(|(action, words)| button_link(links::several(action, &ids), words));
    let can_undo =
        matches!(action.as_str(), "move" | "owner" | "tag" | "unassign") && (1..=MOST_AT_ONCE).contains(&ids.len());
    let undo = can_undo.then(|| button_link(links::undo(&query.entries, &ids), "Undo"));
    let left = if is_move { without_owner(&visit, &ids).await? } else { None };
    let failed = kept.iter().filter(|(_, why)| *why != Kept::Already).count() + more_kept;
    let changed = entries.into_iter().map(|entry| {
        let owner = owners.get(&entry.target_id).cloned();
        changed_row(entry, &action, owner)
    });
    let stayed = kept.into_iter().map(|(named, kept)| {
        let name = match named {
            Some((name, id)) => html! { <a class="name" href=links::credential(&id)>{name}</a><code>{id}</code> },
            None => muted("A credential that you do not see"),
        };
        cells![name, html! { "Not changed: "{why(kept, &action)} }, ()]
    });
    let unnamed = (more_kept > 0).then(|| cells![muted(format!("{more_kept} more")), "Not changed.", ()]);
    let rows = changed.chain(stayed).chain(unnamed);
    let body = view! {
        {head((back.clone(), "Credentials"), "Receipt", (), view! { {again}{undo} })}
        {if failed == 0 { done_notice(view! { <p>{summary}</p> }) } else { notice("warn", view! { <p>{summary}</p> }) }}
        {left}
        <section class="panel" aria-label="Credentials">
            {table(["Credential", "What happened", "Audit entry"], rows)}
        </section>
        <section class="panel" aria-labelledby="ticket">
            <header><h2 id="ticket">"For the ticket"</h2>{copy_button("receipt", "Copy")}</header>
            <pre id="receipt" tabindex="0" role="region" aria-label="Text for the ticket">{text}</pre>
        </section>
        <div class="row">{button_link(back, "Back to the list")}</div>
    };
    Ok(Page::new("Receipt", body).framed(Frame::Narrow))
}

/// Says how many of the moved credentials have no owner.
async fn without_owner(visit: &Visit, ids: &[String]) -> Result<Option<AnyView>, ActionError> {
    let mut count = 0;
    for id in ids.iter().take(MOST_AT_ONCE) {
        if find(visit, id).await.is_ok_and(|credential| credential.owner.is_none()) {
            count += 1;
        }
    }
    let see = links::with_query(links::CREDENTIALS, &[("owner", OwnedBy::NOBODY)]);
    let words = format!("{} no owner. ", counted(count, "credential has", "credentials have"));
    Ok((count > 0).then(|| notice("warn", view! { <p>{words}<a href=see>"See all without an owner"</a></p> })))
}

/// The entries `first-last` of the audit log, as far as the visitor sees them, oldest first.
async fn entries(visit: &Visit, range: &str) -> Result<Vec<AuditEntry>, ActionError> {
    let Some((first, last)) = read_entries(range) else { return Ok(Vec::new()) };
    let filter = Filter { before: Some(last.saturating_add(1)), ..Filter::default() };
    let count = last.saturating_sub(first).saturating_add(1).clamp(1, i64::from(MOST_GIVEN));
    let mut entries = audit::list(&visit.context, visit.authority()?, &filter, count as u16).await?;
    entries.retain(|entry| (first..=last).contains(&entry.seq) && entry.target_kind == "credential");
    entries.reverse();
    Ok(entries)
}

fn details(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.details).unwrap_or_default()
}

type KeptRow = (Option<(String, String)>, Kept);

/// "2 credentials revoked, 10 live tokens ended, 1 was revoked before."
fn summary(entries: &[AuditEntry], kept: &[KeptRow], more_kept: usize, action: &str, tokens: i64) -> String {
    let (done, (one, many)) = (done(action), what(action));
    let mut parts = vec![match entries.len() {
        0 => "Nothing was changed".to_owned(),
        count => format!("{} {done}", counted(count, one, many)),
    }];
    if tokens > 0 {
        let state = if done == "revoked" { "ended" } else { "refused" };
        parts.push(format!("{} {state}", counted(tokens, "live token", "live tokens")));
    }
    let already = kept.iter().filter(|(_, why)| *why == Kept::Already).count();
    match (already, action) {
        (0, _) => {}
        (count, "move" | "owner" | "tag" | "unassign") => parts.push(format!("{count} needed no change")),
        (1, _) => parts.push(format!("1 was {done} before")),
        (count, _) => parts.push(format!("{count} were {done} before")),
    }
    match kept.len() - already + more_kept {
        0 => {}
        count => parts.push(format!("{count} could not be {done}")),
    }
    format!("{}.", parts.join(", "))
}

/// The receipt as plain text.
fn text(
    entries: &[AuditEntry],
    owners: &HashMap<String, String>,
    kept: &[KeptRow],
    action: &str,
    summary: &str,
) -> String {
    let done = done(action);
    let mut lines = Vec::new();
    if let Some(first) = entries.first() {
        let at = first.at.rfc3339();
        let (day, time) = (at.get(..10).unwrap_or_default(), at.get(11..16).unwrap_or_default());
        lines.push(format!("{day} {time} UTC, {}: {summary}", first.actor_name));
        if let Some(reason) = details(first).get("reason").and_then(Value::as_str).filter(|reason| !reason.is_empty()) {
            lines.push(format!("Reason: {reason}"));
        }
    } else {
        lines.push(summary.to_owned());
    }
    for entry in entries {
        let changes = change_words(&details(entry)).into_iter().chain(owners.get(&entry.target_id).cloned());
        let change: String = changes.map(|change| format!(", {change}")).collect();
        lines.push(format!("{done}: {} {}{change} (audit entry {})", entry.target_name, entry.target_id, entry.seq));
    }
    for (named, kept) in kept {
        if let Some((name, id)) = named {
            lines.push(format!("not changed: {name} {id} ({})", why(*kept, action)));
        }
    }
    lines.join("\n")
}

/// What the same change wrote about owners, by credential: its entries follow those of the move.
async fn owners_with(visit: &Visit, moved: &[AuditEntry]) -> Result<HashMap<String, String>, ActionError> {
    let (Some(first), Some(last)) = (moved.first(), moved.last()) else { return Ok(HashMap::new()) };
    let count = moved.len() as i64;
    let filter = Filter { before: Some(last.seq + count + 1), ..Filter::default() };
    let following = audit::list(&visit.context, visit.authority()?, &filter, (count.clamp(1, 500)) as u16).await?;
    let is_part =
        |entry: &&AuditEntry| entry.seq > last.seq && entry.at == first.at && entry.actor_id == first.actor_id;
    let words = |entry: &AuditEntry| Some((entry.target_id.clone(), change_words(&details(entry))?));
    Ok(following.iter().filter(is_part).filter_map(words).collect())
}

fn changed_row(entry: AuditEntry, action: &str, also: Option<String>) -> Vec<AnyView> {
    let (done, details) = (done(action), details(&entry));
    let tokens = details.get("live_tokens").and_then(Value::as_i64).filter(|count| *count > 0);
    let ended = if done == "revoked" { "ended" } else { "refused while it is disabled" };
    let tokens = tokens.map(|count| format!(" {} {ended}.", counted(count, "live token", "live tokens")));
    let (id, done_word) = (entry.target_id.clone(), done.to_owned());
    let replacement = (done == "revoked").then(|| small_link(links::credential_like(&id), "Generate a replacement"));
    let first = done_word.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest: String = done_word.chars().skip(1).collect();
    let change: Vec<String> = change_words(&details).into_iter().chain(also).collect();
    let change = (!change.is_empty()).then(|| sub(change.join("; ")));
    cells![
        html! { <a class="name" href=links::credential(&id)>{entry.target_name}</a><code>{id.clone()}</code> },
        html! { {first}{rest}"."{tokens}" "{replacement}{change} },
        html! { <a href=links::activity_from(entry.seq)>{entry.seq}</a> },
    ]
}

/// "team: Payments → Data": what changed, from the details of an entry.
fn change_words(details: &Value) -> Option<String> {
    let words = |value: &Value| match value {
        Value::Null => "nobody".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let one = |(name, label): (&str, &str)| {
        let change = details.get(name)?;
        Some(format!("{label}: {} → {}", words(change.get("before")?), words(change.get("after")?)))
    };
    let named = [("team", "team"), ("owner", "owner"), ("tags", "tags"), ("mcp_servers", "MCP servers")];
    let until = details.get("until").and_then(Value::as_str).and_then(|at| Some((at.get(..10)?, at.get(11..16)?)));
    let until = until.map(|(day, time)| format!("the old secret or key works until {day} {time} UTC"));
    let changes: Vec<String> = named.into_iter().filter_map(one).chain(until).collect();
    (!changes.is_empty()).then(|| changes.join("; "))
}
