//! Challenges: what a passkey signs. The browser carries the state of a challenge, protected by a MAC; the state holds
//! no secret.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

use crate::base::encoding::base62;
use crate::base::id::PersonId;
use crate::context::Context;

/// How long a person may take to answer.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The purpose of a challenge. An answer is accepted for this purpose only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengePurpose {
    /// Signing in with a passkey alone.
    SignIn,
    /// The second step of a sign-in.
    SecondStep,
    /// Confirming the identity before a sensitive action.
    Confirm,
    /// Adding a passkey.
    Add,
}

/// What a browser receives.
#[derive(Debug, Serialize)]
pub struct Challenge {
    /// The options for the browser, as WebAuthn's JSON.
    pub options: Value,
    /// The state that the browser sends back with the answer.
    pub state: String,
}

/// What the library needs to check the answer.
#[derive(Serialize, Deserialize)]
pub(crate) enum State {
    Adding(Box<PasskeyRegistration>),
    Proving(Box<DiscoverableAuthentication>),
}

/// What the browser carries.
#[derive(Serialize, Deserialize)]
pub(crate) struct CarriedChallenge {
    purpose: ChallengePurpose,
    person: Option<String>,
    expires_at: i64,
    /// The value that is used up with the answer, even when the answer is late.
    pub nonce: String,
    pub state: State,
}

impl CarriedChallenge {
    pub(crate) fn is_in_time(&self, context: &Context) -> bool {
        context.now().millis() < self.expires_at
    }
}

pub(crate) fn seal(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
    state: State,
    options: Value,
) -> Challenge {
    let carried = CarriedChallenge {
        purpose,
        person: person.map(ToString::to_string),
        expires_at: context.now().plus(LIFETIME).millis(),
        nonce: base62::random(context.random.as_ref(), 22),
        state,
    };
    let text = json!(carried).to_string();
    let mac = context.keys.forms.mac_parts(&["passkey challenge", &text]);
    Challenge { options, state: format!("{}.{mac}", URL_SAFE_NO_PAD.encode(text)) }
}

/// A state that we made for this purpose, in time or not.
pub(crate) fn read(
    context: &Context,
    purpose: ChallengePurpose,
    person: Option<&PersonId>,
    state: &str,
) -> Option<CarriedChallenge> {
    let (text, mac) = state.split_once('.')?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    if !context.keys.forms.verify_parts(&["passkey challenge", &text], mac) {
        return None;
    }
    let carried: CarriedChallenge = serde_json::from_str(&text).ok()?;
    let is_for_this = carried.purpose == purpose && carried.person.as_deref() == person.map(PersonId::as_str);
    is_for_this.then_some(carried)
}
