//! Sign-in with a password. Attackers who guess passwords are slowed down; the owner of the account is not.
//!
//! Every attempt is counted before its password is checked, so parallel guesses are all counted. A success takes the
//! count back. Unknown browsers share one count for each account and one for each source address. A browser that signed
//! in before has a count of its own, so guesses from elsewhere never lock the owner out.
//!
//! For a person with a second factor the password is only the first step: [`second_step`] goes on from there. Passkeys
//! and recovery codes cannot be guessed. They are counted only to limit floods.

pub mod second_step;
pub mod with_passkey;

pub use self::with_passkey::sign_in_with_passkey;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::base::encoding::base62;
use crate::base::id::PersonId;
use crate::base::network::network_of;
use crate::crypto::password::Password;
use crate::model::person::Person;
use crate::person::passkey::{self, ChallengePurpose, PasskeyAnswer};
use crate::person::second_factor;
use crate::prelude::{Action, Actor, Context, Event, Target, Timestamp, operation_error};
use crate::store::{self, StoreError, Transaction};

/// A count starts again at zero after this time.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Wrong attempts at one account from unknown browsers within [`WINDOW`].
pub const ACCOUNT_LIMIT: i64 = 10;
/// Wrong attempts of one known browser within [`WINDOW`].
pub const DEVICE_LIMIT: i64 = 10;
/// Wrong attempts from one source address within [`WINDOW`], for all accounts together.
pub const ADDRESS_LIMIT: i64 = 50;

/// The sign-in form.
#[derive(Debug)]
pub struct Attempt {
    /// The text in the field for the e-mail address.
    pub email: String,
    /// The text in the field for the password.
    pub password: Password,
    /// The source address.
    pub address: Option<IpAddr>,
    /// The browser's user agent.
    pub agent: Option<String>,
    /// The device token of an earlier sign-in from this browser.
    pub device: Option<String>,
    /// Where the person wants to go. The second step keeps it.
    pub next: String,
}

/// The result of a right password.
#[derive(Debug)]
pub enum SignInOutcome {
    /// The person is signed in, because they have no second factor.
    Whole(Person),
    /// The second step is needed. The token is for this browser alone.
    SecondStep(String),
}

/// What a person has shown in a browser that we remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownFactor {
    /// Their password, or an account at a provider.
    Password,
    /// A code of the authenticator app, a recovery code, or a passkey.
    SecondFactor,
}

impl ShownFactor {
    /// The first part under the MAC of a device token.
    const fn label(self) -> &'static str {
        match self {
            Self::Password => "device",
            Self::SecondFactor => "device with second factor",
        }
    }
}

/// The proof that a signed-in person gives when they must confirm their identity.
#[derive(Debug)]
pub enum ConfirmationProof {
    /// The password, and a code when the person has a second factor.
    Password {
        /// The password.
        password: Password,
        /// A code of the authenticator app, or a recovery code.
        code: String,
    },
    /// A passkey, for a challenge of [`ChallengePurpose::Confirm`].
    Passkey(PasskeyAnswer),
}

operation_error! {
    /// Why a person is not signed in.
    pub enum SignInError {
        /// There is no such account, or the password is wrong. The caller never learns which.
        #[error("the email address or the password is wrong")]
        Refused,
        /// The password was right. The code was wrong, or was used before.
        #[error("the code is wrong")]
        WrongCode,
        /// The passkey was not accepted.
        #[error("the passkey was not accepted")]
        WrongPasskey,
        /// The second step came too late, or the password was changed since the first.
        #[error("the sign-in took too long")]
        TooLate,
        /// Too many failures. Nothing was checked.
        #[error("too many failed sign-ins")]
        Throttled {
            /// When to try again.
            retry_after: Duration,
        },
        /// Too many wrong codes of the app, so the code was not checked. A recovery code or a passkey is still
        /// accepted.
        #[error("too many wrong codes")]
        TooManyCodes {
            /// When to try again.
            retry_after: Duration,
        },
    }
}

/// What the steps of a sign-in return.
pub type Result<T, E = SignInError> = std::result::Result<T, E>;

impl SignInError {
    /// The text for a person who was asked for their password again.
    pub fn to_words(&self) -> String {
        match self {
            Self::Throttled { retry_after } => {
                format!("Too many failed attempts. Try again in {}.", wait_words(*retry_after))
            }
            Self::TooManyCodes { retry_after } => {
                format!("Too many wrong codes. Use a recovery code, or try again in {}.", wait_words(*retry_after))
            }
            Self::WrongPasskey => {
                "The passkey was not accepted. Try again, or enter your password and a code.".to_owned()
            }
            Self::WrongCode => {
                "This code is wrong, or was used before. Enter the next one of your app, or an unused recovery code."
                    .to_owned()
            }
            _ => "This is not your password. Try again.".to_owned(),
        }
    }
}

/// A time to wait, for people: rounded up to minutes, or to hours when it is long.
pub fn wait_words(wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    let (count, unit) = if minutes > 90 { (minutes.div_ceil(60), "hour") } else { (minutes, "minute") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Checks an attempt. Returns the person, or says that a second step is needed.
pub async fn sign_in(context: &Context, attempt: Attempt) -> Result<SignInOutcome> {
    let email = attempt.email.trim().to_lowercase();
    let person = store::person::find_by_email(&context.store, &email).await?;
    let known_device = person.as_ref().is_some_and(|person| {
        attempt.device.as_deref().is_some_and(|device| device_is_known(context, &person.id, device))
    });
    let buckets = buckets(context, &email, attempt.address, attempt.device.as_deref().filter(|_| known_device));
    count(context, &buckets).await?;

    let stored = person.as_ref().filter(|person| person.has_password()).map(|person| person.password.clone());
    let proved = context.hashing.verify(attempt.password, stored).await?;
    match person {
        Some(person) if proved && person.disabled_at.is_none() && person.factors.any() => {
            // The actor is not the person yet: so far only the password is known to be right.
            let actor = Actor::system().at(attempt.address, attempt.agent.as_deref());
            second_step::begin(context, &buckets, &person, &actor, attempt.next).await.map(SignInOutcome::SecondStep)
        }
        Some(person) if proved && person.disabled_at.is_none() => {
            let actor = Actor::of(&person).at(attempt.address, attempt.agent.as_deref());
            let mut change = context.begin_change().await?;
            // The password may have been replaced, or a second factor added, while the password was checked.
            let present = store::person::find(&mut change, &person.id).await?;
            if present.is_none_or(|present| !present.signs_in_like(&person)) {
                return Err(SignInError::Refused);
            }
            forgive(&mut change, &buckets).await?;
            change.commit(&actor, &started(&person)).await?;
            Ok(SignInOutcome::Whole(person))
        }
        person => {
            let actor = Actor::system().at(attempt.address, attempt.agent.as_deref());
            let reason = if proved { "the person is disabled" } else { "wrong email address or password" };
            record_refusal_of_stranger(context, &actor, person.as_ref(), reason).await?;
            Err(SignInError::Refused)
        }
    }
}

/// Checks that `proof` belongs to the signed-in person. It is asked for before a sensitive action. A person with a
/// second factor must also give a code.
///
/// Attempts are counted like a sign-in from a known browser. Codes are counted together with the codes of all known
/// browsers, so an attacker who took over a session gets no additional guesses a day.
pub async fn confirm(context: &Context, actor: &Actor, person: &Person, proof: ConfirmationProof) -> Result<()> {
    let buckets = [Bucket::new(BucketKind::Attempts, format!("confirm:{}", person.id), DEVICE_LIMIT)];
    count(context, &buckets).await?;
    let (password, code) = match proof {
        ConfirmationProof::Password { password, code } => (password, code),
        ConfirmationProof::Passkey(answer) => {
            let proved = passkey::begin_proved(context, ChallengePurpose::Confirm, &person.id, &answer).await?;
            let Some(mut change) = proved else {
                record_refusal(context, actor, Some(person), "wrong passkey").await?;
                return Err(SignInError::WrongPasskey);
            };
            forgive(&mut change, &buckets).await?;
            return Ok(change.commit_all(actor, &[]).await.map(drop)?);
        }
    };
    if !context.hashing.verify(password, Some(person.password.clone())).await? {
        record_refusal(context, actor, Some(person), "wrong email address or password").await?;
        return Err(SignInError::Refused);
    }
    // Counted only now: an attacker who does not know the password must not use up the codes of a day.
    let has_guessable = person.factors.any() && !second_factor::is_recovery_code(&code);
    let codes: Vec<_> = has_guessable.then(|| second_step::codes_of_a_day(person)).into_iter().collect();
    count(context, &codes).await?;
    let mut change = context.begin_change().await?;
    let mut events = Vec::new();
    if person.factors.any() {
        let Some(means) = second_factor::use_code(&mut change, person, &code).await? else {
            drop(change);
            record_refusal(context, actor, Some(person), "wrong code").await?;
            return Err(SignInError::WrongCode);
        };
        events.extend(means.event(person));
    }
    forgive(&mut change, &buckets).await?;
    forgive(&mut change, &codes).await?;
    Ok(change.commit_all(actor, &events).await.map(drop)?)
}

/// Counts an attempt that another server will decide about, before that decision. The person is not known yet, so the
/// attempt counts only for its source address.
pub(crate) async fn count_source(context: &Context, address: Option<IpAddr>) -> Result<()> {
    count(context, address.map(of_address).as_slice()).await
}

/// Takes back what [`count_source`] added.
pub(crate) async fn uncount_source(transaction: &mut Transaction, address: Option<IpAddr>) -> Result<(), StoreError> {
    match address.map(of_address) {
        Some(bucket) => store::person::uncount_sign_in(transaction, &bucket.name).await,
        None => Ok(()),
    }
}

/// A token by which this browser can prove later that the person has shown `shown` in it. It proves nothing else. The
/// present token of the browser, `own`, is kept when it proves the same or more.
pub fn device_token(context: &Context, person: &PersonId, shown: ShownFactor, own: Option<&str>) -> String {
    let enough = |device: &&str| {
        has_shown(context, person, device, shown) || has_shown(context, person, device, ShownFactor::SecondFactor)
    };
    if let Some(own) = own.filter(enough) {
        return own.to_owned();
    }
    let nonce = base62::random(context.random.as_ref(), 22);
    let mac = context.keys.forms.mac_parts(&[shown.label(), person.as_str(), &nonce]);
    format!("{nonce}.{mac}")
}

/// Whether the person has signed in before in the browser with this token.
pub fn device_is_known(context: &Context, person: &PersonId, device: &str) -> bool {
    [ShownFactor::Password, ShownFactor::SecondFactor]
        .into_iter()
        .any(|shown| has_shown(context, person, device, shown))
}

/// Whether the person has shown `shown` in the browser with this token.
fn has_shown(context: &Context, person: &PersonId, device: &str, shown: ShownFactor) -> bool {
    device
        .split_once('.')
        .is_some_and(|(nonce, mac)| context.keys.forms.verify_parts(&[shown.label(), person.as_str(), nonce], mac))
}

/// The kind of a count. It decides what a success takes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BucketKind {
    /// Attempts from one source address, which many people may share. A success takes back only what it added.
    Source,
    /// Attempts at one account, or of one browser. A success resets the count.
    Attempts,
    /// Wrong codes of an app. A success resets the count.
    Codes,
    /// Wrong codes of an app within a day. A success takes back only what it added. Otherwise each sign-in of the owner
    /// would reset the count of an attacker too.
    CodesOfADay,
}

pub(crate) struct Bucket {
    kind: BucketKind,
    name: String,
    limit: i64,
}

impl Bucket {
    fn new(kind: BucketKind, name: String, limit: i64) -> Self {
        Self { kind, name, limit }
    }

    fn window(&self) -> Duration {
        if self.kind == BucketKind::CodesOfADay { second_step::DAY } else { WINDOW }
    }
}

/// Bucket names hold MACs. People type passwords into the wrong field, and such a text must not be stored.
fn buckets(context: &Context, email: &str, address: Option<IpAddr>, known_device: Option<&str>) -> Vec<Bucket> {
    if let Some(device) = known_device {
        return vec![of_device(context, "device", BucketKind::Attempts, device)];
    }
    let mac = context.keys.forms.mac_parts(&["bucket", "account", email]);
    // The address comes first. When its count is full, no account is counted, so invented accounts do not fill the
    // table.
    let account = Bucket::new(BucketKind::Attempts, format!("account:{mac}"), ACCOUNT_LIMIT);
    address.map(of_address).into_iter().chain([account]).collect()
}

/// The counts for passkeys and recovery codes: one for the source address, and a separate one for a browser in which
/// the person is known. There is no count for the person: passkeys and recovery codes cannot be guessed, and an
/// attacker who knows the password must not lock the owner out.
fn buckets_of_the_unguessable(
    context: &Context,
    person: Option<&PersonId>,
    address: Option<IpAddr>,
    device: Option<&str>,
) -> Vec<Bucket> {
    let known = person.zip(device).filter(|(person, device)| device_is_known(context, person, device));
    match known {
        Some((_, device)) => vec![of_device(context, "unguessable-device", BucketKind::Attempts, device)],
        None => address.map(of_address).into_iter().collect(),
    }
}

fn of_device(context: &Context, name: &str, kind: BucketKind, device: &str) -> Bucket {
    let mac = context.keys.forms.mac_parts(&["bucket", "device", device]);
    Bucket::new(kind, format!("{name}:{mac}"), DEVICE_LIMIT)
}

fn of_address(address: IpAddr) -> Bucket {
    Bucket::new(BucketKind::Source, format!("address:{}", network_of(address)), ADDRESS_LIMIT)
}

/// Counts the attempt in each bucket, in their order. The first full bucket refuses the attempt, and nothing is
/// written.
async fn count(context: &Context, buckets: &[Bucket]) -> Result<()> {
    if buckets.is_empty() {
        return Ok(());
    }
    let now = context.now();
    // Read first, without a write permit: a flood of guesses must not delay a revocation.
    for bucket in buckets {
        let count = store::person::sign_in_count(&context.store, &bucket.name, now, bucket.window()).await?;
        if let Some((failures, started_at)) = count
            && failures >= bucket.limit
        {
            return Err(throttled(bucket, started_at, now));
        }
    }
    let mut transaction = context.store.begin().await?;
    for bucket in buckets {
        let window = bucket.window();
        let (failures, started_at) = store::person::count_sign_in(&mut transaction, &bucket.name, now, window).await?;
        if failures > bucket.limit {
            return Err(throttled(bucket, started_at, now));
        }
    }
    Ok(transaction.commit().await?)
}

fn throttled(bucket: &Bucket, started_at: Timestamp, now: Timestamp) -> SignInError {
    let retry_after = started_at.plus(bucket.window()).since(now).max(Duration::from_secs(1));
    match bucket.kind {
        BucketKind::Codes | BucketKind::CodesOfADay => SignInError::TooManyCodes { retry_after },
        BucketKind::Source | BucketKind::Attempts => SignInError::Throttled { retry_after },
    }
}

/// Takes back what was counted: the attempt succeeded.
async fn forgive(transaction: &mut Transaction, buckets: &[Bucket]) -> Result<(), StoreError> {
    for bucket in buckets {
        match bucket.kind {
            BucketKind::Source | BucketKind::CodesOfADay => {
                store::person::uncount_sign_in(transaction, &bucket.name).await?
            }
            BucketKind::Attempts | BucketKind::Codes => {
                store::person::forget_sign_in_failures(transaction, &bucket.name).await?
            }
        }
    }
    Ok(())
}

fn started(person: &Person) -> Event {
    person.event(Action::SessionStarted)
}

/// Records the refusal of somebody who has proved something before: a session, or the password. The limits of attempts
/// bound the number of such entries.
async fn record_refusal(context: &Context, actor: &Actor, person: Option<&Person>, reason: &str) -> Result<()> {
    Ok(context.begin_change().await?.commit(actor, &refused(person, reason)).await?)
}

/// Records the refusal of a stranger. Refusals at the same account, for the same reason and from the same network, are
/// one entry in an hour, and a second entry says how many they were.
async fn record_refusal_of_stranger(
    context: &Context,
    actor: &Actor,
    person: Option<&Person>,
    reason: &str,
) -> Result<()> {
    let event = refused(person, reason);
    Ok(context.begin_change().await?.commit_folded(actor, &event, &event).await?)
}

/// The event names the account when it exists. It never holds the typed text, which may be a password in the wrong
/// field.
fn refused(person: Option<&Person>, reason: &str) -> Event {
    let event = match person {
        Some(person) => person.event(Action::SessionRefused),
        None => Event::new(Action::SessionRefused, Target::Session, "", "Unknown account"),
    };
    event.with(json!({ "reason": reason }))
}
