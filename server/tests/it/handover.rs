//! Secrets that are handed over by a link: it opens once, within its time, with its word.

use std::time::Duration;

use axum::http::StatusCode;
use domain::credential::generate::Generated;
use domain::credential::{handover, revoke};
use sqlx::{Connection, Row};

use crate::roles::operator;
use crate::support::{Answer, App, Browser, basic};

const OPEN: &str = "/handover";

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

async fn works(app: &App, generated: &Generated) -> bool {
    app.token(&[("authorization", &basic(generated))], "grant_type=client_credentials").await.status == StatusCode::OK
}

/// Makes a link for the secret, and returns the path that it opens.
async fn handed_over(browser: &Browser<'_>, generated: &Generated, more: &[(&str, &str)]) -> String {
    let id = &generated.credential.client_id;
    let fields = [&[("client_secret", secret(generated))], more].concat();
    let made = browser.submit(&format!("/credentials/{id}"), &format!("/credentials/{id}/handover"), &fields).await;
    assert_eq!((made.status, made.header("cache-control")), (StatusCode::OK, "no-store"), "{}", made.words());
    assert!(!made.body.contains(secret(generated)), "the page of the link does not show the secret");
    let link = made.body.split("value=\"http://localhost:8080/handover?token=").nth(1).expect("a link");
    format!("/handover?token={}", link.split('"').next().expect("its end"))
}

async fn opened(app: &App, path: &str, word: &str) -> Answer {
    let token = path.split_once("token=").expect("a token").1;
    app.browser().submit("/login", OPEN, &[("token", token), ("word", word)]).await
}

#[tokio::test]
async fn a_link_opens_a_secret_once_and_leaves_nothing_readable_behind() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let path = handed_over(&browser, &job, &[("within", "24h"), ("made_for", "Grace at Acme")]).await;
    let stored = rows(&app).await;
    assert!(!stored.contains(secret(&job)) && !stored.contains(path.split_once("token=").expect("a token").1));
    // Programs that preview links open nothing.
    for _ in 0..3 {
        let page = app.browser().get(&path).await;
        assert_eq!((page.status, page.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
        assert!(page.words().contains("hands a secret over for Grace at Acme"), "{}", page.words());
        assert!(!page.body.contains(secret(&job)) && !page.body.contains(job.credential.client_id.as_str()));
    }
    let page = opened(&app, &path, "").await;
    assert_eq!((page.status, page.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
    for shown in [secret(&job), job.credential.client_id.as_str(), "http://localhost:8080/mcp", "nightly job"] {
        assert!(
            page.body.replace("<!>", "").contains(shown) || page.words().contains(shown),
            "{shown}: {}",
            page.words()
        );
    }
    let again = opened(&app, &path, "").await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(!again.body.contains(secret(&job)));
    assert_eq!(app.browser().get(&path).await.status, StatusCode::GONE);
    let activity = browser.get("/activity").await.words();
    for words in ["Link made to hand a secret over", "Secret opened by its receiver"] {
        assert!(activity.contains(words), "{words}: {activity}");
    }
    let view = browser.get(&format!("/credentials/{}?view=secrets", job.credential.client_id)).await.words();
    assert!(view.contains("Grace at Acme") && view.contains("Opened"), "{view}");
    app.instance.clock.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(handover::end_due(&app.instance.context).await.expect("ends"), 0);
    assert!(works(&app, &job).await, "an opened secret stays");
}

/// Everything that the table holds, as text.
async fn rows(app: &App) -> String {
    let url = app.instance.database_url().replacen("sqlite://", "sqlite:", 1);
    let mut connection = sqlx::AnyConnection::connect(&url).await.expect("opens");
    let all = "SELECT token_hash || COALESCE(sealed, '') || made_for || made_by AS text FROM handovers";
    let found = sqlx::query(all).fetch_all(&mut connection).await.expect("reads");
    found.iter().map(|row| row.get::<String, _>("text")).collect()
}

#[tokio::test]
async fn a_secret_that_nobody_opens_in_time_ends() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let path = handed_over(&browser, &job, &[("within", "1h")]).await;
    app.instance.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(handover::end_due(&app.instance.context).await.expect("ends"), 0);
    assert!(works(&app, &job).await);
    app.instance.clock.advance(Duration::from_secs(40 * 60));
    assert_eq!(opened(&app, &path, "").await.status, StatusCode::GONE);
    assert_eq!(handover::end_due(&app.instance.context).await.expect("ends"), 1);
    assert!(!works(&app, &job).await);
    browser.sign_in(crate::support::PASSWORD).await;
    assert!(browser.get("/activity").await.words().contains("Secret not opened in time"));
}

#[tokio::test]
async fn a_link_with_a_word_opens_with_the_word_and_ends_after_five_wrong_ones() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (one, two) = (app.generated("one", &["mcp:read"]).await, app.generated("two", &["mcp:read"]).await);
    let word = [("within", "1h"), ("word", "blue whale")];
    let path = handed_over(&browser, &one, &word).await;
    let refused = opened(&app, &path, "red whale").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.words().contains("This is not the word. 4 tries are left."), "{}", refused.words());
    assert!(opened(&app, &path, " blue whale ").await.body.contains(secret(&one)));

    let path = handed_over(&browser, &two, &word).await;
    for left in [4, 3, 2, 1] {
        let refused = opened(&app, &path, "").await.words();
        assert!(refused.contains(&format!("{left} tr")), "{left}: {refused}");
    }
    assert_eq!(opened(&app, &path, "wrong").await.status, StatusCode::GONE);
    assert_eq!(opened(&app, &path, "blue whale").await.status, StatusCode::GONE);
    assert!(!works(&app, &two).await, "somebody else has the link: the secret ends");
}

#[tokio::test]
async fn only_a_working_secret_of_the_credential_is_handed_over() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (one, two) = (app.generated("one", &["mcp:read"]).await, app.generated("two", &["mcp:read"]).await);
    let (page, action) = (format!("/credentials/{}", one.credential.client_id), "handover");
    for (secret, within, word, words) in [
        (secret(&two), "1h", "", "This is not a working secret of this credential."),
        ("css_x", "1h", "", "This is not a working secret of this credential."),
        (secret(&one), "1y", "", "Choose one of the times."),
        (secret(&one), "1h", "abc", "Use 4 to 100 characters, or leave it empty."),
    ] {
        let fields = [("client_secret", secret), ("within", within), ("word", word)];
        let refused = browser.submit(&page, &format!("{page}/{action}"), &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(refused.words().contains(words) && refused.body.contains(secret), "the secret is not lost: {words}");
    }
    let first = handed_over(&browser, &one, &[("within", "1h")]).await;
    let second = handed_over(&browser, &one, &[("within", "1h")]).await;
    assert_eq!(opened(&app, &first, "").await.status, StatusCode::GONE, "a newer link replaces it");
    revoke::revoke(&app.instance.context, &operator(), &one.credential.client_id, "").await.expect("revoked");
    assert_eq!(opened(&app, &second, "").await.status, StatusCode::GONE, "the secret ended");
}
