//! Rotation: a second secret or key works beside the first, and the first gets a deadline. While both work, people move
//! the program to the new one; the last use of each shows when the move is done. Then the rotation is finished,
//! extended or cancelled, or the deadline passes.

pub mod second;

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::id::{AuthenticatorId, ClientId, KeyId, SecretId};
use crate::credential::generate::{self, Generated};
use crate::credential::{CredentialError, Outcome, Result, begin_for, begin_with, keys, sent_before, update_ends};
use crate::model::credential::draft::{DEFAULT_EXPIRY, Expiry, check_expiry};
use crate::model::credential::key::{ClientKey, KeysDraft};
use crate::model::credential::{AuthMethod, AuthenticatorEnd, ClientSecret, Credential};
use crate::model::person::authority::Role;
use crate::prelude::{Action, Actor, AtField, Change, Context, Event, FieldError, Timestamp};
use crate::store;
use crate::store::credential::authenticators;

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
    fn deadline(self, now: Timestamp) -> Result<Option<Timestamp>> {
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

/// A secret or key that works, inside a change.
struct Live {
    id: AuthenticatorId,
    created_at: Timestamp,
    end: AuthenticatorEnd,
}

async fn live(change: &mut Change<'_>, credential: &Credential) -> Result<Vec<Live>> {
    let now = change.now();
    let all = all(change, credential).await?;
    Ok(all.into_iter().filter(|one| one.end.is_live(now)).collect())
}

/// All secrets or keys, also what has ended.
async fn all(change: &mut Change<'_>, credential: &Credential) -> Result<Vec<Live>> {
    let id = &credential.client_id;
    Ok(match credential.auth_method {
        AuthMethod::ClientSecret => {
            let secrets = store::credential::secrets(&mut *change, id).await?.into_iter();
            let live = |secret: ClientSecret| Live {
                created_at: secret.created_at,
                end: secret.end(),
                id: AuthenticatorId::Secret(secret.id),
            };
            secrets.map(live).collect()
        }
        AuthMethod::PrivateKeyJwt => {
            let keys = authenticators::keys(change, id).await?.into_iter();
            let live =
                |key: ClientKey| Live { created_at: key.created_at, end: key.end(), id: AuthenticatorId::Key(key.id) };
            keys.map(live).collect()
        }
        AuthMethod::Federated => return Err(CredentialError::OtherMethod),
    })
}

/// The secrets or keys that a rotation replaces: the one with the identifier `replaced`, or all of `present`.
///
/// # Errors
///
/// [`CredentialError::RotationUnderWay`] when some are being replaced already, [`CredentialError::Invalid`] when
/// `replaced` does not work or is being replaced.
fn to_replace(present: Vec<Live>, replaced: Option<&str>) -> Result<Vec<Live>> {
    // A retiring secret or key may be the only one, because its successor has ended. Then it is replaced once more.
    let retiring = present.iter().filter(|one| one.end.retires_at.is_some()).count();
    if retiring > 0 && retiring < present.len() {
        return Err(CredentialError::RotationUnderWay);
    }
    let Some(replaced) = replaced else { return Ok(present) };
    let one: Vec<Live> = present.into_iter().filter(|one| one.id.as_str() == replaced).collect();
    if one.is_empty() {
        return Err(FieldError::new("replaced", "Choose one of the list: it may have ended since.").into());
    }
    Ok(one)
}

/// Gives the replaced secrets or keys their deadline, or ends them. Returns the moment until which one of them works.
async fn retire(change: &mut Change<'_>, old: &[Live], deadline: Option<Timestamp>) -> Result<Option<Timestamp>> {
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
async fn retire_at(change: &mut Change<'_>, one: &Live, deadline: Timestamp) -> Result<Timestamp> {
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
    let expiry = expiry.unwrap_or_else(|| model.map_or_else(Expiry::default, like));
    let expires_at = check_expiry(expiry, now).at("expiry")?;
    let old = to_replace(live(&mut change, &credential).await?, replaced.map(SecretId::as_str))?;
    credential.rotation_ends_at = retire(&mut change, &old, deadline).await?;
    let (id, secret) = generate::add_secret(&mut change, actor, client_id, expires_at).await?;
    update_ends(&mut change, &credential).await?;
    change.commit(actor, &started(&credential, &old, deadline, &[id.as_str()])).await?;

    generate::with_secret(context, credential, secret, expires_at).await
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
    let old = to_replace(live(&mut change, &credential).await?, replaced.map(KeyId::as_str))?;
    let added = keys::insert(&mut change, actor, client_id, checked, expires_at).await?;
    retire(&mut change, &old, deadline).await?;
    update_ends(&mut change, &credential).await?;
    let ids: Vec<&str> = added.iter().map(|key| key.id.as_str()).collect();
    change.commit(actor, &started(&credential, &old, deadline, &ids)).await?;
    Ok(added.into_iter().map(|key| key.id).collect())
}

fn started(credential: &Credential, old: &[Live], deadline: Option<Timestamp>, new: &[&str]) -> Event {
    credential.event(Action::CredentialRotationStarted).with(json!({
        "old": old.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        "old_works_until": deadline.map_or_else(|| "now".to_owned(), Timestamp::rfc3339),
        "new": new,
    }))
}

/// A rotation that is under way, in a change that has begun.
struct UnderWay<'context> {
    change: Change<'context>,
    credential: Credential,
    old: Vec<Live>,
    new: Vec<Live>,
}

impl<'context> UnderWay<'context> {
    /// Begins the change. `None` when no rotation is under way.
    async fn begin(context: &'context Context, actor: &Actor, client_id: &ClientId) -> Result<Option<Self>> {
        let (mut change, credential) = begin_for(context, actor, client_id, Role::Member).await?;
        let all = all(&mut change, &credential).await?;
        // During a rotation nothing can be added. So the rotation brought the newest, even if that has ended since.
        let newest = all.iter().filter(|one| one.end.retires_at.is_none()).map(|one| one.created_at).max();
        let now = change.now();
        let live = all.into_iter().filter(|one| one.end.is_live(now));
        let (old, mut new): (Vec<_>, Vec<_>) = live.partition(|one| one.end.retires_at.is_some());
        new.retain(|one| Some(one.created_at) == newest);
        Ok((!old.is_empty()).then_some(Self { change, credential, old, new }))
    }

    /// Commits the change with the event of this action.
    async fn commit(mut self, actor: &Actor, action: Action, details: Value) -> Result<Outcome> {
        update_ends(&mut self.change, &self.credential).await?;
        Outcome::committed(self.change, actor, self.credential.event(action).with(details)).await
    }
}

/// Gives the old secret or key another deadline, earlier or later, but never past its own expiry.
pub async fn extend(context: &Context, actor: &Actor, client_id: &ClientId, overlap: Overlap) -> Result<Outcome> {
    let Some(deadline) = overlap.deadline(context.now())? else {
        return finish(context, actor, client_id).await;
    };
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    for one in &rotation.old {
        retire_at(&mut rotation.change, one, deadline).await?;
    }
    let details = json!({ "until": deadline.rfc3339() });
    rotation.commit(actor, Action::CredentialRotationExtended, details).await
}

/// Ends the old secret or key now, and the tokens that it made.
pub async fn finish(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    if rotation.new.is_empty() {
        let message = "The new secret or key does not work, so nothing would be left. Cancel, or rotate again.";
        return Err(FieldError::new("step", message).into());
    }
    let ended = end_all(&mut rotation.change, &rotation.old).await?;
    rotation.commit(actor, Action::CredentialRotationFinished, json!({ "ended": ended })).await
}

/// Ends the new secret or key, and the tokens that it made. The old one still works.
pub async fn cancel(context: &Context, actor: &Actor, client_id: &ClientId) -> Result<Outcome> {
    let begun = UnderWay::begin(context, actor, client_id).await?;
    let Some(mut rotation) = begun else { return Ok(Outcome::Unchanged) };
    let ended = end_all(&mut rotation.change, &rotation.new).await?;
    for one in &rotation.old {
        authenticators::retire(&mut rotation.change, &one.id, None).await?;
    }
    rotation.commit(actor, Action::CredentialRotationCancelled, json!({ "ended": ended })).await
}

async fn end_all(change: &mut Change<'_>, all: &[Live]) -> Result<Vec<String>> {
    let now = change.now();
    for one in all {
        authenticators::end(change, &one.id, now).await?;
    }
    Ok(all.iter().map(|one| one.id.as_str().to_owned()).collect())
}
