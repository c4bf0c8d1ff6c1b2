//! The route table as nobody: nothing but what it says is open.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use server::dashboard::enter::Permission;
use server::routes::{Access, table};
use server::state::AppState;

use crate::support::{App, form_token};

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
            .replace("{*rest}", "x")
            .replace("{name}", "x");
        let get = stranger.get(&path).await;
        let post = stranger.post(&path, &[("form_token", &token)]).await;
        match route.access {
            Access::Dashboard(Permission::Administrator) => {
                guarded += 1;
                for answer in [get, post] {
                    let away =
                        answer.status == StatusCode::SEE_OTHER && answer.header("location").starts_with("/login");
                    assert!(away || answer.status == StatusCode::METHOD_NOT_ALLOWED, "{path}: {}", answer.status);
                }
            }
            Access::Mcp => assert_eq!((get.status, post.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)),
            Access::Dashboard(Permission::Anybody) | Access::OAuth | Access::Open => {
                assert!(!get.status.is_server_error() && !post.status.is_server_error(), "{path}");
            }
        }
    }
    assert!(guarded >= 20, "the table names the guarded routes");
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
        "/fn/revoke_credentials",
        "/fn/disable_credential",
        "/fn/end_session",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
}
