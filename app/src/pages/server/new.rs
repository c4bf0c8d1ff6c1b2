//! The form that registers an MCP server.

use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::field_error::FieldError;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::person::team;
use domain::server::ServerDraft;

use crate::pages::credential::fields::{LifetimeChoice, read_lifetime, read_optional};
use crate::pages::server::access::{TypedAccess, access_choice};
use crate::prelude::*;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Name.
    pub name: String,
    /// Resource identifier.
    pub resource: String,
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
    /// Converts the fields to the input of the domain rules.
    pub fn draft(&self) -> Result<ServerDraft, Vec<FieldError>> {
        let token_lifetime = read_lifetime(&self.token_lifetime)?;
        let alg = read_algorithm(&self.alg)?.unwrap_or_default();
        Ok(ServerDraft {
            name: self.name.clone(),
            resource: self.resource.clone(),
            scopes: read_scopes(&self.scopes),
            token_lifetime,
            alg,
            access: if self.access.access.is_empty() { ServerAccess::All } else { self.access.chosen()? },
        })
    }
}

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
    let fields = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        <TextField id="resource" label="Resource" value=typed.resource required=true error=errors.at("resource")
            hint="The URL that programs call, such as https://docs.example.com/mcp. It is the audience of the tokens and cannot change later."/>
        <TextArea id="scopes" label="Scopes" value=typed.scopes error=errors.at("scopes") placeholder="docs:read Read the documents."
            hint=SCOPES_HINT/>
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime") default="10 minutes (default)"/>
        <Select id="alg" label="Signature" options=algorithm_options() chosen=typed.alg otherwise="ES256" error=errors.at("alg")
            hint="How its tokens are signed. The server must accept this algorithm."/>
        {access}
    };
    let page = FormPage::new("New MCP server", links::NEW_SERVER, "Add MCP server").back(links::SERVERS, "MCP servers");
    Ok(page.panel("Settings", fields).page(errors))
}
