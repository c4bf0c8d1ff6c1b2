//! Search over everything that the visitor may see: credentials, MCP servers, teams, people, clients, pages and
//! actions. The palette of the script shows the hits of this page.

use domain::client;
use domain::credential::list::{self, list};
use domain::crypto::secret::without_secrets;
use domain::model::client::ClientQuery;
use domain::model::credential::query::Query;
use domain::model::person::authority::Role;
use domain::person::{manage, team};
use domain::server;

use crate::prelude::*;

/// Maximum number of hits of each kind. Whoever needs more searches in the list of that kind.
const EACH: u16 = 6;

/// One thing that was found.
struct Hit {
    href: String,
    name: String,
    /// Identifies the thing beside its name: a client ID, an address. Empty for pages.
    detail: String,
    kind: &'static str,
}

/// Who may open a page of [`PLACES`].
#[derive(Clone, Copy)]
enum For {
    Everybody,
    Members,
    Administrators,
}

/// A page or an action: its words, other words for it, its address, and who may open it.
const PLACES: [(&str, &str, &str, For); 29] = [
    ("Overview", "home dashboard numbers", links::OVERVIEW, For::Everybody),
    ("Credentials", "list machines secrets keys", links::CREDENTIALS, For::Everybody),
    ("Generate credentials", "new create add secret key", links::NEW_CREDENTIAL, For::Members),
    ("Requests", "approve ask credential", links::REQUESTS, For::Everybody),
    ("Review credentials", "confirm needed unused", links::REVIEWS, For::Everybody),
    ("MCP servers", "resources list", links::SERVERS, For::Everybody),
    ("Add MCP server", "new create resource", links::NEW_SERVER, For::Administrators),
    ("Apps", "connected access consent", links::APPS, For::Everybody),
    ("Clients", "apps registered", links::CLIENTS, For::Administrators),
    ("Add client", "new create app", links::NEW_CLIENT, For::Administrators),
    ("Leaks", "respond incident paste find secret revoke", links::LEAKS, For::Everybody),
    ("Incidents", "leaks records", links::INCIDENTS, For::Everybody),
    ("Emergency stop", "disable everything incident", links::EMERGENCY, For::Administrators),
    ("Activity", "audit log history", links::ACTIVITY, For::Everybody),
    ("Export activity", "audit log download csv json", links::EXPORT_ACTIVITY, For::Everybody),
    ("Teams", "groups", links::TEAMS, For::Everybody),
    ("Create team", "new add group", links::NEW_TEAM, For::Administrators),
    ("People", "users accounts", links::PEOPLE, For::Administrators),
    ("Invite a person", "new add user invitation", links::INVITE, For::Administrators),
    ("Settings", "configuration", links::SETTINGS, For::Administrators),
    ("Signing keys", "rotate jwks algorithm", links::SETTINGS, For::Administrators),
    ("Policies", "rules lifetime expiry second factor enforce", links::POLICIES, For::Administrators),
    ("About", "version database settings health", links::ABOUT, For::Administrators),
    ("Webhooks", "events notifications", links::WEBHOOKS, For::Administrators),
    ("Add webhook", "new create events", links::NEW_WEBHOOK, For::Administrators),
    ("Account", "password second factor passkey sessions name", links::ACCOUNT, For::Everybody),
    ("Sign in on a device", "code", links::DEVICE, For::Everybody),
    ("Personal tokens", "new generate", links::PERSONAL_TOKENS, For::Everybody),
    ("Help", "docs endpoints command line shortcuts version", links::HELP, For::Everybody),
];

/// The page.
pub async fn page(query: &str) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    // A whole secret is found by its end, and does not stand in links of the page.
    let text = without_secrets(query.trim());
    let text = text.as_str();
    let hits = find(&visit, text).await?;
    let found = if hits.is_empty() {
        let credentials = links::with_query(links::CREDENTIALS, &[("q", text)]);
        let words = view! {
            <p>"Nothing matches “"{text.to_owned()}"”."</p>
            <p class="muted">
                "The search looks at names, client IDs, the last characters of secrets, and web addresses. It finds only what \
                 you may see. To look for a whole secret or token, paste it on the page "
                <a href=links::LEAKS>"Leaks"</a>". You can also "<a href=credentials>"search the credentials"</a>"."
            </p>
        };
        html! { <div class="body" id="hits">{words}</div> }
    } else {
        html! { <ul class="hits" id="hits">{hits.into_iter().map(row).collect_view()}</ul> }
    };
    let body = view! {
        {head((), "Search", (), ())}
        <section class="panel" aria-label="Search">
            <form class="toolbar" method="get" action=links::SEARCH role="search">
                <div class="field">
                    <label class="vh" for="q">"Search"</label>
                    <input id="q" name="q" type="search" value=text.to_owned() autocomplete="off" autofocus
                        placeholder="Name, client ID, end of a secret, or a page"/>
                </div>
                <button class="button">"Search"</button>
            </form>
            {found}
        </section>
    };
    Ok(Page::new("Search", body).framed(Frame::Narrow))
}

fn row(hit: Hit) -> impl IntoView {
    let detail = (!hit.detail.is_empty()).then(|| view! { <code>{hit.detail}</code> });
    view! { <li><a href=hit.href><span>{hit.name}</span>{detail}<small>{hit.kind}</small></a></li> }
}

/// What matches `text`. Things whose name begins with it come first. Without a text: the pages and actions.
async fn find(visit: &Visit, text: &str) -> Result<Vec<Hit>, ActionError> {
    let mut hits = places(visit, text);
    if text.is_empty() {
        return Ok(hits);
    }
    hits.extend(things(visit, text).await?);
    let wanted = text.to_lowercase();
    hits.sort_by_key(|hit| {
        let name = hit.name.to_lowercase();
        match () {
            () if name == wanted || hit.detail.to_lowercase() == wanted => 0,
            () if name.starts_with(&wanted) => 1,
            () if name.contains(&wanted) => 2,
            () => 3,
        }
    });
    Ok(hits)
}

fn places(visit: &Visit, text: &str) -> Vec<Hit> {
    let Some(authority) = visit.viewer.as_ref().map(|viewer| &viewer.authority) else { return Vec::new() };
    let words: Vec<String> = text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let matches = |name: &str, others: &str| {
        let all = format!("{} {others}", name.to_lowercase());
        words.iter().all(|word| all.split(' ').any(|known| known.starts_with(word.as_str())))
    };
    let is_there = |href: &str| href != links::DEVICE || visit.context.settings.device_grant;
    let is_open = |who: For| match who {
        For::Everybody => true,
        For::Members => authority.has_anywhere(Role::Member),
        For::Administrators => authority.is_administrator(),
    };
    let shown =
        PLACES.into_iter().filter(|(name, others, href, who)| is_open(*who) && is_there(href) && matches(name, others));
    shown.map(|(name, _, href, _)| hit(href.to_owned(), name, "", "Page")).collect()
}

async fn things(visit: &Visit, text: &str) -> Result<Vec<Hit>, ActionError> {
    let (context, authority) = (&visit.context, visit.authority()?);
    let wanted = text.to_lowercase();
    let matches = |name: &str| name.to_lowercase().contains(&wanted);
    let query = Query { search: Some(text.to_owned()), ..Query::default() };
    let list::Page { credentials, next, .. } = list(context, authority, &query, EACH).await?;
    let mut hits: Vec<Hit> = credentials
        .iter()
        .map(|it| hit(links::credential(&it.client_id), &it.name, it.client_id.as_str(), "Credential"))
        .collect();
    if next.is_some() {
        let all = links::with_query(links::CREDENTIALS, &[("q", text)]);
        hits.push(hit(all, &format!("All credentials with “{text}”"), "", "List"));
    }
    let servers = server::list(context).await?;
    let servers = servers.iter().filter(|it| matches(&it.name) || matches(&it.resource)).take(usize::from(EACH));
    hits.extend(servers.map(|it| hit(links::server(&it.id), &it.name, &it.resource, "MCP server")));
    let teams = team::list(context, authority).await?;
    let teams = teams.iter().filter(|it| matches(&it.name)).take(usize::from(EACH));
    hits.extend(teams.map(|it| hit(links::team(&it.id), &it.name, "", "Team")));
    if authority.is_administrator() {
        let people = manage::search(context, text, EACH).await?;
        hits.extend(people.iter().map(|it| hit(links::person(&it.id), &it.name, &it.email, "Person")));
        let query = ClientQuery { search: Some(text.to_owned()), ..ClientQuery::default() };
        let clients = client::list(context, &query, EACH).await?;
        hits.extend(clients.iter().map(|it| hit(links::client(&it.id), &it.name, it.id.as_str(), "Client")));
    }
    Ok(hits)
}

fn hit(href: String, name: &str, detail: &str, kind: &'static str) -> Hit {
    Hit { href, name: name.to_owned(), detail: detail.to_owned(), kind }
}
