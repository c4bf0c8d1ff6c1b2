//! Revocation that reaches tokens which are out already: introspection, revocation of one token, status lists, and the
//! race.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::credential::generate::Generated;
use domain::credential::rotate::{self, Overlap};
use domain::credential::{disable, inspect, revoke};
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::model::actor::Actor;
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::server::{self, ServerDraft};
use domain::token::verify::verify;
use serde_json::{Value, json};

use crate::support::{Answer, App, basic, claims_of};

const RESOURCE: &str = "http://localhost:8080/mcp";

fn operator() -> Actor {
    Actor::command_line("operator")
}

async fn post(app: &App, path: &str, caller: Option<&Generated>, body: &str) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(caller) = caller {
        request = request.header("authorization", basic(caller));
    }
    app.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

async fn introspected(app: &App, caller: &Generated, token: &str) -> Value {
    let answer = post(app, "/mcp/oauth/introspect", Some(caller), &format!("token={token}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[tokio::test]
async fn introspection_tells_what_a_token_is_worth_at_this_moment() {
    let app = App::new().await;
    let context = &app.instance.context;
    let server = app.generated("the MCP server itself", &["tokens:introspect"]).await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let active = introspected(&app, &server, &token).await;
    let expected = claims_of(&token);
    assert_eq!(active["active"], true);
    for claim in ["iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp"] {
        assert_eq!(active[claim], expected[claim], "{claim}");
    }
    let asked = inspect::find(context, &Authority::Everything, &server.credential.client_id)
        .await
        .expect("reads")
        .expect("exists");
    assert_eq!(asked.last_used_at, Some(context.now()), "asking is use");
    let inactive = json!({ "active": false });
    for cut in 1..30 {
        assert_eq!(introspected(&app, &server, &token[..token.len() - cut]).await, inactive, "{cut}");
    }
    for other in ["x", "a.b.c", "csp_x", owner.secret.as_ref().expect("a secret").expose()] {
        assert_eq!(introspected(&app, &server, other).await, inactive, "{other}");
    }
    disable::disable(context, &operator(), &owner.credential.client_id).await.expect("disables");
    assert_eq!(introspected(&app, &server, &token).await, inactive);
    disable::enable(context, &operator(), &owner.credential.client_id).await.expect("enables");
    assert_eq!(introspected(&app, &server, &token).await["active"], true);
    revoke::revoke(context, &operator(), &owner.credential.client_id, "").await.expect("revokes");
    assert_eq!(introspected(&app, &server, &token).await, inactive);
    let (_, token) = app.access_token(&["mcp:read"]).await;
    app.instance.clock.advance(Duration::from_secs(600));
    assert_eq!(introspected(&app, &server, &token).await, inactive, "expired");
}

#[tokio::test]
async fn only_who_may_ask_hears_of_tokens_and_only_of_its_own() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let body = format!("token={token}");
    let anonymous = post(&app, "/mcp/oauth/introspect", None, &body).await;
    assert_eq!((anonymous.status, &anonymous.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    let without_scope = post(&app, "/mcp/oauth/introspect", Some(&owner), &body).await;
    assert_eq!(
        (without_scope.status, &without_scope.json()["error"]),
        (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
    );
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example.com/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        alg: TokenAlgorithm::default(),
        ..ServerDraft::default()
    };
    server::add(context, &operator(), &draft).await.expect("adds");
    let docs = domain::model::credential::draft::Draft {
        name: "docs".to_owned(),
        servers: vec!["https://docs.example.com/mcp".to_owned()],
        scopes: vec!["tokens:introspect".to_owned()],
        ..domain::model::credential::draft::Draft::default()
    };
    let docs = domain::credential::generate::generate(context, &operator(), &docs, None).await.expect("generates");
    assert_eq!(introspected(&app, &docs, &token).await, json!({ "active": false }), "of another server");
    let missing = post(&app, "/mcp/oauth/introspect", Some(&docs), "").await;
    assert_eq!((missing.status, &missing.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
    assert_eq!(app.get("/mcp/oauth/introspect").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_client_ends_its_own_token_and_no_other() {
    let app = App::new().await;
    let server = app.generated("the MCP server itself", &["tokens:introspect"]).await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let (_, other) = app.access_token(&["mcp:read"]).await;
    for (body, status) in [
        (format!("token={other}&token_type_hint=refresh_token"), StatusCode::OK),
        ("token=unknown".to_owned(), StatusCode::OK),
        (String::new(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(post(&app, "/mcp/oauth/revoke", Some(&owner), &body).await.status, status, "{body}");
    }
    assert_eq!(introspected(&app, &server, &token).await["active"], true);
    assert_eq!(introspected(&app, &server, &other).await["active"], true, "another client's");
    let anonymous = post(&app, "/mcp/oauth/revoke", None, &format!("token={token}")).await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    for _ in 0..2 {
        let answer = post(&app, "/mcp/oauth/revoke", Some(&owner), &format!("token={token}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    }
    assert_eq!(introspected(&app, &server, &token).await, json!({ "active": false }));
    assert!(verify(&app.instance.context, &token, RESOURCE, None).await.is_err());
    app.instance.context.store.close().await;
    let answer = post(&app, "/mcp/oauth/revoke", Some(&owner), &format!("token={other}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "never 200 when nothing was written");
}

/// The list that `token` names, verified like a server would, and the token's bit in it.
pub(crate) async fn bit(app: &App, token: &str) -> u8 {
    let reference = claims_of(token)["status"]["status_list"].clone();
    let uri = reference["uri"].as_str().expect("an address").to_owned();
    let answer = app.get(uri.strip_prefix("http://localhost:8080").expect("ours")).await;
    assert_eq!(answer.header("content-type"), "application/statuslist+jwt");
    assert_eq!(answer.header("cache-control"), "public, max-age=5");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let header = jsonwebtoken::decode_header(&answer.body).expect("a JWT");
    assert_eq!(header.typ.as_deref(), Some("statuslist+jwt"));
    let jwks: jsonwebtoken::jwk::JwkSet =
        serde_json::from_value(app.get("/mcp/oauth/jwks").await.json()).expect("keys");
    let key = jwks.find(&header.kid.expect("a kid")).expect("published");
    let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    let list = jsonwebtoken::decode::<Value>(&answer.body, &key, &validation).expect("signed").claims;
    assert_eq!((list["sub"].as_str(), &list["ttl"]), (Some(uri.as_str()), &json!(5)));
    assert_eq!(list["status_list"]["bits"], 1);
    let packed = URL_SAFE_NO_PAD.decode(list["status_list"]["lst"].as_str().expect("a list")).expect("base64url");
    let mut bits = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bits).expect("ZLIB");
    let index = reference["idx"].as_u64().expect("an index") as usize;
    bits[index / 8] >> (index % 8) & 1
}

#[tokio::test]
async fn the_status_list_has_a_bit_for_what_was_revoked_replaced_or_disabled() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let (_, neighbour) = app.access_token(&["mcp:read"]).await;
    let id = &owner.credential.client_id;
    assert_eq!((bit(&app, &token).await, bit(&app, &neighbour).await), (0, 0));
    disable::disable(context, &operator(), id).await.expect("disables");
    assert_eq!((bit(&app, &token).await, bit(&app, &neighbour).await), (1, 0));
    disable::enable(context, &operator(), id).await.expect("enables");
    assert_eq!(bit(&app, &token).await, 0, "disabling is reversible");

    let hour = Overlap::For(Duration::from_secs(3600));
    let new = rotate::secret(context, &operator(), id, hour, None, None).await.expect("rotates");
    let answer = app.token(&[("authorization", &basic(&new))], "grant_type=client_credentials").await;
    let by_new = answer.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!((bit(&app, &token).await, bit(&app, &by_new).await), (0, 0), "both work");
    rotate::finish(context, &operator(), id).await.expect("finishes");
    assert_eq!((bit(&app, &token).await, bit(&app, &by_new).await), (1, 0), "the leaked one alone");
    revoke::revoke(context, &operator(), id, "").await.expect("revokes");
    assert_eq!((bit(&app, &by_new).await, bit(&app, &neighbour).await), (1, 0));

    let path = "/mcp/oauth/status/0";
    let etag = app.get(path).await.header("etag").to_owned();
    let again = Request::get(path).header("if-none-match", &etag).body(Body::empty()).expect("a request");
    assert_eq!(app.send(again).await.status, StatusCode::NOT_MODIFIED);
    for missing in ["1", "-1", "00", "x", "99999999999999999999"] {
        assert_eq!(app.get(&format!("/mcp/oauth/status/{missing}")).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jwks_is_whole_however_many_ask_for_it() {
    let app = Arc::new(App::new().await);
    let (_, token) = app.access_token(&["mcp:read"]).await;
    let token = Arc::new(token);
    let readers: Vec<_> = (0..16)
        .map(|_| {
            let (app, token) = (Arc::clone(&app), Arc::clone(&token));
            tokio::spawn(async move {
                for _ in 0..50 {
                    let jwks = app.get("/mcp/oauth/jwks").await.json();
                    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
                    assert!(verify(&app.instance.context, &token, RESOURCE, None).await.is_ok());
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.expect("never without a key");
    }
}

#[tokio::test]
async fn a_retirement_that_comes_by_the_clock_reaches_the_status_list() {
    let app = App::new().await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let soon = Overlap::For(Duration::from_secs(90));
    let id = &owner.credential.client_id;
    rotate::secret(&app.instance.context, &operator(), id, soon, None, None).await.expect("rotates");
    for (seconds, expected) in [(0, 0), (60, 0), (29, 0), (1, 1)] {
        app.instance.clock.advance(Duration::from_secs(seconds));
        assert_eq!(bit(&app, &token).await, expected, "after {seconds} more seconds");
    }
}

/// 32 clients exchange without pause while their credential is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_exchange_that_begins_after_the_revocation_succeeds_and_no_token_lives_on() {
    const ROUNDS: usize = 200;
    const CLIENTS: usize = 32;
    let app = Arc::new(App::new().await);
    for round in 0..ROUNDS {
        let owner = Arc::new(app.generated(&format!("round {round}"), &["mcp:read"]).await);
        let revoked = Arc::new(AtomicBool::new(false));
        let (first, mut exchanged) = tokio::sync::mpsc::channel(1);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (app, owner, revoked, first) =
                    (Arc::clone(&app), Arc::clone(&owner), Arc::clone(&revoked), first.clone());
                tokio::spawn(async move {
                    let header = basic(&owner);
                    let mut tokens = Vec::new();
                    loop {
                        let late = revoked.load(Ordering::SeqCst);
                        let answer = app.token(&[("authorization", &header)], "grant_type=client_credentials").await;
                        if answer.status != StatusCode::OK {
                            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
                            return tokens;
                        }
                        assert!(!late, "an exchange that began after the revocation");
                        tokens.push(answer.json()["access_token"].as_str().expect("a token").to_owned());
                        // Full: somebody else was first.
                        let _ = first.try_send(());
                    }
                })
            })
            .collect();
        exchanged.recv().await.expect("an exchange");
        revoke::revoke(&app.instance.context, &operator(), &owner.credential.client_id, "").await.expect("revokes");
        revoked.store(true, Ordering::SeqCst);
        for client in clients {
            for token in client.await.expect("no exchange was late") {
                assert!(verify(&app.instance.context, &token, RESOURCE, None).await.is_err(), "round {round}");
            }
        }
        // Whoever fails too often within a minute is told to wait.
        app.instance.clock.advance(Duration::from_secs(61));
    }
}

/// The clock was ahead, or the credential was disabled for a while: later the token would be accepted again.
#[tokio::test]
async fn a_token_that_is_not_accepted_at_the_moment_is_revoked_all_the_same() {
    let app = App::new().await;
    let context = &app.instance.context;
    let server = app.generated("the MCP server itself", &["tokens:introspect"]).await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    app.instance.clock.advance(Duration::from_secs(3600));
    assert_eq!(introspected(&app, &server, &token).await["active"], false);
    let answer = post(&app, "/mcp/oauth/revoke", Some(&owner), &format!("token={token}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    app.instance.clock.set_back(Duration::from_secs(3600));
    assert_eq!(introspected(&app, &server, &token).await["active"], false, "its client ended it");

    let other = app.generated("another client", &[]).await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let body = format!("token={token}");
    assert_eq!(post(&app, "/mcp/oauth/revoke", Some(&other), &body).await.status, StatusCode::OK);
    assert_eq!(introspected(&app, &server, &token).await["active"], true, "a token of another client stays");
    let id = &owner.credential.client_id;
    disable::disable(context, &operator(), id).await.expect("disables");
    assert_eq!(introspected(&app, &server, &token).await["active"], false);
    disable::enable(context, &operator(), id).await.expect("enables");
    assert_eq!(introspected(&app, &server, &token).await["active"], true);
}
