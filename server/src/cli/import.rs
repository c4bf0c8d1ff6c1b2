//! `countersign import`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use domain::context::Context;
use domain::credential::import::{BATCH, Import, ImportError, Imported, Problem};
use domain::model::actor::Actor;

use super::shared::{CliError, Progress, in_file, instance, operator};
use crate::config::Config;

/// Maximum length of a line in bytes. A name, a description and fifty ranges need only a small part of it.
const LONGEST_LINE: usize = 64 * 1024;
/// After this number of problems the command stops reading the file.
const MOST_PROBLEMS: usize = 20;

#[derive(Args)]
pub(super) struct Arguments {
    /// A file with one JSON object a line
    file: PathBuf,
    /// Check every line and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also import secrets in clear that have fewer than 16 bytes
    #[arg(long)]
    allow_short_secrets: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> Result<(), CliError> {
    // This is the first step: when the file does not exist, no database must be made.
    Lines::open(&arguments.file)?;
    let imported = instance::with(config, async |context| import(context, arguments).await).await?;
    let present = match imported.present {
        0 => String::new(),
        count => format!(" {count} more are there already and stay as they are."),
    };
    match arguments.dry_run {
        true => println!("Every line is fine: {} credentials would be imported.{present}", imported.new),
        false => println!("Imported {} credentials.{present}", imported.new),
    }
    Ok(())
}

async fn import(context: &Context, arguments: &Arguments) -> Result<Imported, CliError> {
    let mut progress = Progress::new();
    let actor = operator();
    let mut total = 0;
    let checked = read_through(context, &actor, arguments, None, |lines| {
        total = lines;
        progress.show("checked", lines);
    });
    let checked = checked.await?;
    if arguments.dry_run {
        return Ok(checked);
    }
    let is_alone = checked.new + checked.present <= BATCH as u64;
    let begun = Instant::now();
    let show = |lines| progress.show_of("imported", lines, total, begun);
    read_through(context, &actor, arguments, Some(is_alone), show).await
}

/// Reads the file once. `write` is none to only check the lines, else it says whether one batch holds the whole file.
async fn read_through(
    context: &Context,
    actor: &Actor,
    arguments: &Arguments,
    write: Option<bool>,
    mut progress: impl FnMut(i64),
) -> Result<Imported, CliError> {
    let file = &arguments.file;
    let import = Import::begin(context, actor).await?;
    let mut import = import.allowing_short_secrets(arguments.allow_short_secrets);
    let mut lines = Lines::open(file)?;
    let (mut total, mut problems) = (Imported::default(), Vec::new());
    loop {
        let batch = lines.next_batch()?;
        if batch.is_empty() || problems.len() >= MOST_PROBLEMS {
            break;
        }
        let result = match write {
            Some(is_alone) => import.write(&batch, is_alone).await,
            None => import.check(&batch).await,
        };
        match result {
            Ok(imported) => {
                total.new += imported.new;
                total.present += imported.present;
            }
            Err(ImportError::Lines(wrong)) => problems.extend(wrong),
            Err(ImportError::Fault(fault)) => return Err(fault.into()),
        }
        progress(i64::try_from(lines.number).unwrap_or(i64::MAX));
    }
    if problems.is_empty() { Ok(total) } else { Err(refusal(file, &problems, write.is_none())) }
}

/// The problems, one a line.
fn refusal(file: &Path, problems: &[Problem], nothing_was_written: bool) -> CliError {
    let line = |problem: &Problem| format!("{} line {}: {}", file.display(), problem.line, problem.message);
    let mut lines: Vec<String> = problems.iter().take(MOST_PROBLEMS).map(line).collect();
    if problems.len() > MOST_PROBLEMS {
        lines.push("There are more.".to_owned());
    }
    lines.push(match nothing_was_written {
        true => "Nothing was imported.".to_owned(),
        false => "What comes before was imported; import the file again when the lines are right.".to_owned(),
    });
    CliError::Failed(lines.join("\n"))
}

/// The non-empty lines of a file, in batches.
struct Lines {
    reader: BufReader<File>,
    /// Number of the last line that was read.
    number: u64,
    name: String,
}

impl Lines {
    fn open(file: &Path) -> Result<Self, CliError> {
        if file.exists() && !file.is_file() {
            // The file is read once to check and once to write.
            return Err(in_file("FILE", file, "is not a file that can be read twice"));
        }
        let opened = File::open(file).map_err(|error| in_file("FILE", file, error))?;
        Ok(Self { reader: BufReader::new(opened), number: 0, name: file.display().to_string() })
    }

    fn next_batch(&mut self) -> Result<Vec<(u64, String)>, CliError> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let mut line = String::new();
            let read = self.reader.read_line(&mut line);
            let problem =
                |problem: String| CliError::Failed(format!("{} line {}: {problem}", self.name, self.number + 1));
            if read.map_err(|error| problem(error.to_string()))? == 0 {
                break;
            }
            if line.len() > LONGEST_LINE {
                return Err(problem(format!("is longer than {LONGEST_LINE} bytes")));
            }
            self.number += 1;
            let line = line.trim_end_matches(['\r', '\n']);
            if !line.trim().is_empty() {
                batch.push((self.number, line.to_owned()));
            }
        }
        Ok(batch)
    }
}
