//! Public keys of a credential: several may be registered, so that one can be replaced without a gap.

use serde_json::{Value, json};

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, KeyId};
use crate::change::Change;
use crate::context::Context;
use crate::credential::{CredentialError, find_changeable, update_ends};
use crate::crypto::public_key::{MOST_KEYS, PublicKey};
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::credential::AuthMethod;
use crate::model::credential::draft::{Expiry, check_expiry};
use crate::model::credential::key::{ClientKey, KeysDraft};
use crate::model::field_error::FieldError;
use crate::model::person::authority::Role;
use crate::store;

/// The keys of a credential, removed ones too, newest first.
pub async fn list(context: &Context, client_id: &ClientId) -> Result<Vec<ClientKey>, Fault> {
    context.rollup.flush().await;
    Ok(store::credential::authenticators::keys(&context.store, client_id).await?)
}

/// Adds the keys to a credential that uses `private_key_jwt`. They work when this returns.
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
    // Cancelling a rotation ends every new key. It must not end a key that was no part of the rotation.
    if credential.is_rotating(now) {
        return Err(CredentialError::RotationUnderWay);
    }
    let added = insert(context, &mut change, actor, client_id, checked, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    let event = Event::new(Action::CredentialKeyAdded, Target::Credential, client_id.as_str(), &credential.name)
        .with(json!({ "keys": added.iter().map(describe).collect::<Vec<_>>() }));
    change.commit(actor, &event).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

/// Stores further keys of a credential.
pub(crate) async fn insert(
    context: &Context,
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    checked: Vec<(String, PublicKey)>,
    expires_at: Option<Timestamp>,
) -> Result<Vec<ClientKey>, CredentialError> {
    let invalid = |message: String| CredentialError::Invalid(vec![FieldError::new("public_key", message)]);
    let mut live = store::credential::authenticators::keys(change.transaction(), client_id).await?;
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
        store::credential::authenticators::insert_key(change.transaction(), &key, actor.id()).await?;
        added.push(key);
    }
    Ok(added)
}

/// Removes a key. From now on the assertions that it signed are refused, and so are the tokens made with them.
pub async fn remove(context: &Context, actor: &Actor, client_id: &ClientId, id: &KeyId) -> Result<(), CredentialError> {
    let mut change = context.begin_change().await?;
    let credential = find_changeable(&mut change, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Manager).await?;
    if !store::credential::authenticators::revoke(
        change.transaction(),
        client_id,
        &AuthenticatorId::Key(id.clone()),
        context.now(),
    )
    .await?
    {
        return Err(CredentialError::NotFound);
    }
    update_ends(&mut change, &credential).await?;
    let event = Event::new(Action::CredentialKeyRemoved, Target::Credential, client_id.as_str(), &credential.name)
        .with(json!({ "key": id.as_str() }));
    change.commit(actor, &event).await?;
    Ok(())
}

pub(crate) fn new(
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

/// The details of a key for the audit entry.
pub(crate) fn describe(key: &ClientKey) -> Value {
    json!({
        "key": key.id.as_str(),
        "label": key.label,
        "algorithm": key.key.algorithm().as_str(),
        "thumbprint": key.key.thumbprint(),
        "expires_at": key.expires_at.map(Timestamp::rfc3339),
    })
}
