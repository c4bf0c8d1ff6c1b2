//! `countersign restore`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use domain::base::clock::{Clock, SystemClock};
use domain::context::Context;
use domain::model::operations::{Ended, How};
use domain::operations::backup;
use domain::operations::restore::{self, Difference};
use domain::store::{DatabaseUrl, Store};

use super::admin::operator;
use super::progress::Progress;
use super::{CliError, instance};
use crate::config::{Config, ConfigError};

/// Lines of what would come back that are told.
const MOST_LINES: usize = 50;

#[derive(Args)]
pub struct Arguments {
    /// The backup
    file: PathBuf,
    /// End again what had ended since the backup
    #[arg(long, conflicts_with = "bring_back")]
    end_again: bool,
    /// Let what had ended since the backup work again
    #[arg(long)]
    bring_back: bool,
    /// The database that is replaced, to compare with; on SQLite it is the one that is there
    #[arg(long, value_name = "URL")]
    former: Option<String>,
}

pub async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    let wrong = |problem: String| CliError::from(ConfigError::new("FILE", problem));
    if !arguments.file.is_file() {
        return Err(wrong(format!("{} is not there", arguments.file.display())));
    }
    instance::make_private_folder(&config.data_dir)?;
    let _no_server = instance::lock(config)?;
    // The backup itself is left as it is: everything happens to a copy.
    let copy = copy_beside(config, &arguments.file)?;
    let result = match config.database_url.file() {
        Some(present) => restore_file(config, arguments, &copy, present).await,
        None => restore_to_postgres(config, arguments, &copy).await,
    };
    for file in [copy.clone(), beside(&copy, "-wal"), beside(&copy, "-shm"), copy.with_added_extension("migration")] {
        // What is still there was not needed; what is not, was.
        let _ = fs::remove_file(file);
    }
    result
}

/// A file beside another: its name and more.
fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

fn copy_beside(config: &Config, file: &Path) -> Result<PathBuf, CliError> {
    let copy = match config.database_url.file() {
        Some(present) => present.with_added_extension("restoring"),
        None => config.data_dir.join("restoring.db"),
    };
    let problem =
        |error: std::io::Error| CliError::from(ConfigError::new("data_dir", format!("{}: {error}", copy.display())));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(&copy).map_err(problem)?;
    std::io::copy(&mut fs::File::open(file).map_err(problem)?, &mut target).map_err(problem)?;
    target.sync_all().map_err(problem)?;
    Ok(copy)
}

/// SQLite: the copy takes the place of the file that is there, which is kept.
async fn restore_file(config: &Config, arguments: &Arguments, copy: &Path, present: &Path) -> Result<(), CliError> {
    let context = instance::open_at(config, &DatabaseUrl::Sqlite(copy.to_owned())).await?;
    let former = match &arguments.former {
        Some(url) => Some(former(config, url).await?),
        None if present.exists() => Some(opened(config, &DatabaseUrl::Sqlite(present.to_owned())).await?),
        None => None,
    };
    let result = match decided(&context, former.as_ref(), arguments).await {
        Ok(decided) => decided.finish(&context, arguments).await,
        Err(error) => Err(error),
    };
    // Closed, both are whole without the files beside them.
    if let Some(former) = &former {
        former.close().await;
    }
    context.close().await;
    let said = result?;
    let kept = present.exists().then(|| {
        let names = (1..).map(|number| present.with_added_extension(format!("replaced{number}")));
        names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| present.with_added_extension("replaced"))
    });
    let moved = match &kept {
        Some(kept) => fs::rename(present, kept),
        None => Ok(()),
    };
    for stale in ["-wal", "-shm"] {
        // They belong to the file that was replaced, and would be taken for the new one's.
        let _ = fs::remove_file(beside(present, stale));
    }
    moved.and_then(|()| fs::rename(copy, present)).map_err(CliError::failed)?;
    println!("{said}");
    if let Some(kept) = kept {
        println!("What was there before is in {}.", kept.display());
    }
    Ok(())
}

/// PostgreSQL: into an empty database.
async fn restore_to_postgres(config: &Config, arguments: &Arguments, copy: &Path) -> Result<(), CliError> {
    let source = instance::open_at(config, &DatabaseUrl::Sqlite(copy.to_owned())).await?;
    let former = match &arguments.former {
        Some(url) => Some(former(config, url).await?),
        None => None,
    };
    let decided = decided(&source, former.as_ref(), arguments).await;
    if let Some(former) = &former {
        former.close().await;
    }
    let decided = match decided {
        Ok(decided) => decided,
        Err(error) => {
            source.close().await;
            return Err(error);
        }
    };
    let target = opened(config, &config.database_url).await?;
    let mut progress = Progress::new();
    let copied = backup::copy(&source, &target, &mut |table, rows| progress.show(table, rows)).await;
    progress.end();
    target.close().await;
    source.close().await;
    copied.map_err(|error| match error {
        backup::BackupError::Copy(domain::store::operations::copy::CopyError::NotEmpty) => {
            let problem = format!("{} is not empty: restore into a new database", config.database_url);
            ConfigError::new("database_url", problem).into()
        }
        error => CliError::failed(error),
    })?;
    let context = instance::open(config).await?;
    let result = decided.finish(&context, arguments).await;
    context.close().await;
    println!("{}", result?);
    Ok(())
}

async fn former(config: &Config, url: &str) -> Result<Store, CliError> {
    let url = DatabaseUrl::parse(url).map_err(|problem| ConfigError::new("--former", problem))?;
    opened(config, &url).await
}

async fn opened(config: &Config, url: &DatabaseUrl) -> Result<Store, CliError> {
    let store = Store::open(url, &config.store).await.map_err(CliError::failed)?;
    store.migrate().await.map_err(CliError::failed)?;
    Ok(store)
}

/// A backup that was proved, and what is to become of what had ended since.
struct Decided {
    proof: backup::BackupProof,
    difference: Difference,
    was_compared: bool,
}

/// Proves the copy of the backup and compares it.
///
/// # Errors
///
/// Tells what would come back, unless the arguments say what is to become of it.
async fn decided(copy: &Context, former: Option<&Store>, arguments: &Arguments) -> Result<Decided, CliError> {
    let counts = copy.store.counts().await.map_err(CliError::failed)?;
    let proof = backup::prove(copy, &copy.store, counts).await.map_err(CliError::failed)?;
    let difference = match former {
        Some(former) => {
            restore::compare(former, &copy.store, SystemClock::default().now()).await.map_err(CliError::failed)?
        }
        None => Difference::default(),
    };
    if !difference.is_empty() && !arguments.end_again && !arguments.bring_back {
        return Err(CliError::Failed(told(&difference)));
    }
    Ok(Decided { proof, difference, was_compared: former.is_some() })
}

impl Decided {
    /// Makes what was restored fit to serve; returns what to say.
    async fn finish(self, context: &Context, arguments: &Arguments) -> Result<String, CliError> {
        let Self { proof, difference, was_compared } = self;
        let sessions = restore::finish(context, &operator(), &difference, arguments.end_again).await;
        let sessions = sessions.map_err(CliError::failed)?;
        let ended = match (difference.is_empty(), arguments.end_again) {
            (true, _) if !was_compared => "There was no database to compare with: nobody knows what was revoked since.",
            (true, _) => "Nothing had ended since.",
            (false, true) => "What had ended since is ended again.",
            (false, false) => "What had ended since works again.",
        };
        Ok(format!(
            "Restored {} rows; {} wrapped keys open, {} audit entries are unbroken. {sessions} sessions ended, and with them \
             connected apps and personal tokens, which people allow and generate again, and open \
             invitations. {ended}",
            proof.rows(),
            proof.opened,
            proof.entries
        ))
    }
}

/// What the backup would bring back, and what to do about it.
fn told(difference: &Difference) -> String {
    let mut lines = vec!["these had ended since the backup was made, and would work again:".to_owned()];
    lines.extend(difference.ended.iter().take(MOST_LINES).map(line));
    if difference.ended.len() > MOST_LINES {
        lines.push(format!("  and {} more", difference.ended.len() - MOST_LINES));
    }
    lines.extend(
        difference.dropped.iter().map(|algorithm| format!("  the signing key of {algorithm}, which was dropped")),
    );
    lines.push(
        "Nothing was restored. Say --end-again to end them in what is restored, or --bring-back to let them work."
            .to_owned(),
    );
    lines.join("\n")
}

fn line(ended: &Ended) -> String {
    let what = match ended.how {
        How::Revoked => "revoked",
        How::Disabled => "disabled",
        How::AuthenticatorRevoked(_) => "a secret, key or identity revoked",
        How::PersonDisabled => "person disabled",
        How::ClientRemoved | How::DocumentRemoved => "client removed",
        How::ClientSecretEnded => "its secret ended or was replaced; client added",
        How::OpenIdDisconnected => "OpenID account disconnected",
        How::PasskeyRemoved => "passkey removed",
        How::AppRemoved => "authenticator app removed",
        How::AdministrationTaken => "administration taken",
        How::RoleTaken(None) => "role in the team taken",
        How::RoleTaken(Some(_)) => "given a lesser role in the team",
    };
    format!("  {}  {}  {what} {}", ended.id, ended.name, ended.at.rfc3339())
}
