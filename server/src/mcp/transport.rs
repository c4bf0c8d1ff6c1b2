//! What stands between HTTP and the library of the protocol: which Host may call, which answers the client accepts, and
//! refusals in JSON.

use std::net::IpAddr;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url::Url;

use crate::http::accept::Peer;
use crate::http::media_type::{self, JSON};
use crate::state::AppState;

/// The library demands both types, although it answers every request in JSON.
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// The longest text of a refusal by the library, in bytes.
const LONGEST_REFUSAL: usize = 4096;

/// Refuses a request that a web page may have sent by DNS rebinding: the page's own name then leads to this machine,
/// and stands in `Host`.
///
/// A name decides only where no certificate and no proxy stands between the page and us. With `public_url` on https a
/// browser never gets here by another name. Proxies often send the name of their upstream, so behind a trusted one
/// `Host` says nothing. Pages of other origins are refused by their `Origin` in each case.
pub(super) fn refuse_host(state: &AppState, request: &Request) -> Option<Response> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    if state.is_https() || peer.is_some_and(|peer| state.trusted_proxies.iter().any(|range| range.contains(&peer))) {
        return None;
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = host.as_ref().or(request.uri().authority()).map(|authority| authority.host().to_ascii_lowercase());
    let public = Url::parse(&state.context.settings.public_url).ok();
    let public = public.as_ref().and_then(Url::host_str);
    if host.is_some_and(|host| is_this_machine(&host) || Some(host.as_str()) == public) {
        return None;
    }
    let problem = format!(
        "The Host header must be that of {}. A proxy in front must pass it on, or be in trusted_proxies.",
        state.context.settings.public_url
    );
    Some(refuse(StatusCode::FORBIDDEN, &problem))
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Refuses a client that does not accept JSON. Otherwise makes the library answer it, also when it accepts `*/*` or
/// says nothing. The protocol obliges clients to accept an event stream too; a client that does not loses nothing here,
/// because there are none.
pub(super) fn refuse_accept(headers: &mut HeaderMap) -> Option<Response> {
    if !media_type::accepts(headers, JSON) {
        return Some(refuse(StatusCode::NOT_ACCEPTABLE, "Answers are application/json. Accept it."));
    }
    headers.insert(header::ACCEPT, BOTH);
    None
}

/// An answer of the library; its refusals, which are text, as JSON.
pub(super) async fn in_json(response: Response) -> Response {
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    if !is_refusal || media_type::of_body(response.headers()) == JSON {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let text = to_bytes(body, LONGEST_REFUSAL).await.unwrap_or_default();
    let refusal = refuse(head.status, &String::from_utf8_lossy(&text));
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let (made, body) = refusal.into_parts();
    head.headers.extend(made.headers);
    Response::from_parts(head, Body::new(body))
}

fn refuse(status: StatusCode, problem: &str) -> Response {
    let mut body = json!({ "error": status.canonical_reason().unwrap_or("Error") });
    if !problem.is_empty() {
        body["error_description"] = json!(problem);
    }
    (status, Json(body)).into_response()
}
