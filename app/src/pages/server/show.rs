//! The page of one MCP server, with the setup for its operator.

use domain::model::credential::usage::Period;

use crate::pages::credential::usage::server_usage;
use crate::pages::server::access::{access_panel, find};
use crate::prelude::*;
use crate::snippets;

/// The page of one server.
pub async fn page(id: String, period: Period, done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let server = find(&visit, &id).await?;
    let access = access_panel(&visit, &server).await?;
    let usage = server_usage(&visit, &server.id, period, &links::server(&id)).await?;
    let issuer = visit.context.settings.public_url.clone();
    // The setup for the server's operator: the document that leads clients here, and the token check.
    let publish = (!server.built_in).then(|| {
        let texts = snippets::validators(&server, &issuer);
        let about = format!("Serve the document at {} and check every token.", server.metadata_url());
        view! { <Texts title="Protect the server" about texts/> }
    });
    let rows = server.scopes.into_iter().map(|scope| cells![html! { <code>{scope.name}</code> }, scope.description]);
    let rows = table(["Scope".into(), Column::labelled("What it allows", "Allows")], rows);
    let body = view! {
        <Receipt on=On::Server done/>
        {head((links::SERVERS, "Back to the list"), server.name.clone(), (), ())}
        <dl class="panel facts">
            <div><dt>"Resource"</dt><dd>{server.resource}</dd></div>
            <div><dt>"Token lifetime"</dt><dd>{duration(server.token_lifetime)}</dd></div>
            <div><dt>"Signature"</dt><dd>{server.alg.as_str()}</dd></div>
            <div><dt>"Issuer"</dt><dd>{issuer}</dd></div>
            <div><dt>"Keys"</dt><dd><a href=links::JWKS>"JWKS"</a></dd></div>
        </dl>
        {access}
        {panel("scopes", "Scopes", (), rows)}
        {usage}
        {publish}
    };
    Ok(Page::new(server.name, body))
}
