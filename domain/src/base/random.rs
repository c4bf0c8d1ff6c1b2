//! Randomness as a parameter: operations ask a [`Random`], tests hand them a seeded one.

use rand::TryRng;
use rand::rngs::SysRng;

/// A source of unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no credential can be made and no password checked, so there is nothing to fall
        // back to: getrandom(2) fails only on kernels older than the ones Rust supports.
        SysRng.try_fill_bytes(bytes).expect("the operating system provides randomness");
    }
}
