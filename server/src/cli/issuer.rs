//! `countersign issuer`

use clap::Subcommand;
use domain::server::{self, McpServerError};

use super::shared::{CliError, instance, operator};
use crate::config::sections::public_url;
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Give this instance another public address. Stop the servers first
    Move {
        /// The new issuer, such as https://auth.example.com
        #[arg(value_parser = public_url)]
        new_url: String,
    },
}

fn refused(error: McpServerError) -> CliError {
    match error {
        McpServerError::Invalid(errors) => {
            let problems: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            ConfigError::new("NEW_URL", problems.join(" ")).into()
        }
        error => error.into(),
    }
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let Command::Move { new_url } = command;
    // The setting may hold the old address or the new one.
    let mut config = config.clone();
    config.network.public_url = None;
    instance::with(&config, async |context| {
        let _no_server = instance::refuse_beside_servers(&config, &context.store).await?;
        let old = &context.settings.public_url;
        server::move_issuer(context, &operator(), &new_url).await.map_err(refused)?;
        println!(
            "Moved from {old} to {new_url}. Now:\n\
             - Set public_url to {new_url} on every server.\n\
             - Give programs the new token endpoint. Tokens of {old} are refused.\n\
             - Identities of other issuers keep the audience that they were made with.\n\
             - Passkeys of another host do not sign in. Register {new_url}/login/openid/return at an OpenID provider."
        );
        Ok(())
    })
    .await
}
