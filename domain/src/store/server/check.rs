//! `server_checks`: the last check of each MCP server.

use crate::base::id::McpServerId;
use crate::model::server::check::{CheckStep, ServerCheck, StepOutcome, StepResult};
use crate::store::{Columns, FromRow, Result, Store, Transaction, row, sql, to_json};

/// A step as the column holds it: step, outcome, what was received.
type StoredStep = (String, String, String);

row! { "server_checks" => ServerCheck { at = "checked_at", by = "checked_by", steps: steps } }

fn steps(columns: &Columns<'_>) -> Result<Vec<StepResult>> {
    let stored: Vec<StoredStep> = columns.json("steps")?;
    // A step of another build is left out.
    let read = |(step, outcome, received): StoredStep| {
        Some(StepResult { step: CheckStep::parse(&step)?, outcome: StepOutcome::parse(&outcome)?, received })
    };
    Ok(stored.into_iter().filter_map(read).collect())
}

pub(crate) async fn find(store: &Store, id: &McpServerId) -> Result<Option<ServerCheck>> {
    sql!("SELECT checked_at, checked_by, steps FROM server_checks WHERE server_id = $1"; id).optional(store).await
}

/// The last check of every server that was checked.
pub(crate) async fn list(store: &Store) -> Result<Vec<(McpServerId, ServerCheck)>> {
    sql!("SELECT server_id, checked_at, checked_by, steps FROM server_checks").all(store).await
}

impl FromRow for (McpServerId, ServerCheck) {
    const TABLE: Option<&'static str> = ServerCheck::TABLE;

    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        Ok((columns.get("server_id")?, ServerCheck::from_row(columns)?))
    }
}

/// Stores the check in place of the one before.
pub(crate) async fn set(transaction: &mut Transaction, id: &McpServerId, check: &ServerCheck) -> Result<()> {
    let steps: Vec<(&str, &str, &str)> =
        check.steps.iter().map(|one| (one.step.as_str(), one.outcome.as_str(), one.received.as_str())).collect();
    let sql = "INSERT INTO server_checks (server_id, checked_at, checked_by, steps) VALUES ($1, $2, $3, $4)
         ON CONFLICT (server_id) DO UPDATE SET checked_at = $2, checked_by = $3, steps = $4";
    sql!(sql; id, check.at, check.by, to_json(&steps)).execute(transaction).await
}
