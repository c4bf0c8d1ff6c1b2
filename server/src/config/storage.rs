//! Settings: the data folder, the database and the master key.

use std::path::PathBuf;

use clap::Args;
use domain::store::{DatabaseUrl, LedgerDurability, StoreOptions};

use super::values::{choice, number, path};

/// The data folder, the database and the master key.
#[derive(Args, Debug, Clone)]
pub(crate) struct Storage {
    /// Folder of the database and the master key
    #[arg(long, value_name = "FOLDER", value_parser = path)]
    pub(crate) data_dir: PathBuf,
    /// sqlite://PATH or postgres://USER@HOST/DATABASE; countersign.db in the data folder when not set
    #[arg(long, value_name = "URL", hide_env_values = true, value_parser = DatabaseUrl::parse)]
    database_url: Option<DatabaseUrl>,
    /// Most connections to PostgreSQL
    #[arg(long, value_name = "NUMBER", value_parser = connections)]
    database_connections: u32,
    /// What an exchange survives: process (a killed server) or power (a power cut too)
    #[arg(long, value_name = "DURABILITY", value_parser = durability)]
    ledger_durability: LedgerDurability,
    /// File of the master key; master.key in the data folder when not set
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl Storage {
    /// The address of the database.
    pub(crate) fn database_url(&self) -> DatabaseUrl {
        let in_folder = || DatabaseUrl::Sqlite(self.data_dir.join("countersign.db"));
        self.database_url.clone().unwrap_or_else(in_folder)
    }

    /// The file of the master key. It is not used when the environment holds the key.
    pub(crate) fn master_key_file(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.data_dir.join("master.key"))
    }

    /// The options with which a command opens the database.
    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions {
            ledger_durability: self.ledger_durability,
            connections: self.database_connections,
            is_server: false,
        }
    }
}

fn connections(text: &str) -> Result<u32, String> {
    let least = StoreOptions::FEWEST_CONNECTIONS;
    match number(text)? {
        connections if connections >= least => Ok(connections),
        connections => Err(format!("{connections} is not enough: a server needs at least {least}")),
    }
}

fn durability(text: &str) -> Result<LedgerDurability, String> {
    choice(text, &[("process", LedgerDurability::Process), ("power", LedgerDurability::Power)])
}
