//! The form that registers an MCP server.

use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::field_error::FieldError;
use domain::model::server::access::ServerAccess;
use domain::model::server::gateway::PATH;
use domain::model::server::{DEFAULT_SCOPE, ScopeDescription};
use domain::person::team;
use domain::server::ServerDraft;
use domain::server::gateway::{GatewayDraft, UpstreamHeader};

use crate::pages::credential::fields::{LifetimeChoice, read_lifetime, read_optional};
use crate::pages::server::access::{TypedAccess, access_choice};
use crate::prelude::*;

/// What was typed. It has no `Debug`, because it may hold a secret.
#[derive(Clone, Default)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// `gateway`: Countersign stands in front of the server. Otherwise the server checks tokens itself.
    pub mode: String,
    /// Resource identifier.
    pub resource: String,
    /// The address of the server behind the gateway.
    pub upstream: String,
    /// The last part of the address of the gateway.
    pub slug: String,
    /// The name of the header that proves Countersign to the server.
    pub header_name: String,
    /// The value of that header; empty: none is sent.
    pub header_value: String,
    /// One scope a line, followed by what it allows.
    pub scopes: String,
    /// Lifetime of tokens in seconds.
    pub token_lifetime: String,
    /// Signing algorithm: `ES256`, …
    pub alg: String,
    /// Who may use it; nothing chosen: all teams.
    pub access: TypedAccess,
}

impl Typed {
    /// What a server behind the gateway has besides; `None` for a server that checks tokens itself.
    pub fn gateway(&self) -> Option<GatewayDraft> {
        let header =
            (!self.header_value.trim().is_empty()).then(|| UpstreamHeader::new(&self.header_name, &self.header_value));
        let slug = Some(self.slug.trim().to_owned()).filter(|slug| !slug.is_empty());
        (self.mode == GATEWAY).then(|| GatewayDraft { upstream: self.upstream.clone(), slug, header })
    }

    /// Converts the fields to the input of the domain rules.
    pub fn draft(&self) -> Result<ServerDraft, Vec<FieldError>> {
        let token_lifetime = read_lifetime(&self.token_lifetime)?;
        let alg = read_algorithm(&self.alg)?.unwrap_or_default();
        let mut scopes = read_scopes(&self.scopes);
        if self.mode == GATEWAY && scopes.is_empty() {
            scopes.push(ScopeDescription::parse(&format!("{DEFAULT_SCOPE} Use the tools of {}.", self.name.trim())));
        }
        Ok(ServerDraft {
            name: self.name.clone(),
            resource: self.resource.clone(),
            scopes,
            token_lifetime,
            alg,
            access: if self.access.access.is_empty() { ServerAccess::All } else { self.access.chosen()? },
        })
    }
}

/// The mode of a server that Countersign stands in front of.
const GATEWAY: &str = "gateway";

/// What the form says about its scopes.
pub(super) const SCOPES_HINT: &str = "One per line, followed by what it allows. People read this before they allow an app access. The first scope is the \
     default. A scope can imply others: docs:write (implies docs:read) Create and change pages.";

/// Reads scopes: one a line, followed by what it allows.
pub(super) fn read_scopes(text: &str) -> Vec<ScopeDescription> {
    text.lines().filter(|line| !line.trim().is_empty()).map(ScopeDescription::parse).collect()
}

/// Reads the choice of an algorithm.
pub(super) fn read_algorithm(text: &str) -> Result<Option<TokenAlgorithm>, FieldError> {
    read_optional(text, TokenAlgorithm::parse, "alg", "Choose one of the list.")
}

/// The algorithms to choose from.
pub(super) fn algorithm_options() -> Vec<(String, String)> {
    options([
        ("ES256", "ES256 (recommended)"),
        ("EdDSA", "EdDSA"),
        ("PS256", "PS256: RSA-PSS"),
        ("RS256", "RS256: RSA, understood everywhere"),
    ])
}

/// The form with what was typed and what is wrong with it.
pub async fn form(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let access = access_choice(&teams, None, &typed.access, &errors);
    let behind = typed.mode == GATEWAY;
    let header_name = if typed.header_name.is_empty() { "Authorization".to_owned() } else { typed.header_name };
    let prefix = format!("{}{PATH}", visit.context.settings.public_url);
    let itself = view! {
        <div class="offer">
            {choice("radio", "mode", "itself", !behind, "It checks tokens itself")}
            <div class="offered stack">
                <TextField id="resource" label="Resource" value=typed.resource error=errors.at("resource")
                    hint="The URL that programs call, such as https://docs.example.com/mcp. It is the audience of the tokens and cannot change later."/>
            </div>
        </div>
    };
    let gateway = view! {
        <div class="offer">
            {choice("radio", "mode", GATEWAY, behind, "Put it behind Countersign: it needs no code")}
            <div class="offered stack">
                <TextField id="upstream" label="Address of the MCP server" value=typed.upstream error=errors.at("upstream")
                    hint="Countersign calls it, and clients call Countersign. Hosts in your own network, and plain http, must stand in the setting private_upstreams."/>
                <TextField id="slug" label="Address at the gateway" value=typed.slug error=errors.at("slug")
                    hint="Its last part, such as docs. Made of the name when empty. It is the audience of the tokens and cannot change later."/>
                <p class="hint">"Clients call "<code class="words">{prefix}"…"</code></p>
                <TextField id="header_name" label="Name of a header for the server" value=header_name error=errors.at("header_name")/>
                <TextField id="header_value" label="Value of that header" kind="password" value=typed.header_value error=errors.at("header_value")
                    hint="Such as Bearer and the key of the server. Nothing: no header. It is stored encrypted and never shown again."/>
            </div>
        </div>
    };
    let fields = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        <fieldset class="stack"><legend>"How tokens are checked"</legend>{itself}{gateway}</fieldset>
        <TextArea id="scopes" label="Scopes" value=typed.scopes error=errors.at("scopes") placeholder="docs:read Read the documents."
            hint=SCOPES_HINT/>
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime") default="10 minutes (default)"/>
        <Select id="alg" label="Signature" options=algorithm_options() chosen=typed.alg otherwise="ES256" error=errors.at("alg")
            hint="How its tokens are signed. A server that checks tokens itself must accept this algorithm."/>
        {access}
    };
    let page = FormPage::new("New MCP server", links::NEW_SERVER, "Add MCP server").back(links::SERVERS, "MCP servers");
    Ok(page.panel("Settings", fields).page(errors))
}
