//! Identities of other issuers that stand for a credential: nothing secret is stored anywhere.

use serde_json::{Value, json};

use crate::base::id::{AuthenticatorId, ClientId, FederatedIdentityId, TeamId};
use crate::change::Change;
use crate::context::Context;
use crate::credential::CredentialError;
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::credential::federated::{FederatedDraft, FederatedIdentity};
use crate::model::field_error::FieldError;
use crate::model::person::authority::Role;
use crate::store;

const MOST_IDENTITIES: usize = 10;

/// The identities of a credential, removed ones too, newest first.
pub async fn list(context: &Context, client_id: &ClientId) -> Result<Vec<FederatedIdentity>, Fault> {
    context.rollup.flush().await;
    Ok(store::credential::authenticators::all_identities(&context.store, client_id).await?)
}

/// Whether another working credential has an identity with exactly the same issuer and subject as one of these. A
/// program that sends no client ID is then refused, because its token fits both credentials.
pub async fn is_shared(context: &Context, identities: &[FederatedIdentity]) -> Result<bool, Fault> {
    for own in identities.iter().filter(|own| own.revoked_at.is_none() && !own.subject.contains('*')) {
        let all = store::credential::authenticators::identities_with_subject(
            &context.store,
            &own.issuer,
            &own.subject,
            context.now(),
        );
        if all.await?.iter().any(|other| other.client_id != own.client_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds an identity to a federated credential.
pub async fn add(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &FederatedDraft,
) -> Result<FederatedIdentityId, CredentialError> {
    let checked = draft.check(&context.settings).map_err(CredentialError::Invalid)?;
    let mut change = context.begin_change().await?;
    let credential =
        super::find_changeable(&mut change, actor, client_id, super::AuthMethod::Federated, Role::Manager).await?;
    let live = store::credential::authenticators::live_identities_in(change.transaction(), client_id).await?;
    if live.len() >= MOST_IDENTITIES {
        let message = format!("A credential has at most {MOST_IDENTITIES} identities. Remove one first.");
        return Err(CredentialError::Invalid(vec![FieldError::new("issuer", message)]));
    }
    let identity = checked.into_identity(client_id, context.now(), context.random.as_ref());
    check_owner(&mut change, actor, &credential.team, &identity).await?;
    // If an identity were registered twice, it would go on working after one of the two was removed.
    if live.iter().any(|other| other.accepts_the_same_as(&identity)) {
        let message = "This identity is there already.";
        return Err(CredentialError::Invalid(vec![FieldError::new("subject", message)]));
    }
    store::credential::authenticators::insert_identity(change.transaction(), &identity, actor.id()).await?;
    let event = Event::new(Action::CredentialIdentityAdded, Target::Credential, client_id.as_str(), &credential.name)
        .with(describe(&identity));
    change.commit(actor, &event).await?;
    Ok(identity.id)
}

/// When two credentials have exactly the same subject, a program that sends no client ID is refused. So only an
/// administrator may add an identity that a credential of another team has already.
pub(crate) async fn check_owner(
    change: &mut Change<'_>,
    actor: &Actor,
    team: &TeamId,
    identity: &FederatedIdentity,
) -> Result<(), CredentialError> {
    let FederatedIdentity { issuer, subject, .. } = identity;
    let taken =
        store::credential::authenticators::is_of_another_team(change.transaction(), issuer, subject, team).await?;
    if taken && !change.authority(actor).await?.is_administrator() {
        let message = "This subject stands for a credential of another team. Ask an administrator.";
        return Err(CredentialError::Invalid(vec![FieldError::new("subject", message)]));
    }
    Ok(())
}

/// Removes an identity. Tokens that use it are refused from now on.
pub async fn remove(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    id: &FederatedIdentityId,
) -> Result<(), CredentialError> {
    let mut change = context.begin_change().await?;
    let credential =
        super::find_changeable(&mut change, actor, client_id, super::AuthMethod::Federated, Role::Manager).await?;
    if !store::credential::authenticators::revoke(
        change.transaction(),
        client_id,
        &AuthenticatorId::Federated(id.clone()),
        context.now(),
    )
    .await?
    {
        return Err(CredentialError::NotFound);
    }
    let event = Event::new(Action::CredentialIdentityRemoved, Target::Credential, client_id.as_str(), &credential.name)
        .with(json!({ "identity": id.as_str() }));
    change.commit(actor, &event).await?;
    Ok(())
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
