//! The keys that sign access tokens, one in force for each algorithm that an MCP server asks for, published as a JWKS (RFC
//! 7517).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

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

use super::purpose::SIGNING_KEY;
use super::{KeyError, MasterKey};
use crate::clock::Timestamp;
use crate::public_key::PublicKey;
use crate::random::Random;
use crate::store::keys::SigningKeyRow;
use crate::store::{self, Store, Transaction};

/// An algorithm of access tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenAlgorithm {
    /// ECDSA on P-256: small, fast, understood everywhere.
    #[default]
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PSS, for verifiers that know only RSA.
    Ps256,
    /// RSASSA-PKCS1-v1_5, for verifiers that know nothing else.
    Rs256,
}

impl TokenAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ps256, Self::Rs256];

    /// The name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// The same for the library that verifies our own tokens.
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

/// One signing key, opened.
pub struct SigningKey {
    kid: String,
    algorithm: TokenAlgorithm,
    pair: KeyPair,
    decoding: DecodingKey,
    public_jwk: Value,
    /// `base64url({"alg":…,"kid":…,"typ":"at+jwt"})` and a dot: the same for every token of the key.
    access_token_header: String,
}

impl SigningKey {
    fn open(master: &MasterKey, row: &SigningKeyRow) -> Result<Self, KeyError> {
        let damaged = |_| KeyError::Damaged(SIGNING_KEY);
        let pkcs8 = master.unwrap(SIGNING_KEY, &row.wrapped)?;
        let algorithm = TokenAlgorithm::parse(&row.alg).ok_or(KeyError::Damaged(SIGNING_KEY))?;
        let pair = KeyPair::open(algorithm, &pkcs8).ok_or(KeyError::Damaged(SIGNING_KEY))?;
        let public_jwk: Value = serde_json::from_str(&row.public_jwk).map_err(|_| KeyError::Damaged(SIGNING_KEY))?;
        let jwk: Jwk = serde_json::from_value(public_jwk.clone()).map_err(|_| KeyError::Damaged(SIGNING_KEY))?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(damaged)?;
        let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"at+jwt"}}"#, algorithm.as_str(), row.kid);
        Ok(Self {
            kid: row.kid.clone(),
            algorithm,
            pair,
            decoding,
            public_jwk,
            access_token_header: format!("{}.", URL_SAFE_NO_PAD.encode(header)),
        })
    }

    /// The key's identifier: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.to_jsonwebtoken()
    }

    /// The public half, for verification.
    pub fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Signs `claims` as an access token: a compact JWS with `typ: at+jwt` (RFC 9068 §2.1).
    ///
    /// `jsonwebtoken::encode` parses and checks the private key anew for every token; holding the opened pair
    /// halves the cost of a signature.
    pub fn sign_access_token(&self, claims: &[u8]) -> Result<String, KeyError> {
        self.sign_after(&self.access_token_header, claims)
    }

    /// Signs `claims` as a token of another kind (RFC 7515 §4.1.9).
    pub fn sign(&self, typ: &str, claims: &[u8]) -> Result<String, KeyError> {
        let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"{typ}"}}"#, self.algorithm.as_str(), self.kid);
        self.sign_after(&format!("{}.", URL_SAFE_NO_PAD.encode(header)), claims)
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

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}

/// The signing keys that are published: those that sign, will sign, or whose tokens still live.
///
/// The database decides which key signs (the issuing transaction reads its `kid`); this is the store of opened
/// keys, reloaded whenever a `kid` is not in it.
#[derive(Debug)]
pub struct SigningKeys {
    master: Arc<MasterKey>,
    opened: RwLock<Opened>,
    reading: tokio::sync::Mutex<()>,
}

/// The opened keys and when they were read.
#[derive(Debug, Default)]
struct Opened {
    keys: HashMap<String, Arc<SigningKey>>,
    read_at: Option<Timestamp>,
}

/// Opened keys are read again after this time: another program may have dropped one of them.
const BELIEVED: Duration = Duration::from_secs(5);

impl SigningKeys {
    pub(super) fn new(master: Arc<MasterKey>) -> Self {
        Self { master, opened: RwLock::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Reads the published keys again.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`] when no key may sign now, [`KeyError::Damaged`] when one cannot be opened. What was
    /// opened before is dropped in both cases: a key that is gone from the database must not sign.
    pub async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), KeyError> {
        self.read(store, now).await.1
    }

    /// Reads the published keys and opens those that are new here. What could be opened is returned beside the error.
    async fn read(&self, store: &Store, now: Timestamp) -> (Vec<Arc<SigningKey>>, Result<(), KeyError>) {
        // One after the other: the last to write here must be the last that read.
        let _turn = self.reading.lock().await;
        let rows = match store::keys::published_signing_keys(store, now).await {
            Ok(rows) => rows,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let mut result = Ok(());
        let mut keys = HashMap::new();
        for row in &rows {
            let known = self.opened.read().unwrap_or_else(PoisonError::into_inner).keys.get(&row.kid).cloned();
            let opened = match known {
                Some(key) => Ok(key),
                None => SigningKey::open(&self.master, row).map(Arc::new),
            };
            match opened {
                Ok(key) => drop(keys.insert(row.kid.clone(), key)),
                Err(error) => result = Err(error),
            }
        }
        if result.is_ok() && !rows.iter().any(|row| row.active_from <= now) {
            result = Err(KeyError::Missing(SIGNING_KEY));
        }
        let published = keys.values().cloned().collect();
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = Opened { keys, read_at: Some(now) };
        (published, result)
    }

    /// The opened key named `kid`, read from the database when it is new here.
    pub async fn get(&self, store: &Store, kid: &str, now: Timestamp) -> Result<Arc<SigningKey>, KeyError> {
        if let Some(key) = self.cached(kid, now) {
            return Ok(key);
        }
        self.reload(store, now).await?;
        self.cached(kid, now).ok_or(KeyError::Missing(SIGNING_KEY))
    }

    /// The opened key named `kid`, if the database was asked a moment ago.
    pub fn cached(&self, kid: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.read_at.filter(|read_at| now.since(*read_at) < BELIEVED)?;
        opened.keys.get(kid).cloned()
    }

    /// Makes the first key of `algorithm` inside `transaction`, unless there is one.
    pub(crate) async fn ensure(
        &self,
        transaction: &mut Transaction,
        algorithm: TokenAlgorithm,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(), KeyError> {
        let active = store::keys::active_signing_keys(&mut **transaction, now).await?;
        if !active.contains_key(algorithm.as_str()) {
            let row = generate(&self.master, algorithm, now, random)?;
            store::keys::insert_signing_key(transaction, &row).await?;
        }
        Ok(())
    }

    /// Stores a further key of `algorithm` inside `transaction`, which signs from `active_from` on.
    pub(crate) async fn add(
        &self,
        transaction: &mut Transaction,
        algorithm: TokenAlgorithm,
        active_from: Timestamp,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<String, KeyError> {
        let row = SigningKeyRow { active_from, ..generate(&self.master, algorithm, now, random)? };
        store::keys::insert_signing_key(transaction, &row).await?;
        Ok(row.kid)
    }

    /// The public keys as a JWK set (RFC 7517 §5), from the database at this moment.
    pub async fn jwks(&self, store: &Store, now: Timestamp) -> Result<Value, KeyError> {
        let (mut keys, result) = self.read(store, now).await;
        result?;
        keys.sort_by(|left, right| left.kid.cmp(&right.kid));
        Ok(serde_json::json!({ "keys": keys.iter().map(|key| &key.public_jwk).collect::<Vec<_>>() }))
    }
}

/// A new key that signs from `now` on.
///
/// Its private half comes from the cryptographic library's own generator, which takes no other source.
pub(super) fn generate(
    master: &MasterKey,
    algorithm: TokenAlgorithm,
    now: Timestamp,
    random: &dyn Random,
) -> Result<SigningKeyRow, KeyError> {
    let (pkcs8, public) = generate_pair(algorithm).ok_or(KeyError::Crypto("generating a signing key"))?;
    let kid = public.thumbprint();
    let mut jwk = public.to_jwk();
    jwk["alg"] = Value::from(algorithm.as_str());
    jwk["kid"] = Value::from(kid.as_str());
    jwk["use"] = Value::from("sig");
    Ok(SigningKeyRow {
        public_jwk: jwk.to_string(),
        wrapped: master.wrap(SIGNING_KEY, &pkcs8, random)?,
        kid,
        alg: algorithm.as_str().to_owned(),
        created_at: now,
        active_from: now,
    })
}

fn generate_pair(algorithm: TokenAlgorithm) -> Option<(Zeroizing<Vec<u8>>, PublicKey)> {
    let random = CryptoRandom::new();
    match algorithm {
        TokenAlgorithm::Es256 => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).ok()?;
            let public = PublicKey::of_p256_point(pair.public_key().as_ref())?;
            Some((Zeroizing::new(pkcs8.as_ref().to_vec()), public))
        }
        TokenAlgorithm::EdDsa => {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).ok()?;
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).ok()?;
            let public = PublicKey::of_ed25519(pair.public_key().as_ref())?;
            Some((Zeroizing::new(pkcs8.as_ref().to_vec()), public))
        }
        // NIST SP 800-57 asks for 3072 bits beyond 2030; a signature then costs three times as much.
        TokenAlgorithm::Ps256 | TokenAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa3072).ok()?;
            let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            let public = PublicKey::of_rsa_der(pair.public_key().as_ref())?;
            Some((Zeroizing::new(pkcs8.as_ref().to_vec()), public))
        }
    }
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
