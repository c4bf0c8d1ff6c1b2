//! Recovery codes: each code works once, and lets a person sign in who lost their other factor.

use crate::base::encoding::base32;
use crate::base::id::PersonId;
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::MacKey;

/// How many codes are made at a time.
pub const RECOVERY_CODES: usize = 10;
/// 120 bits: they cannot be guessed, even from the stored hash (NIST SP 800-63B §3.1.2 asks for 112).
const BYTES: usize = 15;
const CHARACTERS: usize = 24;
/// Characters between two hyphens.
const GROUP: usize = 6;

/// A recovery code in clear, as it is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; BYTES];
        random.fill(&mut bytes);
        Self(base32::encode(&bytes))
    }

    /// Reads what a person typed: spaces, hyphens and case do not matter.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let code: String =
            typed.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_uppercase()).collect();
        (code.len() == CHARACTERS).then_some(Self(code))
    }

    /// The stored form of the code: a MAC that is valid for this person only. The database does not hold the MAC's key
    /// in clear.
    pub(crate) fn hash(&self, key: &MacKey, person: &PersonId) -> String {
        key.mac_parts(&["recovery code", person.as_str(), &self.0])
    }

    /// The code as people read it, in groups.
    pub fn expose(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let groups: Vec<String> = characters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-")
    }
}

debug_as!(RecoveryCode, "RecoveryCode(redacted)");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = RecoveryCode::generate(&SeededRandom::new(1));
        let shown = code.expose();
        assert_eq!(shown.len(), CHARACTERS + 3);
        let typed = format!("  {} ", shown.to_lowercase().replace('-', " "));
        assert_eq!(RecoveryCode::parse(&typed), Some(code));
        for wrong in ["", "123456", &shown[1..], &format!("{shown}A")] {
            assert_eq!(RecoveryCode::parse(wrong), None, "{wrong:?}");
        }
    }
}
