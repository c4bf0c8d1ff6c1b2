//! Replacing signing keys, and the master key.
//!
//! In an ordered rotation the new key is published long before it signs, and the old key stays until its last token has
//! ended. So no verifier ever sees a key that it does not know. In an emergency the old key is removed at once.

use std::time::Duration;

use serde_json::json;

use crate::crypto::keys::{MasterKey, TokenAlgorithm};
use crate::model::server::LONGEST_TOKEN_LIFETIME;
use crate::prelude::{Action, Actor, Context, Event, Fault, Target, Timestamp, operation_error};
use crate::store;

pub use crate::store::operations::keys::SigningKeyState;

/// How long a new key is published before it signs. Verifiers may keep the JWKS for five minutes; many keep it longer.
pub const PUBLISHED_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// How long an old key stays after the end of the last token that it can have signed.
const KEPT_AFTER: Duration = Duration::from_secs(3600);

/// How a key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationMode {
    /// Ordered: verifiers see no interruption.
    Ordered,
    /// Other parties know the old key. It leaves the JWKS at once, and every token that it signed is refused.
    Emergency,
}

operation_error! {
    /// Why no key was replaced.
    pub enum RotationError {
        /// No MCP server uses this algorithm, or the actor is no administrator.
        #[error("there is no key of this algorithm")]
        NoSuchKey,
        /// A new key is published and does not sign yet.
        #[error("a new key is published already and signs soon")]
        UnderWay,
    }
}

/// The keys that are published now, and the keys that left the JWKS in the last 30 days.
pub async fn list(context: &Context) -> Result<Vec<SigningKeyState>, Fault> {
    let since = context.now().minus(Duration::from_secs(30 * 24 * 3600));
    Ok(store::operations::keys::signing_key_states(&context.store, since).await?)
}

/// Makes a new key of `algorithm` and retires the present ones, at once or in order. Returns when the new key begins to
/// sign.
pub async fn rotate(
    context: &Context,
    actor: &Actor,
    algorithm: TokenAlgorithm,
    mode: RotationMode,
) -> Result<Timestamp, RotationError> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, RotationError::NoSuchKey).await?;
    let now = change.now();
    let mut present = store::operations::keys::signing_key_states(&mut change, now).await?;
    present.retain(|key| key.alg == algorithm.as_str());
    if present.is_empty() {
        return Err(RotationError::NoSuchKey);
    }
    if mode == RotationMode::Ordered && present.iter().any(|key| key.active_from > now) {
        return Err(RotationError::UnderWay);
    }
    let (active_from, others_leave) = match mode {
        RotationMode::Ordered => {
            let active_from = now.plus(PUBLISHED_AHEAD);
            (active_from, active_from.plus(LONGEST_TOKEN_LIFETIME).plus(KEPT_AFTER))
        }
        RotationMode::Emergency => (now, now),
    };
    store::operations::keys::retire_signing_keys(&mut change, algorithm.as_str(), others_leave).await?;
    let random = context.random.as_ref();
    let kid = context.keys.signing.add(&mut change, algorithm, active_from, now, random).await?;
    let event = Event::new(Action::SigningKeyRotated, Target::SigningKey, &kid, algorithm.as_str()).with(json!({
        "emergency": mode == RotationMode::Emergency,
        "signs_from": active_from.rfc3339(),
        "others_leave": others_leave.rfc3339(),
    }));
    change.commit(actor, &event).await?;
    // This program uses the new key at once; others see it within seconds.
    context.keys.signing.reload(&context.store, now).await?;
    Ok(active_from)
}

/// Wraps all keys and secrets under `new` instead of the present master key, in one change. A running server still
/// holds the old key: stop all servers before, and start them with the new key. Returns how many values were wrapped.
///
/// # Errors
///
/// [`KeyError::Damaged`](crate::crypto::keys::KeyError::Damaged) when a value cannot be unwrapped; then nothing is
/// changed.
pub async fn rewrap(context: &Context, actor: &Actor, new: &MasterKey) -> Result<usize, Fault> {
    let old = &context.keys.master;
    let mut change = context.begin_change().await?;
    let values = store::operations::wrapped::all_in(&mut change).await?;
    for value in &values {
        let plain = old.unwrap(value.purpose, &value.row, &value.wrapped)?;
        let wrapped = new.wrap(value.purpose, &value.row, &plain, context.random.as_ref())?;
        store::operations::wrapped::replace(&mut change, value, &wrapped).await?;
    }
    let event =
        Event::new(Action::MasterKeyReplaced, Target::MasterKey, new.id(), new.id()).with(json!({ "old": old.id() }));
    change.commit(actor, &event).await?;
    Ok(values.len())
}
