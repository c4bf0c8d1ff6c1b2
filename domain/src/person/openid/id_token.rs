//! ID tokens (OpenID Connect Core 1.0 §2), and the account that they prove.

use serde_json::{Map, Value};

use crate::base::clock::Timestamp;
use crate::base::text::printable;
use crate::crypto::jws::{UncheckedJws, numeric_date, text};
use crate::model::person::check_email;
use crate::person::openid::{OpenIdError, Result};
use crate::services::relying_party::RelyingParty;
use crate::token::assertion::check_times;

/// The longest subject (§2).
const LONGEST_SUBJECT: usize = 255;
/// Longest name of an account that is kept, in characters.
const LONGEST_ACCOUNT: usize = 100;

/// An account at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The permanent identifier of the account at the provider. Two subjects are the same when all bytes are equal.
    pub subject: String,
    /// A text by which the owner recognises the account; may be empty. It proves nothing.
    pub account: String,
    /// The e-mail address of the account, in the form in which addresses of people are stored. Present only when the
    /// provider says that the address is verified.
    pub verified_email: Option<String>,
}

/// Verifies an ID token that came from the token endpoint (§3.1.3.7).
///
/// The algorithm must be one for which a public key can be registered. So it is neither `none` nor an algorithm whose
/// key is our client secret.
pub(crate) async fn verify(relying_party: &RelyingParty, token: &str, nonce: &str, now: Timestamp) -> Result<Identity> {
    let issuer = &relying_party.provider.issuer;
    let wrong = |detail: &str| OpenIdError::NotProved(format!("ID token: {detail}"));
    let jws = UncheckedJws::parse(token).map_err(wrong)?;
    let signed = relying_party.keys.have_signed(issuer, &jws, now).await;
    if !signed.map_err(|error| OpenIdError::Unavailable(error.to_string()))? {
        return Err(wrong("the signature is by none of the provider's keys"));
    }
    let claims = jws.unchecked_claims();
    if text(claims, "iss") != Some(issuer) {
        return Err(wrong("iss must be the provider"));
    }
    if !is_for(claims, &relying_party.provider.client_id) {
        return Err(wrong("aud and azp must name this client"));
    }
    check_times(claims, now).map_err(|problem| wrong(&problem))?;
    if numeric_date(claims, "iat") == Ok(None) {
        return Err(wrong("iat is missing"));
    }
    if text(claims, "nonce") != Some(nonce) {
        return Err(wrong("nonce must be that of the request"));
    }
    let subject = text(claims, "sub").filter(|subject| !subject.is_empty() && subject.len() <= LONGEST_SUBJECT);
    Ok(Identity {
        subject: subject.ok_or_else(|| wrong("sub must be text of at most 255 characters"))?.to_owned(),
        account: account(claims),
        verified_email: verified_email(claims),
    })
}

/// Whether the token is for this client. The client must be an audience. When there are other audiences or an
/// authorized party is named, the client must be the authorized party.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let party = claims.get("azp");
    let is_party = party.and_then(Value::as_str) == Some(client_id);
    match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id && (party.is_none() || is_party),
        Some(Value::Array(audiences)) => {
            audiences.iter().any(|audience| audience == client_id)
                && (is_party || (audiences.len() == 1 && party.is_none()))
        }
        _ => false,
    }
}

fn account(claims: &Map<String, Value>) -> String {
    let name = ["email", "preferred_username", "name"].into_iter().find_map(|claim| text(claims, claim));
    printable(&name.unwrap_or_default().chars().take(LONGEST_ACCOUNT).collect::<String>())
}

/// `email_verified` must be the JSON value true, not a text that looks like it. Addresses with characters beyond ASCII
/// are not compared: case folding can change a letter into another one, such as the Kelvin sign into k, and would make
/// one person's address another person's.
fn verified_email(claims: &Map<String, Value>) -> Option<String> {
    let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
    text(claims, "email").filter(|email| is_verified && email.is_ascii()).and_then(|email| check_email(email).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_token_is_for_whom_its_audience_and_its_party_name() {
        for good in [
            json!({ "aud": "us" }),
            json!({ "aud": ["us"] }),
            json!({ "aud": "us", "azp": "us" }),
            json!({ "aud": ["us", "them"], "azp": "us" }),
        ] {
            assert!(is_for(&object(good.clone()), "us"), "{good}");
        }
        for wrong in [
            json!({}),
            json!({ "aud": "them" }),
            json!({ "aud": [] }),
            json!({ "aud": ["them"], "azp": "us" }),
            json!({ "aud": ["us", "them"] }),
            json!({ "aud": ["us", "them"], "azp": "them" }),
            json!({ "aud": "us", "azp": "them" }),
            json!({ "aud": "us", "azp": ["us"] }),
            json!({ "aud": ["us"], "azp": null }),
            json!({ "aud": { "us": true } }),
        ] {
            assert!(!is_for(&object(wrong.clone()), "us"), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_verified_when_that_is_said_and_not_when_it_looks_like_it() {
        let email = |verified: Value| {
            verified_email(&object(json!({ "email": " Ada@Example.COM", "email_verified": verified })))
        };
        assert_eq!(email(json!(true)).as_deref(), Some("ada@example.com"));
        for wrong in [json!("true"), json!(1), json!(false), Value::Null, json!([true])] {
            assert_eq!(email(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(verified_email(&object(json!({ "email": "ada@example.com" }))), None);
        for folded in ["\u{212a}ing@example.com", "ad\u{e4}@example.com", "ada@ex\u{e4}mple.com"] {
            assert_eq!(verified_email(&object(json!({ "email": folded, "email_verified": true }))), None, "{folded}");
        }
        assert_eq!(verified_email(&object(json!({ "email": ["ada@example.com"], "email_verified": true }))), None);
    }
}
