//! Entries of the audit log as lines: JSON for programs, CSV for spreadsheets. The command line and the dashboard write
//! the same text.

use domain::base::text::csv_cell;
use domain::model::audit::AuditEntry;
use serde_json::{Value, json};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line, with the chain's MACs.
    Jsonl,
    /// RFC 4180.
    Csv,
}

const COLUMNS: &str = "seq,at,actor_kind,actor_id,actor_name,action,target_kind,target_id,target_name,address,agent,details,\
    previous,mac";

impl Format {
    /// Reads the format from an address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        clap::ValueEnum::from_str(text, false).ok()
    }

    /// The media type, and the file name under which a browser saves it.
    pub(crate) const fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Jsonl => ("application/jsonl", "attachment; filename=\"countersign-audit.jsonl\""),
            Self::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"countersign-audit.csv\""),
        }
    }

    /// The text before the entries.
    pub(crate) fn head(self) -> String {
        match self {
            Self::Jsonl => String::new(),
            Self::Csv => format!("{COLUMNS}\r\n"),
        }
    }

    /// An entry as a line, with its line end.
    pub(crate) fn line(self, entry: &AuditEntry) -> String {
        match self {
            Self::Jsonl => {
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
                format!("{line}\n")
            }
            Self::Csv => {
                let AuditEntry { actor_kind, actor_id, actor_name, action, .. } = entry;
                let AuditEntry { target_kind, target_id, target_name, details, previous, mac, .. } = entry;
                let (seq, at) = (&entry.seq.to_string(), &entry.at.rfc3339());
                let [address, agent] = [&entry.address, &entry.agent].map(|text| text.as_deref().unwrap_or_default());
                let who = [seq, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name];
                let how = [address, agent, details, previous, mac];
                let cells: Vec<String> = who.into_iter().map(String::as_str).chain(how).map(csv_cell).collect();
                format!("{}\r\n", cells.join(","))
            }
        }
    }
}
