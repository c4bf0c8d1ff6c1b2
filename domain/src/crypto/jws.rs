//! Compact JWS (RFC 7515 §7.1), read strictly: an ambiguous text is not a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::base::clock::Timestamp;
use crate::base::strict_json;
use crate::crypto::public_key::{KeyAlgorithm, PublicKey};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// A token whose signature is not checked yet.
#[derive(Debug)]
pub(crate) struct UncheckedJws<'token> {
    signed: &'token [u8],
    signature: Vec<u8>,
    algorithm: KeyAlgorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'token> UncheckedJws<'token> {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// Why it cannot be a signed assertion: too long, not compact, not strict base64url or JSON, an algorithm that no
    /// key can be registered for, a critical extension (RFC 7515 §4.1.11; we know none), or a type that says it is
    /// another kind of token (RFC 8725 §3.11). `jwk`, `jku`, `x5u` and `x5c` are not looked at, so nothing can be
    /// fetched.
    pub(crate) fn parse(token: &'token str) -> Result<Self, &'static str> {
        if token.len() > LONGEST {
            return Err("longer than 8 KiB");
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err("not a compact JWS") };
        let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "not base64url");
        let object = |part| match strict_json::parse(&decode(part)?) {
            Some(Value::Object(object)) => Ok(object),
            _ => Err("not a JSON object, or a member is in it twice"),
        };
        let (header, claims, signature) = (object(header)?, object(claims)?, decode(signature)?);
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err("a critical extension");
        }
        let optional = |name: &str, problem| header.get(name).map(|value| value.as_str().ok_or(problem)).transpose();
        let typ = optional("typ", "typ is not text")?;
        let typ = typ.map(|typ| typ.trim_start_matches("application/").to_ascii_lowercase());
        if !matches!(typ.as_deref(), None | Some("jwt" | "client-authentication+jwt")) {
            return Err("another kind of token by its typ");
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(KeyAlgorithm::parse).ok_or("alg")?;
        let kid = optional("kid", "kid is not text")?.map(str::to_owned);
        Ok(Self { signed, signature, algorithm, kid, claims })
    }

    /// The claims, unchecked. Use them only to find out whose keys to try.
    pub(crate) fn unchecked_claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The `kid`, a hint and no more.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether a key of an issuer's set made the signature. If the set knows the token's `kid`, only the keys with that
    /// `kid` are tried. A set is as long as its issuer makes it, and each attempt costs time.
    pub(crate) fn is_signed_by(&self, set: &[PublicKey]) -> bool {
        let is_named = |key: &PublicKey| key.kid().is_some() && key.kid() == self.kid();
        let knows_kid = set.iter().any(is_named);
        let mut fitting = set.iter().filter(|key| key.algorithm() == self.algorithm && (!knows_kid || is_named(key)));
        fitting.any(|key| key.verify(self.signed, &self.signature))
    }

    /// The owner of the first key among `keys` that made the signature. Only keys of the token's algorithm are tried,
    /// and the key that the `kid` names is tried first. Most clients send no `kid`.
    pub(crate) fn signed_by<'key, Owner>(&self, keys: impl Iterator<Item = (Owner, &'key PublicKey)>) -> Option<Owner> {
        let mut fitting: Vec<_> = keys.filter(|(_, key)| key.algorithm() == self.algorithm).collect();
        fitting.sort_by_key(|(_, key)| key.kid().is_none_or(|kid| Some(kid) != self.kid.as_deref()));
        fitting.into_iter().find(|(_, key)| key.verify(self.signed, &self.signature)).map(|(owner, _)| owner)
    }
}

/// A claim that must be text without control characters: a database may refuse those.
pub(crate) fn text<'claims>(claims: &'claims Map<String, Value>, name: &str) -> Option<&'claims str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.chars().any(char::is_control))
}

/// A NumericDate (RFC 7519 §2): any JSON number of seconds since 1970, also with a fraction; `Err` when it is anything
/// else. The moment is exact to the millisecond. A number beyond all moments is the last one.
pub(crate) fn numeric_date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, ()> {
    let millis = |value: &Value| match value.as_i64() {
        Some(seconds) => Ok(seconds.saturating_mul(1000)),
        // Of a number with a fraction, 64 bits of floating point keep more than the millisecond. It is rounded, because
        // .175 that is cut off can become .174.
        None => value.as_f64().map(|seconds| (seconds * 1000.0).round() as i64).ok_or(()),
    };
    let Some(value) = claims.get(name) else { return Ok(None) };
    let millis = millis(value)?;
    if millis < 0 { Err(()) } else { Ok(Some(Timestamp::from_millis(millis))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_is_ambiguous_is_no_token() {
        assert!(UncheckedJws::parse(&token(r#"{"alg":"ES256"}"#, "{}")).is_ok());
        assert!(UncheckedJws::parse(&token(r#"{"alg":"ES256","typ":"client-authentication+jwt"}"#, "{}")).is_ok());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"nOnE"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"es256"}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","crit":["exp"]}"#,
            r#"{"alg":"ES256","b64":false}"#,
            r#"{"alg":"ES256","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","typ":"application/at+jwt"}"#,
            r#"{"alg":"ES256","typ":1}"#,
            r#"{"alg":"ES256","kid":7}"#,
            "[]",
            "{}",
            "null",
        ] {
            assert!(UncheckedJws::parse(&token(header, "{}")).is_err(), "{header}");
        }
        let good = token(r#"{"alg":"ES256"}"#, "{}");
        for wrong in [
            format!("{good}="),
            format!("{good}\n"),
            format!("{good}.x.y"),
            good.replace('.', ""),
            ".".repeat(1_000_000),
            token(r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#),
            format!("{good}{}", "A".repeat(9000)),
            r#"{"payload":"e30","signatures":[]}"#.to_owned(),
            String::new(),
        ] {
            assert!(UncheckedJws::parse(&wrong).is_err());
        }
    }

    #[test]
    fn a_date_is_any_number() {
        let claims = |json: &str| match strict_json::parse(json.as_bytes()) {
            Some(Value::Object(claims)) => claims,
            other => panic!("{other:?}"),
        };
        let exp = |json: &str| numeric_date(&claims(&format!(r#"{{"exp":{json}}}"#)), "exp");
        assert_eq!(numeric_date(&claims("{}"), "exp"), Ok(None));
        for (number, millis) in [
            ("1800000000", 1_800_000_000_000),
            ("1800000000.0", 1_800_000_000_000),
            ("1800000000.25", 1_800_000_000_250),
            ("1.8e9", 1_800_000_000_000),
            ("0", 0),
            ("9223372036854775", 9_223_372_036_854_775_000),
            ("9223372036854775808", i64::MAX),
            ("1e300", i64::MAX),
        ] {
            assert_eq!(exp(number), Ok(Some(Timestamp::from_millis(millis))), "{number}");
        }
        for wrong in ["\"1\"", "-1", "-0.5", "-1e300", "null", "[1]", "{}", "true"] {
            assert_eq!(exp(wrong), Err(()), "{wrong}");
        }
    }
}
