//! Secrets that another system issued. Such a secret is found by its client and verified with the hash scheme of that
//! system. At its first use its hash is replaced by our own MAC: from then on it costs as little to verify as a secret
//! of ours.

use std::num::NonZeroU32;

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use crate::base::id::ClientId;
use crate::base::text::debug_as;
use crate::crypto::keys::MacKey;
use crate::crypto::secret::SecretHash;

/// Shortest and longest secret of another system, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;
/// Most work that a hash may ask for: about a second of a core.
const MOST_MEMORY_KIB: u32 = 128 * 1024;
const MOST_PASSES: u32 = 8;
const MOST_ROUNDS: u32 = 2_000_000;
const HIGHEST_BCRYPT_COST: u32 = 14;
/// What stored hashes of other systems begin with; the client and the hash follow.
const PREFIX: &str = "p1$";

/// A secret of another system in clear, wiped when dropped.
pub struct ImportedSecret(Zeroizing<String>);

impl ImportedSecret {
    /// Reads a secret; `None` when it is too short, too long, or holds what cannot be typed.
    pub fn parse(text: &str) -> Option<Self> {
        let is_usable = LENGTHS.contains(&text.len()) && !text.contains(char::is_control);
        is_usable.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The stored form after the first use: `h2$<pepper key id>$<base64url of HMAC-SHA-256(pepper, client and
    /// secret)>`. The client is part of it, because two clients of that system may have had the same secret.
    pub fn hash(&self, client_id: &ClientId, pepper: &MacKey) -> SecretHash {
        SecretHash::from_text(format!("h2${}${}", pepper.key_id(), pepper.mac_parts(&[client_id.as_str(), &self.0])))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

debug_as!(ImportedSecret, "ImportedSecret(redacted)");

/// A hash in PHC form (or bcrypt's), as the other system stored it: Argon2, bcrypt or PBKDF2.
#[derive(Clone)]
pub struct ImportedHash(String);

impl ImportedHash {
    /// Reads a hash.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that do not repeat it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("$2") {
            let cost = text.split('$').nth(2).and_then(|cost| cost.parse::<u32>().ok());
            let is_whole = text.parse::<bcrypt::HashParts>().is_ok();
            return match cost {
                Some(4..=HIGHEST_BCRYPT_COST) if is_whole => Ok(Self(text.to_owned())),
                Some(_) if is_whole => Err("is a bcrypt hash of a cost above 14"),
                _ => Err("is not a whole bcrypt hash"),
            };
        }
        let hash =
            PasswordHash::new(text).map_err(|_| "is not a hash in PHC form: $argon2id$…, $2b$… or $pbkdf2-sha256$…")?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("has no salt or no hash");
        }
        match hash.algorithm.as_str() {
            "argon2id" | "argon2i" | "argon2d" => match Params::try_from(&hash) {
                Ok(params) if params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES => {}
                _ => return Err("is an Argon2 hash that asks for more than 128 MiB or 8 passes"),
            },
            _ => match Pbkdf2::of(&hash) {
                Some(_) => {}
                None => return Err("is of no kind that is known (Argon2, bcrypt, PBKDF2 with at most 2000000 rounds)"),
            },
        }
        Ok(Self(text.to_owned()))
    }

    /// The stored form. It names the client: two clients may have the same hash.
    pub(crate) fn stored(&self, client_id: &ClientId) -> String {
        format!("{PREFIX}{client_id}{}", self.0)
    }

    /// Reads what [`ImportedHash::stored`] wrote; `None` when the text is a hash of ours.
    pub(crate) fn from_stored(text: &str) -> Option<Self> {
        let hash = text.strip_prefix(PREFIX)?;
        Some(Self(hash[hash.find('$')?..].to_owned()))
    }

    /// Whether this is the secret. Takes up to about a second of a core.
    pub(crate) fn verify(&self, secret: &str) -> bool {
        if self.0.starts_with("$2") {
            return bcrypt::verify(secret, &self.0).unwrap_or(false);
        }
        let Ok(hash) = PasswordHash::new(&self.0) else { return false };
        match Pbkdf2::of(&hash) {
            Some(pbkdf2) => pbkdf2.verify(secret),
            None => Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok(),
        }
    }
}

debug_as!(ImportedHash, "ImportedHash(redacted)");

/// The parts of a PBKDF2 hash (RFC 8018 §5.2).
struct Pbkdf2 {
    algorithm: pbkdf2::Algorithm,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    fn of(hash: &PasswordHash) -> Option<Self> {
        let algorithm = match hash.algorithm.as_str() {
            "pbkdf2-sha1" | "pbkdf2" => pbkdf2::PBKDF2_HMAC_SHA1,
            "pbkdf2-sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
            "pbkdf2-sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return None,
        };
        let rounds = hash.params.get_decimal("i").filter(|rounds| *rounds <= MOST_ROUNDS)?;
        Some(Self {
            algorithm,
            rounds: NonZeroU32::new(rounds)?,
            salt: hash.salt?.as_ref().to_vec(),
            hash: hash.hash?.as_bytes().to_vec(),
        })
    }

    fn verify(&self, secret: &str) -> bool {
        pbkdf2::verify(self.algorithm, self.rounds, &self.salt, secret.as_bytes(), &self.hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `correct horse`, hashed by other programs.
    const HASHES: [&str; 3] = [
        "$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$kJDB5bOOdKXUTbUljRcA6wIHgDrR9jWiMwmeZdp8KOY",
        "$2b$04$rtIjMN9EFd.dfWnmnyDWTuiIu5mo2kP9f4Hdi74pMBFI3EsjNCutq",
        "$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE",
    ];

    #[test]
    fn each_kind_verifies_its_secret_and_no_other() {
        for text in HASHES {
            let hash = ImportedHash::parse(text).expect(text);
            assert!(hash.verify("correct horse"), "{text}");
            assert!(!hash.verify("correct horsf"), "{text}");
            let id = ClientId::parse("nightly.index").expect("an identifier");
            let stored = ImportedHash::from_stored(&hash.stored(&id)).expect("is imported");
            assert!(stored.verify("correct horse"), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_hash_or_asks_for_too_much_is_refused() {
        for wrong in [
            "correct horse",
            "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$2b$10$short",
            "$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZXNhbHRzb21lc2FsdA",
            "$pbkdf2-sha256$i=900000000,l=32$c29tZXNhbHRzb21lc2FsdA$c29tZXNhbHRzb21lc2FsdA",
            "$scrypt$ln=16,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZXNhbHRzb21lc2FsdA",
        ] {
            let problem = ImportedHash::parse(wrong).expect_err(wrong);
            assert!(!problem.contains("c29t"), "{problem}");
        }
    }

    #[test]
    fn a_secret_can_be_typed() {
        assert!(ImportedSecret::parse("correct horse").is_some());
        for wrong in ["short", "with a\nbreak", &"x".repeat(257)] {
            assert!(ImportedSecret::parse(wrong).is_none(), "{wrong}");
        }
    }
}
