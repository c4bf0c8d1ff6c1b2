//! What the domain needs of the outside world: requests to other servers.

use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::webhook::mail::Mail;

/// The answer of another server, or why there is none, in words for the person or the log.
pub type Answer<'call, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'call>>;

/// Fetches a document. The implementation refuses everything that an administrator did not allow: plain http, private
/// addresses, redirects, and answers that are too long or too slow.
pub trait Fetch: Send + Sync {
    /// Whether the issuer may be asked, as far as that can be decided without a request. The error text is shown to the
    /// person who typed it.
    fn check_issuer(&self, issuer: &str) -> Result<(), String>;

    /// The body of a 200 answer. `issuer` is the issuer whose document it is: an address that is allowed for one issuer
    /// is not allowed for another.
    fn get<'call>(&'call self, issuer: &'call str, url: &'call str) -> Answer<'call, Vec<u8>>;

    /// What a client publishes. Anyone can name such an address, so its limits of size and time are stricter.
    fn of_client<'call>(&'call self, what: ClientFile<'call>, url: &'call str) -> Answer<'call, ClientAnswer>;
}

/// A file that a client publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFile<'call> {
    /// The document that describes it. Its address is the client's identifier.
    Document,
    /// Its public keys (RFC 7517 §5).
    Keys {
        /// The document that names their address, if one does: a document of a public host must not send us to a
        /// private one.
        document: Option<&'call str>,
    },
}

/// Such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAnswer {
    /// Its content; `None`: the client has taken the file away (404 or 410). That is an answer, and no failure after
    /// which the earlier file counts.
    pub body: Option<Vec<u8>>,
    /// How long the publisher lets it be kept (RFC 9111 §5.2.2.1); zero when it must not be kept.
    pub max_age: Option<Duration>,
}

impl ClientAnswer {
    /// How long the file is used, when its publisher does not say.
    pub(crate) const USUALLY_KEPT: Duration = Duration::from_secs(3600);

    /// How long the file is used: what the publisher says, within bounds. We ask no server often, and no file is used
    /// for longer than a day.
    pub(crate) fn kept_for(&self) -> Duration {
        self.max_age.unwrap_or(Self::USUALLY_KEPT).clamp(Duration::from_secs(300), Duration::from_secs(24 * 3600))
    }
}

/// Sends messages. The implementation refuses everything that the operator did not allow: plain http, private
/// addresses, redirects, and answers that take too long.
pub trait Post: Send + Sync {
    /// Whether messages may be sent to the address, as far as that can be decided without a DNS look-up. The error text
    /// is shown to the person who typed the address.
    fn check(&self, url: &str) -> Result<(), String>;

    /// The status of the answer. Every status is returned, error statuses too.
    fn post<'call>(&'call self, message: &'call WebhookMessage) -> Answer<'call, u16>;
}

/// A signed message.
pub struct WebhookMessage {
    /// Where to send it.
    pub url: Zeroizing<String>,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The JSON to send.
    pub body: String,
}

/// Sends e-mails to people.
pub trait SendMail: Send + Sync {
    /// Hands the e-mail to the mail server. Without an error the server has taken it.
    fn send<'call>(&'call self, mail: &'call Mail) -> Answer<'call, ()>;
}

/// A request that looks at how an MCP server protects itself.
#[derive(Clone)]
pub struct ProbeRequest {
    /// Where to send it.
    pub url: String,
    /// What to send.
    pub method: ProbeMethod,
    /// The access token to send along.
    pub token: Option<Zeroizing<String>>,
}

/// What a [`ProbeRequest`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeMethod {
    /// GET, for a document.
    Get,
    /// The first message of an MCP client, by POST. The body of the answer is not read: it may never end.
    Initialize,
}

/// The answer to a [`ProbeRequest`].
pub struct ProbeAnswer {
    /// The status.
    pub status: u16,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// The body of a document.
    pub body: Vec<u8>,
}

/// Looks at MCP servers. The implementation refuses what the operator did not allow: plain http, private addresses, and
/// answers that are too long or too slow. It follows no redirect.
pub trait Probe: Send + Sync {
    /// Every status is returned, error statuses too.
    fn probe<'call>(&'call self, request: &'call ProbeRequest) -> Answer<'call, ProbeAnswer>;
}

/// A token request (OpenID Connect Core 1.0 §3.1.3.1).
pub struct TokenRequest {
    /// The issuer of the endpoint: an address that is allowed for one issuer is not allowed for another.
    pub issuer: String,
    /// The endpoint.
    pub url: String,
    /// The `Authorization` header, if the client authenticates by it.
    pub authorization: Option<Zeroizing<String>>,
    /// The form.
    pub body: Zeroizing<String>,
}

/// An answer of a token endpoint.
pub struct TokenAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Connects to an OpenID provider: to its documents and to its token endpoint. The implementation refuses what
/// [`Fetch`] refuses.
pub trait ProviderConnection: Fetch {
    /// Sends a token request.
    fn redeem<'call>(&'call self, request: &'call TokenRequest) -> Answer<'call, TokenAnswer>;
}

/// A message to an MCP server, over streamable HTTP.
pub struct McpRequest {
    /// The address of the server.
    pub url: String,
    /// The header that proves us to the server: its name and its value.
    pub header: Option<(String, Zeroizing<String>)>,
    /// The method of the message (`Mcp-Method`).
    pub method: &'static str,
    /// The version of the protocol (`MCP-Protocol-Version`), as soon as both sides have agreed on one.
    pub version: Option<String>,
    /// The session (`Mcp-Session-Id`), if the server has begun one.
    pub session: Option<String>,
    /// The identifier of the message. A notification has none.
    pub id: Option<i64>,
    /// The message, in JSON.
    pub body: String,
}

/// The answer of an MCP server.
pub struct McpAnswer {
    /// The status.
    pub status: u16,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// The message in the answer that has the identifier of the request. `None` when there is no such message.
    pub message: Option<Value>,
}

/// Calls MCP servers. The implementation refuses what the operator did not allow: plain http, private addresses,
/// redirects, and answers that are too long or too slow.
pub trait McpConnection: Send + Sync {
    /// Sends a message. Every status is returned, error statuses too.
    fn call<'call>(&'call self, request: &'call McpRequest) -> Answer<'call, McpAnswer>;
}
