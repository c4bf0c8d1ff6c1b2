//! The checklist on the overview: most of its steps follow from what the instance holds. A person ticks the others, and
//! dismisses the list.

use serde_json::json;

use crate::model::operations::ChecklistMark;
use crate::prelude::{Action, Actor, Context, Event, Fault, operation_error};
use crate::store;

operation_error! {
    /// Why the checklist was not changed.
    pub enum ChecklistError {
        /// The actor is no administrator.
        #[error("only administrators see the checklist")]
        NotFound,
    }
}

/// The marks that are set.
pub async fn marks(context: &Context) -> Result<Vec<ChecklistMark>, Fault> {
    Ok(store::operations::checklist::marks(&context.store).await?)
}

/// Sets a mark or removes it.
pub async fn set(context: &Context, actor: &Actor, mark: ChecklistMark, on: bool) -> Result<(), ChecklistError> {
    let mut change = context.begin_change().await?;
    change.require_administrator(actor, ChecklistError::NotFound).await?;
    let now = change.now();
    if !store::operations::checklist::set(&mut change, mark, on, now).await? {
        return Ok(());
    }
    let event = Event::of_instance(Action::ChecklistChanged).with(json!({ "step": mark.as_str(), "done": on }));
    Ok(change.commit(actor, &event).await?)
}
