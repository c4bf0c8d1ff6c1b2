//! `countersign keys`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{self, RotationMode};
use domain::operations::master_key;

use super::CliError;
use super::admin::operator;
use super::instance::{self, NewMasterKey};
use super::server::parse_algorithm;
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
    /// Replace the master key: make a new one and wrap everything under it. Stop the servers first
    Rewrap {
        /// Write the new key to this file instead of putting it in the place of the old one
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = match command {
        Command::Rewrap { to } => rewrap(config, &context, to.as_deref()).await,
        Command::List => key_rotation::list(&context).await.map_err(CliError::failed).map(|keys| {
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
            let haste = if emergency { RotationMode::Emergency } else { RotationMode::Ordered };
            key_rotation::rotate(&context, &operator(), alg, haste).await.map_err(CliError::failed).map(|from| {
                println!("The new {} key signs from {}", alg.as_str(), from.rfc3339());
            })
        }
    };
    context.close().await;
    result
}

async fn rewrap(config: &Config, context: &Context, to: Option<&Path>) -> Result<(), CliError> {
    let _no_server = instance::refuse_beside_servers(config, &context.store).await?;
    let new = match to {
        Some(file) => NewMasterKey::at(file)?,
        None => NewMasterKey::beside_the_old(config)?,
    };
    let wrapped = master_key::rewrap(context, &operator(), new.key()).await.map_err(CliError::failed)?;
    match new.put_in_place(config)? {
        Some(old) => println!(
            "Wrapped {wrapped} keys and secrets under a new master key, now in {}.\n\
             Earlier backups still need the old one: it is in {}.",
            config.master_key_file.display(),
            old.display()
        ),
        None => println!(
            "Wrapped {wrapped} keys and secrets under a new master key. Give it to every server before you start them: it is in {}.",
            to.unwrap_or(&config.master_key_file).display()
        ),
    }
    Ok(())
}
