//! The master key: read from the environment or its file, made with a new database, and replaced.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::base::private_file;
use domain::base::random::SystemRandom;
use domain::crypto::keys::KeyError;
use domain::crypto::keys::master::MasterKey;
use domain::error::Fault;
use domain::services::keyring::check_master_key;
use domain::store::Store;

use super::error::CliError;
use super::files::{in_file, refuse_existing, unused_name};
use crate::config::{Config, ConfigError};

/// The environment variable that holds the key itself, in place of the file.
const VARIABLE: &str = "COUNTERSIGN_MASTER_KEY";
/// The setting that names the file of the master key.
pub(super) const SETTING: &str = "master_key_file";
/// The suffix of the file of a key that is about to replace the present key.
const NEW: &str = "new";

/// The master key of an existing database. Without that key the command fails: a new key could open nothing.
pub(super) async fn of(config: &Config, store: &Store) -> Result<MasterKey, CliError> {
    let Some(key) = configured(config)? else {
        let problem = "is missing, and this database was made with it. Restore the file from where you keep it";
        return Err(in_file(SETTING, &config.storage.master_key_file(), problem));
    };
    match check_master_key(store, &key).await {
        Ok(()) => Ok(key),
        Err(error @ Fault::Keys(KeyError::WrongMasterKey { .. })) => {
            let place = if is_in_environment() { VARIABLE } else { SETTING };
            let finished = finish_replacement(config, store).await?;
            finished.ok_or_else(|| ConfigError::new(place, error.to_string()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The master key of a new database. If there is no key, one is made.
pub(super) fn of_new_database(config: &Config) -> Result<MasterKey, CliError> {
    configured(config)?.map_or_else(|| make_for(SETTING, &config.storage.master_key_file()), Ok)
}

fn is_in_environment() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The key that the environment or the file holds, if any.
fn configured(config: &Config) -> Result<Option<MasterKey>, CliError> {
    if let Some(text) = std::env::var_os(VARIABLE) {
        let key = text.to_str().and_then(MasterKey::from_base64);
        return key.map(Some).ok_or_else(|| ConfigError::new(VARIABLE, "must be the base64 of 32 bytes").into());
    }
    let path = config.storage.master_key_file();
    match fs::read_to_string(&path) {
        Ok(text) => {
            refuse_shared(config, &path)?;
            let problem = "does not hold the base64 of 32 bytes";
            MasterKey::from_base64(&text).map(Some).ok_or_else(|| in_file(SETTING, &path, problem))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(in_file(SETTING, &path, error)),
    }
}

/// Refuses a key that other users may read, as ssh does. Kubernetes mounts secrets with such a mode, so a setting
/// allows it.
fn refuse_shared(config: &Config, path: &Path) -> Result<(), CliError> {
    #[cfg(unix)]
    {
        let mode = fs::metadata(path).map_err(|error| in_file(SETTING, path, error))?.permissions().mode();
        if mode & 0o077 != 0 && !config.storage.master_key_shared {
            let problem = format!(
                "other users may read it. Run chmod 600 {}, or set master_key_shared if it is a mount that must be so",
                path.display()
            );
            return Err(in_file(SETTING, path, problem));
        }
    }
    Ok(())
}

/// The file of the master key, if there is one. It may be the key of an earlier instance. A key in the environment was
/// given on purpose, also to a first start.
///
/// # Errors
///
/// When the file holds no key.
pub(super) fn file_at_hand(config: &Config) -> Result<Option<PathBuf>, CliError> {
    if is_in_environment() {
        return Ok(None);
    }
    Ok(configured(config)?.map(|_| config.storage.master_key_file()))
}

/// A master key that is about to replace the present key. Its file is written to the disk before any data is wrapped
/// under it. So the key is not lost when the replacement is interrupted at any point.
pub(crate) struct NewMasterKey {
    key: MasterKey,
    /// The new file, when it will replace the old file.
    file: Option<PathBuf>,
}

impl NewMasterKey {
    /// A key in a new file, which the argument `--to` names.
    pub(crate) fn at(file: &Path) -> Result<Self, CliError> {
        refuse_existing("--to", file)?;
        Ok(Self { key: make_for("--to", file)?, file: None })
    }

    /// A key beside the file of the old key. It will replace that file.
    pub(crate) fn beside_old(config: &Config) -> Result<Self, CliError> {
        if is_in_environment() {
            let problem = "cannot be replaced here: name a file for the new key with --to, then set the variable to \
                           what is in it";
            return Err(ConfigError::new(VARIABLE, problem).into());
        }
        let old = config.storage.master_key_file();
        let file = old.with_added_extension(NEW);
        let key = make(&file, Some(&old)).map_err(|error| in_file(SETTING, &file, error))?;
        Ok(Self { key, file: Some(file) })
    }

    /// The key.
    pub(crate) fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Replaces the old key by the new one after everything is wrapped under the new key. Returns the path of the old
    /// key.
    pub(crate) fn put_in_place(self, config: &Config) -> Result<Option<PathBuf>, CliError> {
        let Some(new) = self.file else { return Ok(None) };
        let file = config.storage.master_key_file();
        let old = unused_name(&file, "old");
        // Copied, not moved, so that there is a key at every moment.
        let copied = private_file::open(&old, true).and_then(|mut copy| {
            private_file::make_like(&copy, &file)?;
            std::io::copy(&mut File::open(&file)?, &mut copy)?;
            copy.sync_all()
        });
        copied.and_then(|()| fs::rename(&new, &file)).map_err(|error| in_file(SETTING, &file, error))?;
        Ok(Some(old))
    }
}

/// Completes a replacement that was interrupted: the database is wrapped under the new key, but the file still holds
/// the old key.
async fn finish_replacement(config: &Config, store: &Store) -> Result<Option<MasterKey>, CliError> {
    let file = config.storage.master_key_file();
    let new = file.with_added_extension(NEW);
    let Some(key) = fs::read_to_string(&new).ok().and_then(|text| MasterKey::from_base64(&text)) else {
        return Ok(None);
    };
    if check_master_key(store, &key).await.is_err() {
        return Ok(None);
    }
    NewMasterKey { key, file: Some(new) }.put_in_place(config)?;
    tracing::warn!("the replacement of the master key, which had been interrupted, is finished");
    let text = fs::read_to_string(&file).map_err(|error| in_file(SETTING, &file, error))?;
    Ok(MasterKey::from_base64(&text))
}

/// Makes a key in the file that the setting or argument `name` names.
fn make_for(name: &str, path: &Path) -> Result<MasterKey, CliError> {
    make(path, None).map_err(|error| in_file(name, path, error))
}

/// Makes a key. The file gets the owner and the mode of `like`, if that exists.
fn make(path: &Path, like: Option<&Path>) -> std::io::Result<MasterKey> {
    let text = MasterKey::generate_file(&SystemRandom);
    let mut file = match private_file::open(path, true) {
        // Another process of this instance made its key first: that key is used.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = fs::read_to_string(path)?;
            return MasterKey::from_base64(&text).ok_or_else(|| Error::other("is being written; try again"));
        }
        file => file?,
    };
    if let Some(like) = like.filter(|like| like.exists()) {
        private_file::make_like(&file, like)?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    MasterKey::from_base64(&text).ok_or_else(|| Error::other("was not written as a key"))
}
