//! Signing in with an OpenID provider: a provider of the test's own, asked over real connections, and every answer of
//! it that must not be believed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::audit;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::audit::{AuditEntry, Filter};
use domain::model::operations::How;
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::PROOF_LIFETIME;
use domain::model::person::team::InvitedRole;
use domain::operations::restore;
use domain::person::openid::attempt::LIFETIME;
use domain::person::sign_in::ADDRESS_LIMIT;
use domain::person::{NewPerson, create_administrator, invitation, manage, team};
use domain::services::relying_party::{Provider as Settings, RelyingParty};
use domain::store::{DatabaseUrl, Store, StoreOptions};
use serde_json::{Value, json};
use server::egress::policy::PrivateHosts;
use server::egress::ports::Outbound;
use server::state::AppState;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::interactive::is_accepted;
use crate::personal_tokens::generated;
use crate::second_factor::enrolled;
use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, between, form_token, router};

const CLIENT_ID: &str = "countersign at example";
const CLIENT_SECRET: &str = "a secret: with & marks";
const RETURN: &str = "http://localhost:8080/login/openid/return";
const SUBJECT: &str = "248289761001";

/// What the provider answers when a code is redeemed.
type Codes = HashMap<String, (String, Value)>;

struct Shared {
    url: String,
    jwk: Value,
    codes: Mutex<Codes>,
    /// How many codes there were.
    made: Mutex<usize>,
    /// How often the token endpoint was asked.
    redeemed: Mutex<usize>,
}

/// A provider on this machine.
pub(crate) struct Provider {
    shared: Arc<Shared>,
    key: EcdsaKeyPair,
    serving: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared =
            Arc::new(Shared { url, jwk, codes: Mutex::default(), made: Mutex::default(), redeemed: Mutex::default() });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(async |State(shared): State<Arc<Shared>>| Json(json!({ "keys": [shared.jwk] }))))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { shared, key, serving }
    }

    fn url(&self) -> &str {
        &self.shared.url
    }

    fn host(&self) -> String {
        self.url().trim_start_matches("http://").to_owned()
    }

    fn settings(&self) -> Settings {
        Settings {
            issuer: self.url().to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(CLIENT_SECRET.to_owned().into()),
            name: "Example <b>login</b>".to_owned(),
            link_by_email: false,
        }
    }

    /// What it claims about the person who was sent to it.
    fn claims(&self, app: &App, sent: &Sent) -> Value {
        let now = app.instance.context.now().seconds();
        json!({
            "iss": self.url(), "sub": SUBJECT, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": sent.nonce,
            "email": EMAIL, "email_verified": true,
        })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// Lets somebody in: a code that is good for this ID token.
    fn code_for(&self, sent: &Sent, id_token: String) -> String {
        let mut made = self.shared.made.lock().expect("a lock");
        *made += 1;
        let code = format!("code {made}&=%");
        let answer = json!({ "token_type": "Bearer", "id_token": id_token });
        self.shared.codes.lock().expect("a lock").insert(code.clone(), (sent.challenge.clone(), answer));
        code
    }

    fn good_code(&self, app: &App, sent: &Sent) -> String {
        self.code_for(sent, self.sign(&json!({ "alg": "ES256", "kid": "1" }), &self.claims(app, sent)))
    }

    /// The same, with these claims in place of the usual ones; null leaves one out.
    fn code_with(&self, app: &App, sent: &Sent, changes: &[(&str, Value)]) -> String {
        let mut claims = self.claims(app, sent);
        for (name, value) in changes {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("an object").remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        self.code_for(sent, self.sign(&json!({ "alg": "ES256", "kid": "1" }), &claims))
    }

    fn redeemed(&self) -> usize {
        *self.shared.redeemed.lock().expect("a lock")
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let url = &shared.url;
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize?tenant=a"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// Checks a token request as a provider does.
async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    *shared.redeemed.lock().expect("a lock") += 1;
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let pair = "countersign+at+example:a+secret%3A+with+%26+marks";
    if headers.get("authorization").map(|value| value.as_bytes().to_vec())
        != Some(format!("Basic {}", STANDARD.encode(pair)).into_bytes())
    {
        return refuse("invalid_client");
    }
    let Some((challenge, answer)) = shared.codes.lock().expect("a lock").remove(field("code")) else {
        return refuse("invalid_grant");
    };
    let verified = URL_SAFE_NO_PAD.encode(digest(&SHA256, field("code_verifier").as_bytes())) == challenge;
    if !verified || field("grant_type") != "authorization_code" || field("redirect_uri") != RETURN {
        return refuse("invalid_grant");
    }
    Json(answer).into_response()
}

/// What a browser is sent to the provider with.
struct Sent {
    state: String,
    nonce: String,
    challenge: String,
}

fn sent(answer: &Answer) -> Sent {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let url = Url::parse(answer.header("location")).expect("an absolute address");
    let pairs: HashMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!((url.path(), pairs["tenant"].as_str()), ("/authorize", "a"));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", RETURN),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(pairs[name], value, "{name}");
    }
    Sent { state: pairs["state"].clone(), nonce: pairs["nonce"].clone(), challenge: pairs["code_challenge"].clone() }
}

/// An instance that knows the provider.
async fn app_with(settings: Settings, host: String) -> App {
    let mut app = App::new().await;
    let way = Arc::new(Outbound::new(PrivateHosts { issuers: vec![host], ..PrivateHosts::default() }));
    let context = app.instance.context.clone().with_openid(Some(RelyingParty::new(settings, way)));
    app.instance.context = context.clone();
    app.router = router(AppState::new(context, vec![], vec![]));
    app
}

async fn app_of(provider: &Provider) -> App {
    app_with(provider.settings(), provider.host()).await
}

pub(crate) async fn app_that_links(provider: &Provider) -> App {
    app_with(Settings { link_by_email: true, ..provider.settings() }, provider.host()).await
}

async fn person(app: &App, email: &str) -> Person {
    let password = Password::new(PASSWORD.to_owned());
    let new = NewPerson { name: "Grace Hopper".to_owned(), email: email.to_owned(), password };
    create_administrator(&app.instance.context, &Actor::command_line("operator"), new).await.expect("a person")
}

async fn begin(browser: &Browser<'_>, next: &str) -> Answer {
    browser.submit("/login", "/login/openid", &[("next", next)]).await
}

fn query(provider: &Provider, state: &str, code: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state).append_pair("code", code).append_pair("iss", provider.url());
    format!("/login/openid/return?{}", query.finish())
}

async fn come_back(browser: &Browser<'_>, provider: &Provider, sent: &Sent, code: &str) -> Answer {
    browser.get(&query(provider, &sent.state, code)).await
}

async fn connect(browser: &Browser<'_>, provider: &Provider) -> Answer {
    let sent = sent(&browser.submit("/account", "/account/openid", &[]).await);
    let code = provider.good_code(browser.app, &sent);
    come_back(browser, provider, &sent, &code).await
}

/// A browser in which the person with the usual address is signed in and has connected their account.
async fn connected<'app>(app: &'app App, provider: &Provider) -> Browser<'app> {
    let browser = app.signed_in().await;
    let answer = connect(&browser, provider).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/account?done=connected"));
    browser
}

async fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.get("/account").await.status == StatusCode::OK
}

async fn newest(app: &App) -> AuditEntry {
    let everything = Filter::default();
    let entries = audit::list(&app.instance.context, &Authority::Everything, &everything, 1).await.expect("reads");
    entries.into_iter().next().expect("an entry")
}

pub(crate) async fn sign_in_with(browser: &Browser<'_>, provider: &Provider, changes: &[(&str, Value)]) -> Answer {
    let sent = sent(&begin(browser, "/").await);
    let code = provider.code_with(browser.app, &sent, changes);
    come_back(browser, provider, &sent, &code).await
}

#[tokio::test]
async fn a_connected_account_signs_in_and_leads_where_the_person_was_going() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = connected(&app, &provider).await;
    let page = owner.get("/account?done=connected").await;
    assert!(page.body.contains("OpenID account connected.") && page.body.contains("Disconnect"), "{}", page.body);
    assert_eq!(newest(&app).await.action, "person.openid_connected");

    let browser = app.browser();
    let form = browser.get("/login").await;
    assert!(form.body.contains("Sign in with Example &lt;b&gt;login&lt;/b&gt;"), "{}", form.body);
    let policy = form.header("content-security-policy");
    assert!(!policy.contains("form-action") && policy.contains("script-src 'self'"), "{policy}");
    let next = "/mcp/oauth/authorize?client_id=x&redirect_uri=http://localhost:8085/callback&state=~!*'()";
    let began = begin(&browser, next).await;
    let mut cookies = began.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies.find(|value| value.starts_with("countersign_openid=")).expect("a cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let sent = sent(&began);
    let code = provider.good_code(&app, &sent);
    let answer = come_back(&browser, &provider, &sent, &code).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, next));
    assert!(is_signed_in(&browser).await);
    assert_eq!(browser.cookie("countersign_openid"), None, "it is used up");
    let entry = newest(&app).await;
    assert_eq!((entry.action.as_str(), entry.actor_name.as_str()), ("session.started", "Ada Lovelace"));
    assert!(entry.details.contains("OpenID") && entry.details.contains(provider.url()), "{}", entry.details);
}

#[tokio::test]
async fn a_long_request_of_a_client_comes_through_the_provider() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let next = format!("/mcp/oauth/authorize?client_id=x&state={}", "%2F%26".repeat(1_200));
    let browser = app.browser();
    let sent_there = sent(&begin(&browser, &next).await);
    let code = provider.good_code(&app, &sent_there);
    assert_eq!(come_back(&browser, &provider, &sent_there, &code).await.header("location"), next);

    // The page that says why nobody was signed in leads to the sign-in, which leads to the same request.
    let browser = app.browser();
    let sent_there = sent(&begin(&browser, &next).await);
    let code = provider.code_with(&app, &sent_there, &[("sub", json!("somebody else"))]);
    let page = come_back(&browser, &provider, &sent_there, &code).await;
    let back = between(&page.body, "href=\"/login?", "\"").replace("&amp;", "&");
    let page = browser.get(&format!("/login?{back}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(between(&page.body, "name=\"next\" value=\"", "\"").replace("&amp;", "&"), next);
}

#[tokio::test]
async fn only_pages_of_ours_are_led_to() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    for wrong in ["//evil.example", "https://evil.example/", "/logout"] {
        let browser = app.browser();
        let sent = sent(&begin(&browser, wrong).await);
        let code = provider.good_code(&app, &sent);
        assert_eq!(come_back(&browser, &provider, &sent, &code).await.header("location"), "/", "{wrong}");
    }
}

#[tokio::test]
async fn a_planted_cookie_is_not_taken_over_and_a_sensitive_action_asks_for_the_password() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let browser = app.browser();
    let planted = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    browser.cookies.lock().expect("a lock").insert("countersign_session".to_owned(), planted.clone());
    let answer = sign_in_with(&browser, &provider, &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(browser.cookie("countersign_session").is_some_and(|cookie| cookie != planted));

    let page = browser.get("/credentials/new").await;
    assert!(page.body.contains("Confirm it is you"), "the provider’s word is not the password");
    let refused = browser.submit("/credentials/new", "/credentials/new", &[("name", "job")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("name", "job"), ("your_password", PASSWORD)];
    assert_eq!(browser.submit("/credentials/new", "/credentials/new", &fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_attempt_comes_back_once_in_its_browser_and_in_time() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let refused = |answer: &Answer, what: &str| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(answer.body.contains("This sign-in cannot be finished here"), "{what}: {}", answer.body);
    };
    let browser = app.browser();
    let first = sent(&begin(&browser, "/").await);
    let code = provider.good_code(&app, &first);
    let asked = provider.redeemed();

    let stranger = app.browser();
    refused(&come_back(&stranger, &provider, &first, &code).await, "a browser that began nothing");
    sent(&begin(&stranger, "/").await);
    refused(&come_back(&stranger, &provider, &first, &code).await, "a browser that began another");
    for state in ["", "x", &first.state[1..], &first.nonce] {
        refused(&browser.get(&query(&provider, state, &code)).await, "another state");
    }
    assert_eq!(provider.redeemed(), asked, "no code was sent anywhere");

    let again = app.browser();
    *again.cookies.lock().expect("a lock") = browser.cookies.lock().expect("a lock").clone();
    assert_eq!(come_back(&browser, &provider, &first, &code).await.status, StatusCode::SEE_OTHER);
    refused(&come_back(&again, &provider, &first, &code).await, "a second time");

    let late = app.browser();
    let sent = sent(&begin(&late, "/").await);
    app.instance.clock.advance(LIFETIME);
    let code = provider.good_code(&app, &sent);
    refused(&come_back(&late, &provider, &sent, &code).await, "too late");
    assert!(!is_signed_in(&late).await);
}

#[tokio::test]
async fn what_does_not_prove_the_account_signs_nobody_in() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let now = app.instance.context.now().seconds();
    let cases: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("nonce of another", vec![("nonce", json!("another"))]),
        ("no nonce", vec![("nonce", Value::Null)]),
        ("aud of another", vec![("aud", json!("another"))]),
        ("no aud", vec![("aud", Value::Null)]),
        ("aud of two without azp", vec![("aud", json!([CLIENT_ID, "another"]))]),
        ("azp of another", vec![("azp", json!("another"))]),
        ("iss of another", vec![("iss", json!("https://evil.example"))]),
        ("iss with a slash", vec![("iss", json!(format!("{}/", provider.url())))]),
        ("expired", vec![("exp", json!(now - 31))]),
        ("no exp", vec![("exp", Value::Null)]),
        ("no iat", vec![("iat", Value::Null)]),
        ("issued in the future", vec![("iat", json!(now + 31))]),
        ("no sub", vec![("sub", Value::Null)]),
        ("empty sub", vec![("sub", json!(""))]),
        ("sub a number", vec![("sub", json!(248_289_761_001_i64))]),
        ("sub too long", vec![("sub", json!("x".repeat(256)))]),
    ];
    for (what, changes) in cases {
        let browser = app.browser();
        let answer = sign_in_with(&browser, &provider, &changes).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.body);
        assert!(answer.body.contains("does not prove who you are"), "{what}: {}", answer.body);
        assert!(!is_signed_in(&browser).await, "{what}");
        let entry = newest(&app).await;
        assert_eq!(
            (entry.action.as_str(), entry.target_name.as_str()),
            ("session.refused", "Unknown account"),
            "{what}"
        );
        assert!(!entry.details.contains("evil"), "nothing of what was sent is kept: {}", entry.details);
    }
    let within = [("exp", json!(now - 29)), ("iat", json!(now + 29)), ("aud", json!([CLIENT_ID]))];
    assert_eq!(sign_in_with(&app.browser(), &provider, &within).await.status, StatusCode::SEE_OTHER, "clocks differ");
}

#[tokio::test]
async fn only_the_provider_s_signature_counts() {
    let (provider, stranger) = (Provider::start().await, Provider::start().await);
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let unsigned = |header: Value| move |claims: &Value| format!("{}.", signed_part(&header, claims));
    let with_public_key = |key: Vec<u8>| {
        move |claims: &Value| {
            let signed = signed_part(&json!({ "alg": "HS256", "kid": "1" }), claims);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
        }
    };
    type Forge<'of> = Box<dyn Fn(&Value) -> String + 'of>;
    let cases: Vec<(&str, Forge<'_>)> = vec![
        ("alg none", Box::new(unsigned(json!({ "alg": "none" })))),
        ("alg None", Box::new(unsigned(json!({ "alg": "None" })))),
        ("no signature", Box::new(unsigned(json!({ "alg": "ES256", "kid": "1" })))),
        ("HMAC with the point", Box::new(with_public_key(provider.key.public_key().as_ref().to_vec()))),
        ("HMAC with the JWK", Box::new(with_public_key(provider.shared.jwk.to_string().into_bytes()))),
        ("HMAC with the client secret", Box::new(with_public_key(CLIENT_SECRET.as_bytes().to_vec()))),
        ("another's key", Box::new(|claims| stranger.sign(&json!({ "alg": "ES256", "kid": "1" }), claims))),
        (
            "another's key in the header",
            Box::new(|claims| {
                stranger.sign(&json!({ "alg": "ES256", "kid": "2", "jwk": stranger.shared.jwk }), claims)
            }),
        ),
        (
            "another's address in the header",
            Box::new(|claims| {
                stranger.sign(&json!({ "alg": "ES256", "jku": format!("{}/keys", stranger.url()) }), claims)
            }),
        ),
        ("an access token", Box::new(|claims| provider.sign(&json!({ "alg": "ES256", "typ": "at+jwt" }), claims))),
        ("not a token", Box::new(|_| "nonsense".to_owned())),
    ];
    for (what, forge) in cases {
        let browser = app.browser();
        let sent = sent(&begin(&browser, "/").await);
        let code = provider.code_for(&sent, forge(&provider.claims(&app, &sent)));
        let answer = come_back(&browser, &provider, &sent, &code).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.body);
        assert!(!is_signed_in(&browser).await, "{what}");
    }
}

#[tokio::test]
async fn a_token_of_another_attempt_or_provider_is_of_no_use() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let (victim, attacker) = (app.browser(), app.browser());
    let (theirs, own) = (sent(&begin(&victim, "/").await), sent(&begin(&attacker, "/").await));
    let stolen = provider.good_code(&app, &theirs);
    let answer = come_back(&attacker, &provider, &own, &stolen).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "the code needs the verifier of its attempt: {}", answer.body);

    for (what, issuer) in [("another iss", Some("https://evil.example")), ("no iss", None)] {
        let browser = app.browser();
        let sent = sent(&begin(&browser, "/").await);
        let code = provider.good_code(&app, &sent);
        let asked = provider.redeemed();
        let address = query(&provider, &sent.state, &code);
        let address = address.split("&iss=").next().expect("an address").to_owned();
        let address = issuer.map_or(address.clone(), |issuer| format!("{address}&iss={issuer}"));
        assert_eq!(browser.get(&address).await.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(provider.redeemed(), asked, "{what}: the code was sent nowhere");
    }
}

#[tokio::test]
async fn the_provider_s_refusal_is_said_in_plain_words() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    for (error, status, words) in [
        ("access_denied", StatusCode::FORBIDDEN, "Sign-in cancelled"),
        ("login_required", StatusCode::FORBIDDEN, "did not accept the request (login_required)"),
        ("temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE, "Sign in with your password"),
        ("Call%20555", StatusCode::FORBIDDEN, "did not accept the request."),
    ] {
        let browser = app.browser();
        let sent = sent(&begin(&browser, "/credentials").await);
        let address = format!(
            "/login/openid/return?state={}&error={error}&error_description=Call%20555&iss={}",
            sent.state,
            provider.url()
        );
        let answer = browser.get(&address).await;
        assert_eq!(answer.status, status, "{error}: {}", answer.body);
        assert!(answer.body.contains(words) && !answer.body.contains("Call 555"), "{error}: {}", answer.body);
        assert!(answer.body.contains("/login?next=%2Fcredentials"), "{error}: the way goes on where it led");
        assert_eq!(browser.get(&address).await.status, StatusCode::BAD_REQUEST, "{error}: once");
    }
    assert_eq!(provider.redeemed(), 0);
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_the_password_works() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let waiting = app.browser();
    let sent = sent(&begin(&waiting, "/").await);
    let code = provider.good_code(&app, &sent);
    let (settings, host, url) = (provider.settings(), provider.host(), provider.url().to_owned());
    provider.serving.abort();
    while tokio::net::TcpStream::connect(host.as_str()).await.is_ok() {
        tokio::task::yield_now().await;
    }

    let mut address = url::form_urlencoded::Serializer::new(String::from("/login/openid/return?"));
    address.append_pair("state", &sent.state).append_pair("code", &code).append_pair("iss", &url);
    let answer = waiting.get(&address.finish()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert!(answer.body.contains("Sign in with your password"), "{}", answer.body);

    // Nothing of it was ever fetched: a server that was started meanwhile.
    let fresh = app_with(settings, host).await;
    let browser = fresh.signed_in().await;
    // Who confirms that it is them and is told of a fault stays signed in.
    fresh.instance.clock.advance(PROOF_LIFETIME);
    let answer = browser.submit("/account", "/account/openid", &[("your_password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert!(is_signed_in(&browser).await);
    browser.submit("/account", "/logout", &[]).await;
    let answer = begin(&browser, "/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert!(answer.body.contains("Sign in with your password"), "{}", answer.body);
    assert_eq!(browser.sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_account_that_nobody_connected_is_told_what_to_do() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    person(&app, EMAIL).await;
    let browser = app.browser();
    let answer = sign_in_with(&browser, &provider, &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.body.contains("connect it under Account") && answer.body.contains("administrator"),
        "{}",
        answer.body
    );
    assert!(!is_signed_in(&browser).await, "an equal address connects nobody unless the setting says so");
    let entry = newest(&app).await;
    assert_eq!((entry.action.as_str(), entry.actor_kind.as_str()), ("session.refused", "system"));
}

#[tokio::test]
async fn a_verified_address_connects_the_first_time_where_the_setting_says_so() {
    let provider = Provider::start().await;
    let app = app_that_links(&provider).await;
    person(&app, EMAIL).await;
    for (what, changes) in [
        ("not verified", vec![("email_verified", json!(false))]),
        ("verified as text", vec![("email_verified", json!("true"))]),
        ("verified as a number", vec![("email_verified", json!(1))]),
        ("verified without saying so", vec![("email_verified", Value::Null)]),
        ("another address", vec![("email", json!("grace@example.com"))]),
        ("no address", vec![("email", Value::Null)]),
    ] {
        let answer = sign_in_with(&app.browser(), &provider, &changes).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.body);
    }
    let browser = app.browser();
    let answer = sign_in_with(&browser, &provider, &[("email", json!(" ADA@Example.com"))]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(is_signed_in(&browser).await);
    let connected = Filter { action: Some("person.openid_connected".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &connected, 10).await.expect("reads");
    assert_eq!(entries.len(), 1);
    assert!(entries[0].details.contains("verified email address"), "{}", entries[0].details);

    // From now on the subject counts, and no other subject takes the person over.
    let moved = [("email", json!("new@example.com")), ("email_verified", json!(false))];
    assert_eq!(sign_in_with(&app.browser(), &provider, &moved).await.status, StatusCode::SEE_OTHER);
    let other = sign_in_with(&app.browser(), &provider, &[("sub", json!("another"))]).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "{}", other.body);

    // Who disconnected has decided.
    let fields = [("your_password", PASSWORD)];
    let answer = browser.submit("/account", "/account/openid/disconnect", &fields).await;
    assert!(answer.header("location").starts_with("/account?done=disconnected&"), "{}", answer.body);
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_account_that_a_manager_opened_is_the_owners_alone_after_a_verified_address_connects_it() {
    let provider = Provider::start().await;
    let app = app_that_links(&provider).await;
    let context = &app.instance.context;
    let operator = Actor::command_line("operator");
    let team = team::create(context, &operator, "Payments").await.expect("a team").id;
    let role = |role| InvitedRole::Team(team.clone(), role);
    let joins = async |actor: &Actor, email: &str, given: Role| {
        let (_, link) = invitation::invite(context, actor, email, role(given)).await.expect("invites");
        let password = Password::new(PASSWORD.to_owned());
        invitation::accept_as_new(context, &link, "Somebody", password, |actor| actor).await.expect("accepts")
    };
    joins(&operator, "mallory@example.com", Role::Manager).await;
    let mallory = app.browser();
    mallory.sign_in_as("mallory@example.com", PASSWORD).await;
    // The manager invites an address that has no account, and opens the link in place of its owner.
    let page = format!("/teams/{team}/invite");
    let invited = mallory.submit(&page, &page, &[("email", EMAIL), ("role", "viewer")]).await;
    assert_eq!(invited.status, StatusCode::OK, "{}", invited.body);
    let link = between(&invited.body, "/invitation?token=", "\"").to_owned();
    let thief = app.browser();
    let fields = [("token", link.as_str()), ("name", "Ada"), ("password", PASSWORD)];
    let opened = thief.submit(&format!("/invitation?token={link}"), "/invitation", &fields).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.body);
    let token = generated(&thief, &[]).await;

    let owner = app.browser();
    assert_eq!(sign_in_with(&owner, &provider, &[]).await.status, StatusCode::SEE_OTHER);
    let connected = Filter { action: Some("person.openid_connected".to_owned()), ..Filter::default() };
    let entry = audit::list(context, &Authority::Everything, &connected, 1).await.expect("reads").remove(0);
    assert!(entry.details.contains(r#""password_removed":true"#), "{}", entry.details);
    assert!(entry.details.contains(r#""personal_tokens_ended":1"#), "{}", entry.details);
    assert!(!is_signed_in(&thief).await && !is_accepted(&app, &token).await);
    assert_ne!(app.browser().sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert!(is_signed_in(&owner).await);

    // The owner sets a password, a moment after the sign-in and without the one that is gone.
    let new = [("new_password", "another quiet otter door")];
    app.instance.clock.advance(PROOF_LIFETIME);
    let late = owner.submit("/account", "/account/password", &new).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.body);
    let owner = app.browser();
    assert_eq!(sign_in_with(&owner, &provider, &[]).await.status, StatusCode::SEE_OTHER);
    let set = owner.submit("/account", "/account/password", &new).await;
    assert!(set.header("location").starts_with("/account?done=password&"), "{}", set.body);
    assert_eq!(app.browser().sign_in("another quiet otter door").await.status, StatusCode::SEE_OTHER);
    // The next sign-in at the provider ends nothing.
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.browser().sign_in("another quiet otter door").await.status, StatusCode::SEE_OTHER);

    // An administrator's invitation is trusted: the account keeps what it has.
    joins(&operator, "grace@example.com", Role::Viewer).await;
    let grace = [("sub", json!("grace")), ("email", json!("grace@example.com"))];
    assert_eq!(sign_in_with(&app.browser(), &provider, &grace).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.browser().sign_in_as("grace@example.com", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_verified_address_gets_around_no_second_factor() {
    let provider = Provider::start().await;
    let app = app_that_links(&provider).await;
    let owner = app.signed_in().await;
    enrolled(&owner).await;
    let browser = app.browser();
    let answer = sign_in_with(&browser, &provider, &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("connect it under Account"), "{}", answer.body);
    assert!(!is_signed_in(&browser).await);
    assert!(owner.get("/account").await.body.contains("does not ask for your second factor here"));
    assert_eq!(connect(&owner, &provider).await.header("location"), "/account?done=connected");
    assert_eq!(sign_in_with(&browser, &provider, &[]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn after_the_providers_word_a_sensitive_action_asks_for_password_and_code() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = connected(&app, &provider).await;
    let (phone, _) = enrolled(&owner).await;
    let browser = app.browser();
    assert_eq!(sign_in_with(&browser, &provider, &[]).await.status, StatusCode::SEE_OTHER);
    let generate = async |fields: &[(&str, &str)]| {
        let fields = [&[("name", "job")], fields].concat();
        browser.submit("/credentials/new", "/credentials/new", &fields).await.status
    };
    let code = phone.code(&app, 1);
    assert_eq!(generate(&[("your_password", PASSWORD)]).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(generate(&[("your_code", &code)]).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(generate(&[("your_password", PASSWORD), ("your_code", &code)]).await, StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_sees_and_ends_what_somebody_connected() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = connected(&app, &provider).await;
    person(&app, "grace@example.com").await;
    let ada = domain::person::find_by_email(&app.instance.context, EMAIL).await.expect("reads").expect("Ada");
    let administrator = app.browser();
    administrator.sign_in_as("grace@example.com", PASSWORD).await;
    let (page, change) = (format!("/people/{}", ada.id), format!("/people/{}/change", ada.id));
    let shown = administrator.get(&page).await.body;
    assert!(
        shown.contains("Sign in with Example &lt;b&gt;login&lt;/b&gt;") && shown.contains("Disconnect OpenID account")
    );
    let disconnect = async |fields: &[(&str, &str)]| {
        let fields = [&[("to", "openid-disconnected")], fields].concat();
        administrator.submit(&page, &change, &fields).await
    };
    app.instance.clock.advance(PROOF_LIFETIME);
    assert_eq!(disconnect(&[]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "it needs the password");
    assert!(is_signed_in(&owner).await);
    let done = disconnect(&[("your_password", PASSWORD)]).await;
    let receipt = format!("{page}?done=openid-disconnected&sessions=1&personal_tokens=0&apps=0&passkeys=0");
    assert_eq!(done.header("location"), receipt, "{}", done.body);
    let entry = newest(&app).await;
    assert_eq!(entry.action, "person.openid_disconnected");
    assert_eq!((entry.actor_name.as_str(), entry.target_name.as_str()), ("Grace Hopper", "Ada Lovelace"));
    assert!(!is_signed_in(&owner).await, "their sessions have ended");
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::FORBIDDEN);
    assert!(!administrator.get(&page).await.body.contains("Disconnect OpenID account"));
    assert_eq!(disconnect(&[]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "there is none any more");
}

#[tokio::test]
async fn a_disabled_person_is_not_signed_in() {
    let provider = Provider::start().await;
    let app = app_that_links(&provider).await;
    connected(&app, &provider).await;
    let grace = person(&app, "grace@example.com").await;
    let context = &app.instance.context;
    let operator = Actor::command_line("operator");
    let ada = domain::person::sign_in::sign_in(
        context,
        domain::person::sign_in::Attempt {
            email: EMAIL.to_owned(),
            password: Password::new(PASSWORD.to_owned()),
            address: None,
            agent: None,
            device: None,
            next: String::new(),
        },
    );
    let domain::person::sign_in::SignInOutcome::Whole(ada) = ada.await.expect("signs in") else {
        panic!("no second step")
    };
    let ada = ada.id;
    manage::disable(context, &operator, &ada).await.expect("disables");
    let browser = app.browser();
    let answer = sign_in_with(&browser, &provider, &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("Your account is disabled"), "{}", answer.body);
    assert!(!is_signed_in(&browser).await);
    let entry = newest(&app).await;
    assert_eq!((entry.action.as_str(), entry.target_name.as_str()), ("session.refused", "Ada Lovelace"));

    manage::enable(context, &operator, &ada).await.expect("enables");
    manage::disable(context, &operator, &grace.id).await.expect("disables");
    let by_email = [("sub", json!("another")), ("email", json!("grace@example.com"))];
    let answer = sign_in_with(&app.browser(), &provider, &by_email).await;
    assert!(answer.body.contains("No account is connected"), "and connected by an address neither: {}", answer.body);
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn connecting_needs_the_password_the_session_that_began_it_and_a_free_account() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = app.signed_in().await;
    person(&app, "grace@example.com").await;
    let grace = app.browser();
    assert_eq!(grace.sign_in_as("grace@example.com", PASSWORD).await.status, StatusCode::SEE_OTHER);

    app.instance.clock.advance(PROOF_LIFETIME);
    let asked = owner.submit("/account", "/account/openid", &[]).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.body.contains("Enter your password to go on."), "{}", asked.body);
    assert!(!asked.header("content-security-policy").contains("form-action"), "the form may be sent again");
    let wrong = owner.submit("/account", "/account/openid", &[("your_password", "not the password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let sent = sent(&owner.submit("/account", "/account/openid", &[("your_password", PASSWORD)]).await);

    // Another person, in the same browser: their session has not begun it.
    let code = provider.good_code(&app, &sent);
    let cookie = owner.cookie("countersign_openid").expect("a cookie");
    grace.cookies.lock().expect("a lock").insert("countersign_openid".to_owned(), cookie);
    let answer = come_back(&grace, &provider, &sent, &code).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    let answer = come_back(&owner, &provider, &sent, &code).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "it is used up");

    assert_eq!(connect(&owner, &provider).await.header("location"), "/account?done=connected");
    let taken = {
        let sent = self::sent(&grace.submit("/account", "/account/openid", &[("your_password", PASSWORD)]).await);
        let code = provider.good_code(&app, &sent);
        come_back(&grace, &provider, &sent, &code).await
    };
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.body.contains("Already connected to somebody else"), "{}", taken.body);
    let second = {
        let sent = self::sent(&owner.post("/account/openid", &[("form_token", &token(&owner).await)]).await);
        let code = provider.code_with(&app, &sent, &[("sub", json!("another"))]);
        come_back(&owner, &provider, &sent, &code).await
    };
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.body.contains("You have connected another account"), "{}", second.body);

    async fn token(browser: &Browser<'_>) -> String {
        form_token(&browser.get("/account").await.body)
    }
}

#[tokio::test]
async fn a_disconnected_account_signs_nobody_in_and_may_be_connected_by_somebody_else() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = connected(&app, &provider).await;
    app.instance.clock.advance(PROOF_LIFETIME);
    let asked = owner.submit("/account", "/account/openid/disconnect", &[]).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "it needs the password");
    let elsewhere = app.browser();
    assert_eq!(sign_in_with(&elsewhere, &provider, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(elsewhere.cookie("countersign_device"), None, "by the provider's word alone no browser is known");

    let fields = [("your_password", PASSWORD)];
    let answer = owner.submit("/account", "/account/openid/disconnect", &fields).await;
    let receipt = "/account?done=disconnected&sessions=1&personal_tokens=0&apps=0&passkeys=0";
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, receipt));
    assert_eq!(newest(&app).await.action, "person.openid_disconnected");
    assert!(is_signed_in(&owner).await && !is_signed_in(&elsewhere).await, "the other sessions ended");
    assert!(owner.get("/account?done=disconnected").await.body.contains("OpenID account disconnected."));
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::FORBIDDEN);

    person(&app, "grace@example.com").await;
    let grace = app.browser();
    grace.sign_in_as("grace@example.com", PASSWORD).await;
    assert_eq!(connect(&grace, &provider).await.header("location"), "/account?done=connected");
    let browser = app.browser();
    assert_eq!(sign_in_with(&browser, &provider, &[]).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/account").await.body.contains("grace@example.com"));
    assert_eq!(connect(&owner, &provider).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn forms_that_lead_to_the_provider_come_from_here() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let browser = app.browser();
    let token = form_token(&browser.get("/login").await.body);
    let fields = [("form_token", token.as_str()), ("next", "/")];
    let cross = browser.post_with("/login/openid", &fields, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(cross.status, StatusCode::FORBIDDEN);
    let stale = browser.post("/login/openid", &[("next", "/")]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY, "the form is shown again");
    assert_eq!(browser.get("/login/openid").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.cookie("countersign_openid"), None);
}

#[tokio::test]
async fn who_begins_again_and_again_is_slowed_down_and_who_succeeds_is_not() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    for _ in 0..ADDRESS_LIMIT + 1 {
        assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::SEE_OTHER);
    }
    let browser = app.browser();
    for _ in 0..ADDRESS_LIMIT {
        assert_eq!(begin(&browser, "/").await.status, StatusCode::SEE_OTHER);
    }
    let limited = begin(&browser, "/").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.header("retry-after").parse::<u64>().expect("seconds") > 0);
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_of_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    assert!(!browser.get("/account").await.body.contains("Sign in with"));
    let stranger = app.browser();
    let login = stranger.get("/login").await;
    assert!(
        !login.body.contains("Sign in with") && login.header("content-security-policy").contains("form-action 'self'")
    );
    assert_eq!(stranger.get("/login/openid/return?state=x&code=y").await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.submit("/login", "/login/openid", &[("next", "/")]).await.status, StatusCode::NOT_FOUND);
}

/// What ended since a backup, and the store of the backup.
pub(crate) async fn backed_up(app: &App) -> (Store, impl AsyncFn(&Store) -> restore::Difference) {
    let file = app.instance.folder().join("copy.db");
    app.instance.context.store.backup(&file, &mut |_, _| {}).await.expect("a backup");
    let backup = Store::open(&DatabaseUrl::Sqlite(file), &StoreOptions::default()).await.expect("opens");
    let (former, now) = (app.instance.context.store.clone(), app.instance.context.now());
    (backup, async move |backup: &Store| restore::compare(&former, backup, now).await.expect("compares"))
}

#[tokio::test]
async fn a_restore_tells_what_was_disconnected_since_and_does_not_bring_it_back() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    let owner = connected(&app, &provider).await;
    sent(&begin(&app.browser(), "/").await);
    let (backup, compared) = backed_up(&app).await;
    assert!(compared(&backup).await.is_empty());
    owner.submit("/account", "/account/openid/disconnect", &[]).await;
    let difference = compared(&backup).await;
    assert_eq!(difference.ended.len(), 1);
    assert_eq!((difference.ended[0].name.as_str(), difference.ended[0].how), ("Ada Lovelace", How::OpenIdDisconnected));

    let mut restored = App::new().await;
    let context = domain::context::Context { store: backup.clone(), ..app.instance.context.clone() };
    let operator = Actor::command_line("operator");
    restore::finish(&context, &operator, &difference, true).await.expect("restores");
    restored.instance.context = context.clone();
    restored.router = router(AppState::new(context, vec![], vec![]));
    assert_eq!(newest(&restored).await.action, "person.openid_disconnected");
    assert_eq!(sign_in_with(&restored.browser(), &provider, &[]).await.status, StatusCode::FORBIDDEN);
    backup.close().await;
}

#[tokio::test]
async fn nothing_in_the_database_finishes_an_attempt_and_old_ones_go() {
    let provider = Provider::start().await;
    let app = app_of(&provider).await;
    connected(&app, &provider).await;
    let browser = app.browser();
    let sent = sent(&begin(&browser, "/").await);
    let cookie = browser.cookie("countersign_openid").expect("a cookie");
    let attempts = async || {
        let counts = app.instance.context.store.counts().await.expect("counts");
        counts.iter().find(|(table, _)| *table == "openid_attempts").expect("is copied").1
    };
    assert_eq!(attempts().await, 1);
    let file = app.instance.folder().join("copy.db");
    app.instance.context.store.backup(&file, &mut |_, _| {}).await.expect("a backup");
    let content = std::fs::read(&file).expect("the backup");
    for value in [&cookie, &sent.state, &sent.nonce, &sent.challenge, CLIENT_SECRET] {
        assert!(!content.windows(value.len()).any(|part| part == value.as_bytes()), "{value}");
    }
    app.instance.clock.advance(LIFETIME + Duration::from_secs(24 * 3600 + 1));
    app.instance.tidy().await;
    assert_eq!(attempts().await, 0);
}
