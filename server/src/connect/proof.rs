//! What proves the client to the authorization server. Secrets come from the environment or from files, never from
//! arguments, which every process of the machine can read.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::base::clock::{Clock, SystemClock};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::connect::discovery::AuthorizationServer;
use crate::connect::problem::ConnectError;

const CLIENT_ID: &str = "MCP_CLIENT_ID";
const CLIENT_SECRET: &str = "MCP_CLIENT_SECRET";
/// The type of an assertion that proves a client (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is valid.
const ASSERTION_LIFETIME: i64 = 60;

/// What proves the client.
pub(super) enum Proof {
    /// Its secret.
    Secret {
        /// The client ID.
        client_id: String,
        /// The secret.
        secret: Zeroizing<String>,
    },
    /// A key: it signs an assertion for each token (`private_key_jwt`).
    Key {
        /// The client ID.
        client_id: String,
        /// The key.
        key: Box<EncodingKey>,
        /// How it signs.
        algorithm: Algorithm,
    },
    /// A token of the platform, which is the assertion.
    Identity {
        /// The client ID, if the authorization server needs one.
        client_id: Option<String>,
        /// The file of the token. The platform replaces the token.
        file: PathBuf,
    },
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

impl Proof {
    /// What the arguments and the environment give.
    pub(super) fn read(key: Option<&Path>, identity: Option<&Path>) -> Result<Self, ConnectError> {
        let missing = |name: &str| ConnectError::Usage(format!("{name}: set this environment variable"));
        if let Some(file) = identity {
            return Ok(Self::Identity { client_id: variable(CLIENT_ID), file: file.to_owned() });
        }
        let client_id = variable(CLIENT_ID).ok_or_else(|| missing(CLIENT_ID))?;
        let Some(file) = key else {
            let secret = variable(CLIENT_SECRET).map(Zeroizing::new).ok_or_else(|| {
                ConnectError::Usage(format!(
                    "{CLIENT_SECRET}: set this environment variable, or name a file with --key or --identity-token-file"
                ))
            })?;
            return Ok(Self::Secret { client_id, secret });
        };
        let problem = |problem: String| ConnectError::Usage(format!("--key: {}: {problem}", file.display()));
        let pem = std::fs::read(file).map(Zeroizing::new).map_err(|error| problem(error.to_string()))?;
        let words = "it holds no private key in PEM: EC P-256 or P-384, Ed25519 or RSA, without a password";
        let (key, algorithm) = private_key(&pem).ok_or_else(|| problem(words.to_owned()))?;
        Ok(Self::Key { client_id, key: Box::new(key), algorithm })
    }

    /// Adds the proof to the form of a token request. Returns the value of `Authorization`, if it is needed.
    pub(super) fn add(
        &self,
        form: &mut Serializer<'_, String>,
        server: &AuthorizationServer,
    ) -> Result<Option<Zeroizing<String>>, String> {
        match self {
            Self::Secret { client_id, secret } => {
                let states = |method: &str| server.methods.iter().any(|own| own == method);
                // Basic is what every server must support (RFC 6749 §2.3.1) unless it states otherwise.
                if !states("client_secret_basic") && states("client_secret_post") {
                    form.append_pair("client_id", client_id).append_pair("client_secret", secret);
                    return Ok(None);
                }
                let encoded =
                    |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
                let pair = Zeroizing::new(format!("{}:{}", encoded(client_id), encoded(secret)));
                Ok(Some(Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))))
            }
            Self::Key { client_id, key, algorithm } => {
                let assertion = assertion(client_id, key, *algorithm, &server.issuer)?;
                form.append_pair("client_id", client_id);
                form.append_pair("client_assertion_type", ASSERTION_TYPE).append_pair("client_assertion", &assertion);
                Ok(None)
            }
            Self::Identity { client_id, file } => {
                let token = std::fs::read_to_string(file).map(Zeroizing::new);
                let token = token.map_err(|error| format!("--identity-token-file: {}: {error}", file.display()))?;
                if let Some(client_id) = client_id {
                    form.append_pair("client_id", client_id);
                }
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
                form.append_pair("client_assertion", token.trim());
                Ok(None)
            }
        }
    }
}

/// An assertion for one token request (RFC 7523 §3).
fn assertion(client_id: &str, key: &EncodingKey, algorithm: Algorithm, issuer: &str) -> Result<String, String> {
    let now = SystemClock::default().now().millis() / 1000;
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME,
        "jti": unique(),
    });
    jsonwebtoken::encode(&Header::new(algorithm), &claims, key).map_err(|_| "The key does not sign.".to_owned())
}

/// An identifier that no other assertion has.
fn unique() -> String {
    use domain::base::random::{Random, SystemRandom};
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The private key in a PEM file, and how it signs.
fn private_key(pem: &[u8]) -> Option<(EncodingKey, Algorithm)> {
    let text = std::str::from_utf8(pem).ok()?;
    let lines = text.lines().map(str::trim).skip_while(|line| !line.contains("PRIVATE KEY"));
    let base64: Zeroizing<String> =
        Zeroizing::new(lines.skip(1).take_while(|line| !line.starts_with("-----")).collect());
    let der = Zeroizing::new(STANDARD.decode(base64.as_bytes()).ok()?);
    let has = |identifier: &[u8]| der.windows(identifier.len()).take(64).any(|window| window == identifier);
    // Object identifiers of curves and of Ed25519; everything else may be RSA.
    const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
    const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
    let (key, algorithm) = match () {
        () if has(P256) => (EncodingKey::from_ec_pem(pem), Algorithm::ES256),
        () if has(P384) => (EncodingKey::from_ec_pem(pem), Algorithm::ES384),
        () if has(ED25519) => (EncodingKey::from_ed_pem(pem), Algorithm::EdDSA),
        () => (EncodingKey::from_rsa_pem(pem), Algorithm::RS256),
    };
    Some((key.ok()?, algorithm))
}
