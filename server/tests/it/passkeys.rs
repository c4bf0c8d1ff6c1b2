//! Passkeys: an authenticator made of a key pair and the bytes of WebAuthn, against the real router.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::audit;
use domain::context::Context;
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::audit::Filter;
use domain::model::operations::How;
use domain::model::person::authority::Authority;
use domain::operations::backup;
use domain::operations::restore;
use domain::person::sign_in::ADDRESS_LIMIT;
use domain::person::{self, NewPerson, manage, password_link, second_factor};
use domain::store::{DatabaseUrl, Store, StoreOptions};
use serde_json::{Value, json};

use crate::interactive::{granted, is_accepted, refreshing, registered};
use crate::personal_tokens::generated;
use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, between};

const SESSION: &str = "countersign_session";
const STEP: &str = "/login/second-factor";
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const ATTESTED: u8 = 64;

/// A device with one passkey, which does as it is told.
struct Device {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    handle: String,
    counter: u32,
    origin: &'static str,
    host: &'static str,
    flags: u8,
}

impl Device {
    fn new(id: u8) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            id: vec![id; 20],
            handle: String::new(),
            counter: 1,
            origin: "http://localhost:8080",
            host: "localhost",
            flags: PRESENT | VERIFIED,
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data =
            json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false });
        data.to_string().into_bytes()
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        [digest(&SHA256, self.host.as_bytes()).as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// Makes the passkey.
    fn create(&mut self, options: &Value) -> String {
        self.handle = options["user"]["id"].as_str().expect("a handle").to_owned();
        let point = self.key.public_key().as_ref();
        // COSE: kty 2 (EC2), alg -7 (ES256), crv 1 (P-256), x, y.
        let cose = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &point[1..33], &[0x22, 0x58, 32], &point[33..65]];
        let length = (self.id.len() as u16).to_be_bytes();
        let data =
            [self.head(self.flags | ATTESTED), vec![0; 16], length.to_vec(), self.id.clone(), cose.concat()].concat();
        let attestation =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[data.len() as u8], &data];
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data("webauthn.create", options)),
            "attestationObject": URL_SAFE_NO_PAD.encode(attestation.concat()),
        }))
    }

    /// Signs a challenge.
    fn sign(&mut self, options: &Value) -> String {
        self.counter += 1;
        let (head, client) = (self.head(self.flags), self.client_data("webauthn.get", options));
        let signed = [head.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("signs");
        self.answer(json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "authenticatorData": URL_SAFE_NO_PAD.encode(head),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": self.handle,
        }))
    }

    fn answer(&self, response: Value) -> String {
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response }).to_string()
    }
}

/// What a page's script is handed: what to sign, and the state that comes back with it.
async fn challenge(browser: &Browser<'_>, path: &str) -> (Value, String) {
    let answer = browser.get(path).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"), "{path}");
    let answer = answer.json();
    (answer["options"].clone(), answer["state"].as_str().expect("a state").to_owned())
}

async fn add(browser: &Browser<'_>, device: &mut Device) -> Answer {
    let (options, state) = challenge(browser, "/account/passkeys/challenge?for=add").await;
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let answer = device.create(&options);
    let fields = [("name", "blue key"), ("passkey_state", state.as_str()), ("passkey_answer", answer.as_str())];
    browser.submit("/account/passkeys/new", "/account/passkeys/new", &fields).await
}

async fn send(browser: &Browser<'_>, path: &str, state: &str, answer: &str) -> Answer {
    let page = if path.starts_with("/login/second") { STEP } else { "/login" };
    browser.submit(page, path, &[("next", "/activity"), ("passkey_state", state), ("passkey_answer", answer)]).await
}

async fn sign_in(browser: &Browser<'_>, device: &mut Device) -> Answer {
    let (options, state) = challenge(browser, "/login/passkey").await;
    assert_eq!((&options["userVerification"], &options["rpId"]), (&json!("required"), &json!("localhost")));
    send(browser, "/login/passkey", &state, &device.sign(&options)).await
}

/// An administrator's browser and their passkey.
async fn with_passkey(app: &App) -> (Browser<'_>, Device) {
    let browser = app.signed_in().await;
    let mut device = Device::new(7);
    let added = add(&browser, &mut device).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.body);
    assert_eq!(added.header("referrer-policy"), "no-referrer");
    assert!(added.body.contains("Save your recovery codes"));
    (browser, device)
}

async fn actions(app: &App) -> Vec<String> {
    let entries = audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 200).await;
    entries.expect("reads").into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn a_passkey_alone_signs_in_and_leads_where_it_should() {
    let app = App::new().await;
    let (owner, mut device) = with_passkey(&app).await;
    let page = owner.get("/account").await.body;
    assert!(page.contains("blue key") && page.contains("10 recovery codes are left."));
    let browser = app.browser();
    let entered = sign_in(&browser, &mut device).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/activity"));
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert!(actions(&app).await.contains(&"passkey.added".to_owned()));
}

#[tokio::test]
async fn a_challenge_is_used_once_and_for_what_it_was_made() {
    let app = App::new().await;
    let (owner, mut device) = with_passkey(&app).await;
    let browser = app.browser();
    let (options, state) = challenge(&browser, "/login/passkey").await;
    let answer = device.sign(&options);
    assert_eq!(send(&browser, "/login/passkey", &state, &answer).await.status, StatusCode::SEE_OTHER);
    // Signed again with a higher counter, so that only the challenge can be what is wrong.
    let answer = device.sign(&options);
    let other = app.browser();
    assert_eq!(send(&other, "/login/passkey", &state, &answer).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let (options, state) = challenge(&owner, "/account/passkeys/challenge?for=confirm").await;
    let answer = device.sign(&options);
    assert_eq!(send(&other, "/login/passkey", &state, &answer).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (options, state) = challenge(&other, "/login/passkey").await;
    app.instance.clock.advance(Duration::from_secs(5 * 60));
    let answer = device.sign(&options);
    assert_eq!(send(&other, "/login/passkey", &state, &answer).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (options, state) = challenge(&other, "/login/passkey").await;
    let forged = format!("{}A", &state[..state.len() - 1]);
    let forged = if forged == state { format!("{}B", &state[..state.len() - 1]) } else { forged };
    let answer = device.sign(&options);
    assert_eq!(send(&other, "/login/passkey", &forged, &answer).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.cookie(SESSION), None);
    assert_eq!(sign_in(&other, &mut device).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_does_not_prove_it_is_refused_with_one_answer() {
    let app = App::new().await;
    let (_, mut device) = with_passkey(&app).await;
    let browser = app.browser();
    let message = |answer: &Answer| between(&answer.body, r#"role="alert""#, "</p>").to_owned();
    let unknown = sign_in(&browser, &mut Device::new(9)).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    type Wrong = (&'static str, fn(&mut Device));
    let wrongs: [Wrong; 6] = [
        ("another page", |device| device.origin = "https://evil.example"),
        ("another host's key", |device| device.host = "evil.example"),
        ("nobody was verified", |device| device.flags = PRESENT),
        ("a counter that stands still", |device| device.counter = 0),
        ("another key", |device| device.key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key")),
        ("another person's handle", |device| device.handle = URL_SAFE_NO_PAD.encode([1; 16])),
    ];
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::SEE_OTHER);
    let pkcs8 = device.key.to_pkcs8v1().expect("a key");
    for (what, change) in wrongs {
        let mut wrong = Device::new(7);
        wrong.key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("the same key");
        (wrong.handle, wrong.counter) = (device.handle.clone(), 100);
        change(&mut wrong);
        let answer = sign_in(&browser, &mut wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert_eq!(message(&answer), message(&unknown), "{what}");
    }
    assert_eq!(browser.cookie(SESSION), None);
    device.counter = 200;
    assert_eq!(sign_in(&browser, &mut device).await.status, StatusCode::SEE_OTHER, "and the right one still works");
}

#[tokio::test]
async fn a_disabled_persons_passkey_does_nothing() {
    let app = App::new().await;
    let (_, mut device) = with_passkey(&app).await;
    let context = &app.instance.context;
    let operator = Actor::command_line("operator");
    let second = NewPerson {
        name: "Second".to_owned(),
        email: "second@example.com".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
    };
    person::create_administrator(context, &operator, second).await.expect("somebody who stays");
    let ada = person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");
    manage::disable(context, &operator, &ada.id).await.expect("disables");
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    manage::enable(context, &operator, &ada.id).await.expect("enables");
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::SEE_OTHER);
    manage::reset_second_factor(context, &operator, &ada.id, "lost").await.expect("removes");
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/");
}

#[tokio::test]
async fn a_password_needs_the_passkey_beside_it() {
    let app = App::new().await;
    let (_, mut device) = with_passkey(&app).await;
    let browser = app.browser();
    assert_eq!(browser.sign_in(PASSWORD).await.header("location"), STEP);
    assert_eq!(browser.cookie(SESSION), None);
    // A challenge of the first step is none of the second.
    let (options, state) = challenge(&browser, "/login/passkey").await;
    let answer = device.sign(&options);
    assert_eq!(send(&browser, STEP, &state, &answer).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (options, state) = challenge(&browser, "/login/passkey?for=second-step").await;
    assert_eq!(options["allowCredentials"][0]["id"], URL_SAFE_NO_PAD.encode([7; 20]));
    let answer = device.sign(&options);
    assert_eq!(send(&browser, STEP, &state, &answer).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(app.browser().get("/login/passkey?for=second-step").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_passkey_confirms_a_sensitive_action_alone() {
    let app = App::new().await;
    let (browser, mut device) = with_passkey(&app).await;
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let generate = async |fields: &[(&str, &str)]| {
        let fields = [&[("name", "job")], fields].concat();
        browser.submit("/credentials/new", "/credentials/new", &fields).await.status
    };
    assert_eq!(generate(&[("your_password", PASSWORD)]).await, StatusCode::UNPROCESSABLE_ENTITY);
    let (options, state) = challenge(&browser, "/login/passkey").await;
    let answer = device.sign(&options);
    let wrong = [("passkey_state", state.as_str()), ("passkey_answer", answer.as_str())];
    assert_eq!(generate(&wrong).await, StatusCode::UNPROCESSABLE_ENTITY);
    let (options, state) = challenge(&browser, "/account/passkeys/challenge?for=confirm").await;
    let answer = device.sign(&options);
    let right = [("passkey_state", state.as_str()), ("passkey_answer", answer.as_str())];
    assert_eq!(generate(&right).await, StatusCode::OK);
}

#[tokio::test]
async fn adding_and_removing_ask_again() {
    let app = App::new().await;
    let (browser, mut device) = with_passkey(&app).await;
    let again = add(&browser, &mut device).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a passkey is here once");
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let late = add(&browser, &mut Device::new(8)).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.body.contains("Your password"));
    assert!(!actions(&app).await.contains(&"session.refused".to_owned()), "a new passkey is no wrong one");
    assert_eq!(between(&late.body, r#"name="kept_name" value=""#, "\""), "blue key");
    let (options, state) = challenge(&browser, "/account/passkeys/challenge?for=confirm").await;
    let answer = device.sign(&options);
    let fields = [("kept_name", "blue key"), ("passkey_state", state.as_str()), ("passkey_answer", answer.as_str())];
    let proved = browser.submit("/account/passkeys/new", "/account/passkeys/new", &fields).await;
    assert_eq!(proved.header("location"), "/account/passkeys/new?name=blue+key");
    let form = browser.get(proved.header("location")).await;
    assert!(form.body.contains(r#"value="blue key""#), "{}", form.body);
    let mut second = Device::new(8);
    assert_eq!(add(&browser, &mut second).await.header("location"), "/account?done=passkey-added");

    let account = browser.get("/account").await.body;
    let ids: Vec<&str> = account
        .split("/account/passkeys/")
        .skip(1)
        .filter_map(|rest| rest.split_once("/remove"))
        .map(|(id, _)| id)
        .collect();
    let ids: Vec<String> =
        ids.into_iter().filter(|id| id.starts_with("pky_") && !id.contains('"')).map(str::to_owned).collect();
    assert_eq!(ids.len(), 2);
    let remove = format!("/account/passkeys/{}/remove", ids[0]);
    assert_eq!(browser.submit(&remove, &remove, &[]).await.header("location"), "/account?done=passkey-removed");
    let entered =
        [sign_in(&app.browser(), &mut device).await.status, sign_in(&app.browser(), &mut second).await.status];
    assert_eq!(entered.iter().filter(|status| **status == StatusCode::SEE_OTHER).count(), 1, "the other one works");
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), STEP);
    let remove = format!("/account/passkeys/{}/remove", ids[1]);
    assert_eq!(browser.submit(&remove, &remove, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/", "with the last one goes the second step");
    assert_eq!(actions(&app).await.iter().filter(|action| *action == "passkey.removed").count(), 2);
}

#[tokio::test]
async fn wrong_passkeys_are_counted_by_their_source() {
    let app = App::new().await;
    let (owner, mut device) = with_passkey(&app).await;
    owner.submit("/account", "/logout", &[]).await;
    let browser = app.browser();
    let mut stranger = Device::new(9);
    for _ in 0..ADDRESS_LIMIT {
        assert_eq!(sign_in(&browser, &mut stranger).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(sign_in(&browser, &mut device).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(sign_in(&owner, &mut device).await.status, StatusCode::SEE_OTHER, "in a known browser it does");
}

#[tokio::test]
async fn a_known_browser_takes_the_second_step_whatever_its_neighbours_do() {
    let app = App::new().await;
    let (owner, mut device) = with_passkey(&app).await;
    owner.submit("/account", "/logout", &[]).await;
    let (stranger, mut unknown) = (app.browser(), Device::new(9));
    for _ in 0..ADDRESS_LIMIT {
        sign_in(&stranger, &mut unknown).await;
    }
    assert_eq!(owner.sign_in(PASSWORD).await.header("location"), STEP);
    let (options, state) = challenge(&owner, "/login/passkey?for=second-step").await;
    let answer = device.sign(&options);
    assert_eq!(send(&owner, STEP, &state, &answer).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_form_that_added_a_passkey_says_so_when_it_is_sent_again() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (options, state) = challenge(&browser, "/account/passkeys/challenge?for=add").await;
    let answer = Device::new(7).create(&options);
    let fields = [("name", "blue key"), ("passkey_state", state.as_str()), ("passkey_answer", answer.as_str())];
    let send = async || browser.submit("/account", "/account/passkeys/new", &fields).await;
    assert_eq!(send().await.status, StatusCode::OK);
    for _ in 0..2 {
        let again = send().await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
        assert!(again.body.contains("Already added") && !again.body.contains("No passkey was added"));
        // Later, when the challenge is over and the last proof is too old, the answer is the same.
        app.instance.clock.advance(Duration::from_secs(6 * 60));
    }
    assert_eq!(actions(&app).await.iter().filter(|action| *action == "passkey.added").count(), 1);
}

#[tokio::test]
async fn a_passkey_changes_the_password() {
    let app = App::new().await;
    let (browser, mut device) = with_passkey(&app).await;
    let account = browser.get("/account").await.body;
    let form = between(&account, r#"action="/account/password""#, "</form>");
    assert!(form.contains("data-passkey=") && form.contains("data-proof"), "{form}");
    let new = "another quiet otter door";
    let (options, state) = challenge(&browser, "/login/passkey").await;
    let answer = device.sign(&options);
    let change = async |state: &str, answer: &str| {
        let fields = [("new_password", new), ("passkey_state", state), ("passkey_answer", answer)];
        browser.submit("/account", "/account/password", &fields).await
    };
    let wrong = change(&state, &answer).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("The passkey was not accepted."));
    let (options, state) = challenge(&browser, "/account/passkeys/challenge?for=confirm").await;
    let answer = device.sign(&options);
    assert!(change(&state, &answer).await.header("location").starts_with("/account?done=password&"));
    assert_eq!(app.browser().sign_in(new).await.header("location"), STEP);
    assert!(browser.get("/account").await.body.contains("10 recovery codes are left."), "none was spent");
}

#[tokio::test]
async fn what_gives_access_ends_with_the_password_where_the_person_says_so() {
    let app = App::new().await;
    let (browser, mut device) = with_passkey(&app).await;
    let token = generated(&browser, &[]).await;
    let (access_token, refresh_token) = granted(&app, &browser, &registered(&app).await).await;
    let account = browser.get("/account").await.body;
    let form = between(&account, r#"action="/account/password""#, "</form>");
    for words in ["1 personal token", "1 connected app", "1 passkey"] {
        assert!(form.contains(words), "{words}: {form}");
    }
    assert_eq!(form.matches(" checked").count(), 3, "all boxes are ticked: {form}");
    let mut change = async |new: &str, boxes: &[(&str, &str)]| {
        let (options, state) = challenge(&browser, "/account/passkeys/challenge?for=confirm").await;
        let answer = device.sign(&options);
        let fields = [("new_password", new), ("passkey_state", &state), ("passkey_answer", &answer)];
        browser.submit("/account", "/account/password", &[&fields[..], boxes].concat()).await
    };
    let kept = change("another quiet otter door", &[]).await;
    assert!(kept.header("location").ends_with("&personal_tokens=0&apps=0&passkeys=0"), "{}", kept.body);
    assert!(is_accepted(&app, &token).await && is_accepted(&app, &access_token).await);

    // A wrong new password changes nothing, and the form comes back with the boxes as they were.
    let refused = change("short", &[("end_apps", "yes")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = between(&refused.body, r#"action="/account/password""#, "</form>");
    assert_eq!(form.matches(" checked").count(), 1, "{form}");

    let boxes = ["end_personal_tokens", "end_apps", "end_passkeys"].map(|name| (name, "yes"));
    let ended = change("yet another quiet door", &boxes).await;
    let receipt = ended.header("location").to_owned();
    assert_eq!(receipt, "/account?done=password&sessions=0&personal_tokens=1&apps=1&passkeys=1", "{}", ended.body);
    let page = browser.get(&receipt).await.body;
    assert!(page.contains("Ended: 0 sessions, 1 personal token, 1 connected app, 1 passkey."), "{page}");
    assert!(!page.contains("recovery codes are left"), "they stood in for the passkey");
    assert!(!is_accepted(&app, &token).await && !is_accepted(&app, &access_token).await);
    let refreshed = app.token(&[], refreshing("x", &refresh_token)).await;
    assert!(refreshed.status.is_client_error());
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_administrator_ends_tokens_and_apps_together_with_the_sessions_of_a_person() {
    let app = App::new().await;
    let (browser, mut device) = with_passkey(&app).await;
    let token = generated(&browser, &[]).await;
    let (access_token, _) = granted(&app, &browser, &registered(&app).await).await;
    let ada = person::find_by_email(&app.instance.context, EMAIL).await.expect("reads").expect("Ada");
    let page = format!("/people/{}", ada.id);
    let other = NewPerson {
        name: "Grace Hopper".to_owned(),
        email: "grace@example.com".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
    };
    let operator = Actor::command_line("operator");
    person::create_administrator(&app.instance.context, &operator, other).await.expect("an administrator");
    let grace = app.browser();
    grace.sign_in_as("grace@example.com", PASSWORD).await;
    let (change, question) = (format!("{page}/change"), format!("{page}/change?to=access-ended"));
    let shown = grace.get(&question).await.body;
    assert!(shown.contains("Ends now: 1 session."), "{shown}");
    assert!(shown.contains("1 personal token") && shown.contains("1 connected app"), "{shown}");
    let fields = [("to", "access-ended"), ("end_personal_tokens", "yes"), ("end_apps", "yes"), ("end_passkeys", "yes")];
    let ended = grace.submit(&question, &change, &fields).await;
    let receipt = format!("{page}?done=ended&sessions=1&personal_tokens=1&apps=1&passkeys=0");
    assert_eq!(ended.header("location"), receipt, "{}", ended.body);
    assert!(!is_accepted(&app, &token).await && !is_accepted(&app, &access_token).await);
    assert_ne!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::SEE_OTHER, "the passkey stays");
}

#[tokio::test]
async fn a_backup_does_not_bring_a_removed_passkey_back_unnoticed() {
    let app = App::new().await;
    with_passkey(&app).await;
    let context = &app.instance.context;
    let file = app.instance.folder().join("copy.db");
    backup::write(context, &file, &mut |_, _| {}).await.expect("writes");
    let ada = person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");
    manage::reset_second_factor(context, &Actor::command_line("operator"), &ada.id, "lost").await.expect("removes");
    let url = DatabaseUrl::parse(&format!("sqlite://{}", file.display())).expect("an address");
    let copy = Store::open(&url, &StoreOptions::default()).await.expect("opens");
    let difference = restore::compare(&context.store, &copy, context.now()).await.expect("compares");
    let ended: Vec<_> = difference.ended.iter().map(|one| (one.how, one.name.as_str())).collect();
    assert_eq!(ended, [(How::PasskeyRemoved, "blue key")]);
    // Ended again, it takes the recovery codes along that stood in for it.
    let restored = Context { store: copy.clone(), ..context.clone() };
    restore::finish(&restored, &Actor::command_line("operator"), &difference, true).await.expect("restores");
    assert_eq!(second_factor::find_recovery(&restored, &ada.id).await.expect("reads").codes_left, 0);
    copy.close().await;
}

#[tokio::test]
async fn a_password_link_leaves_the_only_second_factor() {
    let app = App::new().await;
    let (_, mut device) = with_passkey(&app).await;
    let context = &app.instance.context;
    let ada = person::find_by_email(context, EMAIL).await.expect("reads").expect("a person");
    let operator = domain::model::actor::Actor::command_line("operator");
    let (_, token) = password_link::create(context, &operator, &ada.id).await.expect("made");
    let thief = app.browser();
    let page = thief.get(&format!("/password?token={token}")).await.body;
    assert!(page.contains("Your passkeys stay") && !page.contains("end_passkeys"), "{page}");
    let new = "seven quiet otters draw maps";
    let fields = [("token", token.as_str()), ("password", new), ("end_passkeys", "yes")];
    let set = thief.submit(&format!("/password?token={token}"), "/password", &fields).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    assert_eq!(thief.sign_in(new).await.header("location"), STEP, "the passkey is asked for");
    assert_eq!(sign_in(&app.browser(), &mut device).await.status, StatusCode::SEE_OTHER);
}
