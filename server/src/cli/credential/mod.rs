//! `countersign credential`

mod create;
mod edit;
mod list;
mod show;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use domain::base::clock::Timestamp;
use domain::base::id::KeyId;
use domain::context::Context;
use domain::credential::generate::Generated;
use domain::credential::rotate::{self, Overlap, second};
use domain::credential::{CredentialError, Outcome, disable, keys, revoke};
use domain::crypto::public_key::KeyAlgorithm;
use domain::crypto::secret::PlainSecret;
use domain::model::credential::draft::Expiry;
use domain::model::credential::key::KeysDraft;
use serde_json::json;

use super::shared::{
    CliError, Format, NewFormat, OneCredential, SHOWN_ONCE, duration, expiry, instance, key_algorithm, line, operator,
    read_text,
};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Generate a credential and print its secret, once
    Create(Box<create::Create>),
    /// List the credentials, newest first
    List(Box<list::List>),
    /// Show one credential
    Show {
        #[command(flatten)]
        credential: OneCredential,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Change a credential: everything but its client ID
    Edit(Box<edit::Changes>),
    /// Generate a credential with the settings of another one, and print its secret, once
    Duplicate(edit::Duplicate),
    /// Generate a second secret beside the present one, and print it once
    AddSecret {
        #[command(flatten)]
        credential: OneCredential,
        /// How long the new secret works: 12h, 90d, never
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = expiry)]
        expires_in: Expiry,
        /// text, json or env
        #[arg(long, value_enum, default_value_t = NewFormat::Text)]
        format: NewFormat,
    },
    /// Remove one secret; the others stay
    RemoveSecret {
        #[command(flatten)]
        credential: OneCredential,
        /// The secret: its ID or its last characters, as `show` prints them
        secret: String,
    },
    /// Generate a new secret, print it once, and let the old one work for a while
    Rotate {
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
        /// The secret or key to replace, if it has several: an ID, or the end of a secret; all when not given
        #[arg(long, value_name = "SECRET")]
        replace: Option<String>,
        /// text, json or env
        #[arg(long, value_enum, default_value_t = NewFormat::Text)]
        format: NewFormat,
    },
    /// Give the old secret of a rotation another deadline
    ExtendRotation {
        #[command(flatten)]
        credential: OneCredential,
        /// How long the old secret still works from now: 24h, 7d
        #[arg(long, value_name = "TIME", value_parser = duration)]
        overlap: Duration,
    },
    /// End the old secret of a rotation now
    FinishRotation(OneCredential),
    /// End the new secret of a rotation, and let the old one work as before
    CancelRotation(OneCredential),
    /// Add a public key to a credential that has keys
    AddKey {
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
    },
    /// Remove a public key from a credential
    RemoveKey {
        #[command(flatten)]
        credential: OneCredential,
        /// The key: key_ and 22 characters, as `show` prints it
        #[arg(value_parser = key_id)]
        key_id: KeyId,
    },
    /// Stop a credential until it is enabled again
    Disable(OneCredential),
    /// Let a disabled credential work again
    Enable(OneCredential),
    /// End a credential: it cannot be enabled again
    Revoke {
        #[command(flatten)]
        credential: OneCredential,
        /// Why; kept in the audit log
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| format!("“{text}” is not key_ and 22 characters"))
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let may_begin = matches!(command, Command::Create(_));
    let run = async |context: &Context| run_with(context, command).await;
    if may_begin { instance::with_new(config, run).await } else { instance::with(config, run).await }
}

async fn run_with(context: &Context, command: Command) -> Result<(), CliError> {
    let actor = &operator();
    match command {
        Command::Create(arguments) => create::run(context, *arguments).await,
        Command::List(arguments) => list::run(context, *arguments).await,
        Command::Show { credential, format } => show::show(context, &credential.client_id, format).await,
        Command::Edit(arguments) => edit::run(context, *arguments).await,
        Command::Duplicate(arguments) => edit::duplicate(context, arguments).await,
        Command::AddSecret { credential: one, expires_in, format } => {
            let generated = second::add(context, actor, &one.client_id, expires_in, None).await?;
            print_new(context, &generated, format);
            Ok(())
        }
        Command::RemoveSecret { credential: one, secret: name } => {
            let id = edit::secret_named(context, &one.client_id, &name).await?;
            report(&one, "Removed the secret of", second::remove(context, actor, &one.client_id, &id).await)
        }
        Command::Rotate { credential: one, public_key: None, overlap, expires_in, replace, format } => {
            let (id, overlap) = (&one.client_id, Overlap::For(overlap));
            let replaced = match &replace {
                Some(name) => Some(edit::secret_named(context, id, name).await?),
                None => None,
            };
            let generated =
                rotate::secret_instead_of(context, actor, id, replaced.as_ref(), overlap, expires_in, None).await?;
            print_new(context, &generated, format);
            Ok(())
        }
        Command::Rotate { credential: one, public_key: Some(file), overlap, expires_in, replace, .. } => {
            let draft = KeysDraft { text: read_text("--public-key", &file)?, ..KeysDraft::default() };
            let (overlap, expiry) = (Overlap::For(overlap), expires_in.unwrap_or_default());
            let replaced = replace.as_deref().map(key_id).transpose();
            let replaced = replaced.map_err(|problem| ConfigError::new("--replace", problem))?;
            let keys = rotate::key(context, actor, &one.client_id, &draft, replaced.as_ref(), overlap, expiry).await?;
            for key in keys {
                println!("Added {key} to {}; {} retire", one.client_id, replace.as_deref().unwrap_or("the others"));
            }
            Ok(())
        }
        Command::ExtendRotation { credential: one, overlap } => {
            let result = rotate::extend(context, actor, &one.client_id, Overlap::For(overlap)).await;
            report(&one, "Changed the deadline of", result)
        }
        Command::FinishRotation(one) => {
            report(&one, "Finished the rotation of", rotate::finish(context, actor, &one.client_id).await)
        }
        Command::CancelRotation(one) => {
            report(&one, "Cancelled the rotation of", rotate::cancel(context, actor, &one.client_id).await)
        }
        Command::AddKey { credential: OneCredential { client_id }, public_key, label, alg, expires_in } => {
            let draft = KeysDraft { text: read_text("--public-key", &public_key)?, label, algorithm: alg };
            for key in keys::add(context, actor, &client_id, &draft, expires_in).await? {
                println!("Added {key} to {client_id}");
            }
            Ok(())
        }
        Command::RemoveKey { credential: OneCredential { client_id }, key_id } => {
            keys::remove(context, actor, &client_id, &key_id).await?;
            println!("Removed {key_id} from {client_id}");
            Ok(())
        }
        Command::Disable(one) => report(&one, "Disabled", disable::disable(context, actor, &one.client_id).await),
        Command::Enable(one) => report(&one, "Enabled", disable::enable(context, actor, &one.client_id).await),
        Command::Revoke { credential: one, reason } => {
            report(&one, "Revoked", revoke::revoke(context, actor, &one.client_id, &reason).await)
        }
    }
}

/// Prints what a command did to the credential.
fn report(one: &OneCredential, done: &str, result: Result<Outcome, CredentialError>) -> Result<(), CliError> {
    let id = &one.client_id;
    match result? {
        Outcome::Changed(seq) => println!("{done} {id} (audit entry {seq})"),
        Outcome::Unchanged => println!("{id} was so already; nothing was changed"),
    }
    Ok(())
}

/// Prints a credential that was just generated, or its new secret. The secret is printed only this once.
fn print_new(context: &Context, generated: &Generated, format: NewFormat) {
    let id = &generated.credential.client_id;
    let secret = generated.secret.as_ref().map(PlainSecret::expose);
    let (endpoint, server) = (context.settings.token_endpoint(), &generated.server.resource);
    let scopes = &generated.credential.scopes;
    let expires_at = generated.expires_at.map(Timestamp::rfc3339);
    let text = match format {
        NewFormat::Json => {
            let mut object = json!({
                "client_id": id.as_str(),
                "token_endpoint": endpoint,
                "issuer": context.settings.public_url,
                "mcp_server": server,
                "scope": scopes.to_string(),
                "expires_at": expires_at,
            });
            if let Some(secret) = secret {
                object["client_secret"] = json!(secret);
            }
            format!("{object:#}\n")
        }
        NewFormat::Env => {
            let secret = secret.map(|secret| format!("MCP_CLIENT_SECRET={secret}\n")).unwrap_or_default();
            format!("MCP_CLIENT_ID={id}\n{secret}MCP_TOKEN_URL={endpoint}\nMCP_SERVER_URL={server}\n")
        }
        NewFormat::Text => [
            line("Client ID", id),
            secret.map(|secret| line("Client secret", secret)).unwrap_or_default(),
            line("Token endpoint", endpoint),
            line("MCP server", server),
            line("Scopes", scopes),
            line("Expires", expires_at.as_deref().unwrap_or("never")),
            secret.map_or("", |_| SHOWN_ONCE).to_owned(),
        ]
        .concat(),
    };
    print!("{text}");
}
