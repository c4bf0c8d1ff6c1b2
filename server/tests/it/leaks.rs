//! Leaks: what a pasted text gives away, and reports from outside.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::base::id::TeamId;
use domain::credential::generate::Generated;
use domain::credential::inspect;
use domain::model::audit::Filter;
use domain::model::credential::{Credential, Status};
use domain::model::incident::Policy;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use serde_json::{Value, json};
use server::incident::{LeakReports, read_github_keys};

use crate::roles::{joined, signed_in_as};
use crate::support::{Answer, App, basic};
use crate::words::text;

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

async fn exchanges(app: &App, generated: &Generated) -> bool {
    app.token(&[("authorization", &basic(generated))], "grant_type=client_credentials").await.status == StatusCode::OK
}

async fn now_is(app: &App, generated: &Generated) -> (Credential, Status) {
    let context = &app.instance.context;
    let credential = inspect::find(context, &Authority::Everything, &generated.credential.client_id)
        .await
        .expect("reads")
        .expect("exists");
    let status = credential.status(context.now());
    (credential, status)
}

#[tokio::test]
async fn a_pasted_text_shows_whose_secrets_it_holds_and_keeps_nothing() {
    let app = App::new().await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let other = app.generated("other job", &["mcp:read"]).await;
    let bystander = app.generated("bystander", &["mcp:read"]).await;
    let unknown = domain::crypto::secret::PlainSecret::generate(&domain::base::random::SystemRandom);
    let browser = app.signed_in().await;
    let log = format!(
        "POST /token Authorization: Basic {}\nBearer {token}\nSECRET={}\n{}\nid {}",
        basic(&other).trim_start_matches("Basic "),
        secret(&owner),
        unknown.expose(),
        bystander.credential.client_id,
    );
    let answer = browser.submit("/leaks", "/leaks", &[("text", &log), ("days", "1")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let words = answer.body.replace("<!>", "");
    for expected in [
        "Found 2 working secrets and 1 working token.",
        "1 secret is not known here",
        "Revoke all 2",
        "<b>live access token</b>, which works until",
        "Contains only the client ID.",
        "192.0.2.1",
        owner.credential.client_id.as_str(),
        other.credential.client_id.as_str(),
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(text(&answer.body).contains("http://localhost:8080/mcp"));
    for leaked in [secret(&owner), secret(&other), unknown.expose(), token.as_str()] {
        assert!(!answer.body.contains(leaked), "nothing of it is sent back");
    }
    let ids = format!("{} {}", owner.credential.client_id, other.credential.client_id);
    let fields = [("client_ids", ids.as_str()), ("reason", "Leaked")];
    let answer = browser.submit("/leaks", "/fn/revoke_credentials", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    for (generated, works) in [(&owner, false), (&other, false), (&bystander, true)] {
        assert_eq!(exchanges(&app, generated).await, works);
    }
    let again = browser.submit("/leaks", "/leaks", &[("text", secret(&owner))]).await;
    assert!(again.body.contains("which no longer works") && again.body.contains("Generate a replacement"));
    let nothing = browser.submit("/leaks", "/leaks", &[("text", "nothing")]).await.body;
    assert!(nothing.contains("No Countersign secret, token or client ID found.") && !nothing.contains("<details"));
    let cut = browser.submit("/leaks", "/leaks", &[("text", &secret(&owner)[..40])]).await.body;
    assert!(cut.contains("1 text looks like a Countersign secret that is cut off"), "{cut}");
    assert!(!cut.contains(&secret(&owner)[4..40]), "the text is not sent back");
    let blank = browser.submit("/leaks", "/leaks", &[("text", " ")]).await;
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(blank.body.contains("id=\"text-error\"") && blank.body.contains("Find credential"), "{}", blank.body);
}

#[tokio::test]
async fn the_use_of_a_leaked_credential_is_shown_by_address_and_period() {
    let app = App::new().await;
    let (owner, _) = app.access_token(&["mcp:read"]).await;
    app.instance.clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert!(exchanges(&app, &owner).await);
    let browser = app.signed_in().await;
    let page = browser.submit("/leaks", "/leaks", &[("text", secret(&owner))]).await.body.replace("<!>", "");
    let row = page.split("<code>192.0.2.1</code>").nth(1).expect("the address").split("</tr>").next().expect("a row");
    let numbers: Vec<&str> =
        row.split("class=\"number\">").skip(1).map(|cell| cell.split('<').next().expect("a number")).collect();
    assert_eq!(numbers, ["1", "2", "2", "2"], "in 24 hours, 7, 30 and 90 days: {row}");
    assert_eq!(row.matches("<time").count(), 2, "the first and the last exchange");
}

#[tokio::test]
async fn a_viewer_learns_who_can_revoke_what_leaked() {
    let app = App::new().await;
    let owner = app.generated("nightly job", &["mcp:read"]).await;
    let role = |role| InvitedRole::Team(TeamId::first(), role);
    joined(&app, "grace@example.com", role(Role::Member)).await;
    let viewer = joined(&app, "alan@example.com", role(Role::Viewer)).await;
    let page = signed_in_as(&app, &viewer).await.submit("/leaks", "/leaks", &[("text", secret(&owner))]).await.body;
    assert!(
        page.contains("You can look at this team, not change it.") && page.contains("grace (grace@example.com)"),
        "{page}"
    );
    assert!(!page.contains("Revoke credential") && !page.contains("alan (alan"), "{page}");
}

#[tokio::test]
async fn leaked_credentials_that_work_are_listed_with_what_stops_them() {
    let reports = LeakReports { policy: Policy::Alert, github_keys: Vec::new() };
    let app = App::with_leak_reports(reports).await;
    let (owner, _) = app.access_token(&["mcp:read"]).await;
    let browser = app.signed_in().await;
    let page = browser.get("/leaks").await.body;
    assert!(page.contains("No leaked credential works."), "{page}");
    let body = json!({ "token": secret(&owner), "url": "https://example.com/paste/1" }).to_string();
    assert_eq!(reported(&app, "application/json", body).await.status, StatusCode::ACCEPTED);
    let id = owner.credential.client_id.as_str();
    let address = format!("/credentials/{id}");

    let page = browser.get("/leaks").await.body.replace("<!>", "");
    for words in [">Leaked and working<", "https://example.com/paste/1", "Default"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    for link in [format!("href=\"{address}/rotate\""), format!("href=\"{address}/revoke\"")] {
        assert!(page.contains(&link), "{link}: {page}");
    }
    assert!(!page.contains("Respond now"), "{page}");
    let elsewhere = browser.get("/teams").await.body;
    let before = elsewhere.split(">Respond now<").next().expect("a link").rsplit("<a ").next().expect("its tag");
    assert!(before.contains("href=\"/leaks\""), "{before}");
    let page = browser.get(&address).await.body.replace("<!>", "");
    let banner = page.split("and still works.").nth(1).expect("a banner").split("</div>").next().expect("its end");
    assert!(banner.contains(">Rotate secret<") && banner.contains(">Revoke<"), "{banner}");
    let secrets = browser.get(&format!("{address}?view=secrets")).await.body.replace("<!>", "");
    assert!(
        secrets.contains("<td data-label=\"State\"><span data-tone=\"danger\" class=\"chip\">Leaked<"),
        "{secrets}"
    );

    let role = |role| InvitedRole::Team(TeamId::first(), role);
    joined(&app, "grace@example.com", role(Role::Member)).await;
    let viewer = joined(&app, "alan@example.com", role(Role::Viewer)).await;
    let viewer = signed_in_as(&app, &viewer).await;
    for place in ["/leaks", &address] {
        let page = viewer.get(place).await.body.replace("<!>", "");
        assert!(page.contains("<b>grace (grace@example.com)</b>"), "{place}: {page}");
        assert!(!page.contains("/rotate\"") && !page.contains("/revoke\""), "{place}: {page}");
    }

    browser.submit(&address, "/fn/disable_credential", &[("client_id", id)]).await;
    let secrets = browser.get(&format!("{address}?view=secrets")).await.body;
    assert!(!secrets.contains(">In use<"), "{secrets}");
    browser.submit(&address, "/fn/revoke_credentials", &[("client_ids", id), ("reason", "")]).await;
    let page = browser.get(&address).await.body;
    assert!(page.contains("<dt>Revoked</dt>") && !page.contains("<dt>Expires</dt>"), "{page}");
    assert!(page.contains(">Ended<") && !page.contains(">In use<"), "{page}");
    let list = browser.get("/credentials").await.body;
    assert!(list.contains("<td class=\"expires\">Revoked <"), "{list}");
    assert!(browser.get("/leaks").await.body.contains("No leaked credential works."));
}

async fn reported(app: &App, content_type: &str, body: String) -> Answer {
    let request = Request::post("/leaks/report").header("content-type", content_type).body(Body::from(body));
    app.send(request.expect("a request")).await
}

#[tokio::test]
async fn whoever_has_a_secret_can_have_it_ended() {
    let app = App::new().await;
    let form = "application/x-www-form-urlencoded";
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let other = app.generated("other job", &["mcp:read"]).await;
    let unknown = domain::crypto::secret::PlainSecret::generate(&domain::base::random::SystemRandom);
    let mut answers = Vec::new();
    for text in [unknown.expose(), "css_nonsense", secret(&owner), secret(&owner)] {
        answers.push(reported(&app, form, format!("token={text}")).await.fingerprint());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answer is the same whatever it was");
    assert_eq!(answers[0].0, StatusCode::ACCEPTED);
    assert!(!exchanges(&app, &owner).await);
    assert!(
        domain::token::verify::verify(&app.instance.context, &token, "http://localhost:8080/mcp", None).await.is_err()
    );
    let (credential, status) = now_is(&app, &owner).await;
    assert_eq!((status, credential.revoked_at), (Status::Expired, None), "a new secret can be made for it");

    let body = json!({ "token": secret(&other), "url": "https://example.com/paste/1" }).to_string();
    assert_eq!(reported(&app, "application/json", body).await.status, StatusCode::ACCEPTED);
    assert!(!exchanges(&app, &other).await);
    let browser = app.signed_in().await;
    let page = browser.get(&format!("/credentials/{}", other.credential.client_id)).await.body.replace("<!>", "");
    assert!(page.contains("was reported as leaked") && page.contains("https://example.com/paste/1"), "{page}");

    let (_, token) = app.access_token(&["mcp:read"]).await;
    reported(&app, form, format!("token={token}")).await;
    assert!(
        domain::token::verify::verify(&app.instance.context, &token, "http://localhost:8080/mcp", None).await.is_err()
    );

    for wrong in ["", "token=", "other=x"] {
        assert_eq!(reported(&app, form, wrong.to_owned()).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(reported(&app, "application/json", "{".to_owned()).await.status, StatusCode::BAD_REQUEST);
    let mut limited = reported(&app, form, "token=x".to_owned()).await;
    for _ in 0..60 {
        limited = reported(&app, form, "token=x".to_owned()).await;
    }
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(limited.header("retry-after"), "");
    app.instance.clock.advance(Duration::from_secs(60));
    assert_eq!(reported(&app, form, "token=x".to_owned()).await.status, StatusCode::ACCEPTED);
}

/// What GitHub sends: a signed list.
struct GitHub(EcdsaKeyPair);

impl GitHub {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("a key"))
    }

    /// The key as GitHub publishes it: PEM in JSON.
    fn published(&self) -> String {
        let prefix = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let der = [&prefix, self.0.public_key().as_ref()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        json!({ "public_keys": [{ "key_identifier": "current", "key": pem, "is_current": true }] }).to_string()
    }

    async fn report(&self, app: &App, name: &str, body: &str) -> Answer {
        let signature = self.0.sign(&SystemRandom::new(), body.as_bytes()).expect("signs");
        let request = Request::post("/leaks/github")
            .header("content-type", "application/json")
            .header("github-public-key-identifier", name)
            .header("github-public-key-signature", STANDARD.encode(signature.as_ref()));
        app.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }
}

#[tokio::test]
async fn github_reports_what_it_found_signed() {
    let github = GitHub::new();
    let github_keys = read_github_keys(&github.published()).expect("keys");
    let app = App::with_leak_reports(LeakReports { policy: Policy::Revoke, github_keys }).await;
    let owner = app.generated("job", &["mcp:read"]).await;
    let unknown = domain::crypto::secret::PlainSecret::generate(&domain::base::random::SystemRandom);
    let find = |token: &str| json!({ "token": token, "type": "countersign_client_secret", "url": "https://github.com/a/b/blob/c/.env", "source": "content" });
    let body = json!([find(secret(&owner)), find(unknown.expose())]).to_string();
    assert_eq!(github.report(&app, "unknown", &body).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(GitHub::new().report(&app, "current", &body).await.status, StatusCode::UNAUTHORIZED);
    let unsigned = Request::post("/leaks/github").body(Body::from(body.clone())).expect("a request");
    assert_eq!(app.send(unsigned).await.status, StatusCode::UNAUTHORIZED);
    assert!(exchanges(&app, &owner).await, "nothing was done without a signature");
    assert_eq!(github.report(&app, "current", "{}").await.status, StatusCode::BAD_REQUEST);

    let answer = github.report(&app, "current", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let labels: Vec<(String, String)> = answer
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|label: &Value| {
            let text = |name: &str| label[name].as_str().expect("text").to_owned();
            (text("token_hash"), text("label"))
        })
        .collect();
    let hash = |token: &str| STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()));
    assert_eq!(
        labels,
        [(hash(secret(&owner)), "true_positive".to_owned()), (hash(unknown.expose()), "false_positive".to_owned())]
    );
    assert!(!answer.body.contains(secret(&owner)));
    assert!(!exchanges(&app, &owner).await);
    assert_eq!(
        App::new().await.send(Request::post("/leaks/github").body(Body::empty()).expect("a request")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_place_of_a_find_does_not_keep_what_was_found() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let url = format!("https://h.example/cb?client_secret={}&access_token={token}", secret(&owner));
    for found in [secret(&owner), token.as_str()] {
        let body = json!({ "token": found, "url": url }).to_string();
        assert_eq!(reported(&app, "application/json", body).await.status, StatusCode::ACCEPTED);
    }
    let entries = domain::audit::list(
        &app.instance.context,
        &Authority::Everything,
        &domain::model::audit::Filter::default(),
        50,
    )
    .await
    .expect("lists");
    assert_eq!(entries.iter().filter(|entry| entry.action == "credential.leaked").count(), 2);
    for entry in entries {
        assert!(!entry.details.contains(secret(&owner)) && !entry.details.contains(&token), "{}", entry.details);
    }
    let verdict = domain::token::verify::verify(&app.instance.context, &token, "http://localhost:8080/mcp", None).await;
    assert!(verdict.is_ok(), "people decide about tokens too");
}

#[tokio::test]
async fn where_people_decide_a_report_ends_nothing() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await;
    let owner = app.generated("job", &["mcp:read"]).await;
    for _ in 0..2 {
        let answer = reported(&app, "application/x-www-form-urlencoded", format!("token={}", secret(&owner))).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    assert!(exchanges(&app, &owner).await);
    let browser = app.signed_in().await;
    let page = browser.get(&format!("/credentials/{}", owner.credential.client_id)).await.body.replace("<!>", "");
    assert!(page.contains("and still works.") && page.contains("Rotate or revoke the credential now."), "{page}");
}

/// The details of the entries about leaked credentials.
async fn leaked(app: &App) -> Vec<Value> {
    let filter = Filter { action: Some("credential.leaked".to_owned()), ..Filter::default() };
    let entries = domain::audit::list(&app.instance.context, &Authority::Everything, &filter, 200).await;
    entries.expect("lists").iter().map(|entry| serde_json::from_str(&entry.details).expect("JSON")).collect()
}

/// Access tokens of this credential.
async fn tokens(app: &App, owner: &Generated, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        let answer = app.token(&[("authorization", &basic(owner))], "grant_type=client_credentials").await;
        tokens.push(answer.json()["access_token"].as_str().expect("a token").to_owned());
    }
    tokens
}

#[tokio::test]
async fn a_token_that_was_reported_says_nothing_new_and_a_credential_gets_one_entry() {
    for policy in [Policy::Alert, Policy::Revoke] {
        let app = App::with_leak_reports(LeakReports { policy, github_keys: Vec::new() }).await;
        let owner = app.generated("job", &["mcp:read"]).await;
        let tokens = tokens(&app, &owner, 12).await;
        let report = async |text: &str| {
            let answer = reported(&app, "application/json", json!({ "token": text }).to_string()).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
        };
        for _ in 0..3 {
            report(&tokens[0]).await;
        }
        let found = leaked(&app).await;
        assert_eq!(found.len(), 1, "{policy:?}: {found:?}");
        // What is known already is not told again; all that is new is in one entry.
        report(&format!("{} {}", tokens.join(" "), secret(&owner))).await;
        report(&tokens.join(" ")).await;
        let found = leaked(&app).await;
        assert_eq!(found.len(), 2, "{policy:?}: {found:?}");
        assert_eq!(found[0]["tokens"].as_array().map(Vec::len), Some(11), "{policy:?}: {found:?}");
        assert!(found[0]["secret"].is_string() && found[0]["secrets"].is_null(), "{found:?}");
        assert_eq!(found[0]["revoked"], json!(policy == Policy::Revoke));
        assert_eq!(exchanges(&app, &owner).await, policy == Policy::Alert);
    }
}

#[tokio::test]
async fn a_report_handles_fifty_secrets_and_tokens_and_says_that_there_were_more() {
    let app = App::new().await;
    let owner = app.generated("job", &["mcp:read"]).await;
    let random = domain::base::random::SystemRandom;
    let unknown: Vec<String> =
        (0..49).map(|_| domain::crypto::secret::PlainSecret::generate(&random).expose().to_owned()).collect();
    let report = async |text: String| reported(&app, "application/json", json!({ "token": text }).to_string()).await;
    // The owner's is the fiftieth, then the fifty-first.
    let answer = report(format!("{} {}", unknown.join(" "), secret(&owner))).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
    assert!(!exchanges(&app, &owner).await);
    let other = app.generated("other", &["mcp:read"]).await;
    let more = domain::crypto::secret::PlainSecret::generate(&random);
    let answer = report(format!("{} {} {}", unknown.join(" "), more.expose(), secret(&other))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(answer.json()["more"].is_string(), "{}", answer.body);
    assert!(exchanges(&app, &other).await);
}

#[tokio::test]
async fn no_page_of_another_site_spends_the_reports_of_its_visitors() {
    let app = App::new().await;
    let post = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Body::from("{\"token\":\"x\"}")).expect("a request")).await.status.as_u16()
    };
    for _ in 0..61 {
        assert_eq!(post("/leaks/report", &[("content-type", "text/plain")]).await, 415);
        assert_eq!(post("/leaks/report", &[]).await, 415);
        assert_eq!(post("/mcp/oauth/register", &[("content-type", "text/plain")]).await, 415);
        assert_eq!(post("/mcp/oauth/register", &[("content-type", "application/x-www-form-urlencoded")]).await, 415);
        for media_type in ["application/x-www-form-urlencoded", "application/json"] {
            let other = [("content-type", media_type), ("sec-fetch-site", "cross-site")];
            assert_eq!(post("/leaks/report", &other).await, 403);
            let other = [("content-type", media_type), ("origin", "https://evil.example")];
            assert_eq!(post("/leaks/report", &other).await, 403);
        }
    }
    assert_eq!(post("/leaks/report", &[("content-type", "Application/JSON; charset=utf-8")]).await, 202);
    // A page of any origin may register its program.
    let page =
        [("content-type", "application/json"), ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(post("/mcp/oauth/register", &page).await, 400);
}
