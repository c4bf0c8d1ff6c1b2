//! `countersign client`, and `countersign token`

pub(crate) mod token;

use clap::Subcommand;
use domain::client::{self, ClientDraft};
use serde_json::json;

use crate::cli::shared::{CliError, Format, SHOWN_ONCE, instance, line, operator};
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register a client: a program that acts for people, with their consent
    Create {
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
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let Command::Create { name, redirect_uris, confidential, format } = command;
    let draft = ClientDraft { name, redirect_uris, confidential };
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
