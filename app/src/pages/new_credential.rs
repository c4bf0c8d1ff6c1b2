//! Generating a credential: the name is enough.
//!
//! The form is answered by a handler of the server beside this page's route, not by a server function: a plain form
//! sent to a server function is answered with a redirect, whose body or address would have to carry the secret.

use std::time::Duration;

use domain::authority::Role;
use domain::clock::Timestamp;
use domain::credential;
use domain::credential::draft::{Draft, Expiry, Proof};
use domain::credential::{AssertionRules, AuthMethod};
use domain::error::FieldError;
use domain::id::{ClientId, McpServerId, TeamId};
use domain::mcp_server::{self, McpServer, PRIVILEGED_SCOPES, ScopeDescription};
use domain::team;
use leptos::prelude::*;

use crate::action::ActionError;
use crate::components::field::{ConfirmPassword, Errors, Select, TextArea, TextField};
use crate::components::layout::FormToken;
use crate::components::notice::ErrorSummary;
use crate::components::proof::{IdentityFields, KeyFields, TypedIdentity, TypedKeys};
use crate::pages::authenticators::{identity_draft, keys_draft};
use crate::pages::credentials::short_resource;
use crate::render::{Frame, Page};
use crate::visit::{Visit, signed_in};

/// What was typed: the fields as they are on the wire.
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
    /// Seconds; empty: the server's rule.
    pub token_lifetime: String,
    /// Address ranges, one a line.
    pub ip_ranges: String,
    /// How it proves itself: the words of [`AuthMethod`].
    pub method: String,
    /// For `private_key_jwt`.
    pub keys: TypedKeys,
    /// For `federated`.
    pub identity: TypedIdentity,
    /// Ticked rules of assertions: `token_endpoint_audience`, `reusable`, `jwt_bearer`.
    pub assertions: Vec<String>,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Typed {
    /// What the rules understand.
    pub fn draft(&self) -> Result<Draft, Vec<FieldError>> {
        let mut errors = Vec::new();
        let expiry = read_expiry(&self.expiry, &self.expires_on).unwrap_or_else(|error| {
            errors.push(error);
            Expiry::default()
        });
        let method = match self.method.as_str() {
            "" => AuthMethod::default(),
            method => AuthMethod::parse(method).unwrap_or_else(|| {
                errors.push(FieldError::new("method", "Choose one of the ways."));
                AuthMethod::default()
            }),
        };
        let token_lifetime = read_lifetime(&self.token_lifetime).map_err(|error| errors.push(error)).ok().flatten();
        let team = read_team(&self.team).map_err(|error| errors.push(error)).ok().flatten();
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
                AuthMethod::ClientSecret => Proof::Secret,
                AuthMethod::PrivateKeyJwt => Proof::Keys(keys_draft(&self.keys)),
                AuthMethod::Federated => Proof::Federated(identity_draft(&self.identity)),
            },
            assertions: read_rules(&self.assertions),
        })
    }

    /// The settings of an existing credential, for one like it.
    async fn like(client_id: &ClientId) -> Result<Self, ActionError> {
        let visit = signed_in()?;
        let found = credential::inspect::find(&visit.context, visit.authority()?, client_id)
            .await?
            .ok_or(ActionError::NotFound)?;
        let servers = mcp_server::list(&visit.context).await?;
        let resource =
            |id: &McpServerId| servers.iter().find(|server| server.id == *id).map(|server| server.resource.clone());
        Ok(Self {
            team: found.team.to_string(),
            name: found.name,
            description: found.description,
            servers: found.servers.iter().filter_map(resource).collect(),
            scopes: found.scopes.iter().map(str::to_owned).collect(),
            expiry: String::new(),
            expires_on: String::new(),
            token_lifetime: found.token_lifetime.map(|lifetime| lifetime.as_secs().to_string()).unwrap_or_default(),
            ip_ranges: found.ip_ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            method: found.auth_method.as_str().to_owned(),
            assertions: rule_words(found.assertions),
            ..Self::default()
        })
    }
}

/// Reads the choice of an expiry: `7`, `30`, `90`, `365`, `never`, or `date` with a day.
pub fn read_expiry(choice: &str, day: &str) -> Result<Expiry, FieldError> {
    match choice {
        "" | "90" => Ok(Expiry::default()),
        "never" => Ok(Expiry::Never),
        "date" => Timestamp::end_of_day(day)
            .map(Expiry::At)
            .ok_or_else(|| FieldError::new("expires_on", "Choose the day on which it stops working.")),
        days => days
            .parse::<u32>()
            .map(|days| Expiry::After(DAY * days))
            .map_err(|_| FieldError::new("expiry", "Choose one of the times.")),
    }
}

/// Reads the choice of a team.
pub fn read_team(id: &str) -> Result<Option<TeamId>, FieldError> {
    match id {
        "" => Ok(None),
        id => TeamId::parse(id).map(Some).ok_or_else(|| FieldError::new("team", "Choose one of the list.")),
    }
}

/// The teams in which the person has `role`, to choose from; nothing when there is no choice.
pub async fn team_choice(
    visit: &Visit,
    role: Role,
    chosen: String,
    error: Option<String>,
) -> Result<AnyView, ActionError> {
    let mut teams: Vec<_> = team::list(&visit.context, visit.authority()?)
        .await?
        .into_iter()
        .filter(|team| visit.may(&team.id, role))
        .map(|team| (team.id.to_string(), team.name))
        .collect();
    if teams.len() < 2 && error.is_none() {
        return Ok(().into_any());
    }
    let chosen = if chosen.is_empty() { TeamId::first().to_string() } else { chosen };
    if !teams.iter().any(|(id, _)| *id == chosen) {
        teams.insert(0, (String::new(), "Choose a team".to_owned()));
    }
    Ok(view! {
        <Select id="team" label="Team" options=teams chosen error hint="It owns the credential: its people see it, its members can stop it."/>
    }
    .into_any())
}

/// Reads the token lifetime field: seconds, or nothing.
pub fn read_lifetime(text: &str) -> Result<Option<Duration>, FieldError> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(|seconds| Some(Duration::from_secs(seconds)))
            .map_err(|_| FieldError::new("token_lifetime", "Choose one of the times.")),
    }
}

/// The rules of assertions that a form's ticks mean.
pub fn read_rules(ticked: &[String]) -> AssertionRules {
    let has = |word: &str| ticked.iter().any(|ticked| ticked == word);
    AssertionRules {
        token_endpoint_audience: has("token_endpoint_audience"),
        reusable: has("reusable"),
        jwt_bearer: has("jwt_bearer"),
    }
}

/// The ticks that mean these rules.
pub fn rule_words(rules: AssertionRules) -> Vec<String> {
    [
        (rules.token_endpoint_audience, "token_endpoint_audience"),
        (rules.reusable, "reusable"),
        (rules.jwt_bearer, "jwt_bearer"),
    ]
    .into_iter()
    .filter(|(ticked, _)| *ticked)
    .map(|(_, word)| word.to_owned())
    .collect()
}

/// The empty form, one filled with the settings of the credential `from`, or with the example of a kind of issuer.
pub async fn page(from: Option<&str>, example: Option<&str>) -> Result<Page, ActionError> {
    let typed = match (from, example) {
        (Some(from), _) => Typed::like(&ClientId::parse(from).ok_or(ActionError::NotFound)?).await?,
        (None, Some(word)) => Typed {
            method: AuthMethod::Federated.as_str().to_owned(),
            identity: TypedIdentity::example(word),
            ..Typed::default()
        },
        (None, None) => Typed::default(),
    };
    form(typed, Vec::new(), false).await
}

/// The form with what was typed and what is wrong with it. `ask_password` asks again who it is.
pub async fn form(typed: Typed, errors: Vec<FieldError>, ask_password: bool) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let mut servers = mcp_server::list(&visit.context).await?;
    let mut left_out = None;
    if !visit.authority()?.is_administrator() {
        servers.iter_mut().for_each(|server| server.keep_privileged_scopes(&[]));
        let asked: Vec<_> =
            PRIVILEGED_SCOPES.into_iter().filter(|scope| typed.scopes.iter().any(|own| own == scope)).collect();
        left_out = (!asked.is_empty()).then(|| {
            let words = format!("Without {}: only an administrator grants that.", asked.join(" and "));
            view! { <p class="muted">{words}</p> }
        });
    }
    let failed = !errors.is_empty();
    let of = Errors(errors.clone());
    let team = team_choice(&visit, Role::Member, typed.team.clone(), of.at("team")).await?;
    let ask_password = ask_password || !visit.is_fresh();
    let options_open =
        errors.iter().any(|error| !matches!(error.field, "name" | "team" | "your_password" | "your_code"))
            || !typed.description.is_empty()
            || !matches!(typed.method.as_str(), "" | "client_secret")
            || !typed.ip_ranges.is_empty();
    let body = view! {
        <ErrorSummary errors/>
        <div class="head">
            <div><h1>"New credential"</h1><p>"One credential for one program. A name is enough; the rest has safe defaults."</p></div>
        </div>
        <form method="post" action="/credentials/new" class="stack">
            <FormToken/>
            <section class="panel" aria-label="Settings">
                <div class="body">
                    <TextField id="name" label="Name" value=typed.name required=true error=of.at("name")
                        hint="The job or service that will use it, such as nightly-index."/>
                    {team}
                    {left_out}
                    <p class="muted">
                        "Default: built-in server, scope "<code>"mcp:read"</code>", expires in 90 days, tokens last 10 minutes."
                    </p>
                </div>
                <details class="more" open=options_open>
                    <summary>"More options"</summary>
                    <div class="body">
                        <MethodChoice chosen=typed.method.clone() error=of.at("method")/>
                        <div class="stack for-key"><KeyFields typed=typed.keys errors=of.clone()/></div>
                        <div class="stack for-identity">
                            <IdentityFields typed=typed.identity errors=of.clone()
                                example="/credentials/new?example=".to_owned()/>
                        </div>
                        <RuleChoice ticked=typed.assertions/>
                        <TextField id="description" label="Description" value=typed.description error=of.at("description")
                            hint="What runs with it and whom to ask."/>
                        <ServerChoice servers=servers.clone() chosen=typed.servers error=of.at("server")/>
                        <ScopeChoice servers chosen=typed.scopes error=of.at("scopes")/>
                        <ExpiryChoice chosen=typed.expiry day=typed.expires_on error=of.at("expiry")
                            day_error=of.at("expires_on")/>
                        <LifetimeChoice chosen=typed.token_lifetime error=of.at("token_lifetime")/>
                        <TextArea id="ip_ranges" label="Allowed IP ranges" value=typed.ip_ranges placeholder="10.2.0.0/16"
                            hint="One address or CIDR range a line. Empty allows every address." error=of.at("ip_ranges")/>
                    </div>
                </details>
            </section>
            <ConfirmPassword asked=ask_password errors=of.clone()/>
            <div class="row">
                <button class="button" data-kind="primary">"Generate credentials"</button>
                <a class="button" data-kind="quiet" href="/credentials">"Cancel"</a>
            </div>
        </form>
    };
    let status = if failed { 422 } else { 200 };
    Ok(Page::new("New credential", body).framed(Frame::Narrow).answering(status))
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
    let choices = methods
        .into_iter()
        .map(|(method, word, hint)| {
            let checked = method.as_str() == chosen;
            view! {
                <label class="choice">
                    <input type="radio" name="method" value=method.as_str() checked=checked/>{word}
                    <span class="hint">{hint}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="stack" id="method">
            <legend>"Authentication"</legend>
            <div>{choices}</div>
            {error.map(|error| view! { <p class="error">{error}</p> })}
        </fieldset>
    }
    .into_any()
}

/// Exceptions for programs that cannot do better.
#[component]
pub fn RuleChoice(ticked: Vec<String>) -> AnyView {
    let rules = [
        (
            "token_endpoint_audience",
            "Accept the token endpoint as audience",
            "For programs that follow RFC 7523 before its revision. A token made for another server could then be used here.",
        ),
        (
            "reusable",
            "Allow the same assertion until it expires",
            "For programs that send one prepared assertion again and again. Who reads it can use it too.",
        ),
        ("jwt_bearer", "Allow the JWT bearer grant", "For programs that send the assertion as the grant itself."),
    ];
    let choices = rules
        .into_iter()
        .map(|(value, word, hint)| {
            let checked = ticked.iter().any(|ticked| ticked == value);
            view! {
                <label class="choice">
                    <input type="checkbox" name="assertions" value=value checked=checked/>{word}
                    <span class="hint">{hint}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="stack for-assertion"><legend>"Assertions"</legend><div>{choices}</div></fieldset>
    }
    .into_any()
}

#[component]
fn ServerChoice(servers: Vec<McpServer>, chosen: Vec<String>, error: Option<String>) -> AnyView {
    let choices = servers
        .into_iter()
        .map(|server| {
            let checked = chosen.contains(&server.resource) || (chosen.is_empty() && server.built_in);
            view! {
                <label class="choice">
                    <input type="checkbox" name="server" value=server.resource.clone() checked=checked/>
                    {format!("{} ({})", server.name, short_resource(&server.resource))}
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="stack" id="server">
            <legend>"MCP servers"</legend>
            <p class="hint">"A token is for one of them: the first, unless the program asks for another."</p>
            <div>{choices}</div>
            {error.map(|error| view! { <p class="error">{error}</p> })}
        </fieldset>
    }
    .into_any()
}

/// Scopes with what they allow. None ticked: the default, which `hint` tells where there are several servers.
#[component]
pub fn ScopeChoice(
    servers: Vec<McpServer>,
    chosen: Vec<String>,
    error: Option<String>,
    #[prop(default = "None ticked: the first scope of each MCP server.")] hint: &'static str,
) -> AnyView {
    let default: Vec<String> =
        servers.first().map(|server| server.default_scope_names().map(str::to_owned).collect()).unwrap_or_default();
    // With several servers to choose from nothing is ticked in advance: it would belong to one of them only.
    let several = servers.len() > 1;
    let chosen = if chosen.is_empty() && !several { default } else { chosen };
    let mut scopes: Vec<ScopeDescription> = Vec::new();
    for server in servers {
        for mut scope in server.scopes {
            if several {
                scope.description = format!("{} ({})", scope.description, server.name).trim().to_owned();
            }
            if !scopes.iter().any(|other| other.name == scope.name) {
                scopes.push(scope);
            }
        }
    }
    let choices = scopes
        .into_iter()
        .map(|scope| {
            let checked = chosen.contains(&scope.name);
            view! {
                <label class="choice">
                    <input type="checkbox" name="scope" value=scope.name.clone() checked=checked/>
                    <code>{scope.name}</code><span class="hint">{scope.description}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="stack" id="scopes">
            <legend>"Scopes"</legend>
            {several.then(|| view! { <p class="hint">{hint}</p> })}
            <div>{choices}</div>
            {error.map(|error| view! { <p class="error">{error}</p> })}
        </fieldset>
    }
    .into_any()
}

/// When what proves the credential stops working.
#[component]
pub fn ExpiryChoice(chosen: String, day: String, error: Option<String>, day_error: Option<String>) -> AnyView {
    let chosen = if chosen.is_empty() { "90".to_owned() } else { chosen };
    let presets = [
        ("7", "In 7 days"),
        ("30", "In 30 days"),
        ("90", "In 90 days"),
        ("365", "In 365 days"),
        ("date", "On a date"),
        ("never", "Never"),
    ];
    let choices = presets
        .into_iter()
        .map(|(value, word)| {
            let checked = value == chosen;
            view! {
                <label class="choice"><input type="radio" name="expiry" value=value checked=checked/>{word}</label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="stack" id="expiry">
            <legend>"Expires"</legend>
            <div class="options">{choices}</div>
            {error.map(|error| view! { <p class="error">{error}</p> })}
            <TextField id="expires_on" label="Date" kind="date" value=day error=day_error
                hint="Used with “On a date”. It works until the end of that day, UTC."/>
            <p class="hint">"“Never” leaves a secret or key that works until somebody revokes it. Prefer an end, and a new one in time."</p>
        </fieldset>
    }
    .into_any()
}

/// How long tokens live.
#[component]
pub fn LifetimeChoice(
    chosen: String,
    error: Option<String>,
    #[prop(default = "The MCP server’s rule")] default: &'static str,
) -> AnyView {
    let mut options: Vec<(String, String)> = [
        ("", default),
        ("60", "1 minute"),
        ("300", "5 minutes"),
        ("600", "10 minutes"),
        ("1800", "30 minutes"),
        ("3600", "1 hour"),
    ]
    .map(|(value, word)| (value.to_owned(), word.to_owned()))
    .into();
    // A lifetime set on the command line may be none of these.
    if !options.iter().any(|(value, _)| *value == chosen) {
        options.push((chosen.clone(), format!("{chosen} seconds")));
    }
    view! {
        <Select id="token_lifetime" label="Token lifetime" options chosen error
            hint="How long a token works after the exchange. Shorter limits what a leaked token can do."/>
    }
    .into_any()
}
