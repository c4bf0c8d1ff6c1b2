//! Putting a backup in the place of a database. What ended after the backup was made must not come back unnoticed: it is found by
//! comparing with the database that is replaced, and ended again when the operator says so.

use std::collections::HashSet;

use serde_json::json;

use crate::actor::Actor;
use crate::audit::Event;
use crate::authority::Role;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::credential::{self, CredentialError};
use crate::error::Fault;
use crate::id::{ClientId, InteractiveClientId, OpenIdLinkId, PersonId, TeamId};
use crate::keys::TokenAlgorithm;
use crate::keys::rotation::{self, Haste, RotationError};
use crate::store::{self, Store, StoreError};

/// What ended something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The credential was revoked.
    Revoked,
    /// The credential was disabled.
    Disabled,
    /// One of its secrets, keys or identities was revoked; the table it is in.
    AuthenticatorRevoked(&'static str),
    /// The person was disabled.
    PersonDisabled,
    /// The interactive client was removed.
    ClientRemoved,
    /// The client that a document describes was removed, and is not even known in the backup: it would come back with its next
    /// visitor.
    DocumentRemoved,
    /// The secret of the interactive client ended, because it leaked, or was replaced.
    ClientSecretEnded,
    /// The person's account at an OpenID provider was disconnected.
    OpenIdDisconnected,
    /// A passkey was removed.
    PasskeyRemoved,
    /// The person's authenticator app was removed, or replaced by another one.
    AppRemoved,
    /// The person administers the instance no more.
    AdministrationTaken,
    /// The person is in the team no more, or with a lesser role, which is here.
    RoleTaken(Option<Role>),
}

/// Something that works in the backup and had ended in the database that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The credential, unless it is something of a person or an interactive client.
    pub client_id: Option<ClientId>,
    /// Name of the credential, the person, the passkey or the client.
    pub name: String,
    /// Identifier of what ended; of a role those of the team and the person, with a slash between.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: How,
}

/// What a backup would bring back.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// Credentials, what proves them, people, their roles, apps, passkeys and accounts elsewhere, and interactive clients.
    pub ended: Vec<Ended>,
    /// Algorithms whose signing key had been dropped.
    pub dropped: HashSet<String>,
    /// Bits of the status lists that were given out.
    taken_bits: Option<i64>,
    /// Recovery codes that were used or replaced. Nobody decides about them: they are never brought back.
    spent_codes: Vec<String>,
}

impl Difference {
    /// Whether it would bring back nothing.
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

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// What had ended in `former` and works in `backup`, both with an up-to-date schema.
pub async fn compare(former: &Store, backup: &Store, now: Timestamp) -> Result<Difference, Fault> {
    Ok(Difference {
        ended: store::restore::ended_since(former, backup).await?,
        dropped: store::restore::dropped_algorithms(former, backup, now).await?,
        taken_bits: Some(store::status_lists::taken(former).await?),
        spent_codes: store::restore::spent_codes(former, backup).await?,
    })
}

/// Makes a restored database fit to serve, in one change: its sessions and invitations end, assertions from before this
/// moment are refused, and
/// with `end_again` so is everything that `difference` holds. Returns how many sessions ended.
pub async fn finish(
    context: &Context,
    actor: &Actor,
    difference: &Difference,
    end_again: bool,
) -> Result<u64, RestoreError> {
    let mut change = context.begin_change().await?;
    let now = change.now();
    let sessions = store::restore::begin_anew(change.transaction(), now, difference.taken_bits).await?;
    store::restore::remove_codes(change.transaction(), &difference.spent_codes).await?;
    let mut events = vec![Event::new("instance.restored", "instance", "", "").with(json!({
        "sessions_ended": sessions,
        "ended_since_the_backup": difference.ended.len() + difference.dropped.len(),
        "ended_again": end_again,
        "recovery_codes_ended": difference.spent_codes.len(),
    }))];
    for one in difference.ended.iter().filter(|_| end_again) {
        let details = json!({ "restored": true, "first_ended_at": one.at.rfc3339(), "id": one.id });
        let action = match (&one.how, &one.client_id) {
            (How::Revoked, Some(id)) => {
                store::credentials::revoke(change.transaction(), id, now, Some("Revoked before the restore")).await?;
                "credential.revoked"
            }
            (How::Disabled, Some(id)) => {
                store::credentials::set_disabled(change.transaction(), id, Some(now)).await?;
                "credential.disabled"
            }
            (How::AuthenticatorRevoked(table), Some(id)) => {
                store::restore::revoke_authenticator(change.transaction(), table, &one.id, now).await?;
                credential::update_ends_of(&mut change, id).await?;
                "credential.edited"
            }
            (How::PersonDisabled, _) => {
                let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::restore::disable_person(change.transaction(), &person, now).await?;
                "person.disabled"
            }
            (How::ClientRemoved, _) => {
                let client = InteractiveClientId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::interactive_clients::remove(change.transaction(), &client, now).await?;
                "client.removed"
            }
            (How::DocumentRemoved, _) => {
                let client = InteractiveClientId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::restore::keep_document_out(change.transaction(), &client, &one.name, now).await?;
                "client.removed"
            }
            (How::ClientSecretEnded, _) => {
                let client = InteractiveClientId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::interactive_clients::forget_secret(change.transaction(), &client).await?;
                "client.secret_ended"
            }
            (How::OpenIdDisconnected, _) => {
                let link = OpenIdLinkId::parse(&one.id).ok_or(Fault::Damaged)?;
                let person = store::openid::remove(change.transaction(), &link, now).await?.ok_or(Fault::Damaged)?;
                let event = Event::new("person.openid_disconnected", "person", person.as_str(), &one.name);
                events.push(event.with(details));
                continue;
            }
            (How::PasskeyRemoved, _) => {
                store::restore::remove_passkey(change.transaction(), &one.id, now).await?;
                "passkey.removed"
            }
            (How::AppRemoved, _) => {
                let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::second_factors::remove_app(change.transaction(), &person).await?;
                "second_factor.removed"
            }
            (How::AdministrationTaken, _) => {
                let person = PersonId::parse(&one.id).ok_or(Fault::Damaged)?;
                store::people::set_administrator(change.transaction(), &person, None).await?;
                "person.administrator_changed"
            }
            (How::RoleTaken(role), _) => {
                let (team, person) = one.id.split_once('/').ok_or(Fault::Damaged)?;
                let team = TeamId::parse(team).ok_or(Fault::Damaged)?;
                let person = PersonId::parse(person).ok_or(Fault::Damaged)?;
                match role {
                    Some(role) => store::teams::set_role(change.transaction(), &team, &person, *role, now).await?,
                    None => store::teams::remove_member(change.transaction(), &team, &person).await?,
                }
                let details = json!({ "restored": true, "person": person.as_str(), "role": role.map(Role::as_str) });
                events.push(Event::new("team.role_changed", "team", team.as_str(), &one.name).with(details));
                continue;
            }
            (_, None) => return Err(Fault::Damaged.into()),
        };
        let kind = match one.how {
            How::Revoked | How::Disabled | How::AuthenticatorRevoked(_) => "credential",
            How::PersonDisabled | How::OpenIdDisconnected | How::AppRemoved | How::AdministrationTaken => "person",
            How::RoleTaken(_) => "team",
            How::PasskeyRemoved => "passkey",
            How::ClientRemoved | How::DocumentRemoved | How::ClientSecretEnded => "client",
        };
        let target = one.client_id.as_ref().map_or(one.id.as_str(), ClientId::as_str);
        events.push(Event::new(action, kind, target, &one.name).with(details));
    }
    if end_again {
        // With the last factor go the codes that stood in for it.
        store::restore::remove_codes_of_nothing(change.transaction()).await?;
    }
    change.commit_all(actor, &events).await?;
    for algorithm in difference.dropped.iter().filter(|_| end_again) {
        let algorithm = TokenAlgorithm::parse(algorithm).ok_or(Fault::Damaged)?;
        rotation::rotate(context, actor, algorithm, Haste::Emergency).await?;
    }
    Ok(sessions)
}
