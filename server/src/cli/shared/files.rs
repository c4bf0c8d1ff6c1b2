//! Files that commands read and write, and their errors.

use std::fmt::Display;
use std::fs::DirBuilder;
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::config::ConfigError;

/// An error about the file that the setting or argument `name` names.
pub(crate) fn in_file(name: &str, path: &Path, problem: impl Display) -> CliError {
    ConfigError::new(name, format!("{}: {problem}", path.display())).into()
}

/// The text of the file that `argument` names.
pub(crate) fn read_text(argument: &str, path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| in_file(argument, path, error))
}

/// Refuses to overwrite the file that `argument` names.
pub(crate) fn refuse_existing(argument: &str, path: &Path) -> Result<(), CliError> {
    match path.exists() {
        true => Err(ConfigError::new(argument, format!("{} exists already", path.display())).into()),
        false => Ok(()),
    }
}

/// The first of `FILE.word1`, `FILE.word2`, … that does not exist.
pub(crate) fn unused_name(file: &Path, word: &str) -> PathBuf {
    let names = (1_u64..).map(|number| file.with_added_extension(format!("{word}{number}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| file.with_added_extension(word))
}

/// Makes the data folder if it does not exist. Only its owner may read it (mode 0700).
pub(crate) fn make_data_folder(folder: &Path) -> Result<(), CliError> {
    if let Ok(metadata) = folder.metadata() {
        #[cfg(unix)]
        if metadata.permissions().mode() & 0o077 != 0 {
            tracing::warn!(folder = %folder.display(), "others may look into the data folder: chmod 700 it");
        }
        if metadata.is_dir() {
            return Ok(());
        }
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).map_err(|error| in_file("data_dir", folder, error))
}
