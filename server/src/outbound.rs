//! Requests to other servers: for the discovery documents and keys of issuers whose tokens are accepted, for the tokens of an OpenID
//! provider, for the documents of clients, and to webhooks.
//! The address comes from an administrator, that of a client's document from anybody who is signed in; what it leads to comes from
//! neither. So every request is held to https, to public addresses, to what was resolved once, to one answer without redirects, to a
//! size and a time. A ready-made client would do more than that.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use domain::issuer_keys::Fetch;
use domain::openid::{Connection as ProviderConnection, TokenAnswer, TokenRequest};
use domain::webhook::deliver::{Message, Post};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};
use zeroize::Zeroizing;

/// Time for everything of a document: looking up, connecting, answering.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);
/// Longest document, in bytes.
const LONGEST_DOCUMENT: usize = 64 * 1024;
/// The same for the document of a client, whose address anybody who is signed in may name.
const CLIENT_DEADLINE: Duration = Duration::from_secs(3);
/// Longest document of a client, in bytes (draft-ietf-oauth-client-id-metadata-document §6.6).
const LONGEST_CLIENT_DOCUMENT: usize = 5 * 1024;
/// The same time for a message to a webhook, whose receiver may work before it answers.
const POST_DEADLINE: Duration = Duration::from_secs(10);
/// How much is read of what a webhook answers: enough that the receiver sees its answer taken.
const LONGEST_RECEIPT: usize = 4 * 1024;
/// How long that may take once the status is known.
const RECEIPT_DEADLINE: Duration = Duration::from_millis(500);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LATE: &str = "no answer in time";
const USER_AGENT: &str = concat!("Countersign/", env!("CARGO_PKG_VERSION"));

/// Asks other servers.
pub struct Outbound {
    issuers: Exceptions,
    webhooks: Exceptions,
    clients: Exceptions,
    tls: OnceLock<Result<TlsConnector, String>>,
}

/// The hosts (`host` or `host:port`) for which exceptions are made, by what they are asked for.
#[derive(Debug, Clone, Default)]
pub struct PrivateHosts {
    /// Discovery documents and keys of issuers, over plain http too.
    pub issuers: Vec<String>,
    /// Webhooks, over plain http too.
    pub webhooks: Vec<String>,
    /// Documents of clients.
    pub clients: Vec<String>,
}

/// Hosts (`host` or `host:port`) that may be asked over plain http and at private addresses.
struct Exceptions {
    hosts: Vec<String>,
    setting: &'static str,
}

impl Exceptions {
    /// Whether an exception was made for the host of this address.
    fn cover(&self, url: &Url) -> bool {
        cover(&self.hosts, url)
    }

    fn not_public(&self) -> String {
        format!("its address is not public; list the host in {} to allow it", self.setting)
    }
}

/// Whether `hosts` (`host` or `host:port`) name the host of this address.
pub fn cover(hosts: &[String], url: &Url) -> bool {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
    let named = [host.to_string(), format!("{host}:{port}")];
    hosts.iter().any(|allowed| named.contains(allowed))
}

/// Whether an exception was made for one request, and what would make it.
struct Leave<'of> {
    is_private: bool,
    exceptions: &'of Exceptions,
}

impl Leave<'_> {
    /// Whether to use TLS.
    fn scheme(&self, url: &Url) -> Result<bool, String> {
        match url.scheme() {
            "https" => Ok(true),
            "http" if self.is_private => Ok(false),
            _ => Err("only https is asked".to_owned()),
        }
    }
}

/// An answer whose body is not read yet.
struct Answer {
    status: StatusCode,
    /// Whether it says that its body is JSON.
    is_json: bool,
    body: Incoming,
    _connection: Connection,
}

/// What moves the bytes of one request; it stops when nobody waits any more.
struct Connection(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Outbound {
    /// Makes exceptions for these hosts alone.
    pub fn new(private: PrivateHosts) -> Self {
        Self {
            issuers: Exceptions { hosts: private.issuers, setting: "private_issuers" },
            webhooks: Exceptions { hosts: private.webhooks, setting: "private_webhooks" },
            clients: Exceptions { hosts: private.clients, setting: "private_clients" },
            tls: OnceLock::new(),
        }
    }

    async fn fetch(&self, issuer: &str, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        let headers = HeaderMap::from_iter([(header::ACCEPT, JSON)]);
        let answer = self.ask(self.leave_of(issuer, &url), &url, Method::GET, headers, Bytes::new()).await?;
        // A redirect leads to where nobody looked whether it may be asked.
        if answer.status != StatusCode::OK {
            return Err(format!("answered {}", answer.status));
        }
        document(answer).await
    }

    /// What is allowed for a request to what an issuer's document names. A public issuer's document must not send us to a
    /// private host, listed or not.
    fn leave_of(&self, issuer: &str, url: &Url) -> Leave<'_> {
        let is_private = self.issuers.cover(url) && Url::parse(issuer).is_ok_and(|issuer| self.issuers.cover(&issuer));
        Leave { is_private, exceptions: &self.issuers }
    }

    /// Sends a token request to an OpenID provider.
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
        let answer = self.ask(self.leave_of(&request.issuer, &url), &url, Method::POST, headers, body).await?;
        let status = answer.status.as_u16();
        Ok(TokenAnswer { status, body: Zeroizing::new(document(answer).await?) })
    }

    /// The document of a client. Its address begins with https, whatever exceptions there are.
    async fn client_document(&self, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        let leave = Leave { is_private: self.clients.cover(&url), exceptions: &self.clients };
        let mut answer = self.ask(leave, &url, Method::GET, headers, Bytes::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(format!("answered {}", answer.status));
        }
        if !answer.is_json {
            return Err("the answer is not application/json".to_owned());
        }
        let body = Limited::new(&mut answer.body, LONGEST_CLIENT_DOCUMENT).collect().await;
        body.map(|body| body.to_bytes().to_vec()).map_err(|_| "the answer is longer than 5 KiB or broken".to_owned())
    }

    /// Sends a message to a webhook, and returns the status of its answer.
    async fn send(&self, message: &Message) -> Result<u16, String> {
        let url = Url::parse(&message.url).map_err(|_| "not a URL")?;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "not a header".to_owned());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert("webhook-id", value(&message.id)?);
        headers.insert("webhook-timestamp", value(&message.timestamp.to_string())?);
        headers.insert("webhook-signature", value(&message.signature)?);
        let leave = Leave { is_private: self.webhooks.cover(&url), exceptions: &self.webhooks };
        let body = Bytes::from(message.body.clone());
        let mut answer = self.ask(leave, &url, Method::POST, headers, body).await?;
        let receipt = Limited::new(&mut answer.body, LONGEST_RECEIPT).collect();
        // What it says, and whether it ever ends, changes nothing.
        let _ = tokio::time::timeout(RECEIPT_DEADLINE, receipt).await;
        Ok(answer.status.as_u16())
    }

    /// One request and its answer, whatever that is.
    async fn ask(
        &self,
        leave: Leave<'_>,
        url: &Url,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, String> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err("no host".to_owned());
        };
        let https = leave.scheme(url)?;
        let stream = connect(&host, port, &leave).await?;
        if !https {
            return ask(stream, url, method, headers, body).await;
        }
        let tls = self.tls.get_or_init(connector).as_ref().map_err(Clone::clone)?;
        // An IPv6 address stands between brackets in a URL, and without them in a certificate.
        let name = host.to_string();
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|_| "not a host name")?;
        let stream = tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        ask(stream, url, method, headers, body).await
    }
}

impl Fetch for Outbound {
    fn get<'call>(
        &'call self,
        issuer: &'call str,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>> {
        Box::pin(async move {
            tokio::time::timeout(FETCH_DEADLINE, self.fetch(issuer, url)).await.unwrap_or_else(|_| Err(LATE.to_owned()))
        })
    }

    fn document<'call>(
        &'call self,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>> {
        Box::pin(async move {
            let fetched = tokio::time::timeout(CLIENT_DEADLINE, self.client_document(url)).await;
            fetched.unwrap_or_else(|_| Err(LATE.to_owned()))
        })
    }
}

impl ProviderConnection for Outbound {
    fn redeem<'call>(
        &'call self,
        request: &'call TokenRequest,
    ) -> Pin<Box<dyn Future<Output = Result<TokenAnswer, String>> + Send + 'call>> {
        Box::pin(async move {
            tokio::time::timeout(FETCH_DEADLINE, self.send_token_request(request))
                .await
                .unwrap_or_else(|_| Err(LATE.to_owned()))
        })
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

    fn post<'call>(
        &'call self,
        message: &'call Message,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'call>> {
        Box::pin(async move {
            tokio::time::timeout(POST_DEADLINE, self.send(message)).await.unwrap_or_else(|_| Err(LATE.to_owned()))
        })
    }
}

/// The body of an answer.
async fn document(mut answer: Answer) -> Result<Vec<u8>, String> {
    let body = Limited::new(&mut answer.body, LONGEST_DOCUMENT).collect().await;
    body.map(|body| body.to_bytes().to_vec()).map_err(|_| "the answer is longer than 64 KiB or broken".to_owned())
}

/// Connects to one of the addresses that the host has now: nothing is looked up again afterwards.
async fn connect(host: &Host<&str>, port: u16, leave: &Leave<'_>) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = match host {
        Host::Domain(name) => {
            lookup_host((*name, port)).await.map_err(|error| format!("cannot be found: {error}"))?.collect()
        }
        Host::Ipv4(address) => vec![(*address, port).into()],
        Host::Ipv6(address) => vec![(*address, port).into()],
    };
    let mut problem = leave.exceptions.not_public();
    for address in addresses.into_iter().filter(|address| leave.is_private || is_public(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => problem = format!("cannot be reached: {error}"),
        }
    }
    Err(problem)
}

fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine has no root certificates; install ca-certificates".to_owned());
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let failed = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() =
        url[url::Position::BeforePath..url::Position::AfterQuery].parse().map_err(|_| "not a URL".to_owned())?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| "not a URL")?);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    // It ends with the answer, or with whoever waits for it; an error shows in the answer too.
    let connection = Connection(tokio::spawn(connection));
    let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
    Ok(Answer { status: head.status, is_json: is_json(&head.headers), body, _connection: connection })
}

/// `application/json`, or one that is built on it (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Whether an address belongs to the public internet (IANA special-purpose registries). IPv4 inside IPv6 counts as what it
/// leads to.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a, b & 0xC0) == (100, 64)
                || (a, b & 0xFE) == (198, 18)
                || matches!((a, b, c), (192, 0, 0) | (192, 88, 99)))
        }
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3; inside it are Teredo, ORCHID, documentation and 6to4, which wrap IPv4.
    (a & 0xE000) == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0DB8)
        && a != 0x2002
        && (a & 0xFFF0) != 0x3FF0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["140.82.112.3", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::200e"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for special in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "::ffff:7f00:1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
    }

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
            assert!(strict.document(&url).await.is_err(), "{url}");
            assert!(strict.post(&message(&url)).await.is_err(), "{url}");
            assert!(url.contains("//localhost") || strict.check(&url).is_err(), "{url}");
        }
        let asked = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(asked.is_err(), "no connection was made");
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
        // Not on behalf of an issuer that is not listed itself.
        assert!(outbound.get("https://issuer.example", &url).await.expect_err("refused").contains("only https"));
        assert_eq!(outbound.get(&url, &url).await.expect("an answer"), b"{}");
        assert!(outbound.get(&url, &url).await.expect_err("a redirect").contains("302"));
        assert!(outbound.get(&url, &url).await.expect_err("too long").contains("64 KiB"));
        server.await.expect("three requests, no more");
    }

    fn message(url: &str) -> Message {
        Message {
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
            // It never ends.
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
