//! The list of MCP servers.

use domain::server;

use crate::prelude::*;

/// The list.
pub async fn page() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let rows = server::list(&visit.context).await?.into_iter().map(|server| {
        cells![
            html! {
                <a class="name" href=links::server(&server.id)>{server.name}</a>{server.built_in.then(|| sub("built in"))}
            },
            server.resource,
            scope_tags(server.scopes.into_iter().map(|scope| scope.name)),
            html! { {duration(server.token_lifetime)}{sub(server.alg.as_str())} },
        ]
    });
    let rows = table(["Name", "Resource", "Scopes", "Tokens"], rows);
    let lead = "The servers that tokens are for. A token for one is refused by the others.";
    let add = visit.authority()?.is_administrator().then(|| primary_link(links::NEW_SERVER, "Add an MCP server"));
    let body = view! {
        {head((), "MCP servers", lead, add)}
        <section class="panel" aria-label="MCP servers">{rows}</section>
    };
    Ok(Page::new("MCP servers", body))
}
