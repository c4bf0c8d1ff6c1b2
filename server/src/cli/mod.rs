//! The command line. Commands work on the same database as the server, also while the server runs.

#[macro_use]
mod shared;

mod audit;
mod backup;
mod client;
mod credential;
mod healthcheck;
mod import;
mod incident;
mod issuer;
mod keys;
mod person;
mod policy;
mod serve;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::shared::{CliError, log, print};
use crate::config::{Config, ConfigError, layers};
use crate::connect;
use crate::connect::problem::ConnectError;

/// Self-hosted machine credentials for MCP servers.
#[derive(Parser)]
#[command(name = "countersign", version, about, max_term_width = 100)]
struct Cli {
    /// The configuration file; countersign.toml in the working directory when not given
    #[arg(long, global = true, value_name = "FILE", help_heading = layers::HEADING)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (also without a command)
    Serve(serve::Arguments),
    /// Administrators
    #[command(subcommand)]
    Admin(person::admin::Command),
    /// People who have an account
    #[command(subcommand)]
    Person(person::Command),
    /// Teams, which own credentials
    #[command(subcommand)]
    Team(person::team::Command),
    /// Credentials
    #[command(subcommand)]
    Credential(credential::Command),
    /// Clients that act for people
    #[command(subcommand)]
    Client(client::Command),
    /// Access tokens and personal tokens
    #[command(subcommand)]
    Token(client::token::Command),
    /// MCP servers
    #[command(subcommand)]
    Server(server::Command),
    /// Signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// What the installation allows, and reviews of credentials
    #[command(subcommand)]
    Policy(policy::Command),
    /// Find secrets, tokens and client IDs in a text
    Leak(incident::leak::Arguments),
    /// Stop many credentials at once, or undo that
    EmergencyStop(incident::emergency_stop::Arguments),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write a consistent, checked copy of the database
    Backup(backup::Backup),
    /// Replace the database by a backup. Stop the servers first
    Restore(backup::restore::Arguments),
    /// Import credentials of another system
    Import(import::Arguments),
    /// The public address of this instance
    #[command(subcommand)]
    Issuer(issuer::Command),
    /// Copy everything to an empty PostgreSQL database
    MigrateTo(backup::MigrateTo),
    /// Ask the running server whether it is ready
    Healthcheck,
    /// Connect an MCP client that knows only a command or a fixed header to an MCP server. Needs no settings
    Connect(connect::Arguments),
}

/// What the command line asks for.
enum Asked {
    /// A command that needs the settings.
    Command(Box<Config>, Command),
    /// The one command that runs where no server is.
    Connect(connect::Arguments),
}

/// Reads the command line and runs it.
pub fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}

fn start() -> Result<ExitCode, CliError> {
    match read()? {
        Ok(Asked::Command(config, command)) => run(&config, command).map(|()| ExitCode::SUCCESS),
        Ok(Asked::Connect(arguments)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let ended = runtime.block_on(connect::run(arguments));
            // A read of standard input cannot be interrupted.
            runtime.shutdown_background();
            ended.map(|()| ExitCode::SUCCESS).map_err(|error| match error {
                ConnectError::Usage(problem) => ConfigError::new("connect", problem).into(),
                ConnectError::Failed(problem) => CliError::Failed(problem),
            })
        }
        Err(error) => explain(&error),
    }
}

/// Reads the command and the settings. This is outside [`start`], so that a server does not keep the parser in memory.
fn read() -> Result<Result<Asked, clap::Error>, CliError> {
    let mut command = layers::add_settings(Cli::command())?;
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return Ok(Err(error)),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return Ok(Err(error.format(&mut command))),
    };
    if let Some(Command::Connect(mut arguments)) = cli.command {
        // The setting of the same name has a default, and may be in the environment. It is about the server.
        let source = matches.subcommand_matches("connect").and_then(|own| own.value_source("listen"));
        arguments.listen = arguments.listen.filter(|_| source == Some(ValueSource::CommandLine));
        return Ok(Ok(Asked::Connect(arguments)));
    }
    let config = layers::resolve(&matches, cli.config.as_deref())?;
    let command = cli.command.unwrap_or_else(|| Command::Serve(serve::Arguments::default()));
    Ok(Ok(Asked::Command(Box::new(config), command)))
}

/// Prints the message of `clap`: help, version, or what is wrong with the arguments.
fn explain(error: &clap::Error) -> Result<ExitCode, CliError> {
    if let Some(error) = ConfigError::from_parser(error) {
        return Err(error.into());
    }
    // A closed standard output is no reason for an error.
    let _ = error.print();
    Ok(if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let repeated = log::start(config, matches!(command, Command::Serve(_)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Serve(arguments) => serve::run(config, &arguments, repeated).await,
            Command::Admin(command) => person::admin::run(config, command).await,
            Command::Person(command) => person::run(config, command).await,
            Command::Team(command) => person::team::run(config, command).await,
            Command::Credential(command) => credential::run(config, command).await,
            Command::Client(command) => client::run(config, command).await,
            Command::Token(command) => client::token::run(config, command).await,
            Command::Server(command) => server::run(config, command).await,
            Command::Keys(command) => keys::run(config, command).await,
            Command::Policy(command) => policy::run(config, command).await,
            Command::Leak(arguments) => incident::leak::run(config, &arguments).await,
            Command::EmergencyStop(arguments) => incident::emergency_stop::run(config, &arguments).await,
            Command::Audit(command) => audit::run(config, command).await,
            Command::Backup(arguments) => backup::backup(config, &arguments).await,
            Command::Restore(arguments) => backup::restore::run(config, &arguments).await,
            Command::Import(arguments) => import::run(config, &arguments).await,
            Command::Issuer(command) => issuer::run(config, command).await,
            Command::MigrateTo(arguments) => backup::migrate_to(config, &arguments).await,
            Command::Healthcheck => healthcheck::run(config).await,
            // It was run without settings.
            Command::Connect(_) => Ok(()),
        }
    })?;
    print::check().map_err(|fault| CliError::Failed(format!("standard output: {fault}")))
}
