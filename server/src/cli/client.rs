//! `countersign client`

use clap::{Args, Subcommand, ValueEnum};
use domain::client::{self, ClientDraft, ClientError};
use domain::context::Context;
use serde_json::json;

use super::admin::operator;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub enum Command {
    /// Register an interactive client: a program that acts for people, by their consent
    Create(Create),
}

#[derive(Args)]
pub struct Create {
    /// Its name, which people see when it asks them
    #[arg(long)]
    name: String,
    /// Where answers may be sent; on localhost and 127.0.0.1 any port is allowed
    #[arg(long = "redirect-uri", value_name = "URI", required = true)]
    redirect_uris: Vec<String>,
    /// It runs on a server and keeps a secret
    #[arg(long)]
    confidential: bool,
    /// How the client is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one object
    Json,
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let Command::Create(arguments) = command;
    let result = create(&context, arguments).await;
    context.close().await;
    result
}

async fn create(context: &Context, arguments: Create) -> Result<(), CliError> {
    let Create { name, redirect_uris, confidential, format } = arguments;
    let draft = ClientDraft { name, redirect_uris, confidential };
    let (client, secret) = client::create(context, &operator(), &draft, None).await.map_err(failure)?;
    let settings = &context.settings;
    match format {
        Format::Json => {
            let uris: Vec<&str> = client.redirect_uris.iter().map(|uri| uri.as_str()).collect();
            let mut object = json!({
                "client_id": client.id.as_str(),
                "name": client.name,
                "redirect_uris": uris,
                "issuer": settings.public_url,
                "authorization_endpoint": format!("{}/mcp/oauth/authorize", settings.public_url),
                "token_endpoint": settings.token_endpoint(),
            });
            if let Some(secret) = &secret {
                object["client_secret"] = json!(secret.expose());
            }
            println!("{object}");
        }
        Format::Text => {
            println!("Client ID      {}", client.id);
            if let Some(secret) = &secret {
                println!("Client secret  {}", secret.expose());
                println!("The secret is not shown again.");
            }
        }
    }
    Ok(())
}

fn failure(error: ClientError) -> CliError {
    match error {
        ClientError::Invalid(errors) => {
            let problems: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            ConfigError::new("client create", problems.join(" ")).into()
        }
        error => CliError::failed(error),
    }
}
