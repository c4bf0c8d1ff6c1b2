//! `countersign server`

mod gateway;
mod show;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use domain::context::Context;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::server::access::ServerAccess;
use domain::model::server::check::StepOutcome;
use domain::model::server::{DEFAULT_SCOPE, McpServer, ScopeDescription};
use domain::server::edit::ServerEdit;
use domain::server::gateway::GatewayDraft;
use domain::server::{self, ServerDraft, archive, check};

use super::shared::{CliError, Format, duration, instance, operator, team_named, token_algorithm};
use crate::config::{Config, ConfigError};
use crate::egress::mcp::McpServers;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register an MCP server
    Add {
        /// Its name for people
        #[arg(long)]
        name: String,
        /// The URL that clients call: the audience of its tokens
        #[arg(long, value_name = "URI", required_unless_present = "upstream", conflicts_with = "upstream")]
        resource: Option<String>,
        /// The address of an MCP server that checks no tokens itself. Clients call it through the gateway
        #[arg(long, value_name = "URL")]
        upstream: Option<String>,
        /// The last part of the address of the gateway: /gateway/SLUG. It is made of the name when not given
        #[arg(long, requires = "upstream")]
        slug: Option<String>,
        /// A file with the header that proves Countersign to that MCP server: "Authorization: Bearer KEY"
        #[arg(long, value_name = "FILE", requires = "upstream")]
        upstream_header_file: Option<PathBuf>,
        /// A scope that it understands, and after a space what the scope allows; the first is the default. A scope can
        /// imply others: "docs:write (implies docs:read) Change pages."
        #[arg(long = "scope", value_name = "SCOPE", default_value = DEFAULT_SCOPE)]
        scopes: Vec<String>,
        /// How long its tokens live: 10m
        #[arg(long, value_name = "TIME", value_parser = duration)]
        token_lifetime: Option<Duration>,
        /// How its tokens are signed: ES256, EdDSA, PS256 or RS256
        #[arg(long, default_value = "ES256", value_parser = token_algorithm)]
        alg: TokenAlgorithm,
        /// A team whose credentials and people may use it; all teams when not given
        #[arg(long = "team", value_name = "NAME")]
        teams: Vec<String>,
    },
    /// List the MCP servers
    List {
        /// Also list archived servers
        #[arg(long)]
        archived: bool,
        /// How the list is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show an MCP server, and how many may call it
    Show {
        #[command(flatten)]
        server: OneServer,
        /// How the server is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Change name, scopes, token lifetime or signature
    Edit(EditArguments),
    /// Change how the gateway calls an MCP server, and how much it may be called
    Gateway(gateway::GatewayArguments),
    /// Look at an MCP server behind the gateway, and show its tools
    Tools(gateway::ToolsArguments),
    /// Set what a scope of an MCP server behind the gateway allows
    Allow(gateway::AllowArguments),
    /// Archive it: it gets no new tokens
    Archive(OneServer),
    /// Take it back from the archive
    Unarchive(OneServer),
    /// Remove an archived server that nothing refers to
    Remove(OneServer),
    /// Check whether it protects itself
    Check {
        #[command(flatten)]
        server: OneServer,
        /// How the result is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// The MCP server that a command is about.
#[derive(Args)]
pub(super) struct OneServer {
    /// Its identifier or its resource
    #[arg(value_name = "SERVER")]
    server: String,
}

impl OneServer {
    async fn find(&self, context: &Context) -> Result<McpServer, CliError> {
        let found = server::find_named(context, &self.server).await?;
        let unknown = || ConfigError::new("server", format!("there is no MCP server {}", self.server));
        Ok(found.ok_or_else(unknown)?)
    }
}

#[derive(Args)]
pub(super) struct EditArguments {
    #[command(flatten)]
    server: OneServer,
    /// Its name for people
    #[arg(long)]
    name: Option<String>,
    /// A scope, and after a space what the scope allows; the scopes given here replace the present ones. A scope can
    /// imply others: "docs:write (implies docs:read) Change pages."
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long its tokens live: 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    token_lifetime: Option<Duration>,
    /// How its tokens are signed: ES256, EdDSA, PS256 or RS256
    #[arg(long, value_parser = token_algorithm)]
    alg: Option<TokenAlgorithm>,
    /// Remove scopes also when credentials, apps or personal tokens hold them
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| match command {
        Command::Add { name, resource, upstream, slug, upstream_header_file, scopes, token_lifetime, alg, teams } => {
            let scopes = scopes.iter().map(|text| ScopeDescription::parse(text)).collect();
            let access = access(context, &teams).await?;
            let resource = resource.unwrap_or_default();
            let draft = ServerDraft { name, resource, scopes, token_lifetime, alg, access };
            let Some(upstream) = upstream else {
                let server = server::add(context, &operator(), &draft).await?;
                println!("Added {} {}", server.id, server.resource);
                return Ok(());
            };
            let header = gateway::header_in(upstream_header_file.as_deref())?;
            let behind = GatewayDraft { upstream, slug, header };
            let server = server::gateway::add(context, &operator(), &draft, &behind).await?;
            println!("Added {} {}", server.id, server.resource);
            gateway::look_after_adding(config, context, &server).await
        }
        Command::List { archived, format } => show::list(context, archived, format).await,
        Command::Show { server, format } => show::show(context, &server.find(context).await?, format).await,
        Command::Edit(arguments) => edit(context, arguments).await,
        Command::Gateway(arguments) => gateway::edit(context, arguments).await,
        Command::Tools(arguments) => gateway::tools(config, context, arguments).await,
        Command::Allow(arguments) => gateway::allow(context, arguments).await,
        Command::Archive(server) => {
            let server = server.find(context).await?;
            archive::archive(context, &operator(), &server.id).await?;
            println!("Archived {} {}", server.id, server.resource);
            Ok(())
        }
        Command::Unarchive(server) => {
            let server = server.find(context).await?;
            archive::unarchive(context, &operator(), &server.id).await?;
            println!("Unarchived {} {}", server.id, server.resource);
            Ok(())
        }
        Command::Remove(server) => {
            let server = server.find(context).await?;
            archive::remove(context, &operator(), &server.id).await?;
            println!("Removed {} {}", server.id, server.resource);
            Ok(())
        }
        Command::Check { server, format } => run_check(config, context, &server.find(context).await?, format).await,
    })
    .await
}

/// The teams that the options name; all teams when none is named.
async fn access(context: &Context, names: &[String]) -> Result<ServerAccess, CliError> {
    if names.is_empty() {
        return Ok(ServerAccess::All);
    }
    let mut teams = BTreeSet::new();
    for name in names {
        teams.insert(team_named(context, "--team", name).await?.id);
    }
    Ok(ServerAccess::Teams(teams))
}

async fn edit(context: &Context, arguments: EditArguments) -> Result<(), CliError> {
    let server = arguments.server.find(context).await?;
    // A scope without words keeps the words that it has, and a name alone also what it implies.
    let scope = |text: &String| {
        let given = ScopeDescription::parse(text);
        match server.scopes.iter().find(|scope| scope.name == given.name && given.description.is_empty()) {
            Some(present) if given.implies.is_empty() => present.clone(),
            Some(present) => ScopeDescription { description: present.description.clone(), ..given },
            None => given,
        }
    };
    let edit = ServerEdit {
        name: arguments.name,
        scopes: (!arguments.scopes.is_empty()).then(|| arguments.scopes.iter().map(scope).collect()),
        token_lifetime: arguments.token_lifetime,
        alg: arguments.alg,
        removes_held_scopes: arguments.yes,
    };
    match server::edit::edit(context, &operator(), &server.id, &edit).await? {
        true => println!("Changed {} {}", server.id, server.resource),
        false => println!("Nothing changed."),
    }
    Ok(())
}

/// Checks the server and prints the result. A step that did not pass makes the command fail.
async fn run_check(config: &Config, context: &Context, server: &McpServer, format: Format) -> Result<(), CliError> {
    let probe = McpServers::new(config.egress.private_hosts().upstreams);
    let check = check::run(context, &probe, &operator(), &server.id).await?;
    match format {
        Format::Json => println!("{:#}", show::check_object(&check)),
        Format::Text => {
            for step in &check.steps {
                println!("{:<7}  {}. {}", step.outcome.as_str(), step.step.title(), step.received);
                if step.outcome == StepOutcome::Failed {
                    println!("         {}", step.remedy(server, &context.settings.public_url));
                }
            }
        }
    }
    match check.problems() {
        0 => Ok(()),
        1 => Err(CliError::failed("one step did not pass")),
        count => Err(CliError::failed(format!("{count} steps did not pass"))),
    }
}
