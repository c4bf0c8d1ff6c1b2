//! `countersign audit`

use std::io::Write;

use clap::Subcommand;
use domain::audit::{self, Verdict};
use domain::context::Context;
use domain::services::keyring::open_all;

use super::shared::{CliError, Progress, instance};
use crate::audit_export::Format;
use crate::config::Config;

/// How many entries are read at a time.
const PAGE: u16 = 1000;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Prove that no entry was changed, removed or reordered, and that the instance’s keys are its own
    Verify,
    /// Print every entry, oldest first
    Export {
        /// jsonl (one JSON object a line) or csv
        #[arg(long, value_enum, default_value_t = Format::Jsonl, hide_possible_values = true)]
        format: Format,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    instance::with(config, async |context| match command {
        Command::Export { format } => export(context, format).await,
        Command::Verify => match audit::verify(context).await? {
            Verdict::Intact { entries } => {
                println!("The audit log is intact: {entries} entries.");
                // A person who can write to the database could also have replaced a key.
                open_all(&context.store, &context.keys).await?;
                Ok(())
            }
            Verdict::Broken { seq, reason } => {
                Err(CliError::Failed(format!("the audit log is broken at entry {seq}: {reason}")))
            }
        },
    })
    .await
}

async fn export(context: &Context, format: Format) -> Result<(), CliError> {
    let mut progress = Progress::beside_output();
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    output.write_all(format.head().as_bytes())?;
    let mut after = 0;
    loop {
        let entries = audit::walk(context, after, PAGE).await?;
        for entry in &entries {
            output.write_all(format.line(entry).as_bytes())?;
            after = entry.seq;
        }
        progress.show("entries", after);
        if entries.len() < usize::from(PAGE) {
            return Ok(output.flush()?);
        }
    }
}
