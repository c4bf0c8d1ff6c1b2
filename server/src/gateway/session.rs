//! The sessions of clients (`Mcp-Session-Id`). The identifier that a client has is the one of the server behind the
//! gateway, with a MAC in front that binds it to the client: another client cannot use it. Each node can check the MAC,
//! so nothing is stored.

use domain::base::id::McpServerId;
use domain::crypto::keys::MacKey;
use domain::model::server::gateway::call::CallerKey;

/// The length of a MAC in base64url.
const MAC_LENGTH: usize = 43;
/// The longest identifier of a session that a server may give, in bytes.
const LONGEST: usize = 1024;

fn parts<'of>(server: &'of McpServerId, caller: &'of CallerKey, session: &'of str) -> [&'of str; 5] {
    ["gateway session", server.as_str(), &caller.id, &caller.person, session]
}

/// The identifier that the client gets. `None` when the server's identifier is none (it is visible ASCII).
pub(super) fn bind(key: &MacKey, server: &McpServerId, caller: &CallerKey, session: &str) -> Option<String> {
    let is_plain = session.bytes().all(|byte| (0x21..0x7F).contains(&byte));
    if session.is_empty() || session.len() > LONGEST || !is_plain {
        return None;
    }
    Some(format!("{}.{session}", key.mac_parts(&parts(server, caller, session))))
}

/// The identifier of the server behind the gateway, if this client got it.
pub(super) fn unbind<'bound>(
    key: &MacKey,
    server: &McpServerId,
    caller: &CallerKey,
    bound: &'bound str,
) -> Option<&'bound str> {
    let (mac, session) = bound.split_at_checked(MAC_LENGTH)?;
    let session = session.strip_prefix('.')?;
    key.verify_parts(&parts(server, caller, session), mac).then_some(session)
}
