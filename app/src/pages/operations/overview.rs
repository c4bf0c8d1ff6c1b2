//! Overview: what needs attention, and what happened recently.

use domain::audit;
use domain::credential::list::counts;
use domain::credential::usage;
use domain::error::Fault;
use domain::model::audit::Filter;
use domain::model::credential::query::Counts;
use domain::model::credential::usage::{Hour, Whose};
use domain::model::person::authority::Role;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::chart::{HourChart, grouped};
use crate::components::icon::{Drawing, Icon};
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::pages::audit::activity::{EntryLine, EntryView};
use crate::visit::signed_in;

/// Numbers of credentials, by what needs attention.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct OverviewCounts {
    /// All credentials.
    pub all: i64,
    /// Working, and without an expiry.
    pub never_expires: i64,
    /// Working, and never used or not used for 90 days.
    pub idle: i64,
    /// Working, and expiring within 14 days.
    pub expiring: i64,
    /// Working, and never exchanged.
    pub unverified: i64,
    /// Working, with a rotation of its secret or key in progress.
    pub rotating: i64,
}

/// The counts of credentials that need attention.
#[server(prefix = "/fn", endpoint = "overview", input = GetUrl)]
pub async fn read_overview() -> Result<OverviewCounts, ActionError> {
    let visit = signed_in()?;
    let Counts { all, never_expires, idle, expiring, unverified, rotating, .. } =
        counts(&visit.context, visit.authority()?).await?;
    Ok(OverviewCounts { all, never_expires, idle, expiring, unverified, rotating })
}

/// The page.
pub async fn page() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let counts = read_overview().await?;
    let hours = usage::hours(&visit.context, Whose::All(visit.authority()?), 24).await?;
    let latest: Result<Vec<EntryView>, Fault> = audit::list(&visit.context, visit.authority()?, &Filter::default(), 6)
        .await
        .map(|entries| entries.iter().map(EntryView::of).collect());
    let used = counts.all > counts.unverified;
    let authority = visit.authority()?;
    // Only administrators see the steps, because the last step is about the master key.
    let begins = !used && authority.is_administrator();
    let lead = if begins {
        "Three steps to the first call of an MCP server."
    } else {
        "What needs attention, and what happened in the last 24 hours."
    };
    let alone = (!authority.has_anywhere(Role::Viewer)).then(|| {
        view! {
            <div class="notice" data-tone="warn">
                <Drawing icon=Icon::Warning/>
                <div><p>"You are in no team yet. Ask an administrator or a manager for an invitation."</p></div>
            </div>
        }
    });
    let body = view! {
        <div class="head"><div><h1>"Overview"</h1><p>{lead}</p></div></div>
        {alone}
        <Risks counts/>
        {begins.then(|| view! { <NextSteps generated={counts.all > 0}/> })}
        <Tokens hours/>
        <section class="panel" aria-labelledby="latest">
            <header><h2 id="latest">"Latest changes"</h2><a href=links::ACTIVITY>"See all entries"</a></header>
            <ol class="list">
                {latest?.into_iter().map(|entry| view! { <li class="entry"><EntryLine entry/></li> }).collect_view()}
            </ol>
        </section>
    };
    Ok(Page::new("Overview", body))
}

#[component]
fn Risks(counts: OverviewCounts) -> AnyView {
    let card = |number: i64, one: &'static str, many: &'static str, filter: &'static str, tone: &'static str| {
        let tone = (number > 0 && !tone.is_empty()).then_some(tone);
        view! {
            <li>
                <a class="panel card" data-tone=tone href=links::credentials_with_status(filter)>
                    <b>{grouped(number)}</b>" "<span>{if number == 1 { one } else { many }}</span>
                </a>
            </li>
        }
    };
    view! {
        <section aria-labelledby="risk" class="stack">
            <h2 id="risk" class="vh">"Risks"</h2>
            <ul class="cards">
                {card(counts.never_expires, "never expires", "never expire", "never_expires", "danger")}
                {card(counts.expiring, "expires within 14 days", "expire within 14 days", "expiring", "warn")}
                {card(counts.idle, "never used or idle for 90 days", "never used or idle for 90 days", "idle", "")}
                {card(counts.rotating, "rotation in progress", "rotations in progress", "rotating", "")}
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn NextSteps(generated: bool) -> AnyView {
    let step = |done: bool, what: AnyView, how: AnyView| {
        view! {
            <li data-done=done.then_some("")>
                <Drawing icon={if done { Icon::Check } else { Icon::Circle }}/><span>{what}</span><span class="muted">{how}</span>
            </li>
        }
    };
    let generate = if generated {
        "Generate a credential".into_any()
    } else {
        view! { <a href=links::NEW_CREDENTIAL>"Generate your first credential"</a> }.into_any()
    };
    let exchange = if generated {
        view! { <a href=links::credentials_with_status("unverified")>"Exchange its secret for a token"</a> }.into_any()
    } else {
        "Exchange its secret for a token".into_any()
    };
    view! {
        <section class="panel" aria-labelledby="next">
            <header><h2 id="next">"Next steps"</h2></header>
            <ol class="list todo">
                {step(true, "Create the first administrator".into_any(), "Done".into_any())}
                {step(generated, generate, if generated { "Done".into_any() } else { ().into_any() })}
                {step(false, exchange, "The credential’s page shows the exact line.".into_any())}
                {step(false, "Keep the master key and a backup elsewhere".into_any(),
                    view! { <code>"countersign backup FILE"</code> }.into_any())}
            </ol>
        </section>
    }
    .into_any()
}

#[component]
fn Tokens(hours: Vec<Hour>) -> AnyView {
    view! {
        <section class="panel" aria-labelledby="tokens">
            <header><h2 id="tokens">"Tokens"</h2><span class="muted">"last 24 hours, by hour"</span></header>
            <HourChart hours caption="Tokens by hour" issued=["token issued", "tokens issued"]
                refused=["exchange refused", "exchanges refused"]/>
        </section>
    }
    .into_any()
}
