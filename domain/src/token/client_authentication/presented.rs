//! What a request presents as client authentication (RFC 6749 §2.3): one mechanism a request. It is read here, not
//! verified.
//!
//! The tolerances follow from what real clients send:
//!
//! - In HTTP Basic, identifiers and secrets are form-decoded. Our alphabet does not change by that, so clients that do
//!   not encode work too.
//! - `client_id` may be sent beside Basic when both have the same value.
//! - A secret without a `client_id` is enough, because the secret alone finds its row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::form_body::{TokenForm, decode};
use crate::base::id::{AppClientId, ClientId};
use crate::crypto::imported_secret::ImportedSecret;
use crate::crypto::jws::{UncheckedJws, text};
use crate::crypto::secret::PlainSecret;
use crate::model::token::oauth_error::{OAuthError, Result};

/// What a request presents.
#[derive(Debug)]
pub enum Presented {
    /// `client_secret_basic` or `client_secret_post`.
    Secret(PresentedSecret),
    /// `private_key_jwt`, or a token of another issuer in its place (RFC 7523 §2.2). The assertion is in the form.
    Assertion,
    /// No proof at all. A public client sends its `client_id` and nothing else.
    Nothing,
    /// Something that no mechanism allows. The text is for the log.
    Malformed(&'static str),
}

/// A secret, and the client that the request names with it.
#[derive(Debug)]
pub struct PresentedSecret {
    /// The `client_id` of the request. `None` when it has none, or when the value cannot be one of our client IDs.
    pub client_id: Option<ClientId>,
    /// Whether the request has any `client_id`.
    pub names_client: bool,
    /// The secret.
    pub value: SecretValue,
}

/// A secret as it was sent, by its form.
#[derive(Debug)]
pub enum SecretValue {
    /// A secret that we may have generated: prefix, length and checksum are right.
    Generated(PlainSecret),
    /// A secret that another system may have issued.
    Imported(ImportedSecret),
    /// Neither of the two: a mistyped secret, which costs no look-up.
    Malformed,
}

impl SecretValue {
    fn parse(text: &str) -> Self {
        match PlainSecret::parse(text) {
            Some(secret) => Self::Generated(secret),
            None if text.starts_with(PlainSecret::PREFIX) => Self::Malformed,
            None => ImportedSecret::parse(text).map_or(Self::Malformed, Self::Imported),
        }
    }
}

/// The only type of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const TWO_MECHANISMS: OAuthError = OAuthError::invalid_request("Use one way of client authentication, not several.");

impl Presented {
    /// Reads what the client presents from the `Authorization` header values and the form.
    ///
    /// # Errors
    ///
    /// `invalid_request` for two mechanisms, or for client identifiers that contradict each other.
    pub fn read(authorization: &[&[u8]], form: &TokenForm) -> Result<Self> {
        let body_id = form.get("client_id");
        let body_secret = form.get("client_secret");
        let assertion = has_assertion(form)?;
        if body_secret.is_some() && assertion {
            return Err(TWO_MECHANISMS);
        }
        match authorization {
            [] if assertion => Ok(match form.get("client_assertion_type") {
                Some(JWT_BEARER) => Self::Assertion,
                _ => Self::Malformed("unknown client_assertion_type"),
            }),
            [] => Ok(body_secret.map_or(Self::Nothing, |secret| Self::secret(body_id, secret))),
            [_] if body_secret.is_some() || assertion => Err(TWO_MECHANISMS),
            [header] => {
                let Some((id, secret)) = basic(header) else { return Ok(Self::Malformed("malformed Authorization")) };
                if body_id.is_some_and(|body_id| body_id != *id) {
                    let contradiction = "client_id is not the one of the Authorization header.";
                    return Err(OAuthError::invalid_request(contradiction));
                }
                Ok(Self::secret(Some(&id), &secret))
            }
            _ => Err(OAuthError::invalid_request("The Authorization header is repeated.")),
        }
    }

    /// The client that acts for people and that the request names. Nothing is verified.
    pub fn named_app(&self, form: &TokenForm) -> Option<AppClientId> {
        match self {
            Self::Secret(secret) => secret.client_id.as_ref().and_then(|id| AppClientId::parse(id.as_str())),
            Self::Assertion => {
                let jws = UncheckedJws::parse(form.get("client_assertion")?).ok()?;
                text(jws.unchecked_claims(), "iss").and_then(AppClientId::parse)
            }
            Self::Nothing | Self::Malformed(_) => form.get("client_id").and_then(AppClientId::parse),
        }
    }

    fn secret(client_id: Option<&str>, secret: &str) -> Self {
        Self::Secret(PresentedSecret {
            client_id: client_id.and_then(ClientId::parse),
            names_client: client_id.is_some(),
            value: SecretValue::parse(secret),
        })
    }
}

impl PresentedSecret {
    /// Whether the request names the client `id`, or names no client.
    pub(crate) fn allows_name(&self, id: &str) -> bool {
        match &self.client_id {
            Some(named) => named.as_str() == id,
            None => !self.names_client,
        }
    }
}

/// Whether the form holds a client assertion (RFC 7521 §4.2). Its two parameters must be sent together.
fn has_assertion(form: &TokenForm) -> Result<bool> {
    match (form.get("client_assertion"), form.get("client_assertion_type")) {
        (None, None) => Ok(false),
        (Some(_), Some(_)) => Ok(true),
        _ => Err(OAuthError::invalid_request("client_assertion and client_assertion_type belong together.")),
    }
}

/// Reads HTTP Basic credentials (RFC 7617, with the form-decoding of RFC 6749 §2.3.1).
fn basic(header: &[u8]) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let header = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let id = decode(&decoded[..colon])?;
    let secret = decode(&decoded[colon + 1..])?;
    (!id.is_empty() && !secret.is_empty()).then_some((id, secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::oauth_error::OAuthErrorCode;
    use crate::testing::SeededRandom;

    fn read(authorization: &[&str], body: &str) -> Result<(Option<String>, bool), OAuthErrorCode> {
        let headers: Vec<&[u8]> = authorization.iter().map(|header| header.as_bytes()).collect();
        let form = TokenForm::parse(body.as_bytes()).expect("well formed");
        match Presented::read(&headers, &form).map_err(|error| error.code)? {
            Presented::Secret(PresentedSecret { client_id, value, .. }) => {
                Ok((client_id.map(|id| id.to_string()), matches!(value, SecretValue::Generated(_))))
            }
            Presented::Assertion => Ok((None, false)),
            Presented::Nothing | Presented::Malformed(_) => Err(OAuthErrorCode::InvalidClient),
        }
    }

    fn basic_header(scheme: &str, text: &str) -> String {
        format!("{scheme} {}", STANDARD.encode(text))
    }

    #[test]
    fn every_accepted_form_gives_the_same_client() {
        let random = SeededRandom::new(11);
        let (id, secret) = (ClientId::generate(&random).to_string(), PlainSecret::generate(&random));
        let secret = secret.expose();
        let expected = Ok((Some(id.clone()), true));
        let encoded = format!("{}:{}", id.replace('_', "%5F"), secret.replace('_', "%5f"));
        assert_eq!(read(&[&basic_header("Basic", &format!("{id}:{secret}"))], ""), expected);
        assert_eq!(read(&[&basic_header("bAsIc", &encoded)], ""), expected);
        assert_eq!(read(&[&basic_header("Basic", &encoded)], &format!("client_id={id}")), expected);
        assert_eq!(read(&[], &format!("client_id={id}&client_secret={secret}")), expected);
        assert_eq!(read(&[], &format!("client_secret={secret}")), Ok((None, true)));
    }

    #[test]
    fn malformed_basic_is_a_failed_authentication() {
        for header in [
            basic_header("Basic", "no-colon"),
            basic_header("Basic", ":secret"),
            basic_header("Basic", "id:"),
            basic_header("Basic", "id:%zz"),
            basic_header("Basic", "id:\0"),
            "Basic not*base64".to_owned(),
            "Basic  aWQ6c2VjcmV0".to_owned(),
            "Basic".to_owned(),
            "Bearer abc".to_owned(),
            "Digest username=x".to_owned(),
        ] {
            assert_eq!(read(&[&header], ""), Err(OAuthErrorCode::InvalidClient), "{header}");
        }
    }

    #[test]
    fn two_mechanisms_are_refused_even_when_both_are_right() {
        let basic = basic_header("Basic", "id:secret");
        for (headers, body) in [
            (vec![basic.as_str()], "client_secret=secret"),
            (vec![basic.as_str()], "client_assertion=x&client_assertion_type=y"),
            (vec![], "client_secret=s&client_assertion=x&client_assertion_type=y"),
            (vec![basic.as_str(), basic.as_str()], ""),
            (vec![basic.as_str()], "client_id=other"),
            (vec![], "client_assertion=x"),
        ] {
            assert_eq!(read(&headers, body), Err(OAuthErrorCode::InvalidRequest), "{headers:?} {body}");
        }
        assert_eq!(read(&[], ""), Err(OAuthErrorCode::InvalidClient));
        assert_eq!(read(&[], "client_id=csc_x"), Err(OAuthErrorCode::InvalidClient));
        let unknown = "client_assertion=x&client_assertion_type=y";
        assert_eq!(read(&[], unknown), Err(OAuthErrorCode::InvalidClient));
        let known = format!("client_assertion=x&client_assertion_type={JWT_BEARER}");
        assert_eq!(read(&[], &known), Ok((None, false)));
    }
}
