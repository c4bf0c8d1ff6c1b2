//! The page of one MCP server, with the setup for its operator.

use domain::base::id::McpServerId;
use domain::model::server::McpServer;
use domain::server;
use leptos::prelude::*;

use crate::components::notice::Receipt;
use crate::components::snippet::Texts;
use crate::components::table::table;
use crate::components::time::duration;
use crate::done::On;
use crate::error::ActionError;
use crate::links;
use crate::page::Page;
use crate::snippets;
use crate::visit::signed_in;

/// The page of one server.
pub async fn page(id: String, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = McpServerId::parse(&id).ok_or(ActionError::NotFound)?;
    let server = server::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)?;
    let issuer = visit.context.settings.public_url.clone();
    let title = server.name.clone();
    let rows = server
        .scopes
        .iter()
        .map(|scope| {
            view! {
                <tr>
                    <th scope="row"><code>{scope.name.clone()}</code></th>
                    <td data-label="Allows">{scope.description.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    let publish = (!server.built_in).then(|| publish(&server, &issuer));
    let body = view! {
        <Receipt on=On::Server done/>
        <div class="head">
            <div>
                <a href=links::SERVERS>"Back to the list"</a><h1>{server.name.clone()}</h1>
            </div>
        </div>
        <dl class="panel facts">
            <div><dt>"Resource"</dt><dd>{server.resource.clone()}</dd></div>
            <div><dt>"Token lifetime"</dt><dd>{duration(server.token_lifetime)}</dd></div>
            <div><dt>"Signature"</dt><dd>{server.alg.as_str()}</dd></div>
            <div><dt>"Issuer"</dt><dd>{issuer.clone()}</dd></div>
            <div><dt>"Keys"</dt><dd><a href=links::JWKS>"JWKS"</a></dd></div>
        </dl>
        <section class="panel" aria-labelledby="scopes">
            <header><h2 id="scopes">"Scopes"</h2></header>
            {table(["Scope", "What it allows"], rows)}
        </section>
        {publish}
    };
    Ok(Page::new(title, body))
}

/// The setup for the server's operator: the document that leads clients here, and the token check.
fn publish(server: &McpServer, issuer: &str) -> AnyView {
    let document = snippets::resource_metadata(server, issuer);
    let about = format!("Serve the document at {} and check every token.", server.metadata_url());
    view! { <Texts title="Protect the server" about texts=snippets::validators(server, issuer, document)/> }.into_any()
}
