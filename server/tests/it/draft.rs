//! Forms that outlive their session are given back with what was typed.

use std::time::Duration;

use axum::http::StatusCode;
use domain::credential::list::list;
use domain::model::credential::query::Query;
use domain::model::person::authority::Authority;
use domain::model::person::team::InvitedRole;

use crate::html::form_token;
use crate::roles::joined;
use crate::support::{Answer, App, Browser, PASSWORD};

const NAME: &str = "written before lunch";
const STALE: &str = "nothing was changed. Check it and send it again.";

/// Sends the form for a credential after the session of the browser has ended.
async fn sent_too_late(browser: &Browser<'_>, more: &[(&str, &str)]) -> Answer {
    let token = form_token(&browser.get("/credentials/new").await.body);
    browser.cookies.lock().expect("a lock").remove("countersign_session");
    let typed = [("form_token", token.as_str()), ("name", NAME), ("ip_ranges", "10.0.0.0/8"), ("scope", "mcp:read")];
    let answer = browser.post("/credentials/new", &[&typed, more].concat()).await;
    assert_eq!(answer.header("location"), "/login?unsaved=yes&next=%2Fcredentials%2Fnew");
    answer
}

async fn credentials(app: &App) -> usize {
    let listed = list(&app.instance.context, &Authority::Everything, &Query::default(), 10).await.expect("reads");
    listed.credentials.len()
}

#[tokio::test]
async fn a_form_is_given_back_after_the_sign_in_with_what_was_typed() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let secret = "a password that somebody typed";
    let sent = sent_too_late(&browser, &[("your_password", secret), ("code", "123456")]).await;
    assert!(browser.cookie("countersign_draft").is_some_and(|sealed| sealed.starts_with("w2$")), "sealed");
    let said = browser.get(sent.header("location")).await;
    assert!(said.body.contains("opens again with what you typed"), "{}", said.body);

    // Other pages, and the page itself before the sign-in, leave the form where it is.
    assert_eq!(browser.get("/credentials/new").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert!(!browser.get("/credentials").await.body.contains(NAME));
    let given_back = browser.get("/credentials/new").await;
    for typed in [NAME, "10.0.0.0/8", STALE] {
        assert!(given_back.body.contains(typed), "{typed}: {}", given_back.body);
    }
    assert!(!given_back.body.contains(secret) && !given_back.body.contains("123456"));
    assert_eq!(credentials(&app).await, 0, "nothing was generated");
    assert_eq!(browser.cookie("countersign_draft"), None);
    assert!(!browser.get("/credentials/new").await.body.contains(NAME), "a form is given back once");

    let fields = [("form_token", form_token(&given_back.body)), ("name", NAME.to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let generated = browser.post("/credentials/new", &[&fields, &[("scope", "mcp:read")] as &[_]].concat()).await;
    assert!(generated.status.is_success(), "{}", generated.body);
    assert_eq!(credentials(&app).await, 1);
}

#[tokio::test]
async fn a_form_is_given_back_only_to_this_browser_for_a_while() {
    let app = App::new().await;
    let browser = app.signed_in().await;

    // After a quarter of an hour.
    sent_too_late(&browser, &[]).await;
    let kept = browser.cookie("countersign_draft").expect("a cookie");
    app.instance.clock.advance(Duration::from_secs(15 * 60));
    browser.sign_in(PASSWORD).await;
    assert!(!browser.get("/credentials/new").await.body.contains(NAME), "too late");

    // After somebody signed out.
    browser.cookies.lock().expect("a lock").remove("countersign_draft");
    sent_too_late(&browser, &[]).await;
    browser.sign_in(PASSWORD).await;
    browser.submit("/account", "/logout", &[]).await;
    assert_eq!(browser.cookie("countersign_draft"), None);

    // A cookie that somebody changed, and a form of another site.
    browser.sign_in(PASSWORD).await;
    let changed = format!("{}A", &kept[..kept.len() - 1]);
    browser.cookies.lock().expect("a lock").insert("countersign_draft".to_owned(), changed);
    let page = browser.get("/credentials/new").await;
    assert!(page.status.is_success() && !page.body.contains(NAME));
    for cookie in ["countersign_session", "countersign_draft"] {
        browser.cookies.lock().expect("a lock").remove(cookie);
    }
    for headers in [&[] as &[_], &[("sec-fetch-site", "cross-site")]] {
        browser.post_with("/credentials/new", &[("name", NAME)], headers).await;
        assert_eq!(browser.cookie("countersign_draft"), None, "{headers:?}");
    }

    // A form that no cookie holds.
    let long = "x".repeat(4_000);
    browser.post("/credentials/new", &[("name", NAME), ("notes", &long)]).await;
    assert_eq!(browser.cookie("countersign_draft"), None);
}

#[tokio::test]
async fn a_form_is_for_the_person_who_typed_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let grace = joined(&app, "grace@example.com", InvitedRole::Administrator).await;
    sent_too_late(&browser, &[]).await;
    browser.sign_in_as(&grace.email, PASSWORD).await;
    let page = browser.get("/credentials/new").await;
    assert!(page.status.is_success() && !page.body.contains(NAME), "{}", page.words());
    assert_eq!(browser.cookie("countersign_draft"), None);

    // Nobody has signed in before in this browser, so it is not known whose form it is.
    browser.cookies.lock().expect("a lock").remove("countersign_device");
    sent_too_late(&browser, &[]).await;
    assert_eq!(browser.cookie("countersign_draft"), None);
}

#[tokio::test]
async fn a_form_with_a_mistake_is_given_back_and_secrets_are_left_out() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let secret = app.generated("job", &[]).await.secret.map(|secret| secret.expose().to_owned()).expect("a secret");
    sent_too_late(&browser, &[("notes", &format!("its secret is {secret}")), ("tags", "nightly"), ("expiry", "x")])
        .await;
    browser.sign_in(PASSWORD).await;
    let page = browser.get("/credentials/new").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains(NAME) && page.body.contains("nightly"), "{}", page.body);
    assert!(!page.body.contains(&secret[..20]), "{}", page.body);

    // Without the address of the webhook, which can hold a secret.
    browser.cookies.lock().expect("a lock").remove("countersign_session");
    let typed = [("name", "alerts"), ("url", "https://hooks.example.com/T0/secret")];
    browser.post("/settings/webhooks/new", &typed).await;
    browser.sign_in(PASSWORD).await;
    let page = browser.get("/settings/webhooks/new").await;
    assert!(page.body.contains("alerts") && !page.body.contains("hooks.example.com"), "{}", page.body);

    // A form that shows a secret means nothing without it.
    browser.cookies.lock().expect("a lock").remove("countersign_session");
    browser.post("/credentials/new", &[("name", NAME), ("client_secret", &secret)]).await;
    assert_eq!(browser.cookie("countersign_draft"), None);
}
