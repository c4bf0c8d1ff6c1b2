//! Verifies that the audit log is unchanged since it was written.

use crate::crypto::keys::MacKey;
use crate::prelude::{Context, Fault};
use crate::store::{self, Store};

/// The result of the verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is unchanged.
    Intact {
        /// How many entries there are.
        entries: i64,
    },
    /// An entry is not as it was written. This is the first one.
    Broken {
        /// Number of the entry that is missing, changed or out of place.
        seq: i64,
        /// What is wrong with the entry.
        reason: &'static str,
    },
}

/// Recomputes the whole chain.
pub async fn verify(context: &Context) -> Result<Verdict, Fault> {
    verify_chain(&context.store, &context.keys.audit).await
}

/// Recomputes the chain of a database, which may be another one than the instance's own.
pub(crate) async fn verify_chain(store: &Store, key: &MacKey) -> Result<Verdict, Fault> {
    const PAGE: i64 = 1000;
    // The head is read first: entries that are appended during the walk are beyond the head, and no contradiction.
    let (head_seq, head_mac) = store::audit::head(store).await?;
    let (mut expected_seq, mut previous) = (1, String::new());
    loop {
        let entries = store::audit::walk(store, expected_seq - 1, PAGE).await?;
        for entry in &entries {
            let broken = |reason| Verdict::Broken { seq: expected_seq, reason };
            if entry.seq != expected_seq {
                return Ok(broken("it is missing"));
            }
            if entry.previous != previous {
                return Ok(broken("it does not follow the entry before it"));
            }
            if entry.expected_mac(key) != entry.mac {
                return Ok(broken("it was changed"));
            }
            if entry.seq == head_seq && entry.mac != head_mac {
                return Ok(broken("it is not the newest entry that was written"));
            }
            previous.clone_from(&entry.mac);
            expected_seq += 1;
        }
        if entries.len() < PAGE as usize {
            break;
        }
    }
    if expected_seq <= head_seq {
        return Ok(Verdict::Broken { seq: expected_seq, reason: "it is missing" });
    }
    Ok(Verdict::Intact { entries: expected_seq - 1 })
}
