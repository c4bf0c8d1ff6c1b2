//! The list of MCP servers.

use domain::server;
use leptos::prelude::*;

use crate::components::status::ScopeTags;
use crate::components::table::table;
use crate::components::time::duration;
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::visit::signed_in;

/// The list.
pub async fn page() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let rows = server::list(&visit.context)
        .await?
        .into_iter()
        .map(|server| {
            let built_in = server.built_in.then(|| view! { <div class="sub">"built in"</div> });
            let scopes = server.scopes.iter().map(|scope| scope.name.clone()).collect();
            view! {
                <tr>
                    <th scope="row"><a class="name" href=links::server(&server.id)>{server.name}</a>{built_in}</th>
                    <td data-label="Resource">{server.resource}</td>
                    <td data-label="Scopes"><ScopeTags scopes/></td>
                    <td data-label="Tokens">{duration(server.token_lifetime)}<div class="sub">{server.alg.as_str()}</div></td>
                </tr>
            }
        })
        .collect_view();
    let body = view! {
        <div class="head">
            <div><h1>"MCP servers"</h1><p>"The servers that tokens are for. A token for one is refused by the others."</p></div>
            {visit.authority()?.is_administrator().then(|| view! {
                <a class="button" data-kind="primary" href=links::NEW_SERVER>"Add an MCP server"</a>
            })}
        </div>
        <section class="panel" aria-label="MCP servers">
            {table(["Name", "Resource", "Scopes", "Tokens"], rows)}
        </section>
    };
    Ok(Page::new("MCP servers", body))
}
