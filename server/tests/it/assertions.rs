//! Clients that sign assertions, tokens of other issuers, and assertions as grants: what is accepted, and every way in
//! which it is not.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::base::id::{ClientId, TeamId};
use domain::credential::edit::{Edit, edit};
use domain::credential::generate::generate;
use domain::credential::keys;
use domain::credential::rotate::{self, Overlap};
use domain::credential::{CredentialError, disable, federated, inspect, revoke, usage};
use domain::model::actor::Actor;
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::federated::FederatedDraft;
use domain::model::credential::key::KeysDraft;
use domain::model::credential::{AssertionRules, Status};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::token::Refusal;
use domain::operations::housekeeping::Housekeeping;
use serde_json::{Value, json};

use crate::roles::{joined, signed_in_as};
use crate::support::{Answer, App, claims_of};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const ISSUER: &str = "http://localhost:8080";
pub(crate) const CLIENT_ASSERTION: &str =
    "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";
const JWT_BEARER: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
const OTHER_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A client's or an issuer's ES256 key.
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key"))
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// `claims` with the usual header.
    pub(crate) fn assertion(&self, claims: &Value) -> String {
        self.sign(r#"{"alg":"ES256","typ":"JWT"}"#, &claims.to_string())
    }
}

fn rules() -> AssertionRules {
    AssertionRules::default()
}

async fn created(app: &App, proof: DraftProof, assertions: AssertionRules) -> ClientId {
    let draft = Draft { name: "job".to_owned(), proof, assertions, ..Draft::default() };
    let generated = generate(&app.instance.context, &Actor::command_line("operator"), &draft, None).await;
    let generated = generated.expect("generates");
    assert!(generated.secret.is_none(), "nothing secret is made");
    generated.credential.client_id
}

async fn with_key(app: &App, signer: &Signer, assertions: AssertionRules) -> ClientId {
    let keys = KeysDraft { text: signer.jwk().to_string(), ..KeysDraft::default() };
    created(app, DraftProof::Keys(keys), assertions).await
}

/// What a well-behaved client claims. Each call has a `jti` of its own.
fn claims(app: &App, client_id: &ClientId) -> Value {
    let now = app.instance.context.now().seconds();
    let jti = ClientId::generate(app.instance.context.random.as_ref());
    json!({ "iss": client_id.as_str(), "sub": client_id.as_str(), "aud": ISSUER, "iat": now, "exp": now + 300, "jti": jti.as_str() })
}

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
        value => claims[name] = value,
    }
    claims
}

async fn present(app: &App, assertion: &str) -> Answer {
    app.token(&[], format!("grant_type=client_credentials&{CLIENT_ASSERTION}{assertion}")).await
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_client")),
        "{what}: {}",
        answer.body
    );
    assert_eq!(answer.header("www-authenticate"), "", "{what}");
}

#[tokio::test]
async fn a_signed_assertion_is_exchanged_once() {
    let app = App::new().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let assertion = signer.assertion(&claims(&app, &id));
    let answer = present(&app, &assertion).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json()["scope"], "mcp:read");
    assert!(answer.json().get("refresh_token").is_none());
    assert_refused(&present(&app, &assertion).await, "the second time");
    // What authenticates a client opens no MCP server, and an access token authenticates no client.
    let fresh = signer.assertion(&claims(&app, &id));
    let request = Request::post("/mcp").header("authorization", format!("Bearer {fresh}")).body(Body::empty());
    assert_eq!(app.send(request.expect("a request")).await.status, StatusCode::UNAUTHORIZED);
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    assert_refused(&present(&app, &token).await, "an access token");
    let list = keys::list(&app.instance.context, &id).await.expect("reads");
    assert!(list[0].last_used_at.is_some());
}

#[tokio::test]
async fn a_used_assertion_stays_used_after_the_clock_was_ahead() {
    let app = App::new().await;
    let clock = &app.instance.clock;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let rows = async || {
        let counts = app.instance.context.store.counts().await.expect("counts");
        counts.iter().find(|(table, _)| *table == "used_assertions").expect("is copied").1
    };
    // The clock jumps far ahead in one run, or is ahead by less than a day in all of them.
    for (ahead, runs_ahead) in [(DAY * 400, 1), (DAY - HOUR, 3)] {
        let assertion = signer.assertion(&claims(&app, &id));
        assert_eq!(present(&app, &assertion).await.status, StatusCode::OK);
        let mut housekeeping = Housekeeping::default();
        if runs_ahead == 1 {
            housekeeping.run(&app.instance.context).await.expect("runs");
        }
        clock.advance(ahead);
        for _ in 0..runs_ahead {
            housekeeping.run(&app.instance.context).await.expect("runs");
        }
        clock.set_back(ahead);
        assert_refused(&present(&app, &assertion).await, "it was used");
    }
    assert_eq!(rows().await, 2);
    clock.advance(DAY * 2);
    app.instance.tidy().await;
    assert_eq!(rows().await, 0, "rows that nothing needs go");
}

#[tokio::test]
async fn every_accepted_form_of_an_assertion() {
    let app = App::new().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let now = app.instance.context.now().seconds();
    let plain = || claims(&app, &id);
    for (what, claims) in [
        ("audience with a slash", changed(plain(), "aud", json!(format!("{ISSUER}/")))),
        ("audience as a list of one", changed(plain(), "aud", json!([ISSUER]))),
        ("issued 8 s in the future", changed(plain(), "iat", json!(now + 8))),
        ("not before 8 s in the future", changed(plain(), "nbf", json!(now + 8))),
        ("without iat", changed(plain(), "iat", Value::Null)),
        ("ten minutes long", changed(plain(), "exp", json!(now + 600))),
        ("ended a moment ago", changed(plain(), "exp", json!(now - 8))),
        ("dates with a fraction", {
            let claims = changed(plain(), "exp", json!(now as f64 + 299.5));
            changed(changed(claims, "iat", json!(now as f64 - 0.25)), "nbf", json!(now as f64 - 0.5))
        }),
        ("a date as some libraries write it", changed(plain(), "exp", json!(now as f64 + 300.0))),
        ("with claims of its own", changed(plain(), "purpose", json!({ "a": [1.5] }))),
    ] {
        let answer = present(&app, &signer.assertion(&claims)).await;
        assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.body);
    }
    for header in [
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","typ":"client-authentication+jwt"}"#,
        r#"{"alg":"ES256","kid":"unknown"}"#,
        r#"{"alg":"ES256","kid":"../../dev/null"}"#,
    ] {
        let answer = present(&app, &signer.sign(header, &plain().to_string())).await;
        assert_eq!(answer.status, StatusCode::OK, "{header}");
    }
    let assertion = signer.assertion(&plain());
    let body = format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{assertion}");
    assert_eq!(app.token(&[], body).await.status, StatusCode::OK, "with an equal client_id");
}

#[tokio::test]
async fn every_refused_form_of_an_assertion() {
    let app = App::new().await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    let id = with_key(&app, &signer, rules()).await;
    let other = with_key(&app, &stranger, rules()).await;
    let now = app.instance.context.now().seconds();
    let plain = || claims(&app, &id);
    let token_endpoint = format!("{ISSUER}/mcp/oauth/token");
    let mut cases: Vec<(String, Value)> = vec![
        ("aud missing".into(), changed(plain(), "aud", Value::Null)),
        ("aud another server".into(), changed(plain(), "aud", json!("https://other.example"))),
        ("aud the token endpoint".into(), changed(plain(), "aud", json!(token_endpoint))),
        ("aud a list of two".into(), changed(plain(), "aud", json!([ISSUER, "https://other.example"]))),
        ("aud an empty list".into(), changed(plain(), "aud", json!([]))),
        ("aud in capitals".into(), changed(plain(), "aud", json!("HTTP://LOCALHOST:8080"))),
        ("iss missing".into(), changed(plain(), "iss", Value::Null)),
        ("iss a list".into(), changed(plain(), "iss", json!([id.as_str()]))),
        ("iss another client".into(), changed(plain(), "iss", json!(other.as_str()))),
        ("sub missing".into(), changed(plain(), "sub", Value::Null)),
        ("sub another client".into(), changed(plain(), "sub", json!(other.as_str()))),
        ("sub a list".into(), changed(plain(), "sub", json!([id.as_str()]))),
        ("exp missing".into(), changed(plain(), "exp", Value::Null)),
        ("exp five minutes past".into(), changed(plain(), "exp", json!(now - 300))),
        ("exp a day ahead".into(), changed(plain(), "exp", json!(now + 86_400))),
        ("exp a second and a half past 1970".into(), changed(plain(), "exp", json!(1.5))),
        ("exp a fraction too early".into(), changed(plain(), "exp", json!(now as f64 - 30.001))),
        ("exp a fraction too late".into(), changed(plain(), "exp", json!(now as f64 + 600.5))),
        ("iat 61 s ahead".into(), changed(plain(), "iat", json!(now + 61))),
        ("nbf 61 s ahead".into(), changed(plain(), "nbf", json!(now + 61))),
        ("jti missing".into(), changed(plain(), "jti", Value::Null)),
        ("jti empty".into(), changed(plain(), "jti", json!(""))),
        ("jti a number".into(), changed(plain(), "jti", json!(7))),
        ("jti too long".into(), changed(plain(), "jti", json!("x".repeat(129)))),
    ];
    for name in ["exp", "iat", "nbf"] {
        for value in [json!("1800000000"), json!(-0.5), json!(-1), json!([now]), json!({}), json!(true), json!(1e300)] {
            cases.push((format!("{name} {value}"), changed(plain(), name, value)));
        }
    }
    for (what, claims) in cases {
        assert_refused(&present(&app, &signer.assertion(&claims)).await, &what);
    }

    let good = plain().to_string();
    let with_header = |header: &str| signer.sign(header, &good);
    let no_signature = |alg: &str| {
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#)), URL_SAFE_NO_PAD.encode(&good))
    };
    let hmac_with_public_key = |key: &[u8]| {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(&good));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
        let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let own = signer.assertion(&plain());
    let (signed, signature) = own.rsplit_once('.').expect("three parts");
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let with_signature = |bytes: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let mut der = vec![0x30, 0x44, 0x02, 0x20];
    der.extend_from_slice(&raw[..32]);
    der.extend_from_slice(&[0x02, 0x20]);
    der.extend_from_slice(&raw[32..]);
    let embedded = json!({ "alg": "ES256", "jwk": stranger.jwk() }).to_string();
    let fetched = r#"{"alg":"ES256","jku":"http://127.0.0.1:9/keys","x5u":"http://127.0.0.1:9/cert"}"#;
    for (what, assertion) in [
        ("a stranger's signature", stranger.assertion(&plain())),
        ("a key in the header", stranger.sign(&embedded, &good)),
        ("an address of keys in the header", stranger.sign(fetched, &good)),
        ("alg none", no_signature("none")),
        ("alg None", no_signature("None")),
        ("alg nOnE", no_signature("nOnE")),
        ("an empty signature", no_signature("ES256")),
        ("HMAC with the JWK", hmac_with_public_key(signer.jwk().to_string().as_bytes())),
        ("HMAC with the point", hmac_with_public_key(signer.0.public_key().as_ref())),
        ("another algorithm than the key's", with_header(r#"{"alg":"ES384"}"#)),
        ("RS256 with an EC key", with_header(r#"{"alg":"RS256"}"#)),
        ("crit", with_header(r#"{"alg":"ES256","crit":["x"],"x":1}"#)),
        ("b64", with_header(r#"{"alg":"ES256","b64":false}"#)),
        ("typ at+jwt", with_header(r#"{"alg":"ES256","typ":"at+jwt"}"#)),
        ("typ oauth-id-jag+jwt", with_header(r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#)),
        ("kid a number", with_header(r#"{"alg":"ES256","kid":1}"#)),
        ("kid null", with_header(r#"{"alg":"ES256","kid":null}"#)),
        ("a repeated header member", with_header(r#"{"alg":"ES256","alg":"ES256"}"#)),
        ("a repeated claim", signer.sign(r#"{"alg":"ES256"}"#, &good.replacen('{', r#"{"sub":"x","#, 1))),
        ("r = s = 0", with_signature(&[0; 64])),
        ("a short signature", with_signature(&raw[..63])),
        ("a DER signature", with_signature(&der)),
        ("padding", format!("{own}%3D")),
        ("five parts", format!("{own}.x.y")),
        ("nothing but dots", ".".repeat(5000)),
        ("too long", format!("{own}{}", "A".repeat(9000))),
        ("JSON serialisation", "%7B%22payload%22%3A%22%22%7D".to_owned()),
    ] {
        assert_refused(&present(&app, &assertion).await, what);
    }
    let unknown = ClientId::generate(app.instance.context.random.as_ref());
    assert_refused(&present(&app, &signer.assertion(&claims(&app, &unknown))).await, "an unknown client");
    // After all of this the good one is still good: nothing was used up without a valid signature.
    assert_eq!(present(&app, &signer.sign(r#"{"alg":"ES256"}"#, &good)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn malformed_requests_around_assertions() {
    let app = App::new().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let assertion = signer.assertion(&claims(&app, &id));
    let basic = crate::support::basic_of(id.as_str(), "css_x");
    let bearer = [("authorization", basic.as_str())];
    for (what, headers, body, status, error) in [
        ("without its type", &[][..], format!("client_assertion={assertion}"), 400, "invalid_request"),
        ("the type alone", &[], "client_assertion_type=x".to_owned(), 400, "invalid_request"),
        (
            "an unknown type",
            &[],
            format!("client_assertion_type=urn%3Ax&client_assertion={assertion}"),
            401,
            "invalid_client",
        ),
        ("beside a secret", &[], format!("client_secret=x&{CLIENT_ASSERTION}{assertion}"), 400, "invalid_request"),
        ("beside Basic", &bearer, format!("{CLIENT_ASSERTION}{assertion}"), 400, "invalid_request"),
        (
            "with another client_id",
            &[],
            format!("client_id=csc_0000000000000000000000&{CLIENT_ASSERTION}{assertion}"),
            400,
            "invalid_request",
        ),
        ("only its client_id", &[], format!("client_id={id}"), 401, "invalid_client"),
        ("a secret instead", &[], format!("client_id={id}&client_secret=x"), 401, "invalid_client"),
    ] {
        let answer = app.token(headers, format!("grant_type=client_credentials&{body}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (status, Some(error)), "{what}");
    }
    assert_eq!(present(&app, &assertion).await.status, StatusCode::OK);
}

#[tokio::test]
async fn of_many_equal_assertions_at_once_one_is_exchanged() {
    let app = App::new().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let assertion = signer.assertion(&claims(&app, &id));
    let answers = futures::future::join_all((0..50).map(|_| present(&app, &assertion))).await;
    let granted = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(granted, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 401)));
}

#[tokio::test]
async fn exceptions_are_made_for_the_credential_that_has_them() {
    let app = App::new().await;
    let signer = Signer::new();
    let endpoint = json!(format!("{ISSUER}/mcp/oauth/token"));
    let id = with_key(&app, &signer, AssertionRules { token_endpoint_audience: true, ..rules() }).await;
    let assertion = signer.assertion(&changed(claims(&app, &id), "aud", endpoint));
    assert_eq!(present(&app, &assertion).await.status, StatusCode::OK);

    let id = with_key(&app, &signer, AssertionRules { reusable: true, ..rules() }).await;
    let assertion = signer.assertion(&changed(claims(&app, &id), "jti", Value::Null));
    for _ in 0..3 {
        assert_eq!(present(&app, &assertion).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn keys_of_every_kind_are_pinned_to_their_algorithm() {
    let app = App::new().await;
    let actor = Actor::command_line("operator");
    let context = &app.instance.context;
    let ed25519 =
        Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key").as_ref())
            .expect("a key");
    let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let x = URL_SAFE_NO_PAD.encode(ed25519.public_key().as_ref());
    let okp = json!({ "kty": "OKP", "crv": "Ed25519", "x": x }).to_string();
    let id = created(&app, DraftProof::Keys(KeysDraft { text: okp, ..KeysDraft::default() }), rules()).await;
    let text = pem("RSA PUBLIC KEY", rsa.public_key().as_ref());
    keys::add(context, &actor, &id, &KeysDraft { text, ..KeysDraft::default() }, Expiry::default())
        .await
        .expect("adds");

    let sign = |alg: &str, signature: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims(&app, &id).to_string()));
        let signature = signature(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let with_rsa = |encoding: &'static dyn aws_lc_rs::signature::RsaEncoding| {
        let rsa = &rsa;
        move |message: &[u8]| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("signs");
            signature
        }
    };
    let with_ed25519 = |message: &[u8]| ed25519.sign(message).as_ref().to_vec();
    assert_eq!(present(&app, &sign("EdDSA", &with_ed25519)).await.status, StatusCode::OK);
    assert_eq!(present(&app, &sign("RS256", &with_rsa(&RSA_PKCS1_SHA256))).await.status, StatusCode::OK);
    assert_refused(&present(&app, &sign("PS256", &with_rsa(&RSA_PSS_SHA256))).await, "PS256 with a key for RS256");
}

#[tokio::test]
async fn keys_are_replaced_without_a_gap() {
    let app = App::new().await;
    let actor = Actor::command_line("operator");
    let context = &app.instance.context;
    let (old, new) = (Signer::new(), Signer::new());
    let id = with_key(&app, &old, rules()).await;
    let token = present(&app, &old.assertion(&claims(&app, &id))).await.json()["access_token"].clone();
    app.instance.clock.advance(std::time::Duration::from_secs(1));
    let draft = KeysDraft { text: new.jwk().to_string(), ..KeysDraft::default() };
    keys::add(context, &actor, &id, &draft, Expiry::default()).await.expect("adds");
    for signer in [&old, &new] {
        assert_eq!(present(&app, &signer.assertion(&claims(&app, &id))).await.status, StatusCode::OK);
    }
    let listed = keys::list(context, &id).await.expect("reads");
    keys::remove(context, &actor, &id, &listed[1].id).await.expect("removes");
    assert_refused(&present(&app, &old.assertion(&claims(&app, &id))).await, "a removed key");
    assert_eq!(present(&app, &new.assertion(&claims(&app, &id))).await.status, StatusCode::OK);
    let token = token.as_str().expect("a token");
    let verified = domain::token::verify::verify(context, token, "http://localhost:8080/mcp", None).await;
    assert!(verified.is_err(), "the removed key's live token ended with it");

    let status = async || {
        let credential = domain::credential::inspect::find(context, &Authority::Everything, &id)
            .await
            .expect("reads")
            .expect("exists");
        credential.status(context.now())
    };
    let live = listed[0].id.clone();
    assert_eq!(status().await, Status::InUse);
    keys::remove(context, &actor, &id, &live).await.expect("removes");
    assert_eq!(status().await, Status::Expired, "nothing can prove it any more");
    keys::add(context, &actor, &id, &draft, Expiry::default()).await.expect("adds");
    assert_eq!(status().await, Status::InUse);
}

#[tokio::test]
async fn a_key_that_is_pasted_twice_is_one_key() {
    let app = App::new().await;
    let signer = Signer::new();
    let text = json!({ "keys": [signer.jwk(), signer.jwk()] }).to_string();
    let id = created(&app, DraftProof::Keys(KeysDraft { text, ..KeysDraft::default() }), rules()).await;
    assert_eq!(keys::list(&app.instance.context, &id).await.expect("reads").len(), 1);
}

/// A federated credential for GitHub's example claims.
async fn federated(app: &App, issuer: &Signer, pasted: bool, subject: &str, assertions: AssertionRules) -> ClientId {
    let jwks = json!({ "keys": [issuer.jwk()] }).to_string();
    let discovery = json!({ "issuer": OTHER_ISSUER, "jwks_uri": format!("{OTHER_ISSUER}/keys") }).to_string();
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/.well-known/openid-configuration"), &discovery);
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), &jwks);
    let draft = FederatedDraft {
        issuer: OTHER_ISSUER.to_owned(),
        subject: subject.to_owned(),
        claims: vec![("repository_owner".to_owned(), "acme".to_owned()), ("ref".into(), "refs/heads/*".into())],
        jwks: if pasted { jwks } else { String::new() },
        ..FederatedDraft::default()
    };
    created(app, DraftProof::Federated(draft), assertions).await
}

fn github_claims(app: &App) -> Value {
    let now = app.instance.context.now().seconds();
    json!({
        "iss": OTHER_ISSUER, "sub": "repo:acme/app:ref:refs/heads/main", "aud": ISSUER, "iat": now, "nbf": now - 300,
        "exp": now + 900, "repository": "acme/app", "repository_owner": "acme", "ref": "refs/heads/main",
        "jti": "83c4f6a5", "run_attempt": "1",
    })
}

#[tokio::test]
async fn a_workload_proves_itself_with_its_own_token() {
    let app = App::new().await;
    let issuer = Signer::new();
    for pasted in [true, false] {
        let id = federated(&app, &issuer, pasted, "repo:acme/app:ref:refs/heads/main", rules()).await;
        let token = issuer.assertion(&github_claims(&app));
        let body = |token: &str| format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
        for _ in 0..2 {
            let answer = app.token(&[], body(&token)).await;
            assert_eq!(answer.status, StatusCode::OK, "reusable by nature: {}", answer.body);
        }
        for (claim, value, says) in [
            ("sub", json!("repo:evil/app:ref:refs/heads/main"), "sub must be repo:acme/app:ref:refs/heads/main"),
            ("aud", json!("https://other.example"), "aud must be http://localhost:8080"),
            ("repository_owner", json!("evil"), "repository_owner must be acme"),
            ("ref", json!("refs/tags/v1"), "ref must be refs/heads/*"),
            ("ref", Value::Null, "ref must be refs/heads/*"),
            ("exp", json!(app.instance.context.now().seconds() + 90_000), "exp must be within 24 hours"),
            ("exp", json!(app.instance.context.now().seconds() - 60), "exp is over"),
        ] {
            let token = issuer.assertion(&changed(github_claims(&app), claim, value));
            assert_refused(&app.token(&[], body(&token)).await, says);
            let shown = detail(&app, &id).await;
            assert_eq!(shown.as_deref(), Some(says), "the page says which claim did not match");
        }
        let forged = Signer::new().assertion(&github_claims(&app));
        assert_refused(&app.token(&[], body(&forged)).await, "another key");
        revoke::revoke(&app.instance.context, &Actor::system(), &id, "").await.expect("revokes");
        assert_refused(&app.token(&[], body(&token)).await, "after revocation");
    }
}

/// What the credential's page says of the last refused assertion.
async fn detail(app: &App, id: &ClientId) -> Option<String> {
    let context = &app.instance.context;
    context.refusals.flush().await;
    usage::refusals(context, id).await.expect("reads").into_iter().next()?.last_detail
}

#[tokio::test]
async fn without_a_client_id_exactly_one_credential_must_have_the_subject() {
    let app = App::new().await;
    let issuer = Signer::new();
    let token = issuer.assertion(&github_claims(&app));
    assert_refused(&present(&app, &token).await, "nobody");
    let pattern = federated(&app, &issuer, true, "repo:acme/*", rules()).await;
    assert_refused(&present(&app, &token).await, "a pattern needs client_id");
    let with_id = format!("grant_type=client_credentials&client_id={pattern}&{CLIENT_ASSERTION}{token}");
    assert_eq!(app.token(&[], with_id).await.status, StatusCode::OK);
    let exact = federated(&app, &issuer, true, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let answer = present(&app, &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let access = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let caller = domain::token::verify::verify(&app.instance.context, &access, "http://localhost:8080/mcp", None).await;
    assert_eq!(caller.expect("valid").subject, domain::token::verify::Subject::Credential(exact.clone()));
    let context = &app.instance.context;
    let shared = async || {
        let identities = federated::list(context, &exact).await.expect("reads");
        federated::is_shared(context, &identities).await.expect("reads")
    };
    assert!(!shared().await);
    federated(&app, &issuer, true, "repo:acme/app:ref:refs/heads/main", rules()).await;
    assert_refused(&present(&app, &token).await, "two credentials");
    assert!(shared().await, "the page says so");
}

#[tokio::test]
async fn a_program_without_a_client_id_never_gets_a_token_of_another_team() {
    let app = App::new().await;
    let (issuer, operator) = (Signer::new(), Actor::command_line("operator"));
    let context = &app.instance.context;
    let token = issuer.assertion(&github_claims(&app));
    let subject = "repo:acme/app:ref:refs/heads/main";
    // Another team takes the subject before the team that owns the repository does.
    let squatted = federated(&app, &issuer, false, subject, rules()).await;
    let team = domain::person::team::create(context, &operator, "Squatters").await.expect("a team").id;
    let found = inspect::find(context, &Authority::Everything, &squatted).await.expect("reads").expect("a credential");
    let moved = Edit { team: Some(team), ..Edit::of(&found) };
    edit(context, &operator, &squatted, &moved).await.expect("moved");
    app.instance.clock.advance(Duration::from_secs(1));
    let honest = federated(&app, &issuer, false, subject, rules()).await;

    let refused = present(&app, &token).await;
    assert_refused(&refused, "two teams");
    assert!(refused.body.contains("send client_id"), "{}", refused.body);
    let with_id = |id: &ClientId| format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
    assert_eq!(app.token(&[], with_id(&honest)).await.status, StatusCode::OK);
    let forged = present(&app, &Signer::new().assertion(&github_claims(&app))).await;
    assert_refused(&forged, "signed by nobody");
    assert!(!forged.body.contains("client_id"), "only the issuer's own token learns it: {}", forged.body);
    // A credential that was disabled does not send its programs to the other team.
    disable::disable(context, &operator, &honest).await.expect("disables");
    assert_refused(&present(&app, &token).await, "still two teams");
}

#[tokio::test]
async fn keys_of_an_issuer_are_fetched_when_needed_and_no_oftener() {
    let app = App::new().await;
    let (first, second) = (Signer::new(), Signer::new());
    let id = federated(&app, &first, false, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let body = |token: &str| format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
    let asked = || app.instance.issuers.asked(&format!("{OTHER_ISSUER}/keys"));
    for _ in 0..3 {
        assert_eq!(app.token(&[], body(&first.assertion(&github_claims(&app)))).await.status, StatusCode::OK);
    }
    assert_eq!(asked(), 1);
    // The issuer changes its key. Tokens by the new one lead to a new look, at a bounded rate.
    for _ in 0..5 {
        assert_refused(&app.token(&[], body(&second.assertion(&github_claims(&app)))).await, "not published yet");
    }
    assert_eq!(asked(), 1, "asked a moment ago");
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), &json!({ "keys": [second.jwk()] }).to_string());
    app.instance.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(app.token(&[], body(&second.assertion(&github_claims(&app)))).await.status, StatusCode::OK);
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn keys_that_are_known_serve_while_their_issuer_is_silent_for_a_day() {
    let app = App::new().await;
    let issuer = Signer::new();
    let id = federated(&app, &issuer, false, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let ask = async || {
        let token = issuer.assertion(&github_claims(&app));
        app.token(&[], format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}")).await.status
    };
    assert_eq!(ask().await, StatusCode::OK);
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), "<html>");
    for _ in 0..3 {
        app.instance.clock.advance(std::time::Duration::from_secs(2 * 3600));
        assert_eq!(ask().await, StatusCode::OK);
    }
    app.instance.clock.advance(std::time::Duration::from_secs(20 * 3600));
    assert_eq!(ask().await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_identity_is_registered_once_and_a_pattern_names_its_owner() {
    let app = App::new().await;
    let issuer = Signer::new();
    let context = &app.instance.context;
    let id = federated(&app, &issuer, true, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let draft = |subject: &str| FederatedDraft {
        issuer: OTHER_ISSUER.to_owned(),
        subject: subject.to_owned(),
        ..FederatedDraft::default()
    };
    let actor = Actor::command_line("operator");
    let second = draft("repo:acme/other:ref:refs/heads/main");
    federated::add(context, &actor, &id, &second).await.expect("another subject");
    for (what, draft) in [
        ("twice", second),
        ("everybody", draft("repo:*")),
        ("an audience that is no word", FederatedDraft { audience: "$(id)".to_owned(), ..draft("job") }),
    ] {
        let error = federated::add(context, &actor, &id, &draft).await.expect_err(what);
        assert!(matches!(error, CredentialError::Invalid(_)), "{what}");
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_a_grant_where_the_credential_allows_it() {
    let app = App::new().await;
    let issuer = Signer::new();
    let subject = "repo:acme/app:ref:refs/heads/main";
    let id = federated(&app, &issuer, true, subject, AssertionRules { jwt_bearer: true, ..rules() }).await;
    let token = issuer.assertion(&github_claims(&app));
    for body in [format!("{JWT_BEARER}{token}"), format!("{JWT_BEARER}{token}&client_id={id}")] {
        let answer = app.token(&[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let forged = Signer::new().assertion(&github_claims(&app));
    let answer = app.token(&[], format!("{JWT_BEARER}{forged}")).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")));
}

#[tokio::test]
async fn a_key_is_replaced_with_an_overlap() {
    let app = App::new().await;
    let (old, new) = (Signer::new(), Signer::new());
    let context = &app.instance.context;
    let id = with_key(&app, &old, rules()).await;
    let actor = Actor::command_line("operator");
    let draft = KeysDraft { text: new.jwk().to_string(), ..KeysDraft::default() };
    let hour = Overlap::For(std::time::Duration::from_secs(3600));
    rotate::key(context, &actor, &id, &draft, None, hour, Expiry::default()).await.expect("rotates");
    for signer in [&old, &new] {
        assert_eq!(present(&app, &signer.assertion(&claims(&app, &id))).await.status, StatusCode::OK);
    }
    let again = rotate::key(context, &actor, &id, &draft, None, hour, Expiry::default()).await;
    assert!(again.is_err(), "one at a time");
    app.instance.clock.advance(std::time::Duration::from_secs(3600));
    assert_refused(&present(&app, &old.assertion(&claims(&app, &id))).await, "retired");
    assert_eq!(present(&app, &new.assertion(&claims(&app, &id))).await.status, StatusCode::OK);
    context.refusals.flush().await;
    let refusals = usage::refusals(context, &id).await.expect("reads");
    assert_eq!(refusals.first().map(|refused| refused.cause), Some(Refusal::SecretRetired), "the page says why");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_a_fault_and_no_wrong_password() {
    let app = App::new().await;
    let issuer = Signer::new();
    let id = federated(&app, &issuer, false, "repo:acme/app:ref:refs/heads/main", rules()).await;
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), "<html>");
    let token = issuer.assertion(&github_claims(&app));
    let answer =
        app.token(&[], format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    let shown = detail(&app, &id).await.expect("the page says why");
    assert_eq!(shown, format!("no keys of {OTHER_ISSUER}: {OTHER_ISSUER}/keys: not JSON"));

    // What the network answered is not for everybody who sees the credential.
    let app = App::new().await;
    let id = federated(&app, &issuer, false, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let document = json!({ "issuer": OTHER_ISSUER, "jwks_uri": format!("{OTHER_ISSUER}/nothing-there") });
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/.well-known/openid-configuration"), &document.to_string());
    let token = issuer.assertion(&github_claims(&app));
    app.token(&[], format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}")).await;
    let shown = detail(&app, &id).await.expect("the page says that there are none");
    let log = "they could not be fetched, and the log of the server says why";
    assert_eq!(shown, format!("no keys of {OTHER_ISSUER}: {log}"));
}

#[tokio::test]
async fn an_assertion_is_a_grant_where_the_credential_allows_it() {
    let app = App::new().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, AssertionRules { jwt_bearer: true, ..rules() }).await;
    // As a grant it may speak for any subject; the token is the client's.
    let assertion = signer.assertion(&changed(claims(&app, &id), "sub", json!("ada@example.com")));
    let answer = app.token(&[], format!("{JWT_BEARER}{assertion}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let access = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let payload = claims_of(&access);
    assert_eq!((payload["sub"].as_str(), payload["client_id"].as_str()), (Some(id.as_str()), Some(id.as_str())));

    let error = |answer: &Answer| (answer.status.as_u16(), answer.json()["error"].as_str().map(str::to_owned));
    let refused = |code: &str| (400, Some(code.to_owned()));
    let again = app.token(&[], format!("{JWT_BEARER}{assertion}")).await;
    assert_eq!(error(&again), refused("invalid_grant"), "used before");
    assert_refused(
        &present(&app, &signer.assertion(&claims_with_jti(&app, &id, &assertion))).await,
        "one jti, two uses",
    );
    let stranger = app.token(&[], format!("{JWT_BEARER}{}", Signer::new().assertion(&claims(&app, &id)))).await;
    assert_eq!(error(&stranger), refused("invalid_grant"));
    let missing = app.token(&[], "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer").await;
    assert_eq!(error(&missing), refused("invalid_request"));

    let beside =
        format!("{JWT_BEARER}{}&client_assertion=x&client_assertion_type=y", signer.assertion(&claims(&app, &id)));
    assert_eq!(error(&app.token(&[], beside).await), refused("invalid_request"), "two proofs");

    let closed = with_key(&app, &signer, rules()).await;
    let answer = app.token(&[], format!("{JWT_BEARER}{}", signer.assertion(&claims(&app, &closed)))).await;
    assert_eq!(error(&answer), refused("unauthorized_client"), "not allowed for this credential");
}

/// Claims with the `jti` of an earlier assertion.
fn claims_with_jti(app: &App, id: &ClientId, earlier: &str) -> Value {
    changed(claims(app, id), "jti", claims_of(earlier)["jti"].clone())
}

#[tokio::test]
async fn an_assertion_for_the_token_endpoint_is_told_what_is_expected_and_its_managers_where_the_switch_is() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let signer = Signer::new();
    let id = with_key(&app, &signer, rules()).await;
    let page = format!("/credentials/{id}?view=usage");
    let link = format!("<a href=\"/credentials/{id}/edit\">accept the token endpoint as audience");
    for (audience, has_link) in [("https://other.example", false), ("http://localhost:8080/mcp/oauth/token", true)] {
        let wrong = changed(claims(&app, &id), "aud", json!(audience));
        let answer = present(&app, &signer.assertion(&wrong)).await;
        assert_refused(&answer, audience);
        assert_eq!(
            answer.json()["error_description"],
            format!("Client authentication failed. Its aud must be {ISSUER}.")
        );
        // A stranger learns nothing: the signature is checked first.
        let forged = present(&app, &Signer::new().assertion(&wrong)).await;
        assert_eq!(forged.json()["error_description"], "Client authentication failed.");
        app.instance.context.refusals.flush().await;
        let shown = browser.get(&page).await.body;
        let refused = shown.split("Refused exchanges").nth(1).unwrap_or_default();
        assert_eq!(refused.contains(&link), has_link, "{audience}");
    }
    assert!(detail(&app, &id).await.is_some());

    // Where it is accepted already, an old refusal needs no advice.
    let accepting = AssertionRules { token_endpoint_audience: true, ..rules() };
    let id = with_key(&app, &signer, accepting).await;
    let endpoint = changed(claims(&app, &id), "aud", json!(format!("{ISSUER}/mcp/oauth/token")));
    assert_eq!(present(&app, &signer.assertion(&endpoint)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn managers_read_what_the_refused_token_says_of_subject_and_conditions() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let issuer = Signer::new();
    let id = federated(&app, &issuer, true, "repo:acme/app:ref:refs/heads/main", rules()).await;
    let send = async |token: String| {
        let body = format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
        assert_refused(&app.token(&[], body).await, "does not match");
        app.instance.context.refusals.flush().await;
    };
    let new_form = "repo:acme@1/app@2:ref:refs/heads/main";
    send(issuer.assertion(&changed(github_claims(&app), "sub", json!(new_form)))).await;
    let page = browser.get(&format!("/credentials/{id}?view=usage")).await.body;
    let came = format!("In the token: sub is {new_form}; ref is refs/heads/main; repository_owner is acme");
    assert!(page.contains(&came), "{page}");

    // What nobody verified is not kept; what is long is cut; nothing of it is markup.
    let forged = changed(github_claims(&app), "sub", json!("repo:forged/app"));
    send(Signer::new().assertion(&forged)).await;
    assert!(!browser.get(&format!("/credentials/{id}?view=usage")).await.body.contains("repo:forged"));
    let long = format!("<script>\u{202e}{}", "x".repeat(3000));
    send(issuer.assertion(&changed(github_claims(&app), "sub", json!(long)))).await;
    let page = browser.get(&format!("/credentials/{id}?view=usage")).await.body;
    assert!(page.contains("In the token: sub is &lt;script&gt; xxx"), "{page}");
    assert!(page.contains('…') && !page.contains(&"x".repeat(121)) && !page.contains('\u{202e}'));

    // A viewer sees that the claim did not match, and not what came.
    let context = &app.instance.context;
    let shown = usage::refusals(context, &id).await.expect("reads");
    assert!(shown[0].last_received.as_ref().is_some_and(|text| text.chars().count() < 500));
    let grant = InvitedRole::Team(TeamId::first(), Role::Viewer);
    let viewer = signed_in_as(&app, &joined(&app, "viewer@example.com", grant).await).await;
    let page = viewer.get(&format!("/credentials/{id}?view=usage")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("sub must be repo:acme/app") && !page.body.contains("In the token"));
}

#[tokio::test]
async fn a_set_of_keys_has_a_limit_and_a_known_kid_names_the_only_key() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (named, other) = (Signer::new(), Signer::new());
    let with_kid = |signer: &Signer, kid: &str| {
        let mut jwk = signer.jwk();
        jwk["kid"] = json!(kid);
        jwk
    };
    let set = |keys: usize| {
        let more = (2..keys).map(|_| Signer::new().jwk());
        let keys: Vec<Value> = [with_kid(&named, "a"), with_kid(&other, "b")].into_iter().chain(more).collect();
        json!({ "keys": keys }).to_string()
    };
    let draft = |keys: usize| FederatedDraft {
        issuer: OTHER_ISSUER.to_owned(),
        subject: "repo:acme/app:ref:refs/heads/main".to_owned(),
        jwks: set(keys),
        ..FederatedDraft::default()
    };
    let generated = async |keys: usize| {
        let draft = Draft { name: "job".to_owned(), proof: DraftProof::Federated(draft(keys)), ..Draft::default() };
        generate(context, &Actor::command_line("operator"), &draft, None).await
    };
    let error = format!("{:?}", generated(21).await.expect_err("too many"));
    assert!(error.contains("at most 20 keys; this one has 21"), "{error}");
    let id = generated(20).await.expect("generates").credential.client_id;
    let status = async |id: &ClientId, signer: &Signer, kid: &str| {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        let token = signer.sign(&header, &github_claims(&app).to_string());
        let body = format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
        app.token(&[], body).await.status
    };
    for pasted in [true, false] {
        let id = if pasted { id.clone() } else { federated(&app, &named, false, "repo:acme/app:*", rules()).await };
        if !pasted {
            app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), &set(20));
        }
        for _ in 0..2 {
            assert_eq!(status(&id, &named, "a").await, StatusCode::OK);
            assert_eq!(status(&id, &other, "b").await, StatusCode::OK);
            assert_eq!(status(&id, &named, "unknown").await, StatusCode::OK, "then the kid is no help");
            assert_eq!(status(&id, &other, "a").await, StatusCode::UNAUTHORIZED, "by another key of the set");
        }
    }
    // An issuer that publishes more is not served, and the page says why.
    let app = App::new().await;
    let id = federated(&app, &named, false, "repo:acme/app:ref:refs/heads/main", rules()).await;
    app.instance.issuers.publish(&format!("{OTHER_ISSUER}/keys"), &set(21));
    let token = named.assertion(&github_claims(&app));
    let body = format!("grant_type=client_credentials&client_id={id}&{CLIENT_ASSERTION}{token}");
    assert_eq!(app.token(&[], body).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let shown = detail(&app, &id).await.expect("a detail");
    assert!(shown.contains("at most 20 keys; this one has 21"), "{shown}");
}
