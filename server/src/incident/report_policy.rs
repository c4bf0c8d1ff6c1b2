//! The policy for reports of leaks, and GitHub’s public keys.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::crypto::public_key::PublicKey;
use domain::model::incident::Policy;
use serde::Deserialize;

use crate::http::text;

/// The policy for reports.
#[derive(Debug, Clone, Default)]
pub struct LeakReports {
    /// What happens to a reported secret.
    pub policy: Policy,
    /// The public keys that verify GitHub's reports, by identifier. Without keys, GitHub's reports are not accepted.
    pub github_keys: Vec<(String, PublicKey)>,
}

/// A file of keys, in the format that GitHub publishes.
#[derive(Deserialize)]
struct KeyFile {
    public_keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
struct KeyEntry {
    key_identifier: String,
    key: String,
}

/// Reads a file of keys, in the format of <https://api.github.com/meta/public_keys/secret_scanning>.
///
/// # Errors
///
/// The error says what is wrong with the file.
pub fn read_github_keys(text: &str) -> Result<Vec<(String, PublicKey)>, String> {
    let file: KeyFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    file.public_keys
        .into_iter()
        .map(|entry| match PublicKey::read_all(&entry.key)?.into_iter().next() {
            Some(key) => Ok((entry.key_identifier, key)),
            None => Err("a key is missing".to_owned()),
        })
        .collect()
}

/// Whether GitHub signed this body.
pub(super) fn is_signed(reports: &LeakReports, headers: &HeaderMap, body: &[u8]) -> bool {
    let identifier = text(headers, "github-public-key-identifier");
    let signature = text(headers, "github-public-key-signature").and_then(|signature| STANDARD.decode(signature).ok());
    let (Some(identifier), Some(signature)) = (identifier, signature) else { return false };
    reports.github_keys.iter().any(|(name, key)| name == identifier && key.verify_der(body, &signature))
}
