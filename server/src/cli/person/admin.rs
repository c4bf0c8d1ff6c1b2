//! `countersign admin`

use std::io::Read;

use clap::Subcommand;
use domain::crypto::password::Password;
use domain::person::{self, NewPerson, PersonError, manage, password_link};

use crate::cli::shared::{CliError, instance, operator};
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an administrator, without a browser
    Create {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// Their name; the email address when not given
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Read the password from standard input: a line break at its end does not count
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Make a one-time link with which a person sets another password
    PasswordLink {
        /// What they sign in with
        #[arg(long)]
        email: String,
    },
    /// Remove the second factor of a person who lost it, and end their sessions
    ResetSecondFactor {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// Why; kept in the audit log
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    match command {
        Command::Create { email, name, .. } => {
            // Read before the instance is opened, because a person may be typing the password.
            let mut password = String::new();
            std::io::stdin().read_to_string(&mut password)?;
            let password = Password::new(password.trim_end_matches(['\r', '\n']).to_owned());
            instance::with_new(config, async |context| {
                let new = NewPerson { name, email, password };
                let person = person::create_administrator(context, &operator(), new).await?;
                println!("Created administrator {}", person.email);
                Ok(())
            })
            .await
        }
        Command::PasswordLink { email } => {
            instance::with(config, async |context| {
                let person = person::find_by_email(context, &email).await?.ok_or(PersonError::NotFound)?;
                let (link, token) = password_link::create(context, &operator(), &person.id).await?;
                println!("Hand over this link to {}, after you have checked who is asking:", link.person.email);
                println!("{}/password?token={token}", context.settings.public_url);
                println!("\nThe link is shown this once. It works once, until {}.", link.expires_at.rfc3339());
                Ok(())
            })
            .await
        }
        Command::ResetSecondFactor { email, reason } => {
            instance::with(config, async |context| {
                let person = person::find_by_email(context, &email).await?.ok_or(PersonError::NotFound)?;
                manage::reset_second_factor(context, &operator(), &person.id, &reason).await?;
                println!("Removed the second factor of {}. Their sessions have ended.", person.email);
                Ok(())
            })
            .await
        }
    }
}
