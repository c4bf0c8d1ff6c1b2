//! The address of a server, and its header.

use ::server::state::AppState;
use axum::body::to_bytes;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use domain::server;
use domain::server::gateway::{GatewayDraft, GatewayEdit};
use domain::server::{ServerDraft, gateway};
use tower::ServiceExt;

use crate::gateway::{KEY, Stage, as_stream, call, request, scope, serving, usual_tools, with_peer};
use crate::roles::operator;
use crate::support;

#[tokio::test]
async fn an_address_and_its_header_are_checked() {
    let stage = Stage::new().await;
    let context = stage.context();
    let draft = |name: &str| ServerDraft { name: name.to_owned(), scopes: vec![scope("a")], ..ServerDraft::default() };
    let behind = |upstream: &str, slug: Option<&str>| GatewayDraft {
        upstream: upstream.to_owned(),
        slug: slug.map(str::to_owned),
        header: None,
    };
    for (upstream, slug, field) in [
        ("ftp://a.example/", None, "upstream"),
        ("https://user:password@a.example/", None, "upstream"),
        ("https://a.example/#x", None, "upstream"),
        ("http://localhost:8080/gateway/docs", None, "upstream"),
        ("https://a.example/", Some("Docs!"), "slug"),
        ("https://a.example/", Some("docs"), "slug"),
    ] {
        let refused = gateway::add(context, &operator(), &draft("Other"), &behind(upstream, slug)).await;
        let Err(server::McpServerError::Invalid(errors)) = refused else { panic!("{upstream} {slug:?} was added") };
        assert_eq!(errors.iter().map(|error| error.field).collect::<Vec<_>>(), [field], "{upstream} {slug:?}");
    }
    // The key of a server does not follow to another host.
    let moved = GatewayEdit { upstream: Some("https://evil.example/mcp".to_owned()), ..GatewayEdit::default() };
    let refused = gateway::edit(context, &operator(), stage.id(), &moved).await;
    assert!(matches!(refused, Err(server::McpServerError::Invalid(errors)) if errors[0].field == "header_value"));
    let same =
        GatewayEdit { upstream: Some(format!("http://{}/other", stage.upstream.host)), ..GatewayEdit::default() };
    stage.edit(same).await;
    // A server that checks tokens itself cannot have an address of the gateway.
    let squatting = ServerDraft { resource: "http://localhost:8080/gateway/other".to_owned(), ..draft("Squatter") };
    assert!(server::add(context, &operator(), &squatting).await.is_err());
}

#[tokio::test]
async fn a_private_address_is_called_only_if_the_setting_lists_it() {
    let stage = Stage::new().await;
    let token = stage.token(&["docs:read"]).await;
    let state = AppState::new(stage.context().clone(), vec![], vec![]);
    let response = support::router(state)
        .oneshot(with_peer(request(Method::POST, &token, call(1, "search").to_string(), &[])))
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(stage.upstream.taken().is_empty());
}

#[tokio::test]
async fn a_credential_is_tested_through_the_gateway_without_the_network() {
    let stage = Stage::new().await;
    let credential = stage.credential(&["docs:read"]).await;
    let secret = credential.secret.as_ref().expect("a secret").expose().to_owned();
    let path = format!("/credentials/{}/test", credential.credential.client_id);
    let browser = stage.app.signed_in().await;
    let tested = async || browser.submit(&path, &path, &[("client_secret", secret.as_str())]).await.body;
    let page = tested().await;
    for words in ["It works", "docs 3", "search"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("delete"), "the list is that of the token");
    let received = stage.upstream.taken();
    assert!(received.iter().all(|one| one.headers["authorization"] == format!("Bearer {KEY}")), "{received:?}");
    assert!(!received.is_empty());
    // As most servers answer.
    let serve = serving(usual_tools());
    stage.upstream.answers(move |received| match received.message()["id"].is_null() {
        true => serve(received),
        false => {
            let answer = serve(received).into_body();
            let whole = futures::executor::block_on(to_bytes(answer, usize::MAX)).expect("a body");
            as_stream(&serde_json::from_slice(&whole).expect("JSON"))
        }
    });
    assert!(tested().await.contains("It works"));
    stage.upstream.answers(|_| StatusCode::FOUND.into_response());
    assert!(tested().await.contains("gave no usable answer (502)"));
    stage.upstream.answers(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let page = tested().await;
    assert!(page.contains("It does not work yet") && page.contains("answered 500"), "{page}");
}
