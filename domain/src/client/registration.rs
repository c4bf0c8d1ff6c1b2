//! Dynamic client registration (RFC 7591): a client registers itself before it sends people here. No administrator
//! vouches for such a client. So it gets only the right to ask people, and the page tells them where the answer goes.

use serde_json::{Map, Value, json};

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::base::text::is_unprintable;
use crate::client::added;
use crate::crypto::secret::PlainSecret;
use crate::model::client::redirect_uri::{Destination, RedirectUri};
use crate::model::client::{AppClient, ClientKind, DynamicRegistration, MOST_REDIRECT_URIS};
use crate::model::origin::Origin;
use crate::prelude::{Actor, Context, operation_error};
use crate::store;

/// The metadata members that a client may send:
///
/// - those of RFC 7591 §2 that have a meaning here, or that the answer only repeats;
/// - the application type of OpenID Connect, which MCP clients send.
///
/// Any other member is refused, because it might get a meaning one day.
const MEMBERS: [&str; 15] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "software_statement",
    "application_type",
];
/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Longest metadata, in bytes.
const LONGEST_METADATA: usize = 4 * 1024;
const UNNAMED: &str = "Unnamed client";

operation_error! {
    /// Why a client was not registered (RFC 7591 §3.2.2).
    pub enum RegistrationError {
        /// Clients cannot register themselves here.
        #[error("registration is off")]
        Off,
        /// The client did not bring the operator's token.
        #[error("the initial access token is missing or wrong")]
        Unauthorized,
        /// `invalid_redirect_uri`, and the reason.
        #[error("{0}")]
        RedirectUri(&'static str),
        /// `invalid_client_metadata`, and the reason.
        #[error("{0}")]
        Metadata(&'static str),
    }
}

type Result<T, E = RegistrationError> = std::result::Result<T, E>;

/// Registers the client that `metadata`, a JSON document, describes. `bearer` is the token of the request's
/// `Authorization` header. Returns the answer (§3.2.1): all members of the request, the identifier, and a secret when
/// the client asked for one.
pub async fn register(context: &Context, metadata: &[u8], bearer: Option<&str>, origin: &Origin) -> Result<Value> {
    let mode = context.settings.dynamic_registration;
    match (mode, &context.settings.initial_access_token) {
        (DynamicRegistration::Off, _) => return Err(RegistrationError::Off),
        (DynamicRegistration::Token, Some(token)) if bearer.is_some_and(|bearer| token.is(bearer)) => {}
        (DynamicRegistration::Token, _) => return Err(RegistrationError::Unauthorized),
        (DynamicRegistration::Loopback | DynamicRegistration::On, _) => {}
    }
    let mut metadata = read(metadata)?;
    let redirect_uris = redirect_uris(&metadata, mode)?;
    let registered: Vec<&str> = redirect_uris.iter().map(RedirectUri::as_str).collect();
    metadata.insert("redirect_uris".to_owned(), json!(registered));
    check_flow(&metadata)?;
    let name = name(&metadata)?;
    let secret = wants_secret(&metadata)?.then(|| PlainSecret::generate(context.random.as_ref()));
    // An absent member has a default (§2). The answer states the default.
    for (member, default) in [
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
    ] {
        metadata.entry(member).or_insert(default);
    }
    let mut change = context.begin_change().await?;
    let now = change.now();
    let id = AppClientId::generate(context.random.as_ref());
    let client = AppClient {
        metadata,
        secret_hint: secret.as_ref().map(PlainSecret::hint),
        ..AppClient::new(id, ClientKind::Dynamic, name, redirect_uris, "Itself", now)
    };
    let hash = secret.as_ref().map(|secret| secret.hash(&context.keys.pepper));
    store::client::insert(&mut change, &client, hash.as_ref()).await?;
    let actor = Actor::system().at(origin.address, origin.agent.as_deref());
    change.commit(&actor, &added(&client)).await?;
    let mut answer = client.metadata;
    answer.insert("client_id".to_owned(), json!(client.id.as_str()));
    answer.insert("client_id_issued_at".to_owned(), json!(now.seconds()));
    if let Some(secret) = secret {
        answer.insert("client_secret".to_owned(), json!(secret.expose()));
        answer.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    Ok(Value::Object(answer))
}

fn read(metadata: &[u8]) -> Result<Map<String, Value>> {
    if metadata.len() > LONGEST_METADATA {
        return Err(RegistrationError::Metadata("The metadata is too long."));
    }
    let Some(Value::Object(members)) = strict_json::parse(metadata) else {
        return Err(RegistrationError::Metadata("The body must be a JSON object without repeated members."));
    };
    if !members.keys().all(|name| MEMBERS.contains(&name.as_str())) {
        return Err(RegistrationError::Metadata("A member is none of RFC 7591, or not supported here."));
    }
    // Members that are repeated to the client and shown must be texts or lists of texts.
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.chars().any(is_unprintable));
    let is_plain = |value: &Value| is_text(value) || value.as_array().is_some_and(|list| list.iter().all(is_text));
    if !members.values().all(is_plain) {
        return Err(RegistrationError::Metadata("Every member must be text or a list of texts."));
    }
    Ok(members)
}

fn texts<'value>(metadata: &'value Map<String, Value>, member: &str) -> Option<Vec<&'value str>> {
    metadata.get(member)?.as_array().map(|list| list.iter().filter_map(Value::as_str).collect())
}

fn redirect_uris(metadata: &Map<String, Value>, mode: DynamicRegistration) -> Result<Vec<RedirectUri>> {
    let asked = texts(metadata, "redirect_uris").unwrap_or_default();
    if asked.is_empty() || asked.len() > MOST_REDIRECT_URIS {
        return Err(RegistrationError::RedirectUri("redirect_uris must name one to ten URIs."));
    }
    let unusable = RegistrationError::RedirectUri(
        "A redirect URI must be https, http on localhost, 127.0.0.1 or [::1], or of a private scheme with a dot.",
    );
    let mut uris: Vec<RedirectUri> =
        asked.into_iter().map(RedirectUri::parse).collect::<Option<_>>().ok_or(unusable)?;
    // Some clients name a website of their vendor beside the addresses on the person's computer. Then only the
    // addresses on the computer are registered (§3.2.1).
    if mode == DynamicRegistration::Loopback {
        uris.retain(|uri| uri.destination() == Destination::Loopback);
    }
    if uris.is_empty() {
        return Err(RegistrationError::RedirectUri(
            "Clients may register themselves here with redirect URIs on localhost, 127.0.0.1 or [::1] only.",
        ));
    }
    Ok(uris)
}

/// A client that registers itself must ask people. It never gets a grant type that works without a person.
fn check_flow(metadata: &Map<String, Value>) -> Result<()> {
    let only = |member: &str, allowed: &[&str], needed: &str| match (metadata.get(member), texts(metadata, member)) {
        (None, _) => true,
        (Some(_), Some(asked)) => asked.contains(&needed) && asked.iter().all(|one| allowed.contains(one)),
        (Some(_), None) => false,
    };
    if !only("grant_types", &["authorization_code", "refresh_token"], "authorization_code") {
        return Err(RegistrationError::Metadata("grant_types may be authorization_code and refresh_token."));
    }
    if !only("response_types", &["code"], "code") {
        return Err(RegistrationError::Metadata("response_types may be code."));
    }
    Ok(())
}

fn wants_secret(metadata: &Map<String, Value>) -> Result<bool> {
    match metadata.get("token_endpoint_auth_method").map(Value::as_str) {
        Some(Some("none")) => Ok(false),
        None | Some(Some("client_secret_basic" | "client_secret_post")) => Ok(true),
        Some(_) => Err(RegistrationError::Metadata(
            "token_endpoint_auth_method may be none, client_secret_basic or client_secret_post.",
        )),
    }
}

/// The name that the client states in its metadata.
pub(crate) fn name(metadata: &Map<String, Value>) -> Result<String> {
    let name = match metadata.get("client_name") {
        None => UNNAMED,
        Some(name) => name.as_str().ok_or(RegistrationError::Metadata("client_name must be text."))?.trim(),
    };
    if name.chars().count() > LONGEST_NAME {
        return Err(RegistrationError::Metadata("client_name is too long."));
    }
    Ok(if name.is_empty() { UNNAMED } else { name }.to_owned())
}
