//! Public keys as people paste them and as foreign servers publish them, against `jsonwebtoken`.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{damaged, soup};
use crate::crypto::public_key::{PublicKey, holds_private_key};

/// A key of each kind, as the DER of a SubjectPublicKeyInfo.
static KEYS: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let pair = |algorithm| EcdsaKeyPair::generate(algorithm).expect("a key pair");
    [
        pair(&ECDSA_P256_SHA256_FIXED_SIGNING).public_key().as_der().expect("DER").as_ref().to_vec(),
        pair(&ECDSA_P384_SHA384_FIXED_SIGNING).public_key().as_der().expect("DER").as_ref().to_vec(),
        Ed25519KeyPair::generate().expect("a key pair").public_key().as_der().expect("DER").as_ref().to_vec(),
        RsaKeyPair::generate(KeySize::Rsa2048)
            .expect("a key pair")
            .public_key()
            .as_der()
            .expect("DER")
            .as_ref()
            .to_vec(),
    ]
});

fn der() -> impl Strategy<Value = Vec<u8>> {
    (0..KEYS.len()).prop_map(|index| KEYS[index].clone())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn one(text: &str) -> Result<PublicKey, String> {
    PublicKey::read_all(text).map(|mut keys| keys.remove(0))
}

/// A key that we accept is one that `jsonwebtoken` reads too, and it is the same key.
fn agrees(key: &PublicKey) -> Result<(), TestCaseError> {
    let jwk = serde_json::from_value::<Jwk>(key.to_jwk()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(key.thumbprint(), thumbprint);
    prop_assert!(jsonwebtoken::DecodingKey::from_jwk(&jwk).is_ok());
    // No signature of zeros verifies, whatever the key.
    for length in [64, 96, 256] {
        prop_assert!(!key.verify(b"message", &vec![0; length]));
    }
    Ok(())
}

fn jwk() -> impl Strategy<Value = Value> {
    const NUMBERS: &[&str] = &["", "AQAB", "AA", "AAAA", "_w", "Aw", "=", "ä"];
    let number = || {
        prop_oneof![
            prop::sample::select(NUMBERS).prop_map(str::to_owned),
            prop::collection::vec(any::<u8>(), 30..34).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            prop::collection::vec(any::<u8>(), 256..258).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        ]
    };
    let member = |values: &'static [&'static str]| prop::sample::select(values);
    (
        member(&["RSA", "EC", "OKP", "oct", "", "rsa"]),
        member(&["P-256", "P-384", "Ed25519", "X25519", "P-521", ""]),
        member(&["ES256", "RS256", "PS256", "EdDsa", "EdDSA", "none", "HS256", "ES384"]),
        [number(), number(), number(), number()],
    )
        .prop_map(|(kty, crv, alg, [n, e, x, y])| {
            json!({ "kty": kty, "crv": crv, "alg": alg, "n": n, "e": e, "x": x, "y": y })
        })
}

proptest! {
    #[test]
    fn a_key_is_the_same_as_pem_and_as_jwk(der in der()) {
        let from_pem = one(&pem("PUBLIC KEY", &der)).map_err(TestCaseError::fail)?;
        agrees(&from_pem)?;
        let from_jwk = one(&from_pem.to_jwk().to_string()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(from_jwk.thumbprint(), from_pem.thumbprint());
    }

    #[test]
    fn damaged_der_is_refused_or_is_a_good_key(
        der in damaged(der()),
        label in prop::sample::select(&["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"][..]),
    ) {
        if let Ok(key) = one(&pem(label, &der)) {
            agrees(&key)?;
        }
    }

    /// Lengths in DER that promise more than there is, or that no memory could hold.
    #[test]
    fn der_with_any_lengths_is_refused_or_is_a_good_key(
        parts in prop::collection::vec((prop::sample::select(&[0x30u8, 0x03, 0x02, 0x06, 0xA0, 0x05][..]), prop::collection::vec(any::<u8>(), 0..8)), 0..400),
        label in prop::sample::select(&["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"][..]),
    ) {
        let der: Vec<u8> = parts.into_iter().flat_map(|(tag, rest)| [vec![tag], rest].concat()).collect();
        if let Ok(key) = one(&pem(label, &der)) {
            agrees(&key)?;
        }
    }

    #[test]
    fn a_jwk_is_refused_or_is_a_good_key(jwk in jwk()) {
        if let Ok(key) = one(&jwk.to_string()) {
            agrees(&key)?;
        }
    }

    #[test]
    fn whatever_is_pasted_is_read_or_refused(
        text in soup(&["-----BEGIN ", "-----END ", "-----", "PUBLIC KEY", "CERTIFICATE", "\n", "MFkw", "=", "{", "}", "\"keys\"", ":", "[", "]", "\"kty\":\"EC\""], 2000),
    ) {
        if let Ok(keys) = PublicKey::read_all(&text) {
            for key in keys {
                agrees(&key)?;
            }
        }
    }

    /// A private key is refused wherever it stands, and the error does not repeat it.
    #[test]
    fn a_private_key_is_refused_and_not_repeated(
        before in soup(&["\n", " ", "{\"keys\":[", "-----BEGIN PUBLIC KEY-----"], 4),
        kind in prop::sample::select(&["", "EC ", "RSA ", "ENCRYPTED ", "OPENSSH "][..]),
        body in "[A-Za-z0-9+/]{40,80}",
    ) {
        let text = format!("{before}{}", pem(&format!("{kind}PRIVATE KEY"), body.as_bytes()));
        prop_assert!(holds_private_key(&text));
        match PublicKey::read_all(&text) {
            Ok(_) => prop_assert!(false, "a private key was read"),
            Err(error) => prop_assert!(!error.contains(&STANDARD.encode(&body))),
        }
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": body, "y": body, "d": body }).to_string();
        match PublicKey::read_all(&jwk) {
            Ok(_) => prop_assert!(false, "a private key was read"),
            Err(error) => prop_assert!(!error.contains(&body)),
        }
    }
}
