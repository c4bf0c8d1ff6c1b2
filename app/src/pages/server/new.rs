//! The form that registers an MCP server.

use std::time::Duration;

use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::field_error::FieldError;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::server::ServerDraft;

use crate::pages::credential::fields::{LifetimeChoice, read_lifetime};
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
            access: if self.access.access.is_empty() { ServerAccess::All } else { self.access.chosen()? },
        })
    }
}

/// The form with what was typed and what is wrong with it.
pub async fn form(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let access = access_choice(&visit, &typed.access, &errors).await?;
    let options = options([
        ("ES256", "ES256 (recommended)"),
        ("EdDSA", "EdDSA"),
        ("PS256", "PS256, for verifiers that know only RSA"),
        ("RS256", "RS256, for verifiers that know nothing else"),
    ]);
    let fields = view! {
        <TextField id="name" label="Name" value=typed.name required=true error=errors.at("name")/>
        <TextField id="resource" label="Resource" value=typed.resource required=true error=errors.at("resource")
            hint="The URL that clients call, such as https://docs.example.com/mcp. It is the aud of the tokens."/>
        <TextArea id="scopes" label="Scopes" value=typed.scopes error=errors.at("scopes") placeholder="docs:read Read the documents."
            hint="One a line, followed by what it allows. The first is what a new credential gets."/>
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime") default="10 minutes (default)"/>
        <Select id="alg" label="Signature" options chosen=typed.alg otherwise="ES256" error=errors.at("alg")
            hint="How its tokens are signed. Its verifier must accept this."/>
        {access}
    };
    let page =
        FormPage::new("New MCP server", links::NEW_SERVER, "Add MCP server").back(links::SERVERS, "Back to the list");
    Ok(page.panel("Settings", fields).page(errors))
}
