//! Backups: one SQLite file, also when the instance uses PostgreSQL. It is written while servers run, and verified
//! before it counts as a backup.

use std::path::Path;

use crate::audit::verify::{Verdict, verify_chain};
use crate::crypto::keys::KeyError;
use crate::prelude::{Context, Fault};
use crate::services::keyring::open_all;
use crate::store::operations::copy::{CopyError, Counts, Progress};
use crate::store::{self, DatabaseUrl, Store, StoreError, StoreOptions};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The copy failed.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A key in the copy cannot be opened.
    #[error("the copy cannot be used: {0}")]
    Keys(KeyError),
    /// The audit log of the copy is not as it was written.
    #[error("the audit log of the copy is broken at entry {seq}: {reason}")]
    Audit {
        /// Number of the first entry that is wrong.
        seq: i64,
        /// What is wrong with the entry.
        reason: &'static str,
    },
    /// A fault of ours.
    #[error(transparent)]
    Fault(Fault),
}

impl From<Fault> for BackupError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Keys(error) => Self::Keys(error),
            fault => Self::Fault(fault),
        }
    }
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Copy(error.into())
    }
}

/// The result of the verification.
#[derive(Debug, Clone)]
pub struct BackupProof {
    /// Rows of each table.
    pub counts: Counts,
    /// How many wrapped keys and secrets the master key opens.
    pub opened: usize,
    /// Entries of the audit log, each with the right MAC.
    pub entries: i64,
}

impl BackupProof {
    /// Rows of all tables.
    pub fn rows(&self) -> i64 {
        self.counts.iter().map(|(_, rows)| rows).sum()
    }

    /// Rows of one table.
    pub fn rows_of(&self, table: &str) -> i64 {
        self.counts.iter().find(|(name, _)| *name == table).map_or(0, |(_, rows)| *rows)
    }
}

/// Writes a backup to `file`, which must not exist yet, and verifies it: the file is whole, has all rows, opens under
/// the master key, and its audit log is unbroken. A file that fails is removed.
///
/// Until it is verified, the file has another name. So after any interruption, no file looks like a backup without
/// being one.
pub async fn write(context: &Context, file: &Path, progress: Progress<'_>) -> Result<BackupProof, BackupError> {
    let partial = file.with_added_extension("partial");
    // A file that an earlier, interrupted backup left.
    let _ = std::fs::remove_file(&partial);
    let result = match context.store.backup(&partial, progress).await {
        Ok(counts) => open_and_prove(context, &partial, counts).await,
        Err(error) => Err(error.into()),
    };
    let moved = match &result {
        // A hard link never replaces a file that has the name already.
        Ok(_) => std::fs::hard_link(&partial, file).map_err(|error| StoreError::File(error).into()),
        Err(_) => Ok(()),
    };
    // The first error is reported, not an error of this removal.
    let _ = std::fs::remove_file(&partial);
    let proof = moved.and(result)?;
    // The backup is good, also when the instance cannot note it.
    if let Err(error) = store::operations::size::backup_was_proved(&context.store, context.now()).await {
        tracing::warn!(%error, "the moment of the backup could not be stored");
    }
    Ok(proof)
}

async fn open_and_prove(context: &Context, file: &Path, counts: Counts) -> Result<BackupProof, BackupError> {
    let copy = Store::open(&DatabaseUrl::Sqlite(file.to_owned()), &StoreOptions::default()).await?;
    let proof = prove(context, &copy, counts).await;
    copy.close().await;
    proof
}

/// Verifies that a copy of the instance's database is complete and usable.
pub async fn prove(context: &Context, copy: &Store, counts: Counts) -> Result<BackupProof, BackupError> {
    let opened = open_all(copy, &context.keys).await?;
    match verify_chain(copy, &context.keys.audit).await? {
        Verdict::Intact { entries } => Ok(BackupProof { counts, opened, entries }),
        Verdict::Broken { seq, reason } => Err(BackupError::Audit { seq, reason }),
    }
}

/// Copies the instance to an empty database whose schema is up to date, and verifies the copy.
pub async fn copy(context: &Context, target: &Store, progress: Progress<'_>) -> Result<BackupProof, BackupError> {
    let counts = context.store.copy_to(target, progress).await?;
    prove(context, target, counts).await
}
