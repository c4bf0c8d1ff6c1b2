//! The list of MCP servers.

use domain::model::server::McpServer;
use domain::model::server::access::ServerAccess;
use domain::model::server::check::ServerCheck;
use domain::server;
use domain::server::{callers, check};

use crate::components::parts::{breaking_at_slashes, pill};
use crate::pages::audit::receipt::receipt;
use crate::pages::server::check::verdict;
use crate::pages::server::show::OF_YOUR_TEAMS;
use crate::prelude::*;

/// The list. `status` is `archived` or nothing; `done` names the receipt.
pub async fn page(status: &str, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let authority = visit.authority()?;
    let (archived, in_use): (Vec<McpServer>, Vec<McpServer>) =
        server::list(&visit.context).await?.into_iter().partition(McpServer::is_archived);
    let shows_archived = status == "archived";
    let counts = [in_use.len(), archived.len()].map(|count| i64::try_from(count).ok());
    // Without an archived server there is nothing to choose.
    let filter = (shows_archived || !archived.is_empty()).then(|| {
        view! {
            <nav class="row" aria-label="Status">
                {pill(links::SERVERS.to_owned(), "In use", counts[0], !shows_archived)}
                {pill(links::archived_servers(), "Archived", counts[1], shows_archived)}
            </nav>
        }
    });
    let shown = if shows_archived { archived } else { in_use };
    let credentials = callers::count_by_server(&visit.context, authority, &shown).await?;
    let mut checks = check::last_of_all(&visit.context).await?;
    let is_empty = shown.is_empty();
    let rows = shown.into_iter().map(|server| {
        let count = credentials.get(&server.id).copied().unwrap_or_default();
        let check = checks.remove(&server.id);
        row(server, count, check)
    });
    let columns = [
        Column::from("Name and resource"),
        Column::number(if authority.is_administrator() { "Credentials" } else { OF_YOUR_TEAMS }),
        Column::number("Scopes"),
        "Access".into(),
        "Tokens".into(),
        "Last check".into(),
    ];
    let rows = if is_empty { empty("No MCP server is archived.") } else { table(columns, rows) };
    let lead = "The servers that tokens are for. Each token works at one of them.";
    let add = authority.is_administrator().then(|| primary_link(links::NEW_SERVER, "Add an MCP server"));
    let body = view! {
        {receipt(&visit, On::Servers, done, String::new(), None).await?}
        {head((), "MCP servers", lead, add)}
        {filter}
        <section class="panel" aria-label="MCP servers">{rows}</section>
    };
    Ok(Page::new("MCP servers", body))
}

fn row(server: McpServer, credentials: i64, check: Option<ServerCheck>) -> Vec<AnyView> {
    let access = match &server.access {
        ServerAccess::All => "All teams".to_owned(),
        ServerAccess::Teams(teams) if teams.is_empty() => "No team".to_owned(),
        ServerAccess::Teams(teams) => counted(teams.len(), "team", "teams"),
    };
    let checked = match check {
        Some(check) => html! { {verdict(&check)}{sub(distance(check.at))} },
        None if server.built_in => muted("Part of Countersign"),
        None => muted("Never"),
    };
    let callers = match credentials {
        0 => muted("0"),
        count => html! { <a href=links::server_view(&server.id, &[("view", "access")])>{grouped(count)}</a> },
    };
    cells![
        html! {
            <span class="named"><a class="name" href=links::server(&server.id)>{server.name.clone()}</a>{marks(&server)}</span>
            {sub(resource(&server))}
        },
        callers,
        server.scopes.len().to_string(),
        access,
        html! { {duration(server.token_lifetime)}{sub(server.alg.as_str())} },
        checked,
    ]
}

/// The chips beside the name of a server.
pub(super) fn marks(server: &McpServer) -> AnyView {
    let built_in = server.built_in.then(|| chip("Built in", "idle"));
    let archived = server.is_archived().then(|| chip("Archived", "idle"));
    html! { {built_in}{archived} }
}

/// The resource of a server, with a button that copies it.
pub(crate) fn resource(server: &McpServer) -> AnyView {
    let words = format!("Copy the resource of {}", server.name);
    copied(format!("resource-{}", server.id), server.resource.clone(), words)
}

/// An address on one line, with a button that copies it.
pub(super) fn copied(id: String, address: String, words: String) -> AnyView {
    let parts = breaking_at_slashes(&address);
    html! {
        <span class="copied">
            <code id=id.clone() title=address>{parts}</code>
            <button type="button" class="button needs-script" data-kind="quiet" data-size="icon" data-copy=id
                aria-label=words>
                <Drawing icon=Icon::Copy/>
            </button>
        </span>
    }
}
