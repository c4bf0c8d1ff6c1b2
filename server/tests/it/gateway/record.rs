//! What is recorded of calls, and their limits.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::audit;
use domain::model::audit::Filter;
use domain::model::person::authority::Authority;
use domain::model::server::gateway::CallLimits;
use domain::server::gateway::{self, GatewayEdit};
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::gateway::{Stage, as_stream, message};
use crate::support;

#[tokio::test]
async fn limits_are_watched_or_enforced() {
    let stage = Stage::new().await;
    let token = stage.token(&["docs:read"]).await;
    let limits = CallLimits { per_minute_each: Some(2), ..CallLimits::default() };
    stage.edit(GatewayEdit { limits: Some(limits), ..GatewayEdit::default() }).await;
    for _ in 0..3 {
        assert_eq!(stage.call(&token, "search").await.status, StatusCode::OK, "only watched");
    }
    stage.app.instance.clock.advance(Duration::from_secs(60));
    stage
        .edit(GatewayEdit { limits: Some(CallLimits { is_enforced: true, ..limits }), ..GatewayEdit::default() })
        .await;
    for _ in 0..2 {
        assert_eq!(stage.call(&token, "search").await.status, StatusCode::OK);
    }
    let refused = stage.call(&token, "search").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait));
    let other = stage.token(&["docs:read"]).await;
    assert_eq!(stage.call(&other, "search").await.status, StatusCode::OK, "another caller has its own limit");
    let listing = message(1, "tools/list", json!({})).to_string();
    assert_eq!(stage.send(&token, listing, &[]).await.status, StatusCode::OK, "a list is no call");
    assert_eq!(stage.recorded().await, [("tool search limited".to_owned(), 1), ("tool search ok".to_owned(), 5 + 1)]);
    let metrics = stage.app.instance.context.metrics.render("0", 0);
    assert!(metrics.contains("\ncountersign_calls_over_limit_total 1\n"), "only the watched one passed: {metrics}");
}

#[tokio::test]
async fn calls_are_recorded_without_arguments_and_results() {
    let stage = Stage::new().await;
    let credential = stage.credential(&["docs:all"]).await;
    let token = stage.exchange(&credential).await;
    stage.call(&token, "search").await;
    stage.call(&token, "invented").await;
    let failing = json!({ "jsonrpc": "2.0", "id": 1, "result": { "isError": true, "content": [] } });
    stage.upstream.answers(move |_| as_stream(&failing));
    stage.call(&token, "update").await;
    let wrong = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32602, "message": "no" } });
    stage.upstream.answers(move |_| axum::Json(wrong.clone()).into_response());
    stage.call(&token, "delete").await;
    stage.send(&token, message(1, "resources/read", json!({ "uri": "file:///private/data" })).to_string(), &[]).await;
    assert_eq!(
        stage.recorded().await,
        [
            ("resource  error".to_owned(), 1),
            ("tool (other) ok".to_owned(), 1),
            ("tool delete error".to_owned(), 1),
            ("tool search ok".to_owned(), 1),
            ("tool update tool_error".to_owned(), 1),
        ]
    );
    let calls = gateway::usage::latest(stage.context(), credential.credential.client_id.as_str(), "", 200).await;
    let calls = calls.expect("reads");
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|call| call.address.as_deref() == Some("192.0.2.1") && !call.request_id.is_empty()));
    assert!(!format!("{calls:?}").contains("private") && !format!("{calls:?}").contains("argument"));
}

#[tokio::test]
async fn the_first_use_of_a_destructive_tool_is_told_once_and_also_after_a_fault() {
    let stage = Stage::new().await;
    let token = stage.token(&["docs:all"]).await;
    let told = async || {
        let filter = Filter { action: Some("mcp_server.destructive_tool_used".to_owned()), ..Filter::default() };
        let entries = audit::list(stage.context(), &Authority::Everything, &filter, 10).await.expect("reads");
        entries
            .into_iter()
            .map(|entry| serde_json::from_str::<Value>(&entry.details).expect("JSON"))
            .collect::<Vec<_>>()
    };
    let times = async |count: usize| support::until(async || (told().await.len() == count).then_some(())).await;
    stage.call(&token, "delete").await;
    stage.edit(GatewayEdit { reports_destructive: Some(true), ..GatewayEdit::default() }).await;
    stage.call(&token, "search").await;
    assert!(told().await.is_empty(), "nobody asked for it, and reading destroys nothing");

    let mut connection = sqlx::AnyConnection::connect(stage.app.instance.database_url()).await.expect("opens");
    connection.execute("ALTER TABLE destructive_uses RENAME TO hidden").await.expect("renames");
    assert_eq!(stage.call(&token, "delete").await.status, StatusCode::OK, "a call does not wait for its record");
    // Changes happen one at a time, in their order: behind this one, the use was tried.
    stage
        .edit(GatewayEdit { reports_destructive: Some(true), sends_identity: Some(true), ..GatewayEdit::default() })
        .await;
    connection.execute("ALTER TABLE hidden RENAME TO destructive_uses").await.expect("renames");
    stage.call(&token, "delete").await;
    times(1).await;
    stage.call(&token, "delete").await;
    let other = stage.token(&["docs:all"]).await;
    stage.call(&other, "delete").await;
    times(2).await;
    assert!(told().await.iter().all(|details| details["tool"] == "delete" && details["address"] == "192.0.2.1"));
}

#[tokio::test]
async fn calls_that_cannot_be_counted_are_in_the_metrics() {
    let stage = Stage::new().await;
    let token = stage.token(&["docs:read"]).await;
    let mut connection = sqlx::AnyConnection::connect(stage.app.instance.database_url()).await.expect("opens");
    connection.execute("ALTER TABLE call_hours RENAME TO hidden").await.expect("renames");
    for _ in 0..3 {
        assert_eq!(stage.call(&token, "search").await.status, StatusCode::OK);
    }
    stage.context().calls.flush().await;
    let metrics = stage.context().metrics.render("0", 0);
    assert!(metrics.contains("\ncountersign_calls_not_recorded_total 3\n"), "{metrics}");
    connection.execute("ALTER TABLE hidden RENAME TO call_hours").await.expect("renames");
    stage.call(&token, "search").await;
    assert_eq!(stage.recorded().await, [("tool search ok".to_owned(), 1)]);
}

#[tokio::test]
async fn whoever_stops_credentials_sees_what_they_called_and_from_where() {
    let stage = Stage::new().await;
    let credential = stage.credential(&["docs:all"]).await;
    let token = stage.exchange(&credential).await;
    stage.call(&token, "search").await;
    stage.call(&token, "search").await;
    let narrow = stage.token(&["docs:read"]).await;
    stage.call(&narrow, "delete").await;
    let browser = stage.app.signed_in().await;
    let page = browser.get("/emergency?means=disable").await.body;
    let shown = page.split_once("By address").expect("the addresses").1;
    let row = shown.split_once("192.0.2.1").expect("the address").1.split_once("</tr>").expect("a row").0;
    assert!(row.contains("search") && row.contains("Docs") && row.contains(">2<"), "{row}");
    assert!(!shown.contains("delete"), "a call that was refused touched nothing: {shown}");
    let path = format!("/credentials/{}?view=usage", credential.credential.client_id);
    let page = browser.get(&path).await.body;
    assert!(page.split_once("By address").expect("the addresses").1.contains("192.0.2.1"));
}
