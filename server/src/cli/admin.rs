//! `countersign admin`

use std::io::Read;

use clap::Subcommand;
use domain::actor::Actor;
use domain::password::Password;
use domain::person::{self, NewPerson, PersonError};

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
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let Command::Create { email, name, .. } = command;
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
        Err(PersonError::Invalid(errors)) => {
            let problems: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            Err(ConfigError::new("admin create", problems.join(" ")).into())
        }
        Err(error) => Err(CliError::failed(error)),
    }
}

/// Whoever runs the command line: their account's name on this machine.
pub fn operator() -> Actor {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Actor::command_line(user.map_or_else(|_| "Command line".to_owned(), |user| format!("{user} (command line)")))
}
