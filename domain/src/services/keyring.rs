//! Holds the instance's keys, decrypted, in memory.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::base::clock::{Clock, Timestamp};
use crate::base::random::Random;
use crate::crypto::keys::purpose::{AUDIT, FORMS, INSTANCE_KEYS, PEPPER};
use crate::crypto::keys::signing::{self, SigningKey, TokenAlgorithm};
use crate::crypto::keys::{KeyError, MacKey, MasterKey};
use crate::error::{Fault, Result};
use crate::services::signing_keys::SigningKeys;
use crate::store::operations::keys::InstanceKeyRow;
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
    let opened = match MasterKey::is_unbound(&row.wrapped) {
        true => master.unwrap_unbound(PEPPER, &row.wrapped),
        false => master.unwrap(PEPPER, PEPPER, &row.wrapped),
    };
    Ok(opened.map(drop)?)
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
        bind(store, &master, random).await?;
        let stored = store::operations::keys::instance_keys(store).await?;
        let open = |purpose: &'static str| -> Result<MacKey, KeyError> {
            let row = stored.iter().find(|row| row.purpose == purpose).ok_or(KeyError::Missing(purpose))?;
            Ok(MacKey::new(row.key_id.clone(), &master.unwrap(purpose, purpose, &row.wrapped)?))
        };
        let (pepper, audit, forms) = (open(PEPPER)?, open(AUDIT)?, open(FORMS)?);
        let signing = SigningKeys::new(Arc::clone(&master));
        // A missing signing key must not keep the dashboard from starting: /readyz reports it.
        match signing.reload(store, clock.now()).await {
            Ok(()) => {}
            Err(Fault::Keys(
                error @ (KeyError::Missing(_) | KeyError::Damaged(_) | KeyError::ForeignPublicHalf { .. }),
            )) => tracing::error!(%error, "no access token can be issued or checked"),
            Err(error) => return Err(error),
        }
        Ok(Self { pepper, audit, forms, signing, master })
    }

    /// Seals a form that a browser keeps while its person signs in. Nothing when the cryptographic library refuses.
    pub fn seal_draft(&self, form: &[u8], random: &dyn Random) -> Option<String> {
        self.master.seal_draft(form, random).ok()
    }

    /// Opens what [`Keys::seal_draft`] sealed. Nothing for every other text.
    pub fn open_draft(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.master.open_draft(sealed).ok()
    }
}

/// Binds each wrapped value of an earlier version to its row. Once the pepper is bound, no value in the earlier form
/// opens any more: it could come from another row.
async fn bind(store: &Store, master: &MasterKey, random: &dyn Random) -> Result<()> {
    let is_unbound =
        |rows: Vec<InstanceKeyRow>| rows.iter().any(|row| row.purpose == PEPPER && MasterKey::is_unbound(&row.wrapped));
    if !is_unbound(store::operations::keys::instance_keys(store).await?) {
        return Ok(());
    }
    let mut transaction = store.begin().await?;
    // Another program may have done it since.
    if !is_unbound(store::operations::keys::instance_keys(&mut transaction).await?) {
        return Ok(());
    }
    let values = store::operations::wrapped::all_in(&mut transaction).await?;
    for value in &values {
        match master.unwrap_unbound(value.purpose, &value.wrapped) {
            Ok(plain) => {
                let wrapped = master.wrap(value.purpose, &value.row, &plain, random)?;
                store::operations::wrapped::replace(&mut transaction, value, &wrapped).await?;
            }
            // It could not be used before either.
            Err(KeyError::Damaged(_)) if value.purpose != PEPPER => {
                tracing::error!(purpose = value.purpose, row = value.row, "a wrapped value is damaged");
            }
            Err(error) => return Err(error.into()),
        }
    }
    transaction.commit().await?;
    tracing::info!(values = values.len(), "wrapped keys and secrets of an earlier version are bound to their rows");
    Ok(())
}

/// Opens every wrapped value in `store`, and compares both halves of each signing key. This proves that the database
/// can be used. Returns the number of values.
///
/// # Errors
///
/// [`KeyError::WrongMasterKey`], [`KeyError::Damaged`] or [`KeyError::ForeignPublicHalf`] at the first value that is
/// wrong.
pub async fn open_all(store: &Store, keys: &Keys) -> Result<usize> {
    let wrapped = store::operations::wrapped::all(store).await?;
    for value in &wrapped {
        keys.master.unwrap(value.purpose, &value.row, &value.wrapped)?;
    }
    for row in store::operations::keys::signing_keys(store).await? {
        SigningKey::open(&keys.master, &row)?;
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
        let row = InstanceKeyRow {
            purpose: purpose.to_owned(),
            key_id: crate::base::encoding::base62::random(random, 6),
            wrapped: master.wrap(purpose, purpose, bytes.as_ref(), random)?,
        };
        store::operations::keys::insert_instance_key(&mut transaction, &row, now).await?;
    }
    let row = signing::generate(master, TokenAlgorithm::default(), now, random)?;
    store::operations::keys::insert_signing_key(&mut transaction, &row).await?;
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Instance;

    #[tokio::test]
    async fn values_of_earlier_versions_are_bound_to_their_rows_once() {
        let instance = Instance::new().await;
        let context = &instance.context;
        let (store, keys, random) = (&context.store, &context.keys, context.random.as_ref());
        let mut transaction = store.begin().await.expect("begins");
        let mut earlier = Vec::new();
        for value in store::operations::wrapped::all_in(&mut transaction).await.expect("reads") {
            let plain = keys.master.unwrap(value.purpose, &value.row, &value.wrapped).expect("opens");
            let unbound = keys.master.wrap_unbound(value.purpose, &plain, random).expect("wraps");
            store::operations::wrapped::replace(&mut transaction, &value, &unbound).await.expect("writes");
            earlier.push((value, unbound));
        }
        transaction.commit().await.expect("commits");
        check_master_key(store, &keys.master).await.expect("the master key of an earlier version");

        let open = || Keys::open(store, Arc::clone(&keys.master), context.clock.as_ref(), random);
        let opened = open().await.expect("an earlier version");
        assert_eq!(opened.pepper.mac(b"x"), keys.pepper.mac(b"x"));
        assert_eq!(open_all(store, keys).await.expect("bound"), earlier.len());

        // From now on the earlier form does not open, wherever it came from.
        let (signing, unbound) =
            earlier.iter().find(|(value, _)| value.purpose == "signing key").expect("there is one");
        let mut transaction = store.begin().await.expect("begins");
        store::operations::wrapped::replace(&mut transaction, signing, unbound).await.expect("writes");
        transaction.commit().await.expect("commits");
        open().await.expect("a damaged signing key does not keep the dashboard from starting");
        assert!(matches!(open_all(store, keys).await, Err(Fault::Keys(KeyError::Damaged(_)))));
    }
}
