//! Credentials: OAuth clients for machines, from generation to revocation.
//!
//! | module | operation |
//! |---|---|
//! | [`generate`], [`import`] | a new credential, whose secret is shown once; credentials of another system |
//! | [`keys`], [`federated`] | public keys; identities of other issuers that stand for a credential |
//! | [`list`], [`inspect`], [`usage`] | search, filter and sort; one credential; its exchanges by the hour |
//! | [`edit`] | name, description, scopes, lifetimes, address ranges |
//! | [`rotate`] | a second secret or key beside the first, which gets a deadline |
//! | [`renew`] | rotations of several credentials at once, after a leak |
//! | [`disable`], [`revoke`] | stop a credential until it is enabled again; end it permanently |
//!
//! [`crate::model::credential::draft`] holds what a person may ask for in a new credential.

pub mod disable;
pub mod edit;
pub mod federated;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod keys;
pub mod list;
pub mod renew;
pub mod revoke;
pub mod rotate;
pub mod usage;

use crate::base::id::ClientId;
use crate::change::Change;
use crate::error::{Fault, through_denied, through_fault};
use crate::model::actor::Actor;
use crate::model::credential::{AuthMethod, Credential, end_of};
use crate::model::field_error::FieldError;
use crate::model::person::authority::Role;
use crate::store::{self, StoreError};

/// Why an operation on a credential was not done.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The credential does not exist, or the actor may not see it.
    #[error("there is no such credential")]
    NotFound,
    /// The input is wrong; nothing was changed.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// The actor may see the credential, but does not have the role for this operation.
    #[error("the role does not allow it")]
    Forbidden,
    /// The credential uses another authentication method.
    #[error("the credential does not use this kind of authentication")]
    OtherMethod,
    /// A secret or key of the credential is being replaced already.
    #[error("a rotation is under way; finish or cancel it first")]
    RotationUnderWay,
    /// A revoked credential cannot be changed.
    #[error("the credential is revoked")]
    Revoked,
    /// The form was sent before, and made this credential at that time.
    #[error("the form was sent before")]
    AlreadySubmitted(ClientId),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(CredentialError: StoreError);
through_denied!(CredentialError);

/// Reads the credential inside a change by `actor`, who needs `role` in its team.
async fn find_for(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    role: Role,
) -> Result<Credential, CredentialError> {
    let credential =
        store::credential::find(change.transaction(), client_id).await?.ok_or(CredentialError::NotFound)?;
    change.authority(actor).await?.require(&credential.team, role)?;
    Ok(credential)
}

/// Like `find_for`, for a change of the authenticators: the credential must use `method`, and must not be revoked.
async fn find_changeable(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
    method: AuthMethod,
    role: Role,
) -> Result<Credential, CredentialError> {
    let credential = find_for(change, actor, client_id, role).await?;
    if credential.revoked_at.is_some() {
        return Err(CredentialError::Revoked);
    }
    if credential.auth_method != method {
        return Err(CredentialError::OtherMethod);
    }
    Ok(credential)
}

/// Stores two moments: when the last authenticator of the credential ends, and until when one is being replaced.
pub(crate) async fn update_ends(change: &mut Change<'_>, credential: &Credential) -> Result<(), CredentialError> {
    let now = change.now();
    let ends = store::credential::authenticator_ends_in(change.transaction(), &credential.client_id).await?;
    let ends_at = end_of(credential.auth_method, credential.expires_at, &ends, now);
    let rotation = ends.iter().filter(|end| end.is_live(now)).filter_map(|end| end.retires_at).max();
    store::credential::set_ends(change.transaction(), &credential.client_id, ends_at, rotation).await?;
    Ok(())
}

/// Does the same for the credential with this identifier, if it exists.
pub(crate) async fn update_ends_of(change: &mut Change<'_>, client_id: &ClientId) -> Result<(), CredentialError> {
    match store::credential::find(change.transaction(), client_id).await? {
        Some(credential) => update_ends(change, &credential).await,
        None => Ok(()),
    }
}

/// Whether an operation changed anything. Both are success: it is no error to ask twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The operation changed something. This is the number of the audit entry.
    Changed(i64),
    /// Nothing had to be changed.
    Unchanged,
}
