//! Everything secret that the instance itself holds.
//!
//! One [`MasterKey`], kept outside the database, wraps what is inside it: the pepper of client secrets, the audit
//! key, the key of form tokens and the private signing keys. Each wrapped value names the master key it was wrapped
//! under, so that a wrong key is told apart from a damaged row and the master key can be replaced.

mod master;
pub(crate) mod purpose;
pub mod rotation;
mod signing;

use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

pub use master::{MASTER_KEY_BYTES, MasterKey};
pub use signing::{SigningKey, SigningKeys, TokenAlgorithm};

use self::purpose::{AUDIT, FORMS, INSTANCE_KEYS, PEPPER};
use crate::actor::Actor;
use crate::audit::Event;
use crate::clock::{Clock, Timestamp};
use crate::context::Context;
use crate::random::Random;
use crate::store::{self, Store, StoreError};

/// Why the instance's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database was written under another master key.
    #[error("the master key does not belong to this database (the database needs key {expected}, this is {found})")]
    WrongMasterKey {
        /// Identifier of the master key that wrapped the database's keys.
        expected: String,
        /// Identifier of the master key that was given.
        found: String,
    },
    /// A wrapped value cannot be opened although it names the right master key.
    #[error("the stored {0} is damaged")]
    Damaged(&'static str),
    /// The database has been initialised, but a key is missing; a new one is never made silently, because every
    /// verifier trusts the old one.
    #[error("the stored {0} is missing")]
    Missing(&'static str),
    /// The cryptographic library refused an operation.
    #[error("{0} failed")]
    Crypto(&'static str),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A key of HMAC-SHA-256 with the identifier that stored values name it by.
pub struct MacKey {
    key_id: String,
    key: hmac::Key,
}

impl MacKey {
    fn new(key_id: String, bytes: &[u8]) -> Self {
        Self { key_id, key: hmac::Key::new(hmac::HMAC_SHA256, bytes) }
    }

    /// Names the key in stored values.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// HMAC-SHA-256 of `message`, 32 bytes.
    pub fn mac(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, message).as_ref().to_vec()
    }

    /// HMAC-SHA-256 over `parts`, each preceded by its length, as base64url: two different lists of parts never
    /// give the same message.
    pub fn mac_parts(&self, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(context.sign().as_ref())
    }

    /// Whether `mac` is what [`MacKey::mac_parts`] gives for `parts`, in constant time.
    pub fn verify_parts(&self, parts: &[&str], mac: &str) -> bool {
        constant_time::verify_slices_are_equal(self.mac_parts(parts).as_bytes(), mac.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MacKey({})", self.key_id)
    }
}

/// The instance's keys, opened.
#[derive(Debug)]
pub struct Keys {
    /// Turns a client secret into its stored hash.
    pub pepper: MacKey,
    /// Chains the audit log.
    pub audit: MacKey,
    /// Authenticates form tokens, page cursors and device cookies.
    pub forms: MacKey,
    /// Signs access tokens.
    pub signing: SigningKeys,
    master: Arc<MasterKey>,
}

/// Whether the database holds anything, and so belongs to an existing master key. It may be of an older version.
pub async fn is_initialised(store: &Store) -> Result<bool, StoreError> {
    Ok(!store::keys::is_new_database(store).await?)
}

/// Whether `master` opens the existing database `store`. Changes nothing, and needs no up-to-date schema.
///
/// # Errors
///
/// [`KeyError::WrongMasterKey`], [`KeyError::Damaged`] or [`KeyError::Missing`].
pub async fn check_master_key(store: &Store, master: &MasterKey) -> Result<(), KeyError> {
    let stored = store::keys::instance_keys(store).await?;
    let row = stored.iter().find(|row| row.purpose == PEPPER).ok_or(KeyError::Missing(PEPPER))?;
    master.unwrap(PEPPER, &row.wrapped).map(drop)
}

impl Keys {
    /// Opens the keys of the database, making them first when it is new.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongMasterKey`], [`KeyError::Damaged`] or [`KeyError::Missing`] when an existing database
    /// cannot be opened; nothing is changed then.
    pub async fn open(
        store: &Store,
        master: Arc<MasterKey>,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, KeyError> {
        if !is_initialised(store).await? {
            initialise(store, &master, clock.now(), random).await?;
        }
        let stored = store::keys::instance_keys(store).await?;
        let open = |purpose: &'static str| -> Result<MacKey, KeyError> {
            let row = stored.iter().find(|row| row.purpose == purpose).ok_or(KeyError::Missing(purpose))?;
            Ok(MacKey::new(row.key_id.clone(), &master.unwrap(purpose, &row.wrapped)?))
        };
        let (pepper, audit, forms) = (open(PEPPER)?, open(AUDIT)?, open(FORMS)?);
        let signing = SigningKeys::new(Arc::clone(&master));
        // A missing signing key must not keep the dashboard from starting: /readyz reports it.
        match signing.reload(store, clock.now()).await {
            Ok(()) | Err(KeyError::Missing(_) | KeyError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { pepper, audit, forms, signing, master })
    }

    /// Wraps a secret that the database keeps for others to use, such as the signing secret of a webhook.
    pub(crate) fn wrap(&self, purpose: &'static str, plain: &[u8], random: &dyn Random) -> Result<String, KeyError> {
        self.master.wrap(purpose, plain, random)
    }

    /// Opens what [`Keys::wrap`] made for the same purpose.
    pub(crate) fn unwrap(&self, purpose: &'static str, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.master.unwrap(purpose, wrapped)
    }
}

/// Opens everything that `store` holds wrapped, and so proves that it can be used. Returns how much that is.
///
/// # Errors
///
/// [`KeyError::WrongMasterKey`] or [`KeyError::Damaged`] at the first value that does not open.
pub(crate) async fn open_all(store: &Store, keys: &Keys) -> Result<usize, KeyError> {
    let wrapped = store::wrapped::all(store).await?;
    for value in &wrapped {
        keys.master.unwrap(value.purpose, &value.wrapped)?;
    }
    Ok(wrapped.len())
}

/// Wraps everything under `new` in place of the present master key, in one change. Servers that run still hold the old key:
/// stop them before, and start them with the new one. Returns how many values were wrapped.
///
/// # Errors
///
/// [`KeyError::Damaged`] when a value does not open; nothing is changed then.
pub async fn rewrap(context: &Context, actor: &Actor, new: &MasterKey) -> Result<usize, KeyError> {
    let old = &context.keys.master;
    let mut change = context.begin_change().await?;
    let values = store::wrapped::all_in(change.transaction()).await?;
    for value in &values {
        let plain = old.unwrap(value.purpose, &value.wrapped)?;
        let wrapped = new.wrap(value.purpose, &plain, context.random.as_ref())?;
        store::wrapped::replace(change.transaction(), value, &wrapped).await?;
    }
    let event = Event::new("master_key.replaced", "master_key", new.id(), new.id()).with(json!({ "old": old.id() }));
    change.commit(actor, &event).await?;
    Ok(values.len())
}

/// Makes every key of a new database in one transaction. Two programs that start at once both come here; the
/// second finds the rows of the first and leaves them.
async fn initialise(store: &Store, master: &MasterKey, now: Timestamp, random: &dyn Random) -> Result<(), KeyError> {
    let mut transaction = store.begin().await?;
    if !store::keys::instance_keys_in(&mut transaction).await?.is_empty() {
        return Ok(());
    }
    for purpose in INSTANCE_KEYS {
        let mut bytes = Zeroizing::new([0u8; 32]);
        random.fill(bytes.as_mut());
        let row = store::keys::InstanceKeyRow {
            purpose: purpose.to_owned(),
            key_id: crate::base62::random(random, 6),
            wrapped: master.wrap(purpose, bytes.as_ref(), random)?,
        };
        store::keys::insert_instance_key(&mut transaction, &row, now).await?;
    }
    let row = signing::generate(master, TokenAlgorithm::default(), now, random)?;
    store::keys::insert_signing_key(&mut transaction, &row).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(())
}
