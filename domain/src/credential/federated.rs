//! Identities of other issuers that stand for a credential: nothing secret is stored anywhere.

use serde_json::{Value, json};

use crate::base::id::{AppClientId, AuthenticatorId, ClientId, FederatedIdentityId};
use crate::credential::{CredentialError, Result, begin_with, check_life, keys, update_ends};
use crate::model::credential::AuthMethod;
use crate::model::credential::federated::{CheckedIdentity, FederatedDraft, FederatedIdentity};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, Change, Context, Fault, FieldError};
use crate::store::credential::authenticators;

const MOST_IDENTITIES: usize = 10;

/// The identities of a credential, removed ones too, newest first.
pub async fn list(context: &Context, client_id: &ClientId) -> Result<Vec<FederatedIdentity>, Fault> {
    context.rollup.flush().await;
    Ok(authenticators::all_identities(&context.store, client_id).await?)
}

/// Whether a token with the issuer and subject of one of these identities also fits another credential. Then a program
/// that sends no client ID is refused.
pub async fn is_shared(context: &Context, identities: &[FederatedIdentity]) -> Result<bool, Fault> {
    for own in identities.iter().filter(|own| own.revoked_at.is_none() && !own.subject.contains('*')) {
        let FederatedIdentity { issuer, subject, .. } = own;
        let all = authenticators::identities_with_subject(&context.store, issuer, subject, context.now()).await?;
        if all.iter().any(|other| other.client_id != own.client_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses an issuer whose keys could never be fetched. Pasted keys need no request.
pub(crate) fn check_issuer(context: &Context, identity: &CheckedIdentity) -> Result<()> {
    if identity.jwks.is_none() {
        context.issuer_keys.check_issuer(&identity.issuer).map_err(|problem| FieldError::new("issuer", problem))?;
    }
    Ok(())
}

/// Refuses an issuer whose address is the approved document of a credential: its assertions could be of both.
pub(crate) async fn check_no_document(change: &mut Change<'_>, issuer: &str) -> Result<()> {
    let Some(id) = AppClientId::parse(issuer) else { return Ok(()) };
    match keys::approved(change, &id).await? {
        Some(_) => {
            let message = "A credential has a client metadata document at this address. Revoke that credential first.";
            Err(FieldError::new("issuer", message).into())
        }
        None => Ok(()),
    }
}

/// Adds an identity to a federated credential.
pub async fn add(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &FederatedDraft,
) -> Result<FederatedIdentityId> {
    let checked = draft.check(&context.settings)?;
    check_issuer(context, &checked)?;
    let (mut change, credential) = begin_with(context, actor, client_id, AuthMethod::Federated, Role::Manager).await?;
    check_no_document(&mut change, &checked.issuer).await?;
    if check_life(&mut change, &credential, None).await.is_err() {
        let message = "A policy needs an end. Set the last day of the credential first.";
        return Err(FieldError::new("issuer", message).into());
    }
    let live = authenticators::live_identities_in(&mut change, client_id).await?;
    if live.len() >= MOST_IDENTITIES {
        let message = format!("A credential has at most {MOST_IDENTITIES} identities. Remove one first.");
        return Err(FieldError::new("issuer", message).into());
    }
    let identity = checked.into_identity(client_id, context.now(), context.random.as_ref());
    // If an identity were registered twice, it would still work after one of the two was removed.
    if live.iter().any(|other| other.accepts_the_same_as(&identity)) {
        return Err(FieldError::new("subject", "This identity is there already.").into());
    }
    authenticators::insert_identity(&mut change, &identity, actor.id()).await?;
    change.commit(actor, &credential.event(Action::CredentialIdentityAdded).with(describe(&identity))).await?;
    Ok(identity.id)
}

/// Removes an identity. Tokens that use it are refused from now on.
pub async fn remove(context: &Context, actor: &Actor, client_id: &ClientId, id: &FederatedIdentityId) -> Result<()> {
    let (mut change, credential) = begin_with(context, actor, client_id, AuthMethod::Federated, Role::Manager).await?;
    if !authenticators::revoke(&mut change, client_id, &AuthenticatorId::Federated(id.clone()), context.now()).await? {
        return Err(CredentialError::NotFound);
    }
    update_ends(&mut change, &credential).await?;
    let details = json!({ "identity": id.as_str() });
    Ok(change.commit(actor, &credential.event(Action::CredentialIdentityRemoved).with(details)).await?)
}

/// The details of an identity for the audit entry.
pub(crate) fn describe(identity: &FederatedIdentity) -> Value {
    json!({
        "identity": identity.id.as_str(),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "audience": identity.audience,
        "claims": identity.claims,
        "keys": if identity.jwks.is_some() { "pasted" } else { "fetched from the issuer" },
    })
}
