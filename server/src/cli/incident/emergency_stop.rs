//! `countersign emergency-stop`

use std::io::{BufRead, Write};
use std::time::Duration;

use app::pages::incident::emergency_stop::CONFIRMATION;
use clap::Args;
use domain::base::clock::Timestamp;
use domain::base::id::McpServerId;
use domain::context::Context;
use domain::incident::emergency_stop::{self, BATCH_SIZE};
use domain::model::incident::{Means, Preview, Selection, StopRequest};
use domain::{person, server};

use crate::cli::shared::{CliError, Progress, call_lines, instance, operator, team_named};
use crate::config::{Config, ConfigError};

/// The word that confirms the undo.
const UNDO: &str = "UNDO";
/// The value of `--undo` without a moment.
const NEWEST: &str = "newest";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only credentials of this team; its name
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Only credentials that this person generated or has seen a secret of
    #[arg(long, value_name = "EMAIL")]
    made_by: Option<String>,
    /// Only credentials for this MCP server; its resource identifier
    #[arg(long, value_name = "URI")]
    mcp_server: Option<String>,
    /// Only credentials with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only credentials that were generated before this day: 2026-11-21
    #[arg(long, value_name = "DAY", value_parser = day)]
    created_before: Option<Timestamp>,
    /// Revoke the credentials instead of disabling them: this cannot be undone
    #[arg(long)]
    revoke: bool,
    /// Why; kept in the audit log
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// The number of the incident that the stop belongs to; its record shows the result
    #[arg(long, value_name = "NUMBER")]
    incident: Option<i64>,
    /// Count what would be stopped, and stop nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Enable again what a stop disabled: the newest one, or the one of this moment
    #[arg(long, value_name = "MOMENT", num_args = 0..=1, default_missing_value = NEWEST,
        conflicts_with_all = ["team", "made_by", "mcp_server", "tag", "created_before", "revoke", "reason", "incident"])]
    undo: Option<String>,
}

fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::start_of_day(text).ok_or_else(|| format!("“{text}” is not a day such as 2026-11-21"))
}

pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    instance::with(config, async |context| match &arguments.undo {
        Some(moment) => undo(context, arguments, moment).await,
        None => stop(context, arguments).await,
    })
    .await
}

async fn stop(context: &Context, arguments: &Arguments) -> Result<(), CliError> {
    let selection = selection(context, arguments).await?;
    let means = if arguments.revoke { Means::Revoke } else { Means::Disable };
    let Preview { credentials, live_tokens, grants, personal_tokens, clients } =
        emergency_stop::preview(context, &selection, means).await?;
    let verb = match means {
        Means::Disable => "disables",
        Means::Revoke => "revokes",
    };
    println!(
        "The stop {verb} {credentials} credentials with {live_tokens} live tokens, and ends for good {grants} connected \
         apps, {personal_tokens} personal tokens and {clients} clients."
    );
    let week_ago = context.now().minus(Duration::from_secs(7 * 24 * 3600)).hour();
    let calls = emergency_stop::calls(context, &selection, means, week_ago).await?;
    if !calls.is_empty() {
        println!("In the last 7 days these credentials called through the gateway:");
        call_lines(&calls, &server::list(context).await?).iter().for_each(|line| println!("{line}"));
    }
    if arguments.dry_run {
        println!("Nothing was stopped.");
        return Ok(());
    }
    confirm(arguments, CONFIRMATION, "Nothing was stopped.")?;
    let mut progress = Progress::new();
    let order = StopRequest { selection: &selection, means, reason: &arguments.reason, incident: arguments.incident };
    let actor = operator();
    let stopped = emergency_stop::stop(context, &actor, &order, BATCH_SIZE, |count| {
        progress.show("stopped", i64::try_from(count).unwrap_or(i64::MAX));
    });
    let (count, at) = stopped.await?;
    drop(progress);
    match means {
        Means::Revoke => println!("Revoked {count} credentials."),
        Means::Disable => println!(
            "Disabled {count} credentials. To enable them again: countersign emergency-stop --undo {}",
            at.rfc3339()
        ),
    }
    Ok(())
}

async fn selection(context: &Context, arguments: &Arguments) -> Result<Selection, CliError> {
    let team = match &arguments.team {
        Some(name) => Some(team_named(context, "--team", name).await?.id),
        None => None,
    };
    let made_by = match &arguments.made_by {
        Some(email) => {
            let found = person::find_by_email(context, email).await?;
            let problem = || ConfigError::new("--made-by", format!("nobody has the address {email}"));
            Some(found.ok_or_else(problem)?.id)
        }
        None => None,
    };
    let server = match &arguments.mcp_server {
        Some(resource) => Some(server_named(context, resource).await?),
        None => None,
    };
    Ok(Selection { team, made_by, server, created_before: arguments.created_before, tag: arguments.tag.clone() })
}

async fn server_named(context: &Context, resource: &str) -> Result<McpServerId, CliError> {
    let servers = server::list(context).await?;
    let found = servers.into_iter().find(|server| server.resource == resource).map(|server| server.id);
    found.ok_or_else(|| ConfigError::new("--mcp-server", format!("there is no MCP server {resource}")).into())
}

/// Asks for a word on standard input, because a mistake here stops every program.
fn confirm(arguments: &Arguments, word: &str, otherwise: &str) -> Result<(), CliError> {
    if arguments.yes {
        return Ok(());
    }
    eprint!("Type {word} to confirm: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    match typed.trim() == word {
        true => Ok(()),
        false => Err(ConfigError::new("--yes", format!("{word} was not typed. {otherwise}")).into()),
    }
}

async fn undo(context: &Context, arguments: &Arguments, moment: &str) -> Result<(), CliError> {
    let stops = emergency_stop::undoable(context).await?;
    let found = stops.iter().find(|(at, _)| moment == NEWEST || at.rfc3339() == moment);
    let Some((at, count)) = found else {
        let moments: Vec<String> = stops.iter().map(|(at, _)| at.rfc3339()).collect();
        let problem = match moments.as_slice() {
            [] => "there is no stop whose credentials are still disabled".to_owned(),
            moments => format!("there is no such stop; there is {}", moments.join(", ")),
        };
        return Err(ConfigError::new("--undo", problem).into());
    };
    println!("The stop of {} still disables {count} credentials.", at.rfc3339());
    if arguments.dry_run {
        println!("Nothing was enabled.");
        return Ok(());
    }
    confirm(arguments, UNDO, "Nothing was enabled.")?;
    let count = emergency_stop::undo(context, &operator(), *at).await?;
    println!("Enabled {count} credentials.");
    Ok(())
}
