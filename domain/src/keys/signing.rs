//! The keys that sign access tokens: ES256 (RFC 7518 §3.4), published as a JWKS (RFC 7517).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rand::SystemRandom as CryptoRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::Value;

use super::{KeyError, MasterKey};
use crate::clock::Timestamp;
use crate::random::Random;
use crate::store::keys::SigningKeyRow;
use crate::store::{self, Store};

const PURPOSE: &str = "signing key";

/// One signing key, opened.
pub struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
    decoding: DecodingKey,
    public_jwk: Value,
    /// `base64url({"alg":"ES256","kid":…,"typ":"at+jwt"})` and a dot: the same for every token of the key.
    access_token_header: String,
}

impl SigningKey {
    fn open(master: &MasterKey, row: &SigningKeyRow) -> Result<Self, KeyError> {
        let damaged = |_| KeyError::Damaged(PURPOSE);
        let pkcs8 = master.unwrap(PURPOSE, &row.wrapped)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| KeyError::Damaged(PURPOSE))?;
        let public_jwk: Value = serde_json::from_str(&row.public_jwk).map_err(|_| KeyError::Damaged(PURPOSE))?;
        let jwk: Jwk = serde_json::from_value(public_jwk.clone()).map_err(|_| KeyError::Damaged(PURPOSE))?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(damaged)?;
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"at+jwt"}}"#, row.kid);
        Ok(Self {
            kid: row.kid.clone(),
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

    /// The public half, for verification.
    pub fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// Signs `claims` as an access token: a compact JWS with `typ: at+jwt` (RFC 9068 §2.1).
    ///
    /// `jsonwebtoken::encode` parses and checks the private key anew for every token; holding the opened pair
    /// halves the cost of a signature.
    pub fn sign_access_token(&self, claims: &[u8]) -> Result<String, KeyError> {
        let mut token = String::with_capacity(self.access_token_header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(&self.access_token_header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature =
            self.pair.sign(&CryptoRandom::new(), token.as_bytes()).map_err(|_| KeyError::Crypto("signing a token"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
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
    opened: RwLock<HashMap<String, Arc<SigningKey>>>,
}

impl SigningKeys {
    pub(super) fn new(master: Arc<MasterKey>) -> Self {
        Self { master, opened: RwLock::new(HashMap::new()) }
    }

    /// Reads the published keys again.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`] when no key may sign now, [`KeyError::Damaged`] when one cannot be opened. What was
    /// opened before is dropped in both cases: a key that is gone from the database must not sign.
    pub async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), KeyError> {
        let rows = store::keys::published_signing_keys(store, now).await?;
        let mut opened = HashMap::new();
        let mut result = Ok(());
        for row in &rows {
            match SigningKey::open(&self.master, row) {
                Ok(key) => drop(opened.insert(row.kid.clone(), Arc::new(key))),
                Err(error) => result = Err(error),
            }
        }
        if result.is_ok() && !rows.iter().any(|row| row.active_from <= now) {
            result = Err(KeyError::Missing(PURPOSE));
        }
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        result
    }

    /// The opened key named `kid`, read from the database when it is new here.
    pub async fn get(&self, store: &Store, kid: &str, now: Timestamp) -> Result<Arc<SigningKey>, KeyError> {
        if let Some(key) = self.cached(kid) {
            return Ok(key);
        }
        self.reload(store, now).await?;
        self.cached(kid).ok_or(KeyError::Missing(PURPOSE))
    }

    /// The opened key named `kid`, without asking the database.
    pub fn cached(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// The public keys as a JWK set (RFC 7517 §5), from the database at this moment.
    pub async fn jwks(&self, store: &Store, now: Timestamp) -> Result<Value, KeyError> {
        self.reload(store, now).await?;
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<&Arc<SigningKey>> = opened.values().collect();
        keys.sort_by(|left, right| left.kid.cmp(&right.kid));
        Ok(serde_json::json!({ "keys": keys.iter().map(|key| &key.public_jwk).collect::<Vec<_>>() }))
    }
}

/// A new ES256 key that signs from `now` on.
///
/// Its private half comes from the cryptographic library's own generator, which takes no other source.
pub(super) fn generate(master: &MasterKey, now: Timestamp, random: &dyn Random) -> Result<SigningKeyRow, KeyError> {
    let crypto = |_| KeyError::Crypto("generating a signing key");
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &CryptoRandom::new())
        .map_err(|_| KeyError::Crypto("generating a signing key"))?;
    let mut jwk =
        Jwk::from_encoding_key(&EncodingKey::from_ec_der(pkcs8.as_ref()), Algorithm::ES256).map_err(crypto)?;
    let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(crypto)?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(SigningKeyRow {
        public_jwk: serde_json::to_string(&jwk).map_err(|_| KeyError::Crypto("generating a signing key"))?,
        wrapped: master.wrap(PURPOSE, pkcs8.as_ref(), random)?,
        kid,
        alg: "ES256".to_owned(),
        created_at: now,
        active_from: now,
    })
}
