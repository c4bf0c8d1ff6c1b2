//! Clients that are known by a document and prove themselves with their keys (`private_key_jwt`).

use std::time::Duration;

use axum::http::StatusCode;
use domain::audit;
use domain::model::audit::Filter;
use domain::model::person::authority::Authority;
use serde_json::{Value, json};

use crate::assertions::{CLIENT_ASSERTION, ISSUER, Signer};
use crate::client_documents::{DOCUMENT, document};
use crate::interactive::{code, error, is_accepted, path, query, redemption, refreshing, text};
use crate::support::{Answer, App, PASSWORD};

const KEYS: &str = "https://editor.example/oauth/jwks.json";

/// The members of a document whose client has its keys at [`KEYS`].
fn with_keys() -> Value {
    json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS })
}

/// A set with these keys, each with its `kid`.
fn set(keys: &[(&str, &Signer)]) -> Value {
    let named = keys.iter().map(|(kid, signer)| {
        let mut jwk = signer.jwk();
        jwk["kid"] = json!(kid);
        jwk
    });
    json!({ "keys": named.collect::<Vec<_>>() })
}

/// An assertion of the client about itself, with these claims in place of the usual ones.
fn assertion(app: &App, signer: &Signer, kid: &str, jti: &str, changes: &Value) -> String {
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

    let page = browser.get("/apps/clients/https%3A%2F%2Feditor.example%2Foauth%2Fclient.json").await.body;
    let page = page.replace("<!>", "");
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
