//! Generating a credential. Only the name is required.
//!
//! A handler of the server answers the form, beside this page's route. A server function cannot: it answers a plain
//! form with a redirect, and the redirect's body or address would have to carry the secret.
//!
//! Where a policy lets a manager approve what members generate, the same form sends a request: see [`request`].

pub mod request;

use domain::base::id::{ClientId, McpServerId, TeamId};
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::key::KeysAt;
use domain::model::credential::request::GenerationRequest;
use domain::model::credential::{AuthMethod, Credential};
use domain::model::field_error::FieldError;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::Team;
use domain::model::server::McpServer;
use domain::operations::policy;
use domain::server;

use crate::components::form::proof::{IdentityFields, KeyFields, TypedIdentity, TypedKeys};
use crate::pages::credential::authenticators::{identity_draft, keys_draft, typed_identity};
use crate::pages::credential::fields::{
    Choose, ExpiryChoice, ExpiryLimits, LifetimeChoice, RuleChoice, keep_grantable, or_note, owner_choice, read_expiry,
    read_lifetime, read_optional, read_owner, read_rules, read_scopes, read_tags, read_team, rule_words, server_cards,
    team_choice, words_fields,
};
use crate::pages::credential::find;
use crate::pages::credential::list::server_names;
use crate::prelude::*;

/// The fields, as they are on the wire.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Client ID of the credential whose settings fill the form.
    pub from: String,
    /// `duplicate`: the new credential stands beside that one. Otherwise it replaces that one.
    pub purpose: String,
    /// Identifier of the team that owns it.
    pub team: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Notes.
    pub notes: String,
    /// Identifier of the person who answers for it; empty: who generates it.
    pub owner: String,
    /// Tags, separated by spaces.
    pub tags: String,
    /// Resource identifiers or IDs of ticked MCP servers.
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
    /// For the manager who approves it: what it is needed for.
    pub why: String,
}

impl Typed {
    /// Converts the fields to the input of the domain rules, with what cannot be read. `offered` are the MCP servers
    /// that the form offers: a form that offers one server means that one.
    pub fn draft(&self, offered: &[McpServer]) -> (Draft, Vec<FieldError>) {
        let mut errors = Vec::new();
        let method = read_optional(&self.method, AuthMethod::parse, "method", "Choose one of the ways.");
        let method = or_note(&mut errors, method).unwrap_or_default();
        let mut servers = self.servers.clone();
        match (servers.is_empty(), offered) {
            (true, [only]) => servers.push(only.resource.clone()),
            (true, _) => errors.push(FieldError::new("server", "Choose at least one MCP server.")),
            (false, _) => {}
        }
        let sources = [&self.keys.document, &self.keys.jwks_uri, &self.keys.public_key];
        if method == AuthMethod::PrivateKeyJwt && sources.iter().filter(|source| !source.trim().is_empty()).count() > 1
        {
            let message = "Give one of these: the document, the address of the keys, or a key.";
            let field = if self.keys.document.trim().is_empty() { "jwks_uri" } else { "document" };
            errors.push(FieldError::new(field, message));
        }
        let draft = Draft {
            team: or_note(&mut errors, read_team(&self.team)),
            name: self.name.clone(),
            description: self.description.clone(),
            notes: self.notes.clone(),
            owner: or_note(&mut errors, read_owner(&self.owner)),
            tags: read_tags(&self.tags),
            scopes: read_scopes(&self.scopes, &servers),
            servers,
            expiry: or_note(&mut errors, read_expiry(&self.expiry, &self.expires_on)),
            token_lifetime: or_note(&mut errors, read_lifetime(&self.token_lifetime)),
            ip_ranges: self.ip_ranges.lines().map(str::to_owned).collect(),
            proof: match method {
                AuthMethod::ClientSecret => DraftProof::Secret,
                AuthMethod::PrivateKeyJwt if !self.keys.document.trim().is_empty() => {
                    DraftProof::Document(self.keys.document.trim().to_owned())
                }
                AuthMethod::PrivateKeyJwt if !self.keys.jwks_uri.trim().is_empty() => {
                    DraftProof::KeysAt(self.keys.jwks_uri.trim().to_owned())
                }
                AuthMethod::PrivateKeyJwt => DraftProof::Keys(keys_draft(&self.keys)),
                AuthMethod::Federated => DraftProof::Federated(identity_draft(&self.identity)),
            },
            assertions: read_rules(&self.assertions),
            replaces: ClientId::parse(&self.from).filter(|_| self.purpose != DUPLICATE),
        };
        (draft, errors)
    }

    /// What a request asked for, to ask for something similar.
    fn again(found: &GenerationRequest, servers: &[McpServer]) -> Self {
        let draft = &found.draft;
        let resource = |id: &String| servers.iter().find(|one| one.id.as_str() == id).map(|one| one.resource.clone());
        let (expiry, expires_on) = match draft.expiry {
            Expiry::Never => ("never".to_owned(), String::new()),
            Expiry::After(time) => ((time.as_secs() / (24 * 3600)).to_string(), String::new()),
            Expiry::At(at) => ("date".to_owned(), at.rfc3339().chars().take(10).collect()),
        };
        let mut typed = Self {
            team: found.team.to_string(),
            name: draft.name.clone(),
            description: draft.description.clone(),
            notes: draft.notes.clone(),
            owner: draft.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            tags: draft.tags.join(" "),
            servers: draft.servers.iter().filter_map(resource).collect(),
            scopes: draft.scopes.clone(),
            expiry,
            expires_on,
            token_lifetime: draft.token_lifetime.map(|time| time.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: draft.ip_ranges.join("\n"),
            assertions: rule_words(draft.assertions),
            why: found.reason.clone(),
            ..Self::default()
        };
        match &draft.proof {
            DraftProof::Secret => {}
            DraftProof::Keys(keys) => typed.keys.public_key.clone_from(&keys.text),
            DraftProof::KeysAt(address) => typed.keys.jwks_uri.clone_from(address),
            DraftProof::Document(address) => typed.keys.document.clone_from(address),
            DraftProof::Federated(identity) => typed.identity = typed_identity(identity),
        }
        let method = match draft.proof {
            DraftProof::Secret => AuthMethod::ClientSecret,
            DraftProof::Federated(_) => AuthMethod::Federated,
            _ => AuthMethod::PrivateKeyJwt,
        };
        method.as_str().clone_into(&mut typed.method);
        typed
    }

    /// The settings of an existing credential, to generate a similar one.
    fn like(found: &Credential, servers: &[McpServer], purpose: &str) -> Self {
        let resource =
            |id: &McpServerId| servers.iter().find(|server| server.id == *id).map(|server| server.resource.clone());
        let name = if purpose == DUPLICATE { format!("{} copy", found.name) } else { found.name.clone() };
        Self {
            from: found.client_id.to_string(),
            purpose: purpose.to_owned(),
            team: found.team.to_string(),
            name: if name.chars().count() > 100 { found.name.clone() } else { name },
            description: found.description.clone(),
            notes: found.notes.clone(),
            tags: found.tags.join(" "),
            servers: found.servers.iter().filter_map(resource).collect(),
            scopes: found.scopes.iter().map(str::to_owned).collect(),
            token_lifetime: found.token_lifetime.map(|lifetime| lifetime.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: found.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            method: found.auth_method.as_str().to_owned(),
            // A document is of one credential, so it is not copied.
            keys: TypedKeys {
                jwks_uri: found.keys_at.as_ref().and_then(KeysAt::jwks_uri).unwrap_or_default().to_owned(),
                ..TypedKeys::default()
            },
            assertions: rule_words(found.assertions),
            ..Self::default()
        }
    }
}

/// The purpose of a form that makes another credential beside one.
const DUPLICATE: &str = "duplicate";

/// What the address of the page says.
#[derive(Debug, Clone, Default)]
pub struct NewQuery {
    /// Client ID of the credential whose settings fill the form.
    pub from: Option<String>,
    /// See [`Typed::purpose`].
    pub purpose: String,
    /// The example of a kind of issuer that fills the form.
    pub example: Option<String>,
    /// The ID of the MCP server that is ticked.
    pub server: Option<String>,
    /// The client ID metadata document that is approved.
    pub document: Option<String>,
    /// The request whose draft fills the form.
    pub request: Option<String>,
}

/// The form: empty, filled with the settings of a credential, or filled with the example of a kind of issuer.
pub async fn page(query: NewQuery) -> Result<Page, ActionError> {
    let NewQuery { from, purpose, example, server, document, request } = query;
    if let Some(id) = request {
        let visit = signed_in()?;
        let found = request::find(&visit, &id).await?;
        return form(Form::new(Typed::again(&found, &server::list(&visit.context).await?))).await;
    }
    let mut typed = match (from, example) {
        (Some(from), _) => {
            let visit = signed_in()?;
            let found = find(&visit, &from).await?;
            Typed::like(&found, &server::list(&visit.context).await?, &purpose)
        }
        (None, Some(word)) => Typed {
            method: AuthMethod::Federated.as_str().to_owned(),
            identity: TypedIdentity::example(&word),
            ..Typed::default()
        },
        (None, None) => Typed::default(),
    };
    typed.servers.extend(server);
    if let Some(document) = document {
        typed.method = AuthMethod::PrivateKeyJwt.as_str().to_owned();
        typed.keys.document = document;
    }
    form(Form::new(typed)).await
}

/// The MCP servers that the person may use.
pub async fn offered(visit: &Visit) -> Result<Vec<McpServer>, ActionError> {
    let mut servers = server::list(&visit.context).await?;
    let authority = visit.authority()?;
    servers.retain(|server| server.admits(authority));
    Ok(servers)
}

/// Fields of the first view. An error at another one opens the options.
const FIRST: [&str; 9] =
    ["name", "team", "server", "scopes", "expiry", "expires_on", "your_password", "your_code", "main"];

/// The fields in the order of the form.
const ORDER: [&str; 22] = [
    "name",
    "team",
    "server",
    "scopes",
    "expiry",
    "expires_on",
    "method",
    "jwks_uri",
    "document",
    "label",
    "public_key",
    "issuer",
    "subject",
    "claims",
    "audience",
    "jwks",
    "owner",
    "tags",
    "description",
    "notes",
    "token_lifetime",
    "ip_ranges",
];

/// What to do about ticked servers that are not open to the chosen team. An administrator gets the way to add it.
fn open_to_team(authority: &Authority, typed: &Typed, servers: &[McpServer], teams: &[Team]) -> AnyView {
    let chosen = match (typed.team.as_str(), teams) {
        ("", [only]) => Some(only),
        ("", teams) => teams.iter().find(|team| team.id == TeamId::first()),
        (id, teams) => teams.iter().find(|team| team.id.as_str() == id),
    };
    let Some(team) = chosen else { return ().into_any() };
    let is_closed = |server: &&McpServer| {
        let ticked = |word: &String| *word == server.resource || word == server.id.as_str();
        typed.servers.iter().any(ticked) && !server.access.admits_team(&team.id)
    };
    let administers = authority.is_administrator();
    let line = |server: &McpServer| match administers {
        true => {
            let words = format!("Add {} to the access of {}", team.name, server.name);
            html! { <p><a href=links::server_access(&server.id)>{words}</a></p> }
        }
        false => {
            html! { <p>{format!("Ask an administrator to add {} to the access of {}.", team.name, server.name)}</p> }
        }
    };
    servers.iter().filter(is_closed).map(line).collect_view().into_any()
}

/// The form, with the typed values and the errors.
pub async fn form(form: Form<Typed>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let Form { typed, errors, .. } = form;
    let errors = errors.in_order(&ORDER);
    let mut servers = server::list(&visit.context).await?;
    // A server that was asked for stays, so that the error about it stands beside it.
    let authority = visit.authority()?;
    servers.retain(|server| server.admits(authority) || typed.servers.contains(&server.resource));
    let left_out = keep_grantable(&visit, &mut servers, &typed.scopes, &[])?;
    let left_out = (!left_out.is_empty()).then(|| {
        view! { <p class="muted">{format!("Without {}: only an administrator grants that.", left_out.join(" and "))}</p> }
    });
    let model = match typed.from.as_str() {
        "" => None,
        from => find(&visit, from).await.ok(),
    };
    let team = team_choice(&visit, Role::Member, typed.team.clone(), errors.at("team")).await?;
    let you = format!("You ({})", visit.viewer()?.name);
    let owner = owner_choice(&visit, Role::Member, &you, true, None, typed.owner.clone(), errors.at("owner")).await?;
    let is_set = |text: &String| !text.is_empty();
    let options_open = errors.0.iter().any(|error| !FIRST.contains(&error.field))
        || model.is_some()
        || !matches!(typed.method.as_str(), "" | "client_secret")
        || [&typed.description, &typed.notes, &typed.tags, &typed.owner, &typed.ip_ranges].into_iter().any(is_set);
    let teams = domain::person::team::list(&visit.context, authority).await?;
    let (title, lead) = heading(model.as_ref(), &typed.purpose, &server::list(&visit.context).await?, servers.len());
    let remedy = errors.at("server").map(|_| open_to_team(authority, &typed, &servers, &teams));
    let (from, purpose) = (typed.from.clone(), typed.purpose.clone());
    let limits = ExpiryLimits::of(&visit, AuthMethod::ClientSecret).await?;
    let (verb, approval) = approval(&visit, &teams, &typed, &errors).await?;
    let lead = match verb {
        "Ask for approval" => "A manager of the team approves it. Then you generate it.".to_owned(),
        _ => lead,
    };
    let fields = view! {
        <section class="panel" aria-label="Settings">
            <div class="body">
                <TextField id="name" label="Name" value=typed.name.clone() required=true error=errors.at("name")
                    hint="The job or service that will use it, such as nightly-index."/>
                {team}
                {server_cards(Choose::Several, servers, &teams, &typed.servers, &typed.scopes, &errors)}
                {remedy}
                {left_out}
                <ExpiryChoice chosen=typed.expiry.clone() day=typed.expires_on.clone() errors=errors.clone() limits/>
                {approval}
            </div>
            <details class="more" open=options_open>
                <summary>"More options"</summary>
                <div class="body">{more_options(typed, owner, authority.is_administrator(), &errors)}</div>
            </details>
        </section>
    };
    let page = FormPage::new(title, links::NEW_CREDENTIAL, verb).lead(lead).cancel(links::CREDENTIALS);
    Ok(page.hidden("from", from).hidden("as", purpose).fields(fields).confirm(visit.must_confirm()).page(errors))
}

/// What the button says, and what a member writes for the manager who approves the credential.
async fn approval(
    visit: &Visit,
    teams: &[Team],
    typed: &Typed,
    errors: &Errors,
) -> Result<(&'static str, Option<AnyView>), ActionError> {
    let (policies, authority) = (policy::all(&visit.context).await?, visit.authority()?);
    let own: Vec<&Team> = teams.iter().filter(|team| visit.may(&team.id, Role::Member)).collect();
    let asked: Vec<&str> =
        own.iter().filter(|team| policies.needs_approval(authority, &team.id)).map(|team| team.name.as_str()).collect();
    if asked.is_empty() {
        return Ok(("Generate credentials", None));
    }
    let (verb, hint) = match asked.len() == own.len() {
        true => {
            ("Ask for approval", "A manager of the team reads this and approves the credential. Then you generate it.")
        }
        false => {
            ("Generate or ask", "In teams where you are a member, a manager reads this and approves the credential.")
        }
    };
    let field = html! {
        <TextArea id="why" label="For the manager" value=typed.why.clone() error=errors.at("reason") hint
            placeholder="What it is needed for"/>
    };
    Ok((verb, Some(field)))
}

/// The title, and what the form begins with.
fn heading(model: Option<&Credential>, purpose: &str, servers: &[McpServer], offered: usize) -> (String, String) {
    let Some(model) = model else {
        let needed = if offered > 1 { "Name it and choose its MCP servers." } else { "A name is enough." };
        return ("New credential".to_owned(), format!("One credential for one program. {needed}"));
    };
    let ranges: Vec<String> = model.ip_ranges.iter().map(ToString::to_string).collect();
    let method = match model.auth_method {
        AuthMethod::ClientSecret => "client secret",
        AuthMethod::PrivateKeyJwt => "public key",
        AuthMethod::Federated => "federated identity",
    };
    let settings = [
        server_names(model, servers).join(", "),
        model.scopes.to_string(),
        if ranges.is_empty() { "every address".to_owned() } else { ranges.join(", ") },
        method.to_owned(),
    ];
    let what = if purpose == DUPLICATE { "Duplicate of" } else { "Replacement for" };
    (format!("{what} {}", model.name), format!("Same settings: {}.", settings.join(" · ")))
}

/// Settings that most credentials do not need.
fn more_options(typed: Typed, owner: AnyView, administers: bool, errors: &Errors) -> AnyView {
    let document = (administers || errors.at("document").is_some()).then(|| {
        view! {
            <TextField id="document" label="Client metadata document" kind="url" value=typed.keys.document.clone()
                error=errors.at("document")
                hint="The https address at which the program describes itself and names its keys, in place of both. It may use that address as client ID."/>
        }
    });
    let example = format!("{}?example=", links::NEW_CREDENTIAL);
    html! {
        <MethodChoice chosen=typed.method error=errors.at("method")/>
        <div class="stack for-key">
            <TextField id="jwks_uri" label="Address of the keys" kind="url" value=typed.keys.jwks_uri.clone()
                error=errors.at("jwks_uri")
                hint="Where the program publishes its keys (JWKS), in place of a key below. The program can then replace its keys without a change here."/>
            {document}
            <KeyFields typed=typed.keys errors=errors.clone()/>
        </div>
        <div class="stack for-identity"><IdentityFields typed=typed.identity errors=errors.clone() example/></div>
        <RuleChoice ticked=typed.assertions/>
        {owner}
        {words_fields(typed.tags, typed.description, typed.notes, errors)}
        <LifetimeChoice chosen=typed.token_lifetime error=errors.at("token_lifetime")/>
        <TextArea id="ip_ranges" label="Allowed IP ranges" value=typed.ip_ranges placeholder="10.2.0.0/16"
            hint="One address or CIDR range per line. Empty allows every address." error=errors.at("ip_ranges")/>
    }
}

#[component]
fn MethodChoice(chosen: String, error: Option<String>) -> AnyView {
    let chosen = if chosen.is_empty() { AuthMethod::default().as_str().to_owned() } else { chosen };
    let methods = [
        (AuthMethod::ClientSecret, "Client secret", "Generated here and shown once. Every client can use it."),
        (
            AuthMethod::PrivateKeyJwt,
            "Public key",
            "The program signs with its own key. Countersign stores only the public half.",
        ),
        (
            AuthMethod::Federated,
            "Federated identity",
            "A CI job, cluster or cloud proves itself with its own token. There is no secret to store.",
        ),
    ];
    let items = methods.map(|(method, word, hint)| {
        let words = view! { {word}<span class="hint">{hint}</span> };
        choice("radio", "method", method.as_str(), method.as_str() == chosen, words)
    });
    choices("method", "Authentication", None, items, error)
}
