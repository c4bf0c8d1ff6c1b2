//! Reads the part of the former database's audit log that the backup does not have.

use crate::model::audit::AuditEntry;
use crate::model::operations::{EndingKind, SinceBackup};
use crate::operations::restore::effect;
use crate::prelude::{Action, Fault, Target, Timestamp};
use crate::store::{self, Store};

/// Entries that are read at once.
const PAGE: i64 = 1000;

/// An entry that a restore undoes or does not understand, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinceEntry {
    /// When it happened.
    pub at: Timestamp,
    /// The word of the action.
    pub action: String,
    /// Identifier of what it is about.
    pub target_id: String,
    /// Its name.
    pub target_name: String,
    /// What the restore means for it.
    pub meaning: String,
}

/// What the entries say.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// What to compare.
    pub since: SinceBackup,
    /// Entries of an action, or with a field, that this version does not know.
    pub unknown: Vec<SinceEntry>,
    /// Entries whose effect cannot be carried over.
    pub left: Vec<SinceEntry>,
    /// Things that were made since the backup.
    pub lost: Vec<SinceEntry>,
    /// The algorithms whose signing keys were replaced.
    pub rotated: Vec<String>,
}

/// Reads the entries of `former` that come after the last one that both databases have.
///
/// That entry is found by its MAC, not by its number: after an earlier restore both logs may go on differently from the
/// same entry.
pub(super) async fn read(former: &Store, backup: &Store) -> Result<Log, Fault> {
    let mut log = Log::default();
    // What clients that registered themselves change or remove is folded in the log: an entry need not name the client.
    log.since.kinds.insert(EndingKind::Clients);
    let mut after = last_common(former, backup).await?;
    loop {
        let entries = store::audit::walk(former, after, PAGE).await?;
        for entry in &entries {
            log.add(entry);
            after = entry.seq;
        }
        if (entries.len() as i64) < PAGE {
            return Ok(log);
        }
    }
}

/// The number of the last entry that both logs have; 0 when they have none. Each MAC covers the MAC before it, so logs
/// that agree at an entry agree at every earlier one.
async fn last_common(former: &Store, backup: &Store) -> Result<i64, Fault> {
    let (former_head, _) = store::audit::head(former).await?;
    let (backup_head, _) = store::audit::head(backup).await?;
    let (mut common, mut different) = (0, former_head.min(backup_head) + 1);
    while different - common > 1 {
        let middle = common + (different - common) / 2;
        let (one, other) = (store::audit::find(former, middle).await?, store::audit::find(backup, middle).await?);
        match one.zip(other).is_some_and(|(one, other)| one.mac == other.mac) {
            true => common = middle,
            false => different = middle,
        }
    }
    Ok(common)
}

impl Log {
    fn add(&mut self, entry: &AuditEntry) {
        let with = |meaning: String| SinceEntry {
            at: entry.at,
            action: entry.action.clone(),
            target_id: entry.target_id.clone(),
            target_name: entry.target_name.clone(),
            meaning,
        };
        let Some(action) = Action::parse(&entry.action) else {
            self.unknown.push(with("this version does not know the action".to_owned()));
            return;
        };
        for field in effect::unknown_fields(action, entry) {
            self.unknown.push(with(format!("this version does not know the field {field} of the change")));
        }
        self.lost.extend(effect::lost(action).map(|meaning| with(meaning.to_owned())));
        self.left.extend(effect::left(action).map(|meaning| with(meaning.to_owned())));
        if action == Action::SigningKeyRotated && !self.rotated.contains(&entry.target_name) {
            self.rotated.push(entry.target_name.clone());
        }
        let kinds = effect::ends(action);
        if kinds.is_empty() {
            return;
        }
        self.since.kinds.extend(kinds);
        if let Some(target) = Target::parse(&entry.target_kind) {
            let things = self.since.targets.entry(target.as_str()).or_default();
            things.insert(entry.target_id.clone(), (entry.target_name.clone(), entry.at));
        }
    }
}
