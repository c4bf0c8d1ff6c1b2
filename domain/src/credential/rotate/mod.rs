//! Rotation: a second secret or key works beside the first, and the first gets a deadline. While both work, people move
//! the program to the new one; the last use of each shows when the move is done. Then the rotation is finished,
//! extended or cancelled, or the deadline passes.

pub mod second;
mod sides;
pub(in crate::credential) mod under_way;

use std::time::Duration;

use serde_json::json;

use crate::base::id::{ClientId, KeyId, SecretId};
use crate::credential::generate::{self, Generated};
use crate::credential::{CredentialError, Result, begin_with, check_life, keys, sent_before, update_ends};
use crate::model::credential::draft::{DEFAULT_EXPIRY, Expiry, check_expiry};
use crate::model::credential::key::KeysDraft;
use crate::model::credential::{AuthMethod, ClientSecret, Credential};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, AtField, Change, Context, Event, FieldError, Timestamp};
use crate::store;
use crate::store::credential::authenticators;

pub use self::sides::{Progress, Side, Sides, sides};
pub use self::under_way::{cancel, extend, finish};

/// The longest overlap.
pub(crate) const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long the old secret or key still works beside the new one. The expiry of the old one may come first.
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
    pub(in crate::credential) fn deadline(self, now: Timestamp) -> Result<Option<Timestamp>> {
        let invalid = |message: &str| Err(FieldError::new("overlap", message).into());
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

/// The secrets or keys that work, inside a change.
async fn live(change: &mut Change<'_>, credential: &Credential) -> Result<Vec<Side>> {
    let now = change.now();
    let all = sides::all(change, credential).await?;
    Ok(all.into_iter().filter(|side| side.end.is_live(now)).collect())
}

/// The secrets or keys that a rotation replaces: the one with the identifier `replaced`, or all of `present`.
///
/// # Errors
///
/// [`CredentialError::RotationUnderWay`] when some are being replaced already, [`CredentialError::Invalid`] when
/// `replaced` does not work or is being replaced.
fn to_replace(present: Vec<Side>, replaced: Option<&str>) -> Result<Vec<Side>> {
    // A retiring secret or key may be the only one, because its successor has ended. Then it is replaced once more.
    let retiring = present.iter().filter(|one| one.end.retires_at.is_some()).count();
    if retiring > 0 && retiring < present.len() {
        return Err(CredentialError::RotationUnderWay);
    }
    let Some(replaced) = replaced else { return Ok(present) };
    let one: Vec<Side> = present.into_iter().filter(|one| one.id.as_str() == replaced).collect();
    if one.is_empty() {
        return Err(FieldError::new("replaced", "Choose one of the list: it may have ended since.").into());
    }
    Ok(one)
}

/// Gives the replaced secrets or keys their deadline, or ends them. Returns the moment until which one of them works.
async fn retire(change: &mut Change<'_>, old: &[Side], deadline: Option<Timestamp>) -> Result<Option<Timestamp>> {
    let now = change.now();
    let mut latest = None;
    for one in old {
        match deadline {
            Some(deadline) => latest = latest.max(Some(retire_at(change, one, deadline).await?)),
            None => authenticators::end(change, &one.id, now).await?,
        }
    }
    Ok(latest)
}

/// Gives a secret or key its deadline, but never past its own expiry. Returns the moment until which it works.
async fn retire_at(change: &mut Change<'_>, one: &Side, deadline: Timestamp) -> Result<Timestamp> {
    let retires_at = one.end.expires_at.map_or(deadline, |end| end.min(deadline));
    authenticators::retire(change, &one.id, Some(retires_at)).await?;
    Ok(retires_at)
}

/// Generates a new secret in place of all present ones, which still work for `overlap`. Without an `expiry`, the new
/// secret gets a life of the same length as the present one.
///
/// `form_token` is as for [`generate::generate`].
pub async fn secret(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    overlap: Overlap,
    expiry: Option<Expiry>,
    form_token: Option<&str>,
) -> Result<Generated> {
    secret_instead_of(context, actor, client_id, None, overlap, expiry, form_token).await
}

/// The same in place of one secret, `replaced`. A second secret stays as it is: another program may use it.
pub async fn secret_instead_of(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    replaced: Option<&SecretId>,
    overlap: Overlap,
    expiry: Option<Expiry>,
    form_token: Option<&str>,
) -> Result<Generated> {
    let now = context.now();
    let deadline = overlap.deadline(now)?;
    let (mut change, mut credential) =
        begin_with(context, actor, client_id, AuthMethod::ClientSecret, Role::Member).await?;
    change.use_form_token(form_token, client_id.as_str(), sent_before).await?;
    let secrets = store::credential::secrets(&mut change, client_id).await?;
    let model = secrets.iter().find(|secret| replaced.is_none_or(|replaced| secret.id == *replaced));
    let policies = store::operations::policy::all(&mut change).await?;
    let usual = || policies.within(AuthMethod::ClientSecret, model.map_or_else(Expiry::default, like));
    let expires_at = check_expiry(expiry.unwrap_or_else(usual), now).at("expiry")?;
    policies.check_life(AuthMethod::ClientSecret, now, expires_at)?;
    let old = to_replace(live(&mut change, &credential).await?, replaced.map(SecretId::as_str))?;
    credential.rotation_ends_at = retire(&mut change, &old, deadline).await?;
    let (id, secret) = generate::add_secret(&mut change, actor, client_id, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    change.commit(actor, &started(&credential, &old, deadline, &[id.as_str()])).await?;

    generate::with_secret(context, credential, secret, expires_at).await
}

/// When a secret would expire that a rotation makes now; `None`: never.
///
/// # Errors
///
/// The database does not answer.
pub async fn next_expiry(context: &Context, credential: &Credential) -> Result<Option<Timestamp>> {
    let secrets = store::credential::secrets(&context.store, &credential.client_id).await?;
    let policies = store::operations::policy::all(&context.store).await?;
    let expiry = policies.within(AuthMethod::ClientSecret, secrets.first().map_or_else(Expiry::default, like));
    Ok(check_expiry(expiry, context.now()).at("expiry")?)
}

/// An expiry as far from now as the expiry of this secret was from its creation.
fn like(secret: &ClientSecret) -> Expiry {
    match secret.expires_at {
        Some(end) => Expiry::After(end.since(secret.created_at).max(Duration::from_secs(60)).min(DEFAULT_EXPIRY * 40)),
        None => Expiry::Never,
    }
}

/// Adds keys that replace the key `replaced`, or all working ones. The old keys still work for `overlap`.
pub async fn key(
    context: &Context,
    actor: &Actor,
    client_id: &ClientId,
    draft: &KeysDraft,
    replaced: Option<&KeyId>,
    overlap: Overlap,
    expiry: Expiry,
) -> Result<Vec<KeyId>> {
    let checked = draft.check()?;
    let now = context.now();
    let deadline = overlap.deadline(now)?;
    let expires_at = check_expiry(expiry, now).at("expiry")?;
    let (mut change, credential) =
        begin_with(context, actor, client_id, AuthMethod::PrivateKeyJwt, Role::Member).await?;
    if credential.keys_at.is_some() {
        return Err(FieldError::new("public_key", keys::PUBLISHES).into());
    }
    check_life(&mut change, &credential, expires_at).await?;
    let old = to_replace(live(&mut change, &credential).await?, replaced.map(KeyId::as_str))?;
    let added = keys::insert(&mut change, actor, client_id, checked, expires_at).await?;
    retire(&mut change, &old, deadline).await?;
    update_ends(&mut change, &credential).await?;
    let ids: Vec<&str> = added.iter().map(|key| key.id.as_str()).collect();
    change.commit(actor, &started(&credential, &old, deadline, &ids)).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

fn started(credential: &Credential, old: &[Side], deadline: Option<Timestamp>, new: &[&str]) -> Event {
    credential.event(Action::CredentialRotationStarted).with(json!({
        "old": old.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        "old_works_until": deadline.map_or_else(|| "now".to_owned(), Timestamp::rfc3339),
        "new": new,
    }))
}
