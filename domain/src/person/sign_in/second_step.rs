//! The second step of a sign-in: after the right password, a code or a passkey.
//!
//! Between the two steps there is no session, only a row. The row waits five minutes for the browser that holds its
//! token.
//!
//! Wrong codes are counted like wrong passwords. A browser in which the person has shown a second factor before has a
//! separate count. It is not enough that the password was shown there: an attacker who knew the password before there
//! was a second factor would have one count for each of their sign-ins.
//!
//! Six digits are few, so there is also a count for a day. A stranger who knows the password can use up that count only
//! for strangers. Recovery codes and passkeys cannot be guessed: wrong codes of another person never block them.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::base::digest;
use crate::base::encoding::base62;
use crate::model::person::Person;
use crate::person::passkey::{self, ChallengePurpose, PasskeyAnswer};
use crate::person::second_factor::{self, Means};
use crate::person::sign_in::{
    Bucket, BucketKind, Result, ShownFactor, SignInError, buckets_of_the_unguessable, count, forgive, has_shown,
    of_address, of_device, started,
};
use crate::prelude::{Action, Actor, Context, Fault};
use crate::store;
use crate::store::person::second_factor::PendingSignIn;

/// How long the second step may take.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Wrong codes for an account from unknown browsers within fifteen minutes.
pub const CODE_LIMIT: i64 = 10;
/// Wrong codes for an account within a day: from unknown browsers, and the same number again from known browsers and
/// sessions. Three codes are right at a time. So an attacker who knows only the password and guesses every day needs
/// about twelve years for a 50 % chance.
pub const DAILY_CODE_LIMIT: i64 = 50;
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A sign-in that waits for its second step.
#[derive(Debug)]
pub struct Waiting {
    /// The person whose password was right.
    pub person: Person,
    /// Where the person wants to go.
    pub next: String,
}

/// A request for the second step.
#[derive(Debug)]
pub struct SecondStepAttempt {
    /// The token that [`super::sign_in`] gave this browser.
    pub token: String,
    /// The proof of the second factor.
    pub proof: SecondStepProof,
    /// The source address.
    pub address: Option<IpAddr>,
    /// The browser's user agent.
    pub agent: Option<String>,
    /// The device token of an earlier sign-in from this browser.
    pub device: Option<String>,
}

/// The proof that the request comes from the person, who knows the password.
#[derive(Debug)]
pub enum SecondStepProof {
    /// A code of the app or a recovery code, as it was typed.
    Code(String),
    /// A passkey, for a challenge of [`ChallengePurpose::SecondStep`].
    Passkey(PasskeyAnswer),
}

/// Records that the password was right. The person can read this entry: a sign-in that stops here may come from a
/// stolen password. Returns the token with which the browser goes on.
pub(crate) async fn begin(
    context: &Context,
    buckets: &[Bucket],
    person: &Person,
    actor: &Actor,
    next: String,
) -> Result<String> {
    let token = base62::random(context.random.as_ref(), 43);
    let pending = PendingSignIn { person: person.id.clone(), next };
    let mut change = context.begin_change().await?;
    let (hash, expires_at) = (digest::sha256(token.as_bytes()), change.now().plus(LIFETIME));
    let password_of = person.password_changed_at;
    forgive(&mut change, buckets).await?;
    store::person::second_factor::insert_pending(&mut change, &hash, &pending, password_of, expires_at).await?;
    change.commit(actor, &person.event(Action::SessionSecondStepAsked)).await?;
    Ok(token)
}

/// The sign-in that waits for this browser. [`None`]: there is none, or it has expired.
pub async fn find(context: &Context, token: &str) -> Result<Option<Waiting>, Fault> {
    let hash = digest::sha256(token.as_bytes());
    let found = store::person::second_factor::find_pending(&context.store, &hash, context.now()).await?;
    let Some(pending) = found else { return Ok(None) };
    let person = store::person::find(&context.store, &pending.person).await?;
    Ok(person.map(|person| Waiting { person, next: pending.next }))
}

/// Finishes the second step. Returns who is signed in now, and where they want to go.
///
/// # Errors
///
/// [`SignInError::TooLate`] when the sign-in has to begin again, [`SignInError::WrongCode`] or
/// [`SignInError::WrongPasskey`] when the person may try again.
pub async fn finish(context: &Context, step: SecondStepAttempt) -> Result<Waiting> {
    let waiting = find(context, &step.token).await?.ok_or(SignInError::TooLate)?;
    let person = &waiting.person;
    let buckets = buckets(context, &step, person);
    count(context, &buckets).await?;

    let proved = match &step.proof {
        SecondStepProof::Code(code) => {
            let mut change = context.begin_change().await?;
            second_factor::use_code(&mut change, person, code).await?.map(|means| (change, means))
        }
        SecondStepProof::Passkey(answer) => {
            passkey::begin_proved(context, ChallengePurpose::SecondStep, &person.id, answer)
                .await?
                .map(|change| (change, Means::Passkey))
        }
    };
    let Some((mut change, means)) = proved else {
        let (reason, error) = match step.proof {
            SecondStepProof::Code(_) => ("wrong code", SignInError::WrongCode),
            SecondStepProof::Passkey(_) => ("wrong passkey", SignInError::WrongPasskey),
        };
        let actor = Actor::system().at(step.address, step.agent.as_deref());
        super::record_refusal(context, &actor, Some(person), reason).await?;
        return Err(error);
    };
    // When two requests finish the same sign-in with two different codes, only one succeeds.
    let hash = digest::sha256(step.token.as_bytes());
    if !store::person::second_factor::use_pending(&mut change, &hash).await? {
        return Err(SignInError::TooLate);
    }
    forgive(&mut change, &buckets).await?;
    let actor = Actor::of(person).at(step.address, step.agent.as_deref());
    let started = started(person).with(json!({ "second_factor": means.as_str() }));
    let events: Vec<_> = means.event(person).into_iter().chain([started]).collect();
    change.commit_all(&actor, &events).await?;
    Ok(waiting)
}

fn buckets(context: &Context, step: &SecondStepAttempt, person: &Person) -> Vec<Bucket> {
    let device = step.device.as_deref();
    match &step.proof {
        SecondStepProof::Code(code) if !second_factor::is_recovery_code(code) => {}
        _ => return buckets_of_the_unguessable(context, Some(&person.id), step.address, device),
    }
    if let Some(device) = device.filter(|device| has_shown(context, &person.id, device, ShownFactor::SecondFactor)) {
        return vec![of_device(context, "code-device", BucketKind::Codes, device), codes_of_a_day(person)];
    }
    let counts = [
        Bucket::new(BucketKind::Codes, format!("code-window:{}", person.id), CODE_LIMIT),
        Bucket::new(BucketKind::CodesOfADay, format!("code-day:{}", person.id), DAILY_CODE_LIMIT),
    ];
    step.address.map(of_address).into_iter().chain(counts).collect()
}

/// The count of wrong codes of one day in all known browsers and sessions of the person together.
pub(crate) fn codes_of_a_day(person: &Person) -> Bucket {
    Bucket::new(BucketKind::CodesOfADay, format!("code-known-day:{}", person.id), DAILY_CODE_LIMIT)
}
