//! Opening an instance: data folder, database, master key, and only then its schema, so that an existing instance is not
//! touched when something is wrong.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::base::clock::SystemClock;
use domain::base::random::SystemRandom;
use domain::context::Context;
use domain::crypto::keys::KeyError;
use domain::crypto::keys::master::MasterKey;
use domain::error::Fault;
use domain::model::client::{DynamicRegistration, InitialAccessToken};
use domain::model::settings::Settings;
use domain::operations::instance::open_instance;
use domain::server;
use domain::services::keyring::{check_master_key, is_initialised};
use domain::services::relying_party::RelyingParty;
use domain::store::{DatabaseUrl, Store, StoreError};

use super::CliError;
use crate::config::{Config, ConfigError, OpenId};
use crate::egress::policy::PrivateHosts;
use crate::egress::ports::Outbound;

const MASTER_KEY_VARIABLE: &str = "COUNTERSIGN_MASTER_KEY";

/// Opens the instance for a command. Its issuer is the configured one, or the one that the server used last: the
/// command line need not know on which port the server listens.
pub async fn open(config: &Config) -> Result<Context, CliError> {
    open_at(config, &config.database_url).await
}

/// The same with another database than the configured one.
pub async fn open_at(config: &Config, url: &DatabaseUrl) -> Result<Context, CliError> {
    make_private_folder(&config.data_dir)?;
    let opened = open_store_at(config, url).await?;
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => match server::built_in_resource(&opened.store).await.map_err(CliError::failed)? {
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
    openid: Option<OpenId>,
    status_list_ttl: Duration,
    dynamic_registration: DynamicRegistration,
    initial_access_token: Option<InitialAccessToken>,
    client_id_metadata_documents: bool,
}

/// Opens the database, making it in the data folder if it does not exist yet.
pub async fn open_store(config: &Config) -> Result<Opened, CliError> {
    open_store_at(config, &config.database_url).await
}

async fn open_store_at(config: &Config, url: &DatabaseUrl) -> Result<Opened, CliError> {
    let store = Store::open(url, &config.store).await.map_err(|error| match error {
        StoreError::File(error) => ConfigError::new("data_dir", format!("{} cannot be written: {error}", url)).into(),
        StoreError::Unavailable(error) => {
            CliError::Failed(format!("the database at {} cannot be opened: {error}", url))
        }
        StoreError::Address(problem) => ConfigError::new("database_url", problem).into(),
        error => CliError::failed(error),
    })?;
    let existing = is_initialised(&store).await.map_err(CliError::failed)?;
    let mut master = master_key(config, existing)?;
    if existing && let Err(error) = check_master_key(&store, &master).await {
        master = match error {
            Fault::Keys(KeyError::WrongMasterKey { .. }) => match finish_replacement(config, &store).await? {
                Some(new) => new,
                None => return Err(ConfigError::new(master_key_setting(), error.to_string()).into()),
            },
            error => return Err(CliError::failed(error)),
        };
    }
    store.migrate().await.map_err(CliError::failed)?;
    Ok(Opened {
        store,
        master,
        outbound: Outbound::new(PrivateHosts {
            issuers: config.private_issuers.clone(),
            webhooks: config.private_webhooks.clone(),
            clients: config.private_clients.clone(),
        }),
        openid: config.openid.clone(),
        status_list_ttl: config.status_list_ttl,
        dynamic_registration: config.dynamic_registration,
        initial_access_token: config.initial_access_token.clone(),
        client_id_metadata_documents: config.client_id_metadata_documents,
    })
}

impl Opened {
    /// The instance, whose issuer is `public_url`.
    pub async fn with_issuer(self, public_url: String) -> Result<Context, CliError> {
        let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom));
        let settings = Settings {
            public_url,
            status_list_ttl: self.status_list_ttl,
            dynamic_registration: self.dynamic_registration,
            initial_access_token: self.initial_access_token,
            client_id_metadata_documents: self.client_id_metadata_documents,
        };
        let outbound = Arc::new(self.outbound);
        let (fetch, post) = (Arc::clone(&outbound), outbound);
        // A way of its own: what is allowed for the provider is allowed for no issuer that somebody registers.
        let openid = self.openid.map(|OpenId { provider, private_hosts }| {
            RelyingParty::new(
                provider,
                Arc::new(Outbound::new(PrivateHosts { issuers: private_hosts, ..PrivateHosts::default() })),
            )
        });
        let context = open_instance(self.store, Arc::new(self.master), clock, random, fetch, post, settings).await;
        Ok(context.map_err(CliError::failed)?.with_openid(openid))
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

/// One server a file of SQLite: two would each believe they were the only one to write. The lock ends with the process,
/// however it ends. PostgreSQL serves many, and has no file.
pub fn lock(config: &Config) -> Result<Option<File>, CliError> {
    // Beside the database, not the data folder: two folders may share one database.
    let Some(path) = config.database_url.file().map(|file| file.with_added_extension("lock")) else { return Ok(None) };
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| ConfigError::new("data_dir", format!("{} cannot be written: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(ConfigError::new("data_dir", format!("{} is in use by another server", config.database_url)).into())
        }
        Err(TryLockError::Error(error)) => Err(CliError::failed(error)),
    }
}

/// Holds off servers while something happens that must not happen beside one.
///
/// # Errors
///
/// When one runs.
pub async fn refuse_beside_servers(config: &Config, store: &Store) -> Result<Option<File>, CliError> {
    if store.servers().await.map_err(CliError::failed)? > 0 {
        let problem = format!("{} is in use by a server: stop it first", config.database_url);
        return Err(ConfigError::new("database_url", problem).into());
    }
    lock(config)
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

/// A master key that is about to take the place of the present one. Its file is on the disk before anything is wrapped under
/// it, so that it is never lost, wherever the replacement is interrupted.
pub struct NewMasterKey {
    key: MasterKey,
    /// The file, when it is to replace the old one.
    file: Option<PathBuf>,
}

impl NewMasterKey {
    /// In this new file.
    pub fn at(file: &Path) -> Result<Self, CliError> {
        if file.exists() {
            return Err(ConfigError::new("--to", format!("{} exists already", file.display())).into());
        }
        let key = make_master_key(file).map_err(|error| in_file(file, &error))?;
        Ok(Self { key, file: None })
    }

    /// Beside the file of the old one, whose place it will take.
    pub fn beside_the_old(config: &Config) -> Result<Self, CliError> {
        if std::env::var_os(MASTER_KEY_VARIABLE).is_some() {
            let problem = "cannot be replaced here: name a file for the new key with --to, then set the variable to what is in it";
            return Err(ConfigError::new(MASTER_KEY_VARIABLE, problem).into());
        }
        let file = config.master_key_file.with_added_extension(NEW);
        let key = make_master_key(&file).map_err(|error| in_file(&file, &error))?;
        Ok(Self { key, file: Some(file) })
    }

    /// The key.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Puts it in the place of the old one once everything is wrapped under it; returns where the old one is now.
    pub fn put_in_place(self, config: &Config) -> Result<Option<PathBuf>, CliError> {
        let Some(new) = self.file else { return Ok(None) };
        let file = &config.master_key_file;
        let old = (1..)
            .map(|number| file.with_added_extension(format!("old{number}")))
            .find(|path| !path.exists())
            .unwrap_or_default();
        // Copied, not moved: at no moment is there no key.
        let copied = fs::copy(file, &old).and_then(|_| File::open(&old)?.sync_all());
        copied.and_then(|()| fs::rename(&new, file)).map_err(|error| in_file(file, &error))?;
        Ok(Some(old))
    }
}

const NEW: &str = "new";

fn in_file(file: &Path, error: &std::io::Error) -> CliError {
    ConfigError::new("master_key_file", format!("{}: {error}", file.display())).into()
}

/// Puts a new master key in place that the database is wrapped under already: its replacement was interrupted.
async fn finish_replacement(config: &Config, store: &Store) -> Result<Option<MasterKey>, CliError> {
    let file = config.master_key_file.with_added_extension(NEW);
    let Some(key) = fs::read_to_string(&file).ok().and_then(|text| MasterKey::from_base64(&text)) else {
        return Ok(None);
    };
    if check_master_key(store, &key).await.is_err() {
        return Ok(None);
    }
    NewMasterKey { key, file: Some(file) }.put_in_place(config)?;
    tracing::warn!("the replacement of the master key, which had been interrupted, is finished");
    Ok(MasterKey::from_base64(
        &fs::read_to_string(&config.master_key_file).map_err(|error| in_file(&config.master_key_file, &error))?,
    ))
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
