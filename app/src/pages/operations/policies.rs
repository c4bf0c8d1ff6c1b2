//! Policies: what the installation allows, who does not comply, and the form of each.

use std::collections::{BTreeMap, BTreeSet};

use domain::base::id::TeamId;
use domain::model::field_error::FieldError;
use domain::model::operations::policy::{PROOFS, Policy, PolicyMode, PolicyName, PolicyTerms, ROLES};
use domain::model::person::team::Team;
use domain::operations::policy::{self, NotComplying, PolicyEdit, consequence};
use domain::person::team;
use domain::server;

use crate::pages::operations::settings::settings_views;
use crate::prelude::*;

/// The title of a policy, and what it is for.
fn words(name: PolicyName) -> (&'static str, &'static str) {
    match name {
        PolicyName::SecretLifetime => {
            ("Longest life of a secret", "A client secret ends within this time. Then its program needs a new one.")
        }
        PolicyName::TokenLifetime => {
            ("Longest life of a token", "Access tokens of credentials live at most this long.")
        }
        PolicyName::Expiry => ("Everything ends", "Secrets, keys and federated credentials must have an end."),
        PolicyName::AddressRanges => (
            "Address ranges for scopes",
            "A credential with one of these scopes must say from which networks it is used.",
        ),
        PolicyName::Proof => {
            ("How programs prove themselves", "The kinds of proof that the credentials of a team may use.")
        }
        PolicyName::SecondFactor => (
            "Second factor for people",
            "People with these roles who sign in with a password need a second factor. Without one they reach only their \
             account, where they add it.",
        ),
        PolicyName::Generation => (
            "A manager approves new credentials",
            "A member asks for a credential, and a manager of the team approves it. Then the member generates it and \
             sees its secret once.",
        ),
        PolicyName::Review => (
            "Teams review their credentials",
            "A member of the team confirms every so often that each credential is still needed. When this is enforced, a \
             credential that nobody confirms is disabled 14 days after its time.",
        ),
    }
}

/// The word of a proof or a role on the page.
fn word(name: &str) -> &str {
    match name {
        "secret" => "Client secret",
        "key" => "Public key",
        "federated" => "Federated identity",
        "administrator" => "Administrators",
        "manager" => "Managers",
        "member" => "Members",
        "viewer" => "Viewers",
        scope => scope,
    }
}

/// What a policy says, in short.
fn said(policy: &Policy) -> String {
    let PolicyTerms { limit, words, teams } = &policy.terms;
    let list = || words.iter().map(|name| word(name)).collect::<Vec<_>>().join(", ");
    let days = || counted(i64::from(*limit), "day", "days");
    match policy.name {
        PolicyName::SecretLifetime => format!("At most {}", days()),
        PolicyName::TokenLifetime => format!("At most {}", counted(i64::from(*limit), "minute", "minutes")),
        PolicyName::Review => format!("Every {}", days()),
        PolicyName::Proof if teams.is_empty() => list(),
        PolicyName::Proof => format!("{}; other rules for {}", list(), counted(teams.len() as i64, "team", "teams")),
        PolicyName::AddressRanges | PolicyName::SecondFactor => list(),
        PolicyName::Expiry | PolicyName::Generation => String::new(),
    }
}

fn mode_chip(mode: PolicyMode) -> AnyView {
    match mode {
        PolicyMode::Off => chip("Off", "idle"),
        PolicyMode::Observe => chip("Observed", "warn"),
        PolicyMode::Enforce => chip("Enforced", "ok"),
    }
}

/// `GET /settings/policies`
pub async fn list(done: Option<&str>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let policies = policy::all(&visit.context).await?;
    let rows = policies.iter().map(|policy| {
        let (title, about) = words(policy.name);
        let changed = policy.changed.as_ref().map(|(at, by)| html! { {distance(*at)}{sub(format!("by {by}"))} });
        let says = Some(said(policy)).filter(|said| policy.mode != PolicyMode::Off && !said.is_empty());
        cells![
            html! { <a class="name" href=links::policy(policy.name.as_str())>{title}</a>{sub(about)} },
            html! { {mode_chip(policy.mode)}{says.map(sub)} },
            changed.unwrap_or_else(|| muted("Never")),
        ]
    });
    let body = view! {
        <Receipt on=On::Policies done/>
        {head((), "Settings", "What the installation allows. Observe a policy before you enforce it.", ())}
        {settings_views(links::POLICIES)}
        <section class="panel" aria-label="Policies">{table(["Policy", "Mode", "Changed"], rows)}</section>
    };
    Ok(Page::new("Policies", body))
}

/// What was typed.
#[derive(Debug, Clone, Default)]
pub struct TypedPolicy {
    /// `off`, `observe` or `enforce`.
    pub mode: String,
    /// Days or minutes.
    pub limit: String,
    /// Ticked scopes, proofs or roles.
    pub words: Vec<String>,
    /// Other proofs for some teams: a line each.
    pub teams: String,
    /// `yes`: the administrator has read what does not comply.
    pub accept: String,
}

/// Reads the name of a policy.
///
/// # Errors
///
/// [`ActionError::NotFound`] when there is no such policy.
pub fn read_name(name: &str) -> Result<PolicyName, ActionError> {
    PolicyName::parse(name).ok_or(ActionError::NotFound)
}

impl TypedPolicy {
    fn of(policy: &Policy, teams: &[Team]) -> Self {
        let line = |(id, words): (&TeamId, &BTreeSet<String>)| {
            let name = teams.iter().find(|team| team.id == *id).map(|team| team.name.clone())?;
            Some(format!("{name}: {}", words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
        };
        Self {
            mode: policy.mode.as_str().to_owned(),
            limit: policy.terms.limit.to_string(),
            words: policy.terms.words.iter().cloned().collect(),
            teams: policy.terms.teams.iter().filter_map(line).collect::<Vec<_>>().join("\n"),
            accept: String::new(),
        }
    }

    /// Converts the fields to the input of the domain rules.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub fn edit(&self, name: PolicyName, teams: &[Team]) -> Result<PolicyEdit, FieldError> {
        let mode = PolicyMode::parse(&self.mode).ok_or_else(|| FieldError::new("mode", "Choose one of the modes."))?;
        let limit = match name.limits() {
            None => 0,
            Some((unit, _)) => {
                let wrong = || FieldError::new("limit", format!("Enter a whole number of {unit}."));
                self.limit.trim().parse().map_err(|_| wrong())?
            }
        };
        let terms = PolicyTerms { limit, words: self.words.iter().cloned().collect(), teams: self.exceptions(teams)? };
        Ok(PolicyEdit { name, mode, terms, accepts: self.accept == "yes" })
    }

    fn exceptions(&self, teams: &[Team]) -> Result<BTreeMap<TeamId, BTreeSet<String>>, FieldError> {
        let mut found = BTreeMap::new();
        for line in self.teams.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let wrong = |what: String| FieldError::new("teams", what);
            let (name, proofs) = line
                .rsplit_once(':')
                .ok_or_else(|| wrong(format!("“{line}” is no rule. Write a team, a colon and its proofs.")))?;
            let team = teams.iter().find(|team| team.name.to_lowercase() == name.trim().to_lowercase());
            let team = team.ok_or_else(|| wrong(format!("There is no team “{}”.", name.trim())))?;
            let words = proofs.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
            let words: BTreeSet<String> = words.map(str::to_ascii_lowercase).collect();
            if found.insert(team.id.clone(), words).is_some() {
                return Err(wrong(format!("The team “{}” stands twice.", team.name)));
            }
        }
        Ok(found)
    }
}

/// `GET /settings/policies/{name}`, and the form again with what was typed.
pub async fn form(name: String, form: Form<Option<TypedPolicy>>) -> Result<Page, ActionError> {
    let visit = signed_in()?;
    let name = read_name(&name)?;
    let stored = policy::all(&visit.context).await?.get(name);
    let teams = team::list(&visit.context, visit.authority()?).await?;
    let Form { typed, errors, .. } = form;
    // What the form says decides who is listed; until it can be read, what is stored.
    let typed = typed.unwrap_or_else(|| TypedPolicy::of(&stored, &teams));
    let meant = typed.edit(name, &teams).map(|edit| Policy { mode: edit.mode, terms: edit.terms, ..stored.clone() });
    let meant = meant.unwrap_or_else(|_| stored.clone());
    let found = policy::not_complying(&visit.context, &meant).await?;
    let (title, about) = words(name);
    let page = FormPage::new(title, links::policy(name.as_str()), "Save policy")
        .back(links::POLICIES, "Policies")
        .lead(about)
        .panel("Policy", fields(&visit, name, typed, &meant, found.count, &errors).await?)
        .below(not_complying(&meant, found));
    Ok(page.confirm(visit.must_confirm()).page(errors))
}

async fn fields(
    visit: &Visit,
    name: PolicyName,
    typed: TypedPolicy,
    meant: &Policy,
    count: i64,
    errors: &Errors,
) -> Result<AnyView, ActionError> {
    let modes = [
        ("off", "Off", "The policy is not looked at."),
        ("observe", "Observe", "Nothing is refused. What does not comply is listed below."),
        ("enforce", "Enforce", "What does not comply is refused from now on."),
    ];
    let modes = modes.map(|(value, word, hint)| {
        let words = view! { <span>{word}</span><span class="hint">{hint}</span> };
        choice("radio", "mode", value, typed.mode == value, words)
    });
    let limit = name.limits().map(|(unit, _)| {
        let label = match (name, unit) {
            (PolicyName::Review, _) => "Confirm every, in days",
            (_, "minutes") => "At most, in minutes",
            _ => "At most, in days",
        };
        view! { <TextField id="limit" label kind="number" value=typed.limit.clone() required=true error=errors.at("limit")/> }
    });
    let offered: Vec<String> = match name {
        PolicyName::AddressRanges => {
            let servers = server::list(&visit.context).await?;
            let mut scopes: Vec<String> =
                servers.into_iter().flat_map(|server| server.scopes).map(|scope| scope.name).collect();
            scopes.extend(typed.words.iter().cloned());
            scopes.sort();
            scopes.dedup();
            scopes
        }
        PolicyName::Proof => PROOFS.map(str::to_owned).into(),
        PolicyName::SecondFactor => ROLES.map(str::to_owned).into(),
        _ => Vec::new(),
    };
    let legend = match name {
        PolicyName::AddressRanges => "Scopes",
        PolicyName::SecondFactor => "Roles",
        _ => "Allowed proofs",
    };
    let boxes = offered.into_iter().map(|own| {
        let checked = typed.words.contains(&own);
        choice("checkbox", "word", own.clone(), checked, word(&own).to_owned())
    });
    let boxes: Vec<AnyView> = boxes.collect();
    let boxes = (!boxes.is_empty()).then(|| choices("words", legend, None, boxes, errors.at("words")));
    let exceptions = (name == PolicyName::Proof).then(|| {
        view! {
            <TextArea id="teams" label="Other rules for some teams" value=typed.teams.clone() error=errors.at("teams")
                placeholder="Payments: key, federated"
                hint="A line for each team: its name, a colon, and what it may use: secret, key, federated."/>
        }
    });
    let asked = errors.at("accept").or_else(|| (count > 0).then(|| consequence(meant, count)));
    let accept = asked.map(|words| {
        let missing = errors.at("accept").map(|_| view! { <p class="error">"Tick the box to enforce it."</p> });
        let words = words.strip_suffix(" Confirm that you have read this.").unwrap_or(&words).to_owned();
        let checked = typed.accept == "yes";
        view! {
            <fieldset class="stack" id="accept" tabindex="-1">
                <legend>"If you enforce it"</legend>
                <p class="hint">{words}</p>
                {missing}
                {choice("checkbox", "accept", "yes", checked, "I have read who and what does not comply")}
            </fieldset>
        }
    });
    Ok(html! {
        {limit}{boxes}{exceptions}
        {choices("mode", "Mode", None, modes, errors.at("mode"))}
        {accept}
    })
}

/// The credentials or people that do not comply.
fn not_complying(policy: &Policy, found: NotComplying) -> AnyView {
    let NotComplying { credentials, people, count } = found;
    let is_about_people = matches!(policy.name, PolicyName::SecondFactor | PolicyName::Generation);
    let title = match (policy.name, count) {
        (PolicyName::Generation, _) => format!("Who must ask: {}", counted(count, "person", "people")),
        (_, 0) => "Everything complies now".to_owned(),
        (_, count) if count > 1000 => "Does not comply: more than 1,000 credentials".to_owned(),
        (_, count) if is_about_people => format!("Does not comply: {}", counted(count, "person", "people")),
        (_, count) => format!("Does not comply: {}", counted(count, "credential", "credentials")),
    };
    let shown = credentials.len().max(people.len()) as i64;
    let content = if count == 0 {
        empty(if policy.name == PolicyName::Generation { "Nobody is a member of a team." } else { "Nothing to do." })
    } else if is_about_people {
        let rows = people.into_iter().map(|person| {
            let href = links::person(&person.id);
            cells![html! { <a class="name" href=href>{person.name}</a> }, person.email]
        });
        table(["Person", "Email"], rows)
    } else {
        let rows = credentials.into_iter().map(|one| {
            let href = links::credential(&one.client_id);
            let at = if policy.name == PolicyName::Review { one.confirmed_at } else { one.created_at };
            cells![html! { <a class="name" href=href>{one.name}</a> }, one.team, distance(at)]
        });
        let last = if policy.name == PolicyName::Review { "Confirmed or generated" } else { "Generated" };
        table(["Credential", "Team", last], rows)
    };
    let more =
        (count > shown).then(|| view! { <div class="body">{muted(format!("The first {shown} are shown."))}</div> });
    panel("not-complying", title, (), html! { {content}{more} })
}
