//! The settings that operations need.

use std::time::Duration;

use crate::model::client::{DynamicRegistration, InitialAccessToken};

/// The settings that operations need, as the operator chose them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The issuer: an origin without a trailing slash. Every URL we name begins with it.
    pub public_url: String,
    /// How long a verifier may keep a token status list, and so how soon a revocation reaches it.
    pub status_list_ttl: Duration,
    /// Which clients may register themselves.
    pub dynamic_registration: DynamicRegistration,
    /// The token that clients must send to register, under [`DynamicRegistration::Token`].
    pub initial_access_token: Option<InitialAccessToken>,
    /// Whether a client may be known by the address of a document that describes it.
    pub client_id_metadata_documents: bool,
    /// Whether clients may use the device grant (RFC 8628).
    pub device_grant: bool,
    /// The resource identifier of the MCP server that a request of a client is for when neither its `resource` nor its
    /// scopes say it.
    pub default_resource: Option<String>,
}

/// See [`Settings::status_list_ttl`].
pub const DEFAULT_STATUS_LIST_TTL: Duration = Duration::from_secs(5);

impl Settings {
    /// The token endpoint (RFC 6749 §3.2).
    pub fn token_endpoint(&self) -> String {
        format!("{}/mcp/oauth/token", self.public_url)
    }

    /// The registration endpoint (RFC 7591 §3). Behind it, each client has an address of its own (RFC 7592 §3).
    pub fn registration_endpoint(&self) -> String {
        format!("{}/mcp/oauth/register", self.public_url)
    }

    /// The device authorization endpoint (RFC 8628 §3.1).
    pub fn device_authorization_endpoint(&self) -> String {
        format!("{}/mcp/oauth/device_authorization", self.public_url)
    }

    /// The page on which a person enters the code of a device (RFC 8628 §3.2).
    pub fn device_page(&self) -> String {
        format!("{}/device", self.public_url)
    }

    /// The resource identifier of the built-in MCP server (RFC 8707).
    pub fn built_in_resource(&self) -> String {
        format!("{}/mcp", self.public_url)
    }
}
