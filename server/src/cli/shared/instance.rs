//! Opening an instance: data folder, database, master key, and only then the schema. So an existing instance does not
//! change when something is wrong.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use domain::base::clock::SystemClock;
use domain::base::private_file;
use domain::base::random::SystemRandom;
use domain::context::Context;
use domain::crypto::keys::master::MasterKey;
use domain::model::ports::SendMail;
use domain::model::settings::Settings;
use domain::operations::instance::{document_clients_by_default, open_instance};
use domain::server;
use domain::services::keyring::is_initialised;
use domain::services::relying_party::RelyingParty;
use domain::store::{DatabaseUrl, Store, StoreError, StoreOptions};
use url::Url;

use super::error::CliError;
use super::files::make_data_folder;
use super::master_key;
use crate::config::{Config, ConfigError, DocumentClients, is_loopback};
use crate::egress::policy::PrivateHosts;
use crate::egress::ports::Outbound;

/// What a command does when there is no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It fails, and writes nothing. A command in the wrong folder must not report about an instance that it made.
    Refuse,
    /// It begins an instance, unless there is a master key, which may be of an earlier one. On PostgreSQL a key says
    /// nothing: each server of a new instance brings it.
    Begin,
    /// It begins an instance.
    BeginAnew,
}

/// Runs a command on the instance, and closes the instance after success and after failure.
pub(crate) async fn with<T>(
    config: &Config,
    command: impl AsyncFnOnce(&Context) -> Result<T, CliError>,
) -> Result<T, CliError> {
    run(config, Absent::Refuse, command).await
}

/// The same for a command that may begin the instance. It then says so on standard error.
pub(crate) async fn with_new<T>(
    config: &Config,
    command: impl AsyncFnOnce(&Context) -> Result<T, CliError>,
) -> Result<T, CliError> {
    run(config, Absent::Begin, command).await
}

async fn run<T>(
    config: &Config,
    absent: Absent,
    command: impl AsyncFnOnce(&Context) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let (context, is_new) = open(config, &config.storage.database_url(), absent).await?;
    let result = command(&context).await;
    context.close().await;
    if is_new && result.is_ok() {
        say_begun(config);
    }
    result
}

/// Says on standard error that there was no instance before.
pub(crate) fn say_begun(config: &Config) {
    eprintln!("There was no Countersign in {}: a new one was begun.", place(config));
}

/// Where the instance is, in the words of the settings.
pub(crate) fn place(config: &Config) -> String {
    match config.storage.is_in_data_dir() {
        true => config.storage.data_dir.display().to_string(),
        false => config.storage.database_url().to_string(),
    }
}

/// Opens an instance for a command. Its issuer is the configured one, or the one that the server used last. So the
/// command does not need to know the server's port.
pub(crate) async fn open_at(config: &Config, url: &DatabaseUrl) -> Result<Context, CliError> {
    Ok(open(config, url, Absent::Refuse).await?.0)
}

/// Opens an instance. The second value says whether it was begun now.
async fn open(config: &Config, url: &DatabaseUrl, absent: Absent) -> Result<(Context, bool), CliError> {
    if absent != Absent::Refuse || config.storage.data_dir.exists() {
        make_data_folder(&config.storage.data_dir)?;
    }
    let database = open_database(config, url, &config.storage.options(), absent).await?;
    let is_new = database.is_new;
    let public_url = match &config.network.public_url {
        Some(issuer) => {
            // The copy of a backup has the issuer of its time.
            if *url == config.storage.database_url() {
                database.check_issuer(issuer).await?;
            }
            issuer.clone()
        }
        None => {
            let stored = server::issuer(&database.store).await?;
            stored.unwrap_or_else(|| default_public_url(config.network.listen.port()))
        }
    };
    Ok((database.with_issuer(public_url).await?, is_new))
}

/// The issuer when the settings contain none.
pub(crate) fn default_public_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// A database with an up-to-date schema, and the master key that opens it.
pub(crate) struct OpenDatabase<'config> {
    store: Store,
    master: MasterKey,
    config: &'config Config,
    /// Whether the database was empty.
    pub(crate) is_new: bool,
}

/// Opens the database for a server. The database records the server, so that other processes see it.
pub(crate) async fn open_for_server(config: &Config, absent: Absent) -> Result<OpenDatabase<'_>, CliError> {
    let options = StoreOptions { is_server: true, ..config.storage.options() };
    open_database(config, &config.storage.database_url(), &options, absent).await
}

/// Refuses a command that needs an instance where there is none, before anything is made.
fn refuse_absent(config: &Config, url: &DatabaseUrl, absent: Absent) -> Result<(), CliError> {
    let is_there = |file: &Path| file.metadata().is_ok_and(|file| file.len() > 0);
    match url.file() {
        None => Ok(()),
        Some(file) if is_there(file) => Ok(()),
        Some(_) if absent == Absent::Refuse => Err(no_instance(config)),
        Some(_) if absent == Absent::BeginAnew => Ok(()),
        // Also when there is an empty file: it is no database.
        Some(file) => match master_key::file_at_hand(config)? {
            None => Ok(()),
            Some(key) => {
                let problem = format!(
                    "{} is there, and a database {} is not. Restore a backup (countersign restore FILE), or begin a \
                     new instance with this key: countersign serve --new",
                    key.display(),
                    file.display()
                );
                Err(ConfigError::new(master_key::SETTING, problem).into())
            }
        },
    }
}

fn no_instance(config: &Config) -> CliError {
    let setting = if config.storage.is_in_data_dir() { "data_dir" } else { "database_url" };
    let problem = format!("There is no Countersign in {}. Set --data-dir or --database-url.", place(config));
    ConfigError::new(setting, problem).into()
}

/// Opens a database. SQLite's file is made when there is none and `absent` allows it.
async fn open_database<'config>(
    config: &'config Config,
    url: &DatabaseUrl,
    options: &StoreOptions,
    absent: Absent,
) -> Result<OpenDatabase<'config>, CliError> {
    refuse_absent(config, url, absent)?;
    let store = Store::open(url, options).await.map_err(|error| match error {
        StoreError::File(error) => CliError::of_system("data_dir", format!("{url} cannot be used: {error}"), &error),
        StoreError::Unavailable(error) => CliError::Failed(format!("the database at {url} cannot be opened: {error}")),
        StoreError::Address(problem) => ConfigError::new("database_url", problem).into(),
        error => CliError::failed(error),
    })?;
    let is_new = !is_initialised(&store).await?;
    let master = match is_new {
        false => master_key::of(config, &store).await?,
        true if absent == Absent::Refuse => return Err(no_instance(config)),
        true => master_key::of_new_database(config)?,
    };
    store.migrate().await?;
    Ok(OpenDatabase { store, master, config, is_new })
}

/// Whether a server may change this stored issuer without being told to. An issuer on loopback is of a machine where
/// somebody tries things: its port may change at each start, and nobody else knows it. On PostgreSQL another server may
/// run with it, so there every change must be told.
fn may_change(store: &Store, stored: &str) -> bool {
    store.url().file().is_some() && Url::parse(stored).is_ok_and(|url| is_loopback(&url))
}

impl OpenDatabase<'_> {
    /// Refuses another issuer than the stored one. Every token, every program and every passkey depends on it, so it
    /// must not change because a setting is missing on one machine.
    pub(crate) async fn check_issuer(&self, wanted: &str) -> Result<(), CliError> {
        match server::issuer(&self.store).await? {
            Some(stored) if stored != wanted && !may_change(&self.store, &stored) => {
                let problem = format!(
                    "this instance is {stored}, and not {wanted}. Set public_url to {stored}, or move the instance on \
                     purpose: countersign issuer move {wanted}"
                );
                Err(ConfigError::new("public_url", problem).into())
            }
            _ => Ok(()),
        }
    }

    /// The instance, whose issuer is `public_url`.
    pub(crate) async fn with_issuer(self, public_url: String) -> Result<Context, CliError> {
        let Self { store, master, config, .. } = self;
        let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom));
        let settings = Settings {
            public_url,
            status_list_ttl: config.token.status_list_ttl,
            dynamic_registration: config.client.dynamic_registration,
            initial_access_token: config.client.initial_access_token.clone(),
            client_id_metadata_documents: match config.client.client_id_metadata_documents {
                DocumentClients::Off => false,
                DocumentClients::On => true,
                DocumentClients::Auto => document_clients_by_default(&store).await?,
            },
            device_grant: config.client.device_grant,
            default_resource: config.client.default_resource.clone(),
        };
        let outbound = Arc::new(Outbound::new(config.egress.private_hosts()));
        let (fetch, post) = (Arc::clone(&outbound), outbound);
        // Requests to the provider have exceptions of their own. They do not apply to issuers that people register.
        let openid = config.openid.provider.clone().map(|openid| {
            let hosts = PrivateHosts { issuers: openid.private_hosts, ..PrivateHosts::default() };
            RelyingParty::new(openid.provider, Arc::new(Outbound::new(hosts)))
        });
        let context = open_instance(store, Arc::new(master), clock, random, fetch, post, settings).await?;
        let mail = config.mail.server.clone().map(|server| Arc::new(server) as Arc<dyn SendMail>);
        Ok(context.with_openid(openid).with_mail(mail))
    }
}

/// Allows only one server to use an SQLite file: two servers would each assume that no other process writes. The
/// operating system ends the lock when the process ends in any way. PostgreSQL serves many servers and has no file.
pub(crate) fn lock(config: &Config) -> Result<Option<File>, CliError> {
    let url = config.storage.database_url();
    // The lock file is beside the database, not in the data folder, because two data folders may share one database.
    let Some(path) = url.file().map(|file| file.with_added_extension("lock")) else { return Ok(None) };
    // Private, or whoever may read it could hold its lock, and no server would start.
    let file = private_file::open(&path, false).map_err(|error| {
        CliError::of_system("data_dir", format!("{} cannot be written: {error}", path.display()), &error)
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(CliError::failed(ConfigError::new("data_dir", format!("{url} is in use by another server"))))
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Makes sure that no server uses the database. No new server can start while the result lives.
///
/// # Errors
///
/// When a server runs.
pub(crate) async fn refuse_beside_servers(config: &Config, store: &Store) -> Result<Option<File>, CliError> {
    if store.servers().await? > 0 {
        let problem = format!("{} is in use by a server: stop it first", config.storage.database_url());
        return Err(CliError::failed(ConfigError::new("database_url", problem)));
    }
    lock(config)
}
