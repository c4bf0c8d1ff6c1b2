//! Settings: the OpenID provider that people may sign in with.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use domain::services::relying_party::Provider;
use url::Url;

use super::error::ConfigError;
use super::values::{choice, is_loopback, secret};
use crate::egress::policy::cover;

/// Maximum length of a provider's name in characters. The name must fit on a button.
const LONGEST_NAME: usize = 60;

/// The variable that holds the client secret in place of its file.
const SECRET_VARIABLE: &str = "COUNTERSIGN_OPENID_CLIENT_SECRET";

/// The OpenID provider that people may sign in with.
#[derive(Args, Debug, Clone)]
pub(crate) struct OpenIdConnect {
    /// OpenID provider that people may sign in with: its issuer
    #[arg(long, value_name = "URL")]
    openid_issuer: Option<String>,
    /// The client ID that the OpenID provider gave
    #[arg(long, value_name = "ID")]
    openid_client_id: Option<String>,
    /// File of the client secret that the OpenID provider gave
    #[arg(long, value_name = "FILE")]
    openid_client_secret_file: Option<PathBuf>,
    /// What people call the OpenID provider; the issuer's host when not set
    #[arg(long, value_name = "NAME")]
    openid_name: Option<String>,
    /// Whether a first sign-in with OpenID may be connected by a verified email address: true or false
    #[arg(long, value_name = "BOOLEAN", action = ArgAction::Set,
        value_parser = choice(&[("true", true), ("false", false)]))]
    openid_link_by_email: bool,
    /// The provider that these settings describe, if any.
    #[arg(skip)]
    pub(crate) provider: Option<OpenId>,
}

/// An OpenID provider.
#[derive(Debug, Clone)]
pub(crate) struct OpenId {
    /// The provider, and our client registration there.
    pub(crate) provider: Provider,
    /// Hosts that may be asked over http and at private addresses for this provider.
    pub(crate) private_hosts: Vec<String>,
}

impl OpenIdConnect {
    /// Reads the provider. Without an issuer there is no provider, and then no other setting of a provider may be set.
    pub(super) fn check(&mut self, private_issuers: &[String]) -> Result<(), ConfigError> {
        let Some(issuer) = self.openid_issuer.clone() else {
            let others = [
                ("openid_client_id", self.openid_client_id.is_some()),
                ("openid_client_secret_file", self.openid_client_secret_file.is_some()),
                (SECRET_VARIABLE, std::env::var_os(SECRET_VARIABLE).is_some()),
                ("openid_name", self.openid_name.is_some()),
                ("openid_link_by_email", self.openid_link_by_email),
            ];
            let other = others.iter().find(|(_, is_set)| *is_set);
            let problem = |(other, _): &(&str, bool)| format!("must be set with {other}");
            return other.map_or(Ok(()), |other| Err(ConfigError::new("openid_issuer", problem(other))));
        };
        let (host, private_hosts) = check_issuer(&issuer, private_issuers)
            .map_err(|problem| ConfigError::new("openid_issuer", format!("“{issuer}” {problem}")))?;
        let Some(client_id) = self.openid_client_id.clone() else {
            return Err(ConfigError::new("openid_client_id", "must be set with openid_issuer"));
        };
        let name = self.openid_name.clone().unwrap_or(host);
        if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            let problem = format!("must be at most {LONGEST_NAME} printable characters");
            return Err(ConfigError::new("openid_name", problem));
        }
        // Without a secret we are a public client at the provider.
        let client_secret = match secret("openid_client_secret_file", self.openid_client_secret_file.as_deref())? {
            Some((text, place)) if text.is_empty() => return Err(ConfigError::new(place, "holds no secret")),
            secret => secret.map(|(text, _)| text),
        };
        let provider = Provider { issuer, client_id, client_secret, name, link_by_email: self.openid_link_by_email };
        self.provider = Some(OpenId { provider, private_hosts });
        Ok(())
    }
}

/// The issuer's host, and the hosts that may be asked over http and at private addresses for this provider.
fn check_issuer(issuer: &str, private_issuers: &[String]) -> Result<(String, Vec<String>), &'static str> {
    let url = Url::parse(issuer).map_err(|_| "is not a URL, such as https://login.example.com")?;
    let host = url.host_str().ok_or("has no host")?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("must be the issuer alone: no query, no fragment, no user");
    }
    let mut private_hosts = private_issuers.to_vec();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {
            private_hosts.push(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        }
        "http" if cover(private_issuers, &url) => {}
        "http" => return Err("must be https; list its host in private_issuers to allow http"),
        _ => return Err("must be https"),
    }
    Ok((host.to_owned(), private_hosts))
}
