//! MCP servers: the list, the form that registers one, and each one's page with what its operator needs.

use std::time::Duration;

use domain::error::FieldError;
use domain::id::McpServerId;
use domain::keys::TokenAlgorithm;
use domain::mcp_server::{self, McpServer, ScopeDescription, ServerDraft};
use leptos::prelude::*;

use crate::action::ActionError;
use crate::components::field::{Errors, Select, TextArea, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::{Done, ErrorSummary};
use crate::components::snippet::Texts;
use crate::components::status::ScopeTags;
use crate::components::time::duration;
use crate::pages::new_credential::{LifetimeChoice, read_lifetime};
use crate::render::{Frame, Page};
use crate::snippets;
use crate::visit::signed_in;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// Resource identifier.
    pub resource: String,
    /// One scope a line, with what it allows after it.
    pub scopes: String,
    /// Seconds.
    pub token_lifetime: String,
    /// `ES256`, …
    pub alg: String,
}

impl Typed {
    /// What the rules understand.
    pub fn draft(&self) -> Result<ServerDraft, Vec<FieldError>> {
        let token_lifetime: Option<Duration> = read_lifetime(&self.token_lifetime).map_err(|error| vec![error])?;
        let alg = match self.alg.as_str() {
            "" => TokenAlgorithm::default(),
            alg => TokenAlgorithm::parse(alg).ok_or_else(|| vec![FieldError::new("alg", "Choose one of the list.")])?,
        };
        let scope = |line: &str| {
            let (name, description) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            ScopeDescription { name: name.to_owned(), description: description.trim().to_owned() }
        };
        Ok(ServerDraft {
            name: self.name.clone(),
            resource: self.resource.clone(),
            scopes: self.scopes.lines().filter(|line| !line.trim().is_empty()).map(scope).collect(),
            token_lifetime,
            alg,
        })
    }
}

/// The list.
pub async fn page() -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let rows = mcp_server::list(&visit.context)
        .await?
        .into_iter()
        .map(|server| {
            let built_in = server.built_in.then(|| view! { <div class="sub">"built in"</div> });
            let scopes = server.scopes.iter().map(|scope| scope.name.clone()).collect();
            view! {
                <tr>
                    <th scope="row"><a class="name" href=format!("/servers/{}", server.id)>{server.name}</a>{built_in}</th>
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
                <a class="button" data-kind="primary" href="/servers/new">"Add an MCP server"</a>
            })}
        </div>
        <section class="panel" aria-label="MCP servers">
            <table>
                <thead><tr>
                    <th scope="col">"Name"</th><th scope="col">"Resource"</th><th scope="col">"Scopes"</th>
                    <th scope="col">"Tokens"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    };
    Ok(Page::new("MCP servers", body))
}

/// The form with what was typed and what is wrong with it.
pub async fn form(typed: Typed, errors: Vec<FieldError>) -> Result<Page, ActionError> {
    signed_in()?;
    let status = if errors.is_empty() { 200 } else { 422 };
    let of = Errors(errors.clone());
    let algorithms = [
        ("ES256", "ES256 (recommended)"),
        ("EdDSA", "EdDSA"),
        ("PS256", "PS256, for verifiers that know only RSA"),
        ("RS256", "RS256, for verifiers that know nothing else"),
    ];
    let options = algorithms.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let alg = if typed.alg.is_empty() { "ES256".to_owned() } else { typed.alg };
    let body = view! {
        <ErrorSummary errors/>
        <div class="head">
            <div><a href="/servers">"Back to the list"</a><h1>"New MCP server"</h1></div>
        </div>
        <form method="post" action="/servers/new" class="stack">
            <FormToken/>
            <section class="panel body" aria-label="Settings">
                <TextField id="name" label="Name" value=typed.name required=true error=of.at("name")/>
                <TextField id="resource" label="Resource" value=typed.resource required=true error=of.at("resource")
                    hint="The URL that clients call, such as https://docs.example.com/mcp. It is the aud of the tokens."/>
                <TextArea id="scopes" label="Scopes" value=typed.scopes error=of.at("scopes") placeholder="docs:read Read the documents."
                    hint="One a line, followed by what it allows. The first is what a new credential gets."/>
                <LifetimeChoice chosen=typed.token_lifetime error=of.at("token_lifetime") default="10 minutes (default)"/>
                <Select id="alg" label="Signature" options chosen=alg error=of.at("alg")
                    hint="How its tokens are signed. Its verifier must accept this."/>
            </section>
            <div class="row">
                <button class="button" data-kind="primary">"Add MCP server"</button>
                <a class="button" data-kind="quiet" href="/servers">"Cancel"</a>
            </div>
        </form>
    };
    Ok(Page::new("New MCP server", body).framed(Frame::Narrow).answering(status))
}

/// The page of one server.
pub async fn one(id: String, done: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let id = McpServerId::parse(&id).ok_or(ActionError::NotFound)?;
    let server = mcp_server::find(&visit.context, &id).await?.ok_or(ActionError::NotFound)?;
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
        {done.then(|| view! { <Done text="Added. Credentials can be limited to it from now on.".to_owned()/> })}
        <div class="head">
            <div>
                <a href="/servers">"Back to the list"</a><h1>{server.name.clone()}</h1>
            </div>
        </div>
        <dl class="panel facts">
            <div><dt>"Resource"</dt><dd>{server.resource.clone()}</dd></div>
            <div><dt>"Token lifetime"</dt><dd>{duration(server.token_lifetime)}</dd></div>
            <div><dt>"Signature"</dt><dd>{server.alg.as_str()}</dd></div>
            <div><dt>"Issuer"</dt><dd>{issuer.clone()}</dd></div>
            <div><dt>"Keys"</dt><dd><a href="/mcp/oauth/jwks">"JWKS"</a></dd></div>
        </dl>
        <section class="panel" aria-labelledby="scopes">
            <header><h2 id="scopes">"Scopes"</h2></header>
            <table>
                <thead><tr><th scope="col">"Scope"</th><th scope="col">"What it allows"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
        {publish}
    };
    Ok(Page::new(title, body))
}

/// What the server's operator puts in place: the document that leads clients here, and the check of tokens.
fn publish(server: &McpServer, issuer: &str) -> AnyView {
    let document = snippets::resource_metadata(server, issuer);
    let about = format!("Serve the document at {} and check every token.", server.metadata_url());
    view! { <Texts title="Protect the server" about texts=snippets::validators(server, issuer, document)/> }.into_any()
}
