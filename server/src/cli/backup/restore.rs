//! `countersign restore`

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::base::clock::{Clock, SystemClock};
use domain::base::private_file;
use domain::context::Context;
use domain::model::operations::{Ended, How};
use domain::operations::backup::{self, BackupError};
use domain::operations::restore::{self, Difference, SinceEntry};
use domain::store::{DatabaseUrl, Store};

use super::copy as copy_into;
use crate::cli::shared::{CliError, in_file, instance, make_data_folder, operator, unused_name};
use crate::config::{Config, ConfigError};

/// Maximum number of lines in the message that lists what would work again.
const MOST_LINES: usize = 50;

#[derive(Args)]
pub(crate) struct Arguments {
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

pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    if !arguments.file.is_file() {
        return Err(ConfigError::new("FILE", format!("{} is not there", arguments.file.display())).into());
    }
    make_data_folder(&config.storage.data_dir)?;
    let _no_server = instance::lock(config)?;
    // The backup itself does not change. All work happens on a copy.
    let copy = copy_backup(config, &arguments.file)?;
    let result = match config.storage.database_url().file() {
        Some(present) => restore_file(config, arguments, &copy, present).await,
        None => restore_to_postgres(config, arguments, &copy).await,
    };
    let left = [copy.clone(), suffixed(&copy, "-wal"), suffixed(&copy, "-shm"), copy.with_added_extension("migration")];
    for file in left {
        // An error means that the file does not exist: it replaced the database, or was never made.
        let _ = fs::remove_file(file);
    }
    result
}

fn suffixed(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies the backup beside the database or, for PostgreSQL, to the data folder.
fn copy_backup(config: &Config, file: &Path) -> Result<PathBuf, CliError> {
    let copy = match config.storage.database_url().file() {
        Some(present) => present.with_added_extension("restoring"),
        None => config.storage.data_dir.join("restoring.db"),
    };
    // What an earlier, interrupted restore left.
    let _ = fs::remove_file(&copy);
    let written = private_file::open(&copy, true).and_then(|mut target| {
        if let Some(present) = config.storage.database_url().file().filter(|present| present.exists()) {
            private_file::make_like(&target, present)?;
        }
        std::io::copy(&mut File::open(file)?, &mut target)?;
        target.sync_all()
    });
    written.map_err(|error| in_file("data_dir", &copy, error))?;
    Ok(copy)
}

/// SQLite: the copy replaces the present file. The present file is kept under another name.
async fn restore_file(config: &Config, arguments: &Arguments, copy: &Path, present: &Path) -> Result<(), CliError> {
    let context = instance::open_at(config, &DatabaseUrl::Sqlite(copy.to_owned())).await?;
    let former = match &arguments.former {
        None if present.exists() => Some(open_store(config, &DatabaseUrl::Sqlite(present.to_owned())).await?),
        former => open_former(config, former.as_deref()).await?,
    };
    let result = match prepare(&context, former.as_ref(), arguments).await {
        Ok(prepared) => prepared.finish(&context, arguments).await,
        Err(error) => Err(error),
    };
    // After closing, each database is complete without its side files (`-wal`, `-shm`).
    close(former).await;
    context.close().await;
    let summary = result?;
    let kept = present.exists().then(|| unused_name(present, "replaced"));
    let moved = kept.as_ref().map_or(Ok(()), |kept| fs::rename(present, kept));
    for stale in ["-wal", "-shm"] {
        // These belong to the file that was replaced. SQLite would use them with the new file.
        let _ = fs::remove_file(suffixed(present, stale));
    }
    moved.and_then(|()| fs::rename(copy, present))?;
    println!("{summary}");
    match kept {
        Some(kept) => println!("What was there before is in {}.", kept.display()),
        None => instance::say_begun(config),
    }
    Ok(())
}

/// PostgreSQL: restores into an empty database. The copy of the backup is finished first and then written in one
/// transaction. So the database never holds a restore that is not finished: when this command is killed, the database
/// is as empty as before.
async fn restore_to_postgres(config: &Config, arguments: &Arguments, copy: &Path) -> Result<(), CliError> {
    let source = instance::open_at(config, &DatabaseUrl::Sqlite(copy.to_owned())).await?;
    let result = copy_to_postgres(config, arguments, &source).await;
    source.close().await;
    println!("{}", result?);
    instance::say_begun(config);
    Ok(())
}

async fn copy_to_postgres(config: &Config, arguments: &Arguments, source: &Context) -> Result<String, CliError> {
    let former = open_former(config, arguments.former.as_deref()).await?;
    let prepared = prepare(source, former.as_ref(), arguments).await;
    close(former).await;
    let summary = prepared?.finish(source, arguments).await?;
    let url = config.storage.database_url();
    let target = open_store(config, &url).await?;
    let problem = format!("{url} is not empty: restore into a new database");
    copy_into(source, target, ConfigError::new("database_url", problem)).await?;
    Ok(summary)
}

/// Opens the database that the backup replaces, when `--former` names it.
async fn open_former(config: &Config, url: Option<&str>) -> Result<Option<Store>, CliError> {
    let Some(url) = url else { return Ok(None) };
    let url = DatabaseUrl::parse(url).map_err(|problem| ConfigError::new("--former", problem))?;
    open_store(config, &url).await.map(Some)
}

async fn open_store(config: &Config, url: &DatabaseUrl) -> Result<Store, CliError> {
    let store = Store::open(url, &config.storage.options()).await?;
    store.migrate().await?;
    Ok(store)
}

async fn close(store: Option<Store>) {
    if let Some(store) = store {
        store.close().await;
    }
}

/// A verified backup, and what was ended after it was made.
struct Prepared {
    proof: backup::BackupProof,
    difference: Difference,
    was_compared: bool,
}

/// Verifies the copy of the backup, and compares it with the former database.
///
/// # Errors
///
/// The error lists what would work again, unless the arguments say what to do about it.
async fn prepare(copy: &Context, former: Option<&Store>, arguments: &Arguments) -> Result<Prepared, CliError> {
    let counts = copy.store.counts().await.map_err(BackupError::from)?;
    let proof = backup::prove(copy, &copy.store, counts).await?;
    let difference = match former {
        Some(former) => restore::compare(former, &copy.store, SystemClock::default().now()).await?,
        None => Difference::default(),
    };
    if !difference.unknown.is_empty() && !arguments.bring_back {
        return Err(CliError::Failed(not_understood(&difference)));
    }
    if !difference.is_empty() && !arguments.end_again && !arguments.bring_back {
        return Err(CliError::Failed(refusal(&difference)));
    }
    Ok(Prepared { proof, difference, was_compared: former.is_some() })
}

impl Prepared {
    /// Makes the restored database ready to serve. Returns a summary for people.
    async fn finish(self, context: &Context, arguments: &Arguments) -> Result<String, CliError> {
        let Self { proof, difference, was_compared } = self;
        let sessions = restore::finish(context, &operator(), &difference, arguments.end_again).await?;
        let ended = match (difference.is_empty(), arguments.end_again) {
            (true, _) if !was_compared => {
                "There was no database to compare with: check what was revoked since the backup."
            }
            (true, _) => "Nothing had ended since.",
            (false, true) => "What had ended since is ended again.",
            (false, false) => "What had ended since works again.",
        };
        let mut lines = vec![format!(
            "Restored {} rows; {} wrapped keys open, {} audit entries are unbroken. {sessions} sessions ended, and with \
             them open invitations, connected apps and personal tokens: people allow and generate those again. {ended}",
            proof.rows(),
            proof.opened,
            proof.entries
        )];
        if arguments.end_again {
            list(&mut lines, "Ended again:", difference.ended.iter().map(line));
        }
        let title = "These passwords were changed since the backup. The later password holds:";
        list(&mut lines, title, difference.passwords.iter().map(line));
        list(&mut lines, LOST, difference.lost.iter().map(entry));
        list(&mut lines, LEFT, difference.left.iter().map(entry));
        Ok(lines.join("\n"))
    }
}

const LOST: &str = "These were made since the backup, and are gone:";
const LEFT: &str = "Still to be done:";

/// Adds the first of these items below a title; nothing when there is none.
fn list(lines: &mut Vec<String>, title: &str, mut items: impl ExactSizeIterator<Item = String>) {
    if items.len() > 0 {
        lines.push(title.to_owned());
        lines.extend(items.by_ref().take(MOST_LINES));
    }
    if items.len() > 0 {
        lines.push(format!("  and {} more", items.len()));
    }
}

/// The message that lists what would work again, and the options.
fn refusal(difference: &Difference) -> String {
    let mut lines = vec!["these had ended since the backup was made, and would work again:".to_owned()];
    let dropped = difference.dropped.iter().map(|alg| format!("  the signing key of {alg}, which was dropped"));
    let rotated = difference.rotated.iter().map(|alg| format!("  the signing key of {alg}, which was replaced"));
    lines.extend(dropped.chain(rotated));
    let rest = difference.ended.len().saturating_sub(MOST_LINES);
    lines.extend(difference.ended.iter().take(MOST_LINES).map(line));
    if rest > 0 {
        lines.push(format!("  and {rest} more"));
    }
    list(&mut lines, "These changes cannot be carried over:", difference.left.iter().map(entry));
    list(&mut lines, LOST, difference.lost.iter().map(entry));
    lines.push(
        "Nothing was restored. Say --end-again to end them in what is restored, or --bring-back to let them work."
            .to_owned(),
    );
    lines.join("\n")
}

/// The message about entries of the audit log that this version does not understand.
fn not_understood(difference: &Difference) -> String {
    let mut lines = vec!["the audit log since the backup holds entries that this version does not know:".to_owned()];
    let rest = difference.unknown.len().saturating_sub(MOST_LINES);
    lines.extend(difference.unknown.iter().take(MOST_LINES).map(entry));
    if rest > 0 {
        lines.push(format!("  and {rest} more"));
    }
    lines.push(
        "They may have ended anything, and nothing was restored. Restore with the version that wrote them. Say \
         --bring-back only if everything that ended since the backup may work again."
            .to_owned(),
    );
    lines.join("\n")
}

fn entry(entry: &SinceEntry) -> String {
    let SinceEntry { at, action, target_id, target_name, meaning } = entry;
    format!("  {} {action}  {target_id}  {target_name}: {meaning}", at.rfc3339())
}

fn line(ended: &Ended) -> String {
    let what = match ended.how {
        How::Revoked => "revoked",
        How::Disabled => "disabled",
        How::AuthenticatorRevoked(_) => "a secret, key or identity revoked",
        How::PersonDisabled => "person disabled",
        How::ClientRemoved | How::DocumentRemoved => "client removed",
        How::ClientDisabled | How::DocumentDisabled => "client disabled",
        How::ClientSecretEnded => "its secret ended or was replaced; client added",
        How::ClientRegistrationEnded => "its registration access token ended",
        How::OpenIdDisconnected => "OpenID account disconnected",
        How::PasskeyRemoved => "passkey removed",
        How::AppRemoved => "authenticator app removed",
        How::AdministrationTaken => "administration taken",
        How::RoleTaken(None) => "role in the team taken",
        How::RoleTaken(Some(_)) => "given a lesser role in the team",
        How::EndSet => "a secret or key got another end",
        How::CredentialNarrowed => "rights, limits or team changed",
        How::TeamUnknown => "given to a team that the backup does not know; it is disabled instead",
        How::Leaked => "a secret reported as leaked",
        How::PasswordChanged => "password changed",
        How::ClientNarrowed => "redirect URIs or keys changed, device grant taken, or reported as leaked",
        How::WebhookRemoved => "webhook removed",
        How::WebhookPaused => "webhook paused",
        How::WebhookChanged => "webhook given another address or secret",
        How::ServerNarrowed => "fewer teams, fewer scopes or shorter tokens for the MCP server",
        How::ServerArchived => "MCP server archived or removed; it is archived again",
        How::WebhookUnreadable => {
            "webhook given another address or secret, which the backup cannot open; it is paused instead: enter them again"
        }
        How::TokenRevoked => "access token revoked",
    };
    format!("  {}  {}  {what} {}", ended.id, ended.name, ended.at.rfc3339())
}
