//! `countersign migrate-to`

use clap::Args;
use domain::operations::backup::{self, BackupError};
use domain::store::operations::copy::CopyError;
use domain::store::{DatabaseUrl, Store};

use super::progress::Progress;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};

#[derive(Args)]
pub struct Arguments {
    /// The empty PostgreSQL database: postgres://USER@HOST/DATABASE
    #[arg(env = "COUNTERSIGN_MIGRATE_TO", hide_env_values = true)]
    url: String,
}

pub async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    let wrong = |problem: String| CliError::from(ConfigError::new("URL", problem));
    let url = DatabaseUrl::parse(&arguments.url).map_err(wrong)?;
    if url.file().is_some() {
        return Err(wrong("must be of the form postgres://USER@HOST/DATABASE".to_owned()));
    }
    if config.database_url.file().is_none() {
        return Err(ConfigError::new("database_url", "is not SQLite: there is nothing to move").into());
    }
    let context = instance::open(config).await?;
    let _no_server = instance::refuse_beside_servers(config, &context.store).await?;
    let target = Store::open(&url, &config.store).await.map_err(|error| wrong(error.to_string()))?;
    let mut progress = Progress::new();
    let result = match target.migrate().await {
        Ok(()) => backup::copy(&context, &target, &mut |table, rows| progress.show(table, rows)).await,
        Err(error) => Err(error.into()),
    };
    progress.end();
    target.close().await;
    context.close().await;
    let proof = result.map_err(|error| match error {
        BackupError::Copy(CopyError::NotEmpty) => wrong(format!("{url} is not empty")),
        error => CliError::failed(error),
    })?;
    println!("Copied everything to {url} and proved it:");
    for (table, rows) in proof.counts.iter().filter(|(_, rows)| *rows > 0) {
        println!("{rows:>12}  {table}");
    }
    println!(
        "{} wrapped keys open under the same master key; {} audit entries are unbroken.\n\
         Now set database_url to it, give each server the master key ({}), and start them.",
        proof.opened,
        proof.entries,
        config.master_key_file.display()
    );
    Ok(())
}
