//! Generating a credential. Only the name is required.
//!
//! A handler of the server answers the form, beside this page's route. A server function cannot: it answers a plain
//! form with a redirect, and the redirect's body or address would have to carry the secret.

use domain::base::id::McpServerId;
use domain::model::credential::AuthMethod;
use domain::model::credential::draft::{Draft, DraftProof};
use domain::model::field_error::FieldError;
use domain::model::person::authority::Role;
use domain::model::server::{McpServer, PRIVILEGED_SCOPES};
use domain::server;

use crate::components::form::proof::{IdentityFields, KeyFields, TypedIdentity, TypedKeys};
use crate::pages::credential::authenticators::{identity_draft, keys_draft};
use crate::pages::credential::fields::{
    ExpiryChoice, LifetimeChoice, RuleChoice, ScopeChoice, or_note, read_expiry, read_lifetime, read_optional,
    read_rules, read_team, rule_words, team_choice,
};
use crate::pages::credential::find;
use crate::pages::credential::list::short_resource;
use crate::prelude::*;

/// The fields, as they are on the wire.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Identifier of the team that owns it.
    pub team: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Resource identifiers of MCP servers; the built-in one when none is ticked.
    pub servers: Vec<String>,
    /// Ticked scopes.
    pub scopes: Vec<String>,
    /// `7`, `30`, `90`, `365`, `date` or `never`.
    pub expiry: String,
    /// The day for `date`.
    pub expires_on: String,
    /// Lifetime of tokens in seconds; empty: the server's rule.
    pub token_lifetime: String,
    /// Address ranges, one a line.
    pub ip_ranges: String,
    /// How the credential authenticates: the words of [`AuthMethod`].
    pub method: String,
    /// For `private_key_jwt`.
    pub keys: TypedKeys,
    /// For `federated`.
    pub identity: TypedIdentity,
    /// Ticked exceptions for assertions: `token_endpoint_audience`, `reusable`, `jwt_bearer`.
    pub assertions: Vec<String>,
}

impl Typed {
    /// Converts the fields to the input of the domain rules.
    pub fn draft(&self) -> Result<Draft, Vec<FieldError>> {
        let mut errors = Vec::new();
        let expiry = or_note(&mut errors, read_expiry(&self.expiry, &self.expires_on));
        let method = read_optional(&self.method, AuthMethod::parse, "method", "Choose one of the ways.");
        let method = or_note(&mut errors, method).unwrap_or_default();
        let token_lifetime = or_note(&mut errors, read_lifetime(&self.token_lifetime));
        let team = or_note(&mut errors, read_team(&self.team));
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Draft {
            team,
            name: self.name.clone(),
            description: self.description.clone(),
            servers: self.servers.clone(),
            scopes: self.scopes.clone(),
            expiry,
            token_lifetime,
            ip_ranges: self.ip_ranges.lines().map(str::to_owned).collect(),
            proof: match method {
                AuthMethod::ClientSecret => DraftProof::Secret,
                AuthMethod::PrivateKeyJwt => DraftProof::Keys(keys_draft(&self.keys)),
                AuthMethod::Federated => DraftProof::Federated(identity_draft(&self.identity)),
            },
            assertions: read_rules(&self.assertions),
        })
    }

    /// The settings of an existing credential, to generate a similar one.
    async fn like(client_id: &str) -> Result<Self, ActionError> {
        let visit = signed_in()?;
        let found = find(&visit, client_id).await?;
        let servers = server::list(&visit.context).await?;
        let resource =
            |id: &McpServerId| servers.iter().find(|server| server.id == *id).map(|server| server.resource.clone());
        Ok(Self {
            team: found.team.to_string(),
            name: found.name,
            description: found.description,
            servers: found.servers.iter().filter_map(resource).collect(),
            scopes: found.scopes.iter().map(str::to_owned).collect(),
            token_lifetime: found.token_lifetime.map(|lifetime| lifetime.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: found.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            method: found.auth_method.as_str().to_owned(),
            assertions: rule_words(found.assertions),
            ..Self::default()
        })
    }
}

/// The form: empty, filled with the settings of the credential `from`, or filled with the example of a kind of issuer.
pub async fn page(from: Option<&str>, example: Option<&str>) -> Result<Page, ActionError> {
    let typed = match (from, example) {
        (Some(from), _) => Typed::like(from).await?,
        (None, Some(word)) => Typed {
            method: AuthMethod::Federated.as_str().to_owned(),
            identity: TypedIdentity::example(word),
            ..Typed::default()
        },
        (None, None) => Typed::default(),
    };
    form(Form::new(typed)).await
}

/// The form, with the typed values and the errors.
pub async fn form(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let mut servers = server::list(&visit.context).await?;
    // A server that was asked for stays, so that the error about it stands beside it.
    let authority = visit.authority()?;
    servers.retain(|server| server.admits(authority) || typed.servers.contains(&server.resource));
    let mut left_out = None;
    if !visit.authority()?.is_administrator() {
        servers.iter_mut().for_each(|server| server.keep_privileged_scopes(&[]));
        let asked: Vec<_> =
            PRIVILEGED_SCOPES.into_iter().filter(|scope| typed.scopes.iter().any(|own| own == scope)).collect();
        let words = format!("Without {}: only an administrator grants that.", asked.join(" and "));
        left_out = (!asked.is_empty()).then(|| view! { <p class="muted">{words}</p> });
    }
    let team = team_choice(&visit, Role::Member, typed.team.clone(), errors.at("team")).await?;
    let options_open =
        errors.0.iter().any(|error| !matches!(error.field, "name" | "team" | "your_password" | "your_code"))
            || !typed.description.is_empty()
            || !matches!(typed.method.as_str(), "" | "client_secret")
            || !typed.ip_ranges.is_empty();
    let fields = view! {
        <section class="panel" aria-label="Settings">
            <div class="body">
                <TextField id="name" label="Name" value=typed.name.clone() required=true error=errors.at("name")
                    hint="The job or service that will use it, such as nightly-index."/>
                {team}
                {left_out}
                <p class="muted">
                    "Default: built-in server, scope "<code>"mcp:read"</code>", expires in 90 days, tokens last 10 minutes."
                </p>
            </div>
            <details class="more" open=options_open>
                <summary>"More options"</summary>
                <div class="body">{more_options(typed, servers, &errors)}</div>
            </details>
        </section>
    };
    let page = FormPage::new("New credential", links::NEW_CREDENTIAL, "Generate credentials")
        .lead("One credential for one program. A name is enough; the rest has safe defaults.")
        .cancel(links::CREDENTIALS);
    Ok(page.fields(fields).confirm(visit.must_confirm()).page(errors))
}

/// Settings that most credentials do not need.
fn more_options(typed: Typed, servers: Vec<McpServer>, errors: &Errors) -> AnyView {
    let example = format!("{}?example=", links::NEW_CREDENTIAL);
    html! {
        <MethodChoice chosen=typed.method error=errors.at("method")/>
        <div class="stack for-key"><KeyFields typed=typed.keys errors=errors.clone()/></div>
        <div class="stack for-identity"><IdentityFields typed=typed.identity errors=errors.clone() example/></div>
        <RuleChoice ticked=typed.assertions/>
        <TextField id="description" label="Description" value=typed.description error=errors.at("description")
            hint="What runs with it and whom to ask."/>
        <ServerChoice servers=servers.clone() chosen=typed.servers error=errors.at("server")/>
        <ScopeChoice servers chosen=typed.scopes error=errors.at("scopes")/>
        <ExpiryChoice chosen=typed.expiry day=typed.expires_on errors=errors.clone()/>
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime")/>
        <TextArea id="ip_ranges" label="Allowed IP ranges" value=typed.ip_ranges placeholder="10.2.0.0/16"
            hint="One address or CIDR range a line. Empty allows every address." error=errors.at("ip_ranges")/>
    }
}

#[component]
fn MethodChoice(chosen: String, error: Option<String>) -> AnyView {
    let chosen = if chosen.is_empty() { AuthMethod::default().as_str().to_owned() } else { chosen };
    let methods = [
        (AuthMethod::ClientSecret, "Client secret", "Generated here, shown once. Every client can use it."),
        (
            AuthMethod::PrivateKeyJwt,
            "Public key",
            "The program signs with a key that never leaves it. Nothing secret is stored here.",
        ),
        (
            AuthMethod::Federated,
            "Federated identity",
            "A CI job, cluster or cloud proves itself with its own token. There is no secret at all.",
        ),
    ];
    let items = methods.map(|(method, word, hint)| {
        let words = view! { {word}<span class="hint">{hint}</span> };
        choice("radio", "method", method.as_str(), method.as_str() == chosen, words)
    });
    choices("method", "Authentication", None, items, error)
}

#[component]
fn ServerChoice(servers: Vec<McpServer>, chosen: Vec<String>, error: Option<String>) -> AnyView {
    let items = servers.into_iter().map(|server| {
        let checked = chosen.contains(&server.resource) || (chosen.is_empty() && server.built_in);
        let words = format!("{} ({})", server.name, short_resource(&server.resource));
        choice("checkbox", "server", server.resource, checked, words)
    });
    let hint = "A token is for one of them: the first, unless the program asks for another.";
    choices("server", "MCP servers", Some(hint), items, error)
}
