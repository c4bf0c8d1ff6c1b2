//! Entries of the audit log, as pages show them: their words, their tone, and the links to what they name.

use std::collections::BTreeMap;
use std::fmt::Display;

use domain::audit;
use domain::base::clock::Timestamp;
use domain::model::audit::{Action, AuditEntry, Target};
use domain::model::token::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::components::time::{calendar, clock, day};
use crate::pages::audit::words::text;
use crate::pages::credential::usage::cause_words;
use crate::prelude::*;

/// One entry, as pages show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntryView {
    /// Number in the chain.
    pub seq: i64,
    /// Time, in milliseconds since the epoch.
    pub at: i64,
    /// The action in words.
    pub what: String,
    /// Identifier of the action.
    pub action: String,
    /// The kind of the actor.
    pub actor_kind: String,
    /// Identifier of the actor.
    pub actor_id: String,
    /// The actor.
    pub actor: String,
    /// The kind of the target.
    pub target_kind: String,
    /// Identifier of the target.
    pub target_id: String,
    /// Name of the target at that time.
    pub target_name: String,
    /// Where the actor acted from: an address, or what is known instead.
    pub from: String,
    /// The user agent.
    pub agent: Option<String>,
    /// Details: label, value before, value after. A detail may have only one value.
    pub details: Vec<(String, Option<String>, String)>,
}

/// The colour of an action: what ends or refuses something, what narrows or warns, and what adds something.
fn tone(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::CredentialLeaked
        | Action::LeakReported
        | Action::IncidentOpened
        | Action::IncidentReopened
        | Action::CredentialRevoked
        | Action::CredentialRetiredSecretTried
        | Action::EmergencyStopped
        | Action::PersonDisabled
        | Action::ClientRemoved
        | Action::PersonalTokenRevoked
        | Action::TeamRemoved => "danger",
        Action::SessionRefused
        | Action::CredentialDisabled
        | Action::ClientDisabled
        | Action::CredentialExpiring
        | Action::CredentialKeyRemoved
        | Action::CredentialSecretRemoved
        | Action::McpServerArchived
        | Action::McpServerRemoved
        | Action::CredentialIdentityRemoved
        | Action::SecondFactorRemoved
        | Action::PasskeyRemoved
        | Action::WebhookPaused
        | Action::WebhookRemoved
        | Action::ClientSecretEnded
        | Action::GrantEnded
        | Action::GrantDenied
        | Action::TokenRevoked => "warn",
        action if action.as_str().ends_with(".added") => "ok",
        Action::IncidentContained
        | Action::IncidentClosed
        | Action::PersonCreated
        | Action::PersonEnabled
        | Action::TeamCreated
        | Action::InvitationAccepted
        | Action::CredentialGenerated
        | Action::CredentialImported
        | Action::CredentialSecretAdded
        | Action::CredentialKeyAdded
        | Action::CredentialIdentityAdded
        | Action::McpServerUnarchived
        | Action::CredentialEnabled
        | Action::ClientEnabled
        | Action::EmergencyUndone
        | Action::GrantAllowed
        | Action::PersonalTokenGenerated => "ok",
        _ => return None,
    })
}

/// Where it came from. Acts of people and programs, and what was refused, come over the network: the address of such an
/// entry may be unknown.
fn from(entry: &AuditEntry, details: &BTreeMap<String, Value>) -> String {
    let tried = entry.action == Action::CredentialRetiredSecretTried.as_str();
    let noted = details.get("address").filter(|_| tried).and_then(Value::as_str);
    match (entry.address.as_deref().or(noted), entry.actor_kind.as_str()) {
        (Some(address), _) => address.to_owned(),
        (None, "person" | "credential") => "Unknown address".to_owned(),
        (None, _) if tried || entry.action == Action::SessionRefused.as_str() => "Unknown address".to_owned(),
        (None, _) => "The server itself".to_owned(),
    }
}

/// What was done, in words: also whether an emergency stop or its undoing did it, and which secret was tried.
fn what(entry: &AuditEntry, details: &BTreeMap<String, Value>) -> String {
    let Some(action) = Action::parse(&entry.action) else { return entry.action.clone() };
    if action == Action::CredentialRetiredSecretTried {
        let cause = details.get("cause").and_then(|cause| Refusal::parse(cause.as_str()?));
        return match cause {
            Some(Refusal::SecretExpired) => "Expired secret tried".to_owned(),
            Some(Refusal::SecretRevoked) => "Revoked secret tried".to_owned(),
            Some(Refusal::SecretRetired) => "Replaced secret tried".to_owned(),
            _ => text(action).to_owned(),
        };
    }
    if action == Action::TeamRoleChanged {
        let is_none = |when: &str| details.get("role").and_then(|role| role.get(when)).is_some_and(Value::is_null);
        let by_oneself = details.get("person_id").and_then(Value::as_str) == Some(entry.actor_id.as_str());
        return match (is_none("before"), is_none("after"), by_oneself) {
            (true, _, true) => "Joined a team",
            (true, _, false) => "Added to a team",
            (_, true, true) => "Left a team",
            (_, true, false) => "Removed from a team",
            _ => text(action),
        }
        .to_owned();
    }
    let emergency = details.get("emergency").is_some();
    let by = match action {
        Action::CredentialDisabled | Action::CredentialRevoked if emergency => " by an emergency stop",
        Action::CredentialEnabled if emergency => ": emergency stop undone",
        _ => "",
    };
    format!("{}{by}", text(action))
}

impl EntryView {
    /// The view of an entry.
    pub fn of(entry: &AuditEntry) -> Self {
        let details: BTreeMap<String, Value> = serde_json::from_str(&entry.details).unwrap_or_default();
        Self {
            seq: entry.seq,
            at: entry.at.millis(),
            what: what(entry, &details),
            action: entry.action.clone(),
            actor_kind: entry.actor_kind.clone(),
            actor_id: entry.actor_id.clone(),
            actor: entry.actor_name.clone(),
            target_kind: entry.target_kind.clone(),
            target_id: entry.target_id.clone(),
            target_name: entry.target_name.clone(),
            from: from(entry, &details),
            agent: entry.agent.clone(),
            details: details
                .into_iter()
                .map(|(label, value)| {
                    let label = label.replace('_', " ");
                    match (value.get("before"), value.get("after")) {
                        (Some(before), Some(after)) => (label, Some(plain(before)), plain(after)),
                        _ => {
                            let words = cause(&label, &value).map_or_else(|| plain(&value), str::to_owned);
                            (label, None, words)
                        }
                    }
                })
                .collect(),
        }
    }

    fn detail(&self, label: &str) -> Option<String> {
        self.details.iter().find(|(own, ..)| own == label).map(|(_, _, value)| value.clone())
    }

    /// The actor, with a link to their page for those who may open it.
    fn who(&self, administers: bool) -> AnyView {
        let kind = Target::parse(&self.actor_kind);
        linked(kind.and_then(|kind| address(kind, &self.actor_id, administers)), self.actor.clone())
    }

    /// The target, with a link to its page. An entry about a team also says which person it is about.
    pub(super) fn target(&self, administers: bool) -> AnyView {
        let kind = Target::parse(&self.target_kind);
        let is_gone = self.action.ends_with(".removed") && self.target_kind != Target::Passkey.as_str();
        let href = kind.filter(|_| !is_gone).and_then(|kind| address(kind, &self.target_id, administers));
        let target = linked(href, self.target_name.clone());
        if let Some((name, id)) = self.detail("person name").zip(self.detail("person")) {
            return html! { {target}" for "{linked(address(Target::Person, &id, administers), name)} };
        }
        let person = self.detail("person").zip(self.detail("person id"));
        let whom = match (self.detail("email"), person) {
            (Some(_), _) if kind == Some(Target::Person) => return target,
            (Some(email), _) => email.into_any(),
            (None, Some((name, id))) => linked(address(Target::Person, &id, administers), name),
            (None, None) => return target,
        };
        if self.target_name.is_empty() {
            whom
        } else {
            html! { {whom}" in "{target} }
        }
    }

    /// What was done, with the values that changed.
    fn what(&self) -> AnyView {
        let tone = Action::parse(&self.action).and_then(tone);
        html! { <span class="did" data-tone=tone>{self.what.clone()}</span>{self.change().map(sub)} }
    }

    /// The values before and after, where they are short; otherwise the names of the fields that changed.
    fn change(&self) -> Option<String> {
        let edits = self.details.iter().filter_map(|(label, before, after)| Some((label, before.as_ref()?, after)));
        let edits: Vec<_> = edits.collect();
        let longest = if edits.len() > 1 { 32 } else { 48 };
        let words = edits.into_iter().map(|(label, before, after)| match before.len() + after.len() < longest {
            true => format!("{label}: {} → {}", shortened(before), shortened(after)),
            false => label.clone(),
        });
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// A value in a short list: a moment as people write it.
fn shortened(value: &str) -> String {
    let now = Visit::current().now();
    Timestamp::parse_rfc3339(value).map_or_else(|| value.to_owned(), |at| calendar(at, now))
}

/// The page of a thing. Nothing for what has no page, and for pages that only administrators may open.
fn address(kind: Target, id: &str, administers: bool) -> Option<String> {
    let address = match kind {
        _ if id.is_empty() => return None,
        Target::Credential => links::credential(id),
        Target::McpServer => links::server(id),
        Target::Team => links::team(id),
        Target::Incident => links::incident(id),
        Target::Client if administers => links::client(id),
        Target::Person if administers => links::person(id),
        Target::Webhook if administers => links::webhook(id),
        Target::SigningKey if administers => links::SETTINGS.to_owned(),
        _ => return None,
    };
    Some(address)
}

fn linked(href: Option<String>, name: String) -> AnyView {
    match href {
        Some(href) => html! { <a href=href>{name}</a> },
        None => html! { <span>{name}</span> },
    }
}

/// The words of a cause for which exchanges are refused.
fn cause(label: &str, value: &Value) -> Option<&'static str> {
    (label == "cause").then(|| Refusal::parse(value.as_str()?).map(cause_words)).flatten()
}

/// A JSON value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Entries with time, action and actor, a line each.
pub(crate) fn entry_list(entries: impl IntoIterator<Item = EntryView>) -> AnyView {
    let administers = Visit::current().viewer.is_some_and(|viewer| viewer.authority.is_administrator());
    let line = |entry: EntryView| {
        let target = (!entry.target_name.is_empty()).then(|| view! { ": "{entry.target(administers)} });
        view! {
            <li class="entry">
                {distance(Timestamp::from_millis(entry.at))}
                <span>{entry.what.clone()}{target}{entry.change().map(sub)}</span>
                {muted(entry.actor)}
            </li>
        }
    };
    html! { <ol class="list">{entries.into_iter().map(line).collect_view()}</ol> }
}

/// The newest entries about this team, MCP server or client that the visitor sees.
pub(crate) async fn latest_changes(visit: &Visit, target: impl Display, limit: u16) -> Result<AnyView, ActionError> {
    let entries = audit::of_target(&visit.context, visit.authority()?, &target.to_string(), limit).await?;
    let all = view! { <a href=links::activity_of(target)>"See all entries"</a> };
    let list = match entries.is_empty() {
        true => empty("Nothing yet."),
        false => entry_list(entries.iter().map(EntryView::of)),
    };
    Ok(panel("entries", "Latest changes", all, list))
}

/// The table of entries, newest first, with a heading for each day. Each entry opens to everything that is known of it.
pub(super) fn entry_table(entries: Vec<EntryView>, administers: bool, is_open: bool) -> AnyView {
    let mut shown_day = String::new();
    let rows = entries.into_iter().map(|entry| {
        let today = day(Timestamp::from_millis(entry.at));
        let heading = (today != shown_day).then(|| {
            view! { <tbody class="day"><tr><th colspan="5" scope="rowgroup">{today.clone()}</th></tr></tbody> }
        });
        shown_day = today;
        view! { {heading}{entry_rows(entry, administers, is_open)} }
    });
    let columns = ["Time (UTC)", "Who", "Did what", "To what", "From"];
    let head = columns.map(|column| view! { <th scope="col">{column}</th> });
    html! { <div class="scroll"><table class="log"><thead><tr>{head}</tr></thead>{rows.collect_view()}</table></div> }
}

/// The row of an entry, and the row below it that opens. The button that opens it stands at the end of the first row.
fn entry_rows(entry: EntryView, administers: bool, is_open: bool) -> AnyView {
    let words = one_of_many("Details", format!(" of entry {}", entry.seq));
    let id = format!("entry-{}", entry.seq);
    html! {
        <tbody id=id>
            <tr>
                <td>{clock(Timestamp::from_millis(entry.at))}</td>
                <td data-from=entry.from.clone()>{entry.who(administers)}</td>
                <th scope="row">{entry.what()}</th>
                <td>{entry.target(administers)}</td>
                <td>{entry.from.clone()}</td>
            </tr>
            <tr class="more"><td colspan="5">
                <details open=is_open><summary>{words}</summary>{details(entry)}</details>
            </td></tr>
        </tbody>
    }
}

fn details(entry: EntryView) -> AnyView {
    let edited = entry.details.iter().any(|(_, before, _)| before.is_some());
    let columns = ["Field".into(), Column::when("Old", edited), if edited { "New" } else { "Value" }.into()];
    let has_details = !entry.details.is_empty();
    let rows = entry.details.into_iter().map(|(label, before, after)| cells![label, before.unwrap_or_default(), after]);
    let fields = has_details.then(|| html! { <div class="panel">{table(columns, rows)}</div> });
    let at = Timestamp::from_millis(entry.at);
    let same = links::with_query(links::ACTIVITY, &[("target", &entry.target_id)]);
    html! {
        <div class="body">
            <dl class="panel facts">
                <div><dt>"Entry"</dt><dd><a href=links::entry(entry.seq)>{grouped(entry.seq)}</a></dd></div>
                <div><dt>"Time"</dt><dd>{at.rfc3339()}</dd></div>
                <div><dt>"Action"</dt><dd><code>{entry.action}</code></dd></div>
                {(!entry.target_id.is_empty()).then(|| view! {
                    <div><dt>"Target"</dt><dd><a href=same><code>{entry.target_id}</code></a></dd></div>
                })}
                {entry.agent.map(|agent| view! { <div><dt>"Browser or program"</dt><dd>{agent}</dd></div> })}
            </dl>
            {fields}
        </div>
    }
}
