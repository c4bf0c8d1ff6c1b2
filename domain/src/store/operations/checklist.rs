//! `checklist`: the steps that a person ticked, and whether the list is dismissed.

use crate::base::clock::Timestamp;
use crate::model::operations::ChecklistMark;
use crate::store::{On, Result, Transaction, sql};

pub(crate) async fn marks(on: impl On<'_>) -> Result<Vec<ChecklistMark>> {
    sql!("SELECT step FROM checklist ORDER BY step").about("checklist").all(on).await
}

/// Sets the mark or removes it; false when that changes nothing.
pub(crate) async fn set(transaction: &mut Transaction, mark: ChecklistMark, on: bool, now: Timestamp) -> Result<bool> {
    if on {
        let sql = "INSERT INTO checklist (step, done_at) VALUES ($1, $2) ON CONFLICT (step) DO NOTHING";
        sql!(sql; mark, now).changed(transaction).await
    } else {
        sql!("DELETE FROM checklist WHERE step = $1"; mark).changed(transaction).await
    }
}
