//! `countersign policy`

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use domain::base::clock::Timestamp;
use domain::base::id::TeamId;
use domain::context::Context;
use domain::model::operations::policy::{Policy, PolicyMode, PolicyName};
use domain::model::person::authority::Authority;
use domain::model::person::team::Team;
use domain::operations::policy::{self, PolicyEdit};
use domain::person::team;
use serde_json::{Value, json};

use super::shared::{CliError, Format, OneCredential, Printing, instance, operator, team_named};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the policies
    List(Printing),
    /// Show a policy, and what does not comply with it
    Show {
        /// The policy
        #[arg(value_parser = policy_name)]
        name: PolicyName,
        #[command(flatten)]
        printing: Printing,
    },
    /// Change a policy. What is not given stays
    Set(Set),
    /// List the credentials that their teams should have confirmed
    Reviews(Printing),
    /// Confirm that a credential is still needed
    Confirm(OneCredential),
}

#[derive(Args)]
pub(super) struct Set {
    /// The policy
    #[arg(value_parser = policy_name)]
    name: PolicyName,
    /// off, observe or enforce
    #[arg(long, value_parser = policy_mode)]
    mode: Option<PolicyMode>,
    /// Days of secret_lifetime and review, minutes of token_lifetime
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// A scope of address_ranges, a proof (secret, key, federated) or a role (administrator, manager, member, viewer)
    #[arg(long = "word", value_name = "WORD")]
    words: Vec<String>,
    /// Other proofs for a team: TEAM=secret,key. TEAM= takes its rule away
    #[arg(long = "team", value_name = "TEAM=PROOFS")]
    teams: Vec<String>,
    /// Enforce it although something does not comply
    #[arg(long)]
    yes: bool,
}

fn policy_name(text: &str) -> Result<PolicyName, String> {
    let known = || PolicyName::ALL.map(PolicyName::as_str).join(", ");
    PolicyName::parse(text).ok_or_else(|| format!("use one of {}", known()))
}

fn policy_mode(text: &str) -> Result<PolicyMode, String> {
    PolicyMode::parse(text).ok_or_else(|| "use off, observe or enforce".to_owned())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| match command {
        Command::List(Printing { format }) => list(context, format).await,
        Command::Show { name, printing } => show(context, name, printing.format).await,
        Command::Set(arguments) => set(context, arguments).await,
        Command::Reviews(Printing { format }) => reviews(context, format).await,
        Command::Confirm(credential) => {
            let id = credential.client_id;
            match policy::confirm(context, &operator(), std::slice::from_ref(&id)).await? {
                0 => return Err(CliError::Failed("the credential is revoked".to_owned())),
                _ => println!("Confirmed {id}"),
            }
            Ok(())
        }
    })
    .await
}

/// What a policy says, on one line.
fn said(policy: &Policy, teams: &[Team]) -> String {
    let words = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let limit = policy.name.limits().map(|(unit, _)| format!("{} {unit}", policy.terms.limit));
    let all = Some(words(&policy.terms.words)).filter(|words| !words.is_empty());
    let named = |(id, own): (&TeamId, &BTreeSet<String>)| {
        let team = teams.iter().find(|team| team.id == *id)?;
        Some(format!("{}={}", team.name, words(own)))
    };
    let special = policy.terms.teams.iter().filter_map(named);
    limit.into_iter().chain(all).chain(special).collect::<Vec<_>>().join("  ")
}

fn object(policy: &Policy) -> Value {
    let special: BTreeMap<&str, &BTreeSet<String>> =
        policy.terms.teams.iter().map(|(team, words)| (team.as_str(), words)).collect();
    json!({
        "name": policy.name.as_str(),
        "mode": policy.mode.as_str(),
        "limit": policy.name.limits().map(|_| policy.terms.limit),
        "unit": policy.name.limits().map(|(unit, _)| unit),
        "words": policy.terms.words,
        "teams": special,
        "enforced_at": policy.enforced_at.map(Timestamp::rfc3339),
        "changed_at": policy.changed.as_ref().map(|(at, _)| at.rfc3339()),
        "changed_by": policy.changed.as_ref().map(|(_, by)| by),
    })
}

async fn list(context: &Context, format: Format) -> Result<(), CliError> {
    let policies = policy::all(context).await?;
    let teams = team::list(context, &Authority::Everything).await?;
    match format {
        Format::Json => println!("{:#}", json!(policies.iter().map(object).collect::<Vec<_>>())),
        Format::Text => {
            for policy in policies.iter() {
                let line = format!("{:<16}{:<9}{}", policy.name.as_str(), policy.mode.as_str(), said(policy, &teams));
                println!("{}", line.trim_end());
            }
        }
    }
    Ok(())
}

async fn show(context: &Context, name: PolicyName, format: Format) -> Result<(), CliError> {
    let policy = policy::all(context).await?.get(name);
    let found = policy::not_complying(context, &policy).await?;
    match format {
        Format::Json => {
            let mut shown = object(&policy);
            let credentials = found.credentials.iter().map(|one| {
                json!({ "client_id": one.client_id.as_str(),
                "name": one.name, "team": one.team })
            });
            let people = found.people.iter().map(|one| json!({ "id": one.id.as_str(), "email": one.email }));
            shown["not_complying"] = json!({ "count": found.count, "credentials": credentials.collect::<Vec<_>>(),
                "people": people.collect::<Vec<_>>() });
            println!("{shown:#}");
        }
        Format::Text => {
            let teams = team::list(context, &Authority::Everything).await?;
            println!("{}  {}  {}", policy.name.as_str(), policy.mode.as_str(), said(&policy, &teams));
            println!("Does not comply: {}", found.count);
            for one in &found.credentials {
                println!("{}  {}  ({})", one.client_id, one.name, one.team);
            }
            for one in &found.people {
                println!("{}  {}", one.id, one.email);
            }
        }
    }
    Ok(())
}

async fn set(context: &Context, arguments: Set) -> Result<(), CliError> {
    let before = policy::all(context).await?.get(arguments.name);
    let mut terms = before.terms;
    if let Some(limit) = arguments.limit {
        terms.limit = limit;
    }
    if !arguments.words.is_empty() {
        terms.words = arguments.words.into_iter().collect();
    }
    for rule in arguments.teams {
        let form = || ConfigError::new("--team", format!("{rule} is not TEAM=PROOFS, such as Payments=key,federated"));
        let (name, proofs) = rule.rsplit_once('=').ok_or_else(form)?;
        let team = team_named(context, "--team", name).await?;
        let words: BTreeSet<String> = proofs.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if words.is_empty() {
            terms.teams.remove(&team.id);
        } else {
            terms.teams.insert(team.id, words);
        }
    }
    let mode = arguments.mode.unwrap_or(before.mode);
    let edit = PolicyEdit { name: arguments.name, mode, terms, accepts: arguments.yes };
    let (after, changed) = policy::set(context, &operator(), &edit).await?;
    let teams = team::list(context, &Authority::Everything).await?;
    let verb = if changed { "Set" } else { "Unchanged:" };
    println!("{verb} {} {}  {}", after.name.as_str(), after.mode.as_str(), said(&after, &teams));
    Ok(())
}

async fn reviews(context: &Context, format: Format) -> Result<(), CliError> {
    let state = policy::review(context, &Authority::Everything).await?;
    let Some(policy) = state.policy else {
        return Err(CliError::Failed("reviews are off: set the policy review first".to_owned()));
    };
    let rows = state.due.iter().map(|one| {
        let due = policy.review_due(one.confirmed_at);
        (one, due, policy.disabled_at(due))
    });
    match format {
        Format::Json => {
            let rows = rows.map(|(one, due, end)| {
                json!({ "client_id": one.client_id.as_str(), "name": one.name, "team": one.team,
                    "due_at": due.rfc3339(), "disabled_at": end.map(Timestamp::rfc3339) })
            });
            println!("{:#}", json!(rows.collect::<Vec<_>>()));
        }
        Format::Text => {
            for (one, due, end) in rows {
                let end = end.map(|end| format!("  disabled on {}", end.rfc3339())).unwrap_or_default();
                println!("{}  {}  ({})  due since {}{end}", one.client_id, one.name, one.team, due.rfc3339());
            }
            if state.more {
                println!("There are more.");
            }
        }
    }
    Ok(())
}
