//! Webhooks: made in the browser, tried against a real receiver.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::model::webhook::Webhook;
use domain::testing::Instance;
use domain::webhook;
use domain::webhook::outbox::enqueue;
use domain::webhook::sender::attempt_due;
use server::egress::policy::PrivateHosts;
use server::egress::ports::Outbound;
use server::state::AppState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{self, Answer, App, Browser, PASSWORD, between, form_token};

const LIST: &str = "/settings/webhooks";
const NEW: &str = "/settings/webhooks/new";

/// An application that really sends, to these hosts also by http and on this machine.
async fn app(private: &[&str]) -> App {
    let mut instance = Instance::new().await;
    let webhooks = private.iter().map(|host| (*host).to_owned()).collect();
    instance.context.post = Arc::new(Outbound::new(PrivateHosts { webhooks, ..PrivateHosts::default() }));
    let router = support::router(AppState::new(instance.context.clone(), Vec::new(), Vec::new()));
    App { instance, router }
}

/// A receiver on this machine that keeps what it gets.
struct Receiver {
    host: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Answers with these lines of status and headers, one after the other, and then with 204.
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            let mut answers = answers.iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = String::new();
                while !is_complete(&request) {
                    let mut bytes = [0; 4096];
                    let length = stream.read(&mut bytes).await.expect("a request");
                    assert!(length > 0, "it ended early: {request}");
                    request += std::str::from_utf8(&bytes[..length]).expect("text");
                }
                kept.lock().expect("a lock").push(request);
                let answer = answers.next().copied().unwrap_or("204 No Content\r\n");
                let answer = format!("HTTP/1.1 {answer}content-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.expect("answers");
            }
        });
        Self { host, received }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.received.lock().expect("a lock"))
    }
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.expect("a length").parse::<usize>().expect("a number")
}

async fn add(browser: &Browser<'_>, url: &str) -> Answer {
    let fields =
        [("name", "On-call"), ("url", url), ("event", "credential.generated"), ("event", "credential.revoked")];
    browser.submit(NEW, NEW, &fields).await
}

async fn only(app: &App) -> Webhook {
    let mut all = webhook::list(&app.instance.context).await.expect("lists");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn signing_secret(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let secret = format!("whsec_{}", between(&answer.body, "value=\"whsec_", "\""));
    assert_eq!(secret.len(), "whsec_".len() + 44);
    secret
}

#[tokio::test]
async fn a_signing_secret_is_shown_once() {
    let app = app(&[]).await;
    let browser = app.signed_in().await;
    let empty = browser.get(LIST).await;
    assert!(empty.body.contains("No webhooks yet.") && empty.body.contains("Add a webhook"), "{}", empty.body);
    assert_eq!(browser.get(NEW).await.body.matches(" checked").count(), 10, "all events are ticked");

    let wrong = browser.submit(NEW, NEW, &[("name", ""), ("url", "http://alerts.example.com/kept")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for expected in ["Enter a name", "Use https", "Choose at least one event", "http://alerts.example.com/kept"] {
        assert!(wrong.body.contains(expected), "{expected}: {}", wrong.body);
    }

    let token = form_token(&browser.get(NEW).await.body);
    let url = "https://alerts.example.com/hook";
    let fields = [("form_token", token.as_str()), ("name", "On-call"), ("url", url), ("event", "credential.revoked")];
    let shown = browser.post(NEW, &fields).await;
    let secret = signing_secret(&shown);
    assert_eq!((shown.header("cache-control"), shown.header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(shown.body.contains("Save your signing secret"));
    let again = browser.post(NEW, &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let added = only(&app).await;
    let address = format!("{LIST}/{}", added.id);
    for page in [LIST, &address, &format!("{address}/edit"), &format!("{address}/remove"), "/activity", "/settings"] {
        let answer = browser.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(!answer.body.contains(&secret) && !again.body.contains(&secret), "{page}");
    }
    assert!(browser.get(LIST).await.body.contains("alerts.example.com"));
    assert!(browser.get(&format!("{LIST}/whk_0000000000000000000000")).await.status == StatusCode::NOT_FOUND);

    let page = format!("{address}/secret");
    let token = form_token(&browser.get(&page).await.body);
    let replaced = browser.post(&page, &[("form_token", &token)]).await;
    assert!(replaced.body.contains("Save your new signing secret"));
    assert_ne!(signing_secret(&replaced), secret);
    assert_eq!(browser.post(&page, &[("form_token", &token)]).await.status, StatusCode::CONFLICT);
    assert!(browser.get(&address).await.body.contains("Previous secret signs until"));
}

#[tokio::test]
async fn a_test_says_what_the_receiver_answered() {
    let receiver = Receiver::start(&[
        "202 Accepted\r\n",
        "302 Found\r\nlocation: /elsewhere\r\n",
        "500 Oops\r\n",
        "204 No Content\r\n",
    ])
    .await;
    let app = app(&[&receiver.host]).await;
    let browser = app.signed_in().await;
    let secret = signing_secret(&add(&browser, &format!("http://{}/hook", receiver.host)).await);
    let webhook = only(&app).await;
    let address = format!("{LIST}/{}", webhook.id);
    let id = webhook.id.to_string();
    let test = async || {
        let answer = browser.submit(&address, "/fn/test_webhook", &[("id", &id)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser.get(answer.header("location")).await.body.replace("<!>", "")
    };
    let page = test().await;
    assert!(page.contains("Test delivered. Receiver returned 202."), "{page}");
    let request = receiver.take().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let header = |name: &str| between(head, &format!("\r\n{name}: "), "\r\n").to_owned();
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n") && header("content-type") == "application/json");
    assert!(body.contains(r#""type":"webhook.test""#), "{body}");

    let page = test().await;
    assert!(
        page.contains("The test was not delivered") && page.contains("Receiver returned 302. Redirects are not"),
        "{page}"
    );
    let page = test().await;
    assert!(page.contains("Receiver returned 500.") && page.contains("No message has arrived since"), "{page}");
    assert_eq!(receiver.take().len(), 2, "nothing was followed or repeated");
    assert!(browser.get(LIST).await.body.contains("Failing"));

    app.generated("job", &["mcp:read"]).await;
    enqueue(&app.instance.context).await.expect("collects");
    assert!(attempt_due(&app.instance.context, &webhook.id).await.expect("sends"));
    let page = browser.get(&address).await.body.replace("<!>", "");
    assert!(page.contains("credential.generated") && page.contains("Delivered"), "{page}");
    assert!(!page.contains("No message has arrived since"));
    let first = receiver.take().remove(0);
    let delivery = webhook::deliveries(&app.instance.context, &webhook.id, 1).await.expect("lists").remove(0);
    let fields = [("id", id.as_str()), ("delivery", delivery.id.as_str())];
    let again = browser.submit(&address, "/fn/send_delivery_again", &fields).await;
    assert_eq!(again.header("location"), format!("{address}?done=again"));
    attempt_due(&app.instance.context, &webhook.id).await.expect("sends");
    assert_eq!(receiver.take(), [first], "the same once more");
}

#[tokio::test]
async fn nothing_is_sent_where_the_operator_did_not_allow_it() {
    let receiver = Receiver::start(&[]).await;
    let app = app(&["another.internal"]).await;
    let browser = app.signed_in().await;
    let port = receiver.host.rsplit(':').next().expect("a port");
    for url in [
        format!("http://{}/", receiver.host),
        format!("https://{}/", receiver.host),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://user:password@alerts.example.com:{port}/"),
        "https://alerts.example.com/#part".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let answer = add(&browser, &url).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
    }
    // A name gives away nothing before it is looked up.
    signing_secret(&add(&browser, &format!("https://localhost:{port}/")).await);
    let webhook = only(&app).await;
    let address = format!("{LIST}/{}", webhook.id);
    let answer = browser.submit(&address, "/fn/test_webhook", &[("id", webhook.id.as_str())]).await;
    let page = browser.get(answer.header("location")).await.body;
    assert!(page.contains("Its address is not public; list the host in private_webhooks to allow it."), "{page}");
    assert!(receiver.take().is_empty());
}

#[tokio::test]
async fn what_tells_somebody_else_asks_for_the_password_again() {
    let app = app(&[]).await;
    let browser = app.signed_in().await;
    let url = "https://alerts.example.com/hook";
    signing_secret(&add(&browser, url).await);
    let webhook = only(&app).await;
    let address = format!("{LIST}/{}", webhook.id);
    let (edit, secret) = (format!("{address}/edit"), format!("{address}/secret"));
    let asks = |answer: &Answer| {
        answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.body.contains(r#"name="your_password""#)
    };
    let late = async || app.instance.clock.advance(Duration::from_secs(301));
    late().await;
    assert!(asks(&add(&browser, "https://other.example.com").await));
    assert!(asks(&browser.submit(&secret, &secret, &[("your_password", "wrong")]).await));
    let fields = |name: &'static str, url: &'static str| [("name", name), ("url", url), ("event", "credential.leaked")];
    let renamed = browser.submit(&edit, &edit, &fields("Renamed", url)).await;
    assert_eq!(renamed.header("location"), format!("{address}?done=saved"), "{}", renamed.body);
    let moved = fields("Renamed", "https://elsewhere.example.com/");
    assert!(asks(&browser.submit(&edit, &edit, &moved).await));
    assert_eq!(only(&app).await.host, "alerts.example.com");
    let with_password = [&moved[..], &[("your_password", PASSWORD)]].concat();
    assert_eq!(browser.submit(&edit, &edit, &with_password).await.status, StatusCode::SEE_OTHER);
    assert_eq!(only(&app).await.host, "elsewhere.example.com");
    late().await;
    signing_secret(&browser.submit(&secret, &secret, &[("your_password", PASSWORD)]).await);

    // Stopping does not wait for a password.
    late().await;
    let id = webhook.id.as_str();
    for (function, done) in [("pause", "paused"), ("resume", "resumed"), ("pause", "paused")] {
        let answer = browser.submit(&address, &format!("/fn/{function}_webhook"), &[("id", id)]).await;
        assert_eq!(answer.header("location"), format!("{address}?done={done}"));
    }
    assert!(browser.get(&address).await.body.contains("while the webhook is paused are never sent"));
    let answer = browser.submit(&format!("{address}/remove"), "/fn/remove_webhook", &[("id", id)]).await;
    assert!(answer.header("location").starts_with("/settings/webhooks?done=removed&of="));
    assert_eq!(browser.get(&address).await.status, StatusCode::NOT_FOUND);
    let answer = browser.submit("/account", "/fn/test_webhook", &[("id", id)]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let log = browser.get("/activity").await.body;
    for words in ["Webhook added", "Webhook changed", "Webhook paused", "Webhook resumed", "Webhook removed"] {
        assert!(log.contains(words), "{words}");
    }
}
