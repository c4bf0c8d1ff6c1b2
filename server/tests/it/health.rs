//! Whether a server is ready, and what it still serves while the database is away.

use std::time::Duration;

use axum::http::StatusCode;
use domain::store::Engine;
use server::state::AppState;
use sqlx::{Connection, Executor};

use crate::support::{App, router, until};

#[tokio::test]
async fn a_server_that_cannot_write_is_not_ready_and_says_why_in_one_word() {
    let app = App::new().await;
    let answer = app.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "ready"));
    let mut connection = sqlx::AnyConnection::connect(app.instance.database_url()).await.expect("opens");
    // Everything can be read, and nothing can be written.
    connection.execute("ALTER TABLE write_probe RENAME TO hidden").await.expect("renames");
    let answer = until(async || Some(app.get("/readyz").await).filter(|answer| answer.status != StatusCode::OK)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "database"));
    assert_eq!(answer.header("retry-after"), "1");
    connection.execute("ALTER TABLE hidden RENAME TO write_probe").await.expect("renames");
    let answer = until(async || Some(app.get("/readyz").await).filter(|answer| answer.status == StatusCode::OK)).await;
    assert_eq!(answer.body, "ready");
}

#[tokio::test]
async fn a_server_whose_clock_differs_from_the_databases_is_not_ready() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    // The clock of the test shows another day than the clock of PostgreSQL. SQLite has no clock of its own.
    let expected = match context.store.engine() {
        Engine::Postgres => (StatusCode::SERVICE_UNAVAILABLE, "clock"),
        Engine::Sqlite => (StatusCode::OK, "ready"),
    };
    let app = App { router: router(AppState::new(context, vec![], vec![]).comparing_clocks()), ..app };
    let answer = app.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), expected);
}

#[tokio::test]
async fn keys_and_status_lists_are_served_from_memory_while_the_database_is_away() {
    let app = App::new().await;
    app.generated("job", &[]).await;
    let (keys, list) = (app.get("/mcp/oauth/jwks").await, app.get("/mcp/oauth/status/0").await);
    assert_eq!((keys.status, list.status), (StatusCode::OK, StatusCode::OK));

    let mut connection = sqlx::AnyConnection::connect(app.instance.database_url()).await.expect("opens");
    connection.execute("ALTER TABLE signing_keys RENAME TO hidden_keys").await.expect("renames");
    connection.execute("ALTER TABLE audit_head RENAME TO hidden_head").await.expect("renames");
    app.instance.clock.advance(Duration::from_secs(290));
    let answer = app.get("/mcp/oauth/jwks").await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &keys.body));
    let answer = app.get("/mcp/oauth/status/0").await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &list.body));
    assert_eq!(app.get("/mcp/oauth/status/1").await.status, StatusCode::SERVICE_UNAVAILABLE, "it was never signed");

    app.instance.clock.advance(Duration::from_secs(20));
    for path in ["/mcp/oauth/jwks", "/mcp/oauth/status/0"] {
        assert_eq!(app.get(path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: its lifetime is over");
    }
}
