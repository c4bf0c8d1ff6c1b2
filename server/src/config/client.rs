//! Settings: which clients may register themselves.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use domain::model::client::{DynamicRegistration, InitialAccessToken};

use super::error::ConfigError;
use super::values::{choice, secret};

/// Which clients may register themselves.
#[derive(Args, Debug, Clone)]
pub(crate) struct Client {
    /// Which clients may register themselves: off, loopback, on or token
    #[arg(long, value_name = "MODE", value_parser = registration)]
    pub(crate) dynamic_registration: DynamicRegistration,
    /// File of the token that clients must bring to register themselves, when dynamic_registration is token
    #[arg(long, value_name = "FILE")]
    initial_access_token_file: Option<PathBuf>,
    /// That token.
    #[arg(skip)]
    pub(crate) initial_access_token: Option<InitialAccessToken>,
    /// Whether the address of a document that describes a client may be its client ID: off or on
    #[arg(long, value_name = "SWITCH", action = ArgAction::Set, value_parser = switch)]
    pub(crate) client_id_metadata_documents: bool,
}

impl Client {
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        const SETTING: &str = "initial_access_token_file";
        if let Some(secret) = secret(SETTING, self.initial_access_token_file.as_deref())? {
            let problem = format!("needs at least {} characters, without spaces", InitialAccessToken::SHORTEST);
            let token = InitialAccessToken::parse(&secret.text);
            self.initial_access_token = Some(token.ok_or_else(|| ConfigError::new(secret.place, problem))?);
        }
        if self.dynamic_registration == DynamicRegistration::Token && self.initial_access_token.is_none() {
            let problem =
                "must name a file when dynamic_registration is token, unless COUNTERSIGN_INITIAL_ACCESS_TOKEN is set";
            return Err(ConfigError::new(SETTING, problem));
        }
        Ok(())
    }
}

fn registration(text: &str) -> Result<DynamicRegistration, String> {
    DynamicRegistration::parse(text).ok_or_else(|| "must be off, loopback, on or token".to_owned())
}

fn switch(text: &str) -> Result<bool, String> {
    choice(text, &[("off", false), ("on", true)])
}
