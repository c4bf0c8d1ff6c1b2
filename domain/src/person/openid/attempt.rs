//! One sign-in attempt: a browser goes to the provider and comes back.
//!
//! The browser holds a random value in a cookie. The provider sends back a random `state`. The database holds only a
//! hash of each. Nonce and PKCE verifier are derived from both values, with a key of the instance, when they are
//! needed. So the content of the database cannot finish an attempt, and a `state` in another browser cannot either.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::base::encoding::base62;
use crate::base::id::SessionId;
use crate::base::{digest, strict_json};
use crate::model::origin::Origin;
use crate::model::ports::TokenRequest;
use crate::person::openid::discovery::{self, Endpoints};
use crate::person::openid::id_token::{self, Identity};
use crate::person::openid::{OpenIdError, RETURN_PATH, Result};
use crate::person::sign_in;
use crate::prelude::{Action, Actor, Context, Event, Target};
use crate::services::relying_party::{Provider, RelyingParty};
use crate::store;
use crate::store::person::openid::StoredAttempt;

/// How long a person may stay at the provider.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Length of a random value, in characters: 256 bits.
const RANDOM: usize = 43;
const SCOPE: &str = "openid email profile";
/// Longest code that is accepted, in bytes.
const LONGEST_CODE: usize = 4096;

/// The purpose of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptPurpose {
    /// To sign in.
    SignIn {
        /// Where the person wants to go afterwards: an address of this instance.
        return_to: String,
    },
    /// To connect an account at the provider to the person who is signed in.
    Connect {
        /// The session that began the attempt. Only this session can finish it.
        session: SessionId,
    },
}

/// An attempt that has begun.
pub struct StartedAttempt {
    /// The address at the provider to which the browser goes.
    pub address: String,
    /// The value that the browser must hold when it comes back.
    pub browser: Zeroizing<String>,
}

/// The query parameters that came back to our redirect URI (RFC 6749 §4.1.2).
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// `state`
    pub state: String,
    /// `code`
    pub code: Option<String>,
    /// `error`
    pub error: Option<String>,
    /// `iss` (RFC 9207)
    pub issuer: Option<String>,
}

/// An attempt that came back and is used up.
pub struct Finished {
    /// The purpose of the attempt.
    pub purpose: AttemptPurpose,
    /// The account that the provider proved.
    pub proved: Result<Identity>,
}

/// Begins an attempt from `address`.
///
/// # Errors
///
/// [`OpenIdError::Unavailable`], [`OpenIdError::Throttled`] or a fault.
pub async fn begin(
    context: &Context,
    relying_party: &RelyingParty,
    purpose: AttemptPurpose,
    address: Option<IpAddr>,
) -> Result<StartedAttempt> {
    let endpoints = discovery::endpoints(relying_party, context.now()).await?;
    let (session, return_to) = match purpose {
        AttemptPurpose::SignIn { return_to } => {
            sign_in::count_source(context, address).await?;
            (None, return_to)
        }
        AttemptPurpose::Connect { session } => (Some(session), String::new()),
    };
    let browser = Zeroizing::new(base62::random(context.random.as_ref(), RANDOM));
    let state = base62::random(context.random.as_ref(), RANDOM);
    let stored = StoredAttempt { state_hash: hash(&state), browser_hash: hash(&browser), session, return_to };
    let mut transaction = context.store.begin().await?;
    store::person::openid::insert_attempt(&mut transaction, &stored, context.now().plus(LIFETIME)).await?;
    transaction.commit().await?;

    let Endpoints { authorization: mut url, .. } = endpoints;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &relying_party.provider.client_id)
        .append_pair("redirect_uri", &redirect_uri(context))
        .append_pair("scope", SCOPE)
        .append_pair("state", &state)
        .append_pair("nonce", &derived(context, "openid nonce", &browser, &state))
        .append_pair("code_challenge", &hash(&derived(context, "openid verifier", &browser, &state)))
        .append_pair("code_challenge_method", "S256");
    Ok(StartedAttempt { address: url.into(), browser })
}

/// Uses up the attempt that came back, and verifies the account. `browser` is the value that the browser holds.
/// `session` is the session that is signed in there, if any.
///
/// # Errors
///
/// [`OpenIdError::NoAttempt`] or a fault. A problem with the provider's answer is in [`Finished::proved`].
pub async fn finish(
    context: &Context,
    relying_party: &RelyingParty,
    returned: &Returned,
    browser: Option<&str>,
    session: Option<&SessionId>,
    origin: &Origin,
) -> Result<Finished> {
    let browser = browser.ok_or(OpenIdError::NoAttempt)?;
    let (state_hash, browser_hash) = (hash(&returned.state), hash(browser));
    // An invented value must not wait for a write permit.
    if !store::person::openid::has_attempt(&context.store, &state_hash, &browser_hash).await? {
        return Err(OpenIdError::NoAttempt);
    }
    let mut transaction = context.store.begin().await?;
    let taken =
        store::person::openid::take_attempt(&mut transaction, &state_hash, &browser_hash, context.now()).await?;
    transaction.commit().await?;
    let purpose = match taken.ok_or(OpenIdError::NoAttempt)? {
        StoredAttempt { session: None, return_to, .. } => AttemptPurpose::SignIn { return_to },
        StoredAttempt { session: Some(begun_by), .. } if session == Some(&begun_by) => {
            AttemptPurpose::Connect { session: begun_by }
        }
        StoredAttempt { .. } => return Err(OpenIdError::NoAttempt),
    };
    let proved = prove(context, relying_party, returned, browser).await;
    if let (AttemptPurpose::SignIn { .. }, Err(error)) = (&purpose, &proved) {
        record(context, relying_party, error, origin).await?;
    }
    Ok(Finished { purpose, proved })
}

async fn prove(
    context: &Context,
    relying_party: &RelyingParty,
    returned: &Returned,
    browser: &str,
) -> Result<Identity> {
    let endpoints = discovery::endpoints(relying_party, context.now()).await?;
    match &returned.issuer {
        Some(issuer) if *issuer != relying_party.provider.issuer => {
            return Err(OpenIdError::NotProved("iss is of another provider".to_owned()));
        }
        None if endpoints.names_itself => return Err(OpenIdError::NotProved("iss is missing".to_owned())),
        _ => {}
    }
    if let Some(error) = &returned.error {
        return Err(refusal(error));
    }
    let code = returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
    let code = code.ok_or_else(|| OpenIdError::NotProved("code is missing".to_owned()))?;
    let verifier = derived(context, "openid verifier", browser, &returned.state);
    let token = redeem(context, relying_party, &endpoints, code, &verifier).await?;
    let nonce = derived(context, "openid nonce", browser, &returned.state);
    id_token::verify(relying_party, &token, &nonce, context.now()).await
}

/// Redeems the code for an ID token (§3.1.3). The access token in the same answer is not used.
async fn redeem(
    context: &Context,
    relying_party: &RelyingParty,
    endpoints: &Endpoints,
    code: &str,
    verifier: &str,
) -> Result<Zeroizing<String>> {
    let request = token_request(&relying_party.provider, endpoints, &redirect_uri(context), code, verifier);
    let answer = relying_party.connection.redeem(&request).await.map_err(OpenIdError::Unavailable)?;
    let body = strict_json::parse(&answer.body);
    let member = |name: &str| body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    match answer.status {
        200 => {
            let token = member("id_token").map(|token| Zeroizing::new(token.to_owned()));
            token.ok_or_else(|| OpenIdError::NotProved("the token endpoint sent no ID token".to_owned()))
        }
        400..=499 => {
            let code = member("error").map(error_code).unwrap_or_default();
            Err(OpenIdError::NotProved(format!("the token endpoint answered {} {code}", answer.status)))
        }
        status => Err(OpenIdError::Unavailable(format!("the token endpoint answered {status}"))),
    }
}

fn token_request(
    provider: &Provider,
    endpoints: &Endpoints,
    redirect_uri: &str,
    code: &str,
    verifier: &str,
) -> TokenRequest {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", verifier);
    let mut authorization = None;
    match &provider.client_secret {
        Some(secret) if !endpoints.secret_in_form => authorization = Some(basic(&provider.client_id, secret)),
        Some(secret) => {
            form.append_pair("client_id", &provider.client_id).append_pair("client_secret", secret);
        }
        None => {
            form.append_pair("client_id", &provider.client_id);
        }
    }
    TokenRequest {
        issuer: provider.issuer.clone(),
        url: endpoints.token.clone(),
        authorization,
        body: Zeroizing::new(form.finish()),
    }
}

/// HTTP Basic, with each half form-encoded (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let encode = |text: &str| Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    let pair = Zeroizing::new(format!("{}:{}", *encode(client_id), *encode(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// The meaning of an `error` (RFC 6749 §4.1.2.1). The description is not read, because any page could have sent the
/// browser here with a description of its own.
fn refusal(error: &str) -> OpenIdError {
    match error {
        "access_denied" => OpenIdError::Cancelled,
        "server_error" | "temporarily_unavailable" => OpenIdError::Unavailable(format!("it answered {error}")),
        error => OpenIdError::Refused(error_code(error)),
    }
}

/// The error code, or an empty text when it is not a valid code: the code is shown and logged.
fn error_code(error: &str) -> String {
    let is_code = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { error.to_owned() } else { String::new() }
}

/// Records a sign-in that failed. A failure of the provider does not count against the source address.
async fn record(context: &Context, relying_party: &RelyingParty, error: &OpenIdError, origin: &Origin) -> Result<()> {
    match error {
        OpenIdError::Unavailable(_) => {
            let mut transaction = context.store.begin().await?;
            sign_in::uncount_source(&mut transaction, origin.address).await?;
            Ok(transaction.commit().await?)
        }
        OpenIdError::NotProved(_) | OpenIdError::Refused(_) => {
            let issuer = &relying_party.provider.issuer;
            let details = json!({ "method": "OpenID", "issuer": issuer, "reason": error.to_string() });
            let event = Event::new(Action::SessionRefused, Target::Session, "", "Unknown account").with(details);
            Ok(context.begin_change().await?.commit_folded(&Actor::system_for(origin), &event, &event).await?)
        }
        _ => Ok(()),
    }
}

fn redirect_uri(context: &Context) -> String {
    format!("{}{RETURN_PATH}", context.settings.public_url)
}

fn hash(text: &str) -> String {
    digest::sha256(text.as_bytes())
}

/// 43 characters that are derived from both halves of an attempt, for one purpose.
fn derived(context: &Context, what: &str, browser: &str, state: &str) -> Zeroizing<String> {
    Zeroizing::new(context.keys.forms.mac_parts(&[what, browser, state]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_error_codes_are_repeated() {
        assert!(matches!(refusal("access_denied"), OpenIdError::Cancelled));
        assert!(matches!(refusal("temporarily_unavailable"), OpenIdError::Unavailable(_)));
        assert!(matches!(refusal("login_required"), OpenIdError::Refused(code) if code == "login_required"));
        for wrong in ["<b>call this number</b>", "Call 555", &"x".repeat(41)] {
            assert!(matches!(refusal(wrong), OpenIdError::Refused(code) if code.is_empty()), "{wrong}");
        }
    }

    #[test]
    fn the_client_proves_itself_as_the_provider_takes_it() {
        let request = |client_secret: Option<&str>, secret_in_form: bool| {
            let provider = Provider {
                issuer: "https://login.example".to_owned(),
                client_id: "us".to_owned(),
                client_secret: client_secret.map(|secret| secret.to_owned().into()),
                name: String::new(),
                link_by_email: false,
            };
            let endpoints = Endpoints {
                authorization: "https://login.example/authorize".parse().expect("an address"),
                token: "https://login.example/token".to_owned(),
                secret_in_form,
                names_itself: false,
            };
            let request = token_request(&provider, &endpoints, "https://us.example/return", "a code", "a verifier");
            (request.authorization.is_some(), request.body.to_string())
        };
        let form = "grant_type=authorization_code&code=a+code&redirect_uri=https%3A%2F%2Fus.example%2Freturn\
                    &code_verifier=a+verifier";
        assert_eq!(request(Some("a&b"), false), (true, form.to_owned()));
        assert_eq!(request(Some("a&b"), true), (false, format!("{form}&client_id=us&client_secret=a%26b")));
        assert_eq!(request(None, false), (false, format!("{form}&client_id=us")));
    }

    #[test]
    fn both_halves_of_a_basic_header_are_encoded() {
        assert_eq!(*basic("a:b", "c d%"), format!("Basic {}", STANDARD.encode("a%3Ab:c+d%25")));
    }
}
