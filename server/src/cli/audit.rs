//! `countersign audit`

use std::io::Write;

use clap::Subcommand;
use domain::audit::{self, Verdict};
use serde_json::{Value, json};

use super::{CliError, instance};
use crate::config::Config;

#[derive(Subcommand)]
pub enum Command {
    /// Prove that no entry was changed, removed or reordered
    Verify,
    /// Print every entry, oldest first, one JSON object a line
    Export,
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
        Command::Export => export(&context).await,
    };
    context.close().await;
    result
}

async fn export(context: &domain::context::Context) -> Result<(), CliError> {
    const PAGE: u16 = 1000;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut after = 0;
    loop {
        let entries = audit::walk(context, after, PAGE).await.map_err(CliError::failed)?;
        for entry in &entries {
            let details: Value = serde_json::from_str(&entry.details).unwrap_or_default();
            let line = json!({
                "seq": entry.seq,
                "at": entry.at.rfc3339(),
                "actor": { "kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name },
                "action": entry.action,
                "target": { "kind": entry.target_kind, "id": entry.target_id, "name": entry.target_name },
                "address": entry.address,
                "agent": entry.agent,
                "details": details,
                "previous": entry.previous,
                "mac": entry.mac,
            });
            writeln!(output, "{line}").map_err(CliError::failed)?;
            after = entry.seq;
        }
        if entries.len() < usize::from(PAGE) {
            return output.flush().map_err(CliError::failed);
        }
    }
}
