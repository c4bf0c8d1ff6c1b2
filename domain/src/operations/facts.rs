//! What administrators are told about the instance itself.

use crate::prelude::{Context, Result, Timestamp};
use crate::store::{self, Engine};

/// The instance, as its page shows it.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The kind of the database.
    pub engine: Engine,
    /// The size of the database in bytes.
    pub bytes: i64,
    /// The number of the newest entry of the audit log.
    pub entries: i64,
    /// When a signing key was created last.
    pub newest_key_at: Option<Timestamp>,
}

/// Reads the facts.
pub async fn read(context: &Context) -> Result<Facts> {
    let (entries, _) = store::audit::head(&context.store).await?;
    let keys = crate::operations::key_rotation::list(context).await?;
    let newest_key_at = keys.iter().map(|key| key.created_at).max();
    let bytes = store::operations::size::bytes(&context.store).await?;
    Ok(Facts { engine: context.store.engine(), bytes, entries, newest_key_at })
}
