//! Clients that an administrator stops for a while: what is refused until they are enabled again, and what stays.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::form_body::TokenForm;
use domain::base::id::AppClientId;
use domain::client::{self, disable};
use domain::model::audit::Action;
use domain::model::person::session::PROOF_LIFETIME;
use domain::operations::housekeeping::Housekeeping;
use domain::server;
use domain::token::client_authentication::presented::Presented;
use domain::token::client_authentication::{ServedClients, authenticate};
use serde_json::json;

use crate::client_documents::{DOCUMENT, document};
use crate::device::{ask, asked, decide, device_client, enter, poll};
use crate::html::between;
use crate::interactive::{
    RESOURCE, code, confidential, error, granted, is_accepted, path, query, redemption, refreshing, registered, text,
};
use crate::personal_tokens::introspected;
use crate::revocation::bit;
use crate::roles::operator;
use crate::support::{App, PASSWORD, basic, basic_of};

const DAY: Duration = Duration::from_secs(24 * 3600);
const INVALID_CLIENT: &str = "invalid_client";

async fn disabled(app: &App, id: &str) {
    let id = AppClientId::parse(id).expect("an identifier");
    assert!(disable::disable(&app.instance.context, &operator(), &id).await.expect("disables"));
}

async fn enabled(app: &App, id: &str) {
    let id = AppClientId::parse(id).expect("an identifier");
    assert!(disable::enable(&app.instance.context, &operator(), &id).await.expect("enables"));
}

#[tokio::test]
async fn an_administrator_stops_a_client_and_lets_it_go_on() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = registered(&app).await;
    granted(&app, &browser, &client).await;
    let (access, refresh) = granted(&app, &browser, &client).await;
    let page = format!("/apps/clients/{client}");
    let [off, on] = ["disable", "enable"].map(|word| format!("{page}/{word}"));
    assert!(browser.get(&page).await.body.contains(&format!("href=\"{off}\"")));

    // A stop does not wait for a proof of who the person is. It says first what it affects.
    app.instance.clock.advance(PROOF_LIFETIME);
    let question = browser.get(&off).await.body.replace("<!>", "");
    for fact in [
        "<dt>People who gave it access</dt><dd>1</dd>",
        "<dt>Live sessions of the app</dt><dd>2</dd>",
        "<dt>Live access tokens</dt><dd>2<",
        "<dt>Last token</dt>",
        "It registered itself.",
        "within seconds by servers that read the status list",
    ] {
        assert!(question.contains(fact), "{fact}: {question}");
    }
    assert!(!question.contains("your_password"), "{question}");
    let stopped = browser.submit(&off, &off, &[]).await;
    assert_eq!(stopped.header("location"), format!("{page}?done=disabled"), "{}", stopped.body);
    let receipt = browser.get(stopped.header("location")).await.body.replace("<!>", "");
    assert!(
        receipt.contains("Disabled. The app cannot ask for access") && receipt.contains("Enable again"),
        "{receipt}"
    );
    assert!(receipt.contains("class=\"chip\">Disabled</span>"), "{receipt}");
    assert!(between(&receipt, "Latest changes", "</section>").contains("Client disabled"), "{receipt}");
    assert!(receipt.contains("2 consents"), "what people allowed stays: {receipt}");
    assert!(!is_accepted(&app, &access).await);
    let context = &app.instance.context;
    let built_in = server::find_named(context, RESOURCE).await.expect("reads").expect("is there").id;
    for list in ["/apps".to_owned(), format!("/servers/{built_in}?view=access&kind=apps")] {
        assert!(browser.get(&list).await.body.contains("class=\"chip\">Disabled</span>"), "{list}");
    }
    let looked_up = browser.submit("/tokens", "/tokens", &[("token", &access)]).await.body;
    assert!(looked_up.contains("Its app is disabled."), "{looked_up}");

    for (filter, is_listed) in [("", true), ("?status=disabled", true), ("?status=enabled", false)] {
        let list = browser.get(&format!("/apps/clients{filter}")).await.body;
        assert_eq!(list.contains(&page), is_listed, "{filter}: {list}");
        assert_eq!(list.contains("class=\"chip\">Disabled</span>"), is_listed, "{filter}");
    }

    // Letting it go on asks.
    assert!(browser.get(&on).await.body.contains("your_password"));
    assert_eq!(browser.submit(&on, &on, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = browser.submit(&on, &on, &[("your_password", PASSWORD)]).await;
    assert_eq!(again.header("location"), format!("{page}?done=enabled"), "{}", again.body);
    let receipt = browser.get(again.header("location")).await.body;
    assert!(receipt.contains("Enabled. ") && !receipt.contains(">Disabled</span>"), "{receipt}");
    assert!(is_accepted(&app, &access).await, "the same token");
    assert_eq!(app.token(&[], refreshing(&client, &refresh)).await.status, StatusCode::OK);
    // To ask twice is no error, and no entry.
    assert_eq!(browser.submit(&page, &on, &[]).await.status, StatusCode::SEE_OTHER);
    let entries = browser.get(&format!("/activity?action={}", Action::ClientEnabled.as_str())).await.body;
    assert_eq!(entries.matches("<tbody id=\"entry-").count(), 1, "{entries}");
}

#[tokio::test]
async fn a_client_that_is_stopped_is_refused_everywhere_and_its_consents_stay() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client).await;
    let unused = code(&browser, &client, &[]).await;
    let server = basic(&app.generated("resource server", &["tokens:introspect"]).await);
    assert_eq!(introspected(&app, &server, &access).await["active"], true);
    assert_eq!(bit(&app, &access).await, 0);

    disabled(&app, &client).await;
    let asked = browser.get(&path(&query(&client, &[]))).await;
    assert_eq!((asked.status, asked.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert!(asked.body.contains("An administrator has disabled this app here."), "{}", asked.body);
    for body in [redemption(&client, &unused, &[]), refreshing(&client, &refresh)] {
        assert_eq!(error(&app.token(&[], body).await), (401, INVALID_CLIENT.to_owned()));
    }
    assert_eq!(introspected(&app, &server, &access).await, json!({ "active": false }));
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(bit(&app, &access).await, 1);
    // The log says why.
    let form = TokenForm::parse(refreshing(&client, &refresh).as_bytes()).expect("a form");
    let refused = authenticate(&app.instance.context, Presented::Nothing, &form, ServedClients::Interactive).await;
    assert_eq!(refused.expect_err("refused").detail, "the client is disabled");

    enabled(&app, &client).await;
    assert_eq!(introspected(&app, &server, &access).await["active"], true);
    assert!(is_accepted(&app, &access).await);
    assert_eq!(bit(&app, &access).await, 0);
    assert_eq!(app.token(&[], redemption(&client, &unused, &[])).await.status, StatusCode::OK, "within its minute");
    assert_eq!(app.token(&[], refreshing(&client, &refresh)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_consent_that_is_given_while_the_client_is_stopped_gets_no_code() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = registered(&app).await;
    let query = query(&client, &[]);
    let page = browser.get(&path(&query)).await;
    disabled(&app, &client).await;
    let token = crate::support::form_token(&page.body);
    let fields = [("form_token", token.as_str()), ("request", &query), ("decision", "allow")];
    let answer = browser.post("/mcp/oauth/authorize", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert!(answer.body.contains("An administrator has disabled this app here."), "{}", answer.body);
}

#[tokio::test]
async fn devices_of_a_client_that_is_stopped_get_nothing() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = device_client(&app).await;
    let ((waiting, user_code), (allowed, allowed_code)) = (asked(&app, &client).await, asked(&app, &client).await);
    decide(&browser, &allowed_code, "allow").await;
    disabled(&app, &client).await;
    assert_eq!(error(&ask(&app, &[("client_id", &client)]).await), (401, INVALID_CLIENT.to_owned()));
    for device_code in [&waiting, &allowed] {
        assert_eq!(error(&poll(&app, &client, device_code).await), (401, INVALID_CLIENT.to_owned()));
    }
    let page = enter(&browser, &user_code).await;
    assert!(page.body.contains("An administrator has disabled this app here."), "{}", page.body);
    enabled(&app, &client).await;
    let access = text(&poll(&app, &client, &allowed).await, "access_token");
    assert!(is_accepted(&app, &access).await);
    assert_eq!(decide(&browser, &user_code, "allow").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_confidential_client_that_is_stopped_does_not_prove_itself() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client, secret) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let code = code(&browser, &client, &[callback]).await;
    disabled(&app, &client).await;
    let proof = basic_of(&client, &secret);
    let redeem =
        async || app.token(&[("authorization", &proof)], redemption("", &code, &[callback, ("client_id", "")])).await;
    assert_eq!(error(&redeem().await), (401, INVALID_CLIENT.to_owned()));
    enabled(&app, &client).await;
    assert_eq!(redeem().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_document_that_is_read_again_lets_no_client_go_on() {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let (access, _) = granted(&app, &browser, DOCUMENT).await;
    disabled(&app, DOCUMENT).await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({ "client_name": "Editor Two" })));
    app.instance.clock.advance(DAY);
    browser.sign_in(PASSWORD).await;
    let page = browser.get(&path(&query(DOCUMENT, &[]))).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("An administrator has disabled this app here."), "{}", page.body);
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 1, "nobody asks for its document");
    assert_eq!(error(&ask(&app, &[("client_id", DOCUMENT)]).await).1, INVALID_CLIENT);
    assert!(!is_accepted(&app, &access).await);
    // A client that nobody uses is removed some day. This one is kept, or its document would bring it back.
    let mut housekeeping = Housekeeping::default();
    app.instance.clock.advance(200 * DAY);
    for _ in 0..2 {
        housekeeping.run(&app.instance.context).await.expect("runs");
    }
    let id = AppClientId::parse(DOCUMENT).expect("an identifier");
    let kept = client::find(&app.instance.context, &id).await.expect("reads").expect("is kept");
    assert!(kept.disabled_at.is_some());
    enabled(&app, DOCUMENT).await;
    browser.sign_in(PASSWORD).await;
    let page = browser.get(&path(&query(DOCUMENT, &[]))).await.body.replace("<!>", "");
    assert!(page.contains("<b>Editor Two</b>"), "{page}");
}
