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

use crate::components::form::proof::{KeyFields, TypedKeys};
use crate::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads a field that may be empty.
///
/// # Errors
///
/// An error at `field` that says `problem`, when `read` does not know the text.
pub(crate) fn read_optional<T>(
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
    field: &'static str,
    problem: &'static str,
) -> Result<Option<T>, FieldError> {
    match text {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| FieldError::new(field, problem)),
    }
}

/// The value that was read. The default after an error, which is added to `errors`.
pub(super) fn or_note<T: Default>(errors: &mut Vec<FieldError>, read: Result<T, FieldError>) -> T {
    read.unwrap_or_else(|error| {
        errors.push(error);
        T::default()
    })
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
pub(crate) fn read_team(id: &str) -> Result<Option<TeamId>, FieldError> {
    read_optional(id, TeamId::parse, "team", "Choose one of the list.")
}

/// Reads the token lifetime field: seconds, or nothing.
pub(crate) fn read_lifetime(text: &str) -> Result<Option<Duration>, FieldError> {
    let read = |text: &str| text.parse().ok().map(Duration::from_secs);
    read_optional(text.trim(), read, "token_lifetime", "Choose one of the times.")
}

/// The teams to choose from: those in which the person has `role`. Nothing when there is no choice.
pub(crate) async fn team_choice(
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
        teams = options_after("Choose a team", teams);
    }
    Ok(html! {
        <Select id="team" label="Team" options=teams chosen error
            hint="It owns the credential: its people see it, its members can stop it."/>
    })
}

/// Converts the ticks of a form to the rules of assertions.
pub(crate) fn read_rules(ticked: &[String]) -> AssertionRules {
    let has = |word: &str| ticked.iter().any(|ticked| ticked == word);
    AssertionRules {
        token_endpoint_audience: has("token_endpoint_audience"),
        reusable: has("reusable"),
        jwt_bearer: has("jwt_bearer"),
    }
}

/// Converts the rules of assertions to ticks.
pub(crate) fn rule_words(rules: AssertionRules) -> Vec<String> {
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
pub(crate) fn RuleChoice(ticked: Vec<String>) -> AnyView {
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
    let choices = rules.map(|(value, word, hint)| {
        let checked = ticked.iter().any(|ticked| ticked == value);
        choice("checkbox", "assertions", value, checked, view! { {word}<span class="hint">{hint}</span> })
    });
    html! {
        <fieldset class="stack for-assertion"><legend>"Assertions"</legend><div>{choices.collect_view()}</div></fieldset>
    }
}

/// The scopes, with what they allow. No tick means the default scopes. `hint` explains the default where there are
/// several servers.
#[component]
pub(crate) fn ScopeChoice(
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
    let items = scopes.into_iter().map(|scope| {
        let checked = chosen.contains(&scope.name);
        let words = view! { <code>{scope.name.clone()}</code><span class="hint">{scope.description}</span> };
        choice("checkbox", "scope", scope.name, checked, words)
    });
    choices("scopes", "Scopes", several.then_some(hint), items, error)
}

/// The expiry of the secret or key.
#[component]
pub(crate) fn ExpiryChoice(chosen: String, day: String, errors: Errors) -> AnyView {
    let chosen = if chosen.is_empty() { "90".to_owned() } else { chosen };
    let presets = [
        ("7", "In 7 days"),
        ("30", "In 30 days"),
        ("90", "In 90 days"),
        ("365", "In 365 days"),
        ("date", "On a date"),
        ("never", "Never"),
    ];
    let choices = presets.map(|(value, word)| choice("radio", "expiry", value, value == chosen, word));
    html! {
        <fieldset class="stack" id="expiry">
            <legend>"Expires"</legend>
            <div class="options">{choices.collect_view()}</div>
            {errors.at("expiry").map(|error| view! { <p class="error">{error}</p> })}
            <TextField id="expires_on" label="Date" kind="date" value=day error=errors.at("expires_on")
                hint="Used with “On a date”. It works until the end of that day, UTC."/>
            <p class="hint">"“Never” leaves a secret or key that works until somebody revokes it. Prefer an end, and a new one in time."</p>
        </fieldset>
    }
}

/// A key, and when it expires.
pub(crate) fn key_with_expiry(typed: TypedKeys, errors: &Errors) -> AnyView {
    let (chosen, day) = (typed.expiry.clone(), typed.expires_on.clone());
    html! { <KeyFields typed errors=errors.clone()/><ExpiryChoice chosen day errors=errors.clone()/> }
}

/// The lifetime of tokens.
#[component]
pub(crate) fn LifetimeChoice(
    chosen: String,
    error: Option<String>,
    #[prop(default = "The MCP server’s rule")] default: &'static str,
) -> AnyView {
    let mut options = options([
        ("", default),
        ("60", "1 minute"),
        ("300", "5 minutes"),
        ("600", "10 minutes"),
        ("1800", "30 minutes"),
        ("3600", "1 hour"),
    ]);
    // The command line may have set a lifetime that is not in this list.
    if !options.iter().any(|(value, _)| *value == chosen) {
        options.push((chosen.clone(), format!("{chosen} seconds")));
    }
    html! {
        <Select id="token_lifetime" label="Token lifetime" options chosen error
            hint="How long a token works after the exchange. Shorter limits what a leaked token can do."/>
    }
}
