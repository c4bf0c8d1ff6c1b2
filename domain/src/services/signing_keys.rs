//! Holds the published signing keys, decrypted, in memory.

use std::collections::HashMap;
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
    reading: tokio::sync::Mutex<()>,
}

/// The opened keys and when they were read.
#[derive(Debug, Default)]
pub(crate) struct OpenedKeys {
    keys: HashMap<String, Arc<SigningKey>>,
    read_at: Option<Timestamp>,
}

/// The opened keys are read again after this time: another program may have dropped one of them.
pub(crate) const BELIEVED: Duration = Duration::from_secs(5);

impl SigningKeys {
    pub(crate) fn new(master: Arc<MasterKey>) -> Self {
        Self { master, opened: RwLock::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Reads the published keys again.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`] when no key may sign now, [`KeyError::Damaged`] or [`KeyError::ForeignPublicHalf`] when
    /// one cannot be opened. What was opened before is dropped in each case: a key that is gone from the database must
    /// not sign.
    pub async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        self.read(store, now).await.1
    }

    /// Reads the published keys and opens the new ones. The keys that could be opened are returned beside the error.
    async fn read(&self, store: &Store, now: Timestamp) -> (Vec<Arc<SigningKey>>, Result<(), Fault>) {
        // Reads run one after the other, so that the last task to write here is also the last that read.
        let _turn = self.reading.lock().await;
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
        if result.is_ok() && !rows.iter().any(|row| row.active_from <= now) {
            result = Err(KeyError::Missing(SIGNING_KEY).into());
        }
        let published = keys.values().cloned().collect();
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = OpenedKeys { keys, read_at: Some(now) };
        (published, result)
    }

    /// The opened key named `kid`. It is read from the database if it is not opened yet.
    pub async fn get(&self, store: &Store, kid: &str, now: Timestamp) -> Result<Arc<SigningKey>, Fault> {
        if let Some(key) = self.cached(kid, now) {
            return Ok(key);
        }
        self.reload(store, now).await?;
        self.cached(kid, now).ok_or(Fault::Keys(KeyError::Missing(SIGNING_KEY)))
    }

    /// The opened key named `kid`, if the keys were read from the database a moment ago.
    pub fn cached(&self, kid: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.read_at.filter(|read_at| now.since(*read_at) < BELIEVED)?;
        opened.keys.get(kid).cloned()
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

    /// The public keys as a JWK set (RFC 7517 §5), from the database at this moment.
    pub async fn jwks(&self, store: &Store, now: Timestamp) -> Result<Value, Fault> {
        let (mut keys, result) = self.read(store, now).await;
        result?;
        keys.sort_by(|left, right| left.kid.cmp(&right.kid));
        Ok(serde_json::json!({ "keys": keys.iter().map(|key| &key.public_jwk).collect::<Vec<_>>() }))
    }
}
