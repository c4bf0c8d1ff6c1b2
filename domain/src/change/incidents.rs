//! The states of incidents follow from what leaked: an incident is contained when nothing of it works. Any change may
//! cause that, and time may: so no operation has to think of it, and [`super::Change`] asks here.

use crate::base::clock::Timestamp;
use crate::model::audit::{Action, Event};
use crate::model::incident::record::Turn;
use crate::store::{self, StoreError, Transaction};

/// Stores the states that follow from the rows in this transaction. Returns an event for each incident whose state
/// changed.
pub(crate) async fn settle(transaction: &mut Transaction, now: Timestamp) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for turn in store::incident::record::turns(&mut *transaction, now).await? {
        store::incident::record::turn(transaction, &turn, now).await?;
        events.extend(event(transaction, &turn, now).await?);
    }
    Ok(events)
}

async fn event(transaction: &mut Transaction, turn: &Turn, now: Timestamp) -> Result<Option<Event>, StoreError> {
    let found = store::incident::record::find(&mut *transaction, None, turn.number).await?;
    let Some(mut incident) = found else { return Ok(None) };
    incident.items = store::incident::record::items(transaction, turn.number, now).await?;
    let action = if turn.is_contained { Action::IncidentContained } else { Action::IncidentReopened };
    Ok(Some(incident.event(action)))
}
