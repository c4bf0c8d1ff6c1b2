//! The route table as nobody: nothing but what it says is open.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use http_body_util::BodyExt;
use server::http::middleware::oauth_net;
use server::routes::Permission;
use server::routes::{Access, table};
use server::state::AppState;
use tower::ServiceExt;

use crate::support::{self, Answer, App, FORM, basic, form_token};

async fn send(app: &App, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

#[tokio::test]
async fn one_slash_at_the_end_makes_no_difference_to_programs() {
    let app = App::new().await;
    let (generated, token) = app.access_token(&["tokens:introspect"]).await;
    let proof = basic(&generated);
    let form = [("authorization", proof.as_str()), ("content-type", FORM)];
    let bearer = format!("Bearer {token}");
    let call = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let metadata = r#"{"redirect_uris":["http://localhost/callback"]}"#;
    let about = format!("token={token}");
    for (method, path, headers, body, status) in [
        (Method::POST, "/mcp/", &call[..], list, StatusCode::OK),
        (Method::POST, "/mcp/oauth/token/", &form, "grant_type=client_credentials", StatusCode::OK),
        (Method::POST, "/mcp/oauth/introspect/", &form, &about, StatusCode::OK),
        (Method::POST, "/mcp/oauth/revoke/", &form, "token=x", StatusCode::OK),
        (Method::POST, "/mcp/oauth/register/", &call[1..], metadata, StatusCode::CREATED),
        (Method::GET, "/mcp/oauth/authorize/?client_id=x", &[], "", StatusCode::BAD_REQUEST),
        (Method::GET, "/mcp/oauth/jwks/", &[], "", StatusCode::OK),
        (Method::GET, "/mcp/oauth/status/0/", &[], "", StatusCode::OK),
        (Method::GET, "/.well-known/oauth-authorization-server/", &[], "", StatusCode::OK),
        (Method::GET, "/.well-known/oauth-protected-resource/", &[], "", StatusCode::OK),
        (Method::GET, "/.well-known/oauth-protected-resource/mcp/", &[], "", StatusCode::OK),
        (Method::POST, "/leaks/report/", &form[1..], "token=x", StatusCode::ACCEPTED),
        (Method::GET, "/healthz/", &[], "", StatusCode::OK),
        (Method::POST, "/mcp//", &call, list, StatusCode::NOT_FOUND),
    ] {
        let with_slash = send(&app, method.clone(), path, headers, body).await;
        assert_eq!(with_slash.status, status, "{path}: {}", with_slash.body);
        assert_eq!(with_slash.header("location"), "", "{path}");
    }
    let challenge = send(&app, Method::POST, "/mcp/", &[], "").await;
    assert_eq!(challenge.status, StatusCode::UNAUTHORIZED);
    let preflight = send(&app, Method::OPTIONS, "/mcp/oauth/token/", &[("origin", "https://any.example")], "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (StatusCode::NO_CONTENT, "*"));
}

#[tokio::test]
async fn a_program_at_a_wrong_address_reads_the_right_one() {
    let app = App::new().await;
    let json = [("content-type", "application/json"), ("origin", "https://any.example")];
    let form = [("content-type", FORM), ("origin", "https://any.example")];
    let stream = [("accept", "text/event-stream"), ("origin", "https://any.example")];
    for (method, path, headers, right) in [
        (Method::POST, "/token", &form[..], "http://localhost:8080/mcp/oauth/token"),
        (Method::POST, "/oauth/token", &form, "http://localhost:8080/mcp/oauth/token"),
        (Method::POST, "/mcp/token/", &form, "http://localhost:8080/mcp/oauth/token"),
        (Method::POST, "/register", &json, "http://localhost:8080/mcp/oauth/register"),
        (Method::GET, "/authorize", &json, "http://localhost:8080/mcp/oauth/authorize"),
        (Method::GET, "/sse", &stream, "http://localhost:8080/mcp."),
        (Method::POST, "/messages", &json, "http://localhost:8080/mcp."),
        (Method::POST, "/api/mcp", &json, "http://localhost:8080/mcp."),
        (Method::POST, "/nowhere", &json, "http://localhost:8080/mcp."),
        (Method::DELETE, "/nowhere", &[], "http://localhost:8080/mcp."),
        (Method::POST, "/", &json, "http://localhost:8080/mcp."),
        (Method::GET, "/.well-known/openid-configuration/x", &[], "/.well-known/oauth-authorization-server"),
        (Method::GET, "/oauth/.well-known/openid-configuration", &json, "/.well-known/oauth-authorization-server"),
        (Method::GET, "/mcp/oauth/jwks.json", &[], "http://localhost:8080/mcp/oauth/jwks"),
    ] {
        let answer = send(&app, method.clone(), path, headers, "{}").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{method} {path}");
        assert_eq!(answer.json()["error"], "Not Found");
        let description = answer.json()["error_description"].as_str().expect("a text").to_owned();
        assert!(description.contains(right), "{method} {path}: {description}");
    }
    for path in ["/token", "/sse", "/register", "/nowhere"] {
        let asked = [("origin", "https://any.example"), ("access-control-request-method", "POST")];
        let preflight = send(&app, Method::OPTIONS, path, &asked, "").await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn a_browser_at_a_wrong_address_gets_the_page_whatever_it_sends() {
    let app = App::new().await;
    let page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (method, path) in [(Method::GET, "/nowhere"), (Method::GET, "/token"), (Method::POST, "/nowhere")] {
        let headers = [("accept", page), ("content-type", FORM), ("origin", "https://evil.example")];
        let answer = send(&app, method.clone(), path, &headers, "a=b").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert!(answer.body.contains("There is nothing at this address"), "{}", answer.body);
        assert!(answer.header("content-type").starts_with("text/html"), "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{method} {path}");
    }
    // Nothing signs a person out, and nothing is done, because of a wrong address.
    let browser = app.signed_in().await;
    assert_eq!(browser.post("/nowhere", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_gets_through_a_row_that_needs_somebody() {
    let app = App::new().await;
    let stranger = app.browser();
    let token = form_token(&stranger.get("/login").await.body);
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let mut guarded = 0;
    for route in table(&state) {
        let path = route
            .path
            .replace("{client_id}", "csc_0000000000000000000000")
            .replace("{team_id}", "team_0000000000000000000000")
            .replace("{person_id}", "usr_0000000000000000000000")
            .replace("{*rest}", "x")
            .replace("{name}", "x");
        let get = stranger.get(&path).await;
        let post = stranger.post(&path, &[("form_token", &token)]).await;
        match route.access {
            Access::Dashboard(Permission::Person | Permission::Role(_) | Permission::Administrator) => {
                guarded += 1;
                for answer in [get, post] {
                    let away =
                        answer.status == StatusCode::SEE_OTHER && answer.header("location").starts_with("/login");
                    assert!(away || answer.status == StatusCode::METHOD_NOT_ALLOWED, "{path}: {}", answer.status);
                }
            }
            Access::Mcp => assert_eq!((get.status, post.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)),
            // There is no server behind the gateway.
            Access::Gateway => assert_eq!((get.status, post.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND)),
            Access::Dashboard(Permission::Anybody) | Access::OAuth | Access::Open => {
                assert!(!get.status.is_server_error() && !post.status.is_server_error(), "{path}");
            }
        }
    }
    assert!(guarded >= 20, "the table names the guarded routes");
}

#[tokio::test]
async fn a_form_that_arrives_without_a_session_leads_to_the_sign_in_and_back_to_its_page() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let stranger = app.browser();
    let credential = app.generated("job", &[]).await.credential;
    let next_of = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let address = format!("http://localhost{}", answer.header("location"));
        let address = url::Url::parse(&address).expect("an address");
        assert_eq!(address.path(), "/login");
        assert!(address.query_pairs().any(|(name, _)| name == "unsaved"));
        address.query_pairs().find(|(name, _)| name == "next").map(|(_, next)| next.into_owned())
    };
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let mut forms = 0;
    for route in table(&state) {
        let Access::Dashboard(Permission::Person | Permission::Role(_) | Permission::Administrator) = route.access
        else {
            continue;
        };
        let path = route
            .path
            .replace("{client_id}", credential.client_id.as_str())
            .replace("{team_id}", credential.team.as_str())
            .replace("{person_id}", "usr_0000000000000000000000")
            .replace("{request_id}", "req_0000000000000000000000")
            .replace("{policy}", "expiry")
            .replace("{id}", "x")
            .replace("{number}", "1");
        let answer = stranger.post(&path, &[("name", "typed")]).await;
        if answer.status == StatusCode::METHOD_NOT_ALLOWED {
            continue;
        }
        forms += 1;
        // Server functions have no page of their own: their forms are on many pages.
        let Some(next) = next_of(&answer) else {
            assert!(path == "/" || path.starts_with("/fn/"), "{path}");
            continue;
        };
        let page = browser.get(&next).await.status;
        assert_ne!(page, StatusCode::METHOD_NOT_ALLOWED, "{path} leads to {next}");
    }
    assert!(forms > 30, "{forms}");

    for (from, path, page) in [
        ("http://localhost:8080/credentials/csc_1?a=b", "/fn/disable_credential", Some("/credentials/csc_1?a=b")),
        ("http://localhost:8080/credentials/new?from=csc_1", "/credentials/new", Some("/credentials/new?from=csc_1")),
        ("http://localhost:8080/account/name", "/account/name", Some("/account")),
        ("https://evil.example/account", "/account/password", Some("/account")),
        ("http://localhost:8080//evil.example", "/fn/end_session", None),
    ] {
        let headers = [("sec-fetch-site", "same-origin"), ("referer", from)];
        let answer = stranger.post_with(path, &[], &headers).await;
        assert_eq!(next_of(&answer).as_deref(), page, "{from}");
        let said = stranger.get(answer.header("location")).await;
        assert_eq!(said.status, StatusCode::OK);
        assert!(said.body.contains("Nothing was saved"), "{}", said.body);
    }
}

#[tokio::test]
async fn the_session_cookie_opens_nothing_but_the_dashboard() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let request = Request::builder().method(Method::POST).uri("/mcp").body(Body::empty()).expect("a request");
    assert_eq!(browser.send(request).await.status, StatusCode::UNAUTHORIZED);
    let answer = browser.post("/mcp/oauth/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn reading_changes_nothing() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for path in [
        "/logout",
        "/account/name",
        "/account/password",
        "/account/openid",
        "/account/openid/disconnect",
        "/login/openid",
        "/fn/revoke_credentials",
        "/fn/disable_credential",
        "/fn/end_session",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_defect_is_answered_in_json_and_spoils_nothing_else() {
    async fn defect() -> StatusCode {
        panic!("a defect")
    }
    let router = Router::new()
        .route("/defect", get(defect))
        .route("/fine", get(async || "fine"))
        .layer(from_fn(async |request: Request<Body>, next: Next| oauth_net(next.run(request)).await));
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("always answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let (status, body) = ask("/defect").await;
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, body["error"].as_str()), (StatusCode::INTERNAL_SERVER_ERROR, Some("server_error")));
    assert_eq!(ask("/fine").await, (StatusCode::OK, "fine".to_owned()));
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_is_not_ready_and_serves_on() {
    let app = App::new().await;
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let app = App { router: support::router(state.clone()), ..app };
    assert_eq!(app.get("/readyz").await.status, StatusCode::OK);
    state.drain();
    let answer = app.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "stopping"));
    assert_eq!(app.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(app.get("/mcp/oauth/jwks").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_link_of_the_dashboard_has_its_route_and_every_route_its_link() {
    let app = App::new().await;
    let table = table(&AppState::new(app.instance.context.clone(), vec![], vec![]));
    for link in app::links::ALL {
        assert!(table.iter().any(|route| route.path == *link), "no route is at {link}");
    }
    // The provider sends browsers to the first, people kept the second one; programs ask the others.
    let earlier = "/settings/stop";
    let unlinked = [domain::person::openid::RETURN_PATH, earlier, "/fn/overview", "/fn/credentials", "/fn/activity"];
    for route in table.iter().filter(|route| matches!(route.access, Access::Dashboard(_))) {
        let path = route.path;
        assert!(app::links::ALL.contains(&path) || unlinked.contains(&path), "nothing in links.rs leads to {path}");
    }
}

#[tokio::test]
async fn a_browser_that_opens_the_address_of_a_form_gets_a_page_that_leads_to_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = app.generated("job", &["mcp:read"]).await.credential.client_id;
    for (address, page) in [
        ("/account/password".to_owned(), "/account".to_owned()),
        (format!("/credentials/{id}/rotation"), format!("/credentials/{id}")),
        ("/logout".to_owned(), "/".to_owned()),
    ] {
        let answer = browser.get(&address).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{address}");
        let body = &answer.body;
        assert!(body.contains("takes a form") && body.contains(&format!("href=\"{page}\"")), "{address}: {body}");
        // A program is told in its own way.
        let request = Request::get(&address).body(Body::empty()).expect("a request");
        assert_eq!(browser.send(request).await.json()["error"], "Method Not Allowed", "{address}");
    }
}
