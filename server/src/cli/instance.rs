//! Opening an instance: data folder, database, master key, and only then its schema, so that an existing instance is not
//! touched when something is wrong.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::SystemClock;
use domain::context::{Context, Settings};
use domain::keys::{KeyError, MasterKey, check_master_key, is_initialised};
use domain::mcp_server;
use domain::random::SystemRandom;
use domain::store::{Store, StoreError};

use super::CliError;
use crate::config::{Config, ConfigError};
use crate::outbound::Outbound;

const MASTER_KEY_VARIABLE: &str = "COUNTERSIGN_MASTER_KEY";

/// Opens the instance for a command. Its issuer is the configured one, or the one that the server used last: the
/// command line need not know on which port the server listens.
pub async fn open(config: &Config) -> Result<Context, CliError> {
    make_private_folder(&config.data_dir)?;
    let opened = open_store(config).await?;
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => match mcp_server::built_in_resource(&opened.store).await.map_err(CliError::failed)? {
            Some(resource) => resource.trim_end_matches("/mcp").to_owned(),
            None => default_public_url(config.listen.port()),
        },
    };
    opened.with_issuer(public_url).await
}

/// The issuer when none is configured.
pub fn default_public_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// A database with an up-to-date schema, and the master key that opens it.
pub struct Opened {
    store: Store,
    master: MasterKey,
    outbound: Outbound,
    status_list_ttl: Duration,
}

/// Opens the database, making it in the data folder if it does not exist yet.
pub async fn open_store(config: &Config) -> Result<Opened, CliError> {
    let store = Store::open(&config.database_url, &config.store).await.map_err(|error| match error {
        StoreError::File(error) => {
            ConfigError::new("data_dir", format!("{} cannot be written: {error}", config.database_url)).into()
        }
        StoreError::Unavailable(error) => {
            CliError::Failed(format!("the database at {} cannot be opened: {error}", config.database_url))
        }
        StoreError::Address(problem) => ConfigError::new("database_url", problem).into(),
        error => CliError::failed(error),
    })?;
    let existing = is_initialised(&store).await.map_err(CliError::failed)?;
    let master = master_key(config, existing)?;
    if existing {
        check_master_key(&store, &master).await.map_err(|error| match error {
            KeyError::WrongMasterKey { .. } => ConfigError::new(master_key_setting(), error.to_string()).into(),
            error => CliError::failed(error),
        })?;
    }
    store.migrate().await.map_err(CliError::failed)?;
    Ok(Opened {
        store,
        master,
        outbound: Outbound::new(config.private_issuers.clone(), config.private_webhooks.clone()),
        status_list_ttl: config.status_list_ttl,
    })
}

impl Opened {
    /// The instance, whose issuer is `public_url`.
    pub async fn with_issuer(self, public_url: String) -> Result<Context, CliError> {
        let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom));
        let settings = Settings { public_url, status_list_ttl: self.status_list_ttl };
        let outbound = Arc::new(self.outbound);
        let (fetch, post) = (Arc::clone(&outbound), outbound);
        Context::open(self.store, Arc::new(self.master), clock, random, fetch, post, settings)
            .await
            .map_err(CliError::failed)
    }
}

/// Makes the data folder when there is none, so that only its owner may look into it.
pub fn make_private_folder(folder: &Path) -> Result<(), CliError> {
    let problem = |error: std::io::Error| ConfigError::new("data_dir", format!("{}: {error}", folder.display()));
    if let Ok(metadata) = folder.metadata() {
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            tracing::warn!(folder = %folder.display(), "others may look into the data folder: chmod 700 it");
        }
        if metadata.is_dir() {
            return Ok(());
        }
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(problem)?;
    Ok(())
}

/// Which setting the master key comes from.
fn master_key_setting() -> &'static str {
    if std::env::var_os(MASTER_KEY_VARIABLE).is_some() { MASTER_KEY_VARIABLE } else { "master_key_file" }
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
    MasterKey::from_base64(&text).ok_or_else(|| std::io::Error::other("was not written as a key"))
}
