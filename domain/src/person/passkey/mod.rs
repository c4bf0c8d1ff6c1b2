//! Passkeys (WebAuthn): key pairs of people, whose private half stays in a device that asks for a finger, a face or a
//! PIN first. So one alone is two factors.
//!
//! A challenge is not stored: the browser carries it, under a MAC, and it is used up with the answer. A page that
//! anybody may open so costs no row. Signatures, origin, user verification and counter are checked by the library;
//! whose key it is, and whether the challenge was made for this, here.

pub mod challenge;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use webauthn_rs::prelude::{self as webauthn, Url, Uuid, Webauthn, WebauthnBuilder};

use crate::base::id::{PasskeyId, PersonId};
use crate::change::Change;
use crate::context::Context;
use crate::crypto::recovery_code::RecoveryCode;
use crate::error::{Fault, through_fault};
use crate::idempotency;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::model::field_error::FieldError;
use crate::model::person::{Passkey, Person, check_name};
use crate::model::settings::Settings;
use crate::person::passkey::challenge::{OpenedChallenge, State};
use crate::person::second_factor;
use crate::store::person::passkey::StoredPasskey;
use crate::store::{self, StoreError};

pub use self::challenge::{Challenge, ChallengePurpose};

/// How many a person may have.
pub const MOST_PASSKEYS: usize = 20;

/// What a browser sends back.
#[derive(Clone, Default)]
pub struct PasskeyAnswer {
    /// The challenge's state, as it was handed out.
    pub state: String,
    /// The credential, as JSON.
    pub credential: String,
}

impl std::fmt::Debug for PasskeyAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasskeyAnswer(redacted)")
    }
}

/// Why no passkey was added or removed.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The input is wrong; nothing was changed.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// The form was sent before, and the passkey was added then.
    #[error("the form was sent before")]
    AlreadySubmitted,
    /// There is no such passkey, or none is possible here.
    #[error("there is no such passkey")]
    NotFound,
    /// Not the input.
    #[error(transparent)]
    Fault(#[from] Fault),
}

through_fault!(PasskeyError: StoreError);

/// The relying party, named by the public address. [`None`]: browsers have no passkeys for bare IP addresses.
fn relying_party(settings: &Settings) -> Option<Webauthn> {
    let origin = Url::parse(&settings.public_url).ok()?;
    let id = origin.domain()?.to_owned();
    WebauthnBuilder::new(&id, &origin).ok()?.rp_name("Countersign").build().ok()
}

/// Whether there can be passkeys for this instance at all.
pub fn is_possible(settings: &Settings) -> bool {
    relying_party(settings).is_some()
}

/// The person's passkeys, the oldest first.
pub async fn list(context: &Context, person: &PersonId) -> Result<Vec<Passkey>, Fault> {
    let stored = store::person::passkey::of_person(context.store.reads(), person).await?;
    Ok(stored.into_iter().map(|stored| stored.passkey).collect())
}

/// The person's passkey with this identifier.
pub async fn find(context: &Context, person: &PersonId, id: &PasskeyId) -> Result<Option<Passkey>, Fault> {
    Ok(list(context, person).await?.into_iter().find(|passkey| passkey.id == *id))
}

/// Begins to add a passkey. [`None`]: none is possible here.
pub async fn begin_adding(context: &Context, person: &Person) -> Result<Option<Challenge>, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(None) };
    let own = store::person::passkey::of_person(context.store.reads(), &person.id).await?;
    let known = own.iter().map(read).map(|read| read.map(|key| key.cred_id().clone())).collect::<Result<_, _>>()?;
    let begun = party.start_passkey_registration(handle_of(&person.id), &person.email, &person.name, Some(known));
    let (options, state) = begun.map_err(|error| damaged(&error))?;
    let mut options = json!(options.public_key);
    // The library asks for none that signs in without being named, and that is what these are for.
    options["authenticatorSelection"]["residentKey"] = json!("required");
    options["authenticatorSelection"]["requireResidentKey"] = json!(true);
    Ok(Some(challenge::seal(context, ChallengePurpose::Add, Some(&person.id), State::Adding(Box::new(state)), options)))
}

/// Begins to ask for a passkey: of this person, or of anybody. [`None`]: none is possible here.
pub async fn begin_proof(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
) -> Result<Option<Challenge>, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(None) };
    let (options, state) = party.start_discoverable_authentication().map_err(|error| damaged(&error))?;
    let mut options = json!(options.public_key);
    if let Some(person) = person {
        let own = store::person::passkey::of_person(context.store.reads(), person).await?;
        let own = own.iter().map(|stored| {
            let id = URL_SAFE_NO_PAD.encode(read(stored)?.cred_id());
            Ok(json!({ "type": "public-key", "id": id }))
        });
        options["allowCredentials"] = own.collect::<Result<Vec<_>, Fault>>()?.into();
    }
    Ok(Some(challenge::seal(context, purpose, person, State::Proving(Box::new(state)), options)))
}

/// Whether a passkey was added with this answer before, however long ago it was asked for.
pub async fn was_added(context: &Context, person: &PersonId, answer: &PasskeyAnswer) -> Result<bool, Fault> {
    match challenge::nonce_of(context, ChallengePurpose::Add, Some(person), &answer.state) {
        Some(nonce) => Ok(idempotency::result_of(context, &nonce).await?.is_some()),
        None => Ok(false),
    }
}

/// Stores the passkey that the browser made. Returns the recovery codes that were made with it, none when the person
/// has some from before.
pub async fn add(
    context: &Context,
    actor: &Actor,
    person: &Person,
    name: &str,
    answer: &PasskeyAnswer,
) -> Result<Vec<RecoveryCode>, PasskeyError> {
    let invalid = |field, message: String| PasskeyError::Invalid(vec![FieldError::new(field, message)]);
    let name = name.trim();
    check_name(name).map_err(|message| invalid("name", message))?;
    let refused =
        || invalid("passkey", "No passkey was added. Press “Add a passkey” and follow your browser.".to_owned());
    let party = relying_party(&context.settings).ok_or(PasskeyError::NotFound)?;
    let Some(OpenedChallenge { nonce, state: State::Adding(state) }) =
        challenge::open(context, ChallengePurpose::Add, Some(&person.id), &answer.state)
    else {
        return Err(refused());
    };
    let credential = serde_json::from_str(&answer.credential).map_err(|_| refused())?;
    let made = party.finish_passkey_registration(&credential, &state).map_err(|_| refused())?;
    let stored = StoredPasskey {
        passkey: Passkey {
            id: PasskeyId::generate(context.random.as_ref()),
            person: person.id.clone(),
            name: name.to_owned(),
            created_at: context.now(),
            last_used_at: None,
        },
        credential: json!(made).to_string(),
    };
    let mut change = context.begin_change().await?;
    if change.use_form_token(Some(&nonce), stored.passkey.id.as_str()).await?.is_some() {
        return Err(PasskeyError::AlreadySubmitted);
    }
    if store::person::passkey::of_person(&mut **change.transaction(), &person.id).await?.len() >= MOST_PASSKEYS {
        let message = format!("You have {MOST_PASSKEYS} passkeys. Remove one that you do not use.");
        return Err(invalid("passkey", message));
    }
    let credential_id = URL_SAFE_NO_PAD.encode(made.cred_id());
    store::person::passkey::insert(change.transaction(), &stored, &credential_id).await.map_err(
        |error| match error {
            StoreError::Conflict => invalid("passkey", "This passkey is here already.".to_owned()),
            error => error.into(),
        },
    )?;
    let codes = second_factor::first_codes(context, &mut change, person).await?;
    change.commit(actor, &event(Action::PasskeyAdded, person, name)).await?;
    Ok(codes)
}

/// Removes a passkey of the person, and the recovery codes with the last factor that they stood in for.
pub async fn remove(context: &Context, actor: &Actor, person: &Person, id: &PasskeyId) -> Result<(), PasskeyError> {
    let mut change = context.begin_change().await?;
    let own = store::person::passkey::of_person(&mut **change.transaction(), &person.id).await?;
    let name = own.into_iter().find(|stored| stored.passkey.id == *id).ok_or(PasskeyError::NotFound)?.passkey.name;
    let now = change.now();
    store::person::passkey::remove(change.transaction(), &person.id, Some(id), now).await?;
    second_factor::forget_codes_of_nothing(&mut change, person).await?;
    change.commit(actor, &event(Action::PasskeyRemoved, person, &name)).await?;
    Ok(())
}

/// An answer whose signature is right.
pub(crate) struct Proved {
    /// Whose passkey it is.
    pub person: Person,
    nonce: String,
    stored: StoredPasskey,
    credential: String,
}

/// What an answer is worth.
pub(crate) enum Verdict {
    /// It proves who somebody is, if [`use_proof`] finds it unused.
    Proved(Box<Proved>),
    /// It does not. The person, when the passkey is one's.
    Refused(Option<Box<Person>>),
}

/// Whose passkey an answer names, whether or not it proves anything.
pub(crate) async fn owner(context: &Context, answer: &PasskeyAnswer) -> Result<Option<PersonId>, Fault> {
    Ok(named(context, answer).await?.map(|(_, stored)| stored.passkey.person))
}

/// An answer that can be read, with the passkey that it names.
async fn named(
    context: &Context,
    answer: &PasskeyAnswer,
) -> Result<Option<(webauthn::PublicKeyCredential, StoredPasskey)>, Fault> {
    let Ok(answer) = serde_json::from_str::<webauthn::PublicKeyCredential>(&answer.credential) else { return Ok(None) };
    let credential_id = URL_SAFE_NO_PAD.encode(answer.get_credential_id());
    let stored = store::person::passkey::find_by_credential(&context.store, &credential_id).await?;
    Ok(stored.map(|stored| (answer, stored)))
}

/// Checks an answer: that it is about a challenge made for this purpose and person, and signed by a passkey of theirs.
pub(crate) async fn verify(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
    answer: &PasskeyAnswer,
) -> Result<Verdict, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(Verdict::Refused(None)) };
    let opened = challenge::open(context, purpose, person, &answer.state);
    let Some((answer, stored)) = named(context, answer).await? else { return Ok(Verdict::Refused(None)) };
    let Some(owner) = store::person::find(&context.store, &stored.passkey.person).await? else {
        return Ok(Verdict::Refused(None));
    };
    let Some(OpenedChallenge { nonce, state: State::Proving(state) }) = opened else {
        return Ok(Verdict::Refused(Some(Box::new(owner))));
    };
    // Who names nobody beforehand must be named by the passkey; who does, and is named, must be the same.
    let handle = handle_of(&owner.id);
    let named = match (person, answer.get_user_unique_id()) {
        (Some(person), named) => *person == owner.id && named.is_none_or(|named| named == handle.as_bytes()),
        (None, named) => named == Some(handle.as_bytes()),
    };
    let mut key = read(&stored)?;
    match party.finish_discoverable_authentication_v2(&answer, *state, &key) {
        Ok(result) if named && result.user_verified() && owner.disabled_at.is_none() => {
            key.update_credential(&result);
            let credential = json!(key).to_string();
            Ok(Verdict::Proved(Box::new(Proved { person: owner, nonce, stored, credential })))
        }
        _ => Ok(Verdict::Refused(Some(Box::new(owner)))),
    }
}

/// Begins a change that this person proved themselves for; [`None`] when the answer is worth nothing, or was used
/// before.
pub(crate) async fn begin_proved<'context>(
    context: &'context Context,
    purpose: ChallengePurpose,
    person: &PersonId,
    answer: &PasskeyAnswer,
) -> Result<Option<Change<'context>>, Fault> {
    let Verdict::Proved(proved) = verify(context, purpose, Some(person), answer).await? else { return Ok(None) };
    let mut change = context.begin_change().await?;
    Ok(use_proof(&mut change, &proved).await?.then_some(change))
}

/// Uses up the challenge and notes the use, in the transaction of what it allows; false when another request did so
/// before.
pub(crate) async fn use_proof(change: &mut Change<'_>, proved: &Proved) -> Result<bool, StoreError> {
    if change.use_form_token(Some(&proved.nonce), proved.stored.passkey.id.as_str()).await?.is_some() {
        return Ok(false);
    }
    let now = change.now();
    store::person::passkey::note_use(change.transaction(), &proved.stored, &proved.credential, now).await
}

fn read(stored: &StoredPasskey) -> Result<webauthn::Passkey, Fault> {
    serde_json::from_str(&stored.credential).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::fmt::Display) -> Fault {
    tracing::error!(%error, "a passkey could not be read");
    Fault::Damaged
}

/// What passkeys know a person by: 16 bytes that say nothing about them, and are the same for each of their passkeys.
fn handle_of(person: &PersonId) -> Uuid {
    let hash = digest::digest(&digest::SHA256, format!("passkey user {person}").as_bytes());
    let mut handle = [0; 16];
    handle.copy_from_slice(&hash.as_ref()[..16]);
    Uuid::from_bytes(handle)
}

fn event(action: Action, person: &Person, name: &str) -> Event {
    Event::new(action, Target::Person, person.id.as_str(), &person.name).with(json!({ "name": name }))
}
