//! Entries of the audit log as lines: JSON for programs, CSV for spreadsheets. The command line and the dashboard write
//! the same text.

use domain::model::audit::AuditEntry;
use serde_json::{Value, json};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, with the chain's MACs.
    Jsonl,
    /// RFC 4180.
    Csv,
}

const COLUMNS: [&str; 14] = [
    "seq",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "target_kind",
    "target_id",
    "target_name",
    "address",
    "agent",
    "details",
    "previous",
    "mac",
];

impl Format {
    /// Reads the format from an address.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "jsonl" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The file name under which a browser saves it.
    pub const fn disposition(self) -> &'static str {
        match self {
            Self::Jsonl => "attachment; filename=\"countersign-audit.jsonl\"",
            Self::Csv => "attachment; filename=\"countersign-audit.csv\"",
        }
    }

    /// The text before the entries.
    pub fn head(self) -> String {
        match self {
            Self::Jsonl => String::new(),
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
        }
    }

    /// An entry as a line, with its line end.
    pub fn line(self, entry: &AuditEntry) -> String {
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
                let (seq, at) = (entry.seq.to_string(), entry.at.rfc3339());
                let cells = [
                    seq.as_str(),
                    &at,
                    &entry.actor_kind,
                    &entry.actor_id,
                    &entry.actor_name,
                    &entry.action,
                    &entry.target_kind,
                    &entry.target_id,
                    &entry.target_name,
                    entry.address.as_deref().unwrap_or_default(),
                    entry.agent.as_deref().unwrap_or_default(),
                    &entry.details,
                    &entry.previous,
                    &entry.mac,
                ];
                format!("{}\r\n", cells.map(cell).join(","))
            }
        }
    }
}

/// A cell in quotes. Spreadsheets run a cell that begins like a formula. An apostrophe in front keeps it text.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@SUM(A1)"), "\"'@SUM(A1)\"");
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
