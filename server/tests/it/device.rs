//! The device grant (RFC 8628): the endpoint, the page on which a person answers, and the requests for the token. What
//! ends a request from outside is in `device_ends.rs`.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::client::{self, ClientDraft};
use domain::model::audit::{Action, AuditEntry, Filter};
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::server::{self, ServerDraft};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::html::between;
use crate::interactive::{RESOURCE, error, is_accepted, path, query, refreshing, register, registered, text};
use crate::roles::operator;
use crate::support::{Answer, App, Browser, FORM, basic, basic_of, form_token};
use crate::words::text as words;

pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ENDPOINT: &str = "/mcp/oauth/device_authorization";

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What `mcp-remote` registers as.
pub(crate) async fn device_client(app: &App) -> String {
    let metadata = json!({
        "client_name": "mcp-remote", "redirect_uris": [], "grant_types": [DEVICE_GRANT, "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none",
    });
    let answer = register(app, &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["grant_types"], json!([DEVICE_GRANT, "refresh_token"]));
    assert_eq!((&answer["redirect_uris"], &answer["response_types"]), (&json!([]), &json!([])));
    answer["client_id"].as_str().expect("an identifier").to_owned()
}

/// A request for codes.
pub(crate) async fn ask(app: &App, pairs: &[(&str, &str)]) -> Answer {
    ask_with(app, &[], pairs).await
}

async fn ask_with(app: &App, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(ENDPOINT).header("content-type", FORM).header("user-agent", "mcp-remote/0.15");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(encoded(pairs))).expect("a request")).await
}

/// The device code and the user code of a new request for the built-in server.
pub(crate) async fn asked(app: &App, client_id: &str) -> (String, String) {
    let answer = ask(app, &[("client_id", client_id), ("scope", "mcp:read"), ("resource", RESOURCE)]).await;
    (text(&answer, "device_code"), text(&answer, "user_code"))
}

/// A request for the token.
pub(crate) async fn poll(app: &App, client_id: &str, device_code: &str) -> Answer {
    let pairs = [("grant_type", DEVICE_GRANT), ("client_id", client_id), ("device_code", device_code)];
    app.token(&[], encoded(&pairs)).await
}

/// The error of a request for the token.
pub(crate) async fn polled(app: &App, client_id: &str, device_code: &str) -> String {
    let (status, word) = error(&poll(app, client_id, device_code).await);
    assert_eq!(status, 400, "{word}");
    word
}

/// Enters a code.
pub(crate) async fn enter(browser: &Browser<'_>, user_code: &str) -> Answer {
    browser.submit("/device", "/device", &[("user_code", user_code)]).await
}

/// Enters a code and presses a button of the page that asks.
pub(crate) async fn decide(browser: &Browser<'_>, user_code: &str, decision: &str) -> Answer {
    let page = enter(browser, user_code).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let server = between(&page.body, "name=\"server\" value=\"", "\"").to_owned();
    let token = form_token(&page.body);
    let fields = [("form_token", &*token), ("user_code", user_code), ("server", &server), ("decision", decision)];
    browser.post("/device", &fields).await
}

/// An access token and a refresh token that a device got.
pub(crate) async fn granted(app: &App, browser: &Browser<'_>, client_id: &str) -> (String, String) {
    let (device_code, user_code) = asked(app, client_id).await;
    assert_eq!(decide(browser, &user_code, "allow").await.status, StatusCode::OK);
    let answer = poll(app, client_id, &device_code).await;
    (text(&answer, "access_token"), text(&answer, "refresh_token"))
}

async fn newest(app: &App) -> AuditEntry {
    let context = &app.instance.context;
    let entries = audit::list(context, &Authority::Everything, &Filter::default(), 1).await.expect("reads");
    entries.into_iter().next().expect("an entry")
}

async fn seconds(app: &App, seconds: u64) {
    app.instance.clock.advance(Duration::from_secs(seconds));
}

#[tokio::test]
async fn a_program_without_a_browser_gets_access_and_a_person_sees_and_ends_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let answer = ask(&app, &[("client_id", &client_id), ("scope", "mcp:read"), ("resource", RESOURCE)]).await;
    assert_eq!((answer.header("cache-control"), answer.header("access-control-allow-origin")), ("no-store", "*"));
    let (device_code, user_code) = (text(&answer, "device_code"), text(&answer, "user_code"));
    assert!(device_code.starts_with("csd_") && device_code.len() == 53, "{device_code}");
    let letters = |part: &str| part.len() == 4 && part.bytes().all(|byte| b"BCDFGHJKLMNPQRSTVWXZ".contains(&byte));
    assert!(user_code.split('-').all(letters), "{user_code}");
    let page = text(&answer, "verification_uri_complete");
    assert_eq!(page, format!("{}?user_code={user_code}", text(&answer, "verification_uri")));
    assert_eq!((&answer.json()["expires_in"], &answer.json()["interval"]), (&json!(600), &json!(5)));
    assert_eq!(polled(&app, &client_id, &device_code).await, "authorization_pending");

    // The code survives the sign-in, and alone it allows nothing.
    let address = page.strip_prefix("http://localhost:8080").expect("an address of ours");
    let login = app.browser().get(address).await;
    assert!(login.header("location").contains(&user_code), "{}", login.header("location"));
    let form = browser.get(address).await;
    assert!(form.body.contains(&format!("value=\"{user_code}\"")), "{}", form.body);
    let before = newest(&app).await.seq;
    let written = user_code.to_lowercase().replace('-', " ");
    let question = enter(&browser, &written).await;
    for shown in [
        "Allow access",
        "mcp-remote wants to use Built-in server as you",
        "Nobody has checked the name",
        "mcp:read",
        "A device that asked from 192.0.2.1",
        user_code.as_str(),
        "mcp-remote/0.15",
        "Allow this only if you started it yourself and the code is the one on your device.",
    ] {
        assert!(words(&question.body).contains(shown), "{shown}: {}", words(&question.body));
    }
    assert_eq!(newest(&app).await.seq, before, "nothing was decided");
    let receipt = decide(&browser, &written, "allow").await;
    assert!(receipt.body.contains("Access allowed") && receipt.body.contains("href=\"/apps\""), "{}", receipt.body);
    let entry = newest(&app).await;
    let details: Value = serde_json::from_str(&entry.details).expect("JSON");
    assert_eq!(entry.action, Action::GrantAllowed.as_str());
    assert_eq!((&details["device"], &details["asked_from"]), (&json!(true), &json!("192.0.2.1")));

    seconds(&app, 5).await;
    let answer = poll(&app, &client_id, &device_code).await;
    assert_eq!((text(&answer, "token_type"), text(&answer, "scope")), ("Bearer".to_owned(), "mcp:read".to_owned()));
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    let next = app.token(&[], refreshing(&client_id, &text(&answer, "refresh_token"))).await;
    let access = text(&next, "access_token");
    let apps = browser.get("/apps").await.body;
    assert!(apps.contains("signed in on a device, name not checked"), "{apps}");
    let grant = format!("gra_{}", between(&apps, "value=\"gra_", "\""));
    assert_eq!(browser.submit("/apps", "/fn/end_grant", &[("grant", &grant)]).await.status, StatusCode::SEE_OTHER);
    assert!(!is_accepted(&app, &access).await);
}

#[tokio::test]
async fn a_program_that_asks_too_often_must_wait_longer_each_time() {
    let app = App::new().await;
    let client_id = device_client(&app).await;
    let (code, _) = asked(&app, &client_id).await;
    for (wait, expected) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (4, "slow_down"),
        (9, "slow_down"),
        (14, "slow_down"),
        (20, "authorization_pending"),
        (20, "authorization_pending"),
        (19, "slow_down"),
    ] {
        seconds(&app, wait).await;
        assert_eq!(polled(&app, &client_id, &code).await, expected, "after {wait} seconds");
    }
    // Networks delay one request more than the next.
    let (code, _) = asked(&app, &client_id).await;
    assert_eq!(polled(&app, &client_id, &code).await, "authorization_pending");
    app.instance.clock.advance(Duration::from_millis(4600));
    assert_eq!(polled(&app, &client_id, &code).await, "authorization_pending");
}

#[tokio::test]
async fn a_denied_code_and_an_old_one_say_so() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (code, user_code) = asked(&app, &client_id).await;
    let receipt = decide(&browser, &user_code, "deny").await;
    assert!(receipt.body.contains("Access denied"), "{}", receipt.body);
    assert_eq!(newest(&app).await.action, Action::GrantDenied.as_str());
    assert_eq!(polled(&app, &client_id, &code).await, "access_denied");
    let again = enter(&browser, &user_code).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("This code was used before."), "{}", again.body);

    let (code, user_code) = asked(&app, &client_id).await;
    let (late, late_code) = asked(&app, &client_id).await;
    assert_eq!(decide(&browser, &late_code, "allow").await.status, StatusCode::OK);
    seconds(&app, 599).await;
    assert_eq!(polled(&app, &client_id, &code).await, "authorization_pending");
    seconds(&app, 1).await;
    assert_eq!(polled(&app, &client_id, &code).await, "expired_token");
    assert_eq!(polled(&app, &client_id, &late).await, "expired_token", "nobody fetched the token in time");
    assert!(enter(&browser, &user_code).await.body.contains("This code has expired."));
    assert!(enter(&browser, "BCDF-GHJK").await.body.contains("No device waits with this code."));

    // Old requests are removed.
    seconds(&app, 3 * 24 * 3600).await;
    app.instance.tidy().await;
    assert_eq!(polled(&app, &client_id, &code).await, "invalid_grant");
}

#[tokio::test]
async fn only_clients_that_registered_for_it_get_codes_and_only_their_own_are_redeemed() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, other) = (device_client(&app).await, device_client(&app).await);
    let named = |id: &str| [("client_id", id.to_owned()), ("resource", RESOURCE.to_owned())];
    let refused = async |id: &str, more: &[(&str, &str)]| {
        let pairs = named(id);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        error(&ask(&app, &[&pairs[..], more].concat()).await)
    };
    assert_eq!(refused("csc_0000000000000000000000", &[]).await, (401, "invalid_client".to_owned()));
    assert_eq!(refused(&registered(&app).await, &[]).await, (400, "unauthorized_client".to_owned()));
    assert_eq!(refused(&client_id, &[("scope", "unknown")]).await, (400, "invalid_scope".to_owned()));
    assert_eq!(refused(&client_id, &[("scope", &"a ".repeat(1001))]).await, (400, "invalid_scope".to_owned()));
    assert_eq!(refused(&client_id, &[("resource", "https://x.example")]).await, (400, "invalid_target".to_owned()));
    assert_eq!(refused(&client_id, &[("client_id", "x")]).await, (400, "invalid_request".to_owned()));
    let credential = app.generated("job", &["mcp:read"]).await;
    let answer = ask_with(&app, &[("authorization", &basic(&credential))], &[]).await;
    assert_eq!(error(&answer), (400, "unauthorized_client".to_owned()));
    assert_eq!(app.get(ENDPOINT).await.status, StatusCode::METHOD_NOT_ALLOWED);
    // Nobody is sent back to a client that uses devices only.
    assert_eq!(browser.get(&path(&query(&client_id, &[]))).await.status, StatusCode::BAD_REQUEST);

    let (code, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    assert_eq!(polled(&app, &other, &code).await, "invalid_grant");
    assert_eq!(polled(&app, &client_id, "csd_x").await, "invalid_grant");
    let pairs = [("grant_type", DEVICE_GRANT), ("client_id", &client_id), ("device_code", &code)];
    let elsewhere = [&pairs[..], &[("resource", "https://x.example/mcp")]].concat();
    assert_eq!(error(&app.token(&[], encoded(&elsewhere)).await).1, "invalid_target");
    assert_eq!(error(&app.token(&[], encoded(&pairs[..2])).await).1, "invalid_request");
    let answer = poll(&app, &client_id, &code).await;
    let access = text(&answer, "access_token");
    // A code that comes again is in two hands.
    assert!(is_accepted(&app, &access).await);
    assert_eq!(polled(&app, &client_id, &code).await, "invalid_grant");
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(newest(&app).await.action, Action::GrantEnded.as_str());
}

#[tokio::test]
async fn one_code_makes_one_consent() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (code, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    let answers = join_all((0..50).map(|_| poll(&app, &client_id, &code))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|answer| error(answer).1 == "invalid_grant"));

    // Of requests that come at the same moment, one is in time.
    let (code, _) = asked(&app, &client_id).await;
    let answers = join_all((0..20).map(|_| polled(&app, &client_id, &code))).await;
    assert_eq!(answers.iter().filter(|word| *word == "authorization_pending").count(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_person_who_enters_wrong_codes_must_wait() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (_, user_code) = asked(&app, &client_id).await;
    let token = form_token(&browser.get("/device").await.body);
    let guess = async |code: &str| browser.post("/device", &[("form_token", &token), ("user_code", code)]).await;
    for _ in 0..20 {
        assert_eq!(guess(&user_code).await.status, StatusCode::OK, "right codes do not count");
    }
    let answers = join_all((0..30).map(|_| guess("BCDF-GHJK"))).await;
    let looked_up = answers.iter().filter(|answer| answer.status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert_eq!(looked_up, 10);
    let late = guess(&user_code).await;
    assert_eq!((late.status, late.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "900"));
    assert!(late.body.contains("Too many wrong codes"), "{}", late.body);
    seconds(&app, 901).await;
    let (_, user_code) = asked(&app, &client_id).await;
    assert_eq!(guess(&user_code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_limited_by_client_and_by_address() {
    let app = App::trusting(&["192.0.2.1/32"]).await;
    let client_id = device_client(&app).await;
    let from =
        async |address: &str| ask_with(&app, &[("x-forwarded-for", address)], &[("client_id", &client_id)]).await;
    for number in 0..31 {
        let answer = from("198.51.100.1").await;
        if number < 20 {
            assert_eq!(answer.status, StatusCode::OK, "{number}: {}", answer.body);
        } else {
            assert_eq!(error(&answer), (429, "temporarily_unavailable".to_owned()));
            assert_eq!(answer.header("retry-after"), "60");
        }
    }
    assert_eq!(from("198.51.100.2").await.status, StatusCode::OK, "nobody keeps the program of another place out");
    seconds(&app, 600).await;
    assert_eq!(from("198.51.100.1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_device_that_only_names_a_client_is_not_vouched_for_and_gets_no_privileges() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for (confidential, vouched) in [(false, "any program can ask under it"), (true, "Registered by an administrator")] {
        let draft = ClientDraft {
            name: format!("Box {confidential}"),
            redirect_uris: vec!["https://box.example/callback".to_owned()],
            confidential,
            device_grant: true,
            ..ClientDraft::default()
        };
        let made = client::create(&app.instance.context, &operator(), &draft, None).await.expect("made");
        let (client, secret) = made;
        let secret = secret.map(|secret| secret.expose().to_owned()).unwrap_or_default();
        let mut pairs =
            vec![("client_id", client.id.as_str()), ("scope", "mcp:read credentials:read"), ("resource", RESOURCE)];
        if confidential {
            pairs.push(("client_secret", &secret));
        }
        let answer = ask(&app, &pairs).await;
        let page = enter(&browser, &text(&answer, "user_code")).await.body;
        assert!(page.contains(vouched), "{vouched}: {page}");
        assert_eq!(page.contains(">credentials:read<"), confidential, "{page}");
        let primary = page.contains("data-kind=\"primary\" name=\"decision\" value=\"allow\"");
        assert_eq!(primary, confidential, "the page leads nobody to a program that only names itself: {page}");
    }
}

#[tokio::test]
async fn a_person_allows_what_the_page_showed_and_nothing_else() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let context = &app.instance.context;
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![ScopeDescription::parse("docs:read"), ScopeDescription::parse("docs:delete")],
        ..ServerDraft::default()
    };
    let docs = server::add(context, &operator(), &draft).await.expect("added");
    let asking = [("client_id", client_id.as_str()), ("scope", "docs:read"), ("resource", docs.resource.as_str())];
    let answer = ask(&app, &asking).await;
    let (code, user_code) = (text(&answer, "device_code"), text(&answer, "user_code"));
    let page = enter(&browser, &user_code).await.body;
    let token = form_token(&page);
    let shown = between(&page, "name=\"shown\" value=\"", "\"").to_owned();
    // Meanwhile an administrator lets the scope imply another one.
    let scopes =
        vec![ScopeDescription::parse("docs:read (implies docs:delete)"), ScopeDescription::parse("docs:delete")];
    let edit = server::edit::ServerEdit { scopes: Some(scopes), ..server::edit::ServerEdit::default() };
    server::edit::edit(context, &operator(), &docs.id, &edit).await.expect("edited");
    let fields = [
        ("form_token", token.as_str()),
        ("user_code", &user_code),
        ("server", docs.id.as_str()),
        ("shown", &shown),
        ("decision", "allow"),
    ];
    let again = browser.post("/device", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    assert!(again.body.contains("has changed since you opened the page") && again.body.contains(">docs:delete<"));
    assert_eq!(polled(&app, &client_id, &code).await, "authorization_pending");
    let (token, shown) = (form_token(&again.body), between(&again.body, "name=\"shown\" value=\"", "\"").to_owned());
    let fields = [
        ("form_token", token.as_str()),
        ("user_code", &user_code),
        ("server", docs.id.as_str()),
        ("shown", &shown),
        ("decision", "allow"),
    ];
    assert_eq!(browser.post("/device", &fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_without_a_server_lets_the_person_choose_one() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let scope = |name: &str| ScopeDescription {
        name: name.to_owned(),
        description: format!("Allows {name}."),
        implies: Vec::new(),
    };
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![scope("docs:read"), scope("docs:write")],
        ..ServerDraft::default()
    };
    let docs = server::add(&app.instance.context, &operator(), &draft).await.expect("added").id;
    let answer = ask(&app, &[("client_id", &client_id)]).await;
    let (code, user_code) = (text(&answer, "device_code"), text(&answer, "user_code"));
    let page = enter(&browser, &user_code).await;
    assert!(page.body.contains("type=\"radio\" name=\"server\""), "{}", page.body);
    let token = form_token(&page.body);
    let send = async |server: &str| {
        let fields = [("form_token", &*token), ("user_code", &user_code), ("server", server), ("decision", "allow")];
        browser.post("/device", &fields).await
    };
    let none = send("").await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.body.contains("Choose an MCP server."), "{}", none.body);
    assert_eq!(send(docs.as_str()).await.status, StatusCode::OK);
    assert_eq!(text(&poll(&app, &client_id, &code).await, "scope"), "docs:read");

    // Scopes that one server has say which one is meant.
    let answer = ask(&app, &[("client_id", &client_id), ("scope", "docs:write openid")]).await;
    let page = enter(&browser, &text(&answer, "user_code")).await;
    assert!(page.body.contains("Allows docs:write.") && !page.body.contains("Allows docs:read."), "{}", page.body);
    assert!(!page.body.contains("type=\"radio\""), "{}", page.body);
}

#[tokio::test]
async fn an_administrator_lets_a_confidential_client_use_devices() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let fields = [("name", "Console"), ("kind", "confidential"), ("device_grant", "on")];
    let page = browser.submit("/apps/clients/new", "/apps/clients/new", &fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let secret = format!("css_{}", between(&page.body, "value=\"css_", "\""));
    let id = format!("csc_{}", between(&page.body, "value=\"csc_", "\""));
    let basic = basic_of(&id, &secret);
    let authorization = [("authorization", basic.as_str())];
    assert_eq!(ask(&app, &[("client_id", &id)]).await.status, StatusCode::UNAUTHORIZED, "it must prove itself");
    let answer = ask_with(&app, &authorization, &[]).await;
    let (code, user_code) = (text(&answer, "device_code"), text(&answer, "user_code"));
    let page = enter(&browser, &user_code).await;
    assert!(page.body.contains("Registered by an administrator"), "{}", page.body);
    decide(&browser, &user_code, "allow").await;
    assert_eq!(error(&poll(&app, &id, &code).await), (401, "invalid_client".to_owned()));
    let body = encoded(&[("grant_type", DEVICE_GRANT), ("device_code", &code)]);
    assert_eq!(app.token(&authorization, body).await.status, StatusCode::OK);

    // Without the tick it needs a redirect URI, and gets no more codes.
    let page = format!("/apps/clients/{id}");
    assert!(browser.get(&page).await.body.contains("Signs in on a device"));
    let edit = format!("{page}/edit");
    assert!(browser.get(&edit).await.body.contains("name=\"device_grant\" value=\"on\" checked"));
    let answer = ask_with(&app, &authorization, &[]).await;
    let (code, user_code) = (text(&answer, "device_code"), text(&answer, "user_code"));
    assert_eq!(browser.submit(&edit, &edit, &[("name", "Console")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("name", "Console"), ("redirect_uris", "https://console.example/callback")];
    assert_eq!(browser.submit(&edit, &edit, &fields).await.status, StatusCode::SEE_OTHER);
    assert!(newest(&app).await.details.contains("device_grant"));
    assert_eq!(error(&ask_with(&app, &authorization, &[]).await).1, "unauthorized_client");
    let body = encoded(&[("grant_type", DEVICE_GRANT), ("device_code", &code)]);
    assert_eq!(error(&app.token(&authorization, body).await).1, "unauthorized_client");
    let answer = enter(&browser, &user_code).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("did not register for signing in on a device"), "{}", answer.body);
}

#[tokio::test]
async fn the_metadata_names_it_unless_the_operator_turned_it_off() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for place in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = app.get(place).await.json();
        assert_eq!(metadata["device_authorization_endpoint"], format!("http://localhost:8080{ENDPOINT}"));
        assert!(metadata["grant_types_supported"].as_array().expect("a list").contains(&json!(DEVICE_GRANT)));
    }
    assert_eq!(browser.get("/device").await.status, StatusCode::OK);

    let app = App::with_settings(|settings| settings.device_grant = false).await;
    let browser = app.signed_in().await;
    let metadata = app.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["device_authorization_endpoint"], Value::Null);
    assert!(!metadata["grant_types_supported"].as_array().expect("a list").contains(&json!(DEVICE_GRANT)));
    let draft = ClientDraft { name: "Console".to_owned(), device_grant: true, ..ClientDraft::default() };
    let (client, _) = client::create(&app.instance.context, &operator(), &draft, None).await.expect("made");
    let id = client.id.as_str();
    assert_eq!(error(&ask(&app, &[("client_id", id)]).await), (400, "unsupported_grant_type".to_owned()));
    assert_eq!(polled(&app, id, "csd_x").await, "unsupported_grant_type");
    assert_eq!(browser.get("/device").await.status, StatusCode::NOT_FOUND);
    let metadata = json!({ "grant_types": [DEVICE_GRANT], "redirect_uris": [] });
    assert_eq!(register(&app, &metadata).await.status, StatusCode::BAD_REQUEST);
}
