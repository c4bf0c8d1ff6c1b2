//! Fields that several forms of credentials share, and how they are read.

use std::time::Duration;

use domain::base::clock::Timestamp;
use domain::base::id::{PersonId, TeamId};
use domain::model::credential::draft::Expiry;
use domain::model::credential::{AssertionRules, AuthMethod, Credential, Owner};
use domain::model::field_error::FieldError;
use domain::model::person::authority::Role;
use domain::model::person::team::Team;
use domain::model::server::access::ServerAccess;
use domain::model::server::{McpServer, PRIVILEGED_SCOPES, ScopeDescription};
use domain::operations::policy;
use domain::person::{manage, team};

use crate::components::form::proof::{KeyFields, TypedKeys};
use crate::pages::credential::list::short_resource;
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

/// The value of an expiry that stays as it is.
const KEEP: &str = "keep";

/// Reads the choice of another expiry; `None`: it stays.
pub(super) fn read_new_expiry(choice: &str, day: &str) -> Result<Option<Expiry>, FieldError> {
    if matches!(choice, "" | KEEP) { Ok(None) } else { read_expiry(choice, day).map(Some) }
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

/// Reads the choice of an owner.
pub fn read_owner(id: &str) -> Result<Option<PersonId>, FieldError> {
    read_optional(id, PersonId::parse, "owner", "Choose one of the list.")
}

/// Reads tags, which spaces or commas separate.
pub(crate) fn read_tags(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\t']).map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// Reads ticked scopes. The value of a scope names its MCP server too: a scope counts if its server is chosen. Then a
/// server that is not ticked any more takes its scopes along.
pub(crate) fn read_scopes(ticked: &[String], servers: &[String]) -> Vec<String> {
    let of_chosen = |ticked: &String| match ticked.split_once(' ') {
        Some((scope, server)) => servers.iter().any(|chosen| chosen == server).then(|| scope.to_owned()),
        None => Some(ticked.clone()),
    };
    ticked.iter().filter_map(of_chosen).collect()
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
            hint="Everyone in the team can see it; members can revoke it."/>
    })
}

/// The people who may answer for a credential of the visitor's teams. `first` is the option without a person, and
/// `present` the owner that stays to choose although they may have left. `others` leaves the visitor out.
pub(crate) async fn owner_choice(
    visit: &Visit,
    role: Role,
    first: &str,
    others: bool,
    present: Option<&Owner>,
    chosen: String,
    error: Option<String>,
) -> Result<AnyView, ActionError> {
    let people = people_to_choose(visit, role, others, present).await?;
    Ok(html! {
        <Select id="owner" label="Owner" options=options_after(first, people) chosen error
            hint="The person to ask about this credential. The owner has no extra rights."/>
    })
}

/// The people of the visitor's teams, by name; administrators choose among all. See [`owner_choice`].
pub(crate) async fn people_to_choose(
    visit: &Visit,
    role: Role,
    others: bool,
    present: Option<&Owner>,
) -> Result<Vec<(String, String)>, ActionError> {
    let authority = visit.authority()?;
    let mut people: Vec<(String, String)> = Vec::new();
    if authority.is_administrator() {
        let enabled = manage::list(&visit.context).await?.into_iter().filter(|one| one.person.disabled_at.is_none());
        people.extend(enabled.map(|one| (one.person.id.to_string(), one.person.name)));
    } else {
        for team in team::list(&visit.context, authority).await?.into_iter().filter(|team| visit.may(&team.id, role)) {
            let members = team::members(&visit.context, &team.id).await?.into_iter().filter(|one| !one.disabled);
            people.extend(members.map(|one| (one.person.to_string(), one.name)));
        }
        people.sort_by(|left, right| left.1.cmp(&right.1).then_with(|| left.0.cmp(&right.0)));
        people.dedup();
    }
    let own = &visit.viewer()?.id;
    people.retain(|(id, _)| !others || id != own.as_str());
    if let Some(owner) = present.filter(|owner| !people.iter().any(|(id, _)| id == owner.id.as_str())) {
        let mark = if owner.disabled { " (disabled)" } else { "" };
        people.push((owner.id.to_string(), format!("{}{mark}", owner.name)));
    }
    Ok(people)
}

/// The people who can own some of these credentials, each with how many: "Grace Hopper: 2 of 3". The visitor sees the
/// people of the teams that they manage; administrators see everybody.
pub(crate) async fn owners_of(visit: &Visit, credentials: &[Credential]) -> Result<Vec<(String, String)>, ActionError> {
    let mut teams: Vec<&TeamId> = credentials.iter().map(|credential| &credential.team).collect();
    teams.sort();
    teams.dedup();
    let in_team = |team: &TeamId| credentials.iter().filter(|credential| credential.team == *team).count();
    let mut fits: Vec<(PersonId, String, usize)> = Vec::new();
    if visit.authority()?.is_administrator() {
        for listed in manage::list(&visit.context).await?.into_iter().filter(|one| one.person.disabled_at.is_none()) {
            let all = listed.person.administrator_since.is_some();
            let own = listed.teams.iter().map(|own| in_team(&own.team.id)).sum();
            fits.push((listed.person.id, listed.person.name, if all { credentials.len() } else { own }));
        }
    } else {
        for team in teams.into_iter().filter(|team| visit.may(team, Role::Manager)) {
            for member in team::members(&visit.context, team).await?.into_iter().filter(|member| !member.disabled) {
                match fits.iter_mut().find(|(id, ..)| *id == member.person) {
                    Some((.., count)) => *count += in_team(team),
                    None => fits.push((member.person, member.name, in_team(team))),
                }
            }
        }
        fits.sort_by(|left, right| left.1.cmp(&right.1));
    }
    let option = |(id, name, count): (PersonId, String, usize)| {
        let count =
            if count == credentials.len() { "all".to_owned() } else { format!("{count} of {}", credentials.len()) };
        (id.to_string(), format!("{name}: {count}"))
    };
    Ok(fits.into_iter().filter(|(.., count)| *count > 0).map(option).collect())
}

/// The fields that only people read: tags, description and notes.
pub(crate) fn words_fields(tags: String, description: String, notes: String, errors: &Errors) -> AnyView {
    html! {
        <TextField id="tags" label="Tags" value=tags error=errors.at("tags")
            hint="Up to 10, separated by spaces, such as env:prod nightly."/>
        <TextField id="description" label="Description" value=description error=errors.at("description")
            hint="What runs with it and whom to ask."/>
        <TextArea id="notes" label="Notes" value=notes error=errors.at("notes")
            hint="What the next person should know. Everyone in the team can read this."/>
    }
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
            "For programs that follow RFC 7523 before its revision. An assertion for another server could then be used here.",
        ),
        (
            "reusable",
            "Allow the same assertion until it expires",
            "For programs that send one prepared assertion again and again. Anyone who intercepts it can reuse it.",
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

/// How many MCP servers a form lets a person choose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choose {
    /// A personal token is for one server.
    One,
    /// A credential may have several servers.
    Several,
}

/// The MCP servers, each with its scopes below it. `ticked` holds resource identifiers or IDs of servers. `teams` are
/// the teams that the person sees: a server that is not open to all teams names those of them that may use it.
pub(crate) fn server_cards(
    choose: Choose,
    servers: Vec<McpServer>,
    teams: &[Team],
    ticked: &[String],
    scopes: &[String],
    errors: &Errors,
) -> AnyView {
    let only = servers.len() == 1;
    let several = servers.len() > 1;
    let kind = if choose == Choose::One { "radio" } else { "checkbox" };
    let card = |server: McpServer| {
        let open_to = open_to(&server, teams);
        let McpServer { id, resource, name, scopes: own, built_in, .. } = server;
        let checked = only || ticked.iter().any(|ticked| *ticked == resource || ticked == id.as_str());
        let default: Vec<String> = own.iter().take(1).map(|scope| scope.name.clone()).collect();
        let chosen = if scopes.is_empty() && only { &default[..] } else { scopes };
        let scope = |scope: ScopeDescription| {
            let value = format!("{} {resource}", scope.name);
            let checked = chosen.contains(&scope.name) || chosen.contains(&value);
            let implied = (!scope.implies.is_empty()).then(|| format!(" Implies {}.", scope.implies.join(", ")));
            let words =
                view! { <code>{scope.name.clone()}</code><span class="hint">{scope.description}{implied}</span> };
            choice("checkbox", "scope", value, checked, words)
        };
        let items = own.into_iter().map(scope).collect_view();
        let about = view! {
            <span>{name.clone()}</span>
            <span class="hint">{short_resource(&resource)}{built_in.then_some(", built in")}{open_to}</span>
        };
        let label = format!("Scopes of {name}");
        view! {
            <div class="offer">
                {choice(kind, "server", resource.clone(), checked, about)}
                <div class="offered" role="group" aria-label=label>{items}</div>
            </div>
        }
    };
    let cards = servers.into_iter().map(card).collect_view();
    let (legend, hint) = match choose {
        Choose::One => (
            "MCP server",
            "A token is for one server. A server other than the built-in one accepts it only if that server uses token \
             introspection. If you choose no scope, the token gets the server’s first scope.",
        ),
        Choose::Several => (
            "MCP servers",
            "Each token is valid for one server; programs get the first by default. If you choose no scope, the \
             credential gets each server’s first scope.",
        ),
    };
    let error = |field: &'static str| {
        let message = errors.at(field);
        message.map(
            |message| view! { <p class="error" id=format!("{field}-error")><Drawing icon=Icon::Warning/>{message}</p> },
        )
    };
    html! {
        <fieldset class="stack" id="server" tabindex="-1">
            <legend>{legend}</legend>
            {several.then(|| view! { <p class="hint">{hint}</p> })}
            <div class="choices">{cards}</div>
            {error("server")}
            {errors.at("scopes").is_some().then(|| view! { <div id="scopes" tabindex="-1">{error("scopes")}</div> })}
        </fieldset>
    }
}

/// Which of `teams` may use a server that is not open to all teams.
fn open_to(server: &McpServer, teams: &[Team]) -> Option<String> {
    if server.access == ServerAccess::All || teams.is_empty() {
        return None;
    }
    let open = teams.iter().filter(|team| server.access.admits_team(&team.id));
    let names: Vec<&str> = open.map(|team| team.name.as_str()).collect();
    Some(match names.as_slice() {
        [] => ", for none of your teams".to_owned(),
        [name] => format!(", only for the team {name}"),
        names => format!(", only for the teams {}", names.join(", ")),
    })
}

/// Takes out the scopes that only an administrator grants, if the person is none. A scope of `held` stays. Returns the
/// scopes that were asked for and taken out.
pub(crate) fn keep_grantable(
    visit: &Visit,
    servers: &mut [McpServer],
    asked: &[String],
    held: &[&str],
) -> Result<Vec<&'static str>, ActionError> {
    if visit.authority()?.is_administrator() {
        return Ok(Vec::new());
    }
    servers.iter_mut().for_each(|server| server.keep_privileged_scopes(held));
    let is_asked = |scope: &&str| asked.iter().any(|own| own.split(' ').next() == Some(scope)) && !held.contains(scope);
    Ok(PRIVILEGED_SCOPES.into_iter().filter(is_asked).collect())
}

/// What policies say about the end of a new secret or key.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExpiryLimits {
    /// How many days it may work at most.
    longest: Option<u32>,
    /// Whether it must end.
    must_end: bool,
}

impl ExpiryLimits {
    /// Those of secrets, or of keys.
    pub(crate) async fn of(visit: &Visit, method: AuthMethod) -> Result<Self, ActionError> {
        let policies = policy::all(&visit.context).await?;
        let longest = policies.longest(method);
        Ok(Self { longest, must_end: longest.is_some() || policies.must_end() })
    }

    /// The days to choose from, and how many of them are chosen at first.
    fn days(self) -> (Vec<u32>, u32) {
        let fits = |days: &u32| self.longest.is_none_or(|longest| *days <= longest);
        let mut days: Vec<u32> = [7, 30, 90, 365].into_iter().filter(fits).collect();
        days.extend(self.longest.filter(|longest| !days.contains(longest) && *longest < 365));
        days.sort_unstable();
        let usual = days.iter().copied().filter(|days| *days <= 90).max().unwrap_or(90);
        (days, usual)
    }

    fn hint(self) -> String {
        match self {
            Self { longest: Some(days), .. } => {
                format!("A policy allows a secret at most {}.", counted(i64::from(days), "day", "days"))
            }
            Self { must_end: true, .. } => "A policy needs an end.".to_owned(),
            _ => "We recommend an expiry date and rotating before it.".to_owned(),
        }
    }
}

/// The expiry of the secret or key. `keep` is the present one, which may stay.
#[component]
pub(crate) fn ExpiryChoice(
    chosen: String,
    day: String,
    errors: Errors,
    #[prop(default = None)] keep: Option<String>,
    #[prop(default = ExpiryLimits::default())] limits: ExpiryLimits,
) -> AnyView {
    let (days, usual) = limits.days();
    let usual = if keep.is_some() { KEEP.to_owned() } else { usual.to_string() };
    let chosen = if chosen.is_empty() { usual } else { chosen };
    let keep = keep.map(|words| choice("radio", "expiry", KEEP, chosen == KEEP, words));
    let in_days =
        days.into_iter().map(|days| (days.to_string(), format!("In {}", counted(i64::from(days), "day", "days"))));
    let never = (!limits.must_end).then(|| ("never".to_owned(), "Never".to_owned()));
    let presets = in_days.chain(never).chain([("date".to_owned(), "On a date".to_owned())]);
    let choices: Vec<AnyView> = presets
        .map(|(value, word)| {
            let is_chosen = value == chosen;
            choice("radio", "expiry", value, is_chosen, word)
        })
        .collect();
    html! {
        <fieldset class="stack dated" id="expiry" tabindex="-1">
            <legend>"Expires"</legend>
            <div class="options">{keep}{choices}</div>
            <div class="on-date">
                <TextField id="expires_on" label="Date" kind="date" value=day error=errors.at("expires_on")
                    hint="Until the end of that day, UTC. Only for “On a date”."/>
            </div>
            {errors.at("expiry").map(|error| view! { <p class="error"><Drawing icon=Icon::Warning/>{error}</p> })}
            <p class="hint">{limits.hint()}</p>
        </fieldset>
    }
}

/// A key, and when it expires.
pub(crate) fn key_with_expiry(typed: TypedKeys, errors: &Errors, limits: ExpiryLimits) -> AnyView {
    let (chosen, day) = (typed.expiry.clone(), typed.expires_on.clone());
    html! { <KeyFields typed errors=errors.clone()/><ExpiryChoice chosen day errors=errors.clone() limits/> }
}

/// The lifetime of tokens.
#[component]
pub(crate) fn LifetimeChoice(
    chosen: String,
    error: Option<String>,
    #[prop(default = "Server default")] default: &'static str,
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
