//! The master key: 32 bytes outside the database, AES-256-GCM around what is inside it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::crypto::keys::KeyError;
use crate::crypto::keys::purpose::FORM_DRAFT;

/// Length of the master key in bytes.
pub(crate) const MASTER_KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// The form of values that are bound to their row.
const BOUND: &str = "w2";
/// The form of earlier versions.
const UNBOUND: &str = "w1";

/// What the wrapping authenticates. No purpose holds a zero byte.
fn place(purpose: &str, row: &str) -> String {
    format!("{purpose}\0{row}")
}

/// Wraps every secret of the database. Never stored in it.
pub struct MasterKey {
    id: String,
    wrapping: LessSafeKey,
    drafts: LessSafeKey,
}

impl MasterKey {
    /// The master key made of these bytes.
    pub fn new(bytes: &[u8; MASTER_KEY_BYTES]) -> Self {
        let derive = |label: &[u8]| {
            let mut derived = Zeroizing::new([0u8; 32]);
            // Expanding 32 bytes is within the 8160 that HKDF-SHA-256 allows, its only limit.
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign")
                .extract(bytes)
                .expand(&[label], hkdf::HKDF_SHA256)
                .and_then(|output| output.fill(derived.as_mut()))
                .expect("32 bytes are within the limit of HKDF");
            derived
        };
        let id = URL_SAFE_NO_PAD.encode(&derive(b"key id v1")[..6]);
        let key = |label: &[u8]| {
            let key = UnboundKey::new(&AES_256_GCM, derive(label).as_ref()).expect("AES-256 takes a key of 32 bytes");
            LessSafeKey::new(key)
        };
        Self { id, wrapping: key(b"wrapping v1"), drafts: key(b"form drafts v1") }
    }

    /// Reads the base64 form; `None` when it is not base64 or not 32 bytes.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let bytes: &[u8; MASTER_KEY_BYTES] = bytes.as_slice().try_into().ok()?;
        Some(Self::new(bytes))
    }

    /// The base64 form of 32 new random bytes, with a line break: what a key file holds.
    pub fn generate_file(random: &dyn Random) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; MASTER_KEY_BYTES]);
        random.fill(bytes.as_mut());
        Zeroizing::new(format!("{}\n", STANDARD.encode(bytes.as_ref())))
    }

    /// Names the key without revealing it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts `plain` as `w2$<master key id>$<base64url of nonce and ciphertext>`. The purpose and `row`, the
    /// identifier of the row that holds the value, are authenticated: a value that was moved to another row does not
    /// open.
    pub fn wrap(&self, purpose: &str, row: &str, plain: &[u8], random: &dyn Random) -> Result<String, KeyError> {
        self.seal(&self.wrapping, BOUND, place(purpose, row).as_bytes(), plain, random)
    }

    /// Encrypts a form that a browser keeps. It has a key of its own: everybody can send forms, and a key seals only so
    /// many values.
    pub(crate) fn seal_draft(&self, form: &[u8], random: &dyn Random) -> Result<String, KeyError> {
        self.seal(&self.drafts, BOUND, FORM_DRAFT.as_bytes(), form, random)
    }

    /// Opens what [`MasterKey::seal_draft`] made.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongMasterKey`] or [`KeyError::Damaged`] for every other text.
    pub(crate) fn open_draft(&self, sealed: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open(&self.drafts, BOUND, FORM_DRAFT.as_bytes(), FORM_DRAFT, sealed)
    }

    fn seal(
        &self,
        key: &LessSafeKey,
        form: &str,
        place: &[u8],
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<String, KeyError> {
        let mut nonce = [0u8; NONCE_BYTES];
        random.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| KeyError::Crypto("wrapping a key"))?;
        Ok(format!("{form}${}${}", self.id, URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what [`MasterKey::wrap`] made.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongMasterKey`] when it names another key, [`KeyError::Damaged`] when it does not open.
    pub(crate) fn unwrap(
        &self,
        purpose: &'static str,
        row: &str,
        wrapped: &str,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open(&self.wrapping, BOUND, place(purpose, row).as_bytes(), purpose, wrapped)
    }

    /// Opens a value in the form of earlier versions, which authenticates only the purpose. Only the first start of
    /// this version reads such values.
    pub(crate) fn unwrap_unbound(&self, purpose: &'static str, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.open(&self.wrapping, UNBOUND, purpose.as_bytes(), purpose, wrapped)
    }

    /// Whether the value has the form of earlier versions.
    pub(crate) fn is_unbound(wrapped: &str) -> bool {
        wrapped.split('$').next() == Some(UNBOUND)
    }

    /// Encrypts in the form of earlier versions.
    #[cfg(test)]
    pub(crate) fn wrap_unbound(&self, purpose: &str, plain: &[u8], random: &dyn Random) -> Result<String, KeyError> {
        self.seal(&self.wrapping, UNBOUND, purpose.as_bytes(), plain, random)
    }

    fn open(
        &self,
        key: &LessSafeKey,
        form: &str,
        place: &[u8],
        purpose: &'static str,
        wrapped: &str,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let damaged = || KeyError::Damaged(purpose);
        let fields: Vec<&str> = wrapped.split('$').collect();
        let [found, key_id, sealed] = fields[..] else { return Err(damaged()) };
        if found != form {
            return Err(damaged());
        }
        if key_id != self.id {
            return Err(KeyError::WrongMasterKey { expected: key_id.to_owned(), found: self.id.clone() });
        }
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).map_err(|_| damaged())?);
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let plain = key.open_in_place(nonce, Aad::from(place), sealed).map_err(|_| damaged())?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

debug_as!(MasterKey, |value| "MasterKey({})", value.id);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn a_wrapped_value_opens_only_with_its_key_and_purpose_and_in_its_row() {
        let random = SeededRandom::new(3);
        let master = MasterKey::new(&[7; 32]);
        let wrapped = master.wrap("pepper", "row 1", b"the value", &random).expect("wraps");
        assert!(!wrapped.contains("the value"));
        assert_eq!(master.unwrap("pepper", "row 1", &wrapped).expect("opens").as_slice(), b"the value");
        assert!(matches!(master.unwrap("audit", "row 1", &wrapped), Err(KeyError::Damaged("audit"))));
        assert!(matches!(master.unwrap("pepper", "row 2", &wrapped), Err(KeyError::Damaged("pepper"))));
        let other = MasterKey::new(&[8; 32]);
        assert!(matches!(other.unwrap("pepper", "row 1", &wrapped), Err(KeyError::WrongMasterKey { .. })));
        assert!(matches!(master.unwrap("pepper", "row 1", "w2$x"), Err(KeyError::Damaged(_))));
        let earlier = master.wrap_unbound("pepper", b"the value", &random).expect("wraps");
        assert!(MasterKey::is_unbound(&earlier) && !MasterKey::is_unbound(&wrapped));
        assert!(matches!(master.unwrap("pepper", "row 1", &earlier), Err(KeyError::Damaged(_))));
        assert_eq!(master.unwrap_unbound("pepper", &earlier).expect("opens").as_slice(), b"the value");
    }

    #[test]
    fn a_key_file_is_read_back() {
        let file = MasterKey::generate_file(&SeededRandom::new(3));
        assert!(MasterKey::from_base64(&file).is_some());
        assert!(MasterKey::from_base64("c2hvcnQ=").is_none());
        assert!(MasterKey::from_base64("not base64").is_none());
    }
}
