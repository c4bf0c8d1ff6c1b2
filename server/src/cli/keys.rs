//! `countersign keys`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::operations::key_rotation::{self, RotationMode};

use super::shared::{CliError, instance, master_key::NewMasterKey, operator, token_algorithm};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the signing keys
    List,
    /// Make a new signing key; it is published now and signs in 24 hours
    Rotate {
        /// The algorithm: ES256, EdDSA, PS256 or RS256
        #[arg(long, default_value = "ES256", value_parser = token_algorithm)]
        alg: TokenAlgorithm,
        /// The old key has leaked: remove it at once, with every token that it signed
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

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| {
        match command {
            Command::List => {
                for key in key_rotation::list(context).await? {
                    let retires = key.retired_at.map_or_else(|| "-".to_owned(), Timestamp::rfc3339);
                    println!("{}  {}  signs from {}  leaves {retires}", key.kid, key.alg, key.active_from.rfc3339());
                }
            }
            Command::Rotate { alg, emergency } => {
                let mode = if emergency { RotationMode::Emergency } else { RotationMode::Ordered };
                let from = key_rotation::rotate(context, &operator(), alg, mode).await?;
                println!("The new {} key signs from {}", alg.as_str(), from.rfc3339());
            }
            Command::Rewrap { to } => rewrap(config, context, to.as_deref()).await?,
        }
        Ok(())
    })
    .await
}

async fn rewrap(config: &Config, context: &Context, to: Option<&Path>) -> Result<(), CliError> {
    let _no_server = instance::refuse_beside_servers(config, &context.store).await?;
    let new = match to {
        Some(file) => NewMasterKey::at(file)?,
        None => NewMasterKey::beside_old(config)?,
    };
    let wrapped = key_rotation::rewrap(context, &operator(), new.key()).await?;
    let file = config.storage.master_key_file();
    match new.put_in_place(config)? {
        Some(old) => println!(
            "Wrapped {wrapped} keys and secrets under a new master key, now in {}.\n\
             Earlier backups still need the old one: it is in {}.",
            file.display(),
            old.display()
        ),
        None => println!(
            "Wrapped {wrapped} keys and secrets under a new master key. Give it to every server before you start \
             them: it is in {}.",
            to.unwrap_or(&file).display()
        ),
    }
    Ok(())
}
