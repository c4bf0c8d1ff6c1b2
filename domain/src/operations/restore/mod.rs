//! Replacing a database with a backup. What ended after the backup was made must not come back unnoticed.
//!
//! The audit log of the former database says what happened since: [`effect`] knows the meaning of each action, and an
//! action that is not known counts as a difference. Then the rows of both databases are compared, and the operator says
//! whether the later state is carried over.
//!
//! Rejected: to compare columns alone. A new column that ends something would be forgotten without a message.

mod effect;
mod since;

use std::collections::HashSet;

use serde_json::json;

use crate::base::id::{AppClientId, ClientId, OpenIdLinkId, PersonId, TeamId, WebhookId};
use crate::client;
use crate::credential::{self, CredentialError};
use crate::crypto::keys::TokenAlgorithm;
use crate::model::operations::{Ended, How};
use crate::model::person::authority::Role;
use crate::operations::key_rotation::{self, RotationError, RotationMode};
use crate::prelude::{Action, Actor, Change, Context, Event, Fault, Target, Timestamp, through_fault};
use crate::store::{self, Store};

pub use self::since::SinceEntry;

/// What a backup would bring back.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// What ended or lost rights: the later state can be carried over.
    pub ended: Vec<Ended>,
    /// Algorithms with a signing key that the backup holds and that had been removed before the restore.
    pub dropped: HashSet<String>,
    /// Other algorithms whose signing key was replaced in order.
    pub rotated: Vec<String>,
    /// Audit entries that this version does not understand. They may have ended anything.
    pub unknown: Vec<SinceEntry>,
    /// Changes that cannot be carried over, and what remains to be done.
    pub left: Vec<SinceEntry>,
    /// What was made since the backup, and what it means that it is gone.
    pub lost: Vec<SinceEntry>,
    /// Passwords that were changed. The operator is not asked about them: the later password always wins.
    pub passwords: Vec<Ended>,
    /// The number of status list bits that were given out.
    taken_bits: Option<i64>,
    /// Recovery codes that were used or replaced. The operator is not asked about them: they are never brought back.
    spent_codes: Vec<String>,
}

impl Difference {
    /// Whether the backup would bring back nothing.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
            && self.dropped.is_empty()
            && self.rotated.is_empty()
            && self.unknown.is_empty()
            && self.left.is_empty()
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
    let log = since::read(former, backup).await?;
    let dropped = store::operations::restore::dropped_algorithms(former, backup, now).await?;
    Ok(Difference {
        ended: store::operations::restore::ended_since(former, backup, &log.since).await?,
        rotated: log.rotated.into_iter().filter(|algorithm| !dropped.contains(algorithm)).collect(),
        dropped,
        unknown: log.unknown,
        left: log.left,
        lost: log.lost,
        passwords: store::operations::restore::changed_passwords(former, backup, &log.since).await?,
        taken_bits: Some(store::token::status_list::taken(former).await?),
        spent_codes: store::operations::restore::spent_codes(former, backup).await?,
    })
}

/// Prepares a restored database for use, in one change. Sessions and invitations end, and assertions from before this
/// moment are refused. Later passwords are carried over. With `end_again`, everything in `difference` ends too. Returns
/// how many sessions ended.
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
        "passwords_carried_over": difference.passwords.len(),
    }))];
    for one in difference.ended.iter().filter(|_| end_again).chain(&difference.passwords) {
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
    for algorithm in difference.rotated.iter().filter(|_| end_again) {
        let algorithm = TokenAlgorithm::parse(algorithm).ok_or(Fault::Damaged)?;
        match key_rotation::rotate(context, actor, algorithm, RotationMode::Ordered).await {
            // The backup has a rotation of its own under way, or no server of this algorithm.
            Err(RotationError::UnderWay | RotationError::NoSuchKey) => {}
            result => drop(result?),
        }
    }
    Ok(sessions)
}

/// Ends one thing again that had ended before the restore. Returns the audit event.
async fn end(change: &mut Change<'_>, one: &Ended, now: Timestamp) -> Result<Event, RestoreError> {
    let mut details = json!({ "restored": true, "first_ended_at": one.at.rfc3339(), "id": one.id });
    let mut id = one.client_id.as_ref().map_or(one.id.as_str(), ClientId::as_str).to_owned();
    let person = || PersonId::parse(&one.id).ok_or(Fault::Damaged);
    for later in &one.later {
        store::operations::restore::write_later(change, later).await?;
    }
    let (action, target) = match (&one.how, &one.client_id) {
        (_, Some(id)) => (end_of_credential(change, one, id, now).await?, Target::Credential),
        (How::PasswordChanged, _) => (Action::PersonPasswordChanged, Target::Person),
        (How::ServerNarrowed, _) => (Action::McpServerEdited, Target::McpServer),
        (How::ServerArchived, _) => (Action::McpServerArchived, Target::McpServer),
        (How::ClientNarrowed, _) => (Action::ClientChanged, Target::Client),
        (How::WebhookPaused | How::WebhookUnreadable, _) => (Action::WebhookPaused, Target::Webhook),
        (How::WebhookChanged, _) => (Action::WebhookEdited, Target::Webhook),
        (How::WebhookRemoved, _) => {
            store::webhook::remove(change, &WebhookId::parse(&one.id).ok_or(Fault::Damaged)?).await?;
            (Action::WebhookRemoved, Target::Webhook)
        }
        (How::PersonDisabled, _) => {
            store::person::set_disabled(change, &person()?, Some(now)).await?;
            (Action::PersonDisabled, Target::Person)
        }
        (
            how @ (How::ClientRemoved
            | How::DocumentRemoved
            | How::ClientDisabled
            | How::DocumentDisabled
            | How::ClientSecretEnded
            | How::ClientRegistrationEnded),
            _,
        ) => {
            if *how == How::ClientRegistrationEnded {
                details["secret"] = json!(client::REGISTRATION_TOKEN);
            }
            (end_of_client(change, one, now).await?, Target::Client)
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
            let (team, person) = take_role(change, one, *role, now).await?;
            id = team.as_str().to_owned();
            details = json!({ "restored": true, "person": person.as_str(), "role": role.map(Role::as_str) });
            (Action::TeamRoleChanged, Target::Team)
        }
        (
            How::Revoked
            | How::Disabled
            | How::AuthenticatorRevoked(_)
            | How::EndSet
            | How::CredentialNarrowed
            | How::TeamUnknown
            | How::Leaked
            | How::TokenRevoked,
            None,
        ) => return Err(Fault::Damaged.into()),
    };
    Ok(Event::new(action, target, &id, &one.name).with(details))
}

/// Takes a role in a team away again, or gives the lower one. Returns the team and the person.
async fn take_role(
    change: &mut Change<'_>,
    one: &Ended,
    role: Option<Role>,
    now: Timestamp,
) -> Result<(TeamId, PersonId), Fault> {
    let (team, person) = one.id.split_once('/').ok_or(Fault::Damaged)?;
    let team = TeamId::parse(team).ok_or(Fault::Damaged)?;
    let person = PersonId::parse(person).ok_or(Fault::Damaged)?;
    match role {
        Some(role) => store::person::team::set_role(change, &team, &person, role, now).await?,
        None => store::person::team::remove_member(change, &team, &person).await?,
    }
    Ok((team, person))
}

/// Ends a client, or what it proves itself with, again. Returns the action of the audit event.
async fn end_of_client(change: &mut Change<'_>, one: &Ended, now: Timestamp) -> Result<Action, Fault> {
    let id = AppClientId::parse(&one.id).ok_or(Fault::Damaged)?;
    Ok(match one.how {
        How::ClientRemoved => {
            store::client::remove(change, &id, now).await?;
            Action::ClientRemoved
        }
        How::DocumentRemoved => {
            store::operations::restore::keep_document_out(change, &id, &one.name, now).await?;
            Action::ClientRemoved
        }
        How::ClientDisabled => {
            store::client::set_disabled(change, &id, Some(now)).await?;
            Action::ClientDisabled
        }
        How::DocumentDisabled => {
            store::operations::restore::keep_document_stopped(change, &id, &one.name, now).await?;
            Action::ClientDisabled
        }
        How::ClientRegistrationEnded => {
            store::client::forget_registration(change, &id).await?;
            Action::ClientSecretEnded
        }
        _ => {
            store::client::forget_secret(change, &id).await?;
            Action::ClientSecretEnded
        }
    })
}

/// Ends one thing of a credential again. Returns the action of the audit event.
async fn end_of_credential(
    change: &mut Change<'_>,
    one: &Ended,
    id: &ClientId,
    now: Timestamp,
) -> Result<Action, RestoreError> {
    Ok(match one.how {
        How::Revoked => {
            store::credential::revoke(change, id, now, Some("Revoked before the restore")).await?;
            Action::CredentialRevoked
        }
        How::Disabled => {
            store::credential::set_disabled(change, id, Some(now)).await?;
            Action::CredentialDisabled
        }
        How::TeamUnknown => Action::CredentialDisabled,
        How::TokenRevoked => {
            store::operations::restore::revoke_token(change, &one.id, now).await?;
            Action::TokenRevoked
        }
        How::AuthenticatorRevoked(table) => {
            store::operations::restore::revoke_authenticator(change, table, &one.id, now).await?;
            credential::update_ends_of(change, id).await?;
            Action::CredentialEdited
        }
        _ => {
            credential::update_ends_of(change, id).await?;
            Action::CredentialEdited
        }
    })
}
