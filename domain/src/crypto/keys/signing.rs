//! The keys that sign access tokens, one in force for each algorithm that an MCP server asks for, published as a JWKS
//! (RFC 7517).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom as CryptoRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::text::debug_as;
use crate::base::word_enum::word_enum;
use crate::crypto::keys::purpose::SIGNING_KEY;
use crate::crypto::keys::{KeyError, MasterKey};
use crate::crypto::public_key::PublicKey;

word_enum! {
    /// An algorithm of access tokens, by its name in `alg` (RFC 7518 §3.1, RFC 8037 §3.1).
    #[derive(Default)]
    pub enum TokenAlgorithm {
        /// ECDSA on P-256: small, fast, understood everywhere.
        #[default]
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// RSASSA-PSS, for verifiers that know only RSA.
        Ps256 = "PS256",
        /// RSASSA-PKCS1-v1_5, for verifiers that know nothing else.
        Rs256 = "RS256",
    }
}

impl TokenAlgorithm {
    /// The algorithm in the type of the library that verifies our own tokens.
    fn to_jsonwebtoken(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Ps256 => Algorithm::PS256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

enum KeyPair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl KeyPair {
    fn open(algorithm: TokenAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            TokenAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Ecdsa)
            }
            TokenAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::Ed25519),
            TokenAlgorithm::Ps256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(|pair| Self::Rsa(pair, &RSA_PSS_SHA256)),
            TokenAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(|pair| Self::Rsa(pair, &RSA_PKCS1_SHA256)),
        }
    }

    fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Ecdsa(pair) => PublicKey::of_p256_point(pair.public_key().as_ref()),
            Self::Ed25519(pair) => PublicKey::of_ed25519(pair.public_key().as_ref()),
            Self::Rsa(pair, _) => PublicKey::of_rsa_der(pair.public_key().as_ref()),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ecdsa(pair) => Ok(pair.sign(&CryptoRandom::new(), message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &CryptoRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

/// One wrapped signing key.
pub struct SigningKeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// JWS algorithm (RFC 7518 §3.1).
    pub alg: String,
    /// The public half as a JWK.
    pub public_jwk: String,
    /// The private half, wrapped under the master key.
    pub wrapped: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The moment from which on it signs.
    pub active_from: Timestamp,
}

/// One signing key, opened.
pub struct SigningKey {
    pub(crate) kid: String,
    algorithm: TokenAlgorithm,
    pair: KeyPair,
    decoding: DecodingKey,
    /// The public half, derived from the private half.
    pub(crate) public_jwk: Value,
    /// The public half as the row holds it.
    stored_jwk: String,
    /// `base64url({"alg":…,"kid":…,"typ":"at+jwt"})` and a dot: the same for every token of the key.
    access_token_header: String,
}

impl SigningKey {
    /// Opens the key. Its public half is derived from the private half, which only the master key can write.
    ///
    /// # Errors
    ///
    /// [`KeyError::ForeignPublicHalf`] when the row holds another public half: whoever wrote it has its private half.
    pub(crate) fn open(master: &MasterKey, row: &SigningKeyRow) -> Result<Self, KeyError> {
        const DAMAGED: KeyError = KeyError::Damaged(SIGNING_KEY);
        let pkcs8 = master.unwrap(SIGNING_KEY, &row.kid, &row.wrapped)?;
        let algorithm = TokenAlgorithm::parse(&row.alg).ok_or(DAMAGED)?;
        let pair = KeyPair::open(algorithm, &pkcs8).ok_or(DAMAGED)?;
        let public = pair.public().ok_or(DAMAGED)?;
        let stored = PublicKey::from_stored(&row.public_jwk).map(|stored| stored.thumbprint());
        if stored.as_ref() != Some(&public.thumbprint()) || stored.as_ref() != Some(&row.kid) {
            return Err(KeyError::ForeignPublicHalf { kid: row.kid.clone() });
        }
        let public_jwk = published(&public, algorithm);
        let jwk: Jwk = serde_json::from_value(public_jwk.clone()).map_err(|_| DAMAGED)?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| DAMAGED)?;
        let access_token_header = header(algorithm, &row.kid, "at+jwt");
        let (kid, stored_jwk) = (row.kid.clone(), row.public_jwk.clone());
        Ok(Self { kid, algorithm, pair, decoding, public_jwk, stored_jwk, access_token_header })
    }

    /// Whether the row still says what it said when the key was opened.
    pub(crate) fn is_of(&self, row: &SigningKeyRow) -> bool {
        self.stored_jwk == row.public_jwk && self.algorithm.as_str() == row.alg
    }

    /// The key's identifier: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.to_jsonwebtoken()
    }

    /// The name of the algorithm.
    pub(crate) fn algorithm_name(&self) -> &'static str {
        self.algorithm.as_str()
    }

    /// The public half, for verification.
    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Signs `claims` as an access token: a compact JWS with `typ: at+jwt` (RFC 9068 §2.1).
    ///
    /// `jsonwebtoken::encode` would parse and check the private key again for each token. Holding the opened pair
    /// halves the cost of a signature.
    pub(crate) fn sign_access_token(&self, claims: &[u8]) -> Result<String, KeyError> {
        self.sign_after(&self.access_token_header, claims)
    }

    /// Signs `claims` as a token of another kind (RFC 7515 §4.1.9).
    pub fn sign(&self, typ: &str, claims: &[u8]) -> Result<String, KeyError> {
        self.sign_after(&header(self.algorithm, &self.kid, typ), claims)
    }

    /// Signs `claims` after an encoded header and its dot.
    fn sign_after(&self, header: &str, claims: &[u8]) -> Result<String, KeyError> {
        let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(token.as_bytes()).map_err(|_| KeyError::Crypto("signing a token"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

debug_as!(SigningKey, |value| "SigningKey({})", value.kid);

/// The encoded header of a token, and the dot behind it.
fn header(algorithm: TokenAlgorithm, kid: &str, typ: &str) -> String {
    let header = format!(r#"{{"alg":"{}","kid":"{kid}","typ":"{typ}"}}"#, algorithm.as_str());
    URL_SAFE_NO_PAD.encode(header) + "."
}

/// A new key that signs from `now` on.
///
/// Its private half comes from the cryptographic library's own generator, which takes no other source.
pub(crate) fn generate(
    master: &MasterKey,
    algorithm: TokenAlgorithm,
    now: Timestamp,
    random: &dyn Random,
) -> Result<SigningKeyRow, KeyError> {
    let (pkcs8, public) = generate_pair(algorithm).ok_or(KeyError::Crypto("generating a signing key"))?;
    let kid = public.thumbprint();
    Ok(SigningKeyRow {
        public_jwk: published(&public, algorithm).to_string(),
        wrapped: master.wrap(SIGNING_KEY, &kid, &pkcs8, random)?,
        kid,
        alg: algorithm.as_str().to_owned(),
        created_at: now,
        active_from: now,
    })
}

/// The public half as the JWK that is published.
fn published(public: &PublicKey, algorithm: TokenAlgorithm) -> Value {
    let mut jwk = public.to_jwk();
    jwk["alg"] = Value::from(algorithm.as_str());
    jwk["kid"] = Value::from(public.thumbprint());
    jwk["use"] = Value::from("sig");
    jwk
}

fn generate_pair(algorithm: TokenAlgorithm) -> Option<(Zeroizing<Vec<u8>>, PublicKey)> {
    let random = CryptoRandom::new();
    let copy = |pkcs8: &[u8]| Zeroizing::new(pkcs8.to_vec());
    let pkcs8 = match algorithm {
        TokenAlgorithm::Es256 => {
            copy(EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?.as_ref())
        }
        TokenAlgorithm::EdDsa => copy(Ed25519KeyPair::generate_pkcs8(&random).ok()?.as_ref()),
        // NIST SP 800-57 asks for 3072 bits beyond 2030; a signature then costs three times as much.
        TokenAlgorithm::Ps256 | TokenAlgorithm::Rs256 => {
            let pkcs8: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa3072).ok()?.as_der().ok()?;
            copy(pkcs8.as_ref())
        }
    };
    let public = KeyPair::open(algorithm, &pkcs8)?.public()?;
    Some((pkcs8, public))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    #[test]
    fn tokens_of_every_algorithm_verify_with_the_published_key_alone() {
        let (master, random) = (MasterKey::new(&[7; 32]), SeededRandom::new(3));
        for algorithm in TokenAlgorithm::ALL {
            let row = generate(&master, algorithm, Timestamp::from_millis(0), &random).expect("generates");
            let key = SigningKey::open(&master, &row).expect("opens");
            let token = key.sign_access_token(br#"{"sub":"x"}"#).expect("signs");
            let jwk: Jwk = serde_json::from_value(key.public_jwk.clone()).expect("a JWK");
            let mut validation = jsonwebtoken::Validation::new(algorithm.to_jsonwebtoken());
            validation.validate_exp = false;
            validation.required_spec_claims.clear();
            let decoding = DecodingKey::from_jwk(&jwk).expect("a key");
            let data = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).expect("verifies");
            assert_eq!(data.claims["sub"], "x");
            assert_eq!(data.header.kid.as_deref(), Some(key.kid()));
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.public_jwk.get(private).is_none(), "{private}");
            }
        }
    }
}
