//! [`Transaction`], and the permit to write to SQLite.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Any, AnyConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::connection::pool::Patience;
use crate::store::error::StoreError;

/// How long a transaction waits for its permit.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A transaction. When it is dropped without [`Transaction::commit`], it is rolled back.
pub struct Transaction {
    inner: sqlx::Transaction<'static, Any>,
    /// Released when the transaction has ended.
    _permit: Option<WritePermit>,
    patience: Patience,
}

impl Transaction {
    pub(crate) fn new(inner: sqlx::Transaction<'static, Any>, permit: Option<WritePermit>, patience: Patience) -> Self {
        Self { inner, _permit: permit, patience }
    }

    /// How long one of its statements is waited for.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The same without a limit, for a transaction that copies or changes everything.
    pub(crate) fn be_patient(&mut self) {
        self.patience = Patience::default();
    }

    /// Commits the transaction.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.patience.wait(self.inner.commit()).await?)
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

/// The right to write to SQLite. Within this process one task has it at a time, in the order of asking.
///
/// Without it, SQLite makes a second writer sleep and try again. Beside a ledger that writes without a break, that
/// writer would rarely find a free moment, and a revocation would take seconds. With the permit it waits for one batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct WritePermits(Arc<Mutex<()>>);

/// See [`WritePermits`].
pub(crate) type WritePermit = OwnedMutexGuard<()>;

impl WritePermits {
    pub(crate) async fn acquire(&self) -> Result<WritePermit, StoreError> {
        let waiting = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.0).lock_owned());
        let problem = || std::io::Error::other("another change takes too long");
        waiting.await.map_err(|_| StoreError::Unavailable(sqlx::Error::Io(problem())))
    }
}
