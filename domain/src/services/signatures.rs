//! Remembers tokens whose signature was checked. A program sends one token for ten minutes, and the signature is the
//! most expensive part of its check. Only the signature is remembered: each use asks the database about the token's
//! state.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;

/// SHA-256 of a token: the token itself is not kept.
type Digest = [u8; 32];

/// The most values of one generation. There are two.
const MOST: usize = 8192;

/// Values by token. When a generation is full, the one before is forgotten.
pub struct Signatures<V> {
    generations: Mutex<[HashMap<Digest, V>; 2]>,
}

impl<V> Default for Signatures<V> {
    fn default() -> Self {
        Self { generations: Mutex::default() }
    }
}

impl<V> std::fmt::Debug for Signatures<V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signatures")
    }
}

impl<V: Clone> Signatures<V> {
    /// What was remembered of this token.
    pub(crate) fn get(&self, token: &str) -> Option<V> {
        let digest = digest_of(token)?;
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations[0].get(&digest) {
            return Some(value.clone());
        }
        let value = generations[1].remove(&digest)?;
        keep(&mut generations, digest, value.clone());
        Some(value)
    }

    /// Remembers this of the token.
    pub(crate) fn insert(&self, token: &str, value: V) {
        if let Some(digest) = digest_of(token) {
            keep(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner), digest, value);
        }
    }
}

fn keep<V>(generations: &mut [HashMap<Digest, V>; 2], digest: Digest, value: V) {
    if generations[0].len() >= MOST {
        generations.swap(0, 1);
        generations[0].clear();
    }
    generations[0].insert(digest, value);
}

fn digest_of(token: &str) -> Option<Digest> {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let signatures = Signatures::default();
        signatures.insert("used", 0);
        for number in 0..3 * MOST {
            signatures.insert(&number.to_string(), number);
            assert_eq!(signatures.get("used"), Some(0));
        }
        assert_eq!(signatures.get("0"), None);
        assert_eq!(signatures.get(&(3 * MOST - 1).to_string()), Some(3 * MOST - 1));
        let generations = signatures.generations.lock().expect("one thread");
        assert!(generations.iter().all(|generation| generation.len() <= MOST));
    }
}
