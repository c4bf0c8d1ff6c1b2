//! Files that only their owner may read.
//!
//! Root may run a command beside a server that runs as another user. A file that root makes in the folder of that user
//! is given to that user. Otherwise the server could not open it at its next start.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};

/// Opens the file to append to it, or makes it with the mode 0600. With `new`, an existing file is an error.
pub fn open(path: &Path, new: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.append(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            give_to_owner_of_folder(&file, path)?;
            Ok(file)
        }
        // An existing file keeps its owner: it may be a link to a file of root elsewhere. Nothing is made here:
        // through a link, whoever owns the folder could make root create a file anywhere.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && !new => options.open(path).map_err(of_link),
        Err(error) => Err(error),
    }
}

/// The error of a path that is there and cannot be opened.
fn of_link(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "it is a link to a file that is not there"),
        _ => error,
    }
}

/// Gives a file that root has just made to the owner of its folder.
fn give_to_owner_of_folder(file: &File, path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (made, folder) = (file.metadata()?, folder.metadata()?);
        if made.uid() == 0 && folder.uid() != 0 {
            fchown(file, Some(folder.uid()), Some(folder.gid()))?;
        }
    }
    Ok(())
}

/// Gives a file that was just made the owner and the mode of the file that it will replace.
pub fn make_like(file: &File, replaced: &Path) -> Result<()> {
    let wanted = replaced.metadata()?;
    #[cfg(unix)]
    {
        let present = file.metadata()?;
        if (present.uid(), present.gid()) != (wanted.uid(), wanted.gid()) {
            fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
        }
    }
    file.set_permissions(wanted.permissions())
}
