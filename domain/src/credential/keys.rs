//! Public keys of a credential: several may be registered, so that one can be replaced without a gap.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::draft::{Expiry, check_expiry, check_label};
use super::{AuthMethod, AuthenticatorEnd, CredentialError, find_changeable, update_ends};
use crate::actor::Actor;
use crate::audit::Event;
use crate::authority::Role;
use crate::clock::Timestamp;
use crate::context::{Change, Context};
use crate::error::{Fault, FieldError};
use crate::id::{ClientId, KeyId};
use crate::public_key::{KeyAlgorithm, MOST_KEYS, PublicKey};
use crate::store;

/// A registered key.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Its identifier.
    pub id: KeyId,
    /// Whose it is.
    pub client_id: ClientId,
    /// What people call it.
    pub label: String,
    /// The key.
    pub key: PublicKey,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it stops working because another one took its place.
    pub retires_at: Option<Timestamp>,
    /// When it was removed.
    pub revoked_at: Option<Timestamp>,
    /// When it last signed an accepted assertion.
    pub last_used_at: Option<Timestamp>,
    /// From where that came.
    pub last_used_from: Option<IpAddr>,
}

impl ClientKey {
    /// Its ends.
    pub fn end(&self) -> AuthenticatorEnd {
        AuthenticatorEnd {
            expires_at: self.expires_at,
            retires_at: self.retires_at,
            revoked: self.revoked_at.is_some(),
        }
    }
}

/// What a form or a command says of keys to add.
#[derive(Debug, Clone, Default)]
pub struct KeysDraft {
    /// JWK, JWKS or PEM.
    pub text: String,
    /// What to call it; the key's kind when empty.
    pub label: String,
    /// The algorithm to pin an RSA key to; the key's own when absent.
    pub algorithm: Option<KeyAlgorithm>,
}

impl KeysDraft {
    pub(super) fn check(&self) -> Result<Vec<(String, PublicKey)>, Vec<FieldError>> {
        let field = |field, message| vec![FieldError::new(field, message)];
        let label = check_label(&self.label).map_err(|message| field("label", message))?;
        let mut keys = PublicKey::read_all(&self.text).map_err(|message| field("public_key", message))?;
        // Registered twice, a key would go on working after it was removed.
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.thumbprint()));
        keys.into_iter()
            .map(|key| {
                let key = match self.algorithm {
                    Some(algorithm) => key.with_algorithm(algorithm).ok_or_else(|| {
                        field("algorithm", format!("The key cannot be used with {}.", algorithm.as_str()))
                    })?,
                    None => key,
                };
                let label = if label.is_empty() { key.kind() } else { label.clone() };
                Ok((label, key))
            })
            .collect()
    }
}

/// The keys of a credential, removed ones too, newest first.
pub async fn list(context: &Context, client_id: &ClientId) -> Result<Vec<ClientKey>, Fault> {
    context.filing.settle().await;
    Ok(store::authenticators::keys(&context.store, client_id).await?)
}

/// Adds the keys to a credential of `private_key_jwt`. They work when this returns.
pub async fn add(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &KeysDraft,
    expiry: Expiry,
) -> Result<Vec<KeyId>, CredentialError> {
    let checked = draft.check().map_err(CredentialError::Invalid)?;
    let now = context.now();
    let expires_at = check_expiry(expiry, now)
        .map_err(|message| CredentialError::Invalid(vec![FieldError::new("expiry", message)]))?;
    let mut change = context.begin_change().await?;
    let credential = find_changeable(&mut change, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Manager).await?;
    // Cancelling a rotation ends what is new: that must not be a key which had nothing to do with it.
    if credential.is_rotating(now) {
        return Err(CredentialError::RotationUnderWay);
    }
    let added = insert(context, &mut change, actor, client_id, checked, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    let event = Event::new("credential.key_added", "credential", client_id.as_str(), &credential.name)
        .with(json!({ "keys": added.iter().map(describe).collect::<Vec<_>>() }));
    change.commit(actor, &event).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

/// Stores further keys of a credential.
pub(super) async fn insert(
    context: &Context,
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    checked: Vec<(String, PublicKey)>,
    expires_at: Option<Timestamp>,
) -> Result<Vec<ClientKey>, CredentialError> {
    let invalid = |message: String| CredentialError::Invalid(vec![FieldError::new("public_key", message)]);
    let mut live = store::authenticators::keys_in(change.transaction(), client_id).await?;
    let now = change.now();
    live.retain(|key| key.end().is_live(now));
    if live.len() + checked.len() > MOST_KEYS {
        return Err(invalid(format!("A credential has at most {MOST_KEYS} keys. Remove one first.")));
    }
    let mut added = Vec::new();
    for (label, key) in checked {
        if live.iter().any(|old| old.key.thumbprint() == key.thumbprint()) {
            return Err(invalid("This key is there already.".to_owned()));
        }
        let key = new(context, client_id, label, key, expires_at, change.now());
        store::authenticators::insert_key(change.transaction(), &key, actor.id()).await?;
        added.push(key);
    }
    Ok(added)
}

/// Removes a key: assertions that it signed are refused from now on, and so are the tokens made with them.
pub async fn remove(context: &Context, actor: &Actor, client_id: &ClientId, id: &KeyId) -> Result<(), CredentialError> {
    let mut change = context.begin_change().await?;
    let credential = find_changeable(&mut change, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Manager).await?;
    if !store::authenticators::revoke_key(change.transaction(), client_id, id, context.now()).await? {
        return Err(CredentialError::NotFound);
    }
    update_ends(&mut change, &credential).await?;
    let event = Event::new("credential.key_removed", "credential", client_id.as_str(), &credential.name)
        .with(json!({ "key": id.as_str() }));
    change.commit(actor, &event).await?;
    Ok(())
}

pub(super) fn new(
    context: &Context,
    client_id: &ClientId,
    label: String,
    key: PublicKey,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> ClientKey {
    ClientKey {
        id: KeyId::generate(context.random.as_ref()),
        client_id: client_id.clone(),
        label,
        key,
        created_at: now,
        expires_at,
        retires_at: None,
        revoked_at: None,
        last_used_at: None,
        last_used_from: None,
    }
}

/// What the audit entry says of a key.
pub(super) fn describe(key: &ClientKey) -> Value {
    json!({
        "key": key.id.as_str(),
        "label": key.label,
        "algorithm": key.key.algorithm().as_str(),
        "thumbprint": key.key.thumbprint(),
        "expires_at": key.expires_at.map(Timestamp::rfc3339),
    })
}
