//! The OpenID provider that people may sign in with.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::ports::{Fetch, ProviderConnection};
use crate::services::issuer_keys::IssuerKeys;

/// The provider, as the operator's settings describe it.
#[derive(Clone)]
pub struct Provider {
    /// The issuer, byte for byte as its tokens name it.
    pub issuer: String,
    /// Our client identifier at the provider.
    pub client_id: String,
    /// The client secret; `None` for a public client.
    pub client_secret: Option<Zeroizing<String>>,
    /// What people call it.
    pub name: String,
    /// Whether the first sign-in may link the account to the person with the same e-mail address.
    pub link_by_email: bool,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Provider")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("name", &self.name)
            .field("link_by_email", &self.link_by_email)
            .finish_non_exhaustive()
    }
}

/// The provider and the connection to it. Cheap to clone.
#[derive(Clone)]
pub struct RelyingParty {
    pub(crate) provider: Arc<Provider>,
    pub(crate) keys: IssuerKeys,
    pub(crate) connection: Arc<dyn ProviderConnection>,
}

impl RelyingParty {
    /// Sends no request before a person signs in, so that the program starts even if the provider is down.
    pub fn new(provider: Provider, connection: Arc<dyn ProviderConnection>) -> Self {
        let keys = IssuerKeys::new(Arc::clone(&connection) as Arc<dyn Fetch>);
        Self { provider: Arc::new(provider), keys, connection }
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }
}
