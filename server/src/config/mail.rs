//! Settings: e-mails to people.

use clap::Args;
use lettre::message::Mailbox;

use super::error::ConfigError;
use crate::egress::mail::MailServer;

/// E-mails to people.
#[derive(Args, Debug, Clone)]
pub(crate) struct Mail {
    /// Mail server for e-mails to people: smtps://USER:PASSWORD@HOST; none are sent when not set
    #[arg(long, value_name = "URL", hide_env_values = true)]
    smtp_url: Option<String>,
    /// The sender of e-mails: an address, or a name and an address
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// The mail server that these settings describe, if any.
    #[arg(skip)]
    pub(crate) server: Option<MailServer>,
}

impl Mail {
    /// Reads the mail server. Both settings are there, or none.
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        let (url, from) = match (&self.smtp_url, &self.mail_from) {
            (None, None) => return Ok(()),
            (Some(url), Some(from)) => (url, from),
            (None, Some(_)) => return Err(ConfigError::new("smtp_url", "must be set with mail_from")),
            (Some(_), None) => return Err(ConfigError::new("mail_from", "must be set with smtp_url")),
        };
        let from: Mailbox = from.parse().map_err(|_| {
            ConfigError::new("mail_from", format!("“{from}” is not an address, such as auth@example.com"))
        })?;
        let server = MailServer::new(url, from).map_err(|problem| ConfigError::new("smtp_url", problem))?;
        self.server = Some(server);
        Ok(())
    }
}
