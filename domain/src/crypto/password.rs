//! Passwords of people: Argon2id, a bounded number at a time.
//!
//! One verification takes some 25 ms of a core and 19 MiB. Without a bound, a few dozen parallel sign-ins starve the
//! token endpoint. With a bound, a sign-in that does not fit in is refused, and the answer says to try again soon.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::fair_share::FairShare;
use crate::crypto::imported_secret::{ImportedHash, ImportedSecret};

/// The shortest password accepted, in characters: NIST SP 800-63B for a password that stands alone.
pub const SHORTEST_PASSWORD: usize = 15;
/// The longest password accepted, in characters. Longer ones are refused before any hashing.
pub(crate) const LONGEST_PASSWORD: usize = 256;
const LONGEST_PASSWORD_BYTES: usize = 1024;

const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
/// Sign-ins that may wait for a hashing thread, beyond those being hashed.
const QUEUE: usize = 16;
/// The longest time that a sign-in may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A password in clear, wiped when dropped; its `Debug` shows nothing. Exact bytes: no normalisation, because the
/// same keyboard gives the same bytes and a silent change would be a surprise.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password as it was typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn is_too_long(&self) -> bool {
        self.0.len() > LONGEST_PASSWORD_BYTES || self.0.chars().count() > LONGEST_PASSWORD
    }

    /// Whether a person called `name` with `email` may choose it; the error says what to do.
    ///
    /// Length decides, not kinds of characters (NIST SP 800-63B §3.1.1.2). Four kinds of passwords are refused:
    /// repetitions, runs of the keyboard or the alphabet, well-known long passwords, and passwords that hold little
    /// more than the name of the person or of the product.
    pub(crate) fn check_choice(&self, name: &str, email: &str) -> Result<(), String> {
        if self.0.chars().count() < SHORTEST_PASSWORD {
            let shortest = SHORTEST_PASSWORD;
            return Err(format!("Passwords need at least {shortest} characters. A few unrelated words work well."));
        }
        if self.is_too_long() {
            return Err(format!("Passwords have at most {LONGEST_PASSWORD} characters."));
        }
        if is_predictable(&self.0, name, email) {
            return Err("This password is easy to guess. Choose a few words that have nothing to do with each other, \
                        you, or Countersign."
                .to_owned());
        }
        Ok(())
    }
}

debug_as!(Password, "Password(redacted)");

/// Runs of the alphabet and of keyboards that people use as passwords, forwards or backwards.
const RUNS: [&str; 6] = [
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "qwertzuiopasdfghjklyxcvbnmqwertzuiop",
    "azertyuiopqsdfghjklmwxcvbnazertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
];

/// Parts that make a password hardly harder to guess. They are removed before the rest is measured.
const COMMON_PARTS: &str = "password passwort passw0rd p@ssw0rd admin administrator countersign letmein welcome \
    iloveyou dragon monkey football baseball master secret changeme qwerty trustno1 sunshine princess superman default \
    whatever";

fn is_predictable(password: &str, name: &str, email: &str) -> bool {
    let mut rest: String = password.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let own_words = name.split_whitespace().chain(email.split(['@', '.', '+', '-', '_'])).map(str::to_lowercase);
    let own_words: Vec<String> = own_words.filter(|word| word.chars().count() >= 3).collect();
    for part in COMMON_PARTS.split_whitespace().chain(own_words.iter().map(String::as_str)) {
        rest = rest.replace(part, "");
    }
    for run in RUNS {
        let backwards: String = run.chars().rev().collect();
        for run in [run, &backwards] {
            // The longest piece first, so that a whole run goes at once.
            for length in (4..=run.len()).rev() {
                for start in 0..=run.len() - length {
                    rest = rest.replace(&run[start..start + length], "");
                }
            }
        }
    }
    let mut distinct: Vec<char> = rest.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    rest.chars().count() < 6 || distinct.len() < 5
}

/// Why nothing was hashed or verified. These errors never mean that a password is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// More work than can be done in time; the caller may try again soon.
    #[error("overloaded: {0}")]
    Overloaded(&'static str),
    /// A hash that was just made cannot be read.
    #[error("a hash is damaged")]
    Damaged,
}

/// The stored form of a password: a PHC string, which names its scheme and parameters.
#[derive(Clone)]
pub struct StoredPassword(String);

/// Stands for "no password". No PHC string has this form, so no password fits it.
const NO_PASSWORD: &str = "!";

impl StoredPassword {
    /// No password: nobody can sign in with one.
    pub(crate) fn none() -> Self {
        Self(NO_PASSWORD.to_owned())
    }

    /// Whether there is no password.
    pub(crate) fn is_none(&self) -> bool {
        self.0 == NO_PASSWORD
    }

    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

debug_as!(StoredPassword, "StoredPassword(redacted)");

/// Hashes passwords on blocking threads. The passwords of people and the secrets of other systems have separate queues.
/// A queue runs as many hashes at a time as there are cores but one, at least one. When it is full or the wait is over,
/// each method fails with [`HashError::Overloaded`].
#[derive(Clone)]
pub struct HashQueue {
    random: Arc<dyn Random>,
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    share: FairShare,
}

impl HashQueue {
    /// A queue that salts from `random`.
    pub fn new(random: Arc<dyn Random>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.saturating_sub(1).max(1);
        let places = threads + QUEUE;
        Self {
            random,
            places: Arc::new(Semaphore::new(places)),
            threads: Arc::new(Semaphore::new(threads)),
            share: FairShare::of(places),
        }
    }

    /// The stored form of `password`.
    pub async fn hash(&self, password: Password) -> Result<StoredPassword, HashError> {
        let mut salt = [0u8; Salt::RECOMMENDED_LENGTH];
        self.random.fill(&mut salt);
        self.run(move || {
            // Fixed parameters and a salt of the recommended length leave only a failed allocation.
            argon2id()
                .hash_password_with_salt(password.0.as_bytes(), &salt)
                .map(|hash: PasswordHash| StoredPassword(hash.to_string()))
                .map_err(|_| HashError::Overloaded("not enough memory to hash a password"))
        })
        .await?
    }

    /// Whether `password` is the one stored. With nothing stored (no such account) it does the same work and returns
    /// false, so that the time taken does not tell which accounts exist. A password longer than the longest that can be
    /// set is refused without work.
    pub async fn verify(&self, password: Password, stored: Option<StoredPassword>) -> Result<bool, HashError> {
        if password.is_too_long() {
            return Ok(false);
        }
        let Some(stored) = stored else {
            return self.hash(password).await.map(|_| false);
        };
        self.run(move || {
            PasswordHash::new(stored.as_str())
                .is_ok_and(|hash| argon2id().verify_password(password.0.as_bytes(), &hash).is_ok())
        })
        .await
    }

    /// Whether `secret` belongs to the hash of another system. Anyone can send such a request, so each network gets
    /// only its share. When the share is used up, this fails with [`HashError::Overloaded`] too.
    pub(crate) async fn verify_imported(
        &self,
        secret: Arc<ImportedSecret>,
        hash: ImportedHash,
        asked_from: Option<IpAddr>,
    ) -> Result<bool, HashError> {
        let place =
            self.share.place(asked_from).ok_or(HashError::Overloaded("too many secrets at once from one network"))?;
        self.run(move || {
            // The task holds the place: if the client disconnects, the work goes on, and the place must stay taken.
            let _place = place;
            hash.verify(secret.expose())
        })
        .await
    }

    /// The stored form of a secret from another system. People of that system may have chosen it.
    pub(crate) async fn hash_imported(&self, secret: ImportedSecret) -> Result<ImportedHash, HashError> {
        let stored = self.hash(Password::new(secret.expose().to_owned())).await?;
        ImportedHash::parse(stored.as_str()).map_err(|_| HashError::Damaged)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let busy = |_| HashError::Overloaded("too many passwords at once");
        let _place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy(()))?;
        let waiting = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.threads).acquire_owned());
        // The semaphore is never closed, so the inner error cannot happen.
        let thread = waiting.await.map_err(|_| busy(()))?.map_err(|_| busy(()))?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(thread);
            result
        })
        .await
        .map_err(|_| HashError::Overloaded("hashing a password was interrupted"))
    }
}

fn argon2id() -> Argon2<'static> {
    // Constants of this file; a unit test runs them.
    let params = Params::new(MEMORY_KIB, ITERATIONS, 1, None).expect("the parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    fn check(password: &str) -> Result<(), String> {
        Password::new(password.to_owned()).check_choice("Ada Lovelace", "ada@example.com")
    }

    #[test]
    fn long_unrelated_words_are_accepted() {
        for good in ["correct horse battery staple", "quiet-otter-paints-9-doors", "ünbekannte wörter hier drin"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn short_long_and_predictable_ones_are_refused() {
        assert!(check("fourteen chars").expect_err("14").contains("at least 15"));
        assert!(check(&"x1".repeat(129)).expect_err("258").contains("at most 256"));
        for bad in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaaaaaa",
            "123456789012345678",
            "qwertyuiopasdfghjkl",
            "ada lovelace ada lovelace",
            "Countersign-Admin-1",
            "abcabcabcabcabcabc",
        ] {
            assert!(check(bad).expect_err(bad).contains("easy to guess"), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_no_other() {
        let queue = HashQueue::new(Arc::new(SeededRandom::new(5)));
        let stored = queue.hash(Password::new("quiet otter paints".into())).await.expect("hashes");
        assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = |text: &str, stored| queue.verify(Password::new(text.to_owned()), stored);
        assert!(verify("quiet otter paints", Some(stored.clone())).await.expect("verifies"));
        assert!(!verify("quiet otter paint", Some(stored)).await.expect("verifies"));
        assert!(!verify("quiet otter paints", None).await.expect("verifies"));
    }
}
