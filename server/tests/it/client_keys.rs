//! Keys at an address (`jwks_uri`): of clients that a document describes, and of credentials.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::client;
use domain::credential::generate::generate;
use domain::credential::{CredentialError, keys};
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::model::client::ClientQuery;
use domain::model::credential::draft::{Draft, DraftProof};
use domain::model::person::authority::Authority;
use serde_json::{Value, json};

use crate::assertions::{CLIENT_ASSERTION, ISSUER, Signer};
use crate::client_documents::{DOCUMENT, document};
use crate::interactive::{code, error, is_accepted, path, query, redemption, refreshing, text};
use crate::support::{Answer, App, PASSWORD};

pub(crate) const KEYS: &str = "https://editor.example/oauth/jwks.json";

/// The members of a document whose client has its keys at [`KEYS`].
fn with_keys() -> Value {
    json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS })
}

/// A set with these keys, each with its `kid`.
pub(crate) fn set(keys: &[(&str, &Signer)]) -> Value {
    let named = keys.iter().map(|(kid, signer)| {
        let mut jwk = signer.jwk();
        jwk["kid"] = json!(kid);
        jwk
    });
    json!({ "keys": named.collect::<Vec<_>>() })
}

/// An assertion of the client about itself, with these claims in place of the usual ones.
pub(crate) fn assertion(app: &App, signer: &Signer, kid: &str, jti: &str, changes: &Value) -> String {
    let now = app.instance.context.now().seconds();
    let mut claims =
        json!({ "iss": DOCUMENT, "sub": DOCUMENT, "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60 });
    claims.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    signer.sign(&json!({ "alg": "ES256", "kid": kid }).to_string(), &claims.to_string())
}

async fn redeem(app: &App, form: String, assertion: &str) -> Answer {
    app.token(&[], format!("{form}&{CLIENT_ASSERTION}{assertion}")).await
}

#[tokio::test]
async fn a_client_proves_itself_with_the_keys_at_the_address_of_its_document() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    issuers.publish(DOCUMENT, &document(with_keys()));
    issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    let browser = app.signed_in().await;
    let first = code(&browser, DOCUMENT, &[]).await;
    assert_eq!(issuers.asked(KEYS), 0, "keys are fetched when they are needed");
    let unproven = app.token(&[], redemption(DOCUMENT, &first, &[])).await;
    assert_eq!(error(&unproven), (401, "invalid_client".to_owned()), "the name alone is no proof");

    let proof = assertion(&app, &signer, "one", "a", &json!({}));
    let answer = redeem(&app, redemption(DOCUMENT, &first, &[]), &proof).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    let refresh = text(&answer, "refresh_token");
    let unproven = app.token(&[], refreshing(DOCUMENT, &refresh)).await;
    assert_eq!(error(&unproven), (401, "invalid_client".to_owned()));
    let used = redeem(&app, refreshing(DOCUMENT, &refresh), &proof).await;
    assert_eq!(error(&used), (401, "invalid_client".to_owned()), "an assertion is good once");
    // The audience may be the token endpoint. The program of another company cannot be told which one we like.
    let endpoint = json!({ "aud": format!("{ISSUER}/mcp/oauth/token") });
    let answer = redeem(&app, refreshing(DOCUMENT, &refresh), &assertion(&app, &signer, "one", "b", &endpoint)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(issuers.asked(KEYS), 1);

    let page = browser.get("/apps/clients/https%3A%2F%2Feditor.example%2Foauth%2Fclient.json").await.words();
    for shown in ["Proves itself with", KEYS, "one, ES256", "Fetched "] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test]
async fn an_assertion_that_proves_nothing_is_refused() {
    let app = App::new().await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    app.instance.issuers.publish(DOCUMENT, &document(with_keys()));
    app.instance.issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    let browser = app.signed_in().await;
    let code = code(&browser, DOCUMENT, &[]).await;
    let now = app.instance.context.now().seconds();
    let none = json!({});
    let cases = [
        ("another key", assertion(&app, &stranger, "one", "a", &none)),
        ("another audience", assertion(&app, &signer, "one", "b", &json!({ "aud": "https://other.example" }))),
        ("two audiences", assertion(&app, &signer, "one", "c", &json!({ "aud": [ISSUER, "https://other.example"] }))),
        ("another subject", assertion(&app, &signer, "one", "d", &json!({ "sub": "https://editor.example/x" }))),
        ("over", assertion(&app, &signer, "one", "e", &json!({ "exp": now - 60 }))),
        ("too long", assertion(&app, &signer, "one", "f", &json!({ "exp": now + 3600 }))),
        ("no jti", assertion(&app, &signer, "one", "", &none)),
        (
            "no signature",
            format!("{}.", assertion(&app, &signer, "one", "g", &none).rsplit_once('.').expect("parts").0),
        ),
    ];
    for (case, proof) in cases {
        let answer = redeem(&app, redemption(DOCUMENT, &code, &[]), &proof).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{case}: {}", answer.body);
    }
    let good = assertion(&app, &signer, "one", "h", &none);
    let other = redeem(&app, redemption("https://editor.example/other.json", &code, &[]), &good).await;
    assert_eq!(error(&other), (400, "invalid_request".to_owned()), "{}", other.body);
    let answer = redeem(&app, redemption(DOCUMENT, &code, &[]), &good).await;
    assert_eq!(answer.status, StatusCode::OK, "what was refused used nothing up: {}", answer.body);
}

#[tokio::test]
async fn new_keys_are_found_at_most_once_a_minute_and_earlier_keys_serve_while_the_host_is_away() {
    let app = App::new().await;
    let (issuers, first, second, third) = (&app.instance.issuers, Signer::new(), Signer::new(), Signer::new());
    issuers.publish(DOCUMENT, &document(with_keys()));
    issuers.publish(KEYS, &set(&[("one", &first)]).to_string());
    issuers.keep_for(KEYS, Duration::from_secs(2 * 3600));
    let browser = app.signed_in().await;
    let attempt = async |signer: &Signer, kid: &str, jti: &str| {
        let code = code(&browser, DOCUMENT, &[]).await;
        let proof = assertion(&app, signer, kid, jti, &json!({}));
        redeem(&app, redemption(DOCUMENT, &code, &[]), &proof).await.status
    };
    assert_eq!(attempt(&first, "one", "a").await, StatusCode::OK);
    issuers.publish(KEYS, &set(&[("one", &first), ("two", &second)]).to_string());
    assert_eq!(attempt(&second, "two", "b").await, StatusCode::UNAUTHORIZED, "asked a moment ago");
    assert_eq!(issuers.asked(KEYS), 1);
    app.instance.clock.advance(Duration::from_secs(60));
    assert_eq!(attempt(&second, "two", "c").await, StatusCode::OK);
    assert_eq!(issuers.asked(KEYS), 2);
    for number in 0..5 {
        assert_eq!(attempt(&third, "three", &format!("d{number}")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(issuers.asked(KEYS), 2, "unknown keys do not make us ask again and again");

    // The host lets its keys be kept for two hours. Then it is away, and the earlier keys serve.
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(PASSWORD).await;
    assert_eq!(attempt(&second, "two", "e").await, StatusCode::OK);
    assert_eq!(issuers.asked(KEYS), 2);
    issuers.withdraw(KEYS);
    app.instance.clock.advance(Duration::from_secs(3600));
    browser.sign_in(PASSWORD).await;
    assert_eq!(attempt(&second, "two", "f").await, StatusCode::OK);
    assert_eq!(issuers.asked(KEYS), 3);
    // After a day they are too old. That is no fault of the client.
    app.instance.clock.advance(Duration::from_secs(24 * 3600));
    browser.sign_in(PASSWORD).await;
    assert_eq!(attempt(&second, "two", "g").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_methods_of_a_document_are_read_as_published_documents_have_them() {
    let app = App::new().await;
    let signer = Signer::new();
    let browser = app.signed_in().await;
    let listed = set(&[("one", &signer)]);
    let mut private = listed.clone();
    private["keys"][0]["d"] = json!("AAAA");
    let cases = [
        ("keys in the document", json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": listed }), "keys"),
        (
            "a list of methods alone",
            json!({ "token_endpoint_auth_method": null, "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
                    "jwks_uri": KEYS }),
            "keys",
        ),
        (
            "a list without keys",
            json!({ "token_endpoint_auth_method": null,
                    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"] }),
            "none",
        ),
        ("nothing", json!({ "token_endpoint_auth_method": null }), "none"),
        (
            "a list of secrets",
            json!({ "token_endpoint_auth_method": null, "token_endpoint_auth_methods_supported": ["client_secret_basic"] }),
            "is neither none nor private_key_jwt",
        ),
        (
            "both",
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": listed, "jwks_uri": KEYS }),
            "It has jwks and jwks_uri",
        ),
        (
            "private",
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": private }),
            "private or symmetric",
        ),
        (
            "empty",
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [] } }),
            "no key that can",
        ),
        (
            "http",
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://editor.example/keys" }),
            "no https address",
        ),
    ];
    for (case, changes, expected) in cases {
        let address = format!("https://{}.example/client.json", case.replace(' ', "-"));
        app.instance.issuers.publish(&address, &document(changes).replace(DOCUMENT, &address));
        app.instance.clock.advance(Duration::from_secs(10));
        let page = browser.get(&path(&query(&address, &[]))).await;
        let token = async || app.token(&[], redemption(&address, &code(&browser, &address, &[]).await, &[])).await;
        match expected {
            "keys" => {
                assert_eq!(page.status, StatusCode::OK, "{case}: {}", page.body);
                assert_eq!(token().await.status, StatusCode::UNAUTHORIZED, "{case}");
            }
            "none" => assert_eq!(token().await.status, StatusCode::OK, "{case}"),
            problem => {
                assert_eq!(page.status, StatusCode::BAD_REQUEST, "{case}");
                assert!(page.body.contains(problem), "{case}: {}", page.body);
            }
        }
    }
}

#[tokio::test]
async fn other_keys_are_recorded_and_count_at_once() {
    let app = App::new().await;
    let (issuers, first, second) = (&app.instance.issuers, Signer::new(), Signer::new());
    let listing = |signer: &Signer, kid: &str| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": set(&[(kid, signer)]) });
    issuers.publish(DOCUMENT, &document(listing(&first, "one")));
    issuers.keep_for(DOCUMENT, Duration::from_secs(60));
    let browser = app.signed_in().await;
    let earlier = code(&browser, DOCUMENT, &[]).await;
    issuers.publish(DOCUMENT, &document(listing(&second, "two")));
    app.instance.clock.advance(Duration::from_secs(299));
    let _ = code(&browser, DOCUMENT, &[]).await;
    assert_eq!(issuers.asked(DOCUMENT), 1, "no document is read more often than every five minutes");
    app.instance.clock.advance(Duration::from_secs(1));
    let later = code(&browser, DOCUMENT, &[]).await;
    assert_eq!(issuers.asked(DOCUMENT), 2);
    let old = assertion(&app, &first, "one", "a", &json!({}));
    assert_eq!(redeem(&app, redemption(DOCUMENT, &later, &[]), &old).await.status, StatusCode::UNAUTHORIZED);
    let new = assertion(&app, &second, "two", "b", &json!({}));
    assert_eq!(redeem(&app, redemption(DOCUMENT, &later, &[]), &new).await.status, StatusCode::OK);
    let new = assertion(&app, &second, "two", "c", &json!({}));
    let expired = redeem(&app, redemption(DOCUMENT, &earlier, &[]), &new).await;
    assert_eq!(error(&expired), (400, "invalid_grant".to_owned()), "the code was for a minute");
    let filter = Filter { action: Some("client.changed".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    let details: Value = serde_json::from_str(&entries[0].details).expect("JSON");
    assert_eq!(details["keys"], json!({ "before": "one", "after": "two" }), "{}", entries[0].details);
}

/// The answer to an exchange of a credential with an assertion about itself.
async fn exchange(app: &App, client_id: &str, signer: &Signer, kid: &str, jti: &str) -> StatusCode {
    let proof = assertion(app, signer, kid, jti, &json!({ "iss": client_id, "sub": client_id }));
    app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{proof}")).await.status
}

#[tokio::test]
async fn an_assertion_is_good_for_one_request_of_any_kind() {
    let app = App::new().await;
    let signer = Signer::new();
    app.instance.issuers.publish(DOCUMENT, &document(with_keys()));
    app.instance.issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    let browser = app.signed_in().await;
    let code = code(&browser, DOCUMENT, &[]).await;
    let used = assertion(&app, &signer, "one", "a", &json!({}));
    let answer = redeem(&app, redemption(DOCUMENT, &code, &[]), &used).await;
    let access = text(&answer, "access_token");
    let revoke = async |proof: &str| {
        let request = Request::post("/mcp/oauth/revoke").header("content-type", "application/x-www-form-urlencoded");
        let body = format!("token={access}&{CLIENT_ASSERTION}{proof}");
        app.send(request.body(Body::from(body)).expect("a request")).await.status
    };
    assert_eq!(revoke(&used).await, StatusCode::UNAUTHORIZED);
    assert!(is_accepted(&app, &access).await);
    let fresh = assertion(&app, &signer, "one", "b", &json!({}));
    assert_eq!(revoke(&fresh).await, StatusCode::OK);
    assert!(!is_accepted(&app, &access).await);
    assert_eq!(revoke(&fresh).await, StatusCode::UNAUTHORIZED);
    // Who signs with another key learns nothing about the client.
    let stranger = assertion(&app, &Signer::new(), "one", "c", &json!({}));
    for known in [DOCUMENT, "https://editor.example/oauth/other.json"] {
        let answer = redeem(&app, redemption(known, "x", &[]), &stranger).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{known}");
    }
}

#[tokio::test]
async fn keys_that_are_taken_away_stop_working_though_nobody_is_asked() {
    let app = App::new().await;
    let (issuers, first, second) = (&app.instance.issuers, Signer::new(), Signer::new());
    let browser = app.signed_in().await;
    let listing = |signer: &Signer, kid: &str| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": set(&[(kid, signer)]) });
    let hour = Duration::from_secs(3600);

    // The document has the keys, and then has another one.
    issuers.publish(DOCUMENT, &document(listing(&first, "one")));
    let begun = code(&browser, DOCUMENT, &[]).await;
    let proof = assertion(&app, &first, "one", "a", &json!({}));
    let refresh = text(&redeem(&app, redemption(DOCUMENT, &begun, &[]), &proof).await, "refresh_token");
    issuers.publish(DOCUMENT, &document(listing(&second, "two")));
    app.instance.clock.advance(hour);
    let old = assertion(&app, &first, "one", "b", &json!({}));
    assert_eq!(redeem(&app, refreshing(DOCUMENT, &refresh), &old).await.status, StatusCode::UNAUTHORIZED);
    let new = assertion(&app, &second, "two", "c", &json!({}));
    let answer = redeem(&app, refreshing(DOCUMENT, &refresh), &new).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let refresh = text(&answer, "refresh_token");

    // The host is away: what was read counts for a day.
    issuers.withdraw(DOCUMENT);
    app.instance.clock.advance(hour);
    let proof = assertion(&app, &second, "two", "d", &json!({}));
    let answer = redeem(&app, refreshing(DOCUMENT, &refresh), &proof).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let refresh = text(&answer, "refresh_token");
    app.instance.clock.advance(25 * hour);
    let proof = assertion(&app, &second, "two", "e", &json!({}));
    assert_eq!(redeem(&app, refreshing(DOCUMENT, &refresh), &proof).await.status, StatusCode::UNAUTHORIZED);

    // An empty set at the address is an answer.
    issuers.publish(DOCUMENT, &document(with_keys()));
    issuers.publish(KEYS, &set(&[("one", &first)]).to_string());
    browser.sign_in(PASSWORD).await;
    let begun = code(&browser, DOCUMENT, &[]).await;
    let proof = assertion(&app, &first, "one", "f", &json!({}));
    let refresh = text(&redeem(&app, redemption(DOCUMENT, &begun, &[]), &proof).await, "refresh_token");
    issuers.publish(KEYS, r#"{"keys":[]}"#);
    app.instance.clock.advance(hour);
    let proof = assertion(&app, &first, "one", "g", &json!({}));
    assert_eq!(redeem(&app, refreshing(DOCUMENT, &refresh), &proof).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_credential_whose_program_publishes_its_keys_needs_no_visit_when_a_key_is_replaced() {
    let app = App::new().await;
    let (context, issuers) = (&app.instance.context, &app.instance.issuers);
    let (first, second) = (Signer::new(), Signer::new());
    issuers.publish(KEYS, &set(&[("one", &first)]).to_string());
    let browser = app.signed_in().await;
    let fields = [("name", "publisher"), ("method", "private_key_jwt"), ("jwks_uri", KEYS), ("scope", "mcp:read")];
    let made = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let id = made.header("location").trim_start_matches("/credentials/").split('?').next().expect("an ID").to_owned();
    let client_id = domain::base::id::ClientId::parse(&id).expect("a client ID");
    assert_eq!(exchange(&app, &id, &first, "one", "a").await, StatusCode::OK);
    assert_eq!(issuers.asked(KEYS), 1);

    // The program publishes another key in place of the first.
    issuers.publish(KEYS, &set(&[("two", &second)]).to_string());
    assert_eq!(exchange(&app, &id, &second, "two", "b").await, StatusCode::UNAUTHORIZED, "asked a moment ago");
    app.instance.clock.advance(Duration::from_secs(60));
    assert_eq!(exchange(&app, &id, &second, "two", "c").await, StatusCode::OK);
    assert_eq!(exchange(&app, &id, &first, "one", "d").await, StatusCode::UNAUTHORIZED, "it is published no more");
    let stored = keys::list(context, &client_id).await.expect("reads");
    let states: Vec<(&str, bool)> = stored.iter().map(|key| (key.label.as_str(), key.revoked_at.is_none())).collect();
    assert_eq!(states, [("two", true), ("one", false)]);
    let filter = Filter { action: Some("credential.key_added".to_owned()), ..Filter::default() };
    let entries = audit::list(context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert!(entries[0].details.contains(KEYS) && entries[0].actor_kind == "system", "{}", entries[0].details);

    let page = browser.get(&format!("/credentials/{id}?view=secrets")).await.words();
    for shown in ["The program publishes its keys.", KEYS, "two, ES256", "Fetched ", "Next fetch: not before"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Add a key") && !page.contains("Rotate key"), "{page}");
    let refused = browser.get(&format!("/credentials/{id}/rotate")).await;
    assert!(refused.body.contains("publish the new key at that address"), "{}", refused.body);

    // A person removes the key. The program still publishes it, and it does not come back.
    let key = stored[0].id.to_string();
    browser.submit("/credentials", "/fn/remove_key", &[("client_id", id.as_str()), ("id", key.as_str())]).await;
    assert_eq!(exchange(&app, &id, &second, "two", "e").await, StatusCode::UNAUTHORIZED);

    // While the address is away, the program is told to come back.
    issuers.withdraw(KEYS);
    app.instance.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(exchange(&app, &id, &second, "two", "f").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_credential_is_not_made_for_an_address_without_usable_keys() {
    let app = App::new().await;
    app.instance.issuers.publish("https://empty.example/jwks.json", r#"{"keys":[]}"#);
    app.instance.issuers.publish("https://page.example/jwks.json", "<html>");
    for (address, problem) in [
        ("http://editor.example/jwks.json", "Enter an https address"),
        ("https://user@editor.example/jwks.json", "Enter an https address"),
        ("https://nowhere.example/jwks.json", "The keys cannot be used."),
        ("https://empty.example/jwks.json", "no usable key"),
        ("https://page.example/jwks.json", "not JSON"),
    ] {
        let proof = DraftProof::KeysAt(address.to_owned());
        let draft = Draft { name: "job".to_owned(), proof, ..Draft::default() };
        let error = generate(&app.instance.context, &Actor::command_line("operator"), &draft, None).await;
        let Err(CredentialError::Invalid(errors)) = error else { panic!("{address}: it was made") };
        assert!(errors[0].field == "jwks_uri" && errors[0].message.contains(problem), "{address}: {errors:?}");
    }
}

#[tokio::test]
async fn a_client_that_an_administrator_adds_proves_itself_with_the_keys_that_it_publishes() {
    let app = App::new().await;
    let (issuers, signer, other) = (&app.instance.issuers, Signer::new(), Signer::new());
    let browser = app.signed_in().await;
    let callback = "https://portal.example/callback";
    let base = [("name", "Portal"), ("redirect_uris", callback)];
    let add = async |fields: &[(&str, &str)]| {
        browser.submit("/apps/clients/new", "/apps/clients/new", &[base.as_slice(), fields].concat()).await
    };
    for (fields, problem) in [
        (vec![("kind", "keys")], "Enter an https address"),
        (vec![("kind", "keys"), ("jwks_uri", "http://portal.example/keys")], "Enter an https address"),
        (vec![("kind", "keys"), ("jwks_uri", KEYS)], "The keys cannot be used."),
        (vec![("kind", "confidential"), ("jwks_uri", KEYS)], "The client has a secret or keys."),
    ] {
        let page = add(&fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}: {}", page.body);
        assert!(page.body.contains(problem), "{fields:?}: {}", page.body);
    }
    issuers.publish(KEYS, &set(&[("one", &signer)]).to_string());
    app.instance.clock.advance(Duration::from_secs(60));
    let made = add(&[("kind", "keys"), ("jwks_uri", KEYS)]).await;
    assert!(made.status.is_success() || made.status.is_redirection(), "{}", made.body);
    let clients = client::list(&app.instance.context, &ClientQuery::default(), 10).await.expect("reads");
    let id = clients[0].id.to_string();
    let own =
        |signer: &Signer, kid: &str, jti: &str| assertion(&app, signer, kid, jti, &json!({ "iss": id, "sub": id }));

    let to = ("redirect_uri", callback);
    let begun = code(&browser, &id, &[to]).await;
    let unproven = app.token(&[], redemption(&id, &begun, &[to])).await;
    assert_eq!(error(&unproven), (401, "invalid_client".to_owned()));
    let strange = redeem(&app, redemption(&id, &begun, &[to]), &own(&other, "one", "a")).await;
    assert_eq!(error(&strange), (401, "invalid_client".to_owned()));
    let answer = redeem(&app, redemption(&id, &begun, &[to]), &own(&signer, "one", "b")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(is_accepted(&app, &text(&answer, "access_token")).await);
    // It proves itself, and an administrator added it: who allowed it is not asked again.
    assert_eq!(browser.get(&path(&query(&id, &[to]))).await.status, StatusCode::SEE_OTHER);

    let page = browser.get(&format!("/apps/clients/{id}")).await.words();
    for shown in ["Added by an administrator, proves itself with keys", KEYS, "one, ES256", "Next fetch: not before"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Replace secret"), "{page}");

    // Other keys, at another address.
    let next = "https://portal.example/keys";
    issuers.publish(next, &set(&[("two", &other)]).to_string());
    let edit = format!("/apps/clients/{id}/edit");
    let none = browser.submit(&edit, &edit, &base).await;
    assert!(none.status == StatusCode::UNPROCESSABLE_ENTITY && none.body.contains("Enter an https"), "{}", none.body);
    let saved = browser.submit(&edit, &edit, &[base.as_slice(), &[("jwks_uri", next)]].concat()).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let refresh = text(&answer, "refresh_token");
    let old = redeem(&app, refreshing(&id, &refresh), &own(&signer, "one", "c")).await;
    assert_eq!(error(&old), (401, "invalid_client".to_owned()));
    let new = redeem(&app, refreshing(&id, &refresh), &own(&other, "two", "d")).await;
    assert_eq!(new.status, StatusCode::OK, "{}", new.body);
    let filter = Filter { action: Some("client.changed".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert!(entries[0].details.contains(KEYS) && entries[0].details.contains(next), "{}", entries[0].details);
}

#[tokio::test]
async fn strangers_do_not_make_this_server_read_a_broken_document_again_and_again() {
    let app = App::new().await;
    let (issuers, signer) = (&app.instance.issuers, Signer::new());
    let listed = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": set(&[("one", &signer)]) });
    issuers.publish(DOCUMENT, &document(listed));
    let browser = app.signed_in().await;
    let begun = code(&browser, DOCUMENT, &[]).await;
    issuers.take_away(DOCUMENT);
    app.instance.clock.advance(Duration::from_secs(3600));
    for number in 0..15 {
        let strange = assertion(&app, &Signer::new(), "one", &number.to_string(), &json!({}));
        let answer = redeem(&app, redemption(DOCUMENT, &begun, &[]), &strange).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
    }
    assert_eq!(issuers.asked(DOCUMENT), 2, "once for the person, and once for all of these");
    // A person who opens another document of the host is not kept out.
    let other = "https://editor.example/oauth/other.json";
    issuers.publish(other, &document(json!({})).replace(DOCUMENT, other));
    browser.sign_in(PASSWORD).await;
    assert_eq!(browser.get(&path(&query(other, &[]))).await.status, StatusCode::OK);
}
