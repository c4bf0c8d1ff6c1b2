//! A client that registered itself reads, changes and removes its registration (RFC 7592); what Activity says of
//! changed clients.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::base::id::AppClientId;
use domain::client;
use domain::incident::leak;
use domain::model::actor::Actor;
use domain::model::audit::{AuditEntry, Filter};
use domain::model::client::{AppClient, DynamicRegistration};
use domain::model::incident::Policy;
use domain::model::person::authority::Authority;
use serde_json::{Value, json};

use crate::interactive::{CALLBACK, code, confidential, error, granted, is_accepted, redemption, register};
use crate::support::{Answer, App};

/// The answer to the registration of an editor, public or with a secret.
async fn registered(app: &App, method: &str) -> Value {
    let metadata =
        json!({ "client_name": "Editor", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": method });
    let answer = register(app, &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()
}

fn member<'answer>(answer: &'answer Value, name: &str) -> &'answer str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// Sends a request to the address of the registration.
async fn manage(app: &App, method: &str, registration: &Value, token: &str, body: &Value) -> Answer {
    let path =
        member(registration, "registration_client_uri").strip_prefix("http://localhost:8080").expect("our address");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("origin", "https://app.example");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    app.send(request.body(body).expect("a request")).await
}

async fn newest(app: &App, action: &str) -> AuditEntry {
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 1).await.expect("reads");
    entries.into_iter().next().expect("an entry")
}

#[tokio::test]
async fn a_client_reads_changes_and_removes_its_registration() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let registration = registered(&app, "none").await;
    let (id, token) = (member(&registration, "client_id"), member(&registration, "registration_access_token"));
    assert_eq!(
        member(&registration, "registration_client_uri"),
        format!("http://localhost:8080/mcp/oauth/register/{id}")
    );
    let read = manage(&app, "GET", &registration, token, &Value::Null).await;
    assert_eq!(read.status, StatusCode::OK, "{}", read.body);
    assert_eq!(read.json(), registration);
    assert_eq!((read.header("cache-control"), read.header("access-control-allow-origin")), ("no-store", "*"));

    let (access, _) = granted(&app, &browser, id).await;
    let waiting = code(&browser, id, &[]).await;
    let other = "http://127.0.0.1:7777/other";
    let update = json!({
        "client_id": id, "client_name": "Editor 2", "redirect_uris": [other, "https://editor.example/callback"],
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "implicit"], "unknown": 1,
    });
    let updated = manage(&app, "PUT", &registration, token, &update).await;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.body);
    let updated = updated.json();
    assert_eq!((&updated["client_name"], &updated["redirect_uris"]), (&json!("Editor 2"), &json!([other])));
    assert_eq!(updated["grant_types"], json!(["authorization_code"]));
    assert_eq!(manage(&app, "GET", &registration, token, &Value::Null).await.json(), updated);
    let entry = newest(&app, "client.changed").await;
    assert_eq!((entry.target_id.as_str(), entry.address.as_deref()), (id, Some("192.0.2.1")));
    for said in ["Editor 2", other, "the client itself"] {
        assert!(entry.details.contains(said), "{said}: {}", entry.details);
    }
    // The same again changes nothing and says nothing.
    let mut same = updated.clone();
    same.as_object_mut()
        .expect("an object")
        .retain(|member, _| !member.starts_with("registration_") && !member.ends_with("_at"));
    assert_eq!(manage(&app, "PUT", &registration, token, &same).await.status, StatusCode::OK);
    assert_eq!(newest(&app, "client.changed").await.seq, entry.seq);
    // What people allowed stays; a code for the old address does not.
    assert!(is_accepted(&app, &access).await);
    let answer = app.token(&[], redemption(id, &waiting, &[])).await;
    assert_eq!(error(&answer), (400, "invalid_grant".to_owned()));

    let removed = manage(&app, "DELETE", &registration, token, &Value::Null).await;
    assert_eq!((removed.status, removed.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(newest(&app, "client.removed").await.target_id, id);
    for method in ["GET", "PUT", "DELETE"] {
        let answer = manage(&app, method, &registration, token, &update).await;
        assert_eq!(error(&answer), (401, "invalid_token".to_owned()), "{method}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method}");
    }
}

#[tokio::test]
async fn nobody_else_manages_a_registration_and_nothing_is_chosen_in_it() {
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    confidential(&app).await;
    let registration = registered(&app, "client_secret_basic").await;
    let stranger = registered(&app, "none").await;
    let (id, token) = (member(&registration, "client_id"), member(&registration, "registration_access_token"));
    let good = json!({ "client_id": id, "client_name": "Editor", "redirect_uris": [CALLBACK] });
    let secret = member(&registration, "client_secret");
    for wrong in [member(&stranger, "registration_access_token"), secret, "csg_x", ""] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = manage(&app, method, &registration, wrong, &good).await;
            assert_eq!(error(&answer), (401, "invalid_token".to_owned()), "{method}");
        }
        app.instance.clock.advance(std::time::Duration::from_secs(60));
    }
    let with = |member: &str, value: Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed
    };
    for (wrong, code) in [
        (with("client_id", stranger["client_id"].clone()), "invalid_client_metadata"),
        (with("client_id", Value::Null), "invalid_client_metadata"),
        (with("client_secret", json!("chosen")), "invalid_client_metadata"),
        (with("registration_access_token", json!(token)), "invalid_client_metadata"),
        (with("client_id_issued_at", json!(1)), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!("none")), "invalid_client_metadata"),
        (with("client_name", json!("Portal")), "invalid_client_metadata"),
        (with("redirect_uris", json!(["javascript:alert(1)"])), "invalid_redirect_uri"),
    ] {
        let answer = manage(&app, "PUT", &registration, token, &wrong).await;
        assert_eq!(error(&answer), (400, code.to_owned()), "{wrong}");
    }
    assert_eq!(
        manage(&app, "PUT", &registration, token, &with("client_secret", json!(secret))).await.status,
        StatusCode::OK
    );
    assert_eq!(manage(&app, "POST", &registration, token, &good).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let preflight = manage(&app, "OPTIONS", &registration, token, &Value::Null).await;
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
}

#[tokio::test]
async fn a_leaked_registration_token_ends() {
    let app = App::new().await;
    let registration = registered(&app, "none").await;
    let token = member(&registration, "registration_access_token");
    let context = &app.instance.context;
    let reported = leak::report(context, &Actor::system(), token, None, Policy::Revoke).await.expect("reports");
    assert!(reported.is_known());
    let answer = manage(&app, "GET", &registration, token, &Value::Null).await;
    assert_eq!(error(&answer), (401, "invalid_token".to_owned()));
    assert!(newest(&app, "client.secret_ended").await.details.contains("registration access token"));
}

#[tokio::test]
async fn where_people_decide_a_registration_token_ends_and_a_leak_of_the_secret_is_told() {
    let app = App::with_settings(|settings| settings.dynamic_registration = DynamicRegistration::On).await;
    let registration = registered(&app, "client_secret_basic").await;
    let (token, secret) = (member(&registration, "registration_access_token"), member(&registration, "client_secret"));
    let context = &app.instance.context;
    let report = async |leaked: &str| {
        leak::report(context, &Actor::command_line("operator"), leaked, None, Policy::Alert).await.expect("reports");
    };
    report(token).await;
    let answer = manage(&app, "GET", &registration, token, &Value::Null).await;
    assert_eq!(error(&answer), (401, "invalid_token".to_owned()));
    assert!(newest(&app, "leak.reported").await.details.contains("\"revoked\":true"));
    let found = find(&app, &registration).await;
    assert!(found.leaked_at.is_none() && !found.secret_ended);
    report(secret).await;
    assert!(
        newest(&app, "leak.reported").await.details.contains("\"revoked\":false"),
        "people decide about the secret"
    );
    assert!(find(&app, &registration).await.leaked_at.is_some());
}

async fn find(app: &App, registration: &Value) -> AppClient {
    let id = AppClientId::parse(member(registration, "client_id")).expect("an identifier");
    client::find(&app.instance.context, &id).await.expect("reads").expect("a client")
}

#[tokio::test]
async fn activity_says_what_an_administrator_changed_of_a_client() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (id, _) = confidential(&app).await;
    let path = format!("/apps/clients/{id}/edit");
    let fields = [("name", "Customer portal"), ("redirect_uris", "https://portal.example/callback")];
    assert_eq!(browser.submit(&path, &path, &fields).await.status, StatusCode::SEE_OTHER);
    let entry = newest(&app, "client.changed").await;
    assert_eq!(entry.actor_name, "Ada Lovelace");
    let details: Value = serde_json::from_str(&entry.details).expect("JSON");
    assert_eq!(details, json!({ "name": { "before": "Portal", "after": "Customer portal" } }));
    let page = browser.get("/activity?action=client.changed").await.body.replace("<!>", "");
    for shown in ["Client changed", "Customer portal", "Ada Lovelace", "Portal"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let (_, content) = page.split_once("<main").expect("the content");
    assert!(!content.contains("document"), "{content}");
}
