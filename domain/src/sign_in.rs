//! Signing in with a password, slowed down for whoever guesses and not for whoever owns the account.
//!
//! Every attempt is counted before its password is looked at, so parallel guesses do not slip through, and taken
//! back when it succeeds. Strangers share one count per account and one per source address; a browser that signed
//! in before has a count of its own, so guessing from elsewhere never locks the owner out.
//!
//! Who has a second factor is not signed in by the password: [`second_step`] goes on from there.

pub mod second_step;
mod with_passkey;

pub use self::with_passkey::sign_in_with_passkey;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::actor::Actor;
use crate::audit::Event;
use crate::base62;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::error::Fault;
use crate::id::PersonId;
use crate::origin::network_of;
use crate::passkey::{self, Answer, Purpose};
use crate::password::Password;
use crate::person::Person;
use crate::second_factor;
use crate::store::{self, StoreError, Transaction};

/// After this time a count starts anew.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures an account takes from unknown browsers within [`WINDOW`].
pub const ACCOUNT_LIMIT: i64 = 10;
/// Failures one known browser may make within [`WINDOW`].
pub const DEVICE_LIMIT: i64 = 10;
/// Failures one source address may make within [`WINDOW`], over all accounts.
pub const ADDRESS_LIMIT: i64 = 50;

/// What the sign-in form holds.
#[derive(Debug)]
pub struct Attempt {
    /// What was typed as e-mail address.
    pub email: String,
    /// What was typed as password.
    pub password: Password,
    /// The source address.
    pub address: Option<IpAddr>,
    /// The browser's user agent.
    pub agent: Option<String>,
    /// The device token of an earlier sign-in from this browser.
    pub device: Option<String>,
    /// Where the person wants to go, kept for the second step.
    pub next: String,
}

/// How far a right password leads.
#[derive(Debug)]
pub enum Entry {
    /// All the way: the person has no second factor.
    Whole(Person),
    /// To the second step. The token is for this browser alone.
    SecondStep(String),
}

/// What somebody brings who is asked again who they are.
#[derive(Debug)]
pub enum Proof {
    /// What they know, and what they have if they have a second factor.
    Password {
        /// The password.
        password: Password,
        /// A code of the authenticator app, or a recovery code.
        code: String,
    },
    /// A passkey, for a challenge of [`Purpose::Confirm`].
    Passkey(Answer),
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such account, or the wrong password: the caller never learns which.
    #[error("the email address or the password is wrong")]
    Refused,
    /// The password was right and the code was not, or was used before.
    #[error("the code is wrong")]
    WrongCode,
    /// The passkey was not accepted.
    #[error("the passkey was not accepted")]
    WrongPasskey,
    /// The second step came too late, or the password was changed since the first.
    #[error("the sign-in took too long")]
    TooLate,
    /// Too many failures; nothing was checked.
    #[error("too many failed sign-ins")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault of ours.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl SignInError {
    /// What somebody reads who was asked for their password again.
    pub fn to_words(&self) -> String {
        match self {
            Self::Throttled { retry_after } => {
                let minutes = retry_after.as_secs().div_ceil(60);
                format!("Too many wrong passwords. Try again in {minutes} min.")
            }
            Self::WrongPasskey => "The passkey was not accepted. Try again, or enter your password.".to_owned(),
            Self::WrongCode => "This code is wrong, or was used before. Wait for the next one.".to_owned(),
            _ => "This is not your password. Try again.".to_owned(),
        }
    }
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Checks an attempt: who it is, or what else they have to show.
pub async fn sign_in(context: &Context, attempt: Attempt) -> Result<Entry, SignInError> {
    let email = attempt.email.trim().to_lowercase();
    let person = store::people::find_by_email(&context.store, &email).await?;
    let known_device = person.as_ref().is_some_and(|person| {
        attempt.device.as_deref().is_some_and(|device| device_is_known(context, &person.id, device))
    });
    let buckets = buckets(context, &email, attempt.address, attempt.device.as_deref().filter(|_| known_device));
    count(context, &buckets).await?;

    let stored = person.as_ref().map(|person| person.password.clone());
    let proved = context.hashing.verify(attempt.password, stored).await?;
    match person {
        Some(person) if proved && person.disabled_at.is_none() && person.factors.any() => {
            second_step::begin(context, &buckets, &person, attempt.next).await.map(Entry::SecondStep)
        }
        Some(person) if proved && person.disabled_at.is_none() => {
            let actor =
                Actor::person(person.id.clone(), person.name.clone()).at(attempt.address, attempt.agent.as_deref());
            let mut change = context.begin_change().await?;
            forgive(change.transaction(), &buckets).await?;
            change.commit(&actor, &started(&person)).await?;
            Ok(Entry::Whole(person))
        }
        person => {
            let actor = Actor::system().at(attempt.address, attempt.agent.as_deref());
            let reason = if proved { "the person is disabled" } else { "wrong email address or password" };
            record_refusal(context, &actor, person.as_ref(), reason).await?;
            Err(SignInError::Refused)
        }
    }
}

/// Whether `proof` is the signed-in person's: asked again before a sensitive action, the code too of whoever has a second
/// factor. Counted like a sign-in from a known browser.
pub async fn confirm(context: &Context, actor: &Actor, person: &Person, proof: Proof) -> Result<(), SignInError> {
    let buckets = [Bucket { name: format!("confirm:{}", person.id), limit: DEVICE_LIMIT, window: WINDOW }];
    count(context, &buckets).await?;
    let (password, code) = match proof {
        Proof::Password { password, code } => (password, code),
        Proof::Passkey(answer) => {
            let proved = passkey::begin_proved(context, Purpose::Confirm, &person.id, &answer).await?;
            let Some(mut change) = proved else {
                record_refusal(context, actor, Some(person), "wrong passkey").await?;
                return Err(SignInError::WrongPasskey);
            };
            forgive(change.transaction(), &buckets).await?;
            change.commit_all(actor, &[]).await?;
            return Ok(());
        }
    };
    if !context.hashing.verify(password, Some(person.password.clone())).await? {
        record_refusal(context, actor, Some(person), "wrong email address or password").await?;
        return Err(SignInError::Refused);
    }
    let mut change = context.begin_change().await?;
    let mut events = Vec::new();
    if person.factors.any() {
        let Some(means) = second_factor::use_code(context, &mut change, person, &code).await? else {
            drop(change);
            record_refusal(context, actor, Some(person), "wrong code").await?;
            return Err(SignInError::WrongCode);
        };
        events.extend(means.event(person));
    }
    forgive(change.transaction(), &buckets).await?;
    change.commit_all(actor, &events).await?;
    Ok(())
}

/// Counts an attempt that another server decides about, before it does. Who it is about is not known yet, so it counts for its
/// source alone.
pub(crate) async fn count_source(context: &Context, address: Option<IpAddr>) -> Result<(), SignInError> {
    count(context, address.map(of_address).as_slice()).await
}

/// Takes back what [`count_source`] added.
pub(crate) async fn uncount_source(transaction: &mut Transaction, address: Option<IpAddr>) -> Result<(), StoreError> {
    match address.map(of_address) {
        Some(bucket) => store::people::uncount_sign_in(transaction, &bucket.name).await,
        None => Ok(()),
    }
}

/// A token that lets this browser prove later that the person signed in from it before. It proves nothing else.
pub fn device_token(context: &Context, person: &PersonId) -> String {
    let nonce = base62::random(context.random.as_ref(), 22);
    let mac = context.keys.forms.mac_parts(&["device", person.as_str(), &nonce]);
    format!("{nonce}.{mac}")
}

fn device_is_known(context: &Context, person: &PersonId, device: &str) -> bool {
    device
        .split_once('.')
        .is_some_and(|(nonce, mac)| context.keys.forms.verify_parts(&["device", person.as_str(), nonce], mac))
}

struct Bucket {
    name: String,
    limit: i64,
    window: Duration,
}

/// Bucket names hold MACs: people type passwords into the wrong field, and what they typed must not be stored.
fn buckets(context: &Context, email: &str, address: Option<IpAddr>, known_device: Option<&str>) -> Vec<Bucket> {
    if let Some(device) = known_device {
        let mac = context.keys.forms.mac_parts(&["bucket", "device", device]);
        return vec![Bucket { name: format!("device:{mac}"), limit: DEVICE_LIMIT, window: WINDOW }];
    }
    let mac = context.keys.forms.mac_parts(&["bucket", "account", email]);
    // The address first: when its count is full, no further account is counted, so made-up accounts fill no table.
    let account = Bucket { name: format!("account:{mac}"), limit: ACCOUNT_LIMIT, window: WINDOW };
    address.map(of_address).into_iter().chain([account]).collect()
}

fn of_address(address: IpAddr) -> Bucket {
    Bucket { name: format!("address:{}", network_of(address)), limit: ADDRESS_LIMIT, window: WINDOW }
}

/// Counts the attempt in each bucket, in their order; the first that is full refuses it and writes nothing.
async fn count(context: &Context, buckets: &[Bucket]) -> Result<(), SignInError> {
    let now = context.now();
    // Read before the one writer is asked for: a flood of guesses must not stand in the way of a revocation.
    for bucket in buckets {
        let count = store::people::sign_in_count(&context.store, &bucket.name, now.minus(bucket.window)).await?;
        if let Some((failures, started_at)) = count
            && failures >= bucket.limit
        {
            return Err(throttled(bucket, started_at, now));
        }
    }
    let mut transaction = context.store.begin().await?;
    for bucket in buckets {
        let since = now.minus(bucket.window);
        let (failures, started_at) = store::people::count_sign_in(&mut transaction, &bucket.name, now, since).await?;
        if failures > bucket.limit {
            return Err(throttled(bucket, started_at, now));
        }
    }
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(())
}

fn throttled(bucket: &Bucket, started_at: Timestamp, now: Timestamp) -> SignInError {
    SignInError::Throttled { retry_after: started_at.plus(bucket.window).since(now).max(Duration::from_secs(1)) }
}

/// Takes back what was counted: the attempt succeeded.
async fn forgive(transaction: &mut Transaction, buckets: &[Bucket]) -> Result<(), StoreError> {
    for bucket in buckets {
        if bucket.name.starts_with("address:") {
            store::people::uncount_sign_in(transaction, &bucket.name).await?;
        } else {
            store::people::forget_sign_in_failures(transaction, &bucket.name).await?;
        }
    }
    Ok(())
}

fn started(person: &Person) -> Event {
    Event::new("session.started", "person", person.id.as_str(), &person.name)
}

/// Names the account when there is one. What was typed instead stays out: it may be a password in the wrong field.
async fn record_refusal(
    context: &Context,
    actor: &Actor,
    person: Option<&Person>,
    reason: &str,
) -> Result<(), StoreError> {
    let event = match person {
        Some(person) => Event::new("session.refused", "person", person.id.as_str(), &person.name),
        None => Event::new("session.refused", "session", "", "Unknown account"),
    };
    let event = event.with(json!({ "reason": reason }));
    context.begin_change().await?.commit(actor, &event).await.map(drop)
}
