//! Tells the server behind the gateway who calls: a signed JWT in the header `Countersign-Identity`. It is no access
//! token, so nothing else accepts it: its type is another, and its audience is the address of the server.

use std::time::Duration;

use serde_json::json;

use crate::base::id::TokenId;
use crate::crypto::keys::KeyError;
use crate::prelude::{Context, Fault};
use crate::services::gateways::Snapshot;
use crate::store;
use crate::token::verify::{Caller, Subject};

/// The type of the token (RFC 7515 §4.1.9).
pub(crate) const TYPE: &str = "countersign-identity+jwt";
/// How long it is valid.
const LIFETIME: Duration = Duration::from_secs(60);

/// A token that says who the caller is, for the server of this snapshot.
pub async fn token(context: &Context, snapshot: &Snapshot, caller: &Caller) -> Result<String, Fault> {
    let now = context.now();
    let (sub, client_id, person) = match &caller.subject {
        Subject::Credential(id) => (id.as_str(), id.as_str(), None),
        Subject::Person { id, name, client_id } => (id.as_str(), client_id.as_str(), Some(name)),
        Subject::PersonalToken { person, person_name, id } => (person.as_str(), id.as_str(), Some(person_name)),
    };
    let mut claims = json!({
        "iss": context.settings.public_url,
        "aud": snapshot.gateway.upstream,
        "sub": sub,
        "client_id": client_id,
        "client_name": caller.name,
        "scope": caller.scopes.to_string(),
        "iat": now.seconds(),
        "exp": now.plus(LIFETIME).seconds(),
        "jti": TokenId::generate(context.random.as_ref(), now).as_str(),
    });
    if let Some(name) = person {
        claims["name"] = json!(name);
    }
    let mut active = store::operations::keys::active_signing_keys(&context.store, now).await?;
    let kid = active.remove(snapshot.server.alg.as_str()).ok_or(KeyError::Missing("signing key"))?;
    let key = context.keys.signing.get(&context.store, &kid, now).await?;
    Ok(key.sign(TYPE, claims.to_string().as_bytes())?)
}
