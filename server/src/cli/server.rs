//! `countersign server`

use std::time::Duration;

use clap::{Args, Subcommand};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::server::{DEFAULT_SCOPE, ScopeDescription};
use domain::server::{self, McpServerError, ServerDraft};

use super::admin::operator;
use super::credential::parse_duration;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub enum Command {
    /// Register an MCP server
    Add(Add),
    /// List the MCP servers
    List,
}

#[derive(Args)]
pub struct Add {
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
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    token_lifetime: Option<Duration>,
    /// How its tokens are signed: ES256, EdDSA, PS256 or RS256
    #[arg(long, default_value = "ES256", value_parser = parse_algorithm)]
    alg: TokenAlgorithm,
}

pub(super) fn parse_algorithm(text: &str) -> Result<TokenAlgorithm, String> {
    TokenAlgorithm::parse(text)
        .ok_or_else(|| format!("write one of {}", TokenAlgorithm::ALL.map(TokenAlgorithm::as_str).join(", ")))
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = match command {
        Command::Add(arguments) => {
            let scope = |name: String| ScopeDescription { name, description: String::new() };
            let draft = ServerDraft {
                name: arguments.name,
                resource: arguments.resource,
                scopes: arguments.scopes.into_iter().map(scope).collect(),
                token_lifetime: arguments.token_lifetime,
                alg: arguments.alg,
            };
            server::add(&context, &operator(), &draft).await.map_err(failure).map(|server| {
                println!("Added {} {}", server.id, server.resource);
            })
        }
        Command::List => server::list(&context).await.map_err(CliError::failed).map(|servers| {
            for server in servers {
                println!("{}  {}  {}  {}", server.id, server.alg.as_str(), server.resource, server.name);
            }
        }),
    };
    context.close().await;
    result
}

fn failure(error: McpServerError) -> CliError {
    match error {
        McpServerError::Invalid(errors) => {
            let problems: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            ConfigError::new("server add", problems.join(" ")).into()
        }
        error => CliError::failed(error),
    }
}
