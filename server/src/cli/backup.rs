//! `countersign backup`

use std::path::PathBuf;

use clap::Args;

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
    let result = context.store.backup(file).await;
    context.close().await;
    result.map_err(CliError::failed)?;
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(CliError::failed)?;
    println!(
        "Wrote {} and checked it. Without the master key ({}) it opens nothing: keep both, apart from each other.",
        file.display(),
        config.master_key_file.display()
    );
    Ok(())
}
