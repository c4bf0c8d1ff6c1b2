//! Settings in typed sections. [`layers`] says where values come from. `CONTRIBUTING.md` says how to
//! add a setting.

mod environment;
mod error;
pub(crate) mod layers;
mod mail;
pub(crate) mod openid;
pub(crate) mod sections;
#[cfg(test)]
mod tests;
mod values;

use app::pages::operations::about::ShownSetting;
use clap::Args;

pub(crate) use error::ConfigError;
use mail::Mail;
use openid::OpenIdConnect;
pub(crate) use sections::DocumentClients;
use sections::{Client, Egress, Gateway, Incident, Log, Network, Storage, Token};
pub(crate) use values::is_loopback;

/// All settings, checked. The order here is the order in `--help`.
#[derive(Args, Debug, Clone)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) storage: Storage,
    #[command(flatten)]
    pub(crate) token: Token,
    #[command(flatten)]
    pub(crate) client: Client,
    #[command(flatten)]
    pub(crate) egress: Egress,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    #[command(flatten)]
    pub(crate) incident: Incident,
    #[command(flatten)]
    pub(crate) openid: OpenIdConnect,
    #[command(flatten)]
    pub(crate) mail: Mail,
    #[command(flatten)]
    pub(crate) log: Log,
    /// Each setting with its value and where that comes from, for the dashboard. It holds no secret.
    #[arg(skip)]
    pub(crate) in_force: Vec<ShownSetting>,
}

impl Config {
    /// Checks rules that concern several settings. Reads the secrets from files and the environment.
    fn check(&mut self) -> Result<(), ConfigError> {
        self.network.check()?;
        self.storage.check()?;
        self.client.check()?;
        self.mail.check()?;
        self.openid.check(&self.egress.private_issuers)
    }
}
