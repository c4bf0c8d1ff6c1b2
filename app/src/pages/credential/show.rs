//! One credential, in views: an overview, its secrets, its use, its changes, and how to connect.

use domain::base::clock::Timestamp;
use domain::credential::{federated, inspect, keys, usage};
use domain::model::credential::usage::{Period, Whose};
use domain::model::credential::{AssertionRules, AuthMethod, Credential, Impact, Status};
use domain::model::server::{DEFAULT_TOKEN_LIFETIME, McpServer};
use domain::person::team;
use domain::server;
use leptos::server_fn::codec::GetUrl;

use crate::components::parts::{View, breaking_at_slashes, key_figures, view_links};
use crate::components::snippet::{Snippets, TryIt};
use crate::pages::audit::entry::{EntryView, entry_list};
use crate::pages::audit::receipt::receipt;
use crate::pages::credential::authenticators::{identities_panel, keys_panel, secrets_panel};
use crate::pages::credential::find;
use crate::pages::credential::head::{ListPlace, Shown, notices, title};
use crate::pages::credential::list::short_resource;
use crate::pages::credential::reveal::handover::links_panel;
use crate::pages::credential::tokens::tokens_view;
use crate::pages::credential::usage::{exchanges_panel, read_period, secrets_by_use, usage_view};
use crate::pages::team::who_may_act;
use crate::prelude::*;
use crate::snippets::Connection;

/// Whether the credential was exchanged yet. The script of the waiting page polls it.
#[server(prefix = "/fn", endpoint = "first_exchange", input = GetUrl)]
pub(crate) async fn first_exchange(client_id: String) -> Result<bool, ActionError> {
    let visit = signed_in()?;
    Ok(find(&visit, &client_id).await?.verified_at.is_some())
}

/// The texts that connect a program to the credential's first server, without the secret.
pub fn connection(visit: &Visit, credential: &Credential, server: Option<&McpServer>) -> Connection {
    let settings = &visit.context.settings;
    Connection {
        client_id: credential.client_id.to_string(),
        name: credential.name.clone(),
        secret: None,
        token_endpoint: settings.token_endpoint(),
        mcp_server: server.map_or_else(|| settings.built_in_resource(), |server| server.resource.clone()),
        issuer: settings.public_url.clone(),
        scope: credential.scopes.to_string(),
        method: credential.auth_method,
        algorithm: "ES256",
        audience: settings.public_url.clone(),
    }
}

/// What the address of the page says.
#[derive(Debug, Clone, Default)]
pub struct ShowQuery {
    /// The word of a view.
    pub view: String,
    /// The receipt.
    pub done: Option<String>,
    /// How many live tokens ended with the change that the receipt is about.
    pub ended: Option<String>,
    /// The word of the period that charts show.
    pub period: Option<String>,
    /// The list from which the page was opened.
    pub list: ListPlace,
}

/// The views: the word in the address, and the title of the page with the name of the credential.
const VIEWS: [(&str, &str); 6] = [
    ("", ""),
    ("secrets", "Secrets of "),
    ("usage", "Usage of "),
    ("tokens", "Live tokens of "),
    ("activity", "Activity of "),
    ("connect", "Connect "),
];

/// The page.
pub async fn page(client_id: String, query: ShowQuery) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let credential = find(&visit, &client_id).await?;
    let (context, id) = (&visit.context, &credential.client_id);
    let shown = Shown {
        team: team::find(context, visit.authority()?, &credential.team).await?,
        servers: server::list(context).await?,
        secrets: inspect::secrets(context, id).await?,
        keys: keys::list(context, id).await?,
        identities: federated::list(context, id).await?,
        list: query.list,
        visit: visit.clone(),
        credential: credential.clone(),
    };
    let period = read_period(query.period.as_deref());
    let (view, named) = *VIEWS.iter().find(|(word, _)| *word == query.view).unwrap_or(&VIEWS[0]);
    let content = match view {
        "secrets" => proofs(&shown, true).await?,
        "usage" => {
            let address = shown.list.view(&shown.credential, "usage");
            usage_view(&visit, &shown.credential, period, &address).await?
        }
        "tokens" => tokens_view(&visit, &shown.credential).await?,
        "activity" => activity(&shown).await?,
        "connect" => connect(&shown),
        _ => overview(&shown, period).await?,
    };
    let ended = query.ended.and_then(|ended| ended.parse::<u32>().ok()).unwrap_or_default();
    let ended =
        if ended > 0 { format!(" {} ended.", counted(ended, "live token", "live tokens")) } else { String::new() };
    let body = view! {
        {receipt(&visit, On::Credential, query.done.as_deref(), ended, Some(credential.client_id.to_string())).await?}
        {title(&shown)}
        {notices(&shown).await?}
        {views(&shown, view)}
        {content}
    };
    Ok(Page::new(format!("{named}{}", credential.name), body))
}

/// The links between the views.
fn views(shown: &Shown, current: &str) -> AnyView {
    let proofs = match shown.credential.auth_method {
        AuthMethod::ClientSecret => "Secrets",
        AuthMethod::PrivateKeyJwt => "Keys",
        AuthMethod::Federated => "Identities",
    };
    let names = ["Overview", proofs, "Usage", "Live tokens", "Activity", "Connect"];
    let view = |((word, _), name): ((&str, &str), &'static str)| View {
        href: shown.list.view(&shown.credential, word),
        name,
        count: (word == "secrets").then(|| i64::try_from(shown.live_proofs()).unwrap_or(i64::MAX)),
        is_current: word == current,
    };
    view_links("Views of the credential", VIEWS.into_iter().zip(names).map(view))
}

async fn overview(shown: &Shown, period: Period) -> Result<AnyView, ActionError> {
    let (context, credential) = (&shown.visit.context, &shown.credential);
    let id = &credential.client_id;
    let impact = inspect::impact(context, credential).await?;
    let day = usage::bars(context, Whose::Credential(id), Period::Day).await?;
    let refusals: i64 = day.iter().map(|bar| bar.refusals).sum();
    let changes = shown.entries(LATEST).await?.iter().map(EntryView::of).collect();
    let refused = vec![("credential", id.to_string())];
    let address = shown.list.view(credential, "");
    let exchanges = exchanges_panel(&shown.visit, Whose::Credential(id), period, &address, Some(refused)).await?;
    let by_use = secrets_by_use(&shown.visit, credential).await?;
    let waiting = (shown.status() == Status::Unverified && credential.disabled_at.is_none()).then(|| {
        let reload = Some(shown.list.view(credential, ""));
        view! { <TryIt connection=connection_of(shown) reload/> }
    });
    let notes = (!credential.notes.is_empty()).then(|| {
        let notes = credential.notes.clone();
        panel("notes", "Notes", (), view! { <div class="body"><p class="lines">{notes}</p></div> })
    });
    Ok(html! {
        {figures(credential, &impact, refusals, shown.now())}
        {waiting}
        <div class="duo">
            <div class="stack">
                {by_use}
                {exchanges}
                {proofs(shown, false).await?}
            </div>
            <div class="stack">{facts(shown)}{notes}{latest_changes(shown, changes)}</div>
        </div>
        {look_only(shown).await?}
    })
}

/// The most important numbers.
fn figures(credential: &Credential, impact: &Impact, refusals: i64, now: Timestamp) -> AnyView {
    let from = credential.last_used_from.map(|address| address.to_string()).unwrap_or_default();
    let live = match impact.last_token_ends_at {
        Some(at) if impact.live_tokens > 0 => html! { "last expires "{distance(at)} },
        _ => ().into_any(),
    };
    let refused = if refusals > 0 { format!("{} refused", grouped(refusals)) } else { String::new() };
    let addresses = match impact.addresses {
        0 => String::new(),
        count => format!("from {}", counted(count, "address", "addresses")),
    };
    let exchanged = [refused, addresses].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let (ends, value, note) = match (credential.revoked_at, credential.ends_at) {
        (Some(at), _) => ("Revoked", distance(at), moment(at)),
        (None, Some(at)) if at <= now => ("Expired", distance(at), moment(at)),
        (None, Some(at)) => ("Expires", distance(at), moment(at)),
        (None, None) => ("Expires", html! { "Never" }, ().into_any()),
    };
    key_figures([
        ("Last used", distance_or(credential.last_used_at, "Never"), from.into_any()),
        ("Exchanges, 24 h", grouped(impact.exchanges).into_any(), exchanged.into_any()),
        ("Live tokens", grouped(impact.live_tokens).into_any(), live),
        (ends, value, note),
    ])
}

/// What the credential may do, who answers for it, and where it came from.
fn facts(shown: &Shown) -> AnyView {
    let credential = &shown.credential;
    let own: Vec<&McpServer> =
        credential.servers.iter().filter_map(|id| shown.servers.iter().find(|server| server.id == *id)).collect();
    let lifetime =
        credential.token_lifetime.or(own.first().map(|server| server.token_lifetime)).unwrap_or(DEFAULT_TOKEN_LIFETIME);
    let server = |server: &&McpServer| {
        let archived = server.is_archived().then(|| view! { " "{chip("Archived", "idle")} });
        let resource = breaking_at_slashes(&short_resource(&server.resource));
        view! { <div><a href=links::server(&server.id)>{server.name.clone()}</a>{archived}{sub(resource)}</div> }
    };
    let range = |range: String| view! { <div><code>{range}</code></div> };
    let ranges = match credential.ip_ranges.as_slice() {
        [] => muted("Every address"),
        ranges => ranges.iter().map(|net| range(net.to_string())).collect_view().into_any(),
    };
    let owner = match &credential.owner {
        None => muted("Nobody"),
        Some(owner) => {
            let gone = owner.disabled.then(|| view! { " "{chip("Disabled", "warn")} });
            let administers = shown.visit.authority().is_ok_and(|authority| authority.is_administrator());
            let name = match administers {
                true => html! { <a href=links::person(&owner.id)>{owner.name.clone()}</a> },
                false => owner.name.clone().into_any(),
            };
            html! { {name}{gone} }
        }
    };
    let proof = match credential.auth_method {
        AuthMethod::ClientSecret => "Client secret",
        AuthMethod::PrivateKeyJwt => "Public key",
        AuthMethod::Federated => "Federated identity",
    };
    let rows = view! {
        <dl class="f">
            <dt>"Owner"</dt><dd>{owner}</dd>
            <dt>"MCP servers"</dt><dd>{own.iter().map(server).collect_view()}</dd>
            <dt>"Scopes"</dt><dd>{scopes(shown)}</dd>
            <dt>"Addresses"</dt><dd>{ranges}</dd>
            <dt>"Token lifetime"</dt><dd>{duration(lifetime)}</dd>
            <dt>"Authentication"</dt><dd>{format!("{proof} ({} active)", shown.live_proofs())}</dd>
            {credential.expires_at.map(|at| view! { <dt>"Last day of the credential"</dt><dd>{moment(at)}</dd> })}
            {exceptions(credential.assertions).map(|text| view! { <dt>"Exceptions"</dt><dd>{text}</dd> })}
            <dt>"Generated"</dt><dd>{moment(credential.created_at)}" by "{credential.created_by.clone()}</dd>
            {credential.last_used_agent.clone().map(|agent| view! { <dt>"Program"</dt><dd>{agent}</dd> })}
        </dl>
    };
    let duplicate = shown.is_member().then(|| {
        let href = links::duplicate_of(&credential.client_id);
        view! { <a class="muted" href=href>"Duplicate"</a> }
    });
    panel("facts", "What it may do", duplicate, view! { <div class="body">{rows}</div> })
}

/// The scopes that the credential holds, and then the scopes that they imply at its MCP servers. A scope that no MCP
/// server of the credential offers any more is marked: no token gets it. The scopes of the built-in server act on this
/// instance, also for a credential without that server.
fn scopes(shown: &Shown) -> AnyView {
    let is_offered = |scope: &str| {
        let mut offering = shown.servers.iter().filter(|server| server.scopes.iter().any(|own| own.name == scope));
        offering.any(|server| server.built_in || shown.credential.servers.contains(&server.id))
    };
    let tag = |scope: &str| {
        let lost = (!is_offered(scope)).then(|| view! { {muted("no longer offered")}" " });
        view! { {scope_tags([scope])}{lost} }
    };
    let implied = implied(shown).into_iter().map(|(scope, through)| {
        view! { {scope_tags([scope])}{muted(format!("implied by {}", through.join(", ")))}" " }
    });
    html! { {shown.credential.scopes.iter().map(tag).collect_view()}{implied.collect_view()} }
}

/// The scopes that the credential gets without holding them, each with the scopes that imply it.
fn implied(shown: &Shown) -> Vec<(&str, Vec<&str>)> {
    let held = &shown.credential.scopes;
    let mut found = Vec::new();
    for server in shown.servers.iter().filter(|server| shown.credential.servers.contains(&server.id)) {
        for scope in server.scopes.iter().map(|scope| scope.name.as_str()).filter(|scope| !held.contains(scope)) {
            let giving = server.giving(scope);
            let through: Vec<&str> = held.iter().filter(|one| giving.contains(one)).collect();
            if !through.is_empty() && !found.contains(&(scope, through.clone())) {
                found.push((scope, through));
            }
        }
    }
    found
}

/// The exceptions that its assertions may use.
fn exceptions(rules: AssertionRules) -> Option<String> {
    let words = [
        (rules.token_endpoint_audience, "token endpoint as audience"),
        (rules.reusable, "assertions can be used again"),
        (rules.jwt_bearer, "JWT bearer grant"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn latest_changes(shown: &Shown, changes: Vec<EntryView>) -> AnyView {
    let unnamed = changes.into_iter().map(|entry| EntryView { target_name: String::new(), ..entry });
    let all = view! { <a class="muted" href=shown.list.view(&shown.credential, "activity")>"All"</a> };
    panel("changes", "Latest changes", all, entry_list(unnamed))
}

/// The secrets, keys or identities; `whole`: with their actions.
async fn proofs(shown: &Shown, whole: bool) -> Result<AnyView, ActionError> {
    Ok(match shown.credential.auth_method {
        AuthMethod::ClientSecret if whole => {
            let handed_over = links_panel(&shown.visit, &shown.credential.client_id).await?;
            html! { {secrets_panel(shown, whole)}{handed_over} }
        }
        AuthMethod::ClientSecret => secrets_panel(shown, whole),
        AuthMethod::PrivateKeyJwt => keys_panel(shown, whole),
        AuthMethod::Federated => {
            let shared = federated::is_shared(&shown.visit.context, &shown.identities).await?;
            identities_panel(shown, shared, whole)
        }
    })
}

/// How many entries the view of the activity shows.
const ENTRIES: u16 = 50;
/// How many entries the overview shows.
const LATEST: u16 = 5;

/// The entries of the audit log about the credential that the visitor sees.
async fn activity(shown: &Shown) -> Result<AnyView, ActionError> {
    let id = &shown.credential.client_id;
    let entries = shown.entries(ENTRIES).await?;
    let entries = entries.iter().map(EntryView::of).map(|entry| EntryView { target_name: String::new(), ..entry });
    let all = view! { <a class="muted" href=links::activity_of(id)>"See all entries"</a> };
    Ok(panel("changes", "Changes, newest first", all, entry_list(entries)))
}

/// The texts for programs. Nothing connects with a credential that has ended.
fn connect(shown: &Shown) -> AnyView {
    if matches!(shown.status(), Status::Revoked | Status::Expired) {
        return panel(
            "connect",
            "Connect",
            (),
            empty("This credential does not work, so no program can connect with it."),
        );
    }
    let about = match shown.credential.auth_method {
        AuthMethod::ClientSecret => "Add the secret you saved.",
        AuthMethod::PrivateKeyJwt => "The private key stays with the program.",
        AuthMethod::Federated => "The issuer gives the program its token.",
    };
    html! { <Snippets connection=connection_of(shown) about=about/> }
}

/// The texts that connect a program, with the algorithm of its key and the audience of its identity.
fn connection_of(shown: &Shown) -> Connection {
    let first = shown.servers.iter().find(|server| shown.credential.servers.first() == Some(&server.id));
    let mut connection = connection(&shown.visit, &shown.credential, first);
    if let Some(key) = shown.keys.iter().find(|key| key.revoked_at.is_none()) {
        connection.algorithm = key.key.algorithm().as_str();
    }
    if let Some(identity) = shown.identities.iter().find(|identity| identity.revoked_at.is_none()) {
        connection.audience.clone_from(&identity.audience);
    }
    connection
}

/// For a person who may not stop the credential: who may. The others have the buttons at the head of the page.
async fn look_only(shown: &Shown) -> Result<Option<AnyView>, ActionError> {
    if shown.is_member() || matches!(shown.status(), Status::Revoked | Status::Leaked) {
        return Ok(None);
    }
    let names = who_may_act(&shown.visit, &shown.credential.team).await?;
    let words = view! { "You can look at this credential, not stop it. If it leaked, tell "<b>{names}</b>" now." };
    Ok(Some(html! { <p class="muted">{words}</p> }))
}
