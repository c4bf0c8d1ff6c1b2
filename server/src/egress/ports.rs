//! Requests of the domain to other servers: documents of issuers and clients, tokens of an OpenID provider, messages to
//! webhooks.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use domain::model::ports::{
    ClientAnswer, ClientFile, Fetch, Post, ProviderConnection, TokenAnswer, TokenRequest, WebhookMessage,
};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::egress::connector::{Answer, Connector};
use crate::egress::policy::{CauseReader, EgressPermission, Exceptions, PrivateHosts, UNREACHABLE, is_public};

/// Deadline for a whole document: name lookup, connection and answer.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);
/// Maximum size of a document, in bytes.
const LONGEST_DOCUMENT: usize = 64 * 1024;
/// Deadline for a client's document. It is shorter, because every signed-in person may name the address.
const CLIENT_DEADLINE: Duration = Duration::from_secs(3);
/// Maximum size of a client's document, in bytes (draft-ietf-oauth-client-id-metadata-document §6.6).
const LONGEST_CLIENT_DOCUMENT: usize = 5 * 1024;
/// Deadline for a message to a webhook. It is longer, because the receiver may work before it answers.
const POST_DEADLINE: Duration = Duration::from_secs(10);
/// How much of a webhook's answer is read: enough that a receiver can send its whole answer.
const LONGEST_RECEIPT: usize = 4 * 1024;
/// Deadline for that part, after the status is known.
const RECEIPT_DEADLINE: Duration = Duration::from_millis(500);

/// The problem of a request that took longer than its deadline.
const LATE: &str = "no answer in time";

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const USER_AGENT: &str = concat!("Countersign/", env!("CARGO_PKG_VERSION"));

/// Sends requests to other servers.
pub struct Outbound {
    issuers: Exceptions,
    webhooks: Exceptions,
    clients: Exceptions,
    connector: Connector,
}

impl Outbound {
    /// Allows exceptions only for these hosts.
    pub fn new(private: PrivateHosts) -> Self {
        Self {
            issuers: Exceptions {
                hosts: private.issuers,
                setting: "private_issuers",
                reader: CauseReader::Administrators,
            },
            webhooks: Exceptions {
                hosts: private.webhooks,
                setting: "private_webhooks",
                reader: CauseReader::Administrators,
            },
            clients: Exceptions { hosts: private.clients, setting: "private_clients", reader: CauseReader::Anybody },
            connector: Connector::default(),
        }
    }

    /// Asks for a document with GET. A redirect is not followed, because its target was not checked.
    async fn document_at(&self, permission: EgressPermission<'_>, url: &Url) -> Result<Answer, String> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, JSON)]);
        let answer = self.connector.ask(permission, url, Method::GET, headers, Bytes::new()).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(format!("answered {}", answer.status)) }
    }

    /// A document of an issuer.
    async fn issuer_document(&self, issuer: &str, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        read_body(self.document_at(self.permission_for(issuer, &url), &url).await?, LONGEST_DOCUMENT).await
    }

    /// The permission for a request to an address in an issuer's document. The document of a public issuer must not
    /// send us to a private host, even if that host is in the list.
    fn permission_for(&self, issuer: &str, url: &Url) -> EgressPermission<'_> {
        let is_private = self.issuers.cover(url) && Url::parse(issuer).is_ok_and(|issuer| self.issuers.cover(&issuer));
        EgressPermission { is_private, exceptions: &self.issuers }
    }

    async fn send_token_request(&self, request: &TokenRequest) -> Result<TokenAnswer, String> {
        let url = Url::parse(&request.url).map_err(|_| "not a URL")?;
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, JSON),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ]);
        if let Some(authorization) = &request.authorization {
            let mut value = HeaderValue::from_str(authorization).map_err(|_| "not a header")?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let body = Bytes::copy_from_slice(request.body.as_bytes());
        let answer =
            self.connector.ask(self.permission_for(&request.issuer, &url), &url, Method::POST, headers, body).await?;
        let status = answer.status.as_u16();
        Ok(TokenAnswer { status, body: Zeroizing::new(read_body(answer, LONGEST_DOCUMENT).await?) })
    }

    /// A file of a client. Its address must begin with https; no exception changes that.
    async fn client_file(&self, what: ClientFile<'_>, url: &str) -> Result<ClientAnswer, String> {
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        let headers = HeaderMap::from_iter([(header::ACCEPT, JSON)]);
        let mut permission = self.clients.permission(&url);
        if let ClientFile::Keys { document: Some(document) } = what {
            permission.is_private &= Url::parse(document).is_ok_and(|document| self.clients.cover(&document));
        }
        let answer = self.connector.ask(permission, &url, Method::GET, headers, Bytes::new()).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(ClientAnswer { body: None, max_age: None });
        }
        if answer.status != StatusCode::OK {
            return Err(format!("answered {}", answer.status));
        }
        if !answer.is_json {
            return Err("the answer is not application/json".to_owned());
        }
        let longest = match what {
            ClientFile::Document => LONGEST_CLIENT_DOCUMENT,
            ClientFile::Keys { .. } => LONGEST_DOCUMENT,
        };
        let max_age = max_age(&answer.headers);
        Ok(ClientAnswer { body: Some(read_body(answer, longest).await?), max_age })
    }

    /// Sends a message to a webhook, and returns the status of its answer.
    async fn send(&self, message: &WebhookMessage) -> Result<u16, String> {
        let url = Url::parse(&message.url).map_err(|_| "not a URL")?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "not a header".to_owned());
        let mut headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, JSON),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ]);
        headers.insert("webhook-id", value(&message.id)?);
        headers.insert("webhook-timestamp", value(&message.timestamp.to_string())?);
        headers.insert("webhook-signature", value(&message.signature)?);
        let body = Bytes::from(message.body.clone());
        let mut answer = self.connector.ask(self.webhooks.permission(&url), &url, Method::POST, headers, body).await?;
        let receipt = Limited::new(&mut answer.body, LONGEST_RECEIPT).collect();
        // The content of the answer, and whether it ends, does not matter.
        let _ = tokio::time::timeout(RECEIPT_DEADLINE, receipt).await;
        Ok(answer.status.as_u16())
    }
}

/// Runs a request within its deadline. `late` is the problem when it takes longer.
fn within<'call, T: 'call>(
    deadline: Duration,
    late: &'static str,
    request: impl Future<Output = Result<T, String>> + Send + 'call,
) -> BoxFuture<'call, Result<T, String>> {
    Box::pin(async move { tokio::time::timeout(deadline, request).await.unwrap_or_else(|_| Err(late.to_owned())) })
}

impl Fetch for Outbound {
    fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        match Url::parse(issuer) {
            Ok(url) if url.scheme() == "https" || self.issuers.cover(&url) => Ok(()),
            _ => Err(format!(
                "Use https. Plain http is for hosts that the setting {} lists, or with a pasted JWKS.",
                self.issuers.setting
            )),
        }
    }

    fn get<'call>(&'call self, issuer: &'call str, url: &'call str) -> BoxFuture<'call, Result<Vec<u8>, String>> {
        within(FETCH_DEADLINE, LATE, self.issuer_document(issuer, url))
    }

    fn of_client<'call>(
        &'call self,
        what: ClientFile<'call>,
        url: &'call str,
    ) -> BoxFuture<'call, Result<ClientAnswer, String>> {
        // A look-up or a connection that takes too long is told apart from others by its time alone.
        within(CLIENT_DEADLINE, UNREACHABLE, self.client_file(what, url))
    }
}

impl ProviderConnection for Outbound {
    fn redeem<'call>(&'call self, request: &'call TokenRequest) -> BoxFuture<'call, Result<TokenAnswer, String>> {
        within(FETCH_DEADLINE, LATE, self.send_token_request(request))
    }
}

impl Post for Outbound {
    fn check(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|_| "Enter an address such as https://alerts.example.com/hook.")?;
        if self.webhooks.cover(&url) {
            let is_http = matches!(url.scheme(), "http" | "https");
            return if is_http { Ok(()) } else { Err("Use https.".to_owned()) };
        }
        let setting = self.webhooks.setting;
        if url.scheme() != "https" {
            return Err(format!("Use https. Plain http is for hosts that the setting {setting} lists."));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            _ => None,
        };
        if address.is_some_and(|address| !is_public(address)) {
            return Err(format!("This address is not public. List it in the setting {setting} to allow it."));
        }
        Ok(())
    }

    fn post<'call>(&'call self, message: &'call WebhookMessage) -> BoxFuture<'call, Result<u16, String>> {
        within(POST_DEADLINE, LATE, self.send(message))
    }
}

/// How long an answer may be kept (RFC 9111 §5.2.2): zero when it must not be kept, nothing when the answer does not
/// say.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives: Vec<String> =
        lines.flat_map(|line| line.split(',')).map(|directive| directive.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}

/// Reads the body of an answer, of at most `most` bytes.
async fn read_body(mut answer: Answer, most: usize) -> Result<Vec<u8>, String> {
    let body = Limited::new(&mut answer.body, most).collect().await;
    let problem = |_| format!("the answer is longer than {} KiB or broken", most / 1024);
    body.map(|body| body.to_bytes().to_vec()).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_allowed_is_not_asked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let strict = Outbound::new(PrivateHosts::default());
        for url in [
            format!("http://127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://2130706433:{port}/"),
            "file:///etc/passwd".to_owned(),
            "https://".to_owned(),
        ] {
            assert!(strict.get(&url, &url).await.is_err(), "{url}");
            for what in [ClientFile::Document, ClientFile::Keys { document: None }] {
                assert!(strict.of_client(what, &url).await.is_err(), "{url}");
            }
            assert!(strict.post(&message(&url)).await.is_err(), "{url}");
            assert!(url.contains("//localhost") || strict.check(&url).is_err(), "{url}");
        }
        let asked = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(asked.is_err(), "no connection was made");
    }

    #[tokio::test]
    async fn who_names_a_client_does_not_learn_why_its_server_is_not_reached() {
        // This port is closed by now.
        let closed =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.and_then(|one| one.local_addr()).expect("a port");
        let private = PrivateHosts { clients: vec![closed.to_string()], ..PrivateHosts::default() };
        let outbound = Outbound::new(private);
        let documents = [
            "https://name-that-is-nowhere.invalid/x".to_owned(),
            "https://localhost/x".to_owned(),
            "https://10.0.0.1/x".to_owned(),
            "https://[::1]/x".to_owned(),
            format!("https://{closed}/x"),
        ];
        for url in documents {
            for what in [ClientFile::Document, ClientFile::Keys { document: None }] {
                assert_eq!(outbound.of_client(what, &url).await, Err(UNREACHABLE.to_owned()), "{url}");
            }
        }
        // An administrator learns what to do about it.
        let problem = outbound.post(&message("https://localhost/x")).await.expect_err("refused");
        assert_eq!(problem, "its address is not public; list the host in private_webhooks to allow it");
    }

    #[test]
    fn an_answer_says_how_long_it_may_be_kept() {
        for (line, expected) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=\"60\"", Some(60)),
            ("no-store", Some(0)),
            ("max-age=600, no-cache", Some(0)),
            ("public", None),
            ("max-age=soon", None),
        ] {
            let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(line))]);
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{line}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn an_allowed_host_is_asked_once_and_followed_nowhere() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n{}", "x".repeat(70_000));
        let answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/elsewhere\r\ncontent-length: 0\r\n\r\n"),
            long,
        ];
        let server = tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await.expect("a request");
                // The client hangs up on an answer that is too long.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let outbound =
            Outbound::new(PrivateHosts { issuers: vec![format!("127.0.0.1:{port}")], ..PrivateHosts::default() });
        let url = format!("http://127.0.0.1:{port}/keys");
        // The issuer is not in the list, so its document must not lead to a host in the list.
        assert!(outbound.get("https://issuer.example", &url).await.expect_err("refused").contains("only https"));
        assert_eq!(outbound.get(&url, &url).await.expect("an answer"), b"{}");
        assert!(outbound.get(&url, &url).await.expect_err("a redirect").contains("302"));
        assert!(outbound.get(&url, &url).await.expect_err("too long").contains("64 KiB"));
        server.await.expect("three requests, no more");
    }

    fn message(url: &str) -> WebhookMessage {
        WebhookMessage {
            url: url.to_owned().into(),
            id: "msg_x".to_owned(),
            timestamp: 1,
            signature: "v1,x".to_owned(),
            body: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_message_is_posted_once_and_only_the_status_of_the_answer_counts() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answers = [
            format!("HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n{}", "x".repeat(900_000)),
            // This body never ends.
            "HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\nx".to_owned(),
            format!("HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n"),
            "nonsense\r\n\r\n".to_owned(),
        ];
        let server = tokio::spawn(async move {
            let (mut requests, mut open) = (Vec::new(), Vec::new());
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = vec![0; 2048];
                let length = stream.read(&mut request).await.expect("a request");
                requests.push(String::from_utf8_lossy(&request[..length]).into_owned());
                let _ = tokio::time::timeout(Duration::from_secs(2), stream.write_all(answer.as_bytes())).await;
                open.push(stream);
            }
            requests
        });
        let host = format!("127.0.0.1:{port}");
        let url = format!("http://{host}/hook?a=b");
        let outbound = Outbound::new(PrivateHosts { webhooks: vec![host.clone()], ..PrivateHosts::default() });
        let not_listed = Outbound::new(PrivateHosts {
            issuers: vec![host.clone()],
            clients: vec![host.clone()],
            ..PrivateHosts::default()
        });
        assert!(not_listed.post(&message(&url)).await.is_err(), "an issuer is no webhook");
        assert_eq!((outbound.check(&url), not_listed.check(&url).is_err()), (Ok(()), true));
        for status in [200, 202, 307] {
            assert_eq!(outbound.post(&message(&url)).await, Ok(status));
        }
        assert!(outbound.post(&message(&url)).await.expect_err("nonsense").starts_with("no answer"));
        let requests = server.await.expect("four requests, no more");
        for line in [
            "POST /hook?a=b HTTP/1.1",
            &format!("host: {host}"),
            "content-type: application/json",
            "content-length: 2",
            "webhook-id: msg_x",
            "webhook-timestamp: 1",
            "webhook-signature: v1,x",
            concat!("user-agent: Countersign/", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(requests[0].contains(line), "{line}: {}", requests[0]);
        }
    }
}
