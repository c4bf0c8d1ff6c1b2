//! Dynamic client registration (RFC 7591): a client registers itself before it sends people here. No administrator
//! vouches for such a client. So it gets only the right to ask people, and the page tells them where the answer goes.
//!
//! Clients send one description to servers of all kinds. So a member that is not known here is ignored, grant and
//! response types are narrowed to those that exist here, and the answer states what was registered (RFC 7591 §2,
//! §3.2.1).

use serde_json::{Map, Value, json};
use url::Url;

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::base::text::{is_unprintable, printable};
use crate::client::{added, commit, name};
use crate::crypto::secret::{PlainSecret, SecretKind};
use crate::model::client::redirect_uri::{Destination, RedirectUri};
use crate::model::client::{AppClient, ClientKind, DEVICE_GRANT, DynamicRegistration, MOST_REDIRECT_URIS};
use crate::model::origin::Origin;
use crate::prelude::{Actor, Context, operation_error};
use crate::store;

/// Members that the answer repeats as they were sent: texts, or lists of texts. They decide nothing here.
const REPEATED: [&str; 4] = ["scope", "contacts", "software_id", "software_version"];
/// Members with the address of a website. The answer repeats http and https only: a page that shows such an address as
/// a link must not run a script.
const ADDRESSES: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];
/// The `application_type` of a website (OpenID Connect Dynamic Client Registration 1.0 §2).
const WEB: &str = "web";
/// Longest metadata that is stored, in bytes. What is ignored does not count.
const LONGEST_METADATA: usize = 4 * 1024;
/// Longest part of a redirect URI that an error repeats, in characters.
const LONGEST_REPEATED: usize = 200;

operation_error! {
    /// Why a client was not registered (RFC 7591 §3.2.2).
    pub enum RegistrationError {
        /// Clients cannot register themselves here.
        #[error("registration is off")]
        Off,
        /// The token is not the one that manages this registration, or the client is gone.
        #[error("the registration access token is missing or wrong")]
        NotManaged,
        /// The client did not bring the operator's token.
        #[error("the initial access token is missing or wrong")]
        Unauthorized,
        /// `invalid_redirect_uri`, and the reason.
        #[error("{0}")]
        RedirectUri(String),
        /// `invalid_client_metadata`, and the reason.
        #[error("{0}")]
        Metadata(String),
    }
}

pub(super) type Result<T, E = RegistrationError> = std::result::Result<T, E>;

pub(super) fn metadata_error<T>(problem: impl Into<String>) -> Result<T> {
    Err(RegistrationError::Metadata(problem.into()))
}

/// What a client asks to be registered as, checked and narrowed.
pub(crate) struct Description {
    pub name: String,
    pub redirect_uris: Vec<RedirectUri>,
    pub is_confidential: bool,
    pub uses_devices: bool,
    /// What the answer states.
    pub metadata: Map<String, Value>,
}

/// Registers the client that `metadata`, a JSON document, describes. `bearer` is the token of the request's
/// `Authorization` header. Returns the answer (§3.2.1): what was registered, the identifier, a token that manages the
/// registration (RFC 7592 §3), and a secret when the client asked for one.
pub async fn register(context: &Context, metadata: &[u8], bearer: Option<&str>, origin: &Origin) -> Result<Value> {
    let mode = context.settings.dynamic_registration;
    match (mode, &context.settings.initial_access_token) {
        (DynamicRegistration::Off, _) => return Err(RegistrationError::Off),
        (DynamicRegistration::Token, Some(token)) if bearer.is_some_and(|bearer| token.is(bearer)) => {}
        (DynamicRegistration::Token, _) => return Err(RegistrationError::Unauthorized),
        (DynamicRegistration::Loopback | DynamicRegistration::On, _) => {}
    }
    let description = describe(&read(metadata)?, mode, context.settings.device_grant)?;
    let Description { name, redirect_uris, is_confidential, uses_devices, metadata } = description;
    let secret = is_confidential.then(|| PlainSecret::generate(context.random.as_ref()));
    let mut change = context.begin_change().await?;
    if !name::is_free(&mut change, &name).await? {
        return metadata_error(name::TAKEN);
    }
    let id = AppClientId::generate(context.random.as_ref());
    let client = AppClient {
        metadata,
        secret_hint: secret.as_ref().map(PlainSecret::hint),
        device_grant_since: uses_devices.then(|| change.now()),
        ..AppClient::new(id, ClientKind::Dynamic, name, redirect_uris, "Itself", change.now())
    };
    let hash = secret.as_ref().map(|secret| secret.hash(&context.keys.pepper));
    let token = PlainSecret::generate_of(SecretKind::RegistrationToken, context.random.as_ref());
    let token_hash = token.hash(&context.keys.pepper);
    store::client::insert(&mut change, &client, hash.as_ref(), Some(&token_hash)).await?;
    commit(change, &Actor::system_for(origin), &client, &added(&client)).await?;
    let mut answer = answer(context, &client, &token);
    if let Some(secret) = secret {
        answer["client_secret"] = json!(secret.expose());
        answer["client_secret_expires_at"] = json!(0);
    }
    Ok(answer)
}

/// The client's registration as an answer states it (RFC 7591 §3.2.1, RFC 7592 §3). A secret is not in it, because only
/// its hash is stored.
pub(super) fn answer(context: &Context, client: &AppClient, token: &PlainSecret) -> Value {
    let mut answer = Value::Object(client.metadata.clone());
    answer["client_id"] = json!(client.id.as_str());
    answer["client_id_issued_at"] = json!(client.created_at.seconds());
    answer["registration_client_uri"] = json!(format!("{}/{}", context.settings.registration_endpoint(), client.id));
    answer["registration_access_token"] = json!(token.expose());
    answer
}

/// Reads the document. A member that is null counts as left out.
pub(crate) fn read(metadata: &[u8]) -> Result<Map<String, Value>> {
    let Some(Value::Object(mut members)) = strict_json::parse(metadata) else {
        return metadata_error("The body must be a JSON object without repeated members.");
    };
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

/// Checks and narrows a description. `with_devices`: whether the operator lets clients use the device grant.
pub(crate) fn describe(
    asked: &Map<String, Value>,
    mode: DynamicRegistration,
    with_devices: bool,
) -> Result<Description> {
    let application = application(asked);
    // A client that registers itself must ask people. It never gets a grant type that works without a person.
    let grants = match with_devices {
        true => narrowed(asked, "grant_types", &["authorization_code", DEVICE_GRANT, "refresh_token"], 2)?,
        false => narrowed(asked, "grant_types", &["authorization_code", "refresh_token"], 1)?,
    };
    let takes_codes = grants.contains(&"authorization_code");
    // Nobody is sent to a client that uses only the device grant.
    let redirect_uris = if takes_codes { redirect_uris(asked, mode, application)? } else { Vec::new() };
    let name = name::stated(asked).map_err(RegistrationError::Metadata)?;
    let method = method(asked)?;
    let uses_devices = grants.contains(&DEVICE_GRANT);
    let mut metadata = Map::new();
    let mut state = |member: &str, value: Value| metadata.insert(member.to_owned(), value);
    if asked.contains_key("client_name") {
        state("client_name", json!(name));
    }
    state("redirect_uris", json!(redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>()));
    state("token_endpoint_auth_method", json!(method));
    state("grant_types", json!(grants));
    let responses = if takes_codes { narrowed(asked, "response_types", &["code"], 1)? } else { Vec::new() };
    state("response_types", json!(responses));
    if let Some(application) = application {
        state("application_type", json!(application));
    }
    for member in REPEATED {
        if let Some(value) = asked.get(member).filter(|value| is_plain(value)) {
            state(member, value.clone());
        }
    }
    for member in ADDRESSES {
        if let Some(value) = asked.get(member).filter(|value| is_website(value)) {
            state(member, value.clone());
        }
    }
    if json!(metadata).to_string().len() > LONGEST_METADATA {
        return metadata_error(format!("The metadata is longer than {LONGEST_METADATA} bytes."));
    }
    Ok(Description { name, redirect_uris, is_confidential: method != "none", uses_devices, metadata })
}

/// Whether the value is text, or a list of texts, that people can read.
fn is_plain(value: &Value) -> bool {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.chars().any(is_unprintable));
    is_text(value) || value.as_array().is_some_and(|list| list.iter().all(is_text))
}

fn is_website(value: &Value) -> bool {
    let url = value.as_str().filter(|_| is_plain(value)).and_then(|text| Url::parse(text).ok());
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The kind of program that the client says it is. An unknown kind means nothing here.
fn application(asked: &Map<String, Value>) -> Option<&'static str> {
    let stated = asked.get("application_type").and_then(Value::as_str);
    ["native", WEB].into_iter().find(|known| stated == Some(known))
}

fn redirect_uris(
    asked: &Map<String, Value>,
    mode: DynamicRegistration,
    application: Option<&str>,
) -> Result<Vec<RedirectUri>> {
    let listed = asked.get("redirect_uris").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() || listed.len() > MOST_REDIRECT_URIS {
        let problem = format!("redirect_uris must name one to {MOST_REDIRECT_URIS} URIs.");
        return Err(RegistrationError::RedirectUri(problem));
    }
    let parsed = listed.iter().map(|uri| uri.as_str().and_then(RedirectUri::parse).ok_or(uri));
    // Some clients name a website of their vendor, or a scheme of their own, beside the addresses on the person's
    // computer. Then only the addresses on the computer are registered, and the answer says so (§3.2.1).
    if mode == DynamicRegistration::Loopback {
        let uris: Vec<RedirectUri> =
            parsed.flatten().filter(|uri| uri.destination() == Destination::Loopback).collect();
        if uris.is_empty() {
            let problem =
                "Clients may register themselves here with redirect URIs on localhost, 127.0.0.1 or [::1] only.";
            return Err(RegistrationError::RedirectUri(problem.to_owned()));
        }
        check_application(&uris, application)?;
        return Ok(uris);
    }
    let uris: Vec<RedirectUri> = parsed.collect::<std::result::Result<_, _>>().map_err(|uri| {
        let written = uri.as_str().map_or_else(|| uri.to_string(), str::to_owned);
        unusable(&written, RedirectUri::RULE)
    })?;
    check_application(&uris, application)?;
    Ok(uris)
}

/// Requires that the redirect URIs of a website are on the web (OpenID Connect Dynamic Client Registration 1.0 §2).
/// There, native programs must not use https; RFC 8252 §7.2 allows it since.
fn check_application(uris: &[RedirectUri], application: Option<&str>) -> Result<()> {
    match uris.iter().find(|uri| application == Some(WEB) && !uri.is_on_web()) {
        None => Ok(()),
        Some(uri) => {
            Err(unusable(uri.as_str(), "With application_type web, it must be https and not on this computer."))
        }
    }
}

fn unusable(uri: &str, rule: &str) -> RegistrationError {
    let written = printable(&uri.chars().take(LONGEST_REPEATED).collect::<String>());
    RegistrationError::RedirectUri(format!("The redirect URI {written} cannot be used. {rule}"))
}

/// The members of a list that exist here. One of the first `needed` of `known` must be among them. The first one is
/// what an absent member stands for (§2).
fn narrowed<'known>(
    asked: &Map<String, Value>,
    member: &str,
    known: &[&'known str],
    needed: usize,
) -> Result<Vec<&'known str>> {
    let needed = &known[..needed];
    let Some(value) = asked.get(member) else { return Ok(vec![known[0]]) };
    let listed = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let holding: Vec<&str> = known.iter().copied().filter(|one| listed.contains(&json!(one))).collect();
    if needed.iter().any(|one| holding.contains(one)) {
        return Ok(holding);
    }
    metadata_error(format!("{member} must be a list with {}.", needed.join(" or ")))
}

/// The method with which the client proves itself.
fn method(asked: &Map<String, Value>) -> Result<&'static str> {
    match asked.get("token_endpoint_auth_method").map(Value::as_str) {
        Some(Some("none")) => Ok("none"),
        None | Some(Some("client_secret_basic")) => Ok("client_secret_basic"),
        Some(Some("client_secret_post")) => Ok("client_secret_post"),
        Some(_) => metadata_error("token_endpoint_auth_method may be none, client_secret_basic or client_secret_post."),
    }
}
