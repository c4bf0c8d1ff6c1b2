//! What administrators are told about the instance itself.

use std::time::Duration;

use crate::prelude::{Context, Result, Timestamp};
use crate::store::{self, Engine};
use crate::webhook::mail;

/// The instance, as its page shows it.
pub struct Facts {
    /// The kind of the database.
    pub engine: Engine,
    /// The size of the database in bytes.
    pub bytes: i64,
    /// The number of the newest migration of the database.
    pub schema: i64,
    /// How far this machine's clock is ahead of the database's, or behind it. `None` when the database has no clock of
    /// its own.
    pub clock: Option<ClockDifference>,
    /// The number of the newest entry of the audit log.
    pub entries: i64,
    /// The algorithms of the signing keys that are not retired, and when each key was created.
    pub keys: Vec<(String, Timestamp)>,
    /// When a backup was written and proved last.
    pub backup_at: Option<Timestamp>,
    /// How e-mails are going; `None` without a mail server.
    pub mail: Option<mail::Health>,
    /// How many webhooks there are.
    pub webhooks: usize,
    /// The names of the webhooks whose messages do not arrive, and since when.
    pub failing: Vec<(String, Timestamp)>,
}

/// A difference of two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDifference {
    /// This machine's clock is ahead.
    Ahead(Duration),
    /// This machine's clock is behind.
    Behind(Duration),
}

/// Reads the facts.
pub async fn read(context: &Context) -> Result<Facts> {
    let store = &context.store;
    let (entries, _) = store::audit::head(store).await?;
    let now = context.now();
    let keys = crate::operations::key_rotation::list(context).await?;
    let keys = keys.iter().filter(|key| key.retired_at.is_none_or(|at| at > now));
    let webhooks = crate::webhook::list(context).await?;
    let ahead = context.metrics.clock_ahead_millis();
    let difference = Duration::from_millis(ahead.unsigned_abs());
    let clock = if ahead < 0 { ClockDifference::Behind(difference) } else { ClockDifference::Ahead(difference) };
    Ok(Facts {
        engine: store.engine(),
        bytes: store::operations::size::bytes(store).await?,
        schema: store::operations::size::schema(store).await?,
        clock: (store.engine() == Engine::Postgres).then_some(clock),
        entries,
        keys: keys.map(|key| (key.alg.clone(), key.created_at)).collect(),
        backup_at: store::operations::size::backup_proved_at(store).await?,
        mail: mail::health(context).await?,
        webhooks: webhooks.len(),
        failing: webhooks.into_iter().filter_map(|webhook| Some((webhook.name, webhook.failing_since?))).collect(),
    })
}
