//! The name that a client states about itself, in its registration or in its document. Nobody has checked it, and
//! people decide by it. So it must be readable, and must not be taken for Countersign or for a client that an
//! administrator added.
//!
//! Clients that registered themselves may have the same name as each other: every copy of a program registers for
//! itself.

use serde_json::{Map, Value};

use crate::base::confusable::{mixes_alphabets, skeleton};
use crate::base::text::check_visible_name;
use crate::prelude::Change;
use crate::store::{self, StoreError};

/// Longest name, in characters.
const LONGEST: usize = 100;
const UNNAMED: &str = "Unnamed client";
/// The name of this product. No client may contain it.
const PRODUCT: &str = "Countersign";

/// The name in the metadata. The error says what is wrong with it.
pub(crate) fn stated(metadata: &Map<String, Value>) -> Result<String, String> {
    let name = match metadata.get("client_name") {
        None | Some(Value::Null) => "",
        Some(name) => name.as_str().ok_or("client_name must be text.")?,
    };
    let name = check_visible_name(name, LONGEST).map_err(|problem| format!("client_name: {problem}"))?;
    if mixes_alphabets(&name) {
        return Err("client_name has a word with letters of two alphabets.".to_owned());
    }
    if skeleton(&name).contains(&skeleton(PRODUCT)) {
        return Err(format!("client_name must not look like {PRODUCT}."));
    }
    Ok(if name.is_empty() { UNNAMED.to_owned() } else { name })
}

/// Whether no administrator added a client whose name looks like this one.
pub(crate) async fn is_free(change: &mut Change<'_>, name: &str) -> Result<bool, StoreError> {
    let name = skeleton(name);
    Ok(store::client::names_by_administrators(change).await?.iter().all(|taken| skeleton(taken) != name))
}

/// What to tell a client whose name is not free.
pub(crate) const TAKEN: &str = "client_name looks like the name of a client that an administrator added.";
