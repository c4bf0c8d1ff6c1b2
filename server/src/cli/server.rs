//! `countersign server`

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use domain::context::Context;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::server::access::ServerAccess;
use domain::model::server::{DEFAULT_SCOPE, ScopeDescription};
use domain::server::{self, ServerDraft};

use super::shared::{CliError, duration, instance, operator, team_named, token_algorithm};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register an MCP server
    Add {
        /// Its name for people
        #[arg(long)]
        name: String,
        /// The URL that clients call: the audience of its tokens
        #[arg(long, value_name = "URI")]
        resource: String,
        /// A scope that it understands; the first is what a new credential gets
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
    List,
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| {
        match command {
            Command::Add { name, resource, scopes, token_lifetime, alg, teams } => {
                let scope = |name| ScopeDescription { name, description: String::new() };
                let scopes = scopes.into_iter().map(scope).collect();
                let access = access(context, &teams).await?;
                let draft = ServerDraft { name, resource, scopes, token_lifetime, alg, access };
                let server = server::add(context, &operator(), &draft).await?;
                println!("Added {} {}", server.id, server.resource);
            }
            Command::List => {
                for server in server::list(context).await? {
                    println!("{}  {}  {}  {}", server.id, server.alg.as_str(), server.resource, server.name);
                }
            }
        }
        Ok(())
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
        teams.insert(team_named(context, name).await?);
    }
    Ok(ServerAccess::Teams(teams))
}
