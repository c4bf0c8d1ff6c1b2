//! What the domain needs of the outside world: requests to other servers.

use std::pin::Pin;

use zeroize::Zeroizing;

/// Fetches a document. The implementation refuses what an administrator did not allow: plain http, private addresses,
/// redirects, answers that are long or slow.
pub trait Fetch: Send + Sync {
    /// The body of a 200 answer. `issuer` is whose document it is: what was allowed for one issuer is not for another.
    fn get<'call>(
        &'call self,
        issuer: &'call str,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>>;

    /// The document of a client whose identifier `url` is, from wherever somebody says it is: held to less in size and
    /// time.
    fn document<'call>(
        &'call self,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>>;
}

/// Sends messages. The implementation refuses what the operator did not allow: plain http, private addresses,
/// redirects, answers that take long.
pub trait Post: Send + Sync {
    /// Whether the address may be sent to, as far as that can be said without looking its host up. The problem is told
    /// to whoever typed it.
    fn check(&self, url: &str) -> Result<(), String>;

    /// The status of the answer, whichever it is.
    fn post<'call>(
        &'call self,
        message: &'call WebhookMessage,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'call>>;
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

/// A token request (OpenID Connect Core 1.0 §3.1.3.1).
pub struct TokenRequest {
    /// Whose endpoint it is: what was allowed for one issuer is not for another.
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

/// The way to a provider: to its documents, and to its token endpoint. The implementation refuses what [`Fetch`]
/// refuses.
pub trait ProviderConnection: Fetch {
    /// Sends a token request.
    fn redeem<'call>(
        &'call self,
        request: &'call TokenRequest,
    ) -> Pin<Box<dyn Future<Output = Result<TokenAnswer, String>> + Send + 'call>>;
}
