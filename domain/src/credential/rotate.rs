//! Rotation: a second secret or key works beside the first, and the first gets a deadline. While both work, people move
//! the program to the new one; the last use of each shows when the move is done. Then the rotation is finished,
//! extended or cancelled, or the deadline passes.

use std::time::Duration;

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::base::id::{AuthenticatorId, ClientId, KeyId};
use crate::change::Change;
use crate::context::Context;
use crate::credential::generate::{self, Generated};
use crate::credential::keys;
use crate::credential::{CredentialError, Outcome, find_changeable, find_for, update_ends};
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::credential::draft::{DEFAULT_EXPIRY, Expiry, check_expiry};
use crate::model::credential::key::KeysDraft;
use crate::model::credential::{AuthMethod, AuthenticatorEnd, ClientSecret, Credential};
use crate::model::field_error::FieldError;
use crate::model::person::authority::Role;
use crate::store;

/// The longest overlap.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long the old secret or key goes on working beside the new one. The expiry of the old one may come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// No overlap: the old one ends with the change, and so do the tokens that it made.
    Nothing,
    /// The old one works for this long.
    For(Duration),
    /// The old one works until this moment.
    Until(Timestamp),
}

impl Default for Overlap {
    fn default() -> Self {
        Self::For(Duration::from_secs(24 * 3600))
    }
}

impl Overlap {
    /// The deadline; `None` when there is no overlap.
    fn deadline(self, now: Timestamp) -> Result<Option<Timestamp>, CredentialError> {
        let invalid = |message| Err(CredentialError::Invalid(vec![FieldError::new("overlap", message)]));
        let latest = now.plus(LONGEST_OVERLAP);
        match self {
            Self::Nothing => Ok(None),
            Self::For(duration) if duration.is_zero() => Ok(None),
            Self::For(duration) if duration <= LONGEST_OVERLAP => Ok(Some(now.plus(duration))),
            Self::Until(moment) if moment > now && moment <= latest => Ok(Some(moment)),
            Self::Until(moment) if moment <= now => invalid("Choose a day in the future."),
            Self::For(_) | Self::Until(_) => invalid("Choose at most 90 days."),
        }
    }
}

/// A secret or key that works, inside a change.
struct Live {
    id: AuthenticatorId,
    end: AuthenticatorEnd,
}

async fn live(change: &mut Change<'_>, credential: &Credential) -> Result<Vec<Live>, CredentialError> {
    let (now, id) = (change.now(), &credential.client_id);
    let all: Vec<Live> = match credential.auth_method {
        AuthMethod::ClientSecret => store::credential::secrets(change.transaction(), id)
            .await?
            .into_iter()
            .map(|secret| Live { end: secret.end(), id: AuthenticatorId::Secret(secret.id) })
            .collect(),
        AuthMethod::PrivateKeyJwt => store::credential::authenticators::keys(change.transaction(), id)
            .await?
            .into_iter()
            .map(|key| Live { end: key.end(), id: AuthenticatorId::Key(key.id) })
            .collect(),
        AuthMethod::Federated => return Err(CredentialError::OtherMethod),
    };
    Ok(all.into_iter().filter(|one| one.end.is_live(now)).collect())
}

/// Gives the present secrets or keys their deadline, or ends them. Returns the moment until which one of them works.
async fn retire(
    change: &mut Change<'_>,
    present: &[Live],
    deadline: Option<Timestamp>,
) -> Result<Option<Timestamp>, CredentialError> {
    let now = change.now();
    // A retiring secret or key may be the only one, because its successor has ended. Then it is replaced once more.
    let retiring = present.iter().filter(|one| one.end.retires_at.is_some()).count();
    if retiring > 0 && retiring < present.len() {
        return Err(CredentialError::RotationUnderWay);
    }
    let mut latest = None;
    for one in present {
        match deadline {
            Some(deadline) => {
                let retires_at = one.end.expires_at.map_or(deadline, |end| end.min(deadline));
                store::credential::authenticators::retire(change.transaction(), &one.id, Some(retires_at)).await?;
                latest = latest.max(Some(retires_at));
            }
            None => store::credential::authenticators::end(change.transaction(), &one.id, now).await?,
        }
    }
    Ok(latest)
}

/// Generates a second secret. The present one goes on working for `overlap`; at most two work at a time. Without an
/// `expiry`, the new secret gets a life of the same length as the present one.
///
/// `form_token` is as for [`generate::generate`].
pub async fn secret(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    overlap: Overlap,
    expiry: Option<Expiry>,
    form_token: Option<&str>,
) -> Result<Generated, CredentialError> {
    let now = context.now();
    let deadline = overlap.deadline(now)?;
    let mut change = context.begin_change().await?;
    let mut credential = find_changeable(&mut change, actor, client_id, AuthMethod::ClientSecret, Role::Member).await?;
    generate::use_form_token(&mut change, form_token, client_id).await?;
    let secrets = store::credential::secrets(change.transaction(), client_id).await?;
    let expiry = expiry.unwrap_or_else(|| secrets.first().map_or_else(Expiry::default, like));
    let expires_at = check_expiry(expiry, now)
        .map_err(|message| CredentialError::Invalid(vec![FieldError::new("expiry", message)]))?;
    let present = live(&mut change, &credential).await?;
    credential.rotation_ends_at = retire(&mut change, &present, deadline).await?;
    let (id, secret) = generate::add_secret(context, &mut change, actor, client_id, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    let event = started(&credential, &present, deadline, &[id.as_str()]);
    change.commit(actor, &event).await?;

    let servers = store::server::list(&context.store).await?;
    let server = servers.into_iter().find(|server| credential.servers.first() == Some(&server.id));
    // A credential has at least one server, and servers are not removed.
    let server = server.ok_or(CredentialError::NotFound)?;
    Ok(Generated { credential, secret: Some(secret), expires_at, server })
}

/// An expiry as far from now as the expiry of this secret was from its creation.
fn like(secret: &ClientSecret) -> Expiry {
    match secret.expires_at {
        Some(end) => Expiry::After(end.since(secret.created_at).max(Duration::from_secs(60)).min(DEFAULT_EXPIRY * 40)),
        None => Expiry::Never,
    }
}

/// Adds keys that replace the working ones. The old keys go on working for `overlap`.
pub async fn key(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &KeysDraft,
    overlap: Overlap,
    expiry: Expiry,
) -> Result<Vec<KeyId>, CredentialError> {
    let checked = draft.check().map_err(CredentialError::Invalid)?;
    let now = context.now();
    let deadline = overlap.deadline(now)?;
    let expires_at = check_expiry(expiry, now)
        .map_err(|message| CredentialError::Invalid(vec![FieldError::new("expiry", message)]))?;
    let mut change = context.begin_change().await?;
    let credential = find_changeable(&mut change, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Member).await?;
    let present = live(&mut change, &credential).await?;
    let added = keys::insert(context, &mut change, actor, client_id, checked, expires_at).await?;
    retire(&mut change, &present, deadline).await?;
    update_ends(&mut change, &credential).await?;
    let ids: Vec<&str> = added.iter().map(|key| key.id.as_str()).collect();
    let event = started(&credential, &present, deadline, &ids);
    change.commit(actor, &event).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

fn started(credential: &Credential, old: &[Live], deadline: Option<Timestamp>, new: &[&str]) -> Event {
    event(Action::CredentialRotationStarted, credential).with(json!({
        "old": old.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        "old_works_until": deadline.map_or_else(|| "now".to_owned(), Timestamp::rfc3339),
        "new": new,
    }))
}

fn event(action: Action, credential: &Credential) -> Event {
    Event::new(action, Target::Credential, credential.client_id.as_str(), &credential.name)
}

/// Begins a change of a rotation that is under way. Returns the credential, the old secrets or keys, and the new ones.
async fn under_way(
    change: &mut Change<'_>,
    actor: &Actor,
    client_id: &ClientId,
) -> Result<Option<(Credential, Vec<Live>, Vec<Live>)>, CredentialError> {
    let credential = find_for(change, actor, client_id, Role::Member).await?;
    if credential.revoked_at.is_some() {
        return Err(CredentialError::Revoked);
    }
    let (old, new): (Vec<_>, Vec<_>) =
        live(change, &credential).await?.into_iter().partition(|one| one.end.retires_at.is_some());
    Ok((!old.is_empty()).then_some((credential, old, new)))
}

/// Gives the old secret or key another deadline, earlier or later, but never past its own expiry.
pub async fn extend(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    overlap: Overlap,
) -> Result<Outcome, CredentialError> {
    let Some(deadline) = overlap.deadline(context.now())? else {
        return finish(context, actor, client_id).await;
    };
    let mut change = context.begin_change().await?;
    let Some((credential, old, _)) = under_way(&mut change, actor, client_id).await? else {
        return Ok(Outcome::Unchanged);
    };
    for one in &old {
        let retires_at = one.end.expires_at.map_or(deadline, |end| end.min(deadline));
        store::credential::authenticators::retire(change.transaction(), &one.id, Some(retires_at)).await?;
    }
    update_ends(&mut change, &credential).await?;
    let event = event(Action::CredentialRotationExtended, &credential).with(json!({ "until": deadline.rfc3339() }));
    Ok(Outcome::Changed(change.commit(actor, &event).await?))
}

/// Ends the old secret or key now, and the tokens that it made.
pub async fn finish(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome, CredentialError> {
    let mut change = context.begin_change().await?;
    let Some((credential, old, new)) = under_way(&mut change, actor, client_id).await? else {
        return Ok(Outcome::Unchanged);
    };
    if new.is_empty() {
        let message = "The new one does not work any more: nothing would be left. Cancel, or rotate again.";
        return Err(CredentialError::Invalid(vec![FieldError::new("step", message)]));
    }
    let ended = end_all(&mut change, &old).await?;
    update_ends(&mut change, &credential).await?;
    let event = event(Action::CredentialRotationFinished, &credential).with(json!({ "ended": ended }));
    Ok(Outcome::Changed(change.commit(actor, &event).await?))
}

/// Ends the new secret or key, and the tokens that it made. The old one goes on as before.
pub async fn cancel(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome, CredentialError> {
    let mut change = context.begin_change().await?;
    let Some((credential, old, new)) = under_way(&mut change, actor, client_id).await? else {
        return Ok(Outcome::Unchanged);
    };
    let ended = end_all(&mut change, &new).await?;
    for one in &old {
        store::credential::authenticators::retire(change.transaction(), &one.id, None).await?;
    }
    update_ends(&mut change, &credential).await?;
    let event = event(Action::CredentialRotationCancelled, &credential).with(json!({ "ended": ended }));
    Ok(Outcome::Changed(change.commit(actor, &event).await?))
}

async fn end_all(change: &mut Change<'_>, all: &[Live]) -> Result<Vec<String>, CredentialError> {
    let now = change.now();
    for one in all {
        store::credential::authenticators::end(change.transaction(), &one.id, now).await?;
    }
    Ok(all.iter().map(|one| one.id.as_str().to_owned()).collect())
}
