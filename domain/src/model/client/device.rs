//! The device grant (RFC 8628): a program without a browser shows a code, and a person enters it on another device.

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::id::{AppClientId, ConsentId, McpServerId, PersonId};
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::MacKey;
use crate::model::server::scope::Scopes;

/// How long a person has to enter the code.
pub const DEVICE_CODE_LIFETIME: Duration = Duration::from_secs(600);
/// How long a program waits between two requests for the token, at first, in seconds.
pub const POLL_EVERY: i64 = 5;
/// How many seconds longer it waits after each `slow_down` (RFC 8628 §3.5).
pub(crate) const SLOWER_BY: i64 = 5;
/// The longest time between two requests, in seconds.
pub(crate) const SLOWEST: i64 = 60;
/// How much too early a request for the token may arrive: networks delay one request more than the next.
pub(crate) const JITTER: Duration = Duration::from_millis(500);

/// The letters of a user code. There are no vowels, so they form no words, and no two letters look alike (RFC 8628
/// §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;
/// The largest multiple of the number of letters below 256. Greater bytes are thrown away: they would favour some
/// letters.
const FAIR: u8 = 240;
/// Separates the keyed hash of a user code from all others under the pepper.
const LABEL: &str = "device user code v1";

/// The code that a person enters: eight letters, about 34 bits. It works for ten minutes, and only a person who is
/// signed in may try codes.
pub struct UserCode(String);

impl UserCode {
    /// A new code.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut letters = String::with_capacity(LENGTH);
        let mut bytes = [0u8; 32];
        while letters.len() < LENGTH {
            random.fill(&mut bytes);
            let fair = bytes.iter().filter(|byte| **byte < FAIR).take(LENGTH - letters.len());
            letters.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte % 20)])));
        }
        Self(letters)
    }

    /// Reads a code as people write it: in small letters, with spaces or a hyphen.
    pub fn parse(text: &str) -> Option<Self> {
        let is_between = |character: &char| character.is_whitespace() || matches!(character, '-' | '‐' | '–');
        let written = text.chars().filter(|character| !is_between(character)).take(LENGTH + 1);
        let letters: String = written.map(|letter| letter.to_ascii_uppercase()).collect();
        let is_code = letters.len() == LENGTH && letters.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(Self(letters))
    }

    /// The code as it is shown: `WDJB-MJHT`.
    pub fn shown(&self) -> String {
        let (first, second) = self.0.split_at(LENGTH / 2);
        format!("{first}-{second}")
    }

    /// The stored form.
    pub(crate) fn hash(&self, pepper: &MacKey) -> String {
        pepper.mac_parts(&[LABEL, &self.0])
    }
}

debug_as!(UserCode, "UserCode(redacted)");

/// A request of a program without a browser.
#[derive(Debug, Clone)]
pub struct DeviceRequest {
    /// The hash of its device code. It identifies the request, and nobody can redeem it.
    pub hash: String,
    /// The client that asks. If its identifier is the address of a document, nobody may have read that document yet.
    pub client_id: AppClientId,
    /// The scopes that it asks for, as a `scope` parameter; `None`: the default scopes.
    pub asked_scope: Option<String>,
    /// The MCP server that it names.
    pub asked_server: Option<McpServerId>,
    /// The address that it asked from.
    pub asked_from: Option<String>,
    /// Its `User-Agent`, as it says.
    pub agent: Option<String>,
    /// When it asked.
    pub created_at: Timestamp,
    /// Until when a person may answer, and the program may fetch the token.
    pub expires_at: Timestamp,
    /// Who answered.
    pub person: Option<PersonId>,
    /// The MCP server that the person allowed.
    pub server_id: Option<McpServerId>,
    /// The scopes that the person allowed.
    pub scopes: Option<Scopes>,
    /// When the person allowed it.
    pub allowed_at: Option<Timestamp>,
    /// When a person denied it, or something else ended it: a leak, an emergency stop, the end of the person's access.
    pub denied_at: Option<Timestamp>,
    /// The consent that the code was redeemed for.
    pub consent: Option<ConsentId>,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// It waits for a person.
    Waiting,
    /// A person allowed it, and the program has not fetched the token.
    Allowed,
    /// A person denied it, or it was ended.
    Denied,
    /// Its time is over.
    Expired,
    /// The program fetched the token.
    Redeemed,
}

impl DeviceRequest {
    /// How far it is at `now`.
    pub fn state(&self, now: Timestamp) -> DeviceState {
        match (&self.consent, self.denied_at, self.allowed_at) {
            (Some(_), ..) => DeviceState::Redeemed,
            (None, Some(_), _) => DeviceState::Denied,
            (None, None, _) if self.expires_at <= now => DeviceState::Expired,
            (None, None, Some(_)) => DeviceState::Allowed,
            (None, None, None) => DeviceState::Waiting,
        }
    }

    /// Whether its device code can still lead to a token at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        matches!(self.state(now), DeviceState::Waiting | DeviceState::Allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn a_user_code_is_read_as_people_write_it() {
        let code = UserCode::generate(&SeededRandom::new(1));
        let shown = code.shown();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));
        let spaced = format!(" {} ", shown.replace('-', " "));
        for written in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), spaced] {
            assert_eq!(UserCode::parse(&written).map(|code| code.shown()), Some(shown.clone()), "{written}");
        }
        for wrong in ["", "BCDF", "BCDF-GHJA", "BCDF-GHJ1", "BCDF-GHJKL"] {
            assert!(UserCode::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn each_letter_is_as_likely_as_the_others() {
        let random = SeededRandom::new(2);
        let mut counts = [0u32; 20];
        for _ in 0..5000 {
            for letter in UserCode::generate(&random).0.bytes() {
                counts[LETTERS.iter().position(|one| *one == letter).expect("a letter")] += 1;
            }
        }
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }
}
