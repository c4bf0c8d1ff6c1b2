//! The view of who may call an MCP server: credentials, connected apps and personal tokens, all of them or all that get
//! one scope.

use domain::base::clock::Timestamp;
use domain::base::cursor::Cursor;
use domain::base::id::PersonId;
use domain::model::client::consent::ListedConsent;
use domain::model::client::personal_token::ListedToken;
use domain::model::credential::{Credential, Status};
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::model::server::callers::{CallerCounts, Callers};
use domain::model::server::scope::Scopes;
use domain::person::team;
use domain::server::{access, callers};

use crate::components::pager::{PAGE_SIZE, page_of};
use crate::components::parts::{page_links, pill};
use crate::components::table::used_from;
use crate::pages::credential::list::several_button;
use crate::prelude::*;

/// Credentials on a page.
const CREDENTIALS_PAGE: u16 = 50;

/// The parameters of the view.
#[derive(Debug, Clone, Default)]
pub struct CallersQuery {
    /// `apps`, `tokens`, or credentials.
    pub kind: String,
    /// A scope of the server; empty: any.
    pub scope: String,
    /// Cursor of the page.
    pub after: String,
}

/// What a view lists: the word in its address, its name, and which of the numbers counts it.
type Kind = (&'static str, &'static str, fn(&CallerCounts) -> i64);

const KINDS: [Kind; 3] = [
    ("credentials", "Credentials", |counts| counts.credentials),
    ("apps", "Connected apps", |counts| counts.apps),
    ("tokens", "Personal tokens", |counts| counts.personal_tokens),
];

/// The view.
pub(super) async fn view(
    visit: &Visit,
    server: &McpServer,
    callers: &Callers,
    query: &CallersQuery,
) -> Result<AnyView, ActionError> {
    let kind = KINDS.into_iter().find(|(word, ..)| *word == query.kind).unwrap_or(KINDS[0]);
    let scope = callers.by_scope.iter().find(|(scope, _)| *scope == query.scope);
    let address = |kind: &str, scope: &str, after: &str| {
        let parameters = [("view", "access"), ("kind", kind), ("scope", scope), ("after", after)];
        links::server_view(&server.id, &parameters)
    };
    let chosen = scope.map_or("", |(scope, _)| scope.as_str());
    let counts = scope.map_or(callers.all, |(_, counts)| *counts);
    let kinds =
        KINDS.map(|(word, name, count)| pill(address(word, chosen, ""), name, Some(count(&counts)), word == kind.0));
    let any = pill(address(kind.0, "", ""), "Any scope", Some(kind.2(&callers.all)), chosen.is_empty());
    let scopes = callers
        .by_scope
        .iter()
        .map(|(scope, counts)| pill(address(kind.0, scope, ""), scope.clone(), Some(kind.2(counts)), scope == chosen));
    let scopes = scopes.collect_view();
    let chosen = (!chosen.is_empty()).then_some(chosen);
    let (list, next) = match kind.0 {
        "apps" => apps(visit, server, chosen, &query.after).await?,
        "tokens" => tokens(visit, server, chosen, &query.after).await?,
        _ => credentials(visit, server, chosen, &query.after).await?,
    };
    let next = next.map(|next| address(kind.0, chosen.unwrap_or_default(), &next));
    let first = (!query.after.is_empty()).then(|| address(kind.0, chosen.unwrap_or_default(), ""));
    let pages =
        (next.is_some() || first.is_some()).then(|| view! { <div class="pager">{page_links(first, next)}</div> });
    let own = (!visit.authority()?.is_administrator()).then(|| {
        let words = "You see credentials of your teams, and apps and personal tokens of your own.";
        view! { <p class="muted">{words}</p> }
    });
    let content = view! {
        <div class="body filters">
            <nav class="row" aria-label="Kinds">{kinds}</nav>
            <nav class="row" aria-label="Scopes">{any}{scopes}</nav>
            {own}
        </div>
        {list}
    };
    Ok(html! { {panel("callers", "Who may call it", (), content)}{pages} })
}

/// The scopes that something holds and that this server has. What gets the listed scope without holding it says through
/// which scope.
fn own_scopes(server: &McpServer, held: &Scopes, listed: Option<&str>) -> AnyView {
    let tags = scope_tags(held.iter().filter(|scope| server.scopes.iter().any(|own| own.name == *scope)));
    let through = listed.filter(|listed| !held.contains(listed)).map(|listed| {
        let giving = server.giving(listed);
        let through: Vec<&str> = held.iter().filter(|scope| giving.contains(scope)).collect();
        sub(format!("through {}", through.join(", ")))
    });
    html! { {tags}{through} }
}

fn no_access() -> AnyView {
    chip("No access", "warn")
}

/// The status of a credential at this server. Without access, a status that says that the credential works would be
/// wrong here.
fn status_here(credential: &Credential, has_access: bool, now: Timestamp) -> AnyView {
    match (has_access, credential.status(now)) {
        (true, _) => credential_status(credential, now),
        (false, Status::Unverified | Status::InUse | Status::Expiring) => no_access(),
        (false, status) => html! { {status_chip(status)}" "{no_access()} },
    }
}

async fn credentials(
    visit: &Visit,
    server: &McpServer,
    scope: Option<&str>,
    after: &str,
) -> Result<(AnyView, Option<String>), ActionError> {
    let authority = visit.authority()?;
    let after = (!after.is_empty()).then_some(after);
    let page = callers::credentials(&visit.context, authority, server, scope, after, CREDENTIALS_PAGE).await?;
    if page.credentials.is_empty() {
        let may_generate = authority.has_anywhere(Role::Member) && server.admits(authority);
        let generate = may_generate.then(|| {
            view! { " "<a href=links::credential_for_server(&server.id)>"Generate a credential"</a>"." }
        });
        let words = match (authority.is_administrator(), scope) {
            (true, Some(_)) => "No credential gets this scope.",
            (true, None) => "No credential may call this server yet.",
            (false, Some(_)) => "No credential of your teams gets this scope.",
            (false, None) => "No credential of your teams may call this server.",
        };
        return Ok((empty(view! { {words}{generate} }), None));
    }
    let teams = team::list(&visit.context, authority).await?;
    let now = visit.now();
    let may_tick = |credential: &Credential| visit.may(&credential.team, Role::Manager);
    let ticks = page.credentials.iter().any(may_tick);
    let rows = page.credentials.into_iter().map(|credential| {
        let tick = may_tick(&credential).then(|| {
            let (id, label) = (credential.client_id.to_string(), format!("Select {}", credential.name));
            view! { <input type="checkbox" name="client_id" value=id aria-label=label/> }
        });
        let team = teams.iter().find(|team| team.id == credential.team).map(|team| team.name.clone());
        cells![
            tick,
            html! {
                <a class="name" href=links::credential(&credential.client_id)>{credential.name.clone()}</a>
                {sub(view! { <code>{credential.client_id.to_string()}</code> })}
            },
            team,
            own_scopes(server, &credential.scopes, scope),
            status_here(&credential, server.admits_team(&credential.team), now),
            last_use(credential.last_used_at, credential.last_used_from),
        ]
    });
    let several = teams.len() > 1;
    let columns = [
        Column::ticks(ticks),
        "Credential".into(),
        Column::when("Team", several),
        "Scopes".into(),
        "Status".into(),
        "Last used".into(),
    ];
    let list = table(columns, rows);
    let list = if ticks { selectable(server, list) } else { list };
    Ok((list, page.next))
}

/// The form around a table of credentials with boxes, and the bar that acts on what is ticked. Each button leads to the
/// page that asks first.
fn selectable(server: &McpServer, list: AnyView) -> AnyView {
    html! {
        <form id="bulk" method="get" action=links::SEVERAL>
            {hidden("server", server.id.to_string())}
            {hidden("list", links::query_string(&[("server", server.id.as_str())]))}
            {list}
            <div class="bulk" role="group" aria-label="Selected credentials">
                <span id="ticked">"Selected:"</span>
                {several_button("unassign", "Replace or remove server")}
                {several_button("disable", "Disable")}
                {several_button("revoke", "Revoke")}
            </div>
        </form>
    }
}

async fn apps(
    visit: &Visit,
    server: &McpServer,
    scope: Option<&str>,
    after: &str,
) -> Result<(AnyView, Option<String>), ActionError> {
    let (authority, after) = (visit.authority()?, Cursor::parse(after));
    let found = callers::apps(&visit.context, authority, server, scope, after.as_ref(), PAGE_SIZE + 1).await?;
    let (found, next) = page_of(found, ListedConsent::cursor);
    if found.is_empty() {
        let words = match authority.is_administrator() {
            true => "No connected app may call this server.",
            false => "None of your connected apps may call this server.",
        };
        return Ok((empty(words), None));
    }
    let people: Vec<PersonId> = found.iter().map(|one| one.consent.person.clone()).collect();
    let admitted = access::admitted(&visit.context, server, &people).await?;
    let rows = found.into_iter().map(|ListedConsent { consent, person_name, client_name, client_disabled_at, .. }| {
        let client = match authority.is_administrator() {
            true => html! { <a class="name" href=links::client(&consent.client_id)>{client_name.clone()}</a> },
            false => client_name.clone().into_any(),
        };
        let shut_out = (!admitted.contains(&consent.person)).then(|| sub(no_access()));
        let words = ("End access", format!(" of {client_name} for {person_name}"));
        let question = format!(
            "{client_name} loses the access of {person_name} to {}, and its tokens no longer work. It can ask again.",
            server.name
        );
        let fields = [("grant", consent.id.to_string()), ("server", server.id.to_string())];
        let end = asking_button(links::END_ACCESS, fields, true, words, question);
        cells![
            html! { {client}{disabled_chip(client_disabled_at)}{shut_out} },
            person_name,
            own_scopes(server, &consent.scopes, scope),
            distance(consent.created_at),
            html! { {distance(consent.last_used_at)}{used_from(consent.last_used_from)} },
            end,
        ]
    });
    Ok((table(["App", "Allowed by", "Scopes", "Allowed", "Last token", ""], rows), next))
}

async fn tokens(
    visit: &Visit,
    server: &McpServer,
    scope: Option<&str>,
    after: &str,
) -> Result<(AnyView, Option<String>), ActionError> {
    let (authority, after) = (visit.authority()?, Cursor::parse(after));
    let found =
        callers::personal_tokens(&visit.context, authority, server, scope, after.as_ref(), PAGE_SIZE + 1).await?;
    let (found, next) = page_of(found, ListedToken::cursor);
    if found.is_empty() {
        let words = match authority.is_administrator() {
            true => "No personal token is for this server.",
            false => "None of your personal tokens is for this server.",
        };
        return Ok((empty(words), None));
    }
    let people: Vec<PersonId> = found.iter().map(|one| one.token.person.clone()).collect();
    let admitted = access::admitted(&visit.context, server, &people).await?;
    let rows = found.into_iter().map(|ListedToken { token, person_name, .. }| {
        let shut_out = (!admitted.contains(&token.person)).then(|| sub(no_access()));
        let words = ("Revoke", format!(" {} of {person_name}", token.name));
        let question =
            format!("Programs that have the token {} lose access at once. This cannot be undone.", token.name);
        let fields = [("token", token.id.to_string()), ("server", server.id.to_string())];
        let revoke = asking_button(links::REVOKE_PERSONAL_TOKEN, fields, true, words, question);
        cells![
            html! { {token.name.clone()}{sub(format!("ends in {}", token.hint))}{shut_out} },
            person_name,
            own_scopes(server, &token.scopes, scope),
            distance(token.expires_at),
            last_use(token.last_used_at, token.last_used_from),
            revoke,
        ]
    });
    Ok((table(["Token", "Person", "Scopes", "Expires", "Last used", ""], rows), next))
}
