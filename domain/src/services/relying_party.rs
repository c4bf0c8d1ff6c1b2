//! The OpenID provider that people may sign in with.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::ports::{Fetch, ProviderConnection};
use crate::services::issuer_keys::IssuerKeys;

/// What the operator chose.
#[derive(Clone)]
pub struct Provider {
    /// The issuer, byte for byte as its tokens name it.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// What proves it; absent: a public client.
    pub client_secret: Option<Zeroizing<String>>,
    /// What people call it.
    pub name: String,
    /// Whether the first sign-in may be connected to the person with the same e-mail address.
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

/// The provider and the way to it. Cheap to clone.
#[derive(Clone)]
pub struct RelyingParty {
    pub(crate) provider: Arc<Provider>,
    pub(crate) keys: IssuerKeys,
    pub(crate) connection: Arc<dyn ProviderConnection>,
}

impl RelyingParty {
    /// Nothing is asked before somebody signs in: the program starts when the provider is down.
    pub fn new(provider: Provider, connection: Arc<dyn ProviderConnection>) -> Self {
        let keys = IssuerKeys::new(Arc::clone(&connection) as Arc<dyn Fetch>);
        Self { provider: Arc::new(provider), keys, connection }
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }
}
