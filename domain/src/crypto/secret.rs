//! Secrets that we generate: [`PlainSecret`] is shown once, [`SecretHash`] is what is stored.
//!
//! A generated secret carries 256 random bits, so it is stored as HMAC-SHA-256 under a random pepper rather than with a
//! password hash. Guessing is hopeless with any hash. One deterministic value finds the row by a unique index. A stolen
//! database is useless without the master key that wraps the pepper. Argon2id would limit a core to forty exchanges a
//! second, and anyone could exhaust it with wrong secrets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::base::encoding::base62;
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::MacKey;

const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
/// Fewest characters after the prefix of a text that counts as a secret that is cut off.
const SHORTEST_DAMAGED: usize = 8;
/// How many characters of a secret may be shown.
const HINT_LENGTH: usize = 4;
/// Separates the keyed hash that makes a refresh token from all others under the pepper.
const SUCCESSOR: &str = "refresh token successor v1";

/// A secret in clear: four characters that name its kind, 43 random base62 characters (256 bits), and six characters of
/// CRC-32 over all before.
///
/// Neither `Clone` nor `Serialize`, wiped when dropped, and its `Debug` shows nothing.
pub struct PlainSecret(Zeroizing<String>);

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// It proves a client.
    Client,
    /// A client's refresh token (RFC 6749 §1.5).
    RefreshToken,
    /// An authorization code (RFC 6749 §1.3.1).
    AuthorizationCode,
    /// A token that a person generated for a program.
    PersonalToken,
    /// The token with which a client that registered itself manages its registration (RFC 7592 §1.2).
    RegistrationToken,
    /// The code with which a program without a browser fetches its token (RFC 8628 §3.2).
    DeviceCode,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Client,
        Self::RefreshToken,
        Self::AuthorizationCode,
        Self::PersonalToken,
        Self::RegistrationToken,
        Self::DeviceCode,
    ];

    /// What every secret of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Client => PlainSecret::PREFIX,
            Self::RefreshToken => "csr_",
            Self::AuthorizationCode => "csa_",
            Self::PersonalToken => "csp_",
            Self::RegistrationToken => "csg_",
            Self::DeviceCode => "csd_",
        }
    }
}

impl PlainSecret {
    /// The prefix of client secrets. Never change it: leak scanners and deployed clients know secrets by it.
    pub(crate) const PREFIX: &'static str = "css_";

    /// A new client secret.
    pub fn generate(random: &dyn Random) -> Self {
        Self::generate_of(SecretKind::Client, random)
    }

    /// A new secret of this kind.
    pub(crate) fn generate_of(kind: SecretKind, random: &dyn Random) -> Self {
        Self::of_body(kind, &Zeroizing::new(base62::random(random, RANDOM_LENGTH)))
    }

    /// The refresh token that replaces this one. It is always the same, so it can be sent again when the answer with it
    /// was lost, although the database has only its hash. It cannot be computed without the pepper.
    ///
    /// A random successor, wrapped in the row, would be a second copy of a live token in the database.
    pub(crate) fn successor(&self, pepper: &MacKey) -> Self {
        let mut block = 0u32;
        let next = |bytes: &mut [u8; 64]| {
            for half in bytes.chunks_mut(32) {
                let number = block.to_string();
                half.copy_from_slice(&Zeroizing::new(pepper.mac_of(&[SUCCESSOR, &self.0, &number])));
                block += 1;
            }
        };
        Self::of_body(SecretKind::RefreshToken, &Zeroizing::new(base62::uniform(next, RANDOM_LENGTH)))
    }

    fn of_body(kind: SecretKind, body: &str) -> Self {
        let prefix = kind.prefix();
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + RANDOM_LENGTH + CHECKSUM_LENGTH));
        text.push_str(prefix);
        text.push_str(body);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Reads a client secret; `None` when the prefix, the length or the checksum is wrong, which costs no look-up.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_of(SecretKind::Client, text)
    }

    /// Reads a secret of this kind, as [`PlainSecret::parse`] does for client secrets.
    pub fn parse_of(kind: SecretKind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?;
        if !base62::is_valid(rest, RANDOM_LENGTH + CHECKSUM_LENGTH) {
            return None;
        }
        let (body, found) = text.split_at(kind.prefix().len() + RANDOM_LENGTH);
        (checksum(body) == found).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Reads a secret of any kind. Its prefix says which.
    pub(crate) fn parse_any(text: &str) -> Option<(SecretKind, Self)> {
        SecretKind::ALL.into_iter().find_map(|kind| Some((kind, Self::parse_of(kind, text)?)))
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part of the secret that may be shown later, so that people can tell two secrets apart.
    ///
    /// Its four characters belong to the checksum, which is made from the random part. They leave more than 230 bits
    /// unknown.
    pub fn hint(&self) -> String {
        self.0[self.0.len() - HINT_LENGTH..].to_owned()
    }

    /// The stored form.
    pub fn hash(&self, pepper: &MacKey) -> SecretHash {
        SecretHash(format!("h1${}${}", pepper.key_id(), URL_SAFE_NO_PAD.encode(pepper.mac(self.0.as_bytes()))))
    }
}

debug_as!(PlainSecret, "PlainSecret(redacted)");

/// The stored form of a secret: `h1$<pepper key id>$<base64url of HMAC-SHA-256(pepper, secret)>`.
///
/// The scheme and the key stand in the value, so that both can be replaced row by row.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(String);

impl SecretHash {
    /// A stored form that another scheme made.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Whether the stored form is of a secret that another system issued: see
    /// [`ImportedSecret::hash`](crate::crypto::imported_secret::ImportedSecret::hash).
    pub(crate) fn is_of_imported(stored: &str) -> bool {
        stored.starts_with("h2$")
    }

    /// The text that the database stores and finds.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

debug_as!(SecretHash, "SecretHash(redacted)");

/// The text at the beginning of `text` that looks like a secret. It may be none: cut off, too long, or with a typing
/// error. A word of a program, such as `css_class`, is shorter or has no digit and no capital letter.
pub(crate) fn secret_like(text: &str) -> Option<&str> {
    let prefix = SecretKind::ALL.into_iter().map(SecretKind::prefix).find(|prefix| text.starts_with(prefix))?;
    let body = text[prefix.len()..].split(|character: char| !character.is_ascii_alphanumeric()).next()?;
    let is_random = body.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (body.len() >= SHORTEST_DAMAGED && is_random).then(|| &text[..prefix.len() + body.len()])
}

/// A text that somebody searches for, as it may stand in an address or in a log: of each word with a secret or a signed
/// token, only the last characters remain. A secret is found by these.
pub fn without_secrets(text: &str) -> String {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let reduced = |piece: &str| {
        let word = piece.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        match secret_in(word) {
            Some(start) => [&word[..start], &word[word.len() - HINT_LENGTH..], &piece[word.len()..]].concat(),
            None => piece.to_owned(),
        }
    };
    text.split_inclusive(|character| !is_of_word(character)).map(reduced).collect()
}

/// Where a secret begins in a word, or a signed token.
fn secret_in(word: &str) -> Option<usize> {
    // All prefixes begin with these letters. A JSON header begins with {", which is eyJ in base64.
    let mut secrets = word.match_indices("cs").map(|(start, _)| start);
    let token = || word.find("eyJ").filter(|start| word[*start..].matches('.').count() >= 2);
    secrets.find(|start| secret_like(&word[*start..]).is_some()).or_else(token)
}

fn checksum(text: &str) -> String {
    base62::fixed_width(u64::from(crc32(text.as_bytes())), CHECKSUM_LENGTH)
}

/// CRC-32 (ISO-HDLC, the one of zip and PNG), bit by bit: 53 bytes at a time need no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::base::random::SystemRandom;
    use crate::testing::SeededRandom;

    #[test]
    fn the_checksum_is_crc32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_generated_secret_has_the_published_form() {
        let secret = PlainSecret::generate(&SeededRandom::new(7));
        let text = secret.expose();
        assert_eq!(text.len(), 53);
        assert!(text.starts_with("css_"));
        assert!(text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(PlainSecret::parse(text).is_some());
        assert_eq!(format!("{secret:?}"), "PlainSecret(redacted)");
    }

    #[test]
    fn a_changed_character_fails_the_checksum() {
        let text = PlainSecret::generate(&SeededRandom::new(7)).expose().to_owned();
        for position in 4..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(PlainSecret::parse(&changed).is_none(), "position {position}");
        }
        assert!(PlainSecret::parse(&text[1..]).is_none());
        assert!(PlainSecret::parse(&format!("{text}0")).is_none());
        assert!(PlainSecret::parse("").is_none());
    }

    #[test]
    fn of_secrets_and_tokens_in_a_search_only_the_end_remains() {
        for kind in SecretKind::ALL {
            let secret = PlainSecret::generate_of(kind, &SeededRandom::new(7));
            let (text, hint) = (secret.expose(), secret.hint());
            assert_eq!(without_secrets(text), hint);
            let around = |text: &str| format!("q=größer+{text}&status=… ({text}).");
            assert_eq!(without_secrets(&around(text)), around(&hint));
            assert_eq!(without_secrets(&text[..30]), text[26..30], "one that is cut off");
        }
        assert_eq!(without_secrets("Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln_mF0dXJl"), "Bearer dXJl");
        for other in
            ["", "nightly job", "css_class", "css_…2nr7", "css_2nr7", "csc_0000000000000000000000", "eyJ.x", "ä.ö"]
        {
            assert_eq!(without_secrets(other), other);
        }
    }

    #[test]
    fn a_refresh_token_has_one_successor_that_only_the_pepper_gives() {
        let token = PlainSecret::generate_of(SecretKind::RefreshToken, &SeededRandom::new(7));
        let (pepper, other) = (MacKey::new("one".to_owned(), &[1; 32]), MacKey::new("two".to_owned(), &[2; 32]));
        let next = token.successor(&pepper);
        assert!(PlainSecret::parse_of(SecretKind::RefreshToken, next.expose()).is_some());
        assert_eq!(next.expose(), token.successor(&pepper).expose());
        assert_ne!(next.expose(), token.successor(&other).expose());
        // A chain of successors does not turn in a circle.
        let mut chain = HashSet::from([token.expose().to_owned()]);
        let mut last = token;
        for _ in 0..1000 {
            last = last.successor(&pepper);
            assert!(chain.insert(last.expose().to_owned()));
        }
    }

    #[test]
    fn secrets_do_not_repeat() {
        let secrets: HashSet<String> =
            (0..20_000).map(|_| PlainSecret::generate(&SystemRandom).expose().to_owned()).collect();
        assert_eq!(secrets.len(), 20_000);
    }
}
