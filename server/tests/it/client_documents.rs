//! Clients that make themselves known: by a document at their address, by registration with a token; and how they go.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::base::id::AppClientId;
use domain::client::{self, ClientDraft, prune};
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::model::client::{DynamicRegistration, InitialAccessToken};
use domain::model::operations::How;
use domain::model::person::authority::Authority;
use domain::operations::restore;
use serde_json::{Value, json};

use crate::html::between;
use crate::interactive::{
    CALLBACK, code, confidential, decide, granted, is_accepted, parameter, path, query, redemption, redirect, register,
    registered, text,
};
use crate::support::{Answer, App};

pub(crate) const DOCUMENT: &str = "https://editor.example/oauth/client.json";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the editor publishes, with these members in place of the usual ones; null leaves one out.
pub(crate) fn document(changes: Value) -> String {
    let mut document = json!({
        "client_id": DOCUMENT,
        "client_name": "Editor",
        "client_uri": "https://editor.example",
        "logo_uri": "https://editor.example/logo.png",
        "redirect_uris": ["http://127.0.0.1/callback", CALLBACK, "https://editor.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "something_new": { "of": "others" },
    });
    let members = document.as_object_mut().expect("an object");
    members.extend(changes.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());
    document.to_string()
}

#[tokio::test]
async fn a_client_is_known_by_the_document_at_its_address() {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let metadata = app.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    assert_eq!(metadata["client_id_metadata_document_auth_methods_supported"], json!(["none", "private_key_jwt"]));

    // Nobody makes us ask another server before signing in.
    let anonymous = app.browser().get(&path(&query(DOCUMENT, &[]))).await;
    assert_eq!(anonymous.status, StatusCode::SEE_OTHER);
    assert!(anonymous.header("location").starts_with("/login?next="), "{}", anonymous.header("location"));
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 0);

    let browser = app.signed_in().await;
    let page = browser.get(&path(&query(DOCUMENT, &[]))).await;
    for shown in ["Editor", "editor.example describes the app under this name", DOCUMENT, "localhost:8085"] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let (access, refresh) = granted(&app, &browser, DOCUMENT).await;
    assert!(is_accepted(&app, &access).await);
    assert!(!refresh.is_empty());
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 1, "the document is kept for an hour");
    // It is public, so nobody is spared the question.
    assert_eq!(browser.get(&path(&query(DOCUMENT, &[]))).await.status, StatusCode::OK);

    let clients = browser.get("/apps/clients").await.body;
    assert!(clients.contains("Described by its host"), "{clients}");
    let link = "/apps/clients/https%3A%2F%2Feditor.example%2Foauth%2Fclient.json";
    assert!(clients.contains(link), "{clients}");
    let page = browser.get(link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Remove client"), "{}", page.body);
    let changes = between(&page.body, "Latest changes", "</section>");
    assert!(changes.contains("/activity?target=https%3A%2F%2Feditor.example%2Foauth%2Fclient.json"), "{changes}");
    assert!(changes.contains("class=\"entry\""), "{changes}");
    let removed = browser.submit(link, "/fn/remove_client", &[("client", DOCUMENT)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER);
    assert!(!is_accepted(&app, &access).await);
    let page = browser.get(&path(&query(DOCUMENT, &[]))).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.body.contains("An administrator removed this client."), "{}", page.body);
}

#[tokio::test]
async fn a_document_is_read_again_after_an_hour_and_what_changed_is_recorded() {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let asks = async || {
        let mut answer = browser.get(&path(&query(DOCUMENT, &[]))).await;
        answer.body = answer.body.replace("<!>", "");
        answer
    };
    assert_eq!(asks().await.status, StatusCode::OK);
    app.instance.issuers.publish(DOCUMENT, &document(json!({ "client_name": "Editor Two" })));
    assert!(asks().await.body.contains("<b>Editor</b>"));
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(crate::support::PASSWORD).await;
    assert!(asks().await.body.contains("<b>Editor Two</b>"));
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 2);
    // One that says the same is believed for another hour.
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(crate::support::PASSWORD).await;
    assert!(asks().await.body.contains("<b>Editor Two</b>"));
    assert!(asks().await.body.contains("<b>Editor Two</b>"));
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 3);
    // A redirect URI that is no longer listed is no longer led to.
    app.instance.issuers.publish(DOCUMENT, &document(json!({ "redirect_uris": ["https://editor.example/callback"] })));
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(crate::support::PASSWORD).await;
    let refused = asks().await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("redirect_uri is not one"), "{}", refused.body);
    let filter = Filter { action: Some("client.changed".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert_eq!(entries.len(), 2);
    assert!(entries[1].details.contains("Editor Two"), "{}", entries[1].details);
    assert!(!entries[1].details.contains("redirect_uris"), "only what changed: {}", entries[1].details);
    // The person who asked has not made the change.
    assert!(entries[1].details.contains("the document of the client"), "{}", entries[1].details);
    assert_eq!(entries[1].actor_kind, "system");
}

#[tokio::test]
async fn a_client_keeps_the_name_that_an_administrator_gives_to_another_one_later() {
    let app = App::new().await;
    let named = |name: &str| app.instance.issuers.publish(DOCUMENT, &document(json!({ "client_name": name })));
    named("Portal");
    let browser = app.signed_in().await;
    let asks = async || browser.get(&path(&query(DOCUMENT, &[]))).await;
    assert_eq!(asks().await.status, StatusCode::OK);
    confidential(&app).await;
    for (name, expected) in [("Portal", 200), ("Editor", 200), ("Portal", 400)] {
        named(name);
        app.instance.clock.advance(Duration::from_secs(3600));
        browser.sign_in(crate::support::PASSWORD).await;
        let answer = asks().await;
        assert_eq!(answer.status.as_u16(), expected, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_document_that_describes_no_client_for_people_is_refused() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for (case, published, words) in [
        ("absent", None, "could not be fetched"),
        ("no JSON", Some("<html>".to_owned()), "not a JSON object"),
        ("repeated member", Some(r#"{"client_id":"x","client_id":"y"}"#.to_owned()), "not a JSON object"),
        (
            "other",
            Some(document(json!({ "client_id": "https://editor.example/oauth/other.json" }))),
            "not its own address",
        ),
        ("nameless", Some(document(json!({ "client_id": null }))), "not its own address"),
        ("secret", Some(document(json!({ "client_secret": "x" }))), "client_secret"),
        ("symmetric", Some(document(json!({ "token_endpoint_auth_method": "client_secret_post" }))), "is neither none"),
        ("keys", Some(document(json!({ "token_endpoint_auth_method": "private_key_jwt" }))), "names no keys"),
        ("machine", Some(document(json!({ "grant_types": ["client_credentials"] }))), "grant_types"),
        ("script", Some(document(json!({ "redirect_uris": ["javascript:alert(1)"] }))), "no redirect URI"),
        ("no URIs", Some(document(json!({ "redirect_uris": null }))), "no redirect URI"),
        ("hidden", Some(document(json!({ "client_name": "Edi\u{202E}tor" }))), "cannot be seen"),
        ("product", Some(document(json!({ "client_name": "Соuntersign" }))), "two alphabets"),
        ("imitation", Some(document(json!({ "client_name": "COUNTER SIGN" }))), "must not look like"),
    ] {
        // Each at an address of its own, or a host would be asked too often.
        let address = format!("https://{}.example/client.json", case.to_lowercase().replace(' ', "-"));
        if let Some(published) = published {
            let published = published.replace(DOCUMENT, &address);
            app.instance.issuers.publish(&address, &published);
        }
        // Nor may one person make us ask often.
        app.instance.clock.advance(Duration::from_secs(10));
        let page = browser.get(&path(&query(&address, &[]))).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{case}");
        assert_eq!(page.header("location"), "", "{case}");
        assert!(page.body.contains(words), "{case}: {}", page.body);
    }
    for wrong in ["http://editor.example/client.json", "https://editor.example/", "https://editor.example/a/../b"] {
        let page = browser.get(&path(&query(wrong, &[]))).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(app.instance.issuers.asked(wrong), 0, "{wrong}");
    }
}

#[tokio::test]
async fn a_host_is_not_asked_often() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    for number in 0..15 {
        let address = format!("https://victim.example/{number}");
        assert_eq!(browser.get(&path(&query(&address, &[]))).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(app.instance.issuers.asked(&address), usize::from(number < 10), "{number}");
    }
    app.instance.clock.advance(Duration::from_secs(60));
    browser.get(&path(&query("https://victim.example/later", &[]))).await;
    assert_eq!(app.instance.issuers.asked("https://victim.example/later"), 1);
}

#[tokio::test]
async fn documents_count_for_nothing_when_the_setting_is_off() {
    let app = App::with_settings(|settings| settings.client_id_metadata_documents = false).await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let page = browser.get(&path(&query(DOCUMENT, &[]))).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.instance.issuers.asked(DOCUMENT), 0);
    let metadata = app.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata.get("client_id_metadata_document_supported"), None);
}

#[tokio::test]
async fn many_first_visitors_of_one_document_make_one_client() {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let (path, visitors) = (path(&query(DOCUMENT, &[])), 0..8);
    let pages = futures::future::join_all(visitors.map(|_| browser.get(&path))).await;
    assert!(pages.iter().all(|page| page.status == StatusCode::OK));
    let filter = Filter { action: Some("client.added".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn described_clients_end_with_the_setting() {
    let app = App::new().await;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let (_, refresh) = granted(&app, &browser, DOCUMENT).await;
    let mut context = app.instance.context.clone();
    let mut settings = (*context.settings).clone();
    settings.client_id_metadata_documents = false;
    context.settings = settings.into();
    let state = server::state::AppState::new(context, Vec::new(), Vec::new());
    let later = App { router: crate::support::router(state), ..app };
    let answer = later.token(&[], crate::interactive::refreshing(DOCUMENT, &refresh)).await;
    assert_eq!(crate::interactive::error(&answer), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn long_lists_of_clients_have_pages_and_a_search() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    assert_eq!(browser.get(&path(&query(DOCUMENT, &[]))).await.status, StatusCode::OK);
    for number in 0..205 {
        let draft = ClientDraft {
            name: format!("Portal {number}"),
            redirect_uris: vec!["https://portal.example/callback".to_owned()],
            ..ClientDraft::default()
        };
        client::create(context, &Actor::command_line("operator"), &draft, None).await.expect("made");
        app.instance.clock.advance(Duration::from_millis(1));
    }
    let list = async |address: &str| browser.get(address).await.body.replace("<!>", "").replace("&amp;", "&");
    let first = list("/apps/clients").await;
    assert!(first.contains(">Portal 204<") && !first.contains(">Portal 4<") && !first.contains(">Editor<"));
    let next = format!("/apps/clients?after={}", crate::html::between(&first, "/apps/clients?after=", "\""));
    let second = list(&next).await;
    assert!(second.contains(">Portal 4<") && second.contains(">Editor<") && second.contains("First page"), "{second}");
    let found = list("/apps/clients?q=pORTAL+17").await;
    assert_eq!(found.matches("class=\"name\"").count(), 11, "17 and 170 to 179");
    let described = list("/apps/clients?kind=document").await;
    assert!(described.contains(">Editor<") && !described.contains(">Portal"));
    assert!(list("/apps/clients?q=100%25").await.contains("No client matches."));
}

/// Registers with this `Authorization`.
async fn register_with(app: &App, authorization: Option<&str>) -> Answer {
    let mut request = Request::post("/mcp/oauth/register").header("content-type", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let metadata =
        json!({ "redirect_uris": ["https://portal.example/callback"], "token_endpoint_auth_method": "none" });
    app.send(request.body(Body::from(metadata.to_string())).expect("a request")).await
}

#[tokio::test]
async fn clients_register_with_the_initial_access_token_alone_where_one_is_asked_for() {
    let token = "an-initial-access-token-of-the-operator";
    let app = App::with_settings(|settings| {
        settings.dynamic_registration = DynamicRegistration::Token;
        settings.initial_access_token = InitialAccessToken::parse(token);
    })
    .await;
    for wrong in [
        None,
        Some("Bearer x"),
        Some("Bearer an-initial-access-token-of-the-operatos"),
        Some(token),
        Some("Basic eDp5"),
    ] {
        let answer = register_with(&app, wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong:?}");
        assert_eq!(answer.json()["error"], "invalid_token");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{wrong:?}");
    }
    let answer = register_with(&app, Some(&format!("bearer {token}"))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert!(!answer.body.contains(token));
    assert!(InitialAccessToken::parse("too short").is_none());
}

/// Whether the client is there.
async fn is_known(app: &App, id: &str) -> bool {
    let id = AppClientId::parse(id).expect("an identifier");
    client::find(&app.instance.context, &id).await.expect("reads").is_some()
}

#[tokio::test]
async fn clients_that_nobody_uses_go_and_the_log_says_so() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let (unused, used) = (registered(&app).await, registered(&app).await);
    granted(&app, &browser, &used).await;
    assert_eq!(browser.get(&path(&query(DOCUMENT, &[]))).await.status, StatusCode::OK);
    let draft = ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: vec!["https://portal.example/callback".to_owned()],
        ..ClientDraft::default()
    };
    let (made, _) = client::create(context, &Actor::command_line("operator"), &draft, None).await.expect("made");

    app.instance.clock.advance(prune::NEVER_USED);
    app.instance.tidy().await;
    assert!(is_known(&app, &unused).await, "to the moment");
    app.instance.clock.advance(Duration::from_secs(1));
    app.instance.tidy().await;
    assert!(!is_known(&app, &unused).await);
    assert!(!is_known(&app, DOCUMENT).await);
    assert!(is_known(&app, &used).await);
    let filter = Filter { action: Some("clients.pruned".to_owned()), ..Filter::default() };
    let entries = audit::list(context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert_eq!(entries.len(), 1);
    let details: Value = serde_json::from_str(&entries[0].details).expect("JSON");
    let mut names: Vec<&str> = details["names"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    assert_eq!((&details["clients"], names), (&json!(2), vec!["Editor", "mcp"]));

    // One that was used stays while its grants are remembered.
    app.instance.clock.advance(prune::IDLE + DAY);
    app.instance.tidy().await;
    assert!(is_known(&app, &used).await);
    app.instance.clock.advance(DAY * 90);
    app.instance.tidy().await;
    assert!(!is_known(&app, &used).await);
    assert!(is_known(&app, made.id.as_str()).await, "what an administrator made stays");
    browser.sign_in(crate::support::PASSWORD).await;
    let page = browser.get("/apps/clients").await.body;
    assert!(page.contains("after 7 days if nobody approves them"), "{page}");
}

#[tokio::test]
async fn a_client_that_is_about_to_be_used_does_not_go() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = registered(&app).await;
    app.instance.clock.advance(prune::NEVER_USED + DAY);
    browser.sign_in(crate::support::PASSWORD).await;
    let (_, pairs) = redirect(&decide(&browser, &query(&id, &[]), "allow").await);
    app.instance.tidy().await;
    let answer = app.token(&[], redemption(&id, parameter(&pairs, "code"), &[])).await;
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    // And one that registered again a moment ago is another.
    let again = register(&app, &json!({ "redirect_uris": [CALLBACK] })).await;
    assert_ne!(again.json()["client_id"], json!(id));
    assert!(!code(&browser, &id, &[]).await.is_empty());
}

#[tokio::test]
async fn a_restore_tells_which_clients_ended_since_and_does_not_bring_them_back() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.instance.issuers.publish(DOCUMENT, &document(json!({})));
    let browser = app.signed_in().await;
    let gone = registered(&app).await;
    let (portal, secret) = crate::interactive::confidential(&app).await;
    let (replaced, _) = crate::interactive::confidential(&app).await;
    let (stopped, _) = crate::interactive::confidential(&app).await;
    let first_seen_later = "https://later.example/client.json";
    let later = document(json!({ "client_id": first_seen_later, "client_name": "Later" }));
    app.instance.issuers.publish(first_seen_later, &later);
    let described = "https://other.example/client.json";
    app.instance.issuers.publish(described, &document(json!({ "client_id": described })));
    assert_eq!(browser.get(&path(&query(described, &[]))).await.status, StatusCode::OK);
    let (backup, compared) = crate::openid::backed_up(&app).await;
    assert!(compared(&backup).await.is_empty());

    // A document that says something else is understood.
    let renamed = json!({ "client_id": described, "client_name": "Another editor" });
    app.instance.issuers.publish(described, &document(renamed));
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(crate::support::PASSWORD).await;
    assert_eq!(browser.get(&path(&query(described, &[]))).await.status, StatusCode::OK);
    let after = compared(&backup).await;
    assert!(after.is_empty(), "{:?}", after.unknown);
    // First seen after the backup, so that the backup does not know it.
    assert_eq!(browser.get(&path(&query(DOCUMENT, &[]))).await.status, StatusCode::OK);
    for id in [DOCUMENT, &gone] {
        let answer = browser.submit("/apps", "/fn/remove_client", &[("client", id)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
    let report = Request::post("/leaks/report").header("content-type", crate::support::FORM);
    app.send(report.body(Body::from(format!("token={secret}"))).expect("a request")).await;
    let operator = Actor::command_line("operator");
    let id = AppClientId::parse(&replaced).expect("an identifier");
    client::replace_secret(context, &operator, &id, None).await.expect("replaced");
    assert_eq!(browser.get(&path(&query(first_seen_later, &[]))).await.status, StatusCode::OK);
    for id in [&stopped, first_seen_later] {
        let id = AppClientId::parse(id).expect("an identifier");
        assert!(client::disable::disable(context, &operator, &id).await.expect("disabled"));
    }
    let difference = compared(&backup).await;
    let told = |id: &str, how: How| difference.ended.iter().any(|one| one.id == id && one.how == how);
    assert!(told(&gone, How::ClientRemoved) && told(DOCUMENT, How::DocumentRemoved));
    assert!(told(&portal, How::ClientSecretEnded) && told(&replaced, How::ClientSecretEnded));
    assert!(told(&stopped, How::ClientDisabled) && told(first_seen_later, How::DocumentDisabled));
    assert_eq!(difference.ended.len(), 6);

    let restored = domain::context::Context { store: backup.clone(), ..context.clone() };
    restore::finish(&restored, &operator, &difference, true).await.expect("restores");
    assert!(compared(&backup).await.is_empty());
    let find = async |id: &str| {
        let id = AppClientId::parse(id).expect("an identifier");
        client::find(&restored, &id).await.expect("reads").expect("known")
    };
    assert!(find(DOCUMENT).await.removed_at.is_some() && find(&gone).await.removed_at.is_some());
    assert!(find(&portal).await.secret_ended && find(&replaced).await.secret_ended);
    assert!(find(&stopped).await.disabled_at.is_some() && find(first_seen_later).await.disabled_at.is_some());
    backup.close().await;
}
