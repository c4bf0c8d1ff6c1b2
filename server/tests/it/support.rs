//! Shorthand of the tests: an instance with its router, and a browser that keeps cookies.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::credential::generate::{Generated, generate};
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::credential::draft::Draft;
use domain::model::ports::SendMail;
use domain::model::settings::Settings;
use domain::person::{NewPerson, create_administrator};
use domain::testing::{FakeMailServer, Instance};
use futures::stream;
use http_body_util::BodyExt;
use serde_json::Value;
use server::Service;
use server::http::accept::Peer;
use server::incident::LeakReports;
use server::state::AppState;
use tokio::sync::oneshot;
use tower::ServiceExt;

pub(crate) use crate::html::{between, form_token};

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "quiet otter paints doors";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The whole server, as a router like those that tests make themselves.
pub(crate) fn router(state: AppState) -> Router {
    Router::new().fallback_service(Service::new(state))
}

pub(crate) struct App {
    pub instance: Instance,
    pub router: Router,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The words of a page, without its tags. An address on a page has tags inside: a line may break after a slash.
    pub(crate) fn words(&self) -> String {
        let pieces = self.body.split('<');
        pieces.map(|piece| piece.split_once('>').map_or(piece, |(_, words)| words)).collect()
    }

    /// The answer as two callers would compare it: everything but the date.
    pub(crate) fn fingerprint(&self) -> (StatusCode, Vec<(String, String)>, String) {
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| **name != header::DATE)
            .map(|(name, value)| (name.to_string(), format!("{value:?}")))
            .collect();
        (self.status, headers, self.body.clone())
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::trusting(&[]).await
    }

    pub(crate) async fn trusting(proxies: &[&str]) -> Self {
        Self::with(proxies, LeakReports::default()).await
    }

    pub(crate) async fn with_leak_reports(leak_reports: LeakReports) -> Self {
        Self::with(&[], leak_reports).await
    }

    /// With other settings than the usual ones.
    pub(crate) async fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        let mut instance = Instance::new().await;
        let mut settings = (*instance.context.settings).clone();
        change(&mut settings);
        instance.context.settings = Arc::new(settings);
        let router = router(AppState::new(instance.context.clone(), Vec::new(), Vec::new()));
        Self { instance, router }
    }

    /// With a mail server.
    pub(crate) async fn with_mail() -> (Self, Arc<FakeMailServer>) {
        let (mut instance, mailbox) = (Instance::new().await, Arc::<FakeMailServer>::default());
        instance.context.mail = Some(Arc::clone(&mailbox) as Arc<dyn SendMail>);
        let router = router(AppState::new(instance.context.clone(), Vec::new(), Vec::new()));
        (Self { instance, router }, mailbox)
    }

    async fn with(proxies: &[&str], leak_reports: LeakReports) -> Self {
        let instance = Instance::new().await;
        let proxies = proxies.iter().map(|range| range.parse().expect("a range")).collect();
        let state = AppState::new(instance.context.clone(), proxies, vec!["https://app.example".to_owned()]);
        let router = router(state.with_leak_reports(leak_reports));
        Self { instance, router }
    }

    /// Sends a request with a Host, from 192.0.2.1.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.headers_mut().entry(header::HOST).or_insert(header::HeaderValue::from_static("localhost:8080"));
        let peer: SocketAddr = "192.0.2.1:40000".parse().expect("an address");
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(peer));
        }
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// `POST /mcp/oauth/token` with these headers and this body.
    pub(crate) async fn token(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/mcp/oauth/token").header(header::CONTENT_TYPE, FORM);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a request")).await
    }

    pub(crate) async fn generated(&self, name: &str, scopes: &[&str]) -> Generated {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let draft = Draft { name: name.to_owned(), scopes, ..Draft::default() };
        generate(&self.instance.context, &Actor::command_line("operator"), &draft, None).await.expect("generates")
    }

    /// A token of a new credential with these scopes.
    pub(crate) async fn access_token(&self, scopes: &[&str]) -> (Generated, String) {
        let generated = self.generated("job", scopes).await;
        let answer = self.token(&[("authorization", &basic(&generated))], "grant_type=client_credentials").await;
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        (generated, token)
    }

    /// A browser in which the administrator is signed in.
    pub(crate) async fn signed_in(&self) -> Browser<'_> {
        let new = NewPerson {
            name: "Ada Lovelace".to_owned(),
            email: EMAIL.to_owned(),
            password: Password::new(PASSWORD.to_owned()),
        };
        let actor = Actor::command_line("operator");
        create_administrator(&self.instance.context, &actor, new).await.expect("an administrator");
        let browser = self.browser();
        let answer = browser.sign_in(PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        browser
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { app: self, cookies: Mutex::default() }
    }
}

/// A body that arrives after `meanwhile`, which begins when the server asks for the body or has refused the request.
pub(crate) fn slow_body(text: String, meanwhile: impl AsyncFnOnce()) -> (Body, impl Future<Output = ()>) {
    let (asked, is_asked) = oneshot::channel::<()>();
    let (done, is_done) = oneshot::channel::<()>();
    let body = Body::from_stream(stream::once(async move {
        drop(asked);
        let _ = is_done.await;
        Ok::<_, Infallible>(text)
    }));
    let meanwhile = async move {
        let _ = is_asked.await;
        meanwhile().await;
        drop(done);
    };
    (body, meanwhile)
}

/// The claims of a token, as they are in it: nothing is verified.
pub(crate) fn claims_of(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("claims")).expect("base64url");
    serde_json::from_slice(&claims).expect("JSON")
}

pub(crate) fn basic(generated: &Generated) -> String {
    basic_of(generated.credential.client_id.as_str(), generated.secret.as_ref().expect("a secret").expose())
}

pub(crate) fn basic_of(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Keeps cookies, sends what browsers send.
pub(crate) struct Browser<'app> {
    pub app: &'app App,
    pub cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser<'_> {
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<String> =
            self.cookies.lock().expect("a lock").iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().expect("cookies"));
        }
        let answer = self.app.send(request).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("ASCII");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if set.contains("Max-Age=0") || value.is_empty() {
                self.cookies.lock().expect("a lock").remove(name);
            } else {
                self.cookies.lock().expect("a lock").insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).header("accept", "text/html").body(Body::empty()).expect("a request")).await
    }

    /// Opens the page at `page`, and sends its form token with `fields` to `action`.
    pub(crate) async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = form_token(&self.get(page).await.body);
        self.post(action, &[&[("form_token", token.as_str())], fields].concat()).await
    }

    pub(crate) async fn post(&self, action: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(action, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn post_with(&self, action: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(action)
            .header(header::CONTENT_TYPE, FORM)
            .header(header::ACCEPT, "text/html");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    /// Sends a form whose body waits for `meanwhile`, which runs after the server has begun to read.
    pub(crate) async fn post_slowly(
        &self,
        action: &str,
        fields: &[(&str, &str)],
        meanwhile: impl AsyncFnOnce(),
    ) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(action)
            .header(header::CONTENT_TYPE, FORM)
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-site", "same-origin");
        let (body, meanwhile) = slow_body(body, meanwhile);
        let (answer, ()) = tokio::join!(self.send(request.body(body).expect("a request")), meanwhile);
        answer
    }

    pub(crate) async fn sign_in(&self, password: &str) -> Answer {
        self.sign_in_as(EMAIL, password).await
    }

    pub(crate) async fn sign_in_as(&self, email: &str, password: &str) -> Answer {
        self.submit("/login", "/login", &[("email", email), ("password", password)]).await
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("a lock").get(name).cloned()
    }
}

/// Asks again until there is an answer.
pub(crate) async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}
