//! Overview: what needs attention, and what happened recently.

use domain::audit;
use domain::credential::list::counts;
use domain::credential::usage;
use domain::model::audit::Filter;
use domain::model::credential::query::Counts;
use domain::model::credential::usage::Whose;
use domain::model::person::authority::Role;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::chart::HourChart;
use crate::pages::audit::entry::{EntryView, entry_list};
use crate::prelude::*;

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
    /// Working, with an imported secret that was not rotated.
    pub imported: i64,
}

/// The counts of credentials that need attention.
#[server(prefix = "/fn", endpoint = "overview", input = GetUrl)]
pub(crate) async fn read_overview() -> Result<OverviewCounts, ActionError> {
    let visit = signed_in()?;
    let Counts { all, never_expires, idle, expiring, unverified, rotating, imported, .. } =
        counts(&visit.context, visit.authority()?).await?;
    Ok(OverviewCounts { all, never_expires, idle, expiring, unverified, rotating, imported })
}

/// The page.
pub async fn page() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let counts = read_overview().await?;
    let hours = usage::hours(&visit.context, Whose::All(visit.authority()?), 24).await?;
    let authority = visit.authority()?;
    let latest = audit::list(&visit.context, authority, &Filter::default(), 6).await?;
    let latest: Vec<_> = latest.iter().map(EntryView::of).collect();
    let used = counts.all > counts.unverified;
    // Only administrators see the steps, because the last step is about the master key.
    let begins = !used && authority.is_administrator();
    let lead = if begins {
        "Three steps to the first call of an MCP server."
    } else {
        "What needs attention, and what happened in the last 24 hours."
    };
    let alone = view! { <p>"You are in no team yet. Ask an administrator or a manager for an invitation."</p> };
    let all = view! { <a href=links::ACTIVITY>"See all entries"</a> };
    let chart = view! {
        <HourChart hours caption="Tokens by hour" issued=["token issued", "tokens issued"]
            refused=["exchange refused", "exchanges refused"]/>
    };
    let body = view! {
        {head((), "Overview", lead, ())}
        {(!authority.has_anywhere(Role::Viewer)).then(|| notice("warn", alone))}
        {risks(counts)}
        {(counts.imported > 0).then(|| imported_secrets(counts.imported))}
        {begins.then(|| next_steps(counts.all > 0))}
        {panel("tokens", "Tokens", muted("last 24 hours, by hour"), chart)}
        {panel("latest", "Latest changes", all, entry_list(latest))}
    };
    Ok(Page::new("Overview", body))
}

fn risks(counts: OverviewCounts) -> AnyView {
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
    html! {
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
}

/// Asks to rotate imported secrets.
fn imported_secrets(count: i64) -> AnyView {
    let count = counted(count, "credential uses an imported secret", "credentials use an imported secret");
    let text = view! {
        <p>
            <a href=links::credentials_with_status("imported")>{count}</a>
            ". A person may have chosen it, so somebody may guess it: rotate it."
        </p>
    };
    notice("warn", text)
}

fn next_steps(generated: bool) -> AnyView {
    let step = |done: bool, what: AnyView, how: AnyView| {
        view! {
            <li data-done=done.then_some("")>
                <Drawing icon={if done { Icon::Check } else { Icon::Circle }}/><span>{what}</span>{muted(how)}
            </li>
        }
    };
    let exchange = "Exchange its secret for a token";
    let (generate, state, exchange) = if generated {
        let exchange = view! { <a href=links::credentials_with_status("unverified")>{exchange}</a> };
        ("Generate a credential".into_any(), "Done".into_any(), exchange.into_any())
    } else {
        let generate = view! { <a href=links::NEW_CREDENTIAL>"Generate your first credential"</a> };
        (generate.into_any(), ().into_any(), exchange.into_any())
    };
    let list = view! {
        <ol class="list todo">
            {step(true, "Create the first administrator".into_any(), "Done".into_any())}
            {step(generated, generate, state)}
            {step(false, exchange, "The credential’s page shows the exact line.".into_any())}
            {step(false, "Keep the master key and a backup elsewhere".into_any(),
                html! { <code>"countersign backup FILE"</code> })}
        </ol>
    };
    panel("next", "Next steps", (), list)
}
