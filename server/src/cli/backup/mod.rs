//! `countersign backup` and `migrate-to`

pub(super) mod restore;

use std::path::PathBuf;

use clap::Args;
use domain::context::Context;
use domain::operations::backup::{self, BackupError, BackupProof};
use domain::store::operations::copy::CopyError;
use domain::store::{DatabaseUrl, Store};

use crate::cli::shared::{CliError, Progress, instance, refuse_existing};
use crate::config::{Config, ConfigError};

#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

pub(super) async fn backup(config: &Config, arguments: &Backup) -> Result<(), CliError> {
    let file = &arguments.file;
    refuse_existing("FILE", file)?;
    let proof = instance::with(config, async |context| {
        let mut progress = Progress::new();
        Ok(backup::write(context, file, &mut |table, rows| progress.show(table, rows)).await?)
    })
    .await?;
    println!(
        "Wrote {} and proved it: the file is whole, {} rows, {} wrapped keys open, {} audit entries are unbroken.\n\
         Without the master key ({}) it opens nothing: keep both, apart from each other.",
        file.display(),
        proof.rows(),
        proof.opened,
        proof.entries,
        config.storage.master_key_file().display()
    );
    Ok(())
}

#[derive(Args)]
pub(super) struct MigrateTo {
    /// The empty PostgreSQL database: postgres://USER@HOST/DATABASE
    #[arg(env = "COUNTERSIGN_MIGRATE_TO", hide_env_values = true)]
    url: String,
}

pub(super) async fn migrate_to(config: &Config, arguments: &MigrateTo) -> Result<(), CliError> {
    let url = DatabaseUrl::parse(&arguments.url).map_err(wrong)?;
    if url.file().is_some() {
        return Err(wrong("must be of the form postgres://USER@HOST/DATABASE"));
    }
    if config.storage.database_url().file().is_none() {
        return Err(ConfigError::new("database_url", "is not SQLite: there is nothing to move").into());
    }
    let proof = instance::with(config, async |context| {
        let _no_server = instance::refuse_beside_servers(config, &context.store).await?;
        let target = Store::open(&url, &config.storage.options()).await.map_err(wrong)?;
        target.migrate().await.map_err(BackupError::from)?;
        copy(context, target, ConfigError::new("URL", format!("{url} is not empty"))).await
    })
    .await?;
    eprintln!("There was no Countersign in {url}: a new one was begun.");
    println!("Copied everything to {url} and proved it:");
    for (table, rows) in proof.counts.iter().filter(|(_, rows)| *rows > 0) {
        println!("{rows:>12}  {table}");
    }
    println!(
        "{} wrapped keys open under the same master key; {} audit entries are unbroken.\n\
         Now set database_url to it, give each server the master key ({}), and start them.",
        proof.opened,
        proof.entries,
        config.storage.master_key_file().display()
    );
    Ok(())
}

/// Copies everything into the target, which must be empty, and closes it.
pub(super) async fn copy(source: &Context, target: Store, not_empty: ConfigError) -> Result<BackupProof, CliError> {
    let mut progress = Progress::new();
    let copied = backup::copy(source, &target, &mut |table, rows| progress.show(table, rows)).await;
    target.close().await;
    copied.map_err(|error| match error {
        BackupError::Copy(CopyError::NotEmpty) => not_empty.into(),
        error => error.into(),
    })
}

fn wrong(problem: impl std::fmt::Display) -> CliError {
    ConfigError::new("URL", problem.to_string()).into()
}
