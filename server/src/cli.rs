//! The command line. Commands work on the same database as the server, also while it runs.

mod admin;
mod audit;
mod backup;
mod client;
mod credential;
mod healthcheck;
mod import;
mod instance;
mod keys;
mod leak;
mod migrate;
mod progress;
mod restore;
mod serve;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, LogFormat, Settings};
use crate::http::request_id::{Line, WithRequestId};

/// Self-hosted machine credentials for MCP servers.
#[derive(Parser)]
#[command(name = "countersign", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    /// The configuration file; countersign.toml in the working directory when not given
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (also without a command)
    Serve,
    /// Administrators
    #[command(subcommand)]
    Admin(admin::Command),
    /// Credentials
    #[command(subcommand)]
    Credential(credential::Command),
    /// Interactive clients
    #[command(subcommand)]
    Client(client::Command),
    /// MCP servers
    #[command(subcommand)]
    Server(server::Command),
    /// Signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Find what a text gives away: secrets, tokens and client IDs
    Leak(leak::Arguments),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write a consistent, checked copy of the database
    Backup(backup::Arguments),
    /// Put a backup in the place of the database. Stop the servers first
    Restore(restore::Arguments),
    /// Take over credentials of another system
    Import(import::Arguments),
    /// Copy everything to an empty PostgreSQL database
    MigrateTo(migrate::Arguments),
    /// Ask the running server whether it is ready
    Healthcheck,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// Settings or arguments: exit code 2.
    #[error("{0}")]
    Usage(#[from] ConfigError),
    /// Anything else: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Reads the command line and runs it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors. A closed standard output is nobody's problem.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign: {error}");
            ExitCode::from(if matches!(error, CliError::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let config = cli.settings.resolve(cli.config.as_deref())?;
    let command = cli.command.unwrap_or(Command::Serve);
    start_log(&config, matches!(command, Command::Serve))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::failed)?;
    runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::Admin(command) => admin::run(&config, command).await,
            Command::Credential(command) => credential::run(&config, command).await,
            Command::Client(command) => client::run(&config, command).await,
            Command::Server(command) => server::run(&config, command).await,
            Command::Keys(command) => keys::run(&config, command).await,
            Command::Leak(arguments) => leak::run(&config, &arguments).await,
            Command::Audit(command) => audit::run(&config, command).await,
            Command::Backup(arguments) => backup::run(&config, &arguments).await,
            Command::Restore(arguments) => restore::run(&config, &arguments).await,
            Command::Import(arguments) => import::run(&config, &arguments).await,
            Command::MigrateTo(arguments) => migrate::run(&config, &arguments).await,
            Command::Healthcheck => healthcheck::run(&config).await,
        }
    })
}

/// Logs go to standard error: standard output is for what was asked for.
///
/// At any level the crates below ours log warnings only: their finer levels print what passes through them, and what
/// passes here are tokens and cookies.
///
/// Commands that end at once say what they did themselves: unless asked otherwise they log warnings only.
fn start_log(config: &Config, serving: bool) -> Result<(), CliError> {
    use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
    use tracing_subscriber::fmt;
    use tracing_subscriber::prelude::*;

    let ours = filter_fn(|metadata| {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        matches!(crate_name, "server" | "app" | "domain") || *metadata.level() <= tracing::Level::WARN
    });
    let wanted = if !serving && config.log == "info" { "warn" } else { &config.log };
    let filter = EnvFilter::try_new(wanted).map_err(|error| ConfigError::new("log", error.to_string()))?.and(ours);
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    match config.log_format {
        LogFormat::Text => {
            let format = WithRequestId { format: fmt::format(), line: Line::Text };
            registry.with(layer.with_ansi(terminal).event_format(format).with_filter(filter)).init();
        }
        LogFormat::Json => {
            let format = WithRequestId { format: fmt::format().json().flatten_event(true), line: Line::Json };
            registry.with(layer.json().event_format(format).with_filter(filter)).init();
        }
    }
    Ok(())
}
