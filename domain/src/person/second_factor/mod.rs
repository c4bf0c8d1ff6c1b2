//! Second factors, which people have besides their password: an authenticator app, passkeys
//! ([`crate::person::passkey`]), and recovery codes in case these are lost.
//!
//! A code is used up in the transaction of the action that it allows, by a conditional UPDATE. When two requests bring
//! the same code, one succeeds, even when two servers handle them.

pub mod enrolment;

pub use self::enrolment::{
    SecondFactorError, begin_app, confirm_app, find_recovery, remove_app, replace_recovery_codes, shown_token,
    unconfirmed_app,
};
pub(crate) use self::enrolment::{first_codes, forget_codes_of_nothing, remove_everything};

use crate::base::word_enum::word_enum;
use crate::crypto::recovery_code::RecoveryCode;
use crate::crypto::totp::{self, TotpSecret};
use crate::model::person::Person;
use crate::prelude::{Action, Change, Event, Fault};
use crate::store;

word_enum! {
    /// The second factor that a person used.
    pub enum Means {
        /// A code of the authenticator app.
        App = "authenticator_app",
        /// A recovery code, used up now.
        RecoveryCode = "recovery_code",
        /// A passkey.
        Passkey = "passkey",
    }
}

impl Means {
    /// The audit event for the use itself, in addition to the event of the action.
    pub(crate) fn event(self, person: &Person) -> Option<Event> {
        (self == Self::RecoveryCode).then(|| person.event(Action::RecoveryCodeUsed))
    }
}

/// Whether the text has the form of a recovery code.
pub(crate) fn is_recovery_code(typed: &str) -> bool {
    RecoveryCode::parse(typed).is_some()
}

/// Uses up the code that a person typed: a code of the app or a recovery code. [`None`]: the code is neither, or was
/// used before.
pub(crate) async fn use_code(change: &mut Change<'_>, person: &Person, typed: &str) -> Result<Option<Means>, Fault> {
    let (context, now) = (change.context(), change.now());
    // Apps show codes in two groups.
    let digits: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
    if digits.len() == totp::DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let stored = store::person::second_factor::app(&mut *change, &person.id).await?;
        let Some(stored) = stored.filter(|app| app.confirmed_at.is_some()) else { return Ok(None) };
        let secret = TotpSecret::unwrap(&context.keys.master, &person.id, &stored.wrapped)?;
        let Some(step) = secret.step_of(&digits, now) else { return Ok(None) };
        let used = store::person::second_factor::use_step(change, &person.id, step).await?;
        return Ok(used.then_some(Means::App));
    }
    let Some(code) = RecoveryCode::parse(typed) else { return Ok(None) };
    let hash = code.hash(&context.keys.forms, &person.id);
    let used = store::person::second_factor::use_recovery_code(change, &person.id, &hash, now).await?;
    Ok(used.then_some(Means::RecoveryCode))
}
