//! The use of a credential: exchanges, refusals, and what would end with the credential.

use domain::credential::usage::RecentExchange;
use domain::model::credential::usage::{RefusalHour, RefusalSummary};
use domain::model::credential::{Credential, Impact};
use domain::model::server::McpServer;
use domain::model::token::Refusal;

use crate::pages::credential::list::short_resource;
use crate::prelude::*;

/// The latest exchanges.
pub fn recent(exchanges: Vec<RecentExchange>, servers: &[McpServer]) -> AnyView {
    let row = |exchange: RecentExchange| {
        let server = servers.iter().find(|server| exchange.server == server.id);
        let server = server.map(|server| short_resource(&server.resource)).unwrap_or_default();
        view! {
            <li class="entry">
                {distance(exchange.issued_at)}
                <span><code>{exchange.scope}</code>" "{server}</span>
                {muted(exchange.address.unwrap_or_default())}
            </li>
        }
    };
    let list = if exchanges.is_empty() {
        html! { <div class="body"><p class="muted">"No exchange yet."</p></div> }
    } else {
        html! { <ol class="list">{exchanges.into_iter().map(row).collect_view()}</ol> }
    };
    panel("recent-exchanges", "Recent exchanges", (), list)
}

/// The text for a cause of refusal.
fn cause_words(cause: Refusal) -> &'static str {
    match cause {
        Refusal::WrongSecret => "Wrong secret",
        Refusal::TooManyGuesses => "Not checked, after too many wrong secrets",
        Refusal::AssertionRejected => "Assertion rejected",
        Refusal::AssertionForTokenEndpoint => "Assertion for the token endpoint",
        Refusal::AssertionReplayed => "Assertion used twice",
        Refusal::GrantNotAllowed => "Grant not allowed",
        Refusal::SecretRevoked => "Revoked secret or key tried",
        Refusal::SecretExpired => "Expired secret or key tried",
        Refusal::SecretRetired => "Retired secret or key tried",
        Refusal::CredentialRevoked => "Tried after it was revoked",
        Refusal::CredentialDisabled => "Tried while disabled",
        Refusal::CredentialEnded => "Tried after its end",
        Refusal::AddressNotAllowed => "IP address not allowed",
        Refusal::ScopeMalformed => "Malformed scope",
        Refusal::ScopeNotAllowed => "Scope not allowed",
        Refusal::TeamNotAllowed => "MCP server not open to the team",
        Refusal::ServerArchived => "MCP server archived",
        Refusal::TargetNotAllowed => "MCP server not allowed",
    }
}

/// The refusals of the last 30 days by cause, and those of the last days hour by hour. Nothing when there are none.
/// Those who manage the credential also see what to change.
pub fn refused(
    credential: &Credential,
    refusals: Vec<RefusalSummary>,
    hours: Vec<RefusalHour>,
    manages: bool,
) -> Option<AnyView> {
    if refusals.is_empty() {
        return None;
    }
    let rows = refusals.into_iter().map(|refusal| {
        let from = refusal.last_address.map(|address| sub(format!("from {address}")));
        let received = refusal.last_received.filter(|_| manages).map(|text| sub(format!("In the token: {text}")));
        let is_endpoint = refusal.cause == Refusal::AssertionForTokenEndpoint;
        let switch = (is_endpoint && manages && !credential.assertions.token_endpoint_audience).then(|| {
            let edit = links::edit_credential(&credential.client_id);
            sub(html! { "Change the program, or "<a href=edit>"accept the token endpoint as audience"</a>"." })
        });
        cells![
            html! { {cause_words(refusal.cause)}{refusal.last_detail.map(sub)}{received}{switch} },
            grouped(refusal.count),
            html! { {distance(refusal.last_at)}{from}{refusal.last_agent.map(sub)} },
        ]
    });
    let rows = table(["Cause".into(), Column::number("Times"), "Latest".into()], rows);
    let content = view! { {rows}{(!hours.is_empty()).then(|| by_hour(hours))} };
    Some(panel("refused", "Refused exchanges", muted("last 30 days"), content))
}

/// Refusals hour by hour, behind a summary.
fn by_hour(hours: Vec<RefusalHour>) -> AnyView {
    let rows = hours.into_iter().map(|hour| cells![cause_words(hour.cause), grouped(hour.count), distance(hour.hour)]);
    let rows = table(["Cause".into(), Column::number("Times"), "In the hour from".into()], rows);
    html! { <details class="more"><summary>"By hour, last 72 hours"</summary>{rows}</details> }
}

/// The facts that the pages show before they stop a credential.
pub(crate) fn impact_facts(impact: &Impact) -> AnyView {
    let words = |number: i64, none: &str, one: &str, many: &str| match number {
        0 => none.to_owned(),
        number => counted(number, one, many),
    };
    html! {
        <dl class="facts">
            <div><dt>"Used in the last 24 hours"</dt><dd>{words(impact.exchanges, "Never", "time", "times")}</dd></div>
            <div><dt>"From"</dt><dd>{words(impact.addresses, "No address", "address", "addresses")}</dd></div>
            <div><dt>"Tokens that would end"</dt><dd>{words(impact.live_tokens, "None", "live token", "live tokens")}</dd></div>
        </dl>
    }
}
