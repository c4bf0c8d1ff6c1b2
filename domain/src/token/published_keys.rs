//! Signatures by the keys that the program of a credential publishes.

use std::sync::Arc;

use crate::base::id::{ClientId, KeyId};
use crate::credential::keys;
use crate::crypto::jws::UncheckedJws;
use crate::crypto::public_key::PublicKey;
use crate::model::credential::key::KeysAt;
use crate::prelude::{Context, Fault};
use crate::services::issuer_keys::{ClientKeys, IssuerKeysError};
use crate::token::assertion::AssertionError;

/// The key that made a signature.
pub(super) enum Signer {
    /// It is stored.
    Stored(KeyId),
    /// It is published, and stored when an assertion that it signed is accepted.
    New {
        /// The key.
        key: Box<PublicKey>,
        /// All that is published now.
        published: Arc<Vec<PublicKey>>,
    },
}

impl Signer {
    /// The published key that made the signature, if one did. Only what is published now counts: a key that the program
    /// published before proves nothing.
    pub(super) async fn find(
        context: &Context,
        jws: &UncheckedJws<'_>,
        client_id: &ClientId,
        keys_at: &KeysAt,
        stored: &[(KeyId, PublicKey)],
    ) -> Result<Option<Self>, AssertionError> {
        let (now, address) = (context.now(), keys_at.as_str());
        let no_keys = |error: IssuerKeysError| AssertionError::NoKeys {
            client_id: client_id.clone(),
            detail: match error {
                IssuerKeysError::Unreached(_) => {
                    format!("no keys at {address}: they could not be fetched, and the log of the server says why")
                }
                IssuerKeysError::Unusable(problem) => format!("no keys: {problem}"),
            },
        };
        let source = ClientKeys::of_credential(keys_at);
        if !context.issuer_keys.of_client_have_signed(&source, jws, now).await.map_err(no_keys)? {
            return Ok(None);
        }
        let published = context.issuer_keys.of_client(&source, now).await.map_err(no_keys)?;
        let Some(key) = jws.signed_by(published.iter().map(|key| (key, key))) else { return Ok(None) };
        let thumbprint = key.thumbprint();
        Ok(Some(match stored.iter().find(|(_, old)| old.thumbprint() == thumbprint) {
            Some((id, _)) => Self::Stored(id.clone()),
            None => Self::New { key: Box::new(key.clone()), published: Arc::clone(&published) },
        }))
    }

    /// The stored key. `None`: the key cannot be stored, or a person removed it.
    pub(super) async fn stored(self, context: &Context, client_id: &ClientId) -> Result<Option<KeyId>, Fault> {
        match self {
            Self::Stored(id) => Ok(Some(id)),
            Self::New { key, published } => keys::adopt(context, client_id, &key, &published).await,
        }
    }
}
