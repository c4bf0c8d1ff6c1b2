//! Replacing the master key.

use serde_json::json;

use crate::context::Context;
use crate::crypto::keys::MasterKey;
use crate::error::Fault;
use crate::model::actor::Actor;
use crate::model::audit::{Action, Event, Target};
use crate::store;

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
        let plain = old.unwrap(value.purpose, &value.wrapped)?;
        let wrapped = new.wrap(value.purpose, &plain, context.random.as_ref())?;
        store::operations::wrapped::replace(&mut change, value, &wrapped).await?;
    }
    let event =
        Event::new(Action::MasterKeyReplaced, Target::MasterKey, new.id(), new.id()).with(json!({ "old": old.id() }));
    change.commit(actor, &event).await?;
    Ok(values.len())
}
