//! Overview: live numbers, what needs attention, how much the credentials are used and refused, and what changed last.

use domain::audit;
use domain::credential::list::counts;
use domain::credential::usage::{self, LiveCount};
use domain::incident::record;
use domain::model::audit::Filter;
use domain::model::credential::query::Counts;
use domain::model::credential::usage::{Period, Whose};
use domain::model::operations::ChecklistMark;
use domain::model::person::authority::{Authority, Role};
use domain::model::server::McpServer;
use domain::model::server::gateway::call::ServerCalls;
use domain::operations::policy;
use domain::server::{self, gateway};
use domain::webhook;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::components::chart::{period_words, shares};
use crate::components::parts::key_figures;
use crate::pages::audit::entry::{EntryView, entry_list};
use crate::pages::credential::new::request;
use crate::pages::credential::usage::{exchanges_panel, most_refused, most_used};
use crate::pages::operations::checklist::steps;
use crate::prelude::*;

/// How many of the latest changes are shown.
const LATEST: usize = 6;
/// How many entries of the log are read for them: sign-ins are left out.
const READ: u16 = 60;

/// Numbers of credentials, by what needs attention.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct OverviewCounts {
    /// All credentials.
    pub all: i64,
    /// Working.
    pub working: i64,
    /// Working, with a secret or token that was reported as leaked and works.
    pub leaked: i64,
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
    let Counts { all, working, leaked, never_expires, idle, expiring, unverified, rotating, imported, .. } =
        counts(&visit.context, visit.authority()?).await?;
    Ok(OverviewCounts { all, working, leaked, never_expires, idle, expiring, unverified, rotating, imported })
}

/// The page. `done` names the receipt.
pub async fn page(period: Period, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let done = Done::read(On::Overview, done);
    if !authority.has_anywhere(Role::Viewer) {
        return Ok(Page::new("Overview", view! { {head((), "Overview", (), ())}{in_no_team()} }));
    }
    let counts = read_overview().await?;
    let steps = steps(&visit, counts).await?;
    let body = if counts.all == 0 {
        let to_do = to_do(&visit).await?;
        let asked = to_do.iter().any(|concern| concern.count > 0).then(|| attention(counts, (0, 0), 0, to_do));
        html! { {asked}{begin(&visit)}{steps}{latest(&visit).await?} }
    } else {
        let servers = server::list(&visit.context).await?;
        let whose = Whose::All(authority);
        let leaders = usage::leaders(&visit.context, whose, period).await?;
        // Until the first exchange the next step is the most useful thing. Later the numbers are.
        let (first, later) = if counts.all > counts.unverified { (None, steps) } else { (steps, None) };
        html! {
            {attention(counts, record::count(&visit.context, authority).await?, failing_webhooks(&visit).await?, to_do(&visit).await?)}
            {first}
            {figures(&visit, counts).await?}
            {exchanges_panel(&visit, whose, period, links::OVERVIEW, Some(Vec::new())).await?}
            <div class="split">
                {most_refused(leaders.refused, period, links::REFUSALS.to_owned())}
                {by_server(&visit, authority, &servers, period).await?}
                {most_used(leaders.used, period)}
            </div>
            {calls(&visit, authority, &servers, period).await?}
            {later}
            {latest(&visit).await?}
        }
    };
    let new = authority.has_anywhere(Role::Member).then(|| primary_link(links::NEW_CREDENTIAL, "Generate credentials"));
    let new = new.filter(|_| counts.all > 0);
    let body = view! {
        {done.map(receipt)}
        {head((), "Overview", "What needs attention, and how your credentials are used.", new)}
        {body}
    };
    Ok(Page::new("Overview", body))
}

/// The receipt of a change of the checklist. A dismissed list can be brought back.
fn receipt(done: Done) -> AnyView {
    let undo = (done == Done::OverviewDismissed).then(|| {
        let fields = [("mark", ChecklistMark::Dismissed.as_str().to_owned()), ("on", "no".to_owned())];
        post_button(links::CHANGE_CHECKLIST, fields, None, true, "Show it again")
    });
    html! {
        <div class="notice" data-tone="ok" role="status">
            <Drawing icon=Icon::Check/><div><p>{done.receipt()}</p>{undo}</div>
        </div>
    }
}

/// What people see who are in no team.
fn in_no_team() -> AnyView {
    html! {
        <section class="panel empty" aria-labelledby="no-team">
            <div class="stack">
                <h2 id="no-team">"You are in no team yet"</h2>
                <p>
                    "Every credential belongs to a team. Ask an administrator or the manager of a team for an invitation: \
                     its link adds this account to the team."
                </p>
            </div>
            <div class="row">{button_link(links::ACCOUNT, "Open your account")}{button_link(links::APPS, "See your connected apps")}</div>
        </section>
    }
}

/// What an instance without a credential shows first.
fn begin(visit: &Visit) -> AnyView {
    let may = visit.authority().is_ok_and(|authority| authority.has_anywhere(Role::Member));
    let next = if may {
        primary_link(links::NEW_CREDENTIAL, "Generate your first credential")
    } else {
        muted("Members of your teams can generate one.")
    };
    html! {
        <section class="panel empty" aria-labelledby="begin">
            <div class="stack">
                <h2 id="begin">"No credential yet"</h2>
                <p>
                    "A credential lets one program call your MCP servers. The program exchanges its secret for a token that \
                     works for some minutes, and this page shows how often."
                </p>
            </div>
            {next}
        </section>
    }
}

/// One line of what needs attention: a number, its words, the page that shows the things, and a tone.
struct Concern {
    count: i64,
    words: [&'static str; 2],
    address: String,
    tone: &'static str,
}

/// What needs attention, the most urgent first. Only what there is.
fn attention(
    counts: OverviewCounts,
    (open, contained): (i64, i64),
    failing_webhooks: i64,
    to_do: [Concern; 3],
) -> AnyView {
    let of = |count: i64, words: [&'static str; 2], status: &str, tone: &'static str| Concern {
        count,
        words,
        address: links::credentials_with_status(status),
        tone,
    };
    let [waiting, approved, unconfirmed] = to_do;
    let concerns = [
        of(counts.leaked, ["leaked and still works", "leaked and still work"], "leaked", "danger"),
        Concern {
            count: open,
            words: ["open incident", "open incidents"],
            address: links::INCIDENTS.to_owned(),
            tone: "danger",
        },
        Concern {
            count: contained,
            words: ["contained incident: close it", "contained incidents: close them"],
            address: links::INCIDENTS.to_owned(),
            tone: "warn",
        },
        waiting,
        approved,
        of(counts.expiring, ["expires within 14 days", "expire within 14 days"], "expiring", "warn"),
        Concern {
            count: failing_webhooks,
            words: ["webhook is failing", "webhooks are failing"],
            address: links::WEBHOOKS.to_owned(),
            tone: "warn",
        },
        unconfirmed,
        of(
            counts.imported,
            ["uses an imported secret: rotate it", "use imported secrets: rotate them"],
            "imported",
            "warn",
        ),
        of(counts.never_expires, ["never expires", "never expire"], "never_expires", "warn"),
        of(counts.idle, ["never used, or idle for 90 days"; 2], "idle", ""),
        of(counts.rotating, ["rotation in progress", "rotations in progress"], "rotating", ""),
    ];
    let card = |concern: Concern| {
        let tone = (!concern.tone.is_empty()).then_some(concern.tone);
        let words = concern.words[usize::from(concern.count != 1)];
        view! {
            <li>
                <a class="panel card" data-tone=tone href=concern.address><b>{grouped(concern.count)}</b>" "<span>{words}</span></a>
            </li>
        }
    };
    let cards: Vec<_> = concerns.into_iter().filter(|concern| concern.count > 0).map(card).collect();
    let content = if cards.is_empty() {
        notice("ok", view! { <p>"Nothing needs attention."</p> })
    } else {
        html! { <ul class="cards">{cards}</ul> }
    };
    html! { <section aria-labelledby="attention"><h2 id="attention" class="vh">"Needs attention"</h2>{content}</section> }
}

/// What policies ask of the visitor: requests to decide, approved requests to use, credentials to confirm.
async fn to_do(visit: &Visit) -> Result<[Concern; 3], ActionError> {
    let (waiting, approved) = request::to_do(visit).await?;
    let unconfirmed = policy::count_unconfirmed(&visit.context, visit.authority()?).await?;
    let of = |count, words, address: &str| Concern { count, words, address: address.to_owned(), tone: "warn" };
    Ok([
        of(waiting, ["request waits for you", "requests wait for you"], links::REQUESTS),
        of(approved, ["approved request to generate", "approved requests to generate"], links::REQUESTS),
        of(unconfirmed, ["credential to confirm", "credentials to confirm"], links::REVIEWS),
    ])
}

/// The webhooks whose last messages failed. Only administrators see webhooks.
async fn failing_webhooks(visit: &Visit) -> Result<i64, ActionError> {
    if !visit.authority()?.is_administrator() {
        return Ok(0);
    }
    let webhooks = webhook::list(&visit.context).await?;
    let failing = webhooks.iter().filter(|webhook| webhook.paused_at.is_none() && webhook.failing_since.is_some());
    Ok(failing.count() as i64)
}

/// The live numbers.
async fn figures(visit: &Visit, counts: OverviewCounts) -> Result<AnyView, ActionError> {
    let authority = visit.authority()?;
    let bars = usage::bars(&visit.context, Whose::All(authority), Period::Day).await?;
    let [exchanges, refusals] =
        [bars.iter().map(|bar| bar.exchanges).sum::<i64>(), bars.iter().map(|bar| bar.refusals).sum()];
    let LiveCount { tokens, or_more } = usage::live_tokens(&visit.context, authority).await?;
    let unused = match counts.unverified {
        0 => "all were used".to_owned(),
        unused => format!("{} never used", grouped(unused)),
    };
    let hour = bars.last().map_or(0, |bar| bar.exchanges);
    let refused = match refusals {
        0 => "None".into_any(),
        refusals => html! { <a href=links::REFUSALS>{grouped(refusals)}</a> },
    };
    let share = match exchanges + refusals {
        0 => String::new(),
        _ if refusals == 0 => String::new(),
        all if refusals * 100 < all => "under 1 % of all".to_owned(),
        all => format!("{} % of all", refusals * 100 / all),
    };
    Ok(key_figures([
        ("Active credentials", grouped(counts.working).into_any(), unused.into_any()),
        (
            "Live tokens",
            format!("{}{}", grouped(tokens), if or_more { "+" } else { "" }).into_any(),
            "right now".into_any(),
        ),
        ("Exchanges, 24 h", grouped(exchanges).into_any(), format!("{} in this hour", grouped(hour)).into_any()),
        ("Refused, 24 h", refused, share.into_any()),
    ]))
}

/// The exchanges of the period by MCP server.
async fn by_server(
    visit: &Visit,
    authority: &Authority,
    servers: &[McpServer],
    period: Period,
) -> Result<AnyView, ActionError> {
    let used = usage::servers(&visit.context, authority, period).await?;
    let words = period_words(period).1;
    let row = |(id, count): (domain::base::id::McpServerId, i64)| {
        let server = servers.iter().find(|server| server.id == id);
        let name = server.map_or_else(|| id.to_string(), |server| server.name.clone());
        (html! { <a href=links::server(&id)>{name}</a> }, count)
    };
    let content = if used.is_empty() {
        empty(muted(format!("No exchange in the last {words}.")))
    } else {
        shares(used.into_iter().map(row))
    };
    Ok(panel("by-server", "By MCP server", muted(format!("last {words}")), content))
}

/// The calls of the period through the gateway, by MCP server. Nothing when there was none.
async fn calls(
    visit: &Visit,
    authority: &Authority,
    servers: &[McpServer],
    period: Period,
) -> Result<Option<AnyView>, ActionError> {
    const MOST: u16 = 10;
    let since = period.first_hour(visit.now());
    let called = gateway::usage::by_server(&visit.context, authority, since, MOST).await?;
    let row = |called: ServerCalls| {
        let server = servers.iter().find(|server| server.id == called.server);
        let name = server.map_or_else(|| called.server.to_string(), |server| server.name.clone());
        let failed = (called.failed > 0).then(|| format!(" · {} did not work", grouped(called.failed)));
        let usage = links::server_view(&called.server, &[("view", "usage")]);
        (html! { <a href=usage>{name}</a><span class="muted">{failed}</span> }, called.calls)
    };
    let words = muted(format!("last {}", period_words(period).1));
    Ok((!called.is_empty())
        .then(|| panel("calls", "Calls through the gateway", words, shares(called.into_iter().map(row)))))
}

/// The latest changes. Sign-ins are no changes.
async fn latest(visit: &Visit) -> Result<AnyView, ActionError> {
    let entries = audit::list(&visit.context, visit.authority()?, &Filter::default(), READ).await?;
    let changes = entries.iter().filter(|entry| !entry.action.starts_with("session."));
    let changes: Vec<_> = changes.take(LATEST).map(EntryView::of).collect();
    let all = html! { <a href=links::ACTIVITY>"See all entries"</a> };
    let content = if changes.is_empty() { empty(muted("No change yet.")) } else { entry_list(changes) };
    Ok(panel("latest", "Latest changes", all, content))
}
