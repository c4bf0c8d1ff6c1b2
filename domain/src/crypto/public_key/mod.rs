//! Public keys of clients and issuers: read from what people paste, checked, and used to verify signatures (RFC 7517,
//! RFC 7518).
//!
//! A key is registered for one algorithm (RFC 8725 §3.1): the token's header never chooses. Verification calls the
//! cryptographic library directly. The JWT library would parse the key again for each token, and would decide more than
//! we want.

pub mod der;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::base::digest;
use crate::base::strict_json;
use crate::base::text::debug_as;
use crate::base::word_enum::word_enum;
use crate::crypto::public_key::der::Material;

/// Most keys that a credential may hold, and that one paste may add.
pub(crate) const MOST_KEYS: usize = 5;
/// Most keys in the set of an issuer. Each request that names the issuer may try all of them.
const MOST_KEYS_OF_ISSUER: usize = 20;
/// Longest text that is read as keys, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// Longest `kid` that is kept.
const LONGEST_KID: usize = 128;
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

word_enum! {
    /// A JWS algorithm that a key can be registered for, by its name in `alg` (RFC 7518 §3.1, RFC 8037 §3.1).
    #[derive(serde::Serialize, serde::Deserialize)]
    pub enum KeyAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256: what client libraries default to.
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = "RS512",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// A checked public key.
#[derive(Clone)]
pub struct PublicKey {
    material: Material,
    parsed: ParsedPublicKey,
    algorithm: KeyAlgorithm,
    kid: Option<String>,
}

impl PublicKey {
    /// Reads what a person pasted or uploaded: a JWK, a JWKS, or PEM (public key or certificate).
    ///
    /// # Errors
    ///
    /// What is wrong with it and what to do, in words for that person. The text itself is not repeated: it may be a
    /// private key.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let text = text.trim();
        if text.len() > LONGEST_TEXT {
            return Err("This is too long to be a key.".to_owned());
        }
        let keys = if holds_private_key(text) {
            return Err(PRIVATE_KEY.to_owned());
        } else if text.starts_with('{') {
            read_json(text)?
        } else if text.contains("-----BEGIN ") {
            read_pem(text)?
        } else {
            return Err("Paste a public key: a JWK, a JWKS, or PEM that begins with -----BEGIN.".to_owned());
        };
        match keys.len() {
            0 => Err("There is no key in it.".to_owned()),
            1..=MOST_KEYS => Ok(keys),
            _ => Err(too_many()),
        }
    }

    /// Reads a stored key.
    pub(crate) fn from_stored(jwk: &str) -> Option<Self> {
        strict_json::parse(jwk.as_bytes()).and_then(|jwk| read_jwk(&jwk).ok())
    }

    pub(crate) fn of_p256_point(point: &[u8]) -> Option<Self> {
        checked(Material::P256(point.to_vec()), None, None).ok()
    }

    pub(crate) fn of_ed25519(key: &[u8]) -> Option<Self> {
        checked(Material::Ed25519(key.to_vec()), None, None).ok()
    }

    pub(crate) fn of_rsa_der(der: &[u8]) -> Option<Self> {
        checked(der::rsa_key(der)?, None, None).ok()
    }

    /// The keys of an issuer's JWKS that we can use. An issuer may also publish keys of other kinds, which are ignored.
    ///
    /// # Errors
    ///
    /// There are too many keys. None is parsed then.
    pub fn read_jwks(jwks: &Value) -> Result<Vec<Self>, String> {
        let keys = jwks.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if keys.len() > MOST_KEYS_OF_ISSUER {
            return Err(format!("A set may have at most {MOST_KEYS_OF_ISSUER} keys; this one has {}.", keys.len()));
        }
        Ok(keys.iter().filter_map(|jwk| read_jwk(jwk).ok()).collect())
    }

    /// The same key for another algorithm; `None` when the key does not fit that algorithm.
    pub(crate) fn with_algorithm(mut self, algorithm: KeyAlgorithm) -> Option<Self> {
        use KeyAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs384, Rs512};
        let fits = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        if !fits {
            return None;
        }
        self.algorithm = algorithm;
        self.parsed = parse(&self.material, algorithm)?;
        Some(self)
    }

    /// The one algorithm it verifies.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The identifier that its owner gave it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// "RSA 2048", "P-256": what kind of key it is.
    pub fn kind(&self) -> String {
        match &self.material {
            Material::Rsa { n, .. } => format!("RSA {}", bits(n)),
            Material::P256(_) => "P-256".to_owned(),
            Material::P384(_) => "P-384".to_owned(),
            Material::Ed25519(_) => "Ed25519".to_owned(),
        }
    }

    /// The key as a JWK with its algorithm and nothing but its public members.
    pub(crate) fn to_jwk(&self) -> Value {
        let mut jwk = self.required_members();
        jwk["alg"] = json!(self.algorithm.as_str());
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// Its RFC 7638 thumbprint. It is the same for every way to write the key down.
    pub fn thumbprint(&self) -> String {
        // The RFC demands the members in lexicographic order and without spaces. `serde_json` writes our maps so.
        digest::sha256(self.required_members().to_string().as_bytes())
    }

    fn required_members(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.material {
            Material::Rsa { n, e } => json!({ "e": encode(e), "kty": "RSA", "n": encode(n) }),
            Material::P256(point) => point_members("P-256", point),
            Material::P384(point) => point_members("P-384", point),
            Material::Ed25519(key) => json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(key) }),
        }
    }

    /// Whether this key made `signature` over `message`. ECDSA signatures have the fixed length of JWS (RFC 7518 §3.4);
    /// the library refuses DER and zeros.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    /// Whether this key made the ECDSA signature on P-256 in DER, the form that protocols other than JOSE use. Always
    /// false for other keys.
    pub fn verify_der(&self, message: &[u8], signature: &[u8]) -> bool {
        let Material::P256(point) = &self.material else { return false };
        signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
    }
}

/// Whether the text seems to hold a private key. Such a text is neither read nor shown again.
pub fn holds_private_key(text: &str) -> bool {
    let in_jwk = |member: &&str| {
        text.match_indices(&format!("\"{member}\""))
            .any(|(at, name)| text[at + name.len()..].trim_start().starts_with(':'))
    };
    text.contains("PRIVATE KEY-----") || (text.contains("\"kty\"") && PRIVATE_MEMBERS.iter().any(in_jwk))
}

debug_as!(PublicKey, |value| "PublicKey({}, {})", value.kind(), value.thumbprint());

fn point_members(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({ "crv": curve, "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
}

pub(crate) const PRIVATE_KEY: &str = "This is a private key. Nothing of it was kept. It belongs to the program alone: paste its public half, \
     and make a new pair if you sent this one anywhere.";

const OTHER_KIND: &str = "Use an RSA key, an EC key on P-256 or P-384, or an Ed25519 key.";

fn too_many() -> String {
    format!("Add at most {MOST_KEYS} keys.")
}

fn read_json(text: &str) -> Result<Vec<PublicKey>, String> {
    let value = strict_json::parse(text.as_bytes()).ok_or("This is not JSON, or a member is in it twice.")?;
    match value.get("keys").and_then(Value::as_array) {
        Some(keys) if keys.len() > MOST_KEYS => Err(too_many()),
        Some(keys) => keys.iter().map(read_jwk).collect(),
        None => Ok(vec![read_jwk(&value)?]),
    }
}

fn read_jwk(jwk: &Value) -> Result<PublicKey, String> {
    let object = jwk.as_object().ok_or("A key must be a JSON object.")?;
    if PRIVATE_MEMBERS.iter().any(|member| object.contains_key(*member)) {
        return Err(PRIVATE_KEY.to_owned());
    }
    if object.get("use").is_some_and(|usage| usage != "sig") {
        return Err("The key is not for signatures: its “use” is not “sig”.".to_owned());
    }
    let material = match (text(object, "kty"), text(object, "crv")) {
        (Some("RSA"), _) => Material::Rsa { n: bytes(object, "n")?, e: bytes(object, "e")? },
        (Some("EC"), Some("P-256")) => Material::P256(point(object, 32)?),
        (Some("EC"), Some("P-384")) => Material::P384(point(object, 48)?),
        (Some("OKP"), Some("Ed25519")) => Material::Ed25519(bytes(object, "x")?),
        (Some("oct"), _) => return Err("A shared key cannot be used. Make an RSA, EC or Ed25519 pair.".to_owned()),
        _ => return Err(OTHER_KIND.to_owned()),
    };
    let read_alg = |alg: &Value| alg.as_str().and_then(KeyAlgorithm::parse);
    let algorithm = object.get("alg").map(|alg| read_alg(alg).ok_or("The key’s “alg” is none that is accepted."));
    let algorithm = algorithm.transpose()?;
    let kid = text(object, "kid").filter(|kid| kid.len() <= LONGEST_KID).map(str::to_owned);
    checked(material, algorithm, kid)
}

fn text<'jwk>(object: &'jwk Map<String, Value>, member: &str) -> Option<&'jwk str> {
    object.get(member).and_then(Value::as_str)
}

fn bytes(object: &Map<String, Value>, member: &str) -> Result<Vec<u8>, String> {
    text(object, member)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or_else(|| format!("The key’s member “{member}” is missing or not base64url."))
}

/// The uncompressed point (SEC 1 §2.3.3) of the members `x` and `y`, each of the curve's length.
fn point(object: &Map<String, Value>, length: usize) -> Result<Vec<u8>, String> {
    let (x, y) = (bytes(object, "x")?, bytes(object, "y")?);
    if x.len() != length || y.len() != length {
        return Err(format!("“x” and “y” of this curve have {length} bytes each."));
    }
    Ok([&[4], x.as_slice(), &y].concat())
}

fn read_pem(text: &str) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, body) = after.split_once("-----").ok_or("The PEM text is cut off.")?;
        let (body, after) = body.split_once("-----END ").ok_or("The PEM text is cut off.")?;
        let body: String = body.chars().filter(|character| !character.is_whitespace()).collect();
        let der = STANDARD.decode(body).map_err(|_| "The PEM text is damaged.")?;
        let material = match label {
            "PUBLIC KEY" => der::public_key_info(&der),
            "RSA PUBLIC KEY" => der::rsa_key(&der),
            "CERTIFICATE" => der::certificate(&der),
            _ => return Err("Paste a PUBLIC KEY or a CERTIFICATE.".to_owned()),
        };
        keys.push(checked(material.ok_or(OTHER_KIND)?, None, None)?);
        rest = after;
    }
    Ok(keys)
}

/// The rules of quality (NIST SP 800-131A): an RSA modulus of 2048 to 4096 bits with an odd exponent of at least 65537,
/// a point on its curve.
fn checked(material: Material, algorithm: Option<KeyAlgorithm>, kid: Option<String>) -> Result<PublicKey, String> {
    let natural = match &material {
        Material::Rsa { n, e } => {
            if !(2048..=4096).contains(&bits(n)) || n.last().is_none_or(|last| last % 2 == 0) {
                return Err(format!("An RSA key must have 2048 to 4096 bits; this one has {}.", bits(n)));
            }
            if n.first() == Some(&0) || e.first() == Some(&0) {
                return Err("The RSA key’s numbers begin with zeros.".to_owned());
            }
            if !(17..=32).contains(&bits(e)) || e.last().is_none_or(|last| last % 2 == 0) {
                return Err("The RSA key’s exponent must be odd and at least 65537.".to_owned());
            }
            KeyAlgorithm::Rs256
        }
        Material::P256(point) if point.len() == 65 && point[0] == 4 => KeyAlgorithm::Es256,
        Material::P384(point) if point.len() == 97 && point[0] == 4 => KeyAlgorithm::Es384,
        Material::Ed25519(key) if key.len() == 32 && is_of_small_order(key) => {
            return Err("This is not a valid key: anybody could sign for it.".to_owned());
        }
        Material::Ed25519(key) if key.len() == 32 => KeyAlgorithm::EdDsa,
        _ => return Err("The key has the wrong length, or its point is compressed.".to_owned()),
    };
    let parsed = parse(&material, natural).ok_or("This is not a valid key: its point is not on the curve.")?;
    let key = PublicKey { material, parsed, algorithm: natural, kid };
    let Some(algorithm) = algorithm else { return Ok(key) };
    key.with_algorithm(algorithm).ok_or_else(|| "The key’s “alg” does not fit its type.".to_owned())
}

/// The encodings of the points of small order on edwards25519, without the sign bit. A signature by such a point can
/// verify for any message.
fn is_of_small_order(key: &[u8]) -> bool {
    const LAST: u8 = 0x7F;
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF,
            0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ],
        [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20,
            0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ],
    ];
    let [first, middle @ .., last] = key else { return false };
    let last = last & LAST;
    let all = |byte: u8| middle.iter().all(|other| *other == byte);
    (matches!(first, 0 | 1) && all(0) && last == 0)
        || (*first >= 0xEC && all(0xFF) && last == LAST)
        || ORDER_8.iter().any(|point| point[..31] == key[..31] && point[31] == last)
}

fn parse(material: &Material, algorithm: KeyAlgorithm) -> Option<ParsedPublicKey> {
    match material {
        Material::Rsa { n, e } => {
            let parameters = match algorithm {
                KeyAlgorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                KeyAlgorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                KeyAlgorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                _ => &signature::RSA_PKCS1_2048_8192_SHA256,
            };
            PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
        }
        Material::P256(point) => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok(),
        Material::P384(point) => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok(),
        Material::Ed25519(key) => ParsedPublicKey::new(&signature::ED25519, key).ok(),
    }
}

fn bits(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    match bytes.next() {
        Some(first) => bytes.count() * 8 + (8 - first.leading_zeros() as usize),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638 §3.1.
    const RFC_7638: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    /// The public half of RFC 8037 A.1.
    const RFC_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// The public half of RFC 7515 A.3.1.
    const RFC_7515: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    fn one(text: &str) -> PublicKey {
        PublicKey::read_all(text).expect("a key").remove(0)
    }

    #[test]
    fn keys_of_the_standards_are_read() {
        let rsa = one(RFC_7638);
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(
            (rsa.kind().as_str(), rsa.algorithm(), rsa.kid()),
            ("RSA 2048", KeyAlgorithm::Rs256, Some("2011-04-29"))
        );
        let ed25519 = one(RFC_8037);
        assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(one(RFC_7515).kind(), "P-256");
        let both = format!(r#"{{"keys":[{RFC_7515},{RFC_8037}]}}"#);
        assert_eq!(PublicKey::read_all(&both).expect("two keys").len(), 2);
        assert_eq!(PublicKey::from_stored(&rsa.to_jwk().to_string()).expect("reads").thumbprint(), rsa.thumbprint());
    }

    #[test]
    fn the_example_signature_of_rfc_8037_verifies() {
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        assert!(one(RFC_8037).verify(message, &signature));
        assert!(!one(RFC_8037).verify(b"something else", &signature));
    }

    #[test]
    fn private_weak_and_malformed_keys_are_refused_without_being_repeated() {
        let private = RFC_8037.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        for (text, says) in [
            (private.as_str(), "private key"),
            ("-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----", "private key"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMC4CAQ==\n-----END RSA PRIVATE KEY-----", "private key"),
            (r#"{"kty":"oct","k":"c2VjcmV0"}"#, "private key"),
            (
                r#"{"kty":"RSA","n":"t6Q8PWSi1dkJj9hTP8hNYFlvadM7DflW9mWepOJhJ66w7nyoK1gPNqFMSQRyO125Gp-TEkodhWr0iujjHVx7BcV0llS4w5ACGgPrcAd6ZcSR0-Iqom-QFcNP8Sjg086MwoqQU_LYywlAGZ21WSdS_PERyGFiNnj3QQlO8Yns5jc","e":"AQAB"}"#,
                "2048 to 4096",
            ),
            (&RFC_7638.replace("AQAB", "Aw"), "exponent"),
            (&RFC_7515.replace("f83", "f84"), "valid key"),
            (&RFC_7515.replace("P-256", "secp256k1"), "P-256 or P-384"),
            (&RFC_7638.replace("RS256", "HS256"), "alg"),
            (&RFC_7638.replace("RS256", "ES256"), "alg"),
            (&RFC_7638.replace("\"alg\"", "\"use\":\"enc\",\"alg\""), "use"),
            (r#"{"keys":[]}"#, "no key"),
            (r#"{"kty":"EC","kty":"EC"}"#, "twice"),
            ("-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----", "damaged"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "JWK"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#, "anybody"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"7P_______________________________________38"}"#, "anybody"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AQ"}"#, "wrong length"),
            ("", "JWK"),
        ] {
            let error = PublicKey::read_all(text).expect_err(says);
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("nWGxne") && !error.contains("c2VjcmV0"), "{error}");
        }
        let many = format!(r#"{{"keys":[{}]}}"#, [RFC_8037; 6].join(","));
        assert!(PublicKey::read_all(&many).expect_err("six keys").contains("at most 5"));
    }
}
