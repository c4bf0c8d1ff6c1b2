//! What an operator's Prometheus reads.

use axum::http::StatusCode;
use server::metrics;

use crate::support::{App, basic};

#[tokio::test]
async fn exchanges_and_refusals_are_counted_and_nobody_is_named() {
    let app = App::new().await;
    let generated = app.generated("nightly", &[]).await;
    for _ in 0..3 {
        let answer = app.token(&[("authorization", &basic(&generated))], "grant_type=client_credentials").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let wrong = format!("grant_type=client_credentials&client_id={}", generated.credential.client_id);
    let wrong = format!("{wrong}&client_secret=css_{}", "0".repeat(49));
    assert_eq!(app.token(&[], wrong).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get("/metrics").await.status, StatusCode::NOT_FOUND, "not on the public address");

    let scraped = App { router: metrics::router(app.instance.context.clone()), ..app };
    let answer = scraped.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for expected in [
        "countersign_exchanges_total 3\n",
        "countersign_refusals_total{cause=\"wrong_secret\"} 1\n",
        "countersign_exchange_seconds_count 4\n",
        "countersign_ledger_batch_requests_count 3\n",
        "countersign_ledger_queue 0\n",
        "countersign_ledger_errors_total 0\n",
    ] {
        assert!(answer.body.contains(expected), "{expected}{}", answer.body);
    }
    for hidden in ["csc_", "nightly", "css_"] {
        assert!(!answer.body.contains(hidden), "{hidden}");
    }
    assert_eq!(scraped.get("/credentials").await.status, StatusCode::NOT_FOUND, "nothing else is there");
}
