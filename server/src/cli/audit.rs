//! `countersign audit`

use std::io::{IsTerminal, Write};

use clap::Subcommand;
use domain::audit::{self, Verdict};

use super::{CliError, instance};
use crate::audit_export::Format;
use crate::config::Config;

#[derive(Subcommand)]
pub enum Command {
    /// Prove that no entry was changed, removed or reordered
    Verify,
    /// Print every entry, oldest first
    Export {
        /// jsonl (one JSON object a line) or csv
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
    },
}

pub async fn run(config: &Config, command: Command) -> Result<(), CliError> {
    let context = instance::open(config).await?;
    let result = match command {
        Command::Verify => match audit::verify(&context).await.map_err(CliError::failed) {
            Ok(Verdict::Intact { entries }) => {
                println!("The audit log is intact: {entries} entries.");
                Ok(())
            }
            Ok(Verdict::Broken { seq, reason }) => {
                Err(CliError::Failed(format!("the audit log is broken at entry {seq}: {reason}")))
            }
            Err(error) => Err(error),
        },
        Command::Export { format } => export(&context, format).await,
    };
    context.close().await;
    result
}

async fn export(context: &domain::context::Context, format: Format) -> Result<(), CliError> {
    const PAGE: u16 = 1000;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    // Progress is for people: it would spoil a log.
    let watched = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
    output.write_all(format.head().as_bytes()).map_err(CliError::failed)?;
    let mut after = 0;
    loop {
        let entries = audit::walk(context, after, PAGE).await.map_err(CliError::failed)?;
        for entry in &entries {
            output.write_all(format.line(entry).as_bytes()).map_err(CliError::failed)?;
            after = entry.seq;
        }
        if watched {
            eprint!("\r{after} entries");
        }
        if entries.len() < usize::from(PAGE) {
            if watched {
                eprintln!();
            }
            return output.flush().map_err(CliError::failed);
        }
    }
}
