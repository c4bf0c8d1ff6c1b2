//! `countersign keys`

use clap::Subcommand;
use domain::clock::Timestamp;
use domain::keys::TokenAlgorithm;
use domain::keys::rotation::{self, Haste};

use super::admin::operator;
use super::server::parse_algorithm;
use super::{CliError, instance};
use crate::config::Config;

#[derive(Subcommand)]
pub enum Command {
    /// List the signing keys
    List,
    /// Make a new signing key; it is published now and signs in 24 hours
    Rotate {
        /// The algorithm: ES256, EdDSA, PS256 or RS256
        #[arg(long, default_value = "ES256", value_parser = parse_algorithm)]
        alg: TokenAlgorithm,
        /// The old key has leaked: drop it at once, with every token that it signed
        #[arg(long)]
        emergency: bool,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = match command {
        Command::List => rotation::list(&context).await.map_err(CliError::failed).map(|keys| {
            for key in keys {
                println!(
                    "{}  {}  signs from {}  leaves {}",
                    key.kid,
                    key.alg,
                    key.active_from.rfc3339(),
                    key.retired_at.map_or_else(|| "-".to_owned(), Timestamp::rfc3339)
                );
            }
        }),
        Command::Rotate { alg, emergency } => {
            let haste = if emergency { Haste::Emergency } else { Haste::Ordered };
            rotation::rotate(&context, &operator(), alg, haste).await.map_err(CliError::failed).map(|from| {
                println!("The new {} key signs from {}", alg.as_str(), from.rfc3339());
            })
        }
    };
    context.close().await;
    result
}
