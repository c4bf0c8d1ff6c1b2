//! `countersign backup`

use std::path::PathBuf;

use clap::Args;
use domain::operations::backup;

use crate::cli::shared::error::CliError;
use crate::cli::shared::files::refuse_existing;
use crate::cli::shared::instance;
use crate::cli::shared::progress::Progress;
use crate::config::Config;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The file to write; it must not exist yet
    file: PathBuf,
}

pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
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
