//! The audit log: who changed what, from where, with what result.

use std::collections::BTreeMap;

use domain::audit::{self, Verdict};
use domain::base::clock::Timestamp;
use domain::model::audit::{Action, AuditEntry, Filter};
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::parts::{page_links, toolbar};
use crate::prelude::*;

const PAGE_SIZE: u16 = 50;

/// The fields of the filter form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActivityQuery {
    /// Part of the actor's name, or its identifier.
    pub actor: String,
    /// An action.
    pub action: String,
    /// Part of the target's name, or its identifier.
    pub target: String,
    /// First day.
    pub from: String,
    /// Last day.
    pub to: String,
    /// Only entries below this number: the next page.
    pub before: String,
}

impl ActivityQuery {
    /// The address of these entries: of the page or of the file.
    fn link(&self, path: &str) -> String {
        let Self { actor, action, target, from, to, before } = self;
        let parameters =
            [("actor", actor), ("action", action), ("target", target), ("from", from), ("to", to), ("before", before)];
        links::with_query(path, &parameters.map(|(name, value)| (name, value.as_str())))
    }
}

/// One entry, as the page shows it.
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

/// The name of an action on the page. A new action does not compile without a text here.
fn text(action: Action) -> &'static str {
    match action {
        Action::PersonCreated => "Account created",
        Action::PersonDisabled => "Person disabled",
        Action::PersonEnabled => "Person enabled",
        Action::PersonAdministratorChanged => "Administration changed",
        Action::SecondFactorAdded => "Second factor added",
        Action::SecondFactorRemoved => "Second factor removed",
        Action::RecoveryCodeUsed => "Recovery code used",
        Action::RecoveryCodesReplaced => "Recovery codes replaced",
        Action::PasskeyAdded => "Passkey added",
        Action::PasskeyRemoved => "Passkey removed",
        Action::TeamCreated => "Team created",
        Action::TeamRenamed => "Team renamed",
        Action::TeamRemoved => "Team removed",
        Action::TeamRoleChanged => "Role changed",
        Action::InvitationCreated => "Invited",
        Action::InvitationAccepted => "Invitation accepted",
        Action::InvitationWithdrawn => "Invitation withdrawn",
        Action::PersonRenamed => "Name changed",
        Action::PersonPasswordChanged => "Password changed",
        Action::PersonOpenIdConnected => "OpenID account connected",
        Action::PersonOpenIdDisconnected => "OpenID account disconnected",
        Action::SessionStarted => "Signed in",
        Action::SessionRefused => "Sign-in refused",
        Action::SessionSecondStepAsked => "Password right, second factor asked",
        Action::SessionEnded => "Session ended",
        Action::CredentialGenerated => "Credential generated",
        Action::CredentialImported => "Credentials imported",
        Action::CredentialEdited => "Credential changed",
        Action::CredentialKeyAdded => "Key added",
        Action::CredentialKeyRemoved => "Key removed",
        Action::CredentialIdentityAdded => "Identity added",
        Action::CredentialIdentityRemoved => "Identity removed",
        Action::CredentialRotationStarted => "Rotation started",
        Action::CredentialRotationExtended => "Rotation deadline changed",
        Action::CredentialRotationFinished => "Rotation finished",
        Action::CredentialRotationCancelled => "Rotation cancelled",
        Action::CredentialLeaked => "Reported as leaked",
        Action::CredentialDisabled => "Credential disabled",
        Action::CredentialEnabled => "Credential enabled",
        Action::CredentialRevoked => "Credential revoked",
        Action::CredentialExpiring => "Credential expires soon",
        Action::CredentialRetiredSecretTried => "Retired secret tried",
        Action::InstanceRestored => "Backup restored",
        Action::SigningKeyRotated => "Signing key rotated",
        Action::MasterKeyReplaced => "Master key replaced",
        Action::EmergencyStopped => "Emergency stop",
        Action::EmergencyUndone => "Emergency stop undone",
        Action::TokenRevoked => "Token revoked",
        Action::McpServerAdded => "MCP server added",
        Action::McpServerEdited => "MCP server changed",
        Action::McpServerArchived => "MCP server archived",
        Action::McpServerUnarchived => "MCP server unarchived",
        Action::McpServerRemoved => "MCP server removed",
        Action::McpServerChecked => "MCP server checked",
        Action::McpServerMoved => "MCP server moved",
        Action::WebhookAdded => "Webhook added",
        Action::WebhookEdited => "Webhook changed",
        Action::WebhookPaused => "Webhook paused",
        Action::WebhookResumed => "Webhook resumed",
        Action::WebhookSecretReplaced => "Signing secret of a webhook replaced",
        Action::WebhookRemoved => "Webhook removed",
        Action::ClientAdded => "Client added",
        Action::ClientSecretReplaced => "Client secret replaced",
        Action::ClientChanged => "Client changed",
        Action::ClientSecretEnded => "Client’s secret ended",
        Action::ClientRemoved => "Client removed",
        Action::ClientsPruned => "Unused clients removed",
        Action::GrantAllowed => "Access allowed",
        Action::GrantDenied => "Access denied",
        Action::GrantEnded => "Access ended",
        Action::PersonalTokenGenerated => "Personal token generated",
        Action::PersonalTokenRevoked => "Personal token revoked",
        Action::LeakReported => "Leak reported",
    }
}

/// Where the actor acted from. A person or a program always acts over the network, so a missing address is unknown.
fn from(entry: &AuditEntry) -> String {
    let unknown = match entry.actor_kind.as_str() {
        "person" | "credential" => "an unknown address",
        _ => "the server itself",
    };
    entry.address.clone().unwrap_or_else(|| unknown.to_owned())
}

impl EntryView {
    /// The view of an entry.
    pub fn of(entry: &AuditEntry) -> Self {
        let details: BTreeMap<String, serde_json::Value> = serde_json::from_str(&entry.details).unwrap_or_default();
        Self {
            seq: entry.seq,
            at: entry.at.millis(),
            what: Action::parse(&entry.action).map_or_else(|| entry.action.clone(), |action| text(action).to_owned()),
            action: entry.action.clone(),
            actor: entry.actor_name.clone(),
            target_kind: entry.target_kind.clone(),
            target_id: entry.target_id.clone(),
            target_name: entry.target_name.clone(),
            from: from(entry),
            agent: entry.agent.clone(),
            details: details
                .into_iter()
                .map(|(label, value)| {
                    let label = label.replace('_', " ");
                    match (value.get("before"), value.get("after")) {
                        (Some(before), Some(after)) => (label, Some(plain(before)), plain(after)),
                        _ => (label, None, plain(&value)),
                    }
                })
                .collect(),
        }
    }
}

/// A JSON value as people write it.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::String(text) if text.is_empty() => "empty".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) if list.is_empty() => "none".to_owned(),
        serde_json::Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
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
    let filter = filter(&query)?;
    let mut entries: Vec<EntryView> = audit::list(&visit.context, visit.authority()?, &filter, PAGE_SIZE + 1)
        .await?
        .iter()
        .map(EntryView::of)
        .collect();
    let more = entries.len() > usize::from(PAGE_SIZE);
    entries.truncate(usize::from(PAGE_SIZE));
    let next = entries.last().filter(|_| more).map(|entry| entry.seq);
    Ok(ActivityView { entries, next })
}

/// Converts the filter form to a filter of the audit log.
pub fn filter(query: &ActivityQuery) -> Result<Filter, ActionError> {
    let text = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let day = |text: &str, read: fn(&str) -> Option<Timestamp>| match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| ActionError::Invalid("Write days as 2026-11-21.".to_owned())),
    };
    Ok(Filter {
        actor: text(&query.actor),
        action: text(&query.action),
        target: text(&query.target),
        from: day(&query.from, Timestamp::start_of_day)?,
        until: day(&query.to, Timestamp::end_of_day)?,
        before: text(&query.before)
            .map(|before| before.parse().map_err(|_| ActionError::Invalid("This link is not valid.".to_owned())))
            .transpose()?,
    })
}

/// The page.
pub async fn page(query: ActivityQuery, verify: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let ActivityView { entries, next } = activity(query.clone()).await?;
    // The chain contains entries of all teams.
    let administers = visit.authority()?.is_administrator();
    let verdict = if verify && administers { Some(audit::verify(&visit.context).await?) } else { None };
    let first = ActivityQuery { before: String::new(), ..query.clone() };
    let export = first.link(links::EXPORT_ACTIVITY);
    let actions = Action::ALL.iter().map(|action| (action.as_str().to_owned(), text(*action).to_owned()));
    let actions = options_after("All", actions);
    let next_link = next.map(|next| ActivityQuery { before: next.to_string(), ..query.clone() }.link(links::ACTIVITY));
    let first_link = (!query.before.is_empty()).then(|| first.link(links::ACTIVITY));
    let list = if entries.is_empty() {
        empty(view! { "No entry matches. "<a href=links::ACTIVITY>"Show all entries"</a> })
    } else {
        let entries = entries.into_iter().map(|entry| view! { <li>{entry_details(entry)}</li> }).collect_view();
        html! { <ol class="list">{entries}</ol> }
    };
    let lead = match administers {
        true => "Every change and who made it. Entries cannot be edited or removed.",
        false => "Every change in your teams and who made it, and what you did. Entries cannot be edited or removed.",
    };
    let filters = view! {
        <TextField id="actor" label="Actor" kind="search" value=query.actor/>
        <Select id="action" label="Action" options=actions chosen=query.action/>
        <TextField id="target" label="Target" kind="search" value=query.target/>
        <TextField id="from" label="From" kind="date" value=query.from/>
        <TextField id="to" label="To" kind="date" value=query.to/>
    };
    let body = view! {
        {head((), "Activity", lead, ())}
        <section class="panel" aria-label="Entries">
            {toolbar(links::ACTIVITY, "Filter entries", filters)}
            {list}
        </section>
        <div class="pager">
            <span class="row">
                {administers.then(|| chain_state(verdict))}
                <a class="button" href=export><Drawing icon=Icon::Download/>"Export"</a>
            </span>
            {page_links(first_link, next_link)}
        </div>
    };
    Ok(Page::new("Activity", body))
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
        .back(links::ACTIVITY, "Back to the activity")
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
        None => button_link(links::with_query(links::ACTIVITY, &[("verify", "yes")]), "Verify the chain"),
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

/// The name of what an entry is about, with a link to a credential.
fn target(entry: &EntryView) -> AnyView {
    let name = entry.target_name.clone();
    match entry.target_kind.as_str() {
        "credential" => html! { <a href=links::credential(&entry.target_id)>{name}</a> },
        _ => name.into_any(),
    }
}

/// Entries with time, action and actor, a line each.
pub(crate) fn entry_list(entries: impl IntoIterator<Item = EntryView>) -> AnyView {
    let line = |entry: EntryView| {
        let target = (!entry.target_name.is_empty()).then(|| view! { ": "{target(&entry)} });
        view! {
            <li class="entry">
                {distance(Timestamp::from_millis(entry.at))}
                <span>{entry.what}{target}</span>
                {muted(entry.actor)}
            </li>
        }
    };
    html! { <ol class="list">{entries.into_iter().map(line).collect_view()}</ol> }
}

fn entry_details(entry: EntryView) -> AnyView {
    let target = target(&entry);
    let edited = entry.details.iter().any(|(_, before, _)| before.is_some());
    let columns = ["Detail".into(), Column::when("Before", edited), if edited { "After" } else { "Value" }.into()];
    let has_details = !entry.details.is_empty();
    let rows = entry.details.into_iter().map(|(label, before, after)| cells![label, before.unwrap_or_default(), after]);
    let details = has_details.then(|| table(columns, rows));
    let title = match entry.target_name.as_str() {
        "" => entry.what,
        name => format!("{}: {name}", entry.what),
    };
    html! {
        <details>
            <summary class="entry">
                {distance(Timestamp::from_millis(entry.at))}<span>{title}</span>{muted(entry.actor)}
            </summary>
            <div class="body">
                <dl class="panel facts">
                    <div><dt>"Entry"</dt><dd>{grouped(entry.seq)}</dd></div>
                    <div><dt>"Action"</dt><dd><code>{entry.action}</code></dd></div>
                    <div><dt>"Target"</dt><dd>{target}</dd></div>
                    <div><dt>"From"</dt><dd>{entry.from}</dd></div>
                    {entry.agent.map(|agent| view! { <div><dt>"Browser"</dt><dd>{agent}</dd></div> })}
                </dl>
                {details}
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_has_a_text_of_its_own() {
        let texts: HashSet<&str> = Action::ALL.iter().map(|action| text(*action)).collect();
        assert_eq!(texts.len(), Action::ALL.len());
        for action in Action::ALL {
            assert!(text(action).starts_with(char::is_uppercase), "{action:?}");
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
    }
}
