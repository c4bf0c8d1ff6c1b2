//! Codes of authenticator apps: TOTP (RFC 6238) with HMAC-SHA-1, six digits and steps of 30 seconds. Every app supports
//! these parameters.

use aws_lc_rs::{constant_time, hmac};
use zeroize::Zeroizing;

use crate::base::clock::Timestamp;
use crate::base::encoding::base32;
use crate::base::id::PersonId;
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::purpose::AUTHENTICATOR_APP;
use crate::crypto::keys::{KeyError, MasterKey};

/// How long a code is shown, in seconds.
const STEP_SECONDS: i64 = 30;
/// Digits of a code.
pub(crate) const DIGITS: usize = 6;
/// Clocks of telephones and servers differ: a code of the step before or after the present one is right too (RFC 6238
/// §5.2).
const DRIFT: i64 = 1;
/// The length that RFC 4226 §4 recommends.
const SECRET_BYTES: usize = 20;

/// The secret from which an authenticator app makes its codes. It is wiped when dropped, and its `Debug` shows nothing.
pub struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        random.fill(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn wrap(&self, keys: &MasterKey, person: &PersonId, random: &dyn Random) -> Result<String, KeyError> {
        keys.wrap(AUTHENTICATOR_APP, person.as_str(), &self.0, random)
    }

    pub(crate) fn unwrap(keys: &MasterKey, person: &PersonId, wrapped: &str) -> Result<Self, KeyError> {
        Ok(Self(keys.unwrap(AUTHENTICATOR_APP, person.as_str(), wrapped)?))
    }

    /// The secret in the form that people type into an app.
    pub fn to_base32(&self) -> String {
        base32::encode(&self.0)
    }

    /// The code of a time step (RFC 4226 §5.3).
    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 15);
        let number = tag[offset..offset + 4].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:0DIGITS$}", (number & 0x7fff_ffff) % 10u32.pow(DIGITS as u32))
    }

    /// The latest step around `now` whose code this is. Every step is compared, in constant time.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let present = now.seconds() / STEP_SECONDS;
        let mut found = None;
        for step in present - DRIFT..=present + DRIFT {
            if constant_time::verify_slices_are_equal(self.code(step).as_bytes(), code.as_bytes()).is_ok() {
                found = Some(step);
            }
        }
        found
    }
}

debug_as!(TotpSecret, "TotpSecret(redacted)");

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn the_vectors_of_rfc_6238_less_their_first_two_digits() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret().code(seconds / STEP_SECONDS), code, "at {seconds}");
        }
    }

    #[test]
    fn one_step_to_either_side_is_right_and_no_more() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let (now, step) = (1_111_111_111, 1_111_111_111 / STEP_SECONDS);
        for (away, found) in [(-2, None), (-1, Some(step - 1)), (0, Some(step)), (1, Some(step + 1)), (2, None)] {
            assert_eq!(secret().step_of(&secret().code(step + away), at(now)), found, "{away}");
        }
        for wrong in ["", "05047", "0504711", "000000"] {
            assert_eq!(secret().step_of(wrong, at(now)), None, "{wrong:?}");
        }
    }
}
