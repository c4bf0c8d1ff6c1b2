//! Replacing a database with a backup. What ended after the backup was made must not come back unnoticed. So the backup
//! is compared with the database that it replaces, and the differences end again when the operator says so.

use std::collections::HashSet;

use serde_json::json;

use crate::base::id::{AppClientId, ClientId, OpenIdLinkId, PersonId, TeamId};
use crate::credential::{self, CredentialError};
use crate::crypto::keys::TokenAlgorithm;
use crate::model::operations::{Ended, How};
use crate::model::person::authority::Role;
use crate::operations::key_rotation::{self, RotationError, RotationMode};
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Target, Timestamp, through_fault};
use crate::store::{self, Store};

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
    Fault(Fault),
}

through_fault!(RestoreError);

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
    let sessions = store::operations::restore::reset_after_restore(&mut change, now, difference.taken_bits).await?;
    store::operations::restore::remove_codes(&mut change, &difference.spent_codes).await?;
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
        store::operations::restore::remove_codes_of_nothing(&mut change).await?;
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
    let mut details = json!({ "restored": true, "first_ended_at": one.at.rfc3339(), "id": one.id });
    let mut id = one.client_id.as_ref().map_or(one.id.as_str(), ClientId::as_str).to_owned();
    let person = || PersonId::parse(&one.id).ok_or(Fault::Damaged);
    let client = || AppClientId::parse(&one.id).ok_or(Fault::Damaged);
    let (action, target) = match (&one.how, &one.client_id) {
        (How::Revoked, Some(id)) => {
            store::credential::revoke(change, id, now, Some("Revoked before the restore")).await?;
            (Action::CredentialRevoked, Target::Credential)
        }
        (How::Disabled, Some(id)) => {
            store::credential::set_disabled(change, id, Some(now)).await?;
            (Action::CredentialDisabled, Target::Credential)
        }
        (How::AuthenticatorRevoked(table), Some(id)) => {
            store::operations::restore::revoke_authenticator(change, table, &one.id, now).await?;
            credential::update_ends_of(change, id).await?;
            (Action::CredentialEdited, Target::Credential)
        }
        (How::PersonDisabled, _) => {
            store::person::set_disabled(change, &person()?, Some(now)).await?;
            (Action::PersonDisabled, Target::Person)
        }
        (How::ClientRemoved, _) => {
            store::client::remove(change, &client()?, now).await?;
            (Action::ClientRemoved, Target::Client)
        }
        (How::DocumentRemoved, _) => {
            store::operations::restore::keep_document_out(change, &client()?, &one.name, now).await?;
            (Action::ClientRemoved, Target::Client)
        }
        (How::ClientSecretEnded, _) => {
            store::client::forget_secret(change, &client()?).await?;
            (Action::ClientSecretEnded, Target::Client)
        }
        (How::OpenIdDisconnected, _) => {
            let link = OpenIdLinkId::parse(&one.id).ok_or(Fault::Damaged)?;
            let person = store::person::openid::remove(change, &link, now).await?.ok_or(Fault::Damaged)?;
            id = person.as_str().to_owned();
            (Action::PersonOpenIdDisconnected, Target::Person)
        }
        (How::PasskeyRemoved, _) => {
            store::operations::restore::remove_passkey(change, &one.id, now).await?;
            (Action::PasskeyRemoved, Target::Passkey)
        }
        (How::AppRemoved, _) => {
            store::person::second_factor::remove_app(change, &person()?).await?;
            (Action::SecondFactorRemoved, Target::Person)
        }
        (How::AdministrationTaken, _) => {
            store::person::set_administrator(change, &person()?, None).await?;
            (Action::PersonAdministratorChanged, Target::Person)
        }
        (How::RoleTaken(role), _) => {
            let (team, person) = one.id.split_once('/').ok_or(Fault::Damaged)?;
            let team = TeamId::parse(team).ok_or(Fault::Damaged)?;
            let person = PersonId::parse(person).ok_or(Fault::Damaged)?;
            match role {
                Some(role) => store::person::team::set_role(change, &team, &person, *role, now).await?,
                None => store::person::team::remove_member(change, &team, &person).await?,
            }
            id = team.as_str().to_owned();
            details = json!({ "restored": true, "person": person.as_str(), "role": role.map(Role::as_str) });
            (Action::TeamRoleChanged, Target::Team)
        }
        (_, None) => return Err(Fault::Damaged.into()),
    };
    Ok(Event::new(action, target, &id, &one.name).with(details))
}
