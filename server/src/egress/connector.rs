//! One request to another server, and its answer.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::egress::cause;
use crate::egress::policy::{EgressPermission, is_public};
use crate::http::media_type;

/// Sends requests to other servers. Each connection carries one request.
#[derive(Default)]
pub(super) struct Connector {
    tls: OnceLock<Result<TlsConnector, String>>,
}

impl Connector {
    /// Sends one request and returns its answer, with any status.
    pub(super) async fn ask(
        &self,
        permission: EgressPermission<'_>,
        url: &Url,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, String> {
        let stream = self.connect(&permission, url).await?;
        ask(stream, url, method, headers, body).await
    }

    /// Connects to the host of this address, with TLS if its scheme is https.
    pub(super) async fn connect(
        &self,
        permission: &EgressPermission<'_>,
        url: &Url,
    ) -> Result<Pin<Box<dyn Stream>>, String> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err("no host".to_owned());
        };
        let https = permission.scheme(url)?;
        let connected = connect(&host, port, permission).await;
        let stream = connected.map_err(|cause| permission.no_connection(&host.to_string(), cause))?;
        // Messages are small and written at once. To wait until a packet is full would only add delay.
        let _ = stream.set_nodelay(true);
        if !https {
            return Ok(Box::pin(stream));
        }
        let tls = self.tls.get_or_init(tls_connector).as_ref().map_err(Clone::clone)?;
        // A URL writes an IPv6 address in brackets. A certificate has it without brackets.
        let name = host.to_string();
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|_| "not a host name")?;
        Ok(Box::pin(tls.connect(name, stream).await.map_err(|error| cause::of_tls(&error))?))
    }
}

/// A connection, plain or with TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// An answer whose body was not read yet.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Whether the content type is JSON.
    pub(super) is_json: bool,

    pub(super) body: Incoming,
    /// The task that transfers the bytes. It stops when the answer is dropped.
    _connection: JoinSet<Result<(), hyper::Error>>,
}

/// Connects to one of the addresses that the host has now. No second lookup follows.
async fn connect(host: &Host<&str>, port: u16, permission: &EgressPermission<'_>) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = match host {
        Host::Domain(name) => lookup_host((*name, port)).await.map_err(|error| cause::of_lookup(&error))?.collect(),
        Host::Ipv4(address) => vec![(*address, port).into()],
        Host::Ipv6(address) => vec![(*address, port).into()],
    };
    let mut problem = permission.exceptions.not_public();
    for address in addresses.into_iter().filter(|address| permission.is_private || is_public(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => problem = cause::of_connection(&error),
        }
    }
    Err(problem)
}

fn tls_connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine has no root certificates; install ca-certificates".to_owned());
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn ask(
    stream: Pin<Box<dyn Stream>>,
    url: &Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let failed = |error: hyper::Error| cause::of_exchange(&error);
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
    // The task ends with the answer or when the caller stops waiting. An error appears in the answer too.
    let mut task = JoinSet::new();
    task.spawn(connection);
    let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
    let is_json = is_json(&head.headers);
    Ok(Answer { status: head.status, headers: head.headers, is_json, body, _connection: task })
}

/// `application/json`, or a type with the suffix `+json` (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = media_type::of_body(headers);
    media_type == media_type::JSON || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}
