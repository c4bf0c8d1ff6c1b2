//! Opening an instance: data folder, database, master key, in this order, so that nothing is made when something is
//! wrong.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use domain::clock::SystemClock;
use domain::context::{Context, Settings};
use domain::keys::{KeyError, MasterKey, is_initialised};
use domain::mcp_server;
use domain::random::SystemRandom;
use domain::store::{Store, StoreError};

use super::CliError;
use crate::config::{Config, ConfigError};

const MASTER_KEY_VARIABLE: &str = "COUNTERSIGN_MASTER_KEY";

/// Opens the instance for a command. Its issuer is the configured one, or the one that the server used last: the
/// command line need not know on which port the server listens.
pub async fn open(config: &Config) -> Result<Context, CliError> {
    let store = open_store(config).await?;
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => match mcp_server::built_in_resource(&store).await.map_err(CliError::failed)? {
            Some(resource) => resource.trim_end_matches("/mcp").to_owned(),
            None => default_public_url(config.listen.port()),
        },
    };
    open_with(config, store, public_url).await
}

/// The issuer when none is configured.
pub fn default_public_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Makes the data folder if need be and opens the database.
pub async fn open_store(config: &Config) -> Result<Store, CliError> {
    make_private_folder(&config.data_dir)?;
    Store::open(&config.database_url).await.map_err(|error| match error {
        StoreError::Unavailable(error) => {
            CliError::Failed(format!("the database at {} cannot be opened: {error}", config.database_url))
        }
        StoreError::Address(problem) => ConfigError::new("database_url", problem).into(),
        error => CliError::failed(error),
    })
}

/// Opens the keys of `store`.
pub async fn open_with(config: &Config, store: Store, public_url: String) -> Result<Context, CliError> {
    let existing = is_initialised(&store).await.map_err(CliError::failed)?;
    let master = master_key(config, existing)?;
    let settings = Settings { public_url };
    Context::open(store, Arc::new(master), Arc::new(SystemClock), Arc::new(SystemRandom), settings).await.map_err(
        |error| match error {
            KeyError::WrongMasterKey { .. } => ConfigError::new("master_key_file", error.to_string()).into(),
            error => CliError::failed(error),
        },
    )
}

fn make_private_folder(folder: &Path) -> Result<(), CliError> {
    let problem = |error: std::io::Error| ConfigError::new("data_dir", format!("{}: {error}", folder.display()));
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(problem)?;
    Ok(())
}

/// The master key from the environment or the file; made when the database is new. An existing database without its key
/// is refused: a new key could open nothing.
fn master_key(config: &Config, existing: bool) -> Result<MasterKey, ConfigError> {
    if let Ok(text) = std::env::var(MASTER_KEY_VARIABLE) {
        return MasterKey::from_base64(&text)
            .ok_or_else(|| ConfigError::new(MASTER_KEY_VARIABLE, "must be the base64 of 32 bytes"));
    }
    let path = &config.master_key_file;
    let problem = |problem: String| ConfigError::new("master_key_file", format!("{}: {problem}", path.display()));
    match fs::read_to_string(path) {
        Ok(text) => {
            MasterKey::from_base64(&text).ok_or_else(|| problem("does not hold the base64 of 32 bytes".to_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && existing => Err(problem(
            "is missing, and this database was made with it. Restore the file from where you keep it".to_owned(),
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_master_key(path).map_err(|error| problem(error.to_string()))
        }
        Err(error) => Err(problem(error.to_string())),
    }
}

fn make_master_key(path: &Path) -> std::io::Result<MasterKey> {
    let text = MasterKey::generate_file(&SystemRandom);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        // Another program of this instance was faster: its key is the key.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let text = fs::read_to_string(path)?;
            return MasterKey::from_base64(&text).ok_or_else(|| std::io::Error::other("is being written; try again"));
        }
        file => file?,
    };
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // The bytes were made a line ago.
    Ok(MasterKey::from_base64(&text).expect("a generated key file is readable"))
}
