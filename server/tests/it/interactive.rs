//! Interactive clients: registration, the authorization endpoint, codes, refresh tokens, grants.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::audit;
use domain::base::id::{AppClientId, PersonId};
use domain::client::authorization::{self, ConsentRefused};
use domain::client::{self, ClientDraft};
use domain::model::actor::Actor;
use domain::model::audit::{AuditEntry, Filter};
use domain::model::client::DynamicRegistration;
use domain::model::client::consent::{ABSOLUTE_LIMIT, IDLE_LIMIT};
use domain::model::person::authority::Authority;
use domain::model::person::session::PROOF_LIFETIME;
use domain::model::server::ScopeDescription;
use domain::person::manage;
use domain::server::{self, ServerDraft};
use futures::future::join_all;
use serde_json::{Value, json};
use url::Url;

use crate::html::between;
use crate::support::{Answer, App, Browser, EMAIL, FORM, PASSWORD, basic_of, form_token};

pub(crate) const CALLBACK: &str = "http://localhost:8085/callback";
pub(crate) const RESOURCE: &str = "http://localhost:8080/mcp";
/// The pair of RFC 7636 Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(crate) async fn register(app: &App, metadata: &Value) -> Answer {
    let request = Request::post("/mcp/oauth/register").header("content-type", "application/json");
    app.send(request.body(Body::from(metadata.to_string())).expect("a request")).await
}

/// What `mcp`, the command-line client, registers as.
pub(crate) async fn registered(app: &App) -> String {
    let metadata = json!({
        "client_name": "mcp", "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none",
    });
    let answer = register(app, &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()["client_id"].as_str().expect("an identifier").to_owned()
}

/// A confidential client that an administrator made: its identifier and secret.
pub(crate) async fn confidential(app: &App) -> (String, String) {
    let draft = ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: vec!["https://portal.example/callback".to_owned()],
        confidential: true,
        device_grant: false,
        ..ClientDraft::default()
    };
    let actor = Actor::command_line("operator");
    let (client, secret) = client::create(&app.instance.context, &actor, &draft, None).await.expect("made");
    (client.id.to_string(), secret.expect("a secret").expose().to_owned())
}

/// The query of a request, with these parameters in place of the usual ones; an empty value leaves one out.
pub(crate) fn query(client_id: &str, changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "a b/c+d"),
        ("resource", RESOURCE),
        ("scope", "mcp:read"),
    ];
    pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    pairs.extend(changes.iter().copied().filter(|(_, value)| !value.is_empty()));
    encoded(&pairs)
}

pub(crate) fn path(query: &str) -> String {
    format!("/mcp/oauth/authorize?{query}")
}

/// The parameters that a redirect carries, and where it leads without them.
pub(crate) fn redirect(answer: &Answer) -> (String, Vec<(String, String)>) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let url = Url::parse(answer.header("location")).expect("an absolute address");
    let base = url.as_str().split('?').next().unwrap_or_default().to_owned();
    (base, url.query_pairs().into_owned().collect())
}

pub(crate) fn parameter<'pair>(pairs: &'pair [(String, String)], name: &str) -> &'pair str {
    let mut found = pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let value = found.next().unwrap_or_default();
    assert_eq!(found.next(), None, "{name} is there once");
    value
}

/// Opens the consent page and presses a button of it.
pub(crate) async fn decide(browser: &Browser<'_>, query: &str, decision: &str) -> Answer {
    let page = browser.get(&path(query)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let token = form_token(&page.body);
    browser.post("/mcp/oauth/authorize", &[("form_token", &token), ("request", query), ("decision", decision)]).await
}

pub(crate) async fn code(browser: &Browser<'_>, client_id: &str, changes: &[(&str, &str)]) -> String {
    let answer = decide(browser, &query(client_id, changes), "allow").await;
    parameter(&redirect(&answer).1, "code").to_owned()
}

/// The body that redeems a code, with these parameters in place of the usual ones.
pub(crate) fn redemption(client_id: &str, code: &str, changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("client_id", client_id),
        ("code_verifier", VERIFIER),
    ];
    pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    pairs.extend(changes.iter().copied().filter(|(_, value)| !value.is_empty()));
    encoded(&pairs)
}

pub(crate) fn refreshing(client_id: &str, token: &str) -> String {
    encoded(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client_id)])
}

pub(crate) fn error(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn text(answer: &Answer, member: &str) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()[member].as_str().unwrap_or_default().to_owned()
}

/// An access token and a refresh token of a new grant.
pub(crate) async fn granted(app: &App, browser: &Browser<'_>, client_id: &str) -> (String, String) {
    let code = code(browser, client_id, &[]).await;
    let answer = app.token(&[], redemption(client_id, &code, &[])).await;
    (text(&answer, "access_token"), text(&answer, "refresh_token"))
}

/// Whether the built-in server accepts the token.
pub(crate) async fn is_accepted(app: &App, token: &str) -> bool {
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "whoami" } });
    let answer = app.send(request.body(Body::from(call.to_string())).expect("a request")).await;
    match answer.status {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        status => panic!("{status}: {}", answer.body),
    }
}

#[tokio::test]
async fn a_client_registers_itself_asks_a_person_and_goes_on() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let page = browser.get(&path(&query(&client_id, &[]))).await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in [
        "Allow access",
        "mcp",
        "Nobody has checked the name",
        "localhost:8085",
        "Built-in server",
        "mcp:read",
        "90 days",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    // Browsers hold the client's own redirects to it too, and where those lead nobody knows.
    assert!(!policy.contains("form-action"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("access-control-allow-origin"), "");

    let (base, pairs) = redirect(&decide(&browser, &query(&client_id, &[]), "allow").await);
    assert_eq!(base, CALLBACK);
    assert_eq!(parameter(&pairs, "state"), "a b/c+d");
    assert_eq!(parameter(&pairs, "iss"), "http://localhost:8080");
    let answer = app.token(&[], redemption(&client_id, parameter(&pairs, "code"), &[])).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(text(&answer, "scope"), "mcp:read");
    let access = text(&answer, "access_token");
    let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).expect("claims")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert!(PersonId::parse(claims["sub"].as_str().unwrap_or_default()).is_some(), "{claims}");
    assert_eq!((claims["client_id"].as_str(), claims["aud"].as_str()), (Some(client_id.as_str()), Some(RESOURCE)));
    assert!(is_accepted(&app, &access).await);

    app.instance.clock.advance(Duration::from_secs(601));
    assert!(!is_accepted(&app, &access).await);
    let answer = app.token(&[], refreshing(&client_id, &text(&answer, "refresh_token"))).await;
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    assert!(!text(&answer, "refresh_token").is_empty());
}

#[tokio::test]
async fn whoever_is_not_signed_in_comes_back_to_the_request() {
    let app = App::new().await;
    app.signed_in().await;
    let client_id = registered(&app).await;
    let browser = app.browser();
    let answer = browser.get(&path(&query(&client_id, &[]))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let login = answer.header("location").to_owned();
    let page = browser.get(&login).await;
    assert!(!page.header("content-security-policy").contains("form-action"));
    let usual = browser.get("/login").await;
    assert!(usual.header("content-security-policy").contains("form-action 'self';"));
    let next = between(&page.body, "name=\"next\" value=\"", "\"").replace("&amp;", "&");
    let fields = [
        ("form_token", form_token(&page.body)),
        ("next", next),
        ("email", crate::support::EMAIL.to_owned()),
        ("password", crate::support::PASSWORD.to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = browser.post("/login", &fields).await;
    assert_eq!(answer.header("location"), path(&query(&client_id, &[])));
}

/// A `state` as some clients send it. Encoded it has 7,520 characters, and many proxies read 8,192 of an address.
fn long_state() -> String {
    "a/b/c&d=".repeat(470)
}

#[tokio::test]
async fn a_long_state_comes_through_the_sign_in() {
    let app = App::new().await;
    app.signed_in().await;
    let client_id = registered(&app).await;
    let request = path(&query(&client_id, &[("state", &long_state())]));
    assert!((7_000..8_192).contains(&request.len()), "{}", request.len());
    let browser = app.browser();
    let login = browser.get(&request).await.header("location").to_owned();
    assert!(login.len() < request.len() + 32, "it hardly grows: {}", login.len());
    let page = browser.get(&login).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let next = between(&page.body, "name=\"next\" value=\"", "\"").replace("&amp;", "&");
    assert_eq!(next, request);
    let token = form_token(&page.body);
    let fields = [("form_token", &*token), ("next", &*next), ("email", EMAIL), ("password", "wrong")];
    let again = browser.post("/login", &fields).await;
    assert_eq!(between(&again.body, "name=\"next\" value=\"", "\"").replace("&amp;", "&"), request);
    let fields = [("form_token", &*token), ("next", &*next), ("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(browser.post("/login", &fields).await.header("location"), request);
    assert_eq!(browser.get(&login).await.header("location"), request, "who is signed in already goes on");
    let decided = decide(&browser, request.split_once('?').expect("a query").1, "deny").await;
    assert_eq!(parameter(&redirect(&decided).1, "state"), long_state());
}

#[tokio::test]
async fn a_request_whose_characters_must_be_encoded_comes_through_the_sign_in() {
    let app = App::new().await;
    let client_id = registered(&app).await;
    let request = format!("{}&x={}", path(&query(&client_id, &[])), "{".repeat(7_000));
    let browser = app.browser();
    let login = browser.get(&request).await.header("location").to_owned();
    let page = browser.get(&login).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains(&"%7B".repeat(7_000)));
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_the_client_did_not_register() {
    let app = App::new().await;
    let client_id = registered(&app).await;
    let wrong = [
        "https://evil.example/callback",
        "http://localhost:8085/callback/",
        "http://localhost:8085/callback?x=1",
        "http://localhost:8085/Callback",
        "http://localhost:8085/a/../callback",
        "http://localhost:8085/%63allback",
        "http://evil@localhost:8085/callback",
        "http://localhost:8085@evil.example/callback",
        "http://127.0.0.1:8085/callback",
        "http://localhost:8085/callback#x",
        "javascript:alert(1)",
    ];
    let unknown = "csc_0000000000000000000000";
    let requests = wrong.iter().map(|uri| query(&client_id, &[("redirect_uri", uri)]));
    let requests = requests.chain([
        query(unknown, &[]),
        query("https://client.example/", &[]),
        query(&client_id, &[("client_id", "")]),
        format!("{}&client_id={client_id}", query(&client_id, &[])),
        format!("{}&state=%00", query(&client_id, &[("state", "")])),
    ]);
    for query in requests {
        let answer = app.get(&path(&query)).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""), "{query}");
    }
    // Another port of the person's own computer is where the same program found room.
    let answer = app.get(&path(&query(&client_id, &[("redirect_uri", "http://localhost:8086/callback")]))).await;
    assert!(answer.header("location").starts_with("/login"), "{}", answer.status);
}

#[tokio::test]
async fn other_faults_are_told_to_the_client() {
    let app = App::new().await;
    let client_id = registered(&app).await;
    for (changes, code) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("response_type", "")], "invalid_request"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("request_uri", "https://evil.example/x")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge", "tooshort")], "invalid_request"),
        (vec![("code_challenge", &format!("{}!", &CHALLENGE[1..]))], "invalid_request"),
        (vec![("scope", "a\"b")], "invalid_scope"),
        (vec![("scope", "unknown")], "invalid_scope"),
        (vec![("scope", "tokens:introspect")], "invalid_scope"),
        (vec![("scope", "credentials:write")], "invalid_scope"),
        (vec![("resource", "https://evil.example/mcp")], "invalid_target"),
        (vec![("resource", "/mcp")], "invalid_target"),
    ] {
        let (base, pairs) = redirect(&app.get(&path(&query(&client_id, &changes))).await);
        assert_eq!(base, CALLBACK, "{changes:?}");
        assert_eq!(parameter(&pairs, "error"), code, "{changes:?}");
        assert_eq!(parameter(&pairs, "state"), "a b/c+d", "{changes:?}");
        assert_eq!(parameter(&pairs, "iss"), "http://localhost:8080", "{changes:?}");
        assert_eq!(parameter(&pairs, "code"), "", "{changes:?}");
    }
}

#[tokio::test]
async fn nobody_is_led_to_a_website_that_registered_itself_before_deciding() {
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    let browser = app.signed_in().await;
    let (website, scheme) = ("https://evil.example/phish", "evil://phish");
    let metadata = json!({ "redirect_uris": [website, scheme, CALLBACK], "token_endpoint_auth_method": "none" });
    let client_id = register(&app, &metadata).await.json()["client_id"].as_str().expect("an identifier").to_owned();
    for (uri, host) in [(website, "evil.example"), (scheme, "evil:")] {
        for change in [("response_type", "token"), ("scope", "unknown"), ("resource", "/mcp"), ("code_challenge", "x")]
        {
            let asked = path(&query(&client_id, &[("redirect_uri", uri), change]));
            for page in [app.get(&asked).await, browser.get(&asked).await] {
                assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, ""), "{change:?}");
                assert!(page.body.contains(&format!("Go back to {host}")), "{}", page.body);
                let link = between(&page.body, &format!("href=\"{uri}"), "\"").replace("&amp;", "&");
                assert!(link.starts_with("?error=") && link.contains("&state=a%20b%2Fc%2Bd&iss="), "{link}");
            }
        }
        // Who decided is led there.
        let answer = decide(&browser, &query(&client_id, &[("redirect_uri", uri)]), "deny").await;
        assert_eq!(redirect(&answer).0, uri);
    }
    // A program on the person's own computer waits for the answer.
    let answer = app.get(&path(&query(&client_id, &[("response_type", "token")]))).await;
    assert_eq!(redirect(&answer).0, CALLBACK);
    // An administrator vouches for this one.
    let (portal, _) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let answer = app.get(&path(&query(&portal, &[callback, ("response_type", "token")]))).await;
    assert_eq!(redirect(&answer).0, "https://portal.example/callback");
}

#[tokio::test]
async fn a_person_may_say_no_and_a_form_must_be_ours() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let query = query(&client_id, &[]);
    let (base, pairs) = redirect(&decide(&browser, &query, "deny").await);
    assert_eq!((base.as_str(), parameter(&pairs, "error")), (CALLBACK, "access_denied"));
    assert_eq!(parameter(&pairs, "iss"), "http://localhost:8080");
    assert_eq!(newest(&app, "grant.denied").await.target_id, client_id);

    let token = form_token(&browser.get(&path(&query)).await.body);
    let fields = [("form_token", token.as_str()), ("request", &query), ("decision", "allow")];
    for headers in [[("sec-fetch-site", "cross-site")], [("origin", "https://evil.example")]] {
        let answer = browser.post_with("/mcp/oauth/authorize", &fields, &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    // Without a token of this session nothing is decided: the page asks again.
    let answer = browser.post("/mcp/oauth/authorize", &fields[1..]).await;
    assert!(answer.header("location").starts_with("/login?next=%2Fmcp%2Foauth%2Fauthorize"), "{}", answer.body);
    // No page of another origin may read it, or ask for it.
    let preflight = Request::options("/mcp/oauth/authorize").header("origin", "https://evil.example");
    let preflight = preflight.header("access-control-request-method", "GET").body(Body::empty()).expect("a request");
    assert_eq!(app.send(preflight).await.header("access-control-allow-origin"), "");
}

/// The newest entry of the audit log about this action.
async fn newest(app: &App, action: &str) -> AuditEntry {
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 1).await.expect("reads");
    entries.into_iter().next().expect("an entry")
}

#[tokio::test]
async fn whoever_reads_longer_than_their_session_lasts_is_asked_again_after_signing_in() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let query = query(&client_id, &[]);
    let token = form_token(&browser.get(&path(&query)).await.body);
    app.instance.clock.advance(domain::model::person::session::IDLE_LIMIT);
    let fields = [("form_token", token.as_str()), ("request", &query), ("decision", "allow")];
    let answer = browser.post("/mcp/oauth/authorize", &fields).await;
    let login = answer.header("location").to_owned();
    assert!(answer.status == StatusCode::SEE_OTHER && login.starts_with("/login?next="), "{login}");
    let next = between(&browser.get(&login).await.body, "name=\"next\" value=\"", "\"").replace("&amp;", "&");
    let entered =
        browser.submit("/login", "/login", &[("email", EMAIL), ("password", PASSWORD), ("next", &next)]).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, path(&query).as_str()));
}

#[tokio::test]
async fn a_code_belongs_to_its_client_and_its_request() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, other) = (registered(&app).await, registered(&app).await);
    let code = code(&browser, &client_id, &[]).await;
    let short = "a".repeat(42);
    let swapped = [
        (vec![("client_id", other.as_str())], "invalid_grant"),
        (vec![("redirect_uri", "http://localhost:8086/callback")], "invalid_grant"),
        (vec![("code_verifier", "")], "invalid_grant"),
        (vec![("code_verifier", short.as_str())], "invalid_grant"),
        (vec![("code_verifier", CHALLENGE)], "invalid_grant"),
        (vec![("code", "")], "invalid_request"),
        (vec![("resource", "https://evil.example/mcp")], "invalid_target"),
    ];
    for (changes, expected) in swapped {
        let answer = app.token(&[], redemption(&client_id, &code, &changes)).await;
        assert_eq!(error(&answer), (400, expected.to_owned()), "{changes:?}");
    }
    // None of these used it up.
    let answer = app.token(&[], redemption(&client_id, &code, &[("resource", RESOURCE)])).await;
    let access = text(&answer, "access_token");
    let refresh = text(&answer, "refresh_token");
    // A wrong second attempt takes nothing away; a right one does.
    let wrong = app.token(&[], redemption(&client_id, &code, &[("code_verifier", CHALLENGE)])).await;
    assert_eq!(error(&wrong), (400, "invalid_grant".to_owned()));
    assert!(is_accepted(&app, &access).await);
    let again = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(error(&again), (400, "invalid_grant".to_owned()));
    assert!(!is_accepted(&app, &access).await);
    let answer = app.token(&[], refreshing(&client_id, &refresh)).await;
    assert_eq!(error(&answer), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_redirect_uri_may_be_left_out_where_there_is_no_choice() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    // OAuth 2.1 §10.2: the verifier binds the code, so the token request need not name the address again.
    let asked = code(&browser, &client_id, &[]).await;
    let answer = app.token(&[], redemption(&client_id, &asked, &[("redirect_uri", "")])).await;
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    // One address is registered, so the authorization request need not name it. A later one must be equal.
    let (base, pairs) = redirect(&decide(&browser, &query(&client_id, &[("redirect_uri", "")]), "allow").await);
    assert_eq!(base, CALLBACK);
    let asked = parameter(&pairs, "code");
    let elsewhere = redemption(&client_id, asked, &[("redirect_uri", "http://localhost:8086/callback")]);
    assert_eq!(error(&app.token(&[], elsewhere).await), (400, "invalid_grant".to_owned()));
    assert_eq!(app.token(&[], redemption(&client_id, asked, &[])).await.status, StatusCode::OK);

    let metadata = json!({ "client_name": "two", "redirect_uris": [CALLBACK, "http://localhost:8085/other"] });
    let two = register(&app, &metadata).await.json()["client_id"].as_str().expect("an identifier").to_owned();
    let answer = browser.get(&path(&query(&two, &[("redirect_uri", "")]))).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::BAD_REQUEST, ""));
    assert!(answer.body.contains("registered several"), "{}", answer.body);
}

#[tokio::test]
async fn scopes_that_cannot_be_granted_are_left_out_at_each_leg() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let asked = "mcp:read offline_access credentials:write";
    let code = code(&browser, &client_id, &[("scope", asked)]).await;
    let answer = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(text(&answer, "scope"), "mcp:read");
    let repeated =
        |token: &str, scope: &str| format!("{}&{}", refreshing(&client_id, token), encoded(&[("scope", scope)]));
    let answer = app.token(&[], repeated(&text(&answer, "refresh_token"), asked)).await;
    assert_eq!(text(&answer, "scope"), "mcp:read");
    let refresh = text(&answer, "refresh_token");
    let refused = app.token(&[], repeated(&refresh, "credentials:write")).await;
    assert_eq!(error(&refused), (400, "invalid_scope".to_owned()));
    assert!(refused.body.contains("The scopes of this server are: mcp:read."), "{}", refused.body);
    // The refusal did not use the token up. `offline_access` alone asks for no scope of the server.
    let answer = app.token(&[], repeated(&refresh, "offline_access")).await;
    assert_eq!(text(&answer, "scope"), "mcp:read");

    // A client learns the scopes when a person is signed in, and a stranger does not.
    let unknown = path(&query(&client_id, &[("scope", "unknown")]));
    let (_, pairs) = redirect(&browser.get(&unknown).await);
    assert!(parameter(&pairs, "error_description").ends_with("The scopes of this server are: mcp:read."), "{pairs:?}");
    let (_, pairs) = redirect(&app.get(&unknown).await);
    assert_eq!(parameter(&pairs, "error_description"), "None of the requested scopes may be granted.");
}

#[tokio::test]
async fn a_client_that_asks_for_offline_access_alone_gets_the_default_scope() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let metadata = json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "scope": "offline_access",
        "grant_types": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ],
    });
    let registration = register(&app, &metadata).await;
    assert_eq!(registration.status, StatusCode::CREATED, "{}", registration.body);
    let kept = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"];
    assert_eq!(registration.json()["grant_types"], json!(kept), "not the one that works without a person");
    let client_id = registration.json()["client_id"].as_str().expect("an identifier").to_owned();
    let code = code(&browser, &client_id, &[("scope", "offline_access")]).await;
    let answer = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(text(&answer, "scope"), "mcp:read");
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let code = code(&browser, &client_id, &[]).await;
    app.instance.clock.advance(Duration::from_secs(60));
    let answer = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(error(&answer), (400, "invalid_grant".to_owned()));
}

/// However a refresh and the end of its grant fall together: when both were answered, nothing of the grant is left.
#[tokio::test]
async fn a_refresh_does_not_outlive_the_end_of_its_grant() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    for round in 0..40 {
        let (access, refresh) = granted(&app, &browser, &client_id).await;
        let refreshing = app.token(&[], refreshing(&client_id, &refresh));
        let revoke = Request::post("/mcp/oauth/revoke").header("content-type", FORM);
        let body = encoded(&[("token", &refresh), ("client_id", &client_id)]);
        let revoking = app.send(revoke.body(Body::from(body)).expect("a request"));
        // Each goes first in half of the rounds.
        let (refreshed, revoked) = match round % 2 {
            0 => futures::join!(refreshing, revoking),
            _ => {
                let (revoked, refreshed) = futures::join!(revoking, refreshing);
                (refreshed, revoked)
            }
        };
        assert_eq!(revoked.status, StatusCode::OK);
        assert!(!is_accepted(&app, &access).await, "round {round}");
        if refreshed.status == StatusCode::OK {
            assert!(!is_accepted(&app, &text(&refreshed, "access_token")).await, "round {round}");
            let again = self::refreshing(&client_id, &text(&refreshed, "refresh_token"));
            assert_eq!(error(&app.token(&[], again).await), (400, "invalid_grant".to_owned()), "round {round}");
        } else {
            assert_eq!(error(&refreshed), (400, "invalid_grant".to_owned()), "round {round}");
        }
    }
}

#[tokio::test]
async fn one_code_makes_one_grant_and_one_refresh_token_has_one_successor() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let code = code(&browser, &client_id, &[]).await;
    let body = redemption(&client_id, &code, &[]);
    let answers = join_all((0..100).map(|_| app.token(&[], body.clone()))).await;
    let successes: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(successes.len(), 1);
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK || error(answer).1 == "invalid_grant"));

    let (_, refresh) = granted(&app, &browser, &client_id).await;
    let body = refreshing(&client_id, &refresh);
    let answers = join_all((0..50).map(|_| app.token(&[], body.clone()))).await;
    let next: HashSet<String> = answers.iter().map(|answer| text(answer, "refresh_token")).collect();
    let access: HashSet<String> = answers.iter().map(|answer| text(answer, "access_token")).collect();
    assert_eq!((next.len(), access.len()), (1, 50), "one successor, and an access token for each request");
    for access in access {
        assert!(is_accepted(&app, &access).await);
    }
}

#[tokio::test]
async fn a_client_may_repeat_a_refresh_for_half_a_minute_and_gets_the_same_token() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, other) = (registered(&app).await, registered(&app).await);
    let refused = (400, "invalid_grant".to_owned());
    let (access, first) = granted(&app, &browser, &client_id).await;
    let second = text(&app.token(&[], refreshing(&client_id, &first)).await, "refresh_token");
    app.instance.clock.advance(Duration::from_secs(20));
    // The next token was used already. The client may not know, because another process of it may have done so.
    let third = text(&app.token(&[], refreshing(&client_id, &second)).await, "refresh_token");
    assert_ne!(second, third);
    app.instance.clock.advance(Duration::from_secs(10));
    assert_eq!(error(&app.token(&[], refreshing(&other, &first)).await), refused, "of another client");
    let again = app.token(&[], refreshing(&client_id, &first)).await;
    assert_eq!(text(&again, "refresh_token"), second);
    assert!(is_accepted(&app, &text(&again, "access_token")).await);
    assert_eq!(text(&app.token(&[], refreshing(&client_id, &second)).await, "refresh_token"), third);
    // A repetition does not lengthen the time: it is counted from the first use.
    app.instance.clock.advance(Duration::from_secs(1));
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &first)).await), refused);
    assert!(!is_accepted(&app, &access).await, "the token was in two hands");
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &third)).await), refused);

    // What ended stays ended, also within the time.
    let (_, first) = granted(&app, &browser, &client_id).await;
    let second = text(&app.token(&[], refreshing(&client_id, &first)).await, "refresh_token");
    let body = encoded(&[("token", &second), ("client_id", &client_id)]);
    let revoke = Request::post("/mcp/oauth/revoke").header("content-type", FORM);
    assert_eq!(app.send(revoke.body(Body::from(body)).expect("a request")).await.status, StatusCode::OK);
    for token in [&first, &second] {
        assert_eq!(error(&app.token(&[], refreshing(&client_id, token)).await), refused);
    }
}

#[tokio::test]
async fn refreshing_never_widens_and_ends_by_the_clock() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, other) = (registered(&app).await, registered(&app).await);
    let (_, refresh) = granted(&app, &browser, &client_id).await;
    for (name, value, code) in [
        ("scope", "credentials:read", "invalid_scope"),
        ("scope", "a\"b", "invalid_scope"),
        ("resource", "https://evil.example/mcp", "invalid_target"),
    ] {
        let body = format!("{}&{}", refreshing(&client_id, &refresh), encoded(&[(name, value)]));
        assert_eq!(error(&app.token(&[], body).await), (400, code.to_owned()), "{value}");
    }
    assert_eq!(error(&app.token(&[], refreshing(&other, &refresh)).await), (400, "invalid_grant".to_owned()));
    let body =
        format!("{}&{}", refreshing(&client_id, &refresh), encoded(&[("scope", "mcp:read"), ("resource", RESOURCE)]));
    let mut refresh = text(&app.token(&[], body).await, "refresh_token");

    // Used every so often it lasts, but not without an end.
    let step = IDLE_LIMIT - Duration::from_secs(3600);
    for _ in 0..3 {
        app.instance.clock.advance(step);
        refresh = text(&app.token(&[], refreshing(&client_id, &refresh)).await, "refresh_token");
    }
    app.instance.clock.advance(ABSOLUTE_LIMIT - 3 * step);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));

    let browser = app.browser();
    browser.sign_in(crate::support::PASSWORD).await;
    let (_, refresh) = granted(&app, &browser, &client_id).await;
    app.instance.clock.advance(IDLE_LIMIT);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_confidential_client_proves_itself_and_asks_once() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, secret) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let first = code(&browser, &client_id, &[callback]).await;
    let body = redemption(&client_id, &first, &[callback]);
    assert_eq!(error(&app.token(&[], body.clone()).await), (401, "invalid_client".to_owned()));
    let (_, others_secret) = confidential(&app).await;
    let wrong = basic_of(&client_id, &others_secret);
    assert_eq!(error(&app.token(&[("authorization", &wrong)], body.clone()).await), (401, "invalid_client".to_owned()));
    let proof = basic_of(&client_id, &secret);
    let answer = app.token(&[("authorization", &proof)], body).await;
    let refresh = text(&answer, "refresh_token");
    let body = refreshing(&client_id, &refresh);
    assert_eq!(error(&app.token(&[], body.clone()).await), (401, "invalid_client".to_owned()));
    let in_body = format!("{body}&{}", encoded(&[("client_secret", &secret)]));
    assert_eq!(app.token(&[], in_body).await.status, StatusCode::OK);
    // It is no machine client.
    let answer = app.token(&[("authorization", &proof)], "grant_type=client_credentials").await;
    assert_eq!(error(&answer), (400, "unauthorized_client".to_owned()));
    let machine = app.generated("machine", &["mcp:read"]).await;
    let public = registered(&app).await;
    let answer = app.token(&[], encoded(&[("grant_type", "client_credentials"), ("client_id", &public)])).await;
    assert_eq!(error(&answer), (400, "unauthorized_client".to_owned()));
    let (machine, machine_secret) = (machine.credential.client_id, machine.secret.expect("a secret"));
    let body = redemption(machine.as_str(), &first, &[callback]);
    let answer = app.token(&[("authorization", &basic_of(machine.as_str(), machine_secret.expose()))], body).await;
    assert_eq!(error(&answer), (400, "unauthorized_client".to_owned()), "nor is a credential an app");

    // Asked again for as much, the person is not shown the page; for more they are.
    let again = browser.get(&path(&query(&client_id, &[callback]))).await;
    assert!(!parameter(&redirect(&again).1, "code").is_empty());
    let more = query(&client_id, &[callback, ("scope", "mcp:read credentials:read")]);
    let page = browser.get(&path(&more)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("List every credential that you may see."), "{}", page.body);
}

#[tokio::test]
async fn ending_access_ends_every_token_of_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let page = browser.get("/apps").await;
    assert!(page.body.contains("mcp") && page.body.contains("localhost:8085"), "{}", page.body);
    let grant = between(&page.body, "name=\"grant\" value=\"", "\"");
    let answer = browser.submit("/apps", "/fn/end_grant", &[("grant", grant)]).await;
    assert!(answer.header("location").starts_with("/apps?done=ended&of="));
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));

    // A client ends its own by RFC 7009, with either token.
    let revoke = async |token: &str| {
        let body = encoded(&[("token", token), ("client_id", &client_id)]);
        let request = Request::post("/mcp/oauth/revoke").header("content-type", FORM);
        app.send(request.body(Body::from(body)).expect("a request")).await.status
    };
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    assert_eq!(revoke(&access).await, StatusCode::OK);
    assert!(!is_accepted(&app, &access).await);
    let access = text(&app.token(&[], refreshing(&client_id, &refresh)).await, "access_token");
    let (others, _) = granted(&app, &browser, &client_id).await;
    assert_eq!(revoke(&refresh).await, StatusCode::OK, "an old one of the family ends it too");
    assert!(!is_accepted(&app, &access).await);
    assert!(is_accepted(&app, &others).await);

    // With the client go all of its grants.
    let id = AppClientId::parse(&client_id).expect("an identifier");
    client::remove(&app.instance.context, &Actor::command_line("operator"), &id).await.expect("removed");
    assert!(!is_accepted(&app, &others).await);
    assert_eq!(app.get(&path(&query(&client_id, &[]))).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_finds_a_token_of_an_app_can_have_it_ended() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let report = Request::post("/leaks/report").header("content-type", FORM);
    let answer = app.send(report.body(Body::from(encoded(&[("token", &access)]))).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(app.token(&[], refreshing(&client_id, &refresh)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_person_who_is_shut_out_is_so_through_every_app() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let context = &app.instance.context;
    let actor = Actor::command_line("operator");
    let other = domain::person::NewPerson {
        name: "Grace".to_owned(),
        email: "grace@example.com".to_owned(),
        password: domain::crypto::password::Password::new(crate::support::PASSWORD.to_owned()),
    };
    domain::person::create_administrator(context, &actor, other).await.expect("another administrator");
    let claims = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).expect("claims")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    let person = PersonId::parse(claims["sub"].as_str().expect("a subject")).expect("a person");
    manage::disable(context, &actor, &person).await.expect("disabled");
    assert!(!is_accepted(&app, &access).await);
    manage::enable(context, &actor, &person).await.expect("enabled");
    assert!(!is_accepted(&app, &access).await, "what has ended stays ended");
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_token_is_for_the_server_that_the_person_was_asked_about() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: "Read the documents.".to_owned(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    server::add(context, &Actor::command_line("operator"), &draft).await.expect("added");
    let client_id = registered(&app).await;
    let changes = [("resource", "https://docs.example/mcp"), ("scope", "")];
    let page = browser.get(&path(&query(&client_id, &changes))).await;
    assert!(page.body.contains("Read the documents.") && page.body.contains("https://docs.example/mcp"));
    let code = code(&browser, &client_id, &changes).await;
    let answer = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(text(&answer, "scope"), "docs:read");
    assert!(!is_accepted(&app, &text(&answer, "access_token")).await);
}

#[tokio::test]
async fn registration_repeats_what_was_sent_and_gives_nothing_else() {
    let app = App::new().await;
    // As mcp-use and the SDKs send it.
    let metadata = json!({
        "client_name": "mcp-use", "redirect_uris": ["http://localhost:8080/callback"], "grant_types": ["authorization_code"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
        "scope": "mcp:read", "client_uri": "https://example.com", "logo_uri": "https://example.com/logo.png",
    });
    let answer = register(&app, &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let echo = answer.json();
    for (member, value) in metadata.as_object().expect("an object") {
        assert_eq!(&echo[member], value, "{member}");
    }
    assert_eq!(echo["client_secret"], Value::Null);
    let entry = newest(&app, "client.added").await;
    assert!(entry.details.contains("localhost:8080") && !entry.details.contains("/callback"), "{}", entry.details);

    let with = |member: &str, value: Value| {
        let mut changed = metadata.clone();
        changed[member] = value;
        changed
    };
    for (metadata, code) in [
        (with("grant_types", json!(["client_credentials"])), "invalid_client_metadata"),
        (with("grant_types", json!("authorization_code")), "invalid_client_metadata"),
        (with("response_types", json!(["token"])), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!(1)), "invalid_client_metadata"),
        (with("client_name", json!("a\u{202E}b")), "invalid_client_metadata"),
        (with("client_name", json!("x".repeat(101))), "invalid_client_metadata"),
        (with("policy_uri", json!(format!("https://example.com/{}", "x".repeat(4096)))), "invalid_client_metadata"),
        (with("redirect_uris", json!([])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["https://app.example/callback"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["cursor://x/callback"])), "invalid_redirect_uri"),
        (json!(["not an object"]), "invalid_client_metadata"),
    ] {
        let answer = register(&app, &metadata).await;
        assert_eq!(error(&answer), (400, code.to_owned()), "{metadata}");
    }
    let repeated = r#"{"redirect_uris":["http://localhost/"],"redirect_uris":["http://localhost/"]}"#;
    let request = Request::post("/mcp/oauth/register").header("content-type", "application/json");
    let answer = app.send(request.body(Body::from(repeated)).expect("a request")).await;
    assert_eq!(error(&answer), (400, "invalid_client_metadata".to_owned()));
    // Addresses beside the person's computer, as VS Code and Cursor send them, are left out.
    for others in [
        json!(["https://vscode.dev/redirect", "http://127.0.0.1:33418/"]),
        json!(["cursor://anysphere.cursor-mcp/oauth/callback", "http://127.0.0.1:33418/", "javascript:alert(1)", null]),
    ] {
        let answer = register(&app, &with("redirect_uris", others)).await;
        assert_eq!(answer.json()["redirect_uris"], json!(["http://127.0.0.1:33418/"]), "{}", answer.body);
    }
    // Who leaves the method out asks for a secret (RFC 7591 §2).
    let answer = register(&app, &json!({ "redirect_uris": [CALLBACK] })).await.json();
    assert!(answer["client_secret"].as_str().is_some_and(|secret| secret.starts_with("css_")), "{answer}");
    assert_eq!(answer["token_endpoint_auth_method"], "client_secret_basic");
}

#[tokio::test]
async fn what_a_registration_holds_beyond_our_members_is_ignored_and_the_answer_says_what_holds() {
    let app = App::new().await;
    let answer = register(
        &app,
        &json!({
            "client_id": "csc_0000000000000000000000", "client_secret": "chosen", "client_name": "Hosted connector",
            "client_name#de": "Verbinder", "redirect_uris": [CALLBACK], "scope": null, "logo_uri": null, "jwks": null,
            "grant_types": ["implicit", "refresh_token", "authorization_code", "client_credentials", 1],
            "response_types": ["code", "code id_token", "token"], "token_endpoint_auth_method": "none",
            "client_uri": "javascript:alert(1)", "tos_uri": "https://example.com/tos", "policy_uri": { "a": 1 },
            "contacts": ["ops@example.com"], "software_statement": "e30.e30.", "id_token_signed_response_alg": "none",
            "default_max_age": 3600, "require_auth_time": true, "x_vendor": { "deep": [1, null, {}] },
        }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let mut answer = answer.json();
    let members = answer.as_object_mut().expect("an object");
    for own in ["client_id", "client_id_issued_at"] {
        assert!(members.remove(own).is_some_and(|value| value != "csc_0000000000000000000000"), "{own}");
    }
    members.retain(|member, _| !member.starts_with("registration_"));
    let holds = json!({
        "client_name": "Hosted connector", "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "tos_uri": "https://example.com/tos", "contacts": ["ops@example.com"],
    });
    assert_eq!(answer, holds);
}

#[tokio::test]
async fn the_redirect_uris_of_a_website_are_on_the_web() {
    let of = |kind: Value, uris: &[&str]| json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none", "application_type": kind });
    let (website, local, scheme) = ("https://app.example/callback", CALLBACK, "com.example.app:/callback");
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    for (kind, uris) in [
        ("web", &[website][..]),
        ("native", &[local]),
        ("native", &[scheme]),
        // An app may claim an https address (RFC 8252 §7.2).
        ("native", &[website, local, scheme]),
    ] {
        let answer = register(&app, &of(json!(kind), uris)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{kind} {uris:?}: {}", answer.body);
        assert_eq!(answer.json()["application_type"], kind);
    }
    for uri in [local, scheme, "https://localhost:8443/callback", "https://127.0.0.1/callback", "https://[::1]/c"] {
        let answer = register(&app, &of(json!("web"), &[website, uri])).await;
        assert_eq!(error(&answer), (400, "invalid_redirect_uri".to_owned()), "{uri}");
        let description = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
        assert!(description.contains(uri) && description.contains("application_type"), "{description}");
        // As before, an absent type narrows nothing, and an unknown one means nothing.
        for kind in [Value::Null, json!("desktop")] {
            let answer = register(&app, &of(kind, &[website, uri])).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
            assert_eq!(answer.json().get("application_type"), None);
        }
    }
    // Where only programs on the person's computer register, no website does.
    let app = App::new().await;
    let answer = register(&app, &of(json!("web"), &[local])).await;
    assert_eq!(error(&answer), (400, "invalid_redirect_uri".to_owned()));
    assert!(answer.body.contains("application_type"), "{}", answer.body);
}

#[tokio::test]
async fn where_websites_may_register_a_bad_redirect_uri_is_named() {
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    let with = |uris: Value| json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none" });
    let cursor = json!(["cursor://anysphere.cursor-mcp/oauth/callback", CALLBACK, "https://www.cursor.com/callback"]);
    let answer = register(&app, &with(cursor.clone())).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.json()["redirect_uris"], cursor);
    for bad in ["javascript:alert(1)", "JavaScript://%0aalert(1)", "intent://x/#Intent;end", "mailto:a@example.com"] {
        let answer = register(&app, &with(json!([CALLBACK, bad]))).await;
        assert_eq!(error(&answer), (400, "invalid_redirect_uri".to_owned()), "{bad}");
        assert!(answer.json()["error_description"].as_str().unwrap_or_default().contains(bad), "{}", answer.body);
    }
    // The page does not claim to know which program that is.
    let browser = app.signed_in().await;
    let client_id = register(&app, &with(cursor)).await.json()["client_id"].as_str().expect("an identifier").to_owned();
    let asked = query(&client_id, &[("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")]);
    let page = browser.get(&path(&asked)).await;
    for shown in ["The program that has claimed", "cursor:", "Any program can claim it"] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let (base, pairs) = redirect(&decide(&browser, &asked, "allow").await);
    assert_eq!(base, "cursor://anysphere.cursor-mcp/oauth/callback");
    assert!(!parameter(&pairs, "code").is_empty());
    // An administrator may add such a client too, and learns which line is wrong.
    let draft = |uri: &str| ClientDraft {
        name: "Cursor".to_owned(),
        redirect_uris: vec![CALLBACK.to_owned(), uri.to_owned()],
        confidential: false,
        device_grant: false,
        ..ClientDraft::default()
    };
    let actor = Actor::command_line("operator");
    client::create(&app.instance.context, &actor, &draft("cursor://x/callback"), None).await.expect("added");
    let refused = client::create(&app.instance.context, &actor, &draft("mailto:a@example.com"), None).await;
    let Err(client::ClientError::Invalid(errors)) = refused else { panic!("it was taken") };
    assert!(errors[0].message.contains("mailto:a@example.com"), "{}", errors[0].message);
}

#[tokio::test]
async fn no_client_names_itself_like_another_one() {
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    confidential(&app).await;
    let named = |name: &str| json!({ "client_name": name, "redirect_uris": [CALLBACK] });
    for name in
        ["Countersign", "Сountersign", "C0UNTER-SIGN account", "Portal", "PORTAL", "Pоrtal", "ᴘortal", "P\u{ad}ortal"]
    {
        let answer = register(&app, &named(name)).await;
        assert_eq!(error(&answer), (400, "invalid_client_metadata".to_owned()), "{name}");
    }
    for hidden in ['\u{3164}', '\u{2800}', '\u{AD}', '\u{115F}', '\u{FE0F}', '\u{E0041}'] {
        for name in [hidden.to_string(), format!("mcp{hidden}")] {
            let answer = register(&app, &named(&name)).await;
            assert_eq!(error(&answer), (400, "invalid_client_metadata".to_owned()), "U+{:X}", u32::from(hidden));
        }
    }
    // Each copy of a program registers for itself.
    for name in ["Editor", "Editor", "Portal 2", "Редактор"] {
        assert_eq!(register(&app, &named(name)).await.status, StatusCode::CREATED, "{name}");
    }
}

#[tokio::test]
async fn a_source_may_not_register_without_end() {
    let app = App::new().await;
    let metadata = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
    let mut last = None;
    for _ in 0..31 {
        last = Some(register(&app, &metadata).await);
    }
    let last = last.expect("an answer");
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!last.header("retry-after").is_empty());
    // Nor by taking its time.
    let mut registered = 30;
    while {
        app.instance.clock.advance(Duration::from_secs(60));
        let mut status = StatusCode::CREATED;
        for _ in 0..30 {
            status = register(&app, &metadata).await.status;
            registered += u32::from(status == StatusCode::CREATED);
        }
        status == StatusCode::CREATED
    } {}
    assert!((900..=1000).contains(&registered), "{registered}");
}

#[tokio::test]
async fn pages_of_other_sites_do_not_use_up_what_programs_may_register() {
    let app = App::new().await;
    let metadata = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" }).to_string();
    let from = async |header: (&str, &str)| {
        let request = Request::post("/mcp/oauth/register").header("content-type", "application/json");
        let request = request.header(header.0, header.1).body(Body::from(metadata.clone())).expect("a request");
        app.send(request).await.status
    };
    let pages = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    for number in 0..40 {
        let expected = if number < 30 { StatusCode::CREATED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(from(pages[number % 2]).await, expected, "{number}");
    }
    for number in 0..31 {
        let expected = if number < 30 { StatusCode::CREATED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(from(("user-agent", "editor")).await, expected, "{number}");
    }
}

#[tokio::test]
async fn no_code_is_issued_for_an_address_that_the_client_lost_meanwhile() {
    let app = App::new().await;
    app.signed_in().await;
    let (context, operator) = (&app.instance.context, Actor::command_line("operator"));
    let ada = domain::person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");
    let (client_id, _) = confidential(&app).await;
    let id = AppClientId::parse(&client_id).expect("an identifier");
    let old = query(&client_id, &[("redirect_uri", "https://portal.example/callback")]);
    let request = authorization::check(context, old.as_bytes(), None).await.expect("a request");
    let allow = async || match authorization::allow(context, &operator, &ada.id, &request).await {
        Ok(_) => String::new(),
        Err(ConsentRefused::Gone(problem)) => problem.to_owned(),
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(allow().await, "");
    let draft = ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: vec!["https://portal.example/v2/callback".to_owned()],
        confidential: true,
        device_grant: false,
        ..ClientDraft::default()
    };
    client::edit(context, &operator, &id, &draft).await.expect("edits");
    assert!(allow().await.contains("redirect_uri"));
    client::remove(context, &operator, &id).await.expect("removes");
    assert!(allow().await.contains("No client"));
}

#[tokio::test]
async fn the_secret_of_a_client_is_replaced_and_its_access_goes_on() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, old) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let first = code(&browser, &client_id, &[callback]).await;
    let with = |secret: &str| basic_of(&client_id, secret);
    let answer = app.token(&[("authorization", &with(&old))], redemption(&client_id, &first, &[callback])).await;
    let refresh = text(&answer, "refresh_token");

    let path = format!("/apps/clients/{client_id}/secret");
    app.instance.clock.advance(PROOF_LIFETIME);
    let asked = browser.submit(&path, &path, &[]).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "it needs the password");
    let token = form_token(&browser.get(&path).await.body);
    let fields = [("form_token", token.as_str()), ("your_password", PASSWORD)];
    let page = browser.post(&path, &fields).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    let new = format!("css_{}", between(&page.body, "value=\"css_", "\""));
    assert_ne!(new, old);
    let again = browser.post(&path, &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(!again.body.contains(&new));
    assert_eq!(newest(&app, "client.secret_replaced").await.target_id, client_id);

    let body = refreshing(&client_id, &refresh);
    let answer = app.token(&[("authorization", &with(&old))], body.clone()).await;
    assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
    assert_eq!(app.token(&[("authorization", &with(&new))], body).await.status, StatusCode::OK);
    // A public client has none, and one that registered itself none of ours to replace.
    let public = registered(&app).await;
    assert_eq!(browser.get(&format!("/apps/clients/{public}/secret")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn answers_go_where_the_administrator_says_now() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, secret) = confidential(&app).await;
    let (old, new) = ("https://portal.example/callback", "https://portal.example/v2/callback");
    let proof = [("authorization", &*basic_of(&client_id, &secret))];
    let first = code(&browser, &client_id, &[("redirect_uri", old)]).await;
    let granted = app.token(&proof, redemption(&client_id, &first, &[("redirect_uri", old)])).await;
    let refresh = text(&granted, "refresh_token");
    let waiting =
        parameter(&redirect(&browser.get(&path(&query(&client_id, &[("redirect_uri", old)]))).await).1, "code")
            .to_owned();

    let edit = format!("/apps/clients/{client_id}/edit");
    assert!(browser.get(&edit).await.body.contains(old));
    let wrong = [("name", "Portal"), ("redirect_uris", "http://portal.example/")];
    assert_eq!(browser.submit(&edit, &edit, &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    app.instance.clock.advance(PROOF_LIFETIME);
    let fields = [("name", "Portal 2"), ("redirect_uris", new)];
    let asked = browser.submit(&edit, &edit, &fields).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "it needs the password");
    assert!(asked.body.contains(new), "what was typed is kept");
    let fields = [fields[0], fields[1], ("your_password", PASSWORD)];
    let saved = browser.submit(&edit, &edit, &fields).await;
    assert_eq!(saved.header("location"), format!("/apps/clients/{client_id}?done=edited"));
    let entry = newest(&app, "client.changed").await;
    assert!(entry.details.contains(old) && entry.details.contains(new), "{}", entry.details);

    let late = app.token(&proof, redemption(&client_id, &waiting, &[("redirect_uri", old)])).await;
    assert_eq!(error(&late), (400, "invalid_grant".to_owned()));
    assert_eq!(app.token(&proof, refreshing(&client_id, &refresh)).await.status, StatusCode::OK);
    let refused = browser.get(&path(&query(&client_id, &[("redirect_uri", old)]))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let (base, _) = redirect(&browser.get(&path(&query(&client_id, &[("redirect_uri", new)]))).await);
    assert_eq!(base, new, "what was allowed is remembered");
    // Nobody edits what describes itself.
    let public = registered(&app).await;
    assert_eq!(browser.get(&format!("/apps/clients/{public}/edit")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_person_reads_what_others_ended_of_theirs() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let person = domain::person::find_by_email(&app.instance.context, EMAIL).await.expect("reads").expect("Ada");
    app.token(&[], refreshing(&client_id, &refresh)).await;
    app.instance.clock.advance(Duration::from_secs(60));
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));
    assert!(!is_accepted(&app, &access).await);
    let authority = Authority::Person { id: person.id, roles: Default::default() };
    let filter = Filter { action: Some("grant.ended".to_owned()), ..Filter::default() };
    let seen = audit::list(&app.instance.context, &authority, &filter, 10).await.expect("reads");
    assert_eq!(seen.iter().map(|entry| entry.actor_kind.as_str()).collect::<Vec<_>>(), ["system"]);
    assert!(seen[0].details.contains("token_reused"), "{}", seen[0].details);
}

#[tokio::test]
async fn what_somebody_made_ends_with_the_clients_that_they_added() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let fields = [("name", "Portal"), ("redirect_uris", "https://portal.example/callback"), ("kind", "confidential")];
    let page = browser.submit("/apps/clients/new", "/apps/clients/new", &fields).await;
    let client_id = format!("csc_{}", between(&page.body, "value=\"csc_", "\""));
    let secret = format!("css_{}", between(&page.body, "value=\"css_", "\""));
    let context = &app.instance.context;
    let rogue = domain::person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");
    let operator = Actor::command_line("operator");
    let other = domain::person::NewPerson {
        name: "Grace".to_owned(),
        email: "grace@example.com".to_owned(),
        password: domain::crypto::password::Password::new(PASSWORD.to_owned()),
    };
    domain::person::create_administrator(context, &operator, other).await.expect("another administrator");
    let grace = app.browser();
    grace.sign_in_as("grace@example.com", PASSWORD).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let hers = code(&grace, &client_id, &[callback]).await;
    let proof = basic_of(&client_id, &secret);
    let answer = app.token(&[("authorization", &proof)], redemption(&client_id, &hers, &[callback])).await;
    let (access, refresh) = (text(&answer, "access_token"), text(&answer, "refresh_token"));
    let (kept, _) = confidential(&app).await;

    let stop = format!("/settings/stop?made_by={}&means=revoke", rogue.id);
    let page = grace.get(&stop).await;
    assert!(page.body.contains("Revoke 1 connected app and 1 client?"), "{}", page.body);
    let fields = [
        ("form_token", form_token(&page.body)),
        ("made_by", rogue.id.to_string()),
        ("means", "revoke".to_owned()),
        ("confirmation", "STOP".to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stopped = grace.post("/settings/stop", &fields).await;
    assert_eq!(stopped.header("location"), "/emergency?done=revoked&count=0&apps=1&clients=1");
    let told = grace.get(stopped.header("location")).await.body;
    assert!(told.contains("Also ended: 1 connected app and 1 client."), "{told}");
    assert_eq!(newest(&app, "client.removed").await.target_id, client_id);
    assert!(!is_accepted(&app, &access).await);
    let answer = app.token(&[("authorization", &proof)], refreshing(&client_id, &refresh)).await;
    assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
    let left = grace.get("/apps/clients").await.body;
    assert!(left.contains(&kept) && !left.contains(&client_id), "{left}");
}

#[tokio::test]
async fn an_administrator_makes_a_client_in_the_dashboard() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let fields =
        [("name", "Portal"), ("redirect_uris", "https://portal.example/callback\r\n"), ("kind", "confidential")];
    let wrong = [("name", ""), ("redirect_uris", "http://portal.example/callback"), ("kind", "public")];
    let answer = browser.submit("/apps/clients/new", "/apps/clients/new", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let token = form_token(&browser.get("/apps/clients/new").await.body);
    let fields = [&[("form_token", token.as_str())], &fields[..]].concat();
    let page = browser.post("/apps/clients/new", &fields).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    let secret = format!("css_{}", between(&page.body, "value=\"css_", "\""));
    let id = between(&page.body, "value=\"csc_", "\"");
    let again = browser.post("/apps/clients/new", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(!again.body.contains(&secret));
    let page = browser.get(&format!("/apps/clients/csc_{id}")).await;
    assert!(page.body.contains("https://portal.example/callback") && !page.body.contains(&secret));
    let client_id = format!("csc_{id}");
    let path = format!("/apps/clients/{client_id}");
    let answer = browser.submit(&path, "/fn/remove_client", &[("client", client_id.as_str())]).await;
    assert!(answer.header("location").starts_with("/apps/clients?done=removed&ended=0&of="));
    assert!(!browser.get("/apps/clients").await.body.contains(&client_id));
}
