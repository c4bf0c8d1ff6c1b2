//! `countersign credential`

mod create;
mod keys;
mod list;
mod new;
mod rotate;
mod show;

use clap::Subcommand;
use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::rotate::{self as rotation, Overlap};
use domain::credential::{CredentialError, Outcome, disable, revoke};

use super::shared::arguments::OneCredential;
use super::shared::error::CliError;
use super::shared::instance;
use super::shared::operator::operator;
use super::shared::output::Format;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Generate a credential and print its secret, once
    Create(Box<create::Create>),
    /// List the credentials, newest first
    List {
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show one credential
    Show {
        #[command(flatten)]
        credential: OneCredential,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Generate a second secret, print it once, and let the old one work for a while
    Rotate(rotate::Rotate),
    /// Give the old secret of a rotation another deadline
    ExtendRotation(rotate::Extend),
    /// End the old secret of a rotation now
    FinishRotation(OneCredential),
    /// End the new secret of a rotation, and let the old one work as before
    CancelRotation(OneCredential),
    /// Add a public key to a credential that has keys
    AddKey(keys::Add),
    /// Remove a public key from a credential
    RemoveKey(keys::Remove),
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

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| run_with(context, command).await).await
}

async fn run_with(context: &Context, command: Command) -> Result<(), CliError> {
    let actor = operator();
    match command {
        Command::Create(arguments) => create::run(context, *arguments).await,
        Command::List { format } => list::run(context, format).await,
        Command::Show { credential, format } => show::run(context, &credential.client_id, format).await,
        Command::Rotate(arguments) => rotate::run(context, arguments).await,
        Command::ExtendRotation(rotate::Extend { credential: OneCredential { client_id }, overlap }) => {
            let overlap = Overlap::For(overlap);
            let result = rotation::extend(context, &actor, &client_id, overlap).await;
            report(&client_id, "Changed the deadline of", result)
        }
        Command::FinishRotation(OneCredential { client_id }) => {
            let result = rotation::finish(context, &actor, &client_id).await;
            report(&client_id, "Finished the rotation of", result)
        }
        Command::CancelRotation(OneCredential { client_id }) => {
            let result = rotation::cancel(context, &actor, &client_id).await;
            report(&client_id, "Cancelled the rotation of", result)
        }
        Command::AddKey(arguments) => keys::add(context, arguments).await,
        Command::RemoveKey(arguments) => keys::remove(context, &arguments).await,
        Command::Disable(OneCredential { client_id }) => {
            report(&client_id, "Disabled", disable::disable(context, &actor, &client_id).await)
        }
        Command::Enable(OneCredential { client_id }) => {
            report(&client_id, "Enabled", disable::enable(context, &actor, &client_id).await)
        }
        Command::Revoke { credential: OneCredential { client_id }, reason } => {
            report(&client_id, "Revoked", revoke::revoke(context, &actor, &client_id, &reason).await)
        }
    }
}

/// Prints what a command did to the credential.
fn report(id: &ClientId, done: &str, result: Result<Outcome, CredentialError>) -> Result<(), CliError> {
    match result? {
        Outcome::Changed(seq) => println!("{done} {id} (audit entry {seq})"),
        Outcome::Unchanged => println!("{id} was so already; nothing was changed"),
    }
    Ok(())
}
