//! Servers that fail, and clients that hang up.

use std::sync::Arc;
use std::time::Duration;

use ::server::state::AppState;
use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::server::gateway;
use domain::server::gateway::{GatewayEdit, HeaderEdit};
use domain::testing::Instance;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::gateway::{Received, Stage, call, message, request, serving, usual_tools, with_peer};
use crate::support;
use crate::support::{Answer, App};

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_request_to_the_server() {
    let stage = Stage::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let app = App {
        router: support::router(AppState::new(stage.context().clone(), vec![], vec![]).with_gateway(
            vec![host.clone()],
            64 * 1024,
            Duration::from_secs(10),
        )),
        instance: Instance::new().await,
    };
    let header = HeaderEdit::Remove;
    stage.edit(GatewayEdit { upstream: Some(format!("http://{host}/mcp")), header, ..GatewayEdit::default() }).await;
    let token = stage.token(&["docs:read"]).await;
    let waiting =
        app.router.clone().oneshot(with_peer(request(Method::POST, &token, call(1, "search").to_string(), &[])));
    let waiting = tokio::spawn(waiting);
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).await.expect("a request") > 0);
    waiting.abort();
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "the connection ends with the request");
    assert_eq!(stage.recorded().await, [("tool search cancelled".to_owned(), 1)]);
}

#[tokio::test]
async fn faults_of_the_server_have_answers_that_tell_nothing_of_it() {
    let stage = Stage::with(16 * 1024, Duration::from_millis(300)).await;
    let token = stage.token(&["docs:read"]).await;
    let listing = || message(1, "tools/list", json!({})).to_string();
    let json_of =
        |status: StatusCode, body: Body| (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    let endless = || {
        let piece = Bytes::from(vec![b' '; 4096]);
        Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone())))
    };
    type Case = (&'static str, Arc<dyn Fn(&Received) -> Response + Send + Sync>, u16);
    let cases: Vec<Case> = vec![
        ("another type", Arc::new(|_| (StatusCode::OK, "hello").into_response()), 502),
        ("HTML", Arc::new(|_| axum::response::Html("<p>").into_response()), 502),
        ("a redirect", Arc::new(|_| (StatusCode::FOUND, [("location", "http://127.0.0.1/")]).into_response()), 502),
        ("our header is refused", Arc::new(|_| StatusCode::UNAUTHORIZED.into_response()), 502),
        ("our header is too weak", Arc::new(|_| StatusCode::FORBIDDEN.into_response()), 502),
        (
            "compressed",
            Arc::new(|_| ([("content-encoding", "gzip"), ("content-type", "application/json")], "x").into_response()),
            502,
        ),
        ("a list that is not JSON", Arc::new(move |_| json_of(StatusCode::OK, Body::from("{"))), 502),
        ("a list without an end", Arc::new(move |_| json_of(StatusCode::OK, endless())), 502),
        (
            "a huge header",
            Arc::new(|_| {
                ([("x-long", "x".repeat(200_000)), ("content-type", "application/json".to_owned())], "{}")
                    .into_response()
            }),
            502,
        ),
        (
            "an error with a page",
            Arc::new(|_| (StatusCode::INTERNAL_SERVER_ERROR, "Traceback: secret").into_response()),
            500,
        ),
        (
            "an error in JSON",
            Arc::new(move |_| json_of(StatusCode::NOT_FOUND, Body::from(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#))),
            404,
        ),
        (
            "a session that is none",
            Arc::new(|_| ([("mcp-session-id", "a b"), ("content-type", "application/json")], "{}").into_response()),
            502,
        ),
    ];
    for (name, answering, status) in cases {
        *stage.upstream.answering.lock().expect("a lock") = answering;
        let answer = stage.send(&token, listing(), &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json", "{name}");
        assert!(answer.header("www-authenticate").is_empty(), "{name}: no challenge to the client");
        assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains("secret"), "{name}: {}", answer.body);
    }
    // The page of the server says that it refuses our header.
    stage.app.instance.clock.advance(Duration::from_secs(61));
    stage.upstream.answers(|_| StatusCode::FORBIDDEN.into_response());
    stage.send(&token, listing(), &[]).await;
    support::until(async || {
        let gateway = gateway::find(stage.context(), stage.id()).await.expect("reads").expect("a gateway");
        gateway.refusal.map(|refusal| assert_eq!(refusal.status, 403))
    })
    .await;
    stage.look_again().await;
    let gateway = gateway::find(stage.context(), stage.id()).await.expect("reads").expect("a gateway");
    assert_eq!(gateway.refusal, None, "it takes the header again");

    // Raw bytes instead of an answer, no answer at all, and nobody there.
    for (name, bytes, status) in [
        ("no HTTP", &b"hello\r\n\r\n"[..], 502),
        ("an early end", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", 502),
        ("silence", b"", 504),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let answer = stage.through(&listener, &token, async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.read(&mut [0; 4096]).await.expect("a request");
            stream.write_all(bytes).await.expect("sent");
            if !bytes.is_empty() {
                return;
            }
            // Until the gateway hangs up.
            let _ = stream.read(&mut [0; 1]).await;
        });
        assert_eq!(answer.await.status.as_u16(), status, "{name}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    drop(listener);
    assert_eq!(stage.at(&host, &token).await.status, StatusCode::BAD_GATEWAY);
}

impl Stage {
    async fn look_again(&self) {
        self.upstream.answers(serving(usual_tools()));
        self.look().await;
    }

    /// Lists the tools through a gateway whose server is at this host.
    async fn at(&self, host: &str, token: &str) -> Answer {
        let edit = GatewayEdit {
            upstream: Some(format!("http://{host}/mcp")),
            header: HeaderEdit::Remove,
            ..GatewayEdit::default()
        };
        self.edit(edit).await;
        let state = AppState::new(self.context().clone(), vec![], vec![]);
        let state = state.with_gateway(vec![host.to_owned()], 16 * 1024, Duration::from_millis(300));
        let request = with_peer(request(Method::POST, token, message(1, "tools/list", json!({})).to_string(), &[]));
        let response = support::router(state).oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn through(&self, listener: &TcpListener, token: &str, serve: impl Future<Output = ()>) -> Answer {
        let host = listener.local_addr().expect("an address").to_string();
        tokio::select! {
            answer = self.at(&host, token) => answer,
            answer = async { serve.await; std::future::pending().await } => answer,
        }
    }
}
