//! The end of a token, while an answer is under way too.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use domain::credential::revoke;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::gateway::{Stage, call, message, request, with_peer};
use crate::roles::operator;
use crate::support;

#[tokio::test]
async fn a_revoked_credential_is_refused_at_once_and_its_stream_is_cut() {
    let stage = Stage::new().await;
    stage.upstream.answers(|_| {
        let first = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"data: {}\n\n")) });
        let body = Body::from_stream(first.chain(futures::stream::pending()));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    });
    let credential = stage.credential(&["docs:read"]).await;
    let token = stage.exchange(&credential).await;
    let open =
        stage.app.router.clone().oneshot(with_peer(request(Method::GET, &token, "", &[]))).await.expect("an answer");
    let mut body = open.into_body();
    let first = body.frame().await.expect("a frame").expect("data");
    assert_eq!(first.into_data().expect("data"), "data: {}\n\n");
    let long = with_peer(request(Method::POST, &token, call(1, "search").to_string(), &[]));
    let mut called = stage.app.router.clone().oneshot(long).await.expect("an answer").into_body();
    called.frame().await.expect("a frame").expect("data");

    let id = &credential.credential.client_id;
    revoke::revoke(stage.context(), &operator(), id, "").await.expect("revoked");
    assert_eq!(stage.call(&token, "search").await.status, StatusCode::UNAUTHORIZED);
    for stream in [&mut body, &mut called] {
        let end = tokio::time::timeout(Duration::from_secs(5), stream.frame()).await.expect("cut within five seconds");
        assert!(end.is_none(), "a stream ends as streams end");
    }
    drop((body, called));
    assert_eq!(stage.recorded().await, [("tool search cut".to_owned(), 1)]);
}

#[tokio::test]
async fn an_answer_that_is_collected_ends_with_its_token() {
    let stage = Stage::new().await;
    let (began, mut begins) = tokio::sync::mpsc::channel(1);
    stage.upstream.answers(move |_| {
        // The head and a first part arrive, and then nothing.
        let first = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"{\"jsonrpc\"")) });
        let _ = began.try_send(());
        let body = Body::from_stream(first.chain(futures::stream::pending()));
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    });
    let credential = stage.credential(&["docs:read"]).await;
    let token = stage.exchange(&credential).await;
    let listing = message(1, "tools/list", json!({})).to_string();
    let asked = stage.app.router.clone().oneshot(with_peer(request(Method::POST, &token, listing, &[])));
    let asked = tokio::spawn(asked);
    begins.recv().await.expect("the server was asked");
    revoke::revoke(stage.context(), &operator(), &credential.credential.client_id, "").await.expect("revoked");
    let ended = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("cut within five seconds");
    let answer = ended.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers()["www-authenticate"].to_str().expect("text").contains("invalid_token"));
}

/// A request whose body begins, and ends only after `change`.
async fn slow(stage: &Stage, token: &str, change: impl Future<Output = ()>) -> StatusCode {
    let whole = call(1, "search").to_string();
    let (first, rest) = whole.split_at(10);
    let (first, rest) = (first.to_owned(), rest.to_owned());
    let (send, mut pieces) = tokio::sync::mpsc::channel::<String>(1);
    let body = Body::from_stream(futures::stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|piece| piece.map(Ok::<_, std::io::Error>))
    }));
    let sent = tokio::spawn(stage.app.router.clone().oneshot(with_peer(request(Method::POST, token, body, &[]))));
    // The channel holds one piece: the second one has room as soon as the gateway took the first one.
    send.send(first).await.expect("the body is read");
    let room = send.reserve().await.expect("the token was accepted, and the body is read");
    let began = Instant::now();
    change.await;
    // The gateway looks again only if a body was slow.
    support::until(async || (began.elapsed() > Duration::from_millis(60)).then_some(())).await;
    room.send(rest);
    drop(send);
    sent.await.expect("no panic").expect("an answer").status()
}

#[tokio::test]
async fn what_changed_while_a_body_arrived_counts() {
    let stage = Stage::new().await;
    let credential = stage.credential(&["docs:read"]).await;
    let token = stage.exchange(&credential).await;
    assert_eq!(slow(&stage, &token, async {}).await, StatusCode::OK);
    stage.upstream.taken();
    let narrowed = async { stage.allow("docs:read", Some(&[])).await };
    assert_eq!(slow(&stage, &token, narrowed).await, StatusCode::FORBIDDEN, "the rules of its end");
    stage.allow("docs:read", Some(&["search"])).await;
    let revoked = async {
        revoke::revoke(stage.context(), &operator(), &credential.credential.client_id, "").await.expect("revoked");
    };
    assert_eq!(slow(&stage, &token, revoked).await, StatusCode::UNAUTHORIZED);
    assert!(stage.upstream.taken().is_empty());
}
