//! Holds the published signing keys, decrypted, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::crypto::keys::purpose::SIGNING_KEY;
use crate::crypto::keys::signing::{SigningKey, SigningKeyRow, TokenAlgorithm, generate};
use crate::crypto::keys::{KeyError, MasterKey};
use crate::error::Fault;
use crate::store::{self, Store, Transaction};

/// The signing keys that are published: keys that sign, keys that will sign, and keys whose tokens still live.
///
/// The database decides which key signs: the issuing transaction reads its `kid`. This type holds the opened keys, and
/// reads them again when a `kid` is not among them.
#[derive(Debug)]
pub struct SigningKeys {
    master: Arc<MasterKey>,
    opened: RwLock<OpenedKeys>,
    /// How many reads began.
    begun: AtomicU64,
    /// Held by a read. The number of the newest read that succeeded.
    reading: tokio::sync::Mutex<u64>,
}

/// The opened keys and when they were read.
#[derive(Debug, Default)]
pub(crate) struct OpenedKeys {
    keys: HashMap<String, Arc<SigningKey>>,
    read_at: Option<Timestamp>,
}

/// The opened keys are read again after this time: another program may have dropped one of them.
pub(crate) const BELIEVED: Duration = Duration::from_secs(5);

/// How long readers may keep the public keys.
const PUBLISHED_FOR: Duration = Duration::from_secs(300);

impl SigningKeys {
    pub(crate) fn new(master: Arc<MasterKey>) -> Self {
        Self { master, opened: RwLock::default(), begun: AtomicU64::new(0), reading: tokio::sync::Mutex::default() }
    }

    /// Reads the published keys again.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`] when there is no key, [`KeyError::Damaged`] or [`KeyError::ForeignPublicHalf`] when
    /// one cannot be opened. What was opened before is dropped in each case: a key that is gone from the database must
    /// not sign.
    pub async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        self.read(store, now).await.1
    }

    /// Reads the published keys and opens the new ones. The keys that could be opened are returned beside the error.
    async fn read(&self, store: &Store, now: Timestamp) -> (Vec<Arc<SigningKey>>, Result<(), Fault>) {
        // Reads run one after the other, so that the last task to write here is also the last that read.
        let mut newest = self.reading.lock().await;
        self.read_in_turn(&mut newest, store, now).await
    }

    /// Reads the keys again, unless another task did so from beginning to end since this call began. An invented `kid`
    /// costs a read, and all that come while a read runs cost one together.
    async fn reload_once(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        let begun = self.begun.load(Ordering::Acquire);
        let mut newest = self.reading.lock().await;
        if *newest > begun {
            return Ok(());
        }
        self.read_in_turn(&mut newest, store, now).await.1
    }

    async fn read_in_turn(
        &self,
        newest: &mut u64,
        store: &Store,
        now: Timestamp,
    ) -> (Vec<Arc<SigningKey>>, Result<(), Fault>) {
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let rows = match store::operations::keys::published_signing_keys(store, now).await {
            Ok(rows) => rows,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let mut result = Ok(());
        let mut keys = HashMap::new();
        for row in &rows {
            let known = self.opened.read().unwrap_or_else(PoisonError::into_inner).keys.get(&row.kid).cloned();
            let opened = match known {
                Some(key) if key.is_of(row) => Ok(key),
                _ => SigningKey::open(&self.master, row).map(Arc::new),
            };
            match opened {
                Ok(key) => drop(keys.insert(row.kid.clone(), key)),
                Err(error) => result = Err(error.into()),
            }
        }
        if result.is_ok() && rows.is_empty() {
            result = Err(KeyError::Missing(SIGNING_KEY).into());
        }
        if !rows.is_empty() && rows.iter().all(|row| row.active_from > now) {
            tracing::warn!("every signing key begins in the future: the clock is behind, or was ahead before");
        }
        let published = keys.values().cloned().collect();
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = OpenedKeys { keys, read_at: Some(now) };
        if result.is_ok() {
            *newest = number;
        }
        (published, result)
    }

    /// The opened key named `kid`. It is read from the database if it is not opened yet.
    pub async fn get(&self, store: &Store, kid: &str, now: Timestamp) -> Result<Arc<SigningKey>, Fault> {
        if let Some(key) = self.cached(kid, now) {
            return Ok(key);
        }
        self.reload_once(store, now).await?;
        self.cached(kid, now).ok_or(Fault::Keys(KeyError::Missing(SIGNING_KEY)))
    }

    /// The opened key named `kid`, if the keys were read from the database a moment ago.
    pub fn cached(&self, kid: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.read_at.filter(|read_at| read_at.is_recent(now, BELIEVED))?;
        opened.keys.get(kid).cloned()
    }

    /// The keys that were read last, if that is not too long ago.
    fn published(&self, now: Timestamp) -> Option<Vec<Arc<SigningKey>>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.read_at.filter(|read_at| read_at.is_recent(now, PUBLISHED_FOR))?;
        Some(opened.keys.values().cloned().collect())
    }

    /// Makes the first key of `algorithm` inside `transaction`, unless there is one.
    pub(crate) async fn ensure(
        &self,
        transaction: &mut Transaction,
        algorithm: TokenAlgorithm,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(), Fault> {
        let active = store::operations::keys::active_signing_keys(&mut *transaction, now).await?;
        if !active.contains_key(algorithm.as_str()) {
            let row = generate(&self.master, algorithm, now, random)?;
            store::operations::keys::insert_signing_key(transaction, &row).await?;
        }
        Ok(())
    }

    /// Stores a further key of `algorithm` inside `transaction`, which signs from `active_from` on.
    pub(crate) async fn add(
        &self,
        transaction: &mut Transaction,
        algorithm: TokenAlgorithm,
        active_from: Timestamp,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<String, Fault> {
        let row = SigningKeyRow { active_from, ..generate(&self.master, algorithm, now, random)? };
        store::operations::keys::insert_signing_key(transaction, &row).await?;
        Ok(row.kid)
    }

    /// The public keys as a JWK set (RFC 7517 §5), from the database at this moment. While the database is away, the
    /// keys that were read last, for as long as readers may keep them ([`PUBLISHED_FOR`]).
    ///
    /// # Errors
    ///
    /// As [`SigningKeys::reload`].
    pub async fn jwks(&self, store: &Store, now: Timestamp) -> Result<Value, Fault> {
        let (mut keys, result) = self.read(store, now).await;
        match result {
            Err(Fault::Store(error)) => keys = self.published(now).ok_or(error)?,
            result => result?,
        }
        keys.sort_by(|left, right| left.kid.cmp(&right.kid));
        Ok(serde_json::json!({ "keys": keys.iter().map(|key| &key.public_jwk).collect::<Vec<_>>() }))
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::testing::Instance;

    #[tokio::test]
    async fn many_invented_kids_at_once_cost_one_read() {
        let instance = Instance::new().await;
        let begun = || instance.context.keys.signing.begun.load(Ordering::Acquire);
        let before = begun();
        // While somebody else reads, all of them come and wait.
        let turn = instance.context.keys.signing.reading.lock().await;
        let mut calls = JoinSet::new();
        for number in 0..50 {
            let context = instance.context.clone();
            calls.spawn(async move {
                context.keys.signing.get(&context.store, &format!("invented-{number}"), context.now()).await
            });
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(turn);
        let found = calls.join_all().await;
        assert!(found.iter().all(|found| matches!(found, Err(Fault::Keys(KeyError::Missing(_))))));
        assert_eq!(begun() - before, 1, "the first reads for all of them");
    }
}
