//! Passkeys (WebAuthn): key pairs of people. The private key stays in a device that first asks for a finger, a face or
//! a PIN. So one passkey alone is two factors.
//!
//! A challenge is not stored: the browser carries it, protected by a MAC, and the answer uses it up. So a page that
//! anybody may open costs no row. The library checks signatures, origin, user verification and counter. This module
//! checks who owns the passkey, and whether the challenge was made for this purpose.

pub mod challenge;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use webauthn_rs::prelude::{self as webauthn, Url, Uuid, Webauthn, WebauthnBuilder};

use crate::base::id::{PasskeyId, PersonId};
use crate::base::text::debug_as;
use crate::crypto::recovery_code::RecoveryCode;
use crate::idempotency;
use crate::model::person::{Passkey, Person, check_name};
use crate::model::settings::Settings;
use crate::person::passkey::challenge::{CarriedChallenge, State};
use crate::person::second_factor;
use crate::prelude::{Action, Actor, AtField, Change, Context, Fault, FieldError, operation_error};
use crate::store::person::passkey::StoredPasskey;
use crate::store::{self, StoreError};

pub use self::challenge::{Challenge, ChallengePurpose};

/// Most passkeys of a person.
pub(crate) const MOST_PASSKEYS: usize = 20;

/// What a browser sends back.
#[derive(Clone, Default)]
pub struct PasskeyAnswer {
    /// The state of the challenge, unchanged.
    pub state: String,
    /// The public key credential, as JSON.
    pub credential: String,
}

debug_as!(PasskeyAnswer, "PasskeyAnswer(redacted)");

operation_error! {
    /// Why no passkey was added or removed.
    pub enum PasskeyError: Invalid {
        /// The form was sent before, and the passkey was added at that time.
        #[error("the form was sent before")]
        AlreadySubmitted,
        /// There is no such passkey, or passkeys are not possible here.
        #[error("there is no such passkey")]
        NotFound,
    }
}

/// The relying party, named after the public address. [`None`]: browsers have no passkeys for bare IP addresses.
fn relying_party(settings: &Settings) -> Option<Webauthn> {
    let origin = Url::parse(&settings.public_url).ok()?;
    let id = origin.domain()?.to_owned();
    WebauthnBuilder::new(&id, &origin).ok()?.rp_name("Countersign").build().ok()
}

/// Whether passkeys are possible for this instance.
pub fn is_possible(settings: &Settings) -> bool {
    relying_party(settings).is_some()
}

/// The person's passkeys, the oldest first.
pub async fn list(context: &Context, person: &PersonId) -> Result<Vec<Passkey>, Fault> {
    let stored = store::person::passkey::of_person(&context.store, person).await?;
    Ok(stored.into_iter().map(|stored| stored.passkey).collect())
}

/// The person's passkey with this identifier.
pub async fn find(context: &Context, person: &PersonId, id: &PasskeyId) -> Result<Option<Passkey>, Fault> {
    Ok(list(context, person).await?.into_iter().find(|passkey| passkey.id == *id))
}

/// Begins to add a passkey. [`None`]: passkeys are not possible here.
pub async fn begin_adding(context: &Context, person: &Person) -> Result<Option<Challenge>, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(None) };
    let own = store::person::passkey::of_person(&context.store, &person.id).await?;
    let known = own.iter().map(read).map(|read| read.map(|key| key.cred_id().clone())).collect::<Result<_, _>>()?;
    let begun = party.start_passkey_registration(handle_of(&person.id), &person.email, &person.name, Some(known));
    let (options, state) = begun.map_err(|error| damaged(&error))?;
    let mut options = json!(options.public_key);
    // The library does not require a discoverable credential. We do: such a passkey signs in without an e-mail address.
    options["authenticatorSelection"]["residentKey"] = json!("required");
    options["authenticatorSelection"]["requireResidentKey"] = json!(true);
    Ok(Some(challenge::seal(context, ChallengePurpose::Add, Some(&person.id), State::Adding(Box::new(state)), options)))
}

/// Begins to ask for a passkey: of `person`, or of anybody. [`None`]: passkeys are not possible here.
pub async fn begin_proof(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
) -> Result<Option<Challenge>, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(None) };
    let (options, state) = party.start_discoverable_authentication().map_err(|error| damaged(&error))?;
    let mut options = json!(options.public_key);
    if let Some(person) = person {
        let own = store::person::passkey::of_person(&context.store, person).await?;
        let own = own.iter().map(|stored| {
            let id = URL_SAFE_NO_PAD.encode(read(stored)?.cred_id());
            Ok(json!({ "type": "public-key", "id": id }))
        });
        options["allowCredentials"] = own.collect::<Result<Vec<_>, Fault>>()?.into();
    }
    Ok(Some(challenge::seal(context, purpose, person, State::Proving(Box::new(state)), options)))
}

/// Whether this answer added a passkey before. The age of its challenge does not matter.
pub async fn was_added(context: &Context, person: &PersonId, answer: &PasskeyAnswer) -> Result<bool, Fault> {
    match challenge::read(context, ChallengePurpose::Add, Some(person), &answer.state) {
        Some(carried) => Ok(idempotency::result_of(context, &carried.nonce).await?.is_some()),
        None => Ok(false),
    }
}

/// Stores the passkey that the browser made. Returns the recovery codes that were made with it: none when the person
/// has some already.
pub async fn add(
    context: &Context,
    actor: &Actor,
    person: &Person,
    name: &str,
    answer: &PasskeyAnswer,
) -> Result<Vec<RecoveryCode>, PasskeyError> {
    let name = check_name(name).at("name")?;
    let refused = || FieldError::new("passkey", "No passkey was added. Press “Add a passkey” and follow your browser.");
    let party = relying_party(&context.settings).ok_or(PasskeyError::NotFound)?;
    let carried = challenge::read(context, ChallengePurpose::Add, Some(&person.id), &answer.state);
    let carried = carried.filter(|carried| carried.is_in_time(context));
    let Some(CarriedChallenge { nonce, state: State::Adding(state), .. }) = carried else {
        return Err(refused().into());
    };
    let credential = serde_json::from_str(&answer.credential).map_err(|_| refused())?;
    let made = party.finish_passkey_registration(&credential, &state).map_err(|_| refused())?;
    let stored = StoredPasskey {
        passkey: Passkey {
            id: PasskeyId::generate(context.random.as_ref()),
            person: person.id.clone(),
            name: name.clone(),
            created_at: context.now(),
            last_used_at: None,
        },
        credential: json!(made).to_string(),
    };
    let mut change = context.begin_change().await?;
    let sent_before = |_: &str| Some(PasskeyError::AlreadySubmitted);
    change.use_form_token(Some(&nonce), stored.passkey.id.as_str(), sent_before).await?;
    if store::person::passkey::of_person(&mut change, &person.id).await?.len() >= MOST_PASSKEYS {
        let message = format!("You have {MOST_PASSKEYS} passkeys. Remove one that you do not use.");
        return Err(FieldError::new("passkey", message).into());
    }
    let credential_id = URL_SAFE_NO_PAD.encode(made.cred_id());
    match store::person::passkey::insert(&mut change, &stored, &credential_id).await {
        Err(StoreError::Conflict) => return Err(FieldError::new("passkey", "This passkey is here already.").into()),
        result => result?,
    }
    let codes = second_factor::first_codes(&mut change, person).await?;
    change.commit(actor, &person.event(Action::PasskeyAdded).with(json!({ "name": name }))).await?;
    Ok(codes)
}

/// Removes a passkey of the person. With the last second factor the recovery codes are removed too.
pub async fn remove(context: &Context, actor: &Actor, person: &Person, id: &PasskeyId) -> Result<(), PasskeyError> {
    let mut change = context.begin_change().await?;
    let own = store::person::passkey::of_person(&mut change, &person.id).await?;
    let name = own.into_iter().find(|stored| stored.passkey.id == *id).ok_or(PasskeyError::NotFound)?.passkey.name;
    let now = change.now();
    store::person::passkey::remove(&mut change, &person.id, Some(id), now).await?;
    second_factor::forget_codes_of_nothing(&mut change, person).await?;
    Ok(change.commit(actor, &person.event(Action::PasskeyRemoved).with(json!({ "name": name }))).await?)
}

/// An answer whose signature is right.
pub(crate) struct Proved {
    /// The owner of the passkey.
    pub person: Person,
    nonce: String,
    stored: StoredPasskey,
    credential: String,
}

/// The result of the check of an answer.
pub(crate) enum Verdict {
    /// The answer proves the identity of a person, if [`use_proof`] finds it unused.
    Proved(Box<Proved>),
    /// The answer proves nothing. Holds the owner of the passkey, if the passkey is known.
    Refused(Option<Box<Person>>),
}

/// The owner of the passkey that an answer names. The answer need not prove anything.
pub(crate) async fn owner(context: &Context, answer: &PasskeyAnswer) -> Result<Option<PersonId>, Fault> {
    Ok(named(context, answer).await?.map(|(_, stored)| stored.passkey.person))
}

/// A readable answer, with the passkey that it names.
async fn named(
    context: &Context,
    answer: &PasskeyAnswer,
) -> Result<Option<(webauthn::PublicKeyCredential, StoredPasskey)>, Fault> {
    let Ok(answer) = serde_json::from_str::<webauthn::PublicKeyCredential>(&answer.credential) else { return Ok(None) };
    let credential_id = URL_SAFE_NO_PAD.encode(answer.get_credential_id());
    let stored = store::person::passkey::find_by_credential(&context.store, &credential_id).await?;
    Ok(stored.map(|stored| (answer, stored)))
}

/// Checks an answer: the challenge was made for this purpose and person, and a passkey of the person signed it.
pub(crate) async fn verify(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
    answer: &PasskeyAnswer,
) -> Result<Verdict, Fault> {
    let Some(party) = relying_party(&context.settings) else { return Ok(Verdict::Refused(None)) };
    let carried = challenge::read(context, purpose, person, &answer.state);
    let opened = carried.filter(|carried| carried.is_in_time(context));
    let Some((answer, stored)) = named(context, answer).await? else { return Ok(Verdict::Refused(None)) };
    let Some(owner) = store::person::find(&context.store, &stored.passkey.person).await? else {
        return Ok(Verdict::Refused(None));
    };
    let Some(CarriedChallenge { nonce, state: State::Proving(state), .. }) = opened else {
        return Ok(Verdict::Refused(Some(Box::new(owner))));
    };
    // When the person is not known beforehand, the answer must name its owner. When the person is known, the owner must
    // be that person, and so must the name in the answer, if it has one.
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

/// Begins a change for which this person proved their identity. [`None`]: the answer proves nothing, or was used
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

/// Uses up the challenge and stores the use of the passkey, in the transaction of the action that it allows. Returns
/// false when another request used the challenge before.
pub(crate) async fn use_proof(change: &mut Change<'_>, proved: &Proved) -> Result<bool, StoreError> {
    if change.use_once(&proved.nonce, proved.stored.passkey.id.as_str()).await?.is_some() {
        return Ok(false);
    }
    let now = change.now();
    store::person::passkey::note_use(change, &proved.stored, &proved.credential, now).await
}

fn read(stored: &StoredPasskey) -> Result<webauthn::Passkey, Fault> {
    serde_json::from_str(&stored.credential).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::fmt::Display) -> Fault {
    tracing::error!(%error, "a passkey could not be read");
    Fault::Damaged
}

/// The user handle, by which passkeys know a person: 16 bytes that say nothing about the person, and are the same for
/// all of the person's passkeys.
fn handle_of(person: &PersonId) -> Uuid {
    let hash = digest::digest(&digest::SHA256, format!("passkey user {person}").as_bytes());
    let mut handle = [0; 16];
    handle.copy_from_slice(&hash.as_ref()[..16]);
    Uuid::from_bytes(handle)
}
