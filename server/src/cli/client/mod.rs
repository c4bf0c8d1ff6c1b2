//! `countersign client`, and `countersign token`

mod show;
pub(crate) mod token;

use clap::{Args, Subcommand};
use domain::base::id::AppClientId;
use domain::client::{self, ClientDraft, disable};
use domain::context::Context;
use domain::model::client::AppClient;
use serde_json::json;

use crate::cli::shared::{CliError, Format, SHOWN_ONCE, instance, line, operator};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register a client: a program that acts for people, with their consent
    Create {
        /// Its name, which people see when it asks them
        #[arg(long)]
        name: String,
        /// Where answers may be sent; on localhost and 127.0.0.1 any port is allowed
        #[arg(long = "redirect-uri", value_name = "URI", required_unless_present = "device")]
        redirect_uris: Vec<String>,
        /// It may use the device grant: people enter a code that it shows, and it needs no redirect URI
        #[arg(long)]
        device: bool,
        /// It runs on a server and keeps a secret
        #[arg(long, conflicts_with = "jwks_uri")]
        confidential: bool,
        /// It runs on a server, and publishes the keys (JWKS) with which it proves itself at this https address
        #[arg(long, value_name = "URL")]
        jwks_uri: Option<String>,
        /// How the client is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List the clients
    List {
        /// Only with this text in the name or the client ID
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show a client, and who gave it access
    Show {
        #[command(flatten)]
        client: OneClient,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Stop a client until it is enabled again; the access that people gave it stays
    Disable(OneClient),
    /// Let a disabled client go on
    Enable(OneClient),
    /// Remove a client; the access that people gave it ends
    Remove(OneClient),
}

/// The client that a command is about.
#[derive(Args)]
pub(crate) struct OneClient {
    /// Its client ID
    #[arg(value_name = "CLIENT_ID")]
    client_id: String,
}

impl OneClient {
    async fn find(&self, context: &Context) -> Result<AppClient, CliError> {
        let found = match AppClientId::parse(&self.client_id) {
            Some(id) => client::find(context, &id).await?,
            None => None,
        };
        let unknown = || ConfigError::new("CLIENT_ID", format!("there is no client {}", self.client_id));
        Ok(found.ok_or_else(unknown)?)
    }
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let (draft, format) = match command {
        Command::Create { name, redirect_uris, device, confidential, jwks_uri, format } => {
            (ClientDraft { name, redirect_uris, confidential, jwks_uri, device_grant: device }, format)
        }
        Command::List { search, format } => {
            return instance::with(config, async |context| show::list(context, search, format).await).await;
        }
        Command::Show { client, format } => {
            return instance::with(config, async |context| {
                show::show(context, &client.find(context).await?, format).await
            })
            .await;
        }
        Command::Disable(one) => {
            return instance::with(config, async |context| {
                let client = one.find(context).await?;
                report(&client, "Disabled", disable::disable(context, &operator(), &client.id).await?);
                Ok(())
            })
            .await;
        }
        Command::Enable(one) => {
            return instance::with(config, async |context| {
                let client = one.find(context).await?;
                report(&client, "Enabled", disable::enable(context, &operator(), &client.id).await?);
                Ok(())
            })
            .await;
        }
        Command::Remove(client) => {
            return instance::with(config, async |context| {
                let client = client.find(context).await?;
                let ended = client::remove(context, &operator(), &client.id).await?;
                println!("Removed {} {}. Access that people gave it has ended: {ended}", client.id, client.name);
                Ok(())
            })
            .await;
        }
    };
    create(config, draft, format).await
}

/// Prints what a command did to the client.
fn report(client: &AppClient, done: &str, changed: bool) {
    let AppClient { id, name, .. } = client;
    match changed {
        true => println!("{done} {id} {name}"),
        false => println!("{id} was so already; nothing was changed"),
    }
}

async fn create(config: &Config, draft: ClientDraft, format: Format) -> Result<(), CliError> {
    instance::with(config, async |context| {
        let (client, secret) = client::create(context, &operator(), &draft, None).await?;
        let secret = secret.as_ref().map(|secret| secret.expose());
        match format {
            Format::Json => {
                let uris: Vec<&str> = client.redirect_uris.iter().map(|uri| uri.as_str()).collect();
                let settings = &context.settings;
                let mut object = json!({
                    "client_id": client.id.as_str(),
                    "name": client.name,
                    "redirect_uris": uris,
                    "issuer": settings.public_url,
                    "authorization_endpoint": format!("{}/mcp/oauth/authorize", settings.public_url),
                    "token_endpoint": settings.token_endpoint(),
                });
                if client.device_grant_since.is_some() {
                    object["device_authorization_endpoint"] = json!(settings.device_authorization_endpoint());
                }
                if let Some(secret) = secret {
                    object["client_secret"] = json!(secret);
                }
                println!("{object}");
            }
            Format::Text => {
                print!("{}", line("Client ID", &client.id));
                if let Some(secret) = secret {
                    print!("{}{SHOWN_ONCE}", line("Client secret", secret));
                }
            }
        }
        Ok(())
    })
    .await
}
