//! The use of a credential: exchanges, refusals, and what would end with the credential.

use domain::credential::usage::RecentExchange;
use domain::model::credential::Impact;
use domain::model::credential::usage::{RefusalHour, RefusalSummary};
use domain::model::server::McpServer;
use domain::model::token::Refusal;
use leptos::prelude::*;

use crate::components::chart::{counted, grouped};
use crate::components::time::Moment;
use crate::pages::credential::list::short_resource;

#[component]
pub fn Recent(exchanges: Vec<RecentExchange>, servers: Vec<McpServer>) -> AnyView {
    let list = if exchanges.is_empty() {
        view! { <div class="body"><p class="muted">"No exchange yet."</p></div> }.into_any()
    } else {
        let rows = exchanges
            .into_iter()
            .map(|exchange| {
                let server = servers.iter().find(|server| exchange.server == server.id);
                let server = server.map(|server| short_resource(&server.resource)).unwrap_or_default();
                view! {
                    <li class="entry">
                        <Moment at=exchange.issued_at/>
                        <span><code>{exchange.scope}</code>" "{server}</span>
                        <span class="muted">{exchange.address.unwrap_or_default()}</span>
                    </li>
                }
            })
            .collect_view();
        view! { <ol class="list">{rows}</ol> }.into_any()
    };
    view! {
        <section class="panel" aria-labelledby="recent-exchanges">
            <header><h2 id="recent-exchanges">"Recent exchanges"</h2></header>{list}
        </section>
    }
    .into_any()
}

/// The text for a cause of refusal.
fn cause_words(cause: Refusal) -> &'static str {
    match cause {
        Refusal::WrongSecret => "Wrong secret",
        Refusal::AssertionRejected => "Assertion rejected",
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
        Refusal::TargetNotAllowed => "MCP server not allowed",
    }
}

#[component]
pub fn Refused(refusals: Vec<RefusalSummary>, hours: Vec<RefusalHour>) -> AnyView {
    let by_hour = (!hours.is_empty()).then(|| by_hour(hours));
    (!refusals.is_empty()).then(|| {
        let rows = refusals
            .into_iter()
            .map(|refusal| {
                let from = refusal.last_address.map(|address| view! { <div class="sub">{format!("from {address}")}</div> });
                let with = refusal.last_agent.map(|agent| view! { <div class="sub">{agent}</div> });
                view! {
                    <tr>
                        <th scope="row">
                            {cause_words(refusal.cause)}
                            {refusal.last_detail.map(|detail| view! { <div class="sub">{detail}</div> })}
                        </th>
                        <td class="number" data-label="Times">{grouped(refusal.count)}</td>
                        <td data-label="Latest"><Moment at=refusal.last_at/>{from}{with}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="panel" aria-labelledby="refused">
                <header><h2 id="refused">"Refused exchanges"</h2><span class="muted">"last 30 days"</span></header>
                <table>
                    <thead><tr>
                        <th scope="col">"Cause"</th><th scope="col" class="number">"Times"</th><th scope="col">"Latest"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                {by_hour}
            </section>
        }
    })
    .into_any()
}

/// Refusals hour by hour, behind a summary.
fn by_hour(hours: Vec<RefusalHour>) -> AnyView {
    let rows = hours
        .into_iter()
        .map(|hour| {
            view! {
                <tr>
                    <th scope="row">{cause_words(hour.cause)}</th>
                    <td class="number" data-label="Times">{grouped(hour.count)}</td>
                    <td data-label="In the hour from"><Moment at=hour.hour/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details class="more">
            <summary>"By hour, last 72 hours"</summary>
            <table>
                <thead><tr>
                    <th scope="col">"Cause"</th><th scope="col" class="number">"Times"</th>
                    <th scope="col">"In the hour from"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </details>
    }
    .into_any()
}

/// The facts that the pages show before they stop a credential.
pub fn impact_facts(impact: &Impact) -> impl IntoView + use<> {
    let times = if impact.exchanges == 0 { "Never".to_owned() } else { counted(impact.exchanges, "time", "times") };
    let from =
        if impact.addresses == 0 { "No address".to_owned() } else { counted(impact.addresses, "address", "addresses") };
    let live = if impact.live_tokens == 0 {
        "None".to_owned()
    } else {
        counted(impact.live_tokens, "live token", "live tokens")
    };
    view! {
        <dl class="facts">
            <div><dt>"Used in the last 24 hours"</dt><dd>{times}</dd></div>
            <div><dt>"From"</dt><dd>{from}</dd></div>
            <div><dt>"Tokens that would end"</dt><dd>{live}</dd></div>
        </dl>
    }
}
