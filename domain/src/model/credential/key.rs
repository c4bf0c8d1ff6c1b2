//! Public keys of credentials.

use std::collections::HashSet;
use std::net::IpAddr;

use url::Url;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId, KeyId};
use crate::crypto::public_key::{KeyAlgorithm, PublicKey};
use crate::model::credential::AuthenticatorEnd;
use crate::model::credential::draft::check_label;
use crate::model::field_error::{AtField, FieldError};

/// A registered key.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Its identifier.
    pub id: KeyId,
    /// The credential that the key belongs to.
    pub client_id: ClientId,
    /// What people call it.
    pub label: String,
    /// The key.
    pub key: PublicKey,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it stops working because another key replaced it.
    pub retires_at: Option<Timestamp>,
    /// When it was removed.
    pub revoked_at: Option<Timestamp>,
    /// Since when its program publishes it no more, if that ended it.
    pub unpublished_at: Option<Timestamp>,
    /// When it last signed an accepted assertion.
    pub last_used_at: Option<Timestamp>,
    /// The address from which that assertion came.
    pub last_used_from: Option<IpAddr>,
}

impl ClientKey {
    /// The moments that end it.
    pub fn end(&self) -> AuthenticatorEnd {
        AuthenticatorEnd {
            expires_at: self.expires_at,
            retires_at: self.retires_at,
            revoked: self.revoked_at.is_some(),
            leaked: false,
        }
    }
}

/// The keys to add, as a form or a command describes them.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct KeysDraft {
    /// JWK, JWKS or PEM.
    pub text: String,
    /// What to call it; the key's kind when empty.
    pub label: String,
    /// The algorithm to pin an RSA key to; the key's own when absent.
    pub algorithm: Option<KeyAlgorithm>,
}

impl KeysDraft {
    pub(crate) fn check(&self) -> Result<Vec<(String, PublicKey)>, Vec<FieldError>> {
        let label = check_label(&self.label).at("label")?;
        let mut keys = PublicKey::read_all(&self.text).at("public_key")?;
        // A key that is registered twice would still work after one copy of it was removed.
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.thumbprint()));
        let mut checked = Vec::with_capacity(keys.len());
        for mut key in keys {
            if let Some(algorithm) = self.algorithm {
                let fitting = key.with_algorithm(algorithm);
                key = fitting
                    .ok_or_else(|| format!("The key cannot be used with {}.", algorithm.as_str()))
                    .at("algorithm")?;
            }
            checked.push((if label.is_empty() { key.kind() } else { label.clone() }, key));
        }
        Ok(checked)
    }
}

/// Longest address of keys, in bytes.
const LONGEST_ADDRESS: usize = 500;

/// Where a program publishes the keys of its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// At this address (RFC 7591 §2, `jwks_uri`).
    Address(String),
    /// In its client ID metadata document, or where that document says. The address of the document is a second client
    /// identifier of the credential (draft-ietf-oauth-client-id-metadata-document §3).
    Document(AppClientId),
}

impl KeysAt {
    /// The `jwks_uri`, if the credential has one.
    pub fn jwks_uri(&self) -> Option<&str> {
        match self {
            Self::Address(address) => Some(address),
            Self::Document(_) => None,
        }
    }

    /// The address of the document, if the credential has one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Address(_) => None,
            Self::Document(id) => Some(id.as_str()),
        }
    }

    /// The address of either.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address(address) => address,
            Self::Document(id) => id.as_str(),
        }
    }
}

/// What is said of an address that [`is_keys_address`] refuses.
pub(crate) const NO_KEYS_ADDRESS: &str = "Enter an https address, such as https://app.example.com/jwks.json.";

/// Whether keys may be published at this address: https, without user information and fragment. Where the address leads
/// is checked when the keys are fetched.
pub(crate) fn is_keys_address(address: &str) -> bool {
    let url = Some(address).filter(|text| text.len() <= LONGEST_ADDRESS).and_then(|text| Url::parse(text).ok());
    url.is_some_and(|url| {
        url.scheme() == "https" && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
    })
}
