//! Sign-in with a passkey alone. A passkey is two factors, so neither a password nor a code is needed.

use std::net::IpAddr;

use serde_json::json;

use crate::model::person::Person;
use crate::person::passkey::{self, ChallengePurpose, PasskeyAnswer, Verdict};
use crate::person::second_factor::Means;
use crate::person::sign_in::{
    Result, SignInError, buckets_of_the_unguessable, count, forgive, record_refusal_of_stranger, started,
};
use crate::prelude::{Actor, Context};

/// Checks an answer to a challenge of [`ChallengePurpose::SignIn`] and returns the person. The answer is the same for
/// unknown passkeys, wrong signatures and disabled people.
///
/// A signature cannot be guessed, so attempts are counted by source address. A browser in which the passkey's owner
/// signed in before has a separate count: otherwise a neighbour behind the same address could lock the owner out.
pub async fn sign_in_with_passkey(
    context: &Context,
    answer: &PasskeyAnswer,
    address: Option<IpAddr>,
    agent: Option<&str>,
    device: Option<&str>,
) -> Result<Person> {
    let claimed = passkey::owner(context, answer).await?;
    let buckets = buckets_of_the_unguessable(context, claimed.as_ref(), address, device);
    count(context, &buckets).await?;
    let owner = match passkey::verify(context, ChallengePurpose::SignIn, None, answer).await? {
        Verdict::Proved(proved) => {
            let mut change = context.begin_change().await?;
            if passkey::use_proof(&mut change, &proved).await? {
                forgive(&mut change, &buckets).await?;
                let person = proved.person;
                let actor = Actor::of(&person).at(address, agent);
                let event = started(&person).with(json!({ "second_factor": Means::Passkey.as_str() }));
                change.commit(&actor, &event).await?;
                return Ok(person);
            }
            Some(proved.person)
        }
        Verdict::Refused(owner) => owner.map(|owner| *owner),
    };
    record_refusal_of_stranger(context, &Actor::system().at(address, agent), owner.as_ref(), "wrong passkey").await?;
    Err(SignInError::Refused)
}
