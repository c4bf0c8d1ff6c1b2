//! The protected MCP server.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use domain::credential::{disable, revoke};
use domain::model::actor::Actor;
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::server::{McpServerError, ServerDraft};
use serde_json::{Value, json};

use crate::support::{Answer, App};

async fn post(app: &App, token: Option<&str>, message: &Value) -> Answer {
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    app.send(request.body(Body::from(message.to_string())).expect("a request")).await
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

async fn tools(app: &App, token: &str) -> Vec<String> {
    let answer = post(app, Some(token), &list()).await;
    let tools = answer.json()["result"]["tools"].as_array().expect("tools").clone();
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn the_challenge_comes_before_everything_else() {
    let app = App::new().await;
    let expected = r#"Bearer resource_metadata="http://localhost:8080/.well-known/oauth-protected-resource/mcp", scope="mcp:read""#;
    for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
        let request =
            Request::builder().method(method.clone()).uri("/mcp").body(Body::from("not json")).expect("a request");
        let answer = app.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
        assert_eq!(answer.header("www-authenticate"), expected);
    }
    let (_, token) = app.access_token(&[]).await;
    for authorization in ["Bearer x", "Bearer ", "Basic eDp5", "Bearer a.b.c", &format!("Bearer {token}x"), &token] {
        let request =
            Request::post("/mcp").header("authorization", authorization).body(Body::empty()).expect("a request");
        let answer = app.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization}");
        assert!(answer.header("www-authenticate").starts_with("Bearer "));
        assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    }
    let in_query = Request::post(format!("/mcp?access_token={token}")).body(Body::empty()).expect("a request");
    assert_eq!(app.send(in_query).await.status, StatusCode::UNAUTHORIZED);
    let get =
        Request::get("/mcp").header("authorization", format!("Bearer {token}")).header("accept", "text/event-stream");
    assert_eq!(app.send(get.body(Body::empty()).expect("a request")).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn both_eras_of_the_protocol_are_spoken() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let answer = post(&app, Some(&token), &initialize).await;
    let result = &answer.json()["result"];
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["serverInfo"]["name"], "countersign");
    assert!(result["capabilities"]["extensions"]["io.modelcontextprotocol/oauth-client-credentials"].is_object());

    let discover = json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} } } });
    let request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "server/discover")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(discover.to_string()))
        .expect("a request");
    let answer = app.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.body.contains("2026-07-28"), "{}", answer.body);
}

#[tokio::test]
async fn tools_are_there_by_scope_and_say_which_scope_is_missing() {
    let app = App::new().await;
    let (reader, token) = app.access_token(&["mcp:read"]).await;
    assert_eq!(tools(&app, &token).await, ["whoami"]);
    let who = post(&app, Some(&token), &call("whoami", json!({}))).await.json()["result"]["structuredContent"].clone();
    assert_eq!(who["client_id"], reader.credential.client_id.as_str());
    assert_eq!((&who["name"], &who["scope"]), (&"job".into(), &"mcp:read".into()));
    assert_eq!(who["expires_at"], app.instance.context.now().plus(Duration::from_secs(600)).rfc3339());

    for (tool, scope) in [("list_credentials", "credentials:read"), ("revoke_credential", "credentials:write")] {
        let answer = post(&app, Some(&token), &call(tool, json!({ "client_id": "x" }))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        assert!(challenge.contains(&format!(r#"scope="mcp:read {scope}""#)), "{challenge}");
        let batch = post(&app, Some(&token), &json!([call("whoami", json!({})), call(tool, json!({}))])).await;
        assert_eq!(batch.status, StatusCode::FORBIDDEN, "a batch is no way around");
    }

    let both = json!([call("list_credentials", json!({})), call("revoke_credential", json!({ "client_id": "x" }))]);
    let answer = post(&app, Some(&token), &both).await;
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains(r#"scope="mcp:read credentials:read credentials:write""#), "all of them: {challenge}");

    let (_, token) = app.access_token(&["credentials:read", "credentials:write"]).await;
    assert_eq!(tools(&app, &token).await, ["whoami", "list_credentials", "revoke_credential"]);
    let listed = post(&app, Some(&token), &call("list_credentials", json!({ "search": "job" }))).await.json();
    assert_eq!(listed["result"]["structuredContent"]["credentials"].as_array().expect("a list").len(), 2);
    assert!(!listed.to_string().contains("css_"));
}

#[tokio::test]
async fn a_credential_may_revoke_another_and_the_log_says_so() {
    let app = App::new().await;
    let victim = app.generated("leaked", &[]).await;
    let id = victim.credential.client_id.as_str();
    let (_, token) = app.access_token(&["credentials:write"]).await;
    let answer =
        post(&app, Some(&token), &call("revoke_credential", json!({ "client_id": id, "reason": "leak" }))).await;
    assert_eq!(answer.json()["result"]["structuredContent"]["status"], "revoked");
    for wrong in [json!({}), json!({ "client_id": "nonsense" }), json!({ "client_id": 7 })] {
        let answer = post(&app, Some(&token), &call("revoke_credential", wrong)).await;
        assert_eq!(answer.json()["result"]["isError"], true);
    }
    let filter = domain::model::audit::Filter { action: Some("credential.revoked".into()), ..Default::default() };
    let entries = domain::audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert_eq!((entries.len(), entries[0].actor_kind.as_str()), (1, "credential"));
    assert_eq!(entries[0].address.as_deref(), Some("192.0.2.1"));
}

#[tokio::test]
async fn a_live_token_ends_with_its_credential() {
    let app = App::new().await;
    let operator = Actor::command_line("operator");
    let (generated, token) = app.access_token(&[]).await;
    let id = &generated.credential.client_id;
    let status = async || post(&app, Some(&token), &list()).await.status;
    assert_eq!(status().await, StatusCode::OK);
    disable::disable(&app.instance.context, &operator, id).await.expect("disables");
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
    disable::enable(&app.instance.context, &operator, id).await.expect("enables");
    assert_eq!(status().await, StatusCode::OK);
    revoke::revoke(&app.instance.context, &operator, id, "").await.expect("revokes");
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_of_other_origins_are_turned_away() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    for (origin, expected) in [
        ("https://evil.example", StatusCode::FORBIDDEN),
        ("https://app.example.evil", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
        ("http://localhost:8080", StatusCode::OK),
        ("https://app.example", StatusCode::OK),
    ] {
        let request = Request::post("/mcp")
            .header("origin", origin)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(list().to_string()))
            .expect("a request");
        let answer = app.send(request).await;
        assert_eq!(answer.status, expected, "{origin}");
        let readable = if expected == StatusCode::OK { origin } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), readable);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_asks_for_a_token() {
    let app = App::new().await;
    for (origin, expected) in
        [("https://app.example", StatusCode::NO_CONTENT), ("https://evil.example", StatusCode::FORBIDDEN)]
    {
        let request = Request::options("/mcp")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,mcp-protocol-version")
            .body(Body::empty())
            .expect("a request");
        let answer = app.send(request).await;
        assert_eq!(answer.status, expected);
        if expected == StatusCode::NO_CONTENT {
            assert!(answer.header("access-control-allow-headers").contains("authorization"));
            assert!(answer.header("access-control-expose-headers").contains("WWW-Authenticate"));
        }
    }
}

/// `tools/list` with these headers in place of the usual ones; an empty value leaves one out.
async fn listed_with(app: &App, token: &str, changes: &[(&str, &str)]) -> Answer {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    headers.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    headers.extend(changes.iter().copied().filter(|(_, value)| !value.is_empty()));
    let request = headers.iter().fold(Request::post("/mcp"), |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(list().to_string())).expect("a request")).await
}

/// Whether the answer is JSON with a text that explains it.
fn explains(answer: &Answer) -> bool {
    answer.header("content-type") == "application/json" && !answer.json()["error_description"].is_null()
}

#[tokio::test]
async fn the_host_decides_only_where_no_proxy_and_no_certificate_stands_between() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "127.8.8.8", "[::1]:8080"] {
        assert_eq!(listed_with(&app, &token, &[("host", host)]).await.status, StatusCode::OK, "{host}");
    }
    for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "192.0.2.7:8080", "a b", "[fd00::1]"] {
        let answer = listed_with(&app, &token, &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
        assert!(explains(&answer) && answer.body.contains("http://localhost:8080"), "{}", answer.body);
    }

    let app = App::trusting(&["192.0.2.0/24"]).await;
    let (_, token) = app.access_token(&[]).await;
    let behind = |host, origin| [("host", host), ("origin", origin), ("x-forwarded-for", "203.0.113.1")];
    assert_eq!(listed_with(&app, &token, &behind("upstream_1", "")).await.status, StatusCode::OK);
    let page = behind("evil.example", "http://evil.example");
    assert_eq!(listed_with(&app, &token, &page).await.status, StatusCode::FORBIDDEN, "the origin still decides");

    let app = App::with_settings(|settings| settings.public_url = "https://auth.example.com".to_owned()).await;
    let (operator, issuer) = (Actor::command_line("operator"), "https://auth.example.com");
    domain::server::move_issuer(&app.instance.context, &operator, issuer).await.expect("moved");
    let (_, token) = app.access_token(&[]).await;
    for host in ["countersign:8080", "auth.example.com", "10.0.0.7"] {
        assert_eq!(listed_with(&app, &token, &[("host", host)]).await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn an_issuer_does_not_move_onto_a_registered_server() {
    let app = App::new().await;
    let (context, operator) = (&app.instance.context, Actor::command_line("operator"));
    let draft = ServerDraft {
        name: "docs".to_owned(),
        resource: "https://auth.example.com/mcp/".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    domain::server::add(context, &operator, &draft).await.expect("added");
    match domain::server::move_issuer(context, &operator, "https://auth.example.com").await {
        Err(McpServerError::Invalid(errors)) => {
            assert!(errors[0].message.contains("is registered already"), "{errors:?}")
        }
        other => panic!("{other:?}"),
    }
    let issuer = domain::server::issuer(&context.store).await.expect("reads");
    assert_eq!(issuer.as_deref(), Some("http://localhost:8080"), "nothing changed");
}

#[tokio::test]
async fn whoever_accepts_json_gets_it_and_refusals_are_json() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    for accept in ["", "*/*", "application/json", "application/*;q=0.5", "text/event-stream;q=0.9, */*;q=0.1"] {
        let answer = listed_with(&app, &token, &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{accept}");
        assert_eq!(answer.json()["result"]["tools"][0]["name"], "whoami", "{accept}");
    }
    let unacceptable = listed_with(&app, &token, &[("accept", "text/event-stream")]).await;
    assert_eq!(unacceptable.status, StatusCode::NOT_ACCEPTABLE);
    let of_another_type = listed_with(&app, &token, &[("content-type", "text/plain")]).await;
    assert_eq!(of_another_type.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(explains(&unacceptable) && explains(&of_another_type), "{}", of_another_type.body);
    // There is no stream to read and no session to end.
    for method in [Method::GET, Method::DELETE] {
        let request = Request::builder().method(method.clone()).uri("/mcp").header("accept", "text/event-stream");
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = app.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!((answer.header("allow"), answer.header("content-type")), ("POST", "application/json"), "{method}");
        assert_eq!(answer.json()["error"], "Method Not Allowed");
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours_count_as_failures_of_their_source() {
    let app = App::new().await;
    let (_, token) = app.access_token(&[]).await;
    let status = async |token: &str| listed_with(&app, token, &[]).await;
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let forged = format!("{signed}.{}", "A".repeat(86));
    for number in 0..1200 {
        let answer = status(if number % 100 == 0 { &forged } else { "a.b.c" }).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{number}");
    }
    let limited = status(&forged).await;
    assert_eq!((limited.status, limited.header("retry-after").is_empty()), (StatusCode::TOO_MANY_REQUESTS, false));
    // Honest clients at the same address are served, and learn that their token has expired.
    assert_eq!(status(&token).await.status, StatusCode::OK);
    app.instance.clock.advance(Duration::from_secs(601));
    assert_eq!(status(&token).await.status, StatusCode::UNAUTHORIZED);
}
