//! The bridge from an address of this machine, for clients that know only a URL. Each request goes on to the MCP server
//! with a token.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http_body_util::{BodyExt, Limited};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use crate::connect::client::Client;
use crate::connect::discovery::{challenge_of, parameter};
use crate::connect::problem::ConnectError;
use crate::connect::tokens::Tokens;

/// Maximum size of a message, in bytes.
const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;
/// Headers that are not passed on: they belong to one connection (RFC 9110 §7.6.1), or prove somebody else.
const KEPT_BACK: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

struct Bridge {
    client: Client,
    tokens: Arc<Tokens>,
    resource: Url,
}

/// Offers the MCP server at `address` until the command is interrupted.
pub(super) async fn run(
    client: Client,
    tokens: Arc<Tokens>,
    resource: Url,
    address: SocketAddr,
) -> Result<(), ConnectError> {
    tokens.get(None).await.map_err(ConnectError::Failed)?;
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| ConnectError::Failed(format!("--listen {address}: {error}")))?;
    let address = listener.local_addr().map_err(|error| ConnectError::Failed(error.to_string()))?;
    let bridge = Arc::new(Bridge { client, tokens, resource });
    let router = Router::new().fallback(move |request: Request| {
        let bridge = Arc::clone(&bridge);
        async move { bridge.answer(request).await.unwrap_or_else(|refusal| refusal) }
    });
    // The reader may be gone already.
    let _ = writeln!(std::io::stdout(), "Connected: http://{address}/mcp");
    let served = axum::serve(listener, router).with_graceful_shutdown(async {
        // Without the signal the command simply runs on.
        let _ = tokio::signal::ctrl_c().await;
    });
    served.await.map_err(|error| ConnectError::Failed(error.to_string()))
}

impl Bridge {
    async fn answer(&self, request: Request) -> Result<Response, Response> {
        if is_of_a_page(request.headers()) {
            return Err(problem(StatusCode::FORBIDDEN, "Web pages may not call this address."));
        }
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LONGEST_MESSAGE).collect().await;
        let body = body.map_err(|_| problem(StatusCode::PAYLOAD_TOO_LARGE, "The message is too long."))?.to_bytes();
        let failed = |words: String| problem(StatusCode::BAD_GATEWAY, &words);
        let mut token = self.tokens.get(None).await.map_err(failed)?;
        let (mut is_renewed, mut is_stepped_up) = (false, false);
        loop {
            let mut headers: HeaderMap =
                head.headers.iter().filter(|(name, _)| !KEPT_BACK.contains(name)).map(cloned).collect();
            headers.insert(header::AUTHORIZATION, token.clone());
            let answer = self.client.send(head.method.clone(), &self.resource, headers, body.clone(), None).await;
            let answer = answer.map_err(failed)?;
            let challenge = challenge_of(answer.headers()).unwrap_or_default();
            match (answer.status(), parameter(&challenge, "scope")) {
                (StatusCode::UNAUTHORIZED, _) if !is_renewed => {
                    is_renewed = true;
                    token = self.tokens.get(Some(&token)).await.map_err(failed)?;
                    continue;
                }
                (StatusCode::FORBIDDEN, Some(scope)) if !is_stepped_up => {
                    is_stepped_up = true;
                    if let Ok(wider) = self.tokens.step_up(&scope, &token).await {
                        token = wider;
                        continue;
                    }
                }
                _ => {}
            }
            let (head, body) = answer.into_parts();
            let mut response = Response::new(Body::new(body));
            *response.status_mut() = head.status;
            // The client of this bridge cannot answer a challenge.
            let is_passed = |name: &HeaderName| {
                !KEPT_BACK.contains(name)
                    && ![header::WWW_AUTHENTICATE, header::SET_COOKIE].contains(name)
                    && !name.as_str().starts_with("access-control-")
            };
            *response.headers_mut() = head.headers.iter().filter(|(name, _)| is_passed(name)).map(cloned).collect();
            return Ok(response);
        }
    }
}

fn cloned((name, value): (&HeaderName, &HeaderValue)) -> (HeaderName, HeaderValue) {
    (name.clone(), value.clone())
}

/// Whether a web page may have sent these headers: a page of any website could otherwise call the server with the
/// rights of this client. A page sends its origin, and by DNS rebinding its own name as `Host`.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).and_then(|host| host.parse::<Authority>().ok());
    let is_this_machine = |host: &str| {
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let is_here = host.as_ref().is_some_and(|host| is_this_machine(&host.host().to_ascii_lowercase()));
    // Pages of other servers of this machine are pages, too.
    let is_own = text(header::ORIGIN).is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|origin| host.as_ref().is_some_and(|host| host == origin))
    });
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let is_no_page = site.is_none_or(|site| ["none", "same-origin"].contains(&site));
    !(is_here && is_own && is_no_page)
}

fn problem(status: StatusCode, words: &str) -> Response {
    eprintln!("countersign: {words}");
    let body = json!({ "error": status.canonical_reason().unwrap_or("Error"), "error_description": words });
    (status, Json(body)).into_response()
}
