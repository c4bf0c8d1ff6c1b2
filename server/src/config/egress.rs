//! Settings: exceptions to the rule that only public addresses are asked, over https.

use clap::Args;

use super::values::{List, hosts};
use crate::egress::policy::PrivateHosts;

/// Exceptions to the rule that only public addresses are asked, over https.
#[derive(Args, Debug, Clone)]
pub(crate) struct Egress {
    /// Hosts of token issuers, and of the OpenID provider, that may be asked over http and at private addresses,
    /// separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    pub(super) private_issuers: List<String>,
    /// Hosts of webhooks that may be sent to over http and at private addresses, separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    private_webhooks: List<String>,
    /// Hosts of clients' metadata documents that may be at private addresses, separated by commas
    #[arg(long, value_name = "HOST[:PORT],…", value_parser = hosts)]
    private_clients: List<String>,
}

impl Egress {
    /// The exceptions, by the purpose of the requests.
    pub(crate) fn private_hosts(&self) -> PrivateHosts {
        PrivateHosts {
            issuers: self.private_issuers.clone(),
            webhooks: self.private_webhooks.clone(),
            clients: self.private_clients.clone(),
        }
    }
}
