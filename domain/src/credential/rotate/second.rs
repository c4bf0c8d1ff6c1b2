//! A second secret without a rotation: two programs, or two places, each with a secret of its own. Each secret can be
//! removed by itself.

use serde_json::json;

use crate::base::id::{AuthenticatorId, ClientId, SecretId};
use crate::credential::generate::{Generated, add_secret, with_secret};
use crate::credential::{CredentialError, Outcome, Result, begin_with, check_life, sent_before, update_ends};
use crate::model::credential::AuthMethod;
use crate::model::credential::draft::{Expiry, check_expiry};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, AtField, Context, FieldError, Timestamp};
use crate::store;
use crate::store::credential::authenticators;

/// How many secrets work beside each other.
pub const MOST_SECRETS: usize = 2;

/// Generates a second secret. The present one stays as it is.
///
/// `form_token` is as for [`generate`](crate::credential::generate::generate).
pub async fn add(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    expiry: Expiry,
    form_token: Option<&str>,
) -> Result<Generated> {
    let now = context.now();
    let expires_at = check_expiry(expiry, now).at("expiry")?;
    let (mut change, credential) =
        begin_with(context, actor, client_id, AuthMethod::ClientSecret, Role::Member).await?;
    change.use_form_token(form_token, client_id.as_str(), sent_before).await?;
    // Cancelling a rotation ends every new secret. It must not end a secret that was no part of the rotation.
    if credential.is_rotating(now) {
        return Err(CredentialError::RotationUnderWay);
    }
    let secrets = store::credential::secrets(&mut change, client_id).await?;
    if secrets.iter().filter(|secret| secret.end().is_live(now)).count() >= MOST_SECRETS {
        let message = format!("This credential has {MOST_SECRETS} secrets already. Remove one first.");
        return Err(FieldError::new("main", message).into());
    }
    check_life(&mut change, &credential, expires_at).await?;
    let (id, secret) = add_secret(&mut change, actor, client_id, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    let details = json!({ "secret": id.as_str(), "expires_at": expires_at.map(Timestamp::rfc3339) });
    change.commit(actor, &credential.event(Action::CredentialSecretAdded).with(details)).await?;
    with_secret(context, credential, secret, expires_at).await
}

/// Removes a secret. From now on exchanges with it are refused, and so are the tokens that were issued for it. The
/// other secrets stay.
pub async fn remove(context: &Context, actor: &Actor, client_id: &ClientId, id: &SecretId) -> Result<Outcome> {
    let (mut change, credential) =
        begin_with(context, actor, client_id, AuthMethod::ClientSecret, Role::Member).await?;
    let now = change.now();
    // Without its new secret, a rotation would leave the credential with a secret that stops at the deadline.
    let secrets = store::credential::secrets(&mut change, client_id).await?;
    let is_new = secrets.iter().any(|secret| secret.id == *id && secret.retires_at.is_none());
    if credential.is_rotating(now) && is_new {
        return Err(CredentialError::RotationUnderWay);
    }
    if !authenticators::revoke(&mut change, client_id, &AuthenticatorId::Secret(id.clone()), now).await? {
        return Err(CredentialError::NotFound);
    }
    update_ends(&mut change, &credential).await?;
    let event = credential.event(Action::CredentialSecretRemoved).with(json!({ "secret": id.as_str() }));
    Outcome::committed(change, actor, event).await
}
