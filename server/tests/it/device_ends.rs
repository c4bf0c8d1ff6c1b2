//! What ends the request of a device, or what it got: teams, the person, a leak, an emergency stop, the client, a
//! restore. Also clients whose document nobody has read yet.

use std::time::Duration;

use ::server::incident::LeakReports;
use ::server::state::AppState;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::base::id::{AppClientId, TeamId};
use domain::client::{self, ClientDraft};
use domain::context::Context;
use domain::incident::emergency_stop;
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::model::server::access::ServerAccess;
use domain::operations::restore;
use domain::person::{manage, team};
use domain::server;
use serde_json::json;

use crate::assertions::{CLIENT_ASSERTION, Signer};
use crate::client_documents::DOCUMENT;
use crate::client_keys::assertion;
use crate::device::{DEVICE_GRANT, ask, asked, decide, device_client, enter, granted, poll, polled};
use crate::interactive::{RESOURCE, error, is_accepted, refreshing, text};
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{App, FORM, router};

async fn open_to(app: &App, teams: &[&TeamId]) {
    let context = &app.instance.context;
    let id = server::find_named(context, RESOURCE).await.expect("reads").expect("is there").id;
    let access = ServerAccess::Teams(teams.iter().map(|team| (*team).clone()).collect());
    server::set_access(context, &operator(), &id, &access, true).await.expect("set");
}

#[tokio::test]
async fn a_server_that_is_not_open_to_the_person_cannot_be_allowed() {
    let app = App::new().await;
    let (inside, outside) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let person = joined(&app, "grace@example.com", InvitedRole::Team(outside.clone(), Role::Member)).await;
    let browser = signed_in_as(&app, &person).await;
    let client_id = device_client(&app).await;
    open_to(&app, &[&inside]).await;
    let (code, user_code) = asked(&app, &client_id).await;
    let page = enter(&browser, &user_code).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("is not open to your teams") && page.body.contains("Tell the device"), "{}", page.body);
    let context = &app.instance.context;
    let id = server::find_named(context, RESOURCE).await.expect("reads").expect("is there").id;
    let allow = [("user_code", &*user_code), ("decision", "allow"), ("server", id.as_str())];
    assert_eq!(browser.submit("/device", "/device", &allow).await.status, StatusCode::FORBIDDEN);
    assert_eq!(polled(&app, &client_id, &code).await, "authorization_pending");
    let deny = [("user_code", &*user_code), ("decision", "deny")];
    assert_eq!(browser.submit("/device", "/device", &deny).await.status, StatusCode::OK);
    assert_eq!(polled(&app, &client_id, &code).await, "access_denied");

    // It is asked again when the token is fetched.
    open_to(&app, &[&outside]).await;
    let (code, user_code) = asked(&app, &client_id).await;
    assert_eq!(decide(&browser, &user_code, "allow").await.status, StatusCode::OK);
    team::set_role(context, &operator(), &outside, &person.id, None).await.expect("set");
    let answer = poll(&app, &client_id, &code).await;
    assert_eq!(error(&answer), (400, "invalid_target".to_owned()));
    assert!(answer.body.contains("not open to the teams of the person"), "{}", answer.body);
    team::set_role(context, &operator(), &outside, &person.id, Some(Role::Member)).await.expect("set");
    assert_eq!(poll(&app, &client_id, &code).await.status, StatusCode::OK, "the code stayed good");
}

#[tokio::test]
async fn a_disabled_person_gives_no_device_access() {
    let app = App::new().await;
    app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team, Role::Member)).await;
    let browser = signed_in_as(&app, &person).await;
    let client_id = device_client(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let (code, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    manage::disable(&app.instance.context, &operator(), &person.id).await.expect("disabled");
    assert_eq!(polled(&app, &client_id, &code).await, "access_denied");
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await).1, "invalid_grant");
    manage::enable(&app.instance.context, &operator(), &person.id).await.expect("enabled");
    assert_eq!(polled(&app, &client_id, &code).await, "access_denied", "what has ended stays ended");
}

async fn report(app: &App, secret: &str) {
    let request = Request::post("/leaks/report").header("content-type", FORM);
    let answer = app.send(request.body(Body::from(format!("token={secret}"))).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

#[tokio::test]
async fn a_device_code_that_leaked_ends_its_request_or_what_it_got() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    for allowed in [false, true] {
        let (code, user_code) = asked(&app, &client_id).await;
        if allowed {
            decide(&browser, &user_code, "allow").await;
        }
        report(&app, &code).await;
        assert_eq!(polled(&app, &client_id, &code).await, "access_denied", "{allowed}");
        assert!(enter(&browser, &user_code).await.body.contains("This code was used before."));
        report(&app, &code).await;
    }
    let activity = browser.get("/activity").await.body;
    assert!(activity.contains("Leak reported") && activity.contains("Access denied"), "{activity}");

    let (code, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    let answer = poll(&app, &client_id, &code).await;
    let access = text(&answer, "access_token");
    report(&app, &code).await;
    assert!(!is_accepted(&app, &access).await, "a code that was redeemed ends what it got");

    // On the page: what it is, and the button that ends it. Two requests of one client are two things.
    let ((one, _), (two, _)) = (asked(&app, &client_id).await, asked(&app, &client_id).await);
    let both = format!("{one} {two} {one}");
    let page = browser.submit("/leaks", "/leaks", &[("text", &both)]).await.body;
    assert_eq!(page.matches("Code with which a device of this app waits").count(), 2, "{page}");
    let device = crate::html::between(&page, "name=\"device\" value=\"", "\"").to_owned();
    let team = new_team(&app, "Payments").await;
    let other = joined(&app, "grace@example.com", InvitedRole::Team(team, Role::Viewer)).await;
    let other = signed_in_as(&app, &other).await;
    let refused = other.submit("/leaks", "/fn/end_device", &[("device", &device)]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "it is not theirs");
    let ended = browser.submit("/leaks", "/fn/end_device", &[("device", &device)]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    let words = [polled(&app, &client_id, &one).await, polled(&app, &client_id, &two).await];
    assert!(words.contains(&"access_denied".to_owned()) && words.contains(&"authorization_pending".to_owned()));
    let looked_up = browser.submit("/tokens", "/tokens", &[("token", &one)]).await.body;
    assert!(looked_up.contains("a program waits for somebody to allow it access"), "{looked_up}");
}

#[tokio::test]
async fn a_device_code_that_leaked_ends_its_request_also_when_people_decide_about_leaks() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (code, _) = asked(&app, &client_id).await;
    report(&app, &code).await;
    assert_eq!(polled(&app, &client_id, &code).await, "access_denied");
    // What it got is marked.
    let (code, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    let access = text(&poll(&app, &client_id, &code).await, "access_token");
    report(&app, &code).await;
    assert!(is_accepted(&app, &access).await);
    assert!(browser.get("/apps").await.body.contains("Leaked"));
}

#[tokio::test]
async fn a_stop_of_a_part_ends_the_requests_of_that_part() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team, Role::Member)).await;
    let theirs = signed_in_as(&app, &person).await;
    let client_id = device_client(&app).await;
    let other = crate::server_access::docs(&app).await;
    let stop = async |selection: &Selection| {
        let order = StopRequest { selection, means: Means::Disable, reason: "drill", incident: None };
        emergency_stop::stop(context, &operator(), &order, 100, |_| {}).await.expect("stops");
    };
    let ((waiting, _), (allowed, user_code), (own, own_code)) =
        (asked(&app, &client_id).await, asked(&app, &client_id).await, asked(&app, &client_id).await);
    decide(&theirs, &user_code, "allow").await;
    decide(&browser, &own_code, "allow").await;
    stop(&Selection { server: Some(other), ..Selection::default() }).await;
    assert_eq!(polled(&app, &client_id, &waiting).await, "authorization_pending", "another server");
    stop(&Selection { made_by: Some(person.id.clone()), ..Selection::default() }).await;
    assert_eq!(polled(&app, &client_id, &allowed).await, "access_denied");
    assert_eq!(poll(&app, &client_id, &own).await.status, StatusCode::OK, "another person");
    let built_in = server::find_named(context, RESOURCE).await.expect("reads").expect("is there").id;
    stop(&Selection { server: Some(built_in), ..Selection::default() }).await;
    assert_eq!(polled(&app, &client_id, &waiting).await, "access_denied");
}

#[tokio::test]
async fn an_emergency_stop_ends_requests_and_access() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let (waiting, _) = asked(&app, &client_id).await;
    let (allowed, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    let stop = [("means", "revoke"), ("confirmation", "STOP")];
    let stopped = browser.submit("/settings/stop?means=revoke", "/settings/stop", &stop).await;
    assert_eq!(stopped.status, StatusCode::SEE_OTHER, "{}", stopped.body);
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await).1, "invalid_grant");
    for code in [waiting, allowed] {
        assert_eq!(polled(&app, &client_id, &code).await, "access_denied");
    }
}

#[tokio::test]
async fn with_the_client_go_its_requests() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (access, _) = granted(&app, &browser, &client_id).await;
    let (code, user_code) = asked(&app, &client_id).await;
    let id = AppClientId::parse(&client_id).expect("an identifier");
    client::remove(&app.instance.context, &operator(), &id).await.expect("removed");
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(error(&poll(&app, &client_id, &code).await), (401, "invalid_client".to_owned()));
    let page = enter(&browser, &user_code).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("The app is not registered here any more."), "{}", page.body);
}

#[tokio::test]
async fn no_request_of_a_device_outlives_a_restore() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = device_client(&app).await;
    let (_, refresh) = granted(&app, &browser, &client_id).await;
    let (waiting, _) = asked(&app, &client_id).await;
    let (allowed, user_code) = asked(&app, &client_id).await;
    decide(&browser, &user_code, "allow").await;
    let draft = |device_grant: bool| ClientDraft {
        name: "Console".to_owned(),
        redirect_uris: vec!["https://console.example/callback".to_owned()],
        device_grant,
        ..ClientDraft::default()
    };
    let context = &app.instance.context;
    let (console, _) = client::create(context, &operator(), &draft(true), None).await.expect("made");
    let (backup, compared) = crate::openid::backed_up(&app).await;
    client::edit(context, &operator(), &console.id, &draft(false)).await.expect("edits");
    let difference = compared(&backup).await;
    assert!(difference.unknown.is_empty(), "{:?}", difference.unknown);
    drop(compared);
    let restored = Context { store: backup.clone(), ..app.instance.context.clone() };
    restore::finish(&restored, &operator(), &difference, true).await.expect("restores");
    let found = client::find(&restored, &console.id).await.expect("reads").expect("a client");
    assert_eq!(found.device_grant_since, None, "what an administrator took stays taken");
    let app = App { router: router(AppState::new(restored, vec![], vec![])), ..app };
    for code in [waiting, allowed] {
        assert_eq!(polled(&app, &client_id, &code).await, "invalid_grant");
    }
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await).1, "invalid_grant");
}

#[tokio::test]
async fn a_document_of_a_client_is_read_when_a_person_enters_the_code() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let document =
        |grants: &[&str]| json!({ "client_id": DOCUMENT, "client_name": "Editor", "grant_types": grants }).to_string();
    app.instance.issuers.publish(DOCUMENT, &document(&[DEVICE_GRANT]));
    let (code, user_code) = asked(&app, DOCUMENT).await;
    assert_eq!(polled(&app, DOCUMENT, &code).await, "authorization_pending");
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 0, "strangers make us ask nobody");
    let page = enter(&browser, &user_code).await;
    assert!(page.body.contains("editor.example describes the app under this name"), "{}", page.body);
    decide(&browser, &user_code, "allow").await;
    let answer = poll(&app, DOCUMENT, &code).await;
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 1);

    // A document that does not say it any more, and one that says nothing of it.
    app.instance.clock.advance(Duration::from_secs(3600));
    app.instance.issuers.publish(DOCUMENT, &document(&["authorization_code"]));
    browser.sign_in(crate::support::PASSWORD).await;
    let (code, user_code) = asked(&app, DOCUMENT).await;
    let page = enter(&browser, &user_code).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("cannot be used"), "no redirect URI: {}", page.body);
    let plain = json!({ "client_id": DOCUMENT, "client_name": "Editor", "redirect_uris": ["http://localhost/x"] });
    app.instance.issuers.publish(DOCUMENT, &plain.to_string());
    let page = enter(&browser, &user_code).await;
    assert!(page.body.contains("did not register for signing in on a device"), "{}", page.body);
    assert_eq!(error(&poll(&app, DOCUMENT, &code).await).1, "unauthorized_client");
    assert_eq!(error(&ask(&app, &[("client_id", DOCUMENT)]).await).1, "unauthorized_client");
    // An hour later it may have changed.
    app.instance.clock.advance(Duration::from_secs(3600));
    assert_eq!(ask(&app, &[("client_id", DOCUMENT)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_program_with_keys_begins_before_anybody_read_its_document() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    let keys = json!({ "keys": [signer.jwk()] });
    let document = json!({
        "client_id": DOCUMENT, "client_name": "Editor", "grant_types": [DEVICE_GRANT],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
    });
    issuers.publish(DOCUMENT, &document.to_string());
    let none = json!({});
    let proof = |signer: &Signer, jti: &str| assertion(&app, signer, "one", jti, &none);
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let asks = async |proof: &str| {
        ask(&app, &[kind, ("client_assertion", proof), ("scope", "mcp:read"), ("resource", RESOURCE)]).await
    };
    let polls = async |code: &str, proof: &str| {
        let grant = DEVICE_GRANT.replace(':', "%3A");
        app.token(&[], format!("grant_type={grant}&device_code={code}&{CLIENT_ASSERTION}{proof}")).await
    };
    let begun = asks(&proof(&signer, "a")).await;
    let (code, user_code) = (text(&begun, "device_code"), text(&begun, "user_code"));
    assert_eq!(error(&polls(&code, &proof(&signer, "b")).await).1, "authorization_pending");
    assert_eq!(issuers.asked(DOCUMENT), 0, "strangers make us ask nobody");
    let browser = app.signed_in().await;
    decide(&browser, &user_code, "allow").await;

    // From now on its keys are known, and count.
    app.instance.clock.advance(Duration::from_secs(10));
    for (case, answer) in [
        ("the name alone", poll(&app, DOCUMENT, &code).await),
        ("another key", polls(&code, &proof(&Signer::new(), "c")).await),
    ] {
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{case}");
    }
    assert_eq!(asks(&proof(&Signer::new(), "d")).await.status, StatusCode::UNAUTHORIZED);
    let answer = polls(&code, &proof(&signer, "e")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(asks(&proof(&signer, "f")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_program_that_changed_from_its_name_to_keys_is_read_again() {
    let app = App::new().await;
    let (issuers, signer, none) = (&app.instance.issuers, Signer::new(), json!({}));
    let mut document = json!({ "client_id": DOCUMENT, "client_name": "Editor", "grant_types": [DEVICE_GRANT] });
    issuers.publish(DOCUMENT, &document.to_string());
    let browser = app.signed_in().await;
    let (_, user_code) = asked(&app, DOCUMENT).await;
    decide(&browser, &user_code, "allow").await;
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["jwks"] = json!({ "keys": [signer.jwk()] });
    issuers.publish(DOCUMENT, &document.to_string());
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(crate::support::PASSWORD).await;
    let proof = assertion(&app, &signer, "one", "a", &none);
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let pairs = [kind, ("client_assertion", proof.as_str()), ("scope", "mcp:read"), ("resource", RESOURCE)];
    let begun = ask(&app, &pairs).await;
    let (code, user_code) = (text(&begun, "device_code"), text(&begun, "user_code"));
    decide(&browser, &user_code, "allow").await;
    let grant = DEVICE_GRANT.replace(':', "%3A");
    let proof = assertion(&app, &signer, "one", "b", &none);
    let body = format!("grant_type={grant}&device_code={code}&{CLIENT_ASSERTION}{proof}");
    let answer = app.token(&[], body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}
