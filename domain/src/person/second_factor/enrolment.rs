//! Adding and removing second factors. The caller has asked the person for a fresh proof before.

use std::time::Duration;

use serde_json::json;

use crate::base::id::PersonId;
use crate::crypto::recovery_code::{RECOVERY_CODES, RecoveryCode};
use crate::crypto::totp::TotpSecret;
use crate::idempotency;
use crate::model::person::{Person, Recovery};
use crate::prelude::{Action, Actor, Change, Context, Fault, operation_error};
use crate::store::{self, StoreError};

/// How long a new app may wait for its first code.
const ENROLMENT_LIFETIME: Duration = Duration::from_secs(15 * 60);

operation_error! {
    /// Why a second factor was not added or removed.
    pub enum SecondFactorError {
        /// The code is not a present code of the app.
        #[error("the code is wrong")]
        WrongCode,
        /// The form does not come from a page that showed the secret.
        #[error("the secret was not shown to whoever sends this")]
        NotShown,
        /// The person has an app already.
        #[error("there is an authenticator app already")]
        Exists,
        /// There is no app that waits, or it has waited too long.
        #[error("there is no such second factor")]
        NotFound,
        /// The form was sent before. Its result is not shown again.
        #[error("the form was sent before")]
        AlreadySubmitted,
    }
}

type Result<T, E = SecondFactorError> = std::result::Result<T, E>;

/// Whether the person has an authenticator app, and how many recovery codes are left.
pub async fn find_recovery(context: &Context, person: &PersonId) -> Result<Recovery, Fault> {
    Ok(store::person::second_factor::recovery(&context.store, person).await?)
}

/// Generates the secret of an app. The app counts only after [`confirm_app`] has seen one of its codes. An earlier app
/// that still waits is forgotten.
pub async fn begin_app(context: &Context, actor: &Actor, person: &PersonId) -> Result<TotpSecret> {
    let secret = TotpSecret::generate(context.random.as_ref());
    let wrapped = secret.wrap(&context.keys.master, person, context.random.as_ref())?;
    let mut change = context.begin_change().await?;
    let now = change.now();
    if !store::person::second_factor::begin_app(&mut change, person, &wrapped, now).await? {
        return Err(SecondFactorError::Exists);
    }
    // The app does not count yet, so there is no audit entry.
    change.commit_all(actor, &[]).await?;
    Ok(secret)
}

/// The secret of the app that waits for its first code. After a wrong code the page shows the secret again, but only to
/// a browser that has seen it: `shown` is the value of [`shown_token`].
pub async fn unconfirmed_app(context: &Context, person: &PersonId, shown: &str) -> Result<TotpSecret> {
    let stored = store::person::second_factor::app(&context.store, person).await?;
    let secret = waiting(context, person, stored)?;
    require_shown(context, person, &secret, shown)?;
    Ok(secret)
}

fn waiting(
    context: &Context,
    person: &PersonId,
    stored: Option<store::person::second_factor::StoredApp>,
) -> Result<TotpSecret> {
    let stored = stored.ok_or(SecondFactorError::NotFound)?;
    if stored.confirmed_at.is_some() {
        return Err(SecondFactorError::Exists);
    }
    if context.now().since(stored.created_at) >= ENROLMENT_LIFETIME {
        return Err(SecondFactorError::NotFound);
    }
    Ok(TotpSecret::unwrap(&context.keys.master, person, &stored.wrapped)?)
}

/// The page that shows `secret` sends this token back with the first code. The token proves that the sender has seen
/// the page. This is needed because the secret was shown after a fresh proof that may be too old by now. Another open
/// session of the person has not seen the secret.
pub fn shown_token(context: &Context, person: &PersonId, secret: &TotpSecret) -> String {
    context.keys.forms.mac_parts(&shown_parts(person, &secret.to_base32()))
}

fn require_shown(context: &Context, person: &PersonId, secret: &TotpSecret, shown: &str) -> Result<()> {
    let is_shown = context.keys.forms.verify_parts(&shown_parts(person, &secret.to_base32()), shown);
    if is_shown { Ok(()) } else { Err(SecondFactorError::NotShown) }
}

fn shown_parts<'parts>(person: &'parts PersonId, secret: &'parts str) -> [&'parts str; 3] {
    ["authenticator app shown", person.as_str(), secret]
}

/// Confirms the app: it counts from now on, if `code` is one of its present codes and `shown` is the value of
/// [`shown_token`]. Returns the recovery codes that were made: none when the person has some already.
pub async fn confirm_app(
    context: &Context,
    actor: &Actor,
    person: &Person,
    shown: &str,
    code: &str,
    form_token: &str,
) -> Result<Vec<RecoveryCode>> {
    if idempotency::result_of(context, form_token).await?.is_some() {
        return Err(SecondFactorError::AlreadySubmitted);
    }
    let mut change = context.begin_change().await?;
    let stored = store::person::second_factor::app(&mut change, &person.id).await?;
    let secret = waiting(context, &person.id, stored)?;
    require_shown(context, &person.id, &secret, shown)?;
    let digits: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let now = change.now();
    let step = secret.step_of(&digits, now).ok_or(SecondFactorError::WrongCode)?;
    change.use_form_token(Some(form_token), person.id.as_str(), |_| Some(SecondFactorError::AlreadySubmitted)).await?;
    store::person::second_factor::confirm_app(&mut change, &person.id, step, now).await?;
    let codes = first_codes(&mut change, person).await?;
    let event = person.event(Action::SecondFactorAdded).with(json!({ "kind": "authenticator_app" }));
    change.commit(actor, &event).await?;
    Ok(codes)
}

/// Removes the authenticator app. With the last second factor the recovery codes are removed too.
pub async fn remove_app(context: &Context, actor: &Actor, person: &Person) -> Result<()> {
    let mut change = context.begin_change().await?;
    if !store::person::second_factor::remove_app(&mut change, &person.id).await? {
        return Err(SecondFactorError::NotFound);
    }
    forget_codes_of_nothing(&mut change, person).await?;
    let event = person.event(Action::SecondFactorRemoved).with(json!({ "kind": "authenticator_app" }));
    Ok(change.commit(actor, &event).await?)
}

/// Replaces the recovery codes. The old codes no longer work.
pub async fn replace_recovery_codes(
    context: &Context,
    actor: &Actor,
    person: &Person,
    form_token: &str,
) -> Result<Vec<RecoveryCode>> {
    let mut change = context.begin_change().await?;
    change.use_form_token(Some(form_token), person.id.as_str(), |_| Some(SecondFactorError::AlreadySubmitted)).await?;
    if !has_factor(&mut change, person).await? {
        return Err(SecondFactorError::NotFound);
    }
    let codes = new_codes(&mut change, person).await?;
    change.commit(actor, &person.event(Action::RecoveryCodesReplaced)).await?;
    Ok(codes)
}

/// Removes all second factors of the person, inside a change by an actor with the right to do so. Returns whether there
/// were any.
pub(crate) async fn remove_everything(change: &mut Change<'_>, person: &PersonId) -> Result<bool, StoreError> {
    let app = store::person::second_factor::remove_app(change, person).await?;
    let now = change.now();
    let passkeys = store::person::passkey::remove(change, person, None, now).await?;
    store::person::second_factor::remove_recovery_codes(change, person).await?;
    store::person::second_factor::remove_pending(change, person).await?;
    Ok(app || passkeys > 0)
}

async fn has_factor(change: &mut Change<'_>, person: &Person) -> Result<bool, StoreError> {
    let now = store::person::find(change, &person.id).await?;
    Ok(now.is_some_and(|person| person.factors.any()))
}

/// Removes the recovery codes of a person whose last second factor was removed.
pub(crate) async fn forget_codes_of_nothing(change: &mut Change<'_>, person: &Person) -> Result<(), StoreError> {
    if !has_factor(change, person).await? {
        store::person::second_factor::remove_recovery_codes(change, &person.id).await?;
    }
    Ok(())
}

/// Generates recovery codes for a person who has none left, in the change that adds a second factor.
pub(crate) async fn first_codes(change: &mut Change<'_>, person: &Person) -> Result<Vec<RecoveryCode>, StoreError> {
    if store::person::second_factor::codes_left(change, &person.id).await? > 0 {
        return Ok(Vec::new());
    }
    new_codes(change, person).await
}

async fn new_codes(change: &mut Change<'_>, person: &Person) -> Result<Vec<RecoveryCode>, StoreError> {
    let context = change.context();
    let codes: Vec<RecoveryCode> =
        (0..RECOVERY_CODES).map(|_| RecoveryCode::generate(context.random.as_ref())).collect();
    store::person::second_factor::remove_recovery_codes(change, &person.id).await?;
    for code in &codes {
        let hash = code.hash(&context.keys.forms, &person.id);
        store::person::second_factor::insert_recovery_code(change, &person.id, &hash).await?;
    }
    Ok(codes)
}
