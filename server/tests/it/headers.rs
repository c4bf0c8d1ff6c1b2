//! The headers of every answer, whatever its status.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::support::{Answer, App};
use crate::words::title;

fn check(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe"), "{what}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    for name in ["referrer-policy", "permissions-policy", "cross-origin-resource-policy", "cache-control"] {
        assert_ne!(answer.header(name), "", "{what}: {name}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for (path, status) in [
        ("/", StatusCode::OK),
        ("/credentials", StatusCode::OK),
        ("/nowhere", StatusCode::NOT_FOUND),
        ("/logout", StatusCode::METHOD_NOT_ALLOWED),
        ("/setup", StatusCode::GONE),
        ("/mcp", StatusCode::UNAUTHORIZED),
        ("/mcp/oauth/token", StatusCode::METHOD_NOT_ALLOWED),
        ("/.well-known/nothing", StatusCode::NOT_FOUND),
        ("/healthz", StatusCode::OK),
        ("/assets/none.css", StatusCode::NOT_FOUND),
        ("/favicon.ico", StatusCode::OK),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        check(&answer, path);
    }
    let redirect = app.get("/credentials").await;
    assert_eq!(redirect.status, StatusCode::SEE_OTHER);
    check(&redirect, "a redirect");
    let refused = browser.post_with("/account/name", &[("name", "x")], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    check(&refused, "a refused form");
    let long = app.get(&format!("/{}", "x".repeat(9000))).await;
    assert_eq!(long.status, StatusCode::URI_TOO_LONG);
    check(&long, "a long address");
    assert_eq!(redirect.header("strict-transport-security"), "", "plain http on this machine");
}

#[tokio::test]
async fn pages_hold_no_script_but_files_of_ours() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for path in ["/", "/credentials", "/credentials/new", "/activity", "/account", "/nowhere"] {
        let html = browser.get(path).await.body;
        assert_eq!(html.matches("<script").count(), 1, "{path}");
        assert!(html.contains(r#"<script src="/assets/enhance-"#), "{path}");
        for inline in ["<style", " style=", " onclick=", "javascript:", "__RESOLVED"] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
        for asset in html.split('"').filter(|part| part.starts_with("/assets/")) {
            let answer = app.get(asset).await;
            assert_eq!(answer.status, StatusCode::OK, "{asset}");
            assert!(answer.header("cache-control").contains("immutable"));
        }
    }
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let app = App::new().await;
    let mut request = Request::get("/healthz").body(Body::empty()).expect("a request");
    request.headers_mut().append("host", "a".parse().expect("a value"));
    request.headers_mut().append("host", "b".parse().expect("a value"));
    assert_eq!(app.send(request).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn bodies_are_limited() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let large = "x".repeat(70 * 1024);
    let answer = browser.post("/account/name", &[("name", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let (_, token) = app.access_token(&[]).await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(large))
        .expect("a request");
    assert_eq!(app.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_tab_shows_plain_text() {
    let app = App::new().await;
    let generated = app.generated("a <b>&\"job\"</title>", &[]).await;
    assert_eq!(title(&app.get("/login").await.body), "Sign in · Countersign");
    let browser = app.signed_in().await;
    let credential = format!("/credentials/{}", generated.credential.client_id);
    for (path, expected) in [
        ("/", "Overview · Countersign"),
        ("/activity", "Activity · Countersign"),
        ("/leaks", "Leaks · Countersign"),
        ("/people", "People · Countersign"),
        ("/settings/webhooks/new", "New webhook · Countersign"),
        ("/nowhere", "Not found · Countersign"),
        (credential.as_str(), "a &lt;b&gt;&amp;\"job\"&lt;/title&gt; · Countersign"),
    ] {
        assert_eq!(title(&browser.get(path).await.body), expected, "{path}");
    }
    let refused = browser.submit("/teams/new", "/teams/new", &[("name", "")]).await;
    assert_eq!(title(&refused.body), "Error: New team · Countersign");
}
