//! Public keys of a credential: several may be registered, so that one can be replaced without a gap.

use serde_json::{Value, json};

use crate::base::id::{AppClientId, AuthenticatorId, ClientId, KeyId};
use crate::credential::{CredentialError, Result, begin_with, check_life, update_ends};
use crate::crypto::public_key::{MOST_KEYS, PublicKey};
use crate::model::credential::draft::{Expiry, check_expiry};
use crate::model::credential::key::{ClientKey, KeysAt, KeysDraft};
use crate::model::credential::{AuthMethod, Credential, Status};
use crate::model::person::authority::{Authority, Role};
use crate::prelude::{Action, Actor, AtField, Change, Context, Fault, FieldError, Timestamp};
use crate::services::issuer_keys::ClientKeys;
use crate::store;

/// Why no key is added by hand.
pub(crate) const PUBLISHES: &str = "The program publishes its keys. Publish the new key there.";
/// Longest identifier of a published key that is its name, in characters.
const LONGEST_KID: usize = 60;

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
) -> Result<Vec<KeyId>> {
    let checked = draft.check()?;
    let now = context.now();
    let expires_at = check_expiry(expiry, now).at("expiry")?;
    let (mut change, credential) =
        begin_with(context, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Manager).await?;
    if credential.keys_at.is_some() {
        return Err(FieldError::new("public_key", PUBLISHES).into());
    }
    // Cancelling a rotation ends every new key. It must not end a key that was no part of the rotation.
    if credential.is_rotating(now) {
        return Err(CredentialError::RotationUnderWay);
    }
    check_life(&mut change, &credential, expires_at).await?;
    let added = insert(&mut change, actor, client_id, checked, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    let details = json!({ "keys": added.iter().map(describe).collect::<Vec<_>>() });
    change.commit(actor, &credential.event(Action::CredentialKeyAdded).with(details)).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

/// Stores further keys of a credential.
pub(crate) async fn insert(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    checked: Vec<(String, PublicKey)>,
    expires_at: Option<Timestamp>,
) -> Result<Vec<ClientKey>> {
    let mut live = store::credential::authenticators::keys(&mut *change, client_id).await?;
    let now = change.now();
    live.retain(|key| key.end().is_live(now));
    if live.len() + checked.len() > MOST_KEYS {
        let message = format!("A credential has at most {MOST_KEYS} keys. Remove one first.");
        return Err(FieldError::new("public_key", message).into());
    }
    let mut added = Vec::new();
    for (label, key) in checked {
        if live.iter().any(|old| old.key.thumbprint() == key.thumbprint()) {
            return Err(FieldError::new("public_key", "This key is there already.").into());
        }
        let key = ClientKey {
            id: KeyId::generate(change.context().random.as_ref()),
            client_id: client_id.clone(),
            label,
            key,
            created_at: now,
            expires_at,
            retires_at: None,
            revoked_at: None,
            unpublished_at: None,
            last_used_at: None,
            last_used_from: None,
        };
        store::credential::authenticators::insert_key(change, &key, actor.id()).await?;
        added.push(key);
    }
    Ok(added)
}

/// The keys that are published at an address, each with its name.
///
/// # Errors
///
/// An error at `jwks_uri` or `document` when there are none that can be used.
pub(crate) async fn published(context: &Context, actor: &Actor, keys_at: &KeysAt) -> Result<Vec<(String, PublicKey)>> {
    let field = if keys_at.document().is_some() { "document" } else { "jwks_uri" };
    let keys = context.issuer_keys.tried_by(actor, &ClientKeys::of_credential(keys_at), context.now()).await;
    let keys = keys.map_err(|problem| FieldError::new(field, problem))?;
    if keys.len() > MOST_KEYS {
        let message = format!("A credential has at most {MOST_KEYS} keys; the address has {}.", keys.len());
        return Err(FieldError::new(field, message).into());
    }
    Ok(keys.iter().map(named).collect())
}

/// The credential that works with the keys of this client ID metadata document, if an administrator approved it and
/// `authority` sees it.
pub async fn of_document(context: &Context, authority: &Authority, id: &AppClientId) -> Result<Option<Credential>> {
    let Some(client_id) = store::credential::of_document(&context.store, id).await? else { return Ok(None) };
    let found = store::credential::find(&context.store, &client_id).await?;
    Ok(found.filter(|one| one.revoked_at.is_none() && authority.role_in(&one.team).is_some()))
}

/// The same inside a change, whoever sees it.
pub(crate) async fn approved(change: &mut Change<'_>, id: &AppClientId) -> Result<Option<Credential>, Fault> {
    let Some(client_id) = store::credential::of_document(&mut *change, id).await? else { return Ok(None) };
    let found = store::credential::find(change, &client_id).await?;
    Ok(found.filter(|one| one.revoked_at.is_none()))
}

/// A published key with its name.
fn named(key: &PublicKey) -> (String, PublicKey) {
    (key.kid().map_or_else(|| key.kind(), |kid| kid.chars().take(LONGEST_KID).collect()), key.clone())
}

/// Stores a new key that a credential publishes, and ends each stored key that it publishes no more. Returns the
/// identifier of the key; `None` when somebody removed that key, or it cannot be stored.
pub(crate) async fn adopt(
    context: &Context,
    client_id: &ClientId,
    key: &PublicKey,
    published: &[PublicKey],
) -> Result<Option<KeyId>, Fault> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    let is_alive = |credential: &Credential| {
        let is_over = credential.expires_at.is_some_and(|end| end <= now);
        !is_over && !matches!(credential.status(now), Status::Revoked | Status::Disabled)
    };
    let found = store::credential::find(&mut change, client_id).await?;
    let Some(credential) = found.filter(is_alive) else { return Ok(None) };
    let stored = store::credential::authenticators::keys(&mut change, client_id).await?;
    // Another server stored it meanwhile, or a person removed it. A key that was published before comes back.
    let is_same = |old: &&ClientKey| old.unpublished_at.is_none() && old.key.thumbprint() == key.thumbprint();
    if let Some(same) = stored.iter().find(is_same) {
        return Ok(Some(same.id.clone()));
    }
    let actor = Actor::system();
    let is_gone = |old: &&ClientKey| {
        old.end().is_live(now) && !published.iter().any(|present| present.thumbprint() == old.key.thumbprint())
    };
    let mut removed = Vec::new();
    for old in stored.iter().filter(is_gone) {
        store::credential::authenticators::unpublish(&mut change, &old.id, now).await?;
        removed.push(old.id.as_str());
    }
    let added = match insert(&mut change, &actor, client_id, vec![named(key)], credential.expires_at).await {
        Ok(added) => added,
        Err(CredentialError::Fault(fault)) => return Err(fault),
        Err(_) => return Ok(None),
    };
    update_ends(&mut change, &credential).await?;
    let details = json!({
        "keys": added.iter().map(describe).collect::<Vec<_>>(),
        "removed": removed,
        "published_at": credential.keys_at.as_ref().map(KeysAt::as_str),
    });
    change.commit(&actor, &credential.event(Action::CredentialKeyAdded).with(details)).await?;
    Ok(added.into_iter().next().map(|key| key.id))
}

/// Removes a key. From now on the assertions that it signed are refused, and so are the tokens made with them.
pub async fn remove(context: &Context, actor: &Actor, client_id: &ClientId, id: &KeyId) -> Result<()> {
    let (mut change, credential) =
        begin_with(context, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Manager).await?;
    if !store::credential::authenticators::revoke(
        &mut change,
        client_id,
        &AuthenticatorId::Key(id.clone()),
        context.now(),
    )
    .await?
    {
        return Err(CredentialError::NotFound);
    }
    update_ends(&mut change, &credential).await?;
    let event = credential.event(Action::CredentialKeyRemoved).with(json!({ "key": id.as_str() }));
    Ok(change.commit(actor, &event).await?)
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
