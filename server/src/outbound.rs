//! Requests to other servers: the discovery documents and keys of issuers whose tokens are accepted. The address comes from
//! an administrator, what it leads to does not, so every request is held to https, to public addresses, to what was
//! resolved once, to one answer without redirects, to a size and a time. A ready-made client would do more than that.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use domain::issuer_keys::Fetch;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// Time for everything: looking up, connecting, answering.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest answer, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Fetches documents of issuers.
pub struct Outbound {
    /// Hosts (`host` or `host:port`) that may be asked over plain http and at private addresses.
    private_hosts: Vec<String>,
    tls: OnceLock<Result<TlsConnector, String>>,
}

impl Outbound {
    /// A fetcher that makes exceptions for these hosts alone.
    pub fn new(private_hosts: Vec<String>) -> Self {
        Self { private_hosts, tls: OnceLock::new() }
    }

    /// Whether the exception was made for the host of this address.
    fn is_private(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
        let named = [host.to_string(), format!("{host}:{port}")];
        self.private_hosts.iter().any(|allowed| named.contains(allowed))
    }

    async fn fetch(&self, issuer: &str, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|_| "not a URL")?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err("no host".to_owned());
        };
        // A public issuer's document must not send us to a private host, listed or not.
        let is_private_host = self.is_private(&url) && Url::parse(issuer).is_ok_and(|issuer| self.is_private(&issuer));
        let https = match url.scheme() {
            "https" => true,
            "http" if is_private_host => false,
            _ => return Err("only https is fetched".to_owned()),
        };
        let stream = connect(&host, port, is_private_host).await?;
        if !https {
            return ask(stream, &url).await;
        }
        let tls = self.tls.get_or_init(connector).as_ref().map_err(Clone::clone)?;
        let name = ServerName::try_from(host.to_string()).map_err(|_| "not a host name")?;
        let stream = tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        ask(stream, &url).await
    }
}

impl Fetch for Outbound {
    fn get<'call>(
        &'call self,
        issuer: &'call str,
        url: &'call str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'call>> {
        Box::pin(async move {
            tokio::time::timeout(DEADLINE, self.fetch(issuer, url))
                .await
                .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        })
    }
}

/// Connects to one of the addresses that the host has now: nothing is looked up again afterwards.
async fn connect(host: &Host<&str>, port: u16, is_private_host: bool) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = match host {
        Host::Domain(name) => {
            lookup_host((*name, port)).await.map_err(|error| format!("cannot be found: {error}"))?.collect()
        }
        Host::Ipv4(address) => vec![(*address, port).into()],
        Host::Ipv6(address) => vec![(*address, port).into()],
    };
    let mut problem = "its address is not public; list the host in private_issuers to allow it".to_owned();
    for address in addresses.into_iter().filter(|address| is_private_host || is_public(address.ip())) {
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

async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, url: &Url) -> Result<Vec<u8>, String> {
    let failed = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the answer; an error shows in the answer too.
    let connection = tokio::spawn(connection);
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| "not a URL")?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
    connection.abort();
    // A redirect leads to where nobody looked whether it may be asked.
    if status != StatusCode::OK {
        return Err(format!("answered {status}"));
    }
    body.map(|body| body.to_bytes().to_vec()).map_err(|_| "the answer is longer than 64 KiB or broken".to_owned())
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
        let strict = Outbound::new(vec![]);
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
        let outbound = Outbound::new(vec![format!("127.0.0.1:{port}")]);
        let url = format!("http://127.0.0.1:{port}/keys");
        // Not on behalf of an issuer that is not listed itself.
        assert!(outbound.get("https://issuer.example", &url).await.expect_err("refused").contains("only https"));
        assert_eq!(outbound.get(&url, &url).await.expect("an answer"), b"{}");
        assert!(outbound.get(&url, &url).await.expect_err("a redirect").contains("302"));
        assert!(outbound.get(&url, &url).await.expect_err("too long").contains("64 KiB"));
        server.await.expect("three requests, no more");
    }
}
