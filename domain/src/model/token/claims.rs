//! What an access token says (RFC 9068).

use serde::{Deserialize, Serialize};

use crate::model::token::StatusReference;

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The subject: the identifier of a person, or the client ID when the client acts for itself.
    pub sub: String,
    /// The one MCP server the token is for.
    pub aud: String,
    /// The client.
    pub client_id: String,
    /// The granted scopes, separated by spaces.
    pub scope: String,
    /// The token identifier, which is its key in the ledger.
    pub jti: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// The entry of the status list that says whether the token was revoked. Tokens that were issued before status
    /// lists existed have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusReference>,
}

/// A token of ours: its signature is right. Whether the token is accepted is another question.
#[derive(Debug, Clone)]
pub struct SignatureCheck {
    /// The claims.
    pub claims: Claims,
    /// The name of the key.
    pub kid: String,
    /// The algorithm.
    pub algorithm: &'static str,
}
