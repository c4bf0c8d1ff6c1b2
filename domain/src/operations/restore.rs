//! Replacing a database with a backup. What ended after the backup was made must not come back unnoticed. So the backup
//! is compared with the database that it replaces, and the differences end again when the operator says so.

use std::collections::HashSet;

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ClientId, OpenIdLinkId, PersonId, TeamId};
use crate::change::Change;
use crate::context::Context;
use crate::credential::{self, CredentialError};
use crate::crypto::keys::TokenAlgorithm;
use crate::error::{Fault, through_fault};
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::operations::{Ended, How};
use crate::model::person::authority::Role;
use crate::operations::key_rotation::{self, RotationError, RotationMode};
use crate::store::{self, Store, StoreError};

/// What a backup would bring back.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// Credentials and their secrets, keys and identities; people, their roles, apps, passkeys and OpenID accounts; and
    /// clients.
    pub ended: Vec<Ended>,
    /// Algorithms with a signing key that the backup holds and that had been removed before the restore.
    pub dropped: HashSet<String>,
    /// The number of status list bits that were given out.
    taken_bits: Option<i64>,
    /// Recovery codes that were used or replaced. The operator is not asked about them: they are never brought back.
    spent_codes: Vec<String>,
}

impl Difference {
    /// Whether the backup would bring back nothing.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.dropped.is_empty()
    }
}

/// Why a restore was not finished.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something could not be ended again.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A signing key could not be replaced.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(RestoreError: StoreError);

/// What had ended in `former` and works in `backup`. The schema of both must be up to date.
pub async fn compare(former: &Store, backup: &Store, now: Timestamp) -> Result<Difference, Fault> {
    Ok(Difference {
        ended: store::operations::restore::ended_since(former, backup).await?,
        dropped: store::operations::restore::dropped_algorithms(former, backup, now).await?,
        taken_bits: Some(store::token::status_list::taken(former).await?),
        spent_codes: store::operations::restore::spent_codes(former, backup).await?,
    })
}

/// Prepares a restored database for use, in one change. Sessions and invitations end, and assertions from before this
/// moment are refused. With `end_again`, everything in `difference` ends too. Returns how many sessions ended.
pub async fn finish(
    context: &Context,
    actor: &Actor,
    difference: &Difference,
    end_again: bool,
) -> Result<u64, RestoreError> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    let sessions = store::operations::restore::begin_anew(change.transaction(), now, difference.taken_bits).await?;
    store::operations::restore::remove_codes(change.transaction(), &difference.spent_codes).await?;
    let mut events = vec![Event::of_instance(Action::InstanceRestored).with(json!({
        "sessions_ended": sessions,
        "ended_since_the_backup": difference.ended.len() + difference.dropped.len(),
        "ended_again": end_again,
        "recovery_codes_ended": difference.spent_codes.len(),
    }))];
    for one in difference.ended.iter().filter(|_| end_again) {
        events.push(end(&mut change, one, now).await?);
    }
    if end_again {
        // Recovery codes are removed with the last second factor.
        store::operations::restore::remove_codes_of_nothing(change.transaction()).await?;
    }
    change.commit_all(actor, &events).await?;
    for algorithm in difference.dropped.iter().filter(|_| end_again) {
        let algorithm = TokenAlgorithm::parse(algorithm).ok_or(Fault::Damaged)?;
        key_rotation::rotate(context, actor, algorithm, RotationMode::Emergency).await?;
    }
    Ok(sessions)
}

/// Ends one thing again that had ended before the restore. Returns the audit event.
async fn end(change: &mut Change<'_>, one: &Ended, now: Timestamp) -> Result<Event, RestoreError> {
    let details = json!({ "restored": true, "first_ended_at": one.at.rfc3339(), "id": one.id });
    let action = match (&one.how, &one.client_id) {
        (How::Revoked, Some(id)) => {
            store::credential::revoke(change.transaction(), id, now, Some("Revoked before the restore")).await?;
            Action::CredentialRevoked
        }
        (How::Disabled, Some(id)) => {
            store::credential::set_disabled(change.transaction(), id, Some(now)).await?;
            Action::CredentialDisabled
        }
        (How::AuthenticatorRevoked(table), Some(id)) => {
            store::operations::restore::revoke_authenticator(change.transaction(), table, &one.id, now).await?;
            credential::update_ends_of(change, id).await?;
            Action::CredentialEdited
        }
        (How::PersonDisabled, _) => {
            let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::person::set_disabled(change.transaction(), &person, Some(now)).await?;
            Action::PersonDisabled
        }
        (How::ClientRemoved, _) => {
            let client = AppClientId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::client::remove(change.transaction(), &client, now).await?;
            Action::ClientRemoved
        }
        (How::DocumentRemoved, _) => {
            let client = AppClientId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::operations::restore::keep_document_out(change.transaction(), &client, &one.name, now).await?;
            Action::ClientRemoved
        }
        (How::ClientSecretEnded, _) => {
            let client = AppClientId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::client::forget_secret(change.transaction(), &client).await?;
            Action::ClientSecretEnded
        }
        (How::OpenIdDisconnected, _) => {
            let link = OpenIdLinkId::parse(&one.id).ok_or(Fault::Damaged)?;
            let person =
                store::person::openid::remove(change.transaction(), &link, now).await?.ok_or(Fault::Damaged)?;
            let event = Event::new(Action::PersonOpenIdDisconnected, Target::Person, person.as_str(), &one.name);
            return Ok(event.with(details));
        }
        (How::PasskeyRemoved, _) => {
            store::operations::restore::remove_passkey(change.transaction(), &one.id, now).await?;
            Action::PasskeyRemoved
        }
        (How::AppRemoved, _) => {
            let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::person::second_factor::remove_app(change.transaction(), &person).await?;
            Action::SecondFactorRemoved
        }
        (How::AdministrationTaken, _) => {
            let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
            store::person::set_administrator(change.transaction(), &person, None).await?;
            Action::PersonAdministratorChanged
        }
        (How::RoleTaken(role), _) => {
            let (team, person) = one.id.split_once('/').ok_or(Fault::Damaged)?;
            let team = TeamId::parse(team).ok_or(Fault::Damaged)?;
            let person = PersonId::parse(person).ok_or(Fault::Damaged)?;
            match role {
                Some(role) => store::person::team::set_role(change.transaction(), &team, &person, *role, now).await?,
                None => store::person::team::remove_member(change.transaction(), &team, &person).await?,
            }
            let details = json!({ "restored": true, "person": person.as_str(), "role": role.map(Role::as_str) });
            return Ok(Event::new(Action::TeamRoleChanged, Target::Team, team.as_str(), &one.name).with(details));
        }
        (_, None) => return Err(Fault::Damaged.into()),
    };
    let id = one.client_id.as_ref().map_or(one.id.as_str(), ClientId::as_str);
    Ok(Event::new(action, target_of(&one.how), id, &one.name).with(details))
}

/// The target of the audit entry of an end.
fn target_of(how: &How) -> Target {
    match how {
        How::Revoked | How::Disabled | How::AuthenticatorRevoked(_) => Target::Credential,
        How::PersonDisabled | How::OpenIdDisconnected | How::AppRemoved | How::AdministrationTaken => Target::Person,
        How::RoleTaken(_) => Target::Team,
        How::PasskeyRemoved => Target::Passkey,
        How::ClientRemoved | How::DocumentRemoved | How::ClientSecretEnded => Target::Client,
    }
}
