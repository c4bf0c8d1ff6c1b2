//! Public keys with which a client that acts for people proves itself (`private_key_jwt`, RFC 7523 §2.2).

use serde_json::{Map, Value, json};

use crate::model::client::AppClient;

/// The method of a client that proves itself with its keys, as metadata names it (OpenID Connect Core §9).
pub(crate) const PRIVATE_KEY_JWT: &str = "private_key_jwt";
const METHOD: &str = "token_endpoint_auth_method";

/// Where the keys of a client are (RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource<'client> {
    /// `jwks`: its metadata has them.
    Listed(&'client Value),
    /// `jwks_uri`: it publishes them at this address.
    At(&'client str),
}

impl AppClient {
    /// Where the keys are with which it proves itself. `None`: it proves itself with a secret, or not at all.
    pub fn key_source(&self) -> Option<KeySource<'_>> {
        if self.metadata.get(METHOD)? != PRIVATE_KEY_JWT {
            return None;
        }
        let listed = self.metadata.get("jwks").map(KeySource::Listed);
        self.metadata.get("jwks_uri").and_then(Value::as_str).map(KeySource::At).or(listed)
    }

    /// The source of its keys in one text, to compare and to record: an address, or the identifiers of the keys.
    pub(crate) fn keys_in_words(&self) -> String {
        match self.key_source() {
            None => String::new(),
            Some(KeySource::At(address)) => address.to_owned(),
            Some(KeySource::Listed(set)) => {
                let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let names = keys.iter().map(|key| key.get("kid").and_then(Value::as_str).unwrap_or("without kid"));
                names.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The metadata of a client whose keys are at this address.
pub(crate) fn metadata_with_jwks_uri(address: &str) -> Map<String, Value> {
    let mut metadata = Map::from_iter([("jwks_uri".to_owned(), json!(address))]);
    set_private_key_jwt(&mut metadata);
    metadata
}

/// Writes into the metadata that the client proves itself with its keys.
pub(crate) fn set_private_key_jwt(metadata: &mut Map<String, Value>) {
    metadata.insert(METHOD.to_owned(), json!(PRIVATE_KEY_JWT));
}
