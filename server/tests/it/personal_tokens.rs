//! Personal tokens, and leaks and stops of what acts for people.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::base::id::{PersonId, TeamId};
use domain::client::personal_token;
use domain::crypto::secret::{PlainSecret, SecretKind};
use domain::incident::emergency_stop;
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::person::manage;
use domain::server::{ServerDraft, add as add_server};
use serde_json::{Value, json};
use server::incident::LeakReports;

use crate::html::between;
use crate::interactive::{confidential, error, granted, is_accepted, refreshing, registered};
use crate::roles::{joined, signed_in_as};
use crate::support::{Answer, App, Browser, PASSWORD, basic};

const LIST: &str = "/account/tokens";

/// The token that a page shows.
fn shown(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.body.contains("Save your token"), "{}", answer.body);
    let token = format!("csp_{}", between(&answer.body, "value=\"csp_", "\""));
    assert!(PlainSecret::parse_of(SecretKind::PersonalToken, &token).is_some(), "{token}");
    token
}

pub(crate) async fn generated(browser: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    shown(&browser.submit(LIST, LIST, &[&[("name", "laptop")], fields].concat()).await)
}

async fn whoami(app: &App, token: &str) -> Value {
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "whoami" } });
    let answer = app.send(request.body(Body::from(call.to_string())).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let text = answer.json()["result"]["content"][0]["text"].as_str().expect("text").to_owned();
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) async fn introspected(app: &App, by: &str, token: &str) -> Value {
    let request = Request::post("/mcp/oauth/introspect")
        .header("authorization", by)
        .header("content-type", crate::support::FORM)
        .body(Body::from(format!("token={token}")));
    let answer = app.send(request.expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

async fn person_of(app: &App) -> PersonId {
    manage::list(&app.instance.context).await.expect("reads").remove(0).person.id
}

fn operator() -> Actor {
    Actor::command_line("operator")
}

#[tokio::test]
async fn a_token_is_shown_once_and_acts_for_its_person() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let page = browser.get(LIST).await;
    assert!(page.body.contains("Nobody has a personal token."), "{}", page.body);
    let form_token = crate::support::form_token(&page.body);
    let fields = [("form_token", form_token.as_str()), ("name", "laptop"), ("expiry", "7")];
    let answer = browser.post(LIST, &fields).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let token = shown(&answer);
    let again = browser.post(LIST, &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("Already generated") && !again.body.contains("csp_"), "{}", again.body);

    let who = whoami(&app, &token).await;
    assert_eq!(
        (&who["name"], &who["person"]["name"], &who["scope"]),
        (&json!("laptop"), &json!("Ada Lovelace"), &json!("mcp:read"))
    );
    let list = browser.get(LIST).await.body;
    assert!(list.contains("laptop") && list.contains("192.0.2.1") && !list.contains(&token), "{list}");
    assert_eq!(list.matches("/fn/revoke_personal_token").count(), 1, "{list}");

    let machine = basic(&app.generated("resource server", &["tokens:introspect"]).await);
    let told = introspected(&app, &machine, &token).await;
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!(person_of(&app).await.as_str())));
    assert_eq!((&told["aud"], &told["scope"]), (&json!("http://localhost:8080/mcp"), &json!("mcp:read")));
    for cut in 1..=3 {
        let told = introspected(&app, &machine, &token[..token.len() - cut]).await;
        assert_eq!(told, json!({ "active": false }));
    }
    app.instance.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert!(!is_accepted(&app, &token).await, "it ends by itself");
    assert_eq!(introspected(&app, &machine, &token).await, json!({ "active": false }));
}

#[tokio::test]
async fn a_token_is_for_one_server_and_its_scopes() {
    let app = App::new().await;
    let context = &app.instance.context;
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    let docs = add_server(context, &operator(), &draft).await.expect("added");
    let browser = app.signed_in().await;
    let elsewhere = generated(&browser, &[("server", docs.id.as_str()), ("scope", "docs:read")]).await;
    assert!(!is_accepted(&app, &elsewhere).await, "for another server");
    let machine = basic(&app.generated("resource server", &["tokens:introspect"]).await);
    assert_eq!(introspected(&app, &machine, &elsewhere).await, json!({ "active": false }), "not the caller's server");

    // The page groups the scopes by server. Only those of the chosen server count.
    let page = browser.get(LIST).await.body;
    assert!(page.contains("type=\"radio\" name=\"server\" value=\"https://docs.example/mcp\""), "{page}");
    assert!(page.contains("aria-label=\"Scopes of Docs\""), "{page}");
    let both = ["docs:read https://docs.example/mcp", "credentials:read http://localhost:8080/mcp"];
    let fields = [("server", "https://docs.example/mcp"), ("scope", both[0]), ("scope", both[1])];
    generated(&browser, &fields).await;
    let fields = [("server", "http://localhost:8080/mcp"), ("scope", both[0]), ("scope", both[1])];
    let own = generated(&browser, &fields).await;
    assert_eq!(whoami(&app, &own).await["scope"], "credentials:read");

    let wide = generated(&browser, &[("scope", "mcp:read"), ("scope", "credentials:read")]).await;
    assert_eq!(whoami(&app, &wide).await["scope"], "mcp:read credentials:read");
    for (fields, words) in [
        (vec![("scope", "tokens:introspect")], "Choose scopes of"),
        (vec![("scope", "docs:read")], "Choose scopes of"),
        (vec![("server", "srv_0000000000000000000000")], "Choose one of the MCP servers."),
        (vec![("expiry", "400")], "Choose one of the times."),
        (vec![("expiry", "0")], "Choose one of the times."),
        (vec![("expiry", "x")], "Choose one of the times."),
        (vec![("name", "")], "Enter a name"),
    ] {
        let fields = [fields, vec![("name", "kept as typed")]].concat();
        let answer = browser.submit(LIST, LIST, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(answer.body.contains(words), "{fields:?}: {}", answer.body);
        // Tokens that exist are named by their ends.
        assert_eq!(answer.body.matches("csp_").count(), answer.body.matches("csp_…").count(), "{fields:?}");
    }
}

#[tokio::test]
async fn the_page_of_a_person_shows_what_acts_for_them_and_ends_one_or_all_of_it() {
    let app = App::new().await;
    let context = &app.instance.context;
    let role = InvitedRole::Team(TeamId::first(), Role::Member);
    let grace = joined(&app, "grace@example.com", role).await;
    let own = signed_in_as(&app, &grace).await;
    let (one, token) = (generated(&own, &[]).await, generated(&own, &[("name", "other")]).await);
    let (page, change) = (format!("/people/{}?view=access", grace.id), format!("/people/{}/change", grace.id));
    let browser = app.signed_in().await;
    manage::end_sessions(context, &operator(), &grace.id, None).await.expect("ends");
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("This person is not signed in anywhere.") && shown.contains("End all access"), "{shown}");
    assert!(shown.contains(&format!("csp_…{}", &one[one.len() - 4..])), "{shown}");
    assert!(is_accepted(&app, &one).await && is_accepted(&app, &token).await);

    // One token, and then all that is left.
    let id = personal_token::list_of_person(context, &Authority::Everything, &grace.id, 9).await.expect("reads");
    let id = id.iter().find(|listed| listed.token.name != "other").expect("the first").token.id.to_string();
    let fields = [("token", id.as_str()), ("person", grace.id.as_str())];
    let revoked = browser.submit(&page, "/fn/revoke_personal_token", &fields).await;
    let receipt = browser.get(revoked.header("location")).await.body;
    assert!(receipt.contains("Token revoked.") && !receipt.contains(&id), "{receipt}");
    assert!(!is_accepted(&app, &one).await && is_accepted(&app, &token).await);
    let fields = [("to", "access-ended"), ("end_personal_tokens", "yes")];
    browser.submit(&format!("{change}?to=access-ended"), &change, &fields).await;
    assert!(!is_accepted(&app, &token).await);
    assert!(!browser.get(&page).await.body.contains("End all access"), "nothing is left");
}

#[tokio::test]
async fn a_token_needs_a_fresh_password_and_ends_with_its_person() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let token = generated(&browser, &[]).await;
    app.instance.clock.advance(Duration::from_secs(301));
    let asked = browser.submit(LIST, LIST, &[("name", "another")]).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.body.contains("Your password"), "{}", asked.body);
    let another = shown(&browser.submit(LIST, LIST, &[("name", "another"), ("your_password", PASSWORD)]).await);

    // Its person ends one from the list.
    let list = browser.get(LIST).await.body;
    let id = format!("ptk_{}", between(&list, "value=\"ptk_", "\""));
    let ended = browser.submit(LIST, "/fn/revoke_personal_token", &[("token", &id)]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(ended.header("location").starts_with("/account/tokens?done=revoked&of="), "{}", ended.header("location"));
    assert_eq!(
        (is_accepted(&app, &token).await, is_accepted(&app, &another).await),
        (true, false),
        "the newest is first"
    );

    let context = &app.instance.context;
    let person = person_of(&app).await;
    let second = domain::person::NewPerson {
        name: "Grace".to_owned(),
        email: "grace@example.com".to_owned(),
        password: domain::crypto::password::Password::new(PASSWORD.to_owned()),
    };
    domain::person::create_administrator(context, &operator(), second).await.expect("made");
    manage::disable(context, &operator(), &person).await.expect("disabled");
    assert!(!is_accepted(&app, &token).await);
    manage::enable(context, &operator(), &person).await.expect("enabled");
    assert!(!is_accepted(&app, &token).await, "it does not come back");
}

#[tokio::test]
async fn a_pasted_text_gives_away_apps_and_tokens_with_a_way_to_end_them() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let personal = generated(&browser, &[]).await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let (_, secret) = confidential(&app).await;
    let text = format!("{personal}\n{{\"refresh_token\":\"{refresh}\"}} {access} secret={secret}");
    let page = browser.submit("/leaks", "/leaks", &[("text", &text)]).await;
    let words = page.body.replace("<!>", "");
    for expected in [
        "Found 1 working secret and 2 working tokens.",
        "Personal token of Ada Lovelace",
        "Token with which this app acts for Ada Lovelace",
        "Secret of this client",
        "Revoke token",
        "End access",
        "Open the client",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(!words.contains(&personal) && !words.contains(&refresh) && !words.contains(&secret));
    let grant = format!("gra_{}", between(&words, "value=\"gra_", "\""));
    browser.submit("/leaks", "/fn/end_grant", &[("grant", &grant)]).await;
    assert!(!is_accepted(&app, &access).await);
    let page = browser.submit("/leaks", "/leaks", &[("text", &refresh)]).await;
    assert!(page.body.contains("no longer works."), "{}", page.body);
}

#[tokio::test]
async fn what_has_ended_of_a_grant_that_goes_on_does_not_work() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    app.instance.clock.advance(Duration::from_secs(601));
    let next = app.token(&[], refreshing(&client_id, &refresh)).await;
    let next_refresh = crate::interactive::text(&next, "refresh_token");
    // For half a minute the client may repeat its request, so the used token works.
    let page = browser.submit("/leaks", "/leaks", &[("text", &refresh)]).await.body;
    assert!(page.contains("Found 1 working token."), "{page}");
    app.instance.clock.advance(Duration::from_secs(31));
    for (text, works) in [
        (access.clone(), false),
        (refresh.clone(), false),
        (format!("{access} {refresh}"), false),
        (format!("{access} {next_refresh}"), true),
        (crate::interactive::text(&next, "access_token"), true),
    ] {
        let page = browser.submit("/leaks", "/leaks", &[("text", &text)]).await.body;
        assert_eq!(page.contains("Found 1 working token."), works, "{text}: {page}");
        assert_eq!(page.contains("End access"), works, "{text}");
    }
    // A report of what has ended ends nothing.
    assert_eq!(report(&app, &refresh).await, StatusCode::ACCEPTED);
    assert!(is_accepted(&app, &crate::interactive::text(&next, "access_token")).await);
}

#[tokio::test]
async fn a_form_that_is_sent_at_once_by_many_makes_one_token() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let form_token = crate::support::form_token(&browser.get(LIST).await.body);
    let fields = [("form_token", form_token.as_str()), ("name", "laptop")];
    let answers = futures::future::join_all((0..20).map(|_| browser.post(LIST, &fields))).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(StatusCode::OK), of(StatusCode::CONFLICT)), (1, 19));
    assert_eq!(browser.get(LIST).await.body.matches("/fn/revoke_personal_token").count(), 1);
}

#[tokio::test]
async fn a_use_elsewhere_is_noted_by_whom_it_concerns() {
    let app = App::new().await;
    let context = &app.instance.context;
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    let docs = add_server(context, &operator(), &draft).await.expect("added");
    let browser = app.signed_in().await;
    let token = generated(&browser, &[("server", docs.id.as_str()), ("scope", "docs:read")]).await;
    let machine = basic(&app.generated("another server", &["tokens:introspect"]).await);
    assert!(!is_accepted(&app, &token).await);
    assert_eq!(introspected(&app, &machine, &token).await, json!({ "active": false }));
    let list = browser.get(LIST).await.body;
    assert!(list.contains("Never") && !list.contains("192.0.2.1"), "whoever may not use it does not: {list}");
}

async fn report(app: &App, token: &str) -> StatusCode {
    let request = Request::post("/leaks/report").header("content-type", "application/json");
    let body = json!({ "token": token, "url": format!("https://paste.example/1?x={token}") });
    app.send(request.body(Body::from(body.to_string())).expect("a request")).await.status
}

#[tokio::test]
async fn whoever_reports_a_token_of_a_person_has_it_ended() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let personal = generated(&browser, &[]).await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let (portal, secret) = confidential(&app).await;
    for token in [&personal, &refresh, &secret] {
        assert_eq!(report(&app, token).await, StatusCode::ACCEPTED);
        assert_eq!(report(&app, token).await, StatusCode::ACCEPTED, "again");
    }
    assert!(!is_accepted(&app, &personal).await);
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));
    // An access token alone ends, once; what it was had by goes on and is no leak.
    let (access, _) = granted(&app, &browser, &client_id).await;
    for _ in 0..2 {
        assert_eq!(report(&app, &access).await, StatusCode::ACCEPTED);
    }
    assert!(!is_accepted(&app, &access).await);
    assert!(!browser.get("/apps").await.body.contains("Leaked"));
    let body = format!("grant_type=refresh_token&refresh_token={refresh}&client_id={portal}&client_secret={secret}");
    assert_eq!(error(&app.token(&[], body).await), (401, "invalid_client".to_owned()));
    let entries = audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 50).await;
    let entries = entries.expect("reads");
    for (action, count) in
        [("personal_token.revoked", 1), ("grant.ended", 1), ("client.secret_ended", 1), ("leak.reported", 4)]
    {
        let found: Vec<_> = entries.iter().filter(|entry| entry.action == action).collect();
        assert_eq!(found.len(), count, "{action}");
        assert!(found[0].details.contains("https://paste.example/1") && !found[0].details.contains("?x="), "{action}");
    }
}

#[tokio::test]
async fn with_the_policy_alert_a_report_is_written_down_and_people_decide() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, ..LeakReports::default() }).await;
    let browser = app.signed_in().await;
    let personal = generated(&browser, &[]).await;
    assert_eq!(report(&app, &personal).await, StatusCode::ACCEPTED);
    assert_eq!(report(&app, &personal).await, StatusCode::ACCEPTED, "again, which says nothing new");
    assert!(is_accepted(&app, &personal).await);
    let client_id = registered(&app).await;
    let (access, _) = granted(&app, &browser, &client_id).await;
    assert_eq!(report(&app, &access).await, StatusCode::ACCEPTED);
    assert!(is_accepted(&app, &access).await);
    let filter = Filter { action: Some("leak.reported".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.target_kind.as_str()).collect();
    assert_eq!(kinds, ["grant", "personal_token"]);
    let page = browser.get("/activity").await.body;
    assert!(page.contains("Leak reported"), "{page}");
    // Both are marked where people decide.
    assert_eq!(browser.get("/apps").await.body.matches("Leaked").count(), 1);
    assert_eq!(browser.get(LIST).await.body.matches("Leaked").count(), 1);
}

#[tokio::test]
async fn an_emergency_stop_ends_what_acts_for_people() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let personal = generated(&browser, &[]).await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;
    let stop = async |selection: &Selection| {
        let preview = emergency_stop::preview(context, selection, Means::Disable).await.expect("counts");
        let order = StopRequest { selection, means: Means::Disable, reason: "drill", incident: None };
        emergency_stop::stop(context, &operator(), &order, emergency_stop::BATCH_SIZE, |_| {}).await.expect("stops");
        (preview.grants, preview.personal_tokens)
    };
    let team = Selection { team: Some(domain::base::id::TeamId::first()), ..Selection::default() };
    assert_eq!(stop(&team).await, (0, 0), "no team owns them");
    let early = Selection { created_before: Some(context.now()), ..Selection::default() };
    assert_eq!(stop(&early).await, (0, 0));
    assert!(is_accepted(&app, &personal).await && is_accepted(&app, &access).await);
    let page = browser.get("/settings/stop?means=disable").await.body;
    assert!(page.contains("Connected apps and personal tokens end, and do not come back"), "{page}");
    let waiting = crate::interactive::code(&browser, &client_id, &[]).await;
    let of_person = Selection { made_by: Some(person_of(&app).await), ..Selection::default() };
    assert_eq!(stop(&of_person).await, (1, 1));
    assert!(!is_accepted(&app, &personal).await && !is_accepted(&app, &access).await);
    assert_eq!(error(&app.token(&[], refreshing(&client_id, &refresh)).await), (400, "invalid_grant".to_owned()));
    // What was allowed before and not taken up is over too.
    let late = app.token(&[], crate::interactive::redemption(&client_id, &waiting, &[])).await;
    assert_eq!(error(&late), (400, "invalid_grant".to_owned()));
}
