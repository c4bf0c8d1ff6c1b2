//! What a client ID metadata document says (draft-ietf-oauth-client-id-metadata-document §4), of clients that act for
//! people and of credentials alike.

use serde_json::{Map, Value, json};

use crate::base::id::AppClientId;
use crate::base::strict_json;
use crate::crypto::public_key::PublicKey;
use crate::model::client::keys::{KeySource, PRIVATE_KEY_JWT};
use crate::model::credential::key::is_keys_address;

/// The members of a JWK that are private or symmetric (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 2] = ["d", "k"];

/// Reads the document at the address `id`. Unknown members are left in it: they mean something to other servers.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(crate) fn parse(id: &AppClientId, body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let Some(Value::Object(document)) = strict_json::parse(body) else {
        return Err("It is not a JSON object without repeated members.");
    };
    if document.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
        return Err("Its client_id is not its own address.");
    }
    if document.contains_key("client_secret") || document.contains_key("client_secret_expires_at") {
        return Err("It holds a client_secret, which everybody can read.");
    }
    Ok(document)
}

/// Whether the document lists the grant in its `grant_types` (RFC 7591 §2).
pub(crate) fn has_grant(document: &Map<String, Value>, grant: &str) -> bool {
    let listed = document.get("grant_types").and_then(Value::as_array);
    listed.is_some_and(|list| list.contains(&json!(grant)))
}

/// Where the keys are with which the client proves itself; `None`: it does not. A document that everybody can read
/// cannot hold a secret, so the other method is `none`.
///
/// Some documents state no method but a list of methods. Then the client uses its keys, if it has some.
///
/// # Errors
///
/// What is wrong with the document, for a person.
pub(crate) fn key_source(document: &Map<String, Value>) -> Result<Option<KeySource<'_>>, String> {
    let listed = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let is_listed = |method: &str| listed.is_some_and(|list| list.iter().any(|own| own == method));
    let (jwks, jwks_uri) = (document.get("jwks"), document.get("jwks_uri"));
    let has_keys = jwks.is_some() || jwks_uri.is_some();
    let method = match document.get("token_endpoint_auth_method") {
        Some(method) => method.as_str().unwrap_or_default(),
        None if is_listed(PRIVATE_KEY_JWT) && has_keys => PRIVATE_KEY_JWT,
        None if listed.is_none() || is_listed("none") => "none",
        None => "",
    };
    match method {
        "none" => return Ok(None),
        PRIVATE_KEY_JWT => {}
        _ => return Err("Its token_endpoint_auth_method is neither none nor private_key_jwt.".to_owned()),
    }
    match (jwks, jwks_uri) {
        (Some(_), Some(_)) => Err("It has jwks and jwks_uri; one of them is allowed (RFC 7591 §2).".to_owned()),
        (None, None) => Err("It uses private_key_jwt and names no keys: jwks or jwks_uri.".to_owned()),
        (None, Some(address)) => match address.as_str().filter(|address| is_keys_address(address)) {
            Some(address) => Ok(Some(KeySource::At(address))),
            None => Err("Its jwks_uri is no https address without user information and fragment.".to_owned()),
        },
        (Some(set), None) => check_listed(set).map(|()| Some(KeySource::Listed(set))),
    }
}

/// Checks the keys that stand in the document itself.
fn check_listed(set: &Value) -> Result<(), String> {
    let all = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if all.iter().any(|key| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())) {
        return Err("Its jwks hold a private or symmetric key, which everybody can read.".to_owned());
    }
    match PublicKey::read_jwks(set) {
        Ok(usable) if !usable.is_empty() => Ok(()),
        Ok(_) => Err("Its jwks hold no key that can be used here.".to_owned()),
        Err(problem) => Err(format!("Its jwks cannot be used. {problem}")),
    }
}
