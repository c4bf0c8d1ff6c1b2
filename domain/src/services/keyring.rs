//! Holds the instance's keys, decrypted, in memory.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::base::clock::{Clock, Timestamp};
use crate::base::random::Random;
use crate::crypto::keys::purpose::{AUDIT, FORMS, INSTANCE_KEYS, PEPPER};
use crate::crypto::keys::signing::{self, TokenAlgorithm};
use crate::crypto::keys::{KeyError, MacKey, MasterKey};
use crate::error::{Fault, Result};
use crate::services::signing_keys::SigningKeys;
use crate::store::{self, Store, StoreError};

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
    /// Wraps the secrets that the database keeps for later use, such as the signing secret of a webhook.
    pub(crate) master: Arc<MasterKey>,
}

/// Whether the database holds rows, and so belongs to an existing master key. Its schema may be of an older version.
pub async fn is_initialised(store: &Store) -> Result<bool, StoreError> {
    Ok(!store::operations::keys::is_new_database(store).await?)
}

/// Whether `master` opens the existing database `store`. Changes nothing, and needs no up-to-date schema.
///
/// # Errors
///
/// [`KeyError::WrongMasterKey`], [`KeyError::Damaged`] or [`KeyError::Missing`].
pub async fn check_master_key(store: &Store, master: &MasterKey) -> Result<()> {
    let stored = store::operations::keys::instance_keys(store).await?;
    let row = stored.iter().find(|row| row.purpose == PEPPER).ok_or(KeyError::Missing(PEPPER))?;
    Ok(master.unwrap(PEPPER, &row.wrapped).map(drop)?)
}

impl Keys {
    /// Opens the keys of the database, making them first when it is new.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongMasterKey`], [`KeyError::Damaged`] or [`KeyError::Missing`] when an existing database
    /// cannot be opened; nothing is changed then.
    pub async fn open(store: &Store, master: Arc<MasterKey>, clock: &dyn Clock, random: &dyn Random) -> Result<Self> {
        if !is_initialised(store).await? {
            initialise(store, &master, clock.now(), random).await?;
        }
        let stored = store::operations::keys::instance_keys(store).await?;
        let open = |purpose: &'static str| -> Result<MacKey, KeyError> {
            let row = stored.iter().find(|row| row.purpose == purpose).ok_or(KeyError::Missing(purpose))?;
            Ok(MacKey::new(row.key_id.clone(), &master.unwrap(purpose, &row.wrapped)?))
        };
        let (pepper, audit, forms) = (open(PEPPER)?, open(AUDIT)?, open(FORMS)?);
        let signing = SigningKeys::new(Arc::clone(&master));
        // A missing signing key must not keep the dashboard from starting: /readyz reports it.
        match signing.reload(store, clock.now()).await {
            Ok(()) | Err(Fault::Keys(KeyError::Missing(_) | KeyError::Damaged(_))) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { pepper, audit, forms, signing, master })
    }
}

/// Opens every wrapped value in `store`. This proves that the database can be used. Returns the number of values.
///
/// # Errors
///
/// [`KeyError::WrongMasterKey`] or [`KeyError::Damaged`] at the first value that does not open.
pub(crate) async fn open_all(store: &Store, keys: &Keys) -> Result<usize> {
    let wrapped = store::operations::wrapped::all(store).await?;
    for value in &wrapped {
        keys.master.unwrap(value.purpose, &value.wrapped)?;
    }
    Ok(wrapped.len())
}

/// Makes every key of a new database in one transaction. Two programs that start at once both come here; the
/// second finds the rows of the first and leaves them.
pub(crate) async fn initialise(store: &Store, master: &MasterKey, now: Timestamp, random: &dyn Random) -> Result<()> {
    let mut transaction = store.begin().await?;
    if !store::operations::keys::instance_keys(&mut transaction).await?.is_empty() {
        return Ok(());
    }
    for purpose in INSTANCE_KEYS {
        let mut bytes = Zeroizing::new([0u8; 32]);
        random.fill(bytes.as_mut());
        let row = store::operations::keys::InstanceKeyRow {
            purpose: purpose.to_owned(),
            key_id: crate::base::encoding::base62::random(random, 6),
            wrapped: master.wrap(purpose, bytes.as_ref(), random)?,
        };
        store::operations::keys::insert_instance_key(&mut transaction, &row, now).await?;
    }
    let row = signing::generate(master, TokenAlgorithm::default(), now, random)?;
    store::operations::keys::insert_signing_key(&mut transaction, &row).await?;
    Ok(transaction.commit().await?)
}
