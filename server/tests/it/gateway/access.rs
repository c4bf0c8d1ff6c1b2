//! What reaches a server, and what does not.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::model::server::gateway::rules::ScopeRule;
use domain::server::gateway::{GatewayEdit, rules};
use serde_json::{Value, json};

use crate::gateway::{KEY, Stage, as_stream, call, message, names, request, serving, usual_tools};
use crate::roles::operator;

#[tokio::test]
async fn a_call_reaches_the_server_with_our_header_and_without_the_token() {
    let stage = Stage::new().await;
    let metadata = "http://localhost:8080/.well-known/oauth-protected-resource/gateway/docs";
    let bare = stage.send("", call(1, "search").to_string(), &[]).await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        bare.header("www-authenticate"),
        format!(r#"Bearer resource_metadata="{metadata}", scope="docs:read docs:write docs:all""#)
    );
    let document = stage.app.get("/.well-known/oauth-protected-resource/gateway/docs").await.json();
    assert_eq!(document["resource"], "http://localhost:8080/gateway/docs");
    assert_eq!(document["scopes_supported"], json!(["docs:read", "docs:write", "docs:all"]));
    assert_eq!(stage.app.get("/.well-known/oauth-protected-resource/gateway/none").await.status, StatusCode::NOT_FOUND);

    let token = stage.token(&["docs:read"]).await;
    let (_, foreign) = stage.app.access_token(&[]).await;
    for refused in ["x", &foreign, &format!("{token}x")] {
        let answer = stage.call(refused, "search").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
    assert!(stage.upstream.taken().is_empty(), "nothing reaches the server before the token is accepted");

    let unwanted = [
        ("cookie", "a=b"),
        ("x-forwarded-for", "192.0.2.7"),
        ("forwarded", "for=192.0.2.7"),
        ("countersign-identity", "forged"),
        ("x-hop", "1"),
        ("connection", "x-hop"),
        ("mcp-param-region", "eu"),
    ];
    let answer = stage.send(&token, call(7, "search").to_string(), &unwanted).await;
    assert_eq!((answer.status, answer.json()["id"].clone()), (StatusCode::OK, json!(7)));
    assert_eq!(answer.json()["result"]["content"][0]["text"], "done");
    let received = stage.upstream.taken();
    assert_eq!(received.len(), 1);
    let headers = &received[0].headers;
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(headers["mcp-param-region"], "eu");
    assert_eq!(received[0].body, call(7, "search").to_string());
    for (name, _) in &unwanted[..5] {
        assert!(!headers.contains_key(*name), "{name}");
    }
    assert!(!format!("{headers:?}").contains(&token));
    assert!(!format!("{:?}{}", answer.headers, answer.body).contains(KEY));
}

#[tokio::test]
async fn a_server_learns_who_calls_if_it_wants() {
    let stage = Stage::new().await;
    stage.edit(GatewayEdit { sends_identity: Some(true), ..GatewayEdit::default() }).await;
    let credential = stage.credential(&["docs:read"]).await;
    stage.call(&stage.exchange(&credential).await, "search").await;
    let received = stage.upstream.taken();
    let identity = received[0].headers["countersign-identity"].to_str().expect("text").to_owned();
    let part = |place: usize| -> Value {
        let part = identity.split('.').nth(place).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    assert_eq!((&part(0)["typ"], &part(0)["alg"]), (&json!("countersign-identity+jwt"), &json!("ES256")));
    let claims = part(1);
    assert_eq!(claims["aud"], stage.upstream.url());
    assert_eq!(
        (&claims["client_id"], &claims["sub"]),
        (&claims["sub"], &json!(credential.credential.client_id.as_str()))
    );
    assert_eq!(claims["scope"], "docs:read");
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(60));
    let keys = stage.app.get("/mcp/oauth/jwks").await.json();
    assert!(keys["keys"].as_array().expect("keys").iter().any(|key| key["kid"] == part(0)["kid"]));
    // It is no access token: nobody may call with it.
    assert_eq!(stage.call(&identity, "search").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_neither_sees_nor_calls_what_its_scopes_do_not_allow() {
    let stage = Stage::new().await;
    let [read, write, all] =
        [stage.token(&["docs:read"]).await, stage.token(&["docs:write"]).await, stage.token(&["docs:all"]).await];
    let listing = || message(2, "tools/list", json!({})).to_string();
    for (token, seen) in
        [(&read, &["search"][..]), (&write, &["search", "update"]), (&all, &["search", "update", "delete"])]
    {
        assert_eq!(names(&stage.send(token, listing(), &[]).await.json()["result"]["tools"]), seen);
        stage.upstream.answers(|received| {
            as_stream(
                &json!({ "jsonrpc": "2.0", "id": received.message()["id"], "result": { "tools": usual_tools() } }),
            )
        });
        let stream = stage.send(token, listing(), &[]).await;
        assert_eq!(stream.header("content-type"), "text/event-stream");
        let data = stream.body.lines().filter_map(|line| line.strip_prefix("data: {")).next().expect("an event");
        let answer: Value = serde_json::from_str(&format!("{{{data}")).expect("JSON");
        assert_eq!(names(&answer["result"]["tools"]), seen);
        assert!(stream.body.contains("id: 8\n") && stream.body.contains("event: message\n"), "{}", stream.body);
        stage.upstream.answers(serving(usual_tools()));
    }
    stage.upstream.taken();
    let refused = stage.call(&read, "update").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains(r#"error="insufficient_scope", scope="docs:read docs:write", resource_metadata=""#));
    let refused = stage.call(&write, "delete").await;
    assert!(
        refused.header("www-authenticate").contains(r#"scope="docs:write docs:all""#),
        "all that the next one needs"
    );

    // A batch is allowed as a whole or not at all.
    let batch = json!([call(1, "search"), call(2, "update")]).to_string();
    assert_eq!(stage.send(&read, batch.clone(), &[]).await.status, StatusCode::FORBIDDEN);
    assert!(stage.upstream.taken().is_empty());
    assert_eq!(
        stage.send(&write, batch.clone(), &[("mcp-protocol-version", "2025-03-26")]).await.status,
        StatusCode::OK
    );
    let later = stage.send(&write, batch, &[("mcp-protocol-version", "2025-11-25")]).await;
    assert_eq!((later.status, later.json()["error"]["code"].clone()), (StatusCode::BAD_REQUEST, json!(-32600)));
    assert_eq!(stage.upstream.taken().len(), 1);

    let recorded = stage.recorded().await;
    assert_eq!(
        recorded,
        [
            ("tool delete forbidden".to_owned(), 1),
            ("tool search forbidden".to_owned(), 1),
            ("tool search ok".to_owned(), 1),
            ("tool update forbidden".to_owned(), 2),
            ("tool update ok".to_owned(), 1),
        ]
    );
}

#[tokio::test]
async fn prompts_and_resources_are_limited_too() {
    let stage = Stage::new().await;
    let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let rule = ScopeRule { tools: None, prompts: set(&["greet"]), resources: set(&["file:///docs/"]) };
    rules::set(stage.context(), &operator(), stage.id(), &[("docs:read".to_owned(), rule)]).await.expect("set");
    let token = stage.token(&["docs:read"]).await;
    let ask = async |method: &str, params: Value| stage.send(&token, message(1, method, params).to_string(), &[]).await;
    assert_eq!(names(&ask("prompts/list", json!({})).await.json()["result"]["prompts"]), ["greet"]);
    let listed = ask("resources/list", json!({})).await.json();
    assert_eq!(listed["result"]["resources"], json!([{ "uri": "file:///docs/a" }]));
    let listed = ask("resources/templates/list", json!({})).await.json();
    assert_eq!(listed["result"]["resourceTemplates"], json!([{ "uriTemplate": "file:///docs/{x}" }]));
    stage.upstream.taken();
    for (method, params, status) in [
        ("prompts/get", json!({ "name": "greet" }), StatusCode::OK),
        ("prompts/get", json!({ "name": "part" }), StatusCode::FORBIDDEN),
        ("resources/read", json!({ "uri": "file:///docs/a" }), StatusCode::OK),
        ("resources/read", json!({ "uri": "file:///docs/../secret" }), StatusCode::FORBIDDEN),
        ("resources/subscribe", json!({ "uri": "file:///secret" }), StatusCode::FORBIDDEN),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "part" } }), StatusCode::FORBIDDEN),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "greet" } }), StatusCode::OK),
    ] {
        let answer = ask(method, params.clone()).await;
        assert_eq!(answer.status, status, "{method} {params}");
        assert_eq!(stage.upstream.taken().len(), usize::from(status == StatusCode::OK), "{method} {params}");
    }
}

#[tokio::test]
async fn a_session_belongs_to_the_client_that_began_it() {
    let stage = Stage::new().await;
    let [one, other] = [stage.credential(&["docs:read"]).await, stage.credential(&["docs:read"]).await];
    let (token, foreign) = (stage.exchange(&one).await, stage.exchange(&other).await);
    let hello = message(1, "initialize", json!({})).to_string();
    let begun = stage.send(&token, hello, &[]).await;
    let session = begun.header("mcp-session-id").to_owned();
    assert!(session.ends_with(".s-1") && session.len() > 20, "{session}");
    stage.upstream.taken();
    let again = stage.exchange(&one).await;
    let ask = async |token: &str, session: &str| {
        stage.send(token, call(1, "search").to_string(), &[("mcp-session-id", session)]).await.status
    };
    assert_eq!(ask(&again, &session).await, StatusCode::OK, "a later token of the same credential");
    assert_eq!(stage.upstream.taken()[0].headers["mcp-session-id"], "s-1");
    let forged = format!("{}.s-2", session.split('.').next().expect("a MAC"));
    for (token, session) in [(&foreign, session.as_str()), (&token, "s-1"), (&token, forged.as_str()), (&token, "")] {
        assert_eq!(ask(token, session).await, StatusCode::NOT_FOUND, "{session}");
    }
    let twice = [("mcp-session-id", session.as_str()), ("mcp-session-id", session.as_str())];
    assert_eq!(stage.send(&token, call(1, "search").to_string(), &twice).await.status, StatusCode::NOT_FOUND);
    assert!(stage.upstream.taken().is_empty());
    let ended = stage.app.send(request(Method::DELETE, &token, "", &[("mcp-session-id", &session)])).await;
    assert_eq!(ended.status, StatusCode::ACCEPTED);
    let received = stage.upstream.taken();
    assert_eq!(
        (&received[0].method, &received[0].headers["mcp-session-id"]),
        (&Method::DELETE, &"s-1".parse().expect("a value"))
    );
}

#[tokio::test]
async fn unclear_requests_are_refused_before_they_reach_the_server() {
    let stage = Stage::with(1024, Duration::from_secs(10)).await;
    let token = stage.token(&["docs:read"]).await;
    let good = call(1, "search").to_string();
    let long = call(1, &"x".repeat(1100)).to_string();
    let twins = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","Name":"delete"}}"#;
    let repeated = r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"delete"}}"#;
    for (body, headers, status) in [
        (good.as_str(), &[("content-type", "text/plain")][..], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (long.as_str(), &[], StatusCode::PAYLOAD_TOO_LARGE),
        ("", &[], StatusCode::BAD_REQUEST),
        ("{", &[], StatusCode::BAD_REQUEST),
        (twins, &[], StatusCode::BAD_REQUEST),
        (repeated, &[], StatusCode::BAD_REQUEST),
        (&good, &[("mcp-method", "tools/list")], StatusCode::BAD_REQUEST),
        (&good, &[("mcp-method", "tools/call"), ("mcp-name", "delete")], StatusCode::BAD_REQUEST),
        (&good, &[("mcp-name", "search"), ("mcp-name", "delete")], StatusCode::BAD_REQUEST),
    ] {
        let answer = stage.send(&token, body.to_owned(), headers).await;
        assert_eq!(answer.status, status, "{body} {headers:?}");
        assert!(!answer.json().is_null());
    }
    for method in [Method::PUT, Method::PATCH, Method::HEAD] {
        let answer = stage.app.send(request(method.clone(), &token, good.clone(), &[])).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, POST, DELETE"));
    }
    let other_page = stage.send(&token, good.clone(), &[("origin", "https://evil.example")]).await;
    assert_eq!(other_page.status, StatusCode::FORBIDDEN);
    assert!(stage.upstream.taken().is_empty());
    let headers =
        [("mcp-method", "tools/call"), ("mcp-name", "=?base64?c2VhcmNo?="), ("origin", "https://app.example")];
    let answer = stage.send(&token, good, &headers).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::OK, "https://app.example"));
}

#[tokio::test]
async fn a_list_is_filtered_in_whatever_answer_it_comes() {
    let stage = Stage::new().await;
    let token = stage.token(&["docs:read"]).await;
    let list = json!({ "jsonrpc": "2.0", "id": 99, "result": { "tools": usual_tools() } });
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [] } });
    for answer in [list.clone(), json!([answer, list])] {
        let (whole, event) = (answer.clone(), answer);
        stage.upstream.answers(move |_| axum::Json(whole.clone()).into_response());
        let got = stage.call(&token, "search").await;
        assert!(got.body.contains("search") && !got.body.contains("delete"), "{}", got.body);
        stage.upstream.answers(move |_| as_stream(&event));
        let got = stage.call(&token, "search").await;
        assert!(got.body.contains("search") && !got.body.contains("delete"), "{}", got.body);
    }
    // JavaScript writes half a character when it cuts a text: not every reader takes that.
    let sends = |text: &'static str| {
        stage.upstream.answers(move |_| ([(header::CONTENT_TYPE, "application/json")], text).into_response());
    };
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\ud83d"}]}}"#;
    sends(result);
    assert_eq!(stage.call(&token, "search").await.body, result, "no list is in it, so it passes as it is");
    sends(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete","description":"\ud83d"}]}}"#);
    assert_eq!(stage.call(&token, "search").await.status, StatusCode::BAD_GATEWAY, "what cannot be read does not pass");
}

#[tokio::test]
async fn subscriptions_obey_the_rules_of_resources() {
    let stage = Stage::new().await;
    let rule = ScopeRule { resources: Some(BTreeSet::from(["file:///docs/".to_owned()])), ..ScopeRule::default() };
    rules::set(stage.context(), &operator(), stage.id(), &[("docs:read".to_owned(), rule)]).await.expect("set");
    let token = stage.token(&["docs:read"]).await;
    let listen = |uri: &str| {
        let notifications = json!({ "toolsListChanged": true, "resourceSubscriptions": ["file:///docs/a", uri] });
        message(1, "subscriptions/listen", json!({ "notifications": notifications })).to_string()
    };
    for (uri, status) in [("file:///docs/b", 200), ("file:///secret", 403), ("file:///docs/.\t./secret", 403)] {
        let answer = stage.send(&token, listen(uri), &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}: {}", answer.body);
        let read = message(1, "resources/read", json!({ "uri": uri })).to_string();
        assert_eq!(stage.send(&token, read, &[]).await.status.as_u16(), status, "{uri}");
    }
}
