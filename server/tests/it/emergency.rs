//! Many at once: a stop that takes a while, and new secrets after a leak.

use axum::http::StatusCode;
use domain::credential::list::list;
use domain::model::credential::query::{Query, Show};
use domain::model::person::authority::Authority;
use server::state::AppState;

use crate::support::{Answer, App, router};
use crate::words::title;

async fn count(app: &App, show: Show) -> usize {
    let query = Query { show, ..Query::default() };
    list(&app.instance.context, &Authority::Everything, &query, 50).await.expect("lists").credentials.len()
}

#[tokio::test]
async fn a_stop_of_many_shows_its_progress_and_its_end() {
    let app = App::new().await;
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]).with_stop_batch_size(2);
    let app = App { router: router(state), ..app };
    for number in 0..5 {
        app.generated(&format!("job {number}"), &[]).await;
    }
    let browser = app.signed_in().await;
    let fields = [("means", "disable"), ("confirmation", "STOP"), ("reason", "drill")];
    let page = browser.submit("/emergency?means=disable", "/emergency", &fields).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    let lines = ["2 of 5", "4 of 5", "5 of 5", "Done. Stopped: 5 credentials."];
    let places: Vec<usize> = lines.iter().map(|line| page.body.find(line).expect(line)).collect();
    assert!(places.is_sorted() && page.body.trim_end().ends_with("</html>"), "{}", page.body);
    assert!(!page.body.contains("(progress)"));
    assert_eq!(count(&app, Show::Disabled).await, 5);
    // A few lead back at once.
    let undo = browser.get("/emergency").await.body;
    assert!(undo.contains("5 credentials are"), "{undo}");
    let first = app.generated("one more", &[]).await.credential.client_id;
    let page = browser
        .submit("/settings/stop?means=revoke", "/settings/stop", &[("means", "disable"), ("confirmation", "STOP")])
        .await;
    assert_eq!(page.header("location"), "/emergency?done=disabled&count=1", "{first}");
}

#[tokio::test]
async fn every_secret_that_leaked_is_renewed_at_once() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (one, two) = (app.generated("first job", &[]).await, app.generated("second job", &["tokens:introspect"]).await);
    let secret = |generated: &domain::credential::generate::Generated| {
        generated.secret.as_ref().expect("a secret").expose().to_owned()
    };
    let text = format!("A={} B={}", secret(&one), secret(&two));
    let found = browser.submit("/leaks", "/leaks", &[("text", &text), ("days", "7")]).await.body;
    for offer in ["Revoke all 2", "Rotate all 2", "Generate 2 replacements"] {
        assert!(found.contains(offer), "{offer}");
    }
    let ids = format!("{} {}", one.credential.client_id, two.credential.client_id);
    let fields = [("client_ids", ids.as_str()), ("how", "rotate")];
    let asked = browser.submit("/leaks", "/leaks/renew", &fields).await;
    assert!(asked.body.contains("Rotate 2 secrets?") && count(&app, Show::Rotating).await == 0, "asks first");

    let works = async |secret: &str| {
        let body = format!("grant_type=client_credentials&client_secret={secret}");
        app.token(&[], body).await.status == StatusCode::OK
    };
    let secrets = |answer: &Answer| -> Vec<String> {
        let parts = answer.body.split("value=\"css_").skip(1);
        parts.map(|part| format!("css_{}", part.split('"').next().expect("an end"))).collect()
    };
    let token = crate::support::form_token(&asked.body);
    let fields = [
        ("client_ids", ids.as_str()),
        ("how", "rotate"),
        ("overlap", "900"),
        ("confirmed", "yes"),
        ("form_token", &token),
    ];
    let shown = browser.post("/leaks/renew", &fields).await;
    assert_eq!((shown.header("cache-control"), shown.header("referrer-policy")), ("no-store", "no-referrer"));
    let new = secrets(&shown);
    assert_eq!(new.len(), 2);
    for secret in new.iter().chain(&[secret(&one), secret(&two)]) {
        assert!(works(secret).await, "old and new work");
    }
    let again = browser.post("/leaks/renew", &fields).await;
    assert!(
        secrets(&again).is_empty() && again.body.contains("This form was sent before. Its new secret was shown then."),
        "a reload makes none: {}",
        again.body
    );

    let fields = [("client_ids", ids.as_str()), ("how", "replace"), ("confirmed", "yes")];
    let replaced = browser.submit("/leaks", "/leaks/renew", &fields).await;
    let new = secrets(&replaced);
    assert_eq!((new.len(), count(&app, Show::All).await), (2, 4));
    let answer = app.token(&[], format!("grant_type=client_credentials&client_secret={}", new[1])).await;
    assert_eq!(answer.json()["scope"], "tokens:introspect", "with the same settings");
}

#[tokio::test]
async fn a_wrong_limit_of_a_stop_is_named_at_its_field() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let path = "/emergency?means=shred&team=nonsense&created_before=tomorrow&made_by=";
    for answer in [browser.get(path).await, browser.get(&path.replace("/emergency", "/settings/stop")).await] {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(title(&answer.body), "Error: Emergency stop · Countersign");
        for field in ["means", "team", "created_before"] {
            assert!(answer.body.contains(&format!("id=\"{field}-error\"")), "{field}: {}", answer.body);
        }
        assert!(answer.body.contains("There are 3 problems") && answer.body.contains("value=\"tomorrow\""));
    }
}
