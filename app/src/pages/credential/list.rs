//! The list of credentials.

use domain::base::clock::Timestamp;
use domain::base::id::{McpServerId, TeamId};
use domain::credential::list::{counts, list};
use domain::model::credential::Credential;
use domain::model::credential::query::{Query, Show, Sort};
use domain::model::person::authority::Role;
use domain::model::server::McpServer;
use domain::person::team;
use domain::server;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::assets;
use crate::components::parts::{page_links, toolbar};
use crate::components::status::StatusView;
use crate::prelude::*;

const PAGE_SIZE: u16 = 50;

/// The parameters in the list's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsQuery {
    /// Part of a name or a client ID.
    pub q: String,
    /// Filter: one of [`STATUSES`].
    pub status: String,
    /// Identifier of a team.
    pub team: String,
    /// Sort order: one of [`SORTS`].
    pub sort: String,
    /// Cursor of the page.
    pub after: String,
}

const STATUSES: [(&str, &str, Show); 12] = [
    ("", "All", Show::All),
    ("leaked", "Leaked", Show::Leaked),
    ("in_use", "In use", Show::InUse),
    ("unverified", "Unverified", Show::Unverified),
    ("expiring", "Expiring within 14 days", Show::Expiring),
    ("rotating", "Rotation in progress", Show::Rotating),
    ("imported", "Imported secret", Show::Imported),
    ("never_expires", "Never expiring", Show::NeverExpires),
    ("idle", "Never used or idle", Show::Idle),
    ("disabled", "Disabled", Show::Disabled),
    ("expired", "Expired", Show::Expired),
    ("revoked", "Revoked", Show::Revoked),
];

const SORTS: [(&str, &str, Sort); 4] = [
    ("", "Newest first", Sort::Created),
    ("name", "Name", Sort::Name),
    ("last_used", "Last used first", Sort::LastUsed),
    ("expires", "Expiring first", Sort::Ends),
];

/// One credential in the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CredentialRow {
    /// Client ID.
    pub client_id: String,
    /// Name.
    pub name: String,
    /// Name of its team, when the list shows several teams.
    pub team: Option<String>,
    /// Its MCP servers, in short form.
    pub servers: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Status.
    pub status: StatusView,
    /// Whether the person who looks may disable or revoke it.
    pub can_stop: bool,
    /// Whether the person who looks may edit it.
    pub can_edit: bool,
    /// When it was last used, in milliseconds since the epoch.
    pub last_used_at: Option<i64>,
    /// Address of the last use.
    pub last_used_from: Option<String>,
}

/// One page of the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CredentialsView {
    /// The rows.
    pub rows: Vec<CredentialRow>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// A resource identifier without the scheme.
pub(crate) fn short_resource(resource: &str) -> String {
    resource.split_once("://").map_or(resource, |(_, rest)| rest).to_owned()
}

/// The credential's servers, in short form.
pub(crate) fn server_names(credential: &Credential, servers: &[McpServer]) -> Vec<String> {
    let find = |id: &McpServerId| servers.iter().find(|server| server.id == *id);
    credential.servers.iter().filter_map(find).map(|server| short_resource(&server.resource)).collect()
}

/// Credentials that match a query.
#[server(prefix = "/fn", endpoint = "credentials", input = GetUrl)]
pub(crate) async fn list_credentials(query: CredentialsQuery) -> Result<CredentialsView, ActionError> {
    let visit = signed_in()?;
    let unknown = || ActionError::Invalid("This filter does not exist.".to_owned());
    let show = STATUSES.iter().find(|(word, ..)| *word == query.status).ok_or_else(unknown)?.2;
    let sort = SORTS.iter().find(|(word, ..)| *word == query.sort).ok_or_else(unknown)?.2;
    let team = match query.team.as_str() {
        "" => None,
        id => Some(TeamId::parse(id).ok_or_else(unknown)?),
    };
    let cursor = (!query.after.is_empty()).then_some(query.after);
    let authority = visit.authority()?;
    let query = Query { search: Some(query.q), team, show, sort, cursor, ..Query::default() };
    let page = list(&visit.context, authority, &query, PAGE_SIZE).await?;
    let teams = team::list(&visit.context, authority).await?;
    let several = teams.len() > 1;
    let servers = server::list(&visit.context).await?;
    let now = visit.now();
    let rows = page
        .credentials
        .iter()
        .map(|credential| CredentialRow {
            client_id: credential.client_id.to_string(),
            name: credential.name.clone(),
            team: teams.iter().find(|team| several && team.id == credential.team).map(|team| team.name.clone()),
            servers: server_names(credential, &servers),
            scopes: credential.scopes.iter().map(str::to_owned).collect(),
            status: credential.status(now).into(),
            can_stop: credential.revoked_at.is_none() && visit.may(&credential.team, Role::Member),
            can_edit: visit.may(&credential.team, Role::Manager),
            last_used_at: credential.last_used_at.map(Timestamp::millis),
            last_used_from: credential.last_used_from.map(|address| address.to_string()),
        })
        .collect();
    Ok(CredentialsView { rows, next: page.next })
}

/// The page.
pub async fn page(query: CredentialsQuery) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let CredentialsView { rows, next } = list_credentials(query.clone()).await?;
    let can_generate = visit.authority()?.has_anywhere(Role::Member);
    if rows.is_empty()
        && query == CredentialsQuery::default()
        && counts(&visit.context, visit.authority()?).await?.all == 0
    {
        return Ok(Page::new("Credentials", no_credentials(can_generate)));
    }
    let address = |after: &str| {
        let parameters = [
            ("q", query.q.as_str()),
            ("status", &query.status),
            ("team", &query.team),
            ("sort", &query.sort),
            ("after", after),
        ];
        links::with_query(links::CREDENTIALS, &parameters)
    };
    let next_link = next.as_deref().map(address);
    let first_link = (!query.after.is_empty()).then(|| address(""));
    let shown = counted(rows.len(), "credential", "credentials");
    let list = if rows.is_empty() {
        let all = view! { <a href=links::CREDENTIALS>"show all"</a> };
        empty(view! { "No credential matches. Check the spelling, or "{all}"." })
    } else {
        // One template serves all rows, so it offers only the actions that all rows allow. The other actions are on the
        // credential's own page.
        let edit = rows.iter().filter(|row| row.can_stop).all(|row| row.can_edit);
        list_table(rows, RowTools { stop: can_generate, edit })
    };
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let team = (teams.len() > 1).then(|| {
        let options = options_after("All", teams.into_iter().map(|team| (team.id.to_string(), team.name)));
        view! { <Select id="team" label="Team" options chosen=query.team.clone()/> }
    });
    let filters = view! {
        <div class="field">
            <label for="q">"Search"</label>
            <input id="q" name="q" type="search" placeholder="Name or client ID" autocomplete="off"
                value=query.q.clone() data-filter="list"/>
        </div>
        <Select id="status" label="Status" chosen=query.status.clone()
            options=options(STATUSES.map(|(word, label, _)| (word, label)))/>
        {team}
        <Select id="sort" label="Sort" chosen=query.sort.clone()
            options=options(SORTS.map(|(word, label, _)| (word, label)))/>
    };
    let body = view! {
        {list_head(can_generate)}
        <section class="panel" aria-label="List">{toolbar(links::CREDENTIALS, "List", filters)}{list}</section>
        <div class="pager"><span class="muted">{shown}" on this page"</span>{page_links(first_link, next_link)}</div>
    };
    Ok(Page::new("Credentials", body))
}

fn list_head(can_generate: bool) -> AnyView {
    head((), "Credentials", "Machines that may call your MCP servers.", can_generate.then(generate))
}

fn generate() -> AnyView {
    primary_link(links::NEW_CREDENTIAL, "Generate credentials")
}

/// The table. Ticked rows are stopped together: the form leads to the page that shows the facts first.
///
/// A row holds only its own data, and nothing that repeats: fifty rows with buttons and icons weighed 90 kB. The script
/// adds the actions of a row from the template. Without script, the name links to the page that has all actions.
fn list_table(rows: Vec<CredentialRow>, tools: RowTools) -> AnyView {
    let server = if rows.iter().any(|row| row.team.is_some()) { "MCP server and team" } else { "MCP server" };
    let columns = ["Name and client ID", server, "Scopes", "Status", "Last used"];
    html! {
        <form method="get" action=links::REVOKE_CREDENTIALS id="bulk">
            <table id="list">
                <thead>
                    <tr>
                        <td>
                            <label class="tick needs-script">
                                <span class="vh">"Select all"</span><input type="checkbox" data-all="bulk"/>
                            </label>
                        </td>
                        {columns.map(|column| view! { <th scope="col">{column}</th> }).collect_view()}
                        <td class="needs-script"><span class="vh">"Actions"</span></td>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(table_row).collect_view()}</tbody>
            </table>
            {row_tools(tools)}
            {tools.stop.then(|| view! {
                <div class="body">
                    <div class="row"><button class="button" data-size="small">"Revoke selected"</button></div>
                </div>
            })}
        </form>
    }
}

/// The actions in a row's menu. Only rows with a tick box get the menu.
#[derive(Clone, Copy)]
struct RowTools {
    stop: bool,
    edit: bool,
}

/// The template that the script copies into each row: the copy button beside the client ID, and the menu. The script
/// adds the credential's name to the labels and its address to the links.
fn row_tools(tools: RowTools) -> AnyView {
    html! {
        <template id="row-tools">
            <button type="button" class="button" data-kind="quiet" data-size="icon" data-copy="" aria-label="Copy client ID of ">
                <Drawing icon=Icon::Copy/>
            </button>
            <details class="menu" name="row-menu">
                <summary class="button" data-kind="quiet" data-size="icon" aria-label="Actions for ">
                    <Drawing icon=Icon::More/>
                </summary>
                <ul>
                    {tools.edit.then(|| view! { <li><a href="#edit">"Edit"</a></li> })}
                    <li><a href="#disable">"Disable"</a></li>
                    <li><a href="#enable">"Enable"</a></li>
                    <li><a data-tone="danger" href="#revoke">"Revoke"</a></li>
                </ul>
            </details>
        </template>
        <script src=assets::LIST.path.as_str()></script>
    }
}

fn table_row(row: CredentialRow) -> AnyView {
    let pick = row.can_stop.then(|| {
        let label = format!("Select {}", row.name);
        view! { <input type="checkbox" name="client_id" value=row.client_id.clone() aria-label=label/> }
    });
    let disabled = (row.status == StatusView::Disabled).then_some("");
    html! {
        <tr data-disabled=disabled>
            <td>{pick}</td>
            <th scope="row">
                <a class="name" href=links::credential(&row.client_id)>{row.name}</a><code>{row.client_id}</code>
            </th>
            <td>{row.servers.join(", ")}{row.team.map(sub)}</td>
            <td>{scope_tags(row.scopes)}</td>
            <td>{status_chip(row.status)}</td>
            <td>{last_use(row.last_used_at.map(Timestamp::from_millis), row.last_used_from)}</td>
            <td></td>
        </tr>
    }
}

/// The empty list: one sentence, one button, the three steps.
fn no_credentials(can_generate: bool) -> AnyView {
    let step = |icon: Icon, title: &'static str, text: &'static str| {
        view! { <li><Drawing icon/><h2>{title}</h2><p class="muted">{text}</p></li> }
    };
    let start = match can_generate {
        true => generate(),
        false => html! { <p class="muted">"You can look at what your teams own. There is nothing yet."</p> },
    };
    html! {
        {list_head(false)}
        <section class="panel empty" aria-label="Get started">
            <p>"A credential lets one program exchange its secret for short-lived access tokens."</p>
            {start}
            <ol class="flow">
                {step(Icon::Credentials, "1. Generate", "Name the program. You get a client ID and a secret, shown once.")}
                {step(Icon::Activity, "2. Exchange", "The program trades the secret for a token that lasts 10 minutes.")}
                {step(Icon::Check, "3. Connect", "It calls your MCP server with the token. You see every use here.")}
            </ol>
        </section>
    }
}
