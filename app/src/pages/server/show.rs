//! The page of one MCP server: facts, who may call it, its check, and the setup for its operator.

use domain::model::credential::usage::Period;
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::model::server::callers::Callers;
use domain::model::server::check::ServerCheck;
use domain::model::server::gateway::tools::{Tool, ToolState};
use domain::model::server::gateway::{ChangePolicy, Gateway};
use domain::server::gateway::{self, tools as gateway_tools, usage};
use domain::server::{callers, check};

use crate::components::chart::{Chart, Counts, chart, period_pills, period_words};
use crate::components::parts::{View, key_figures, view_links};
use crate::pages::audit::entry::latest_changes;
use crate::pages::audit::receipt::receipt;
use crate::pages::credential::usage::{server_summary, server_usage};
use crate::pages::server::access::{access_panel, find};
use crate::pages::server::callers::CallersQuery;
use crate::pages::server::calls::{callers_table, calls_table};
use crate::pages::server::list::{copied, marks, resource};
use crate::pages::server::{callers as who, check as checks, tools as tools_view};
use crate::prelude::*;
use crate::snippets;

/// The page of one server. `view` names the view: `tools`, `access`, `usage`, `activity`, `protect`, `check`, or the
/// overview.
/// `default` is the scope that the edit of the receipt made the default.
pub async fn page(
    id: String,
    view: &str,
    query: CallersQuery,
    period: Period,
    (done, default): (Option<&str>, Option<&str>),
) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let authority = visit.authority()?;
    let administers = authority.is_administrator();
    let issuer = visit.context.settings.public_url.clone();
    let callers = callers::count(&visit.context, authority, &server).await?;
    let check = check::last(&visit.context, &server.id).await?;
    let all = callers.all.credentials + callers.all.apps + callers.all.personal_tokens;
    let gateway = gateway::find(&visit.context, &server.id).await?;
    let tools = if gateway.is_some() { gateway_tools::list(&visit.context, &server.id).await? } else { Vec::new() };
    // The built-in server protects itself, and the gateway protects the servers behind it.
    let outside = !server.built_in && gateway.is_none();
    let views = [
        ("", "Overview", None, true),
        ("tools", "Tools", i64::try_from(tools.len()).ok(), gateway.is_some()),
        ("access", "Access", Some(all), true),
        ("usage", "Usage", None, true),
        ("activity", "Activity", None, true),
        ("protect", "Protect", None, outside),
        ("check", "Check", None, outside),
    ];
    let shown = views.iter().find(|(word, _, _, is_there)| *is_there && *word == view).map_or("", |(word, ..)| *word);
    let content = match shown {
        "access" => {
            html! { {access_panel(&visit, &server).await?}{who::view(&visit, &server, &callers, &query).await?} }
        }
        "tools" => match &gateway {
            Some(gateway) => tools_view::view(&visit, &server, gateway).await?,
            None => ().into_any(),
        },
        "usage" => {
            let address = links::server_view(&server.id, &[("view", "usage")]);
            let calls = match gateway.is_some() {
                true => calls(&visit, &server, period, &address).await?,
                false => ().into_any(),
            };
            html! { {calls}{server_usage(&visit, &server.id, period, &address).await?} }
        }
        "activity" => latest_changes(&visit, &server.id, 20).await?,
        // The setup for the server's operator: the document that leads clients here, and the token check.
        "protect" => {
            let texts = snippets::validators(&server, &issuer);
            let about = format!("Serve the document at {} and check every token.", server.metadata_url());
            html! { <Texts title="Protect the server" about texts/> }
        }
        "check" if outside => checks::panel_of(&server, &issuer, check.clone(), administers),
        _ => {
            let usage = links::server_view(&server.id, &[("view", "usage")]);
            html! {
                {scopes(&server, &callers, administers)}
                <div class="split">
                    {access_panel(&visit, &server).await?}
                    {server_summary(&visit, &server.id, usage).await?}
                </div>
                {technical(&server, &issuer, gateway.as_ref())}
            }
        }
    };
    let tabs = views.into_iter().filter(|(.., is_there)| *is_there).map(|(word, name, count, _)| View {
        href: links::server_view(&server.id, &[("view", word)]),
        name,
        count,
        is_current: word == shown,
    });
    let may_generate = authority.has_anywhere(Role::Member) && server.admits(authority);
    let is_new = Done::read(On::Server, done) == Some(Done::ServerAdded);
    let next = is_new.then(|| next_steps(&server, gateway.is_some(), shown));
    let (title, lead) = title_and_lead(&server, gateway.as_ref(), administers);
    let body = view! {
        {what_was_done(&visit, &server, done, default, check.as_ref()).await?}
        {head((links::SERVERS, "MCP servers"), title, lead, actions(&server, gateway.is_some(), administers, may_generate))}
        {next}
        {gateway.as_ref().map(|gateway| gateway_condition(&server, gateway, &tools, shown, administers))}
        {condition(&server, check.as_ref().filter(|_| shown != "check"), administers)}
        {figures(&server, &callers, check, gateway.is_some(), administers)}
        {view_links("Views of the MCP server", tabs)}
        {content}
    };
    Ok(Page::new(server.name, body))
}

/// The heading of the page, and the addresses below it.
fn title_and_lead(server: &McpServer, gateway: Option<&Gateway>, administers: bool) -> (AnyView, AnyView) {
    let behind = gateway.is_some().then(|| chip("Protected here", "ok"));
    let title = html! { <span class="named">{server.name.clone()}{behind}{marks(server)}</span> };
    (title, html! { {resource(server)}{gateway.filter(|_| administers).map(upstream)} })
}

/// What the numbers of credentials count for people who are no administrators.
pub(super) const OF_YOUR_TEAMS: &str = "Credentials of your teams";

/// What was done to the server.
async fn what_was_done(
    visit: &Visit,
    server: &McpServer,
    done: Option<&str>,
    default: Option<&str>,
    check: Option<&ServerCheck>,
) -> Result<AnyView, ActionError> {
    let more = match (Done::read(On::Server, done), check) {
        (Some(Done::ServerChecked), Some(check)) => return Ok(checks::receipt(check)),
        (Some(Done::ServerEdited), _) => {
            let first = server.scopes.first().map(|scope| scope.name.as_str());
            let words = |scope| format!(" {scope} is the default scope now.");
            default.filter(|_| default == first).map(words).unwrap_or_default()
        }
        _ => String::new(),
    };
    receipt(visit, On::Server, done, more, Some(server.id.to_string())).await
}

/// What to do with a server that was just added.
fn next_steps(server: &McpServer, is_behind: bool, shown: &str) -> AnyView {
    let generate =
        primary_link(links::credential_for_server(&server.id), format!("Generate a credential for {}", server.name));
    let more = match is_behind {
        true if shown == "tools" => muted("Below, choose which scope allows which tool."),
        true => {
            button_link(links::server_view(&server.id, &[("view", "tools")]), "Choose which scope allows which tool")
        }
        false => html! {
            {button_link(links::server_view(&server.id, &[("view", "protect")]), "Protect the server")}
            {checks::button(server)}
        },
    };
    panel("next", "Next steps", (), view! { <div class="body"><div class="row">{generate}{more}</div></div> })
}

/// The server behind the gateway, and when it last answered a look.
fn upstream(gateway: &Gateway) -> AnyView {
    let answered = match &gateway.greeting {
        Some(greeting) => {
            html! { {format!(", {}, protocol {}, answered ", greeting.name, greeting.protocol)}{distance(greeting.at)} }
        }
        None => html! { ", not answered yet" },
    };
    html! { <span class="muted">"Behind it: "{address(&gateway.upstream)}{answered}</span> }
}

/// What needs attention at the gateway of the server.
fn gateway_condition(server: &McpServer, gateway: &Gateway, tools: &[Tool], shown: &str, administers: bool) -> AnyView {
    let refused = gateway.refusal.filter(|_| administers).map(|refusal| {
        notice("danger", view! {
            <p>
                <b>{format!("The server behind the gateway refuses it: {}. ", refusal.status)}</b>
                "Calls are answered with 502 since "{moment(refusal.at)}". Enter the header that the server expects. "
                <a href=links::gateway_settings(&server.id)>"Gateway settings"</a>
            </p>
        })
    });
    let of =
        |state| tools.iter().filter(|tool| tool.state() == state).map(|tool| tool.name.as_str()).collect::<Vec<_>>();
    let changed = of(ToolState::Changed);
    let changed = (!changed.is_empty() && shown != "tools").then(|| {
        let what = if changed.len() == 1 { "A tool changed its definition" } else { "Tools changed their definition" };
        let effect = match gateway.on_change {
            ChangePolicy::Warn => "Clients get the new definition.",
            ChangePolicy::Block => "Calls are blocked until somebody accepts it.",
        };
        notice(
            "warn",
            view! {
                <p>
                    <b>{format!("{what}: {}. ", changed.join(", "))}</b>{effect}" "
                    <a href=links::server_view(&server.id, &[("view", "tools")])>"See the difference"</a>
                </p>
            },
        )
    });
    let silent = (gateway.greeting.is_none() && administers && shown != "tools").then(|| {
        notice(
            "warn",
            view! {
                <p>
                    <b>"The server behind the gateway has not answered yet. "</b>
                    "Look at it to see why, and to see its tools. "
                    <a href=links::look_at_tools(&server.id)>"Look at the server"</a>
                </p>
            },
        )
    });
    html! { {refused}{silent}{changed} }
}

/// The calls of a server behind the gateway, and who made them.
async fn calls(visit: &Visit, server: &McpServer, period: Period, address: &str) -> Result<AnyView, ActionError> {
    const MOST_CALLERS: u16 = 20;
    let (context, authority) = (&visit.context, visit.authority()?);
    let since = period.first_hour(visit.now());
    let sums = usage::by_name(context, authority, &server.id, since).await?;
    let callers = usage::by_caller(context, authority, &server.id, since, MOST_CALLERS).await?;
    let words = format!("last {}", period_words(period).1);
    let pills = period_pills(period, "Period of the calls", |word| format!("{address}&period={word}#calls"));
    let bars = usage::bars(context, authority, &server.id, period).await?;
    let drawn = chart(Chart { counts: Counts::Calls, bars, period, refused: None, causes: String::new() });
    if sums.is_empty() {
        return Ok(panel("calls", "Calls through the gateway", pills, drawn));
    }
    Ok(html! {
        {panel("calls", "Calls through the gateway", pills, drawn)}
        {panel("called", "What is called", muted(words.clone()), calls_table(sums, None))}
        {panel("callers", "Who calls it", muted(words), callers_table(callers))}
    })
}

fn actions(server: &McpServer, is_behind: bool, administers: bool, may_generate: bool) -> AnyView {
    let change = administers.then(|| {
        let end = match server.is_archived() {
            _ if server.built_in => ().into_any(),
            false => button_link(links::archive_server(&server.id), "Archive"),
            true => html! {
                {button_link(links::unarchive_server(&server.id), "Unarchive")}
                {button_link(links::remove_server(&server.id), "Remove")}
            },
        };
        let check = match is_behind {
            true => Some(button_link(links::gateway_settings(&server.id), "Gateway settings")),
            false => (!server.built_in).then(|| checks::button(server)),
        };
        view! { {check}{button_link(links::edit_server(&server.id), "Edit")}{end} }
    });
    let generate = may_generate.then(|| primary_link(links::credential_for_server(&server.id), "Generate credential"));
    html! { <div class="row">{change}{generate}</div> }
}

/// What needs attention.
fn condition(server: &McpServer, check: Option<&ServerCheck>, administers: bool) -> AnyView {
    let archived = server.archived_at.map(|at| {
        let words = view! {
            <p>
                <b>"Archived since "{moment(at)}". "</b>
                "The server gets no new tokens. Access tokens that were issued before work until they expire; personal tokens are refused."
            </p>
        };
        notice("idle", words)
    });
    let failed = check.filter(|check| check.problems() > 0).map(|check| {
        let href = links::server_view(&server.id, &[("view", "check")]);
        let (tone, words) = match check.is_unanswered() {
            true => ("warn", "The last check could not reach the server. ".to_owned()),
            false => {
                let steps = counted(check.problems(), "step", "steps");
                ("danger", format!("The server may not be protected: {steps} of the last check did not pass. "))
            }
        };
        notice(tone, view! { <p><b>{words}</b><a href=href>"See what to do"</a></p> })
    });
    let bare: Vec<&str> =
        server.scopes.iter().filter(|scope| scope.description.is_empty()).map(|scope| scope.name.as_str()).collect();
    let undescribed = (administers && !server.is_archived() && !bare.is_empty()).then(|| {
        let words = view! {
            <p>
                <b>{format!("{} no description. ", counted(bare.len(), "scope has", "scopes have"))}</b>
                "People see only the name when an app asks them for access. "
                <a href=links::edit_server(&server.id)>"Describe the scopes"</a>
            </p>
        };
        notice("warn", words)
    });
    html! { {archived}{failed}{undescribed} }
}

/// The most important numbers. A person who is no administrator reads whose callers they count.
fn figures(
    server: &McpServer,
    callers: &Callers,
    check: Option<ServerCheck>,
    is_behind: bool,
    administers: bool,
) -> AnyView {
    let linked = |kind: &'static str, count: i64| {
        let href = links::server_view(&server.id, &[("view", "access"), ("kind", kind)]);
        if count == 0 {
            html! { "0" }
        } else {
            html! { <a href=href>{grouped(count)}</a> }
        }
    };
    let checked = match (check, server.built_in) {
        _ if is_behind => (html! { "Gateway" }, html! { "checks each token" }),
        (Some(check), _) => (checks::verdict(&check), distance(check.at)),
        (None, true) => (html! { "Built in" }, html! { "nothing to check" }),
        (None, false) => (html! { "Never" }, html! { "" }),
    };
    let all = callers.all;
    let [credentials, apps, tokens] = match administers {
        true => ["Credentials", "Connected apps", "Personal tokens"],
        false => [OF_YOUR_TEAMS, "Your connected apps", "Your personal tokens"],
    };
    key_figures([
        (credentials, linked("credentials", all.credentials), html! { "not revoked" }),
        (apps, linked("apps", all.apps), html! { "" }),
        (tokens, linked("tokens", all.personal_tokens), html! { "" }),
        ("Token lifetime", html! { {duration(server.token_lifetime)} }, html! { {server.alg.as_str()} }),
        (if is_behind { "Protected by" } else { "Last check" }, checked.0, checked.1),
    ])
}

/// The scopes, and how many get each.
fn scopes(server: &McpServer, callers: &Callers, administers: bool) -> AnyView {
    let count = |scope: &str, kind: &'static str, count: i64| match count {
        0 => muted("0"),
        count => {
            let parameters = [("view", "access"), ("kind", kind), ("scope", scope)];
            html! { <a href=links::server_view(&server.id, &parameters)>{grouped(count)}</a> }
        }
    };
    let rows = server.scopes.iter().zip(&callers.by_scope).map(|(scope, (name, counts))| {
        let words = match scope.description.as_str() {
            "" => muted("Not described"),
            words => words.to_owned().into_any(),
        };
        let implied = (!scope.implies.is_empty()).then(|| sub(view! { "Implies "{scope_tags(scope.implies.iter())} }));
        let allows = html! { {words}{implied} };
        cells![
            html! { <code>{name.clone()}</code> },
            allows,
            count(name, "credentials", counts.credentials),
            count(name, "apps", counts.apps),
            count(name, "tokens", counts.personal_tokens),
        ]
    });
    let columns = [
        Column::from("Scope"),
        Column::labelled("What it allows", "Allows"),
        Column::number(if administers { "Credentials" } else { OF_YOUR_TEAMS }),
        Column::number(if administers { "Apps" } else { "Your apps" }),
        Column::number(if administers { "Personal tokens" } else { "Your tokens" }),
    ];
    panel("scopes", "Scopes", muted("The first scope is the default"), table(columns, rows))
}

/// What the operator of the server configures.
fn technical(server: &McpServer, issuer: &str, gateway: Option<&Gateway>) -> AnyView {
    let identity = gateway.map(|gateway| {
        let words = if gateway.sends_identity { "Sent to the server" } else { "Not sent to the server" };
        view! { <div><dt>"Identity of the caller"</dt><dd>{words}</dd></div> }
    });
    let content = view! {
        <dl class="facts">
            {identity}
            <div><dt>"Issuer"</dt><dd>{issuer.to_owned()}</dd></div>
            <div><dt>"Signature"</dt><dd>{server.alg.as_str()}</dd></div>
            <div><dt>"Keys"</dt><dd><a href=links::JWKS>"JWKS"</a></dd></div>
            <div>
                <dt>"Metadata"</dt>
                <dd>{copied("metadata-url".to_owned(), server.metadata_url(), "Copy the address of the metadata".to_owned())}</dd>
            </div>
        </dl>
    };
    panel("tokens", "Tokens", (), content)
}
