//! The form that registers an MCP server.

use std::time::Duration;

use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::field_error::FieldError;
use domain::model::server::ScopeDescription;
use domain::server::ServerDraft;
use leptos::prelude::*;

use crate::components::field::{Errors, Select, TextArea, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::error::ActionError;
use crate::page::{Frame, Page};
use crate::pages::credential::fields::{LifetimeChoice, read_lifetime};
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
