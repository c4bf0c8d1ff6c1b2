//! Client authentication (RFC 6749 §2.3): which client claims to ask, and with what proof. One mechanism a request.
//!
//! What clients really send decides the tolerances: identifiers and secrets are form-decoded in HTTP Basic, which
//! leaves our alphabet as it is, so clients that do not encode work too; `client_id` may stand beside Basic when it
//! says the same; and a secret without a `client_id` is enough, because the secret alone finds its row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::form_body::{TokenForm, decode};
use crate::base::id::{AppClientId, ClientId};
use crate::client;
use crate::context::Context;
use crate::crypto::imported_secret::ImportedSecret;
use crate::crypto::secret::PlainSecret;
use crate::error::Fault;
use crate::model::client::AppClient;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::store;

/// A client and its proof, not verified yet.
#[derive(Debug)]
pub enum Presented {
    /// `client_secret_basic` or `client_secret_post`.
    Secret {
        /// The `client_id` that was sent. `None` when none was, or it cannot be one of ours.
        client_id: Option<ClientId>,
        /// Whether any `client_id` was sent.
        names_client: bool,
        /// The secret.
        secret: PresentedSecret,
    },
    /// `private_key_jwt`, or a token of another issuer in its place (RFC 7523 §2.2).
    Assertion,
}

/// A secret as it was sent, by its form.
#[derive(Debug)]
pub enum PresentedSecret {
    /// One that we may have generated: prefix, length and checksum are right.
    Generated(PlainSecret),
    /// One that another system may have issued.
    Imported(ImportedSecret),
    /// None of either: mistyped, which costs no look-up.
    Malformed,
}

impl PresentedSecret {
    fn parse(text: &str) -> Self {
        match PlainSecret::parse(text) {
            Some(secret) => Self::Generated(secret),
            None if text.starts_with(PlainSecret::PREFIX) => Self::Malformed,
            None => ImportedSecret::parse(text).map_or(Self::Malformed, Self::Imported),
        }
    }
}

/// The one type of assertion there is (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Reads what the client presents from the `Authorization` header values and the form.
///
/// # Errors
///
/// `invalid_request` for two mechanisms or contradicting client identifiers, `invalid_client` for no mechanism or a
/// malformed one.
pub fn presented(authorization: &[&[u8]], form: &TokenForm) -> Result<Presented, OAuthError> {
    let body_id = form.get("client_id");
    let body_secret = form.get("client_secret");
    let assertion = assertion(form)?;
    if body_secret.is_some() && assertion {
        return Err(TWO_MECHANISMS);
    }
    match authorization {
        [] if assertion => match form.get("client_assertion_type") {
            Some(JWT_BEARER) => Ok(Presented::Assertion),
            _ => Err(OAuthError::invalid_client("unknown client_assertion_type")),
        },
        [] => match body_secret {
            Some(secret) => Ok(new(body_id, secret)),
            None => Err(OAuthError::invalid_client(NO_AUTHENTICATION)),
        },
        [_] if body_secret.is_some() || assertion => Err(TWO_MECHANISMS),
        [header] => {
            let (id, secret) = basic(header).ok_or_else(|| OAuthError::invalid_client("malformed Authorization"))?;
            if body_id.is_some_and(|body_id| body_id != *id) {
                return Err(OAuthError::invalid_request("client_id is not the one of the Authorization header."));
            }
            Ok(new(Some(&id), &secret))
        }
        _ => Err(OAuthError::invalid_request("The Authorization header is repeated.")),
    }
}

const NO_AUTHENTICATION: &str = "no client authentication";
const TWO_MECHANISMS: OAuthError = OAuthError::invalid_request("Use one way of client authentication, not several.");

fn new(client_id: Option<&str>, secret: &str) -> Presented {
    Presented::Secret {
        client_id: client_id.and_then(ClientId::parse),
        names_client: client_id.is_some(),
        secret: PresentedSecret::parse(secret),
    }
}

/// Authenticates an interactive client: a confidential one by its secret, a public one by its name alone (RFC 6749 §2.1). What it
/// presents beside that, the code or refresh token, was made for it and nobody else.
///
/// # Errors
///
/// `invalid_client`, the same whatever failed.
pub(crate) async fn interactive(
    context: &Context,
    presented: &Result<Presented, OAuthError>,
    form: &TokenForm,
) -> Result<AppClient, OAuthError> {
    match presented {
        Ok(Presented::Secret { client_id, names_client, secret: PresentedSecret::Generated(secret) }) => {
            let found = client::find_by_secret(context, &secret.hash(&context.keys.pepper)).await?;
            let named = |client: &AppClient| match client_id {
                Some(named) => named.as_str() == client.id.as_str(),
                None => !*names_client,
            };
            found.filter(named).ok_or_else(|| OAuthError::invalid_client("no interactive client has this secret"))
        }
        Ok(_) => Err(OAuthError::invalid_client("no proof of an interactive client")),
        Err(error) => {
            // Nothing that proves anything was sent, well formed or not.
            let named = form.get("client_id").filter(|_| error.detail == NO_AUTHENTICATION);
            let Some(id) = named.and_then(AppClientId::parse) else { return Err(error.clone()) };
            if id.document().is_some() && !context.settings.client_id_metadata_documents {
                return Err(OAuthError::invalid_client("clients are not known by documents here"));
            }
            let found = client::find(context, &id).await?.filter(|client| client.removed_at.is_none());
            found
                .filter(|client| !client.is_confidential())
                .ok_or_else(|| OAuthError::invalid_client("unknown client, or one that must prove itself"))
        }
    }
}

/// The same for a grant of interactive clients alone.
///
/// # Errors
///
/// `unauthorized_client` too: a credential that proves itself hears that it cannot use this grant (RFC 6749 §5.2).
pub(crate) async fn interactive_alone(
    context: &Context,
    presented: &Result<Presented, OAuthError>,
    form: &TokenForm,
) -> Result<AppClient, OAuthError> {
    let error = match interactive(context, presented, form).await {
        Err(error) if error.code == OAuthErrorCode::InvalidClient => error,
        result => return result,
    };
    let Ok(Presented::Secret { client_id, names_client, secret: PresentedSecret::Generated(secret) }) = presented
    else {
        return Err(error);
    };
    let hash = secret.hash(&context.keys.pepper);
    let found = store::credential::secret_by_hash(context.store.reads(), &hash).await.map_err(Fault::from)?;
    let proves = found.is_some_and(|(owner, secret)| {
        let names_owner = if *names_client { *client_id == Some(owner) } else { true };
        names_owner && secret.end().is_live(context.now())
    });
    Err(if proves { OAuthError::unauthorized_client() } else { error })
}

/// Whether the form holds a client assertion (RFC 7521 §4.2). Its two parameters come together.
fn assertion(form: &TokenForm) -> Result<bool, OAuthError> {
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
    use crate::model::oauth_error::OAuthErrorCode;
    use crate::testing::SeededRandom;

    fn read(authorization: &[&str], body: &str) -> Result<(Option<String>, bool), OAuthErrorCode> {
        let headers: Vec<&[u8]> = authorization.iter().map(|header| header.as_bytes()).collect();
        let form = TokenForm::parse(body.as_bytes()).expect("well formed");
        match presented(&headers, &form).map_err(|error| error.code)? {
            Presented::Secret { client_id, secret, .. } => {
                Ok((client_id.map(|id| id.to_string()), matches!(secret, PresentedSecret::Generated(_))))
            }
            Presented::Assertion => Ok((None, false)),
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
