//! `countersign credential rotate` and `extend-rotation`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::rotate::{self, Overlap};
use domain::model::credential::draft::Expiry;
use domain::model::credential::key::KeysDraft;

use super::new;
use crate::cli::shared::arguments::{OneCredential, duration, expiry};
use crate::cli::shared::error::CliError;
use crate::cli::shared::files::read_text;
use crate::cli::shared::operator::operator;
use crate::cli::shared::output::NewFormat;

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    credential: OneCredential,
    /// The new public key (PEM, JWK or JWKS), for a credential that has keys
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// How long the old secret still works: 15m, 24h, 7d; 0s ends it now
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    overlap: Duration,
    /// How long the new secret works: 12h, 90d, never; as long as the old one when not given
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires_in: Option<Expiry>,
    /// text, json or env
    #[arg(long, value_enum, default_value_t = NewFormat::Text)]
    format: NewFormat,
}

#[derive(Args)]
pub(crate) struct Extend {
    #[command(flatten)]
    pub(super) credential: OneCredential,
    /// How long the old secret still works from now: 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) overlap: Duration,
}

pub(super) async fn run(context: &Context, arguments: Rotate) -> Result<(), CliError> {
    let Rotate { credential: OneCredential { client_id }, public_key, overlap, expires_in, format } = arguments;
    let overlap = Overlap::For(overlap);
    match public_key {
        Some(file) => rotate_key(context, &client_id, &file, overlap, expires_in.unwrap_or_default()).await,
        None => {
            let generated = rotate::secret(context, &operator(), &client_id, overlap, expires_in, None).await?;
            new::print(context, &generated, format);
            Ok(())
        }
    }
}

async fn rotate_key(
    context: &Context,
    client_id: &ClientId,
    file: &Path,
    overlap: Overlap,
    expiry: Expiry,
) -> Result<(), CliError> {
    let draft = KeysDraft { text: read_text("--public-key", file)?, ..KeysDraft::default() };
    for key in rotate::key(context, &operator(), client_id, &draft, overlap, expiry).await? {
        println!("Added {key} to {client_id}; the others retire");
    }
    Ok(())
}
