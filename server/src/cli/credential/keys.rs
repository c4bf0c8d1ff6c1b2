//! `countersign credential add-key` and `remove-key`

use std::path::PathBuf;

use clap::Args;
use domain::base::id::KeyId;
use domain::context::Context;
use domain::credential::keys;
use domain::crypto::public_key::KeyAlgorithm;
use domain::model::credential::draft::Expiry;
use domain::model::credential::key::KeysDraft;

use crate::cli::shared::arguments::{OneCredential, expiry, key_algorithm};
use crate::cli::shared::error::CliError;
use crate::cli::shared::files::read_text;
use crate::cli::shared::operator::operator;

#[derive(Args)]
pub(crate) struct Add {
    #[command(flatten)]
    credential: OneCredential,
    /// The key: PEM, JWK or JWKS
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// What to call it
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
    /// The algorithm to pin an RSA key to: RS256 (default), RS384, RS512 or PS256
    #[arg(long, value_name = "ALG", value_parser = key_algorithm)]
    alg: Option<KeyAlgorithm>,
    /// How long the key works: 12h, 90d, never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = expiry)]
    expires_in: Expiry,
}

#[derive(Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    credential: OneCredential,
    /// The key: key_ and 22 characters, as `show` prints it
    #[arg(value_parser = key_id)]
    key_id: KeyId,
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| format!("“{text}” is not key_ and 22 characters"))
}

pub(super) async fn add(context: &Context, arguments: Add) -> Result<(), CliError> {
    let Add { credential: OneCredential { client_id }, public_key, label, alg, expires_in } = arguments;
    let draft = KeysDraft { text: read_text("--public-key", &public_key)?, label, algorithm: alg };
    for key in keys::add(context, &operator(), &client_id, &draft, expires_in).await? {
        println!("Added {key} to {client_id}");
    }
    Ok(())
}

pub(super) async fn remove(context: &Context, arguments: &Remove) -> Result<(), CliError> {
    let Remove { credential: OneCredential { client_id }, key_id } = arguments;
    keys::remove(context, &operator(), client_id, key_id).await?;
    println!("Removed {key_id} from {client_id}");
    Ok(())
}
