//! `countersign backup`

use std::path::PathBuf;

use clap::Args;
use domain::operations::backup;

use super::progress::Progress;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};

#[derive(Args)]
pub struct Arguments {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

pub async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    let file = &arguments.file;
    if file.exists() {
        return Err(ConfigError::new("FILE", format!("{} exists already", file.display())).into());
    }
    let context = instance::open(config).await?;
    let mut progress = Progress::new();
    let result = backup::write(&context, file, &mut |table, rows| progress.show(table, rows)).await;
    progress.end();
    context.close().await;
    let proof = result.map_err(CliError::failed)?;
    println!(
        "Wrote {} and proved it: the file is whole, {} rows, {} wrapped keys open, {} audit entries are unbroken.\n\
         Without the master key ({}) it opens nothing: keep both, apart from each other.",
        file.display(),
        proof.rows(),
        proof.opened,
        proof.entries,
        config.master_key_file.display()
    );
    Ok(())
}
