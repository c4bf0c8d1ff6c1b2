//! Fields that several forms of credentials share, and how they are read.

use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::base::id::TeamId;
use domain::model::credential::AssertionRules;
use domain::model::credential::draft::Expiry;
use domain::model::field_error::FieldError;
use domain::model::person::authority::Role;
use domain::model::server::{McpServer, ScopeDescription};
use domain::person::team;
use leptos::prelude::*;

use crate::components::form::field::{Select, TextField};
use crate::error::ActionError;
use crate::visit::Visit;

const DAY: Duration = Duration::from_secs(24 * 3600);

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

/// The teams to choose from: those in which the person has `role`. Nothing when there is no choice.
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

/// Converts the ticks of a form to the rules of assertions.
pub fn read_rules(ticked: &[String]) -> AssertionRules {
    let has = |word: &str| ticked.iter().any(|ticked| ticked == word);
    AssertionRules {
        token_endpoint_audience: has("token_endpoint_audience"),
        reusable: has("reusable"),
        jwt_bearer: has("jwt_bearer"),
    }
}

/// Converts the rules of assertions to ticks.
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

/// Exceptions for programs that cannot follow the default rules.
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

/// The scopes, with what they allow. No tick means the default scopes. `hint` explains the default where there are
/// several servers.
#[component]
pub fn ScopeChoice(
    servers: Vec<McpServer>,
    chosen: Vec<String>,
    error: Option<String>,
    #[prop(default = "None ticked: the first scope of each MCP server.")] hint: &'static str,
) -> AnyView {
    let default: Vec<String> =
        servers.first().map(|server| server.default_scope_names().map(str::to_owned).collect()).unwrap_or_default();
    // With several servers nothing is ticked in advance, because a scope ticked in advance would belong to only one of
    // them.
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

/// The expiry of the secret or key.
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

/// The lifetime of tokens.
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
    // The command line may have set a lifetime that is not in this list.
    if !options.iter().any(|(value, _)| *value == chosen) {
        options.push((chosen.clone(), format!("{chosen} seconds")));
    }
    view! {
        <Select id="token_lifetime" label="Token lifetime" options chosen error
            hint="How long a token works after the exchange. Shorter limits what a leaked token can do."/>
    }
    .into_any()
}
