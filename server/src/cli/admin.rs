//! `countersign admin`

use std::io::Read;

use clap::Subcommand;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::person::{self, NewPerson, PersonError, manage};

use super::{CliError, instance};
use crate::config::{Config, ConfigError};

#[derive(Subcommand)]
pub enum Command {
    /// Make an administrator, without a browser
    Create {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// Their name; the email address when not given
        #[arg(long, default_value = "")]
        name: String,
        /// Read the password from standard input: a line break at its end does not count
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Remove the second factor of somebody who lost it, and end their sessions
    ResetSecondFactor {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// Why; it stands in the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    match command {
        Command::Create { email, name, .. } => create(config, email, name).await,
        Command::ResetSecondFactor { email, reason } => reset_second_factor(config, &email, &reason).await,
    }
}

async fn create(config: &Config, email: String, name: String) -> Result<(), CliError> {
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password).map_err(CliError::failed)?;
    let password = Password::new(password.trim_end_matches(['\r', '\n']).to_owned());
    let context = instance::open(config).await?;
    let actor = operator();
    let result = person::create_administrator(&context, &actor, NewPerson { name, email, password }).await;
    context.close().await;
    match result {
        Ok(person) => {
            println!("Created administrator {}", person.email);
            Ok(())
        }
        Err(error) => Err(failed("admin create", error)),
    }
}

async fn reset_second_factor(config: &Config, email: &str, reason: &str) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = async {
        let person = person::find_by_email(&context, email).await?.ok_or(PersonError::NotFound)?;
        manage::reset_second_factor(&context, &operator(), &person.id, reason).await?;
        Ok(person)
    }
    .await;
    context.close().await;
    match result {
        Ok(person) => {
            println!("Removed the second factor of {}. Their sessions have ended.", person.email);
            Ok(())
        }
        Err(error) => Err(failed("admin reset-second-factor", error)),
    }
}

fn failed(command: &'static str, error: PersonError) -> CliError {
    match error {
        PersonError::Invalid(errors) => {
            let problems: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            ConfigError::new(command, problems.join(" ")).into()
        }
        error => CliError::failed(error),
    }
}

/// Whoever runs the command line: their account's name on this machine.
pub fn operator() -> Actor {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Actor::command_line(user.map_or_else(|_| "Command line".to_owned(), |user| format!("{user} (command line)")))
}
