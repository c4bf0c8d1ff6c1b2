//! Tokens as people meet them: testing a credential, looking up a token, revoking one, and who gave a client access.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use domain::audit;
use domain::base::id::{ClientId, TeamId};
use domain::credential::generate::generate;
use domain::credential::{disable, revoke};
use domain::model::audit::Filter;
use domain::model::credential::draft::Draft;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::ports::{Answer as PortAnswer, McpAnswer, McpConnection, McpRequest};
use domain::model::server::ScopeDescription;
use domain::server::{ServerDraft, add as add_server};
use domain::testing::Instance;
use serde_json::{Value, json};
use server::state::AppState;

use crate::interactive::{granted, is_accepted, registered};
use crate::personal_tokens::generated as personal_token;
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{self, App, Browser, basic, between, form_token};

/// An MCP server in place of the network. It gives these answers in turn, and keeps what it was sent.
#[derive(Default)]
struct FakeMcp {
    answers: Mutex<VecDeque<Result<McpAnswer, String>>>,
    asked: Mutex<Vec<(&'static str, String, Option<String>)>>,
}

impl FakeMcp {
    fn will_answer(&self, answers: impl IntoIterator<Item = Result<McpAnswer, String>>) {
        *self.answers.lock().expect("a lock") = answers.into_iter().collect();
        self.asked.lock().expect("a lock").clear();
    }
}

impl McpConnection for FakeMcp {
    fn call<'call>(&'call self, request: &'call McpRequest) -> PortAnswer<'call, McpAnswer> {
        let bearer = request.header.as_ref().and_then(|(_, value)| value.strip_prefix("Bearer "));
        let asked = (request.method, bearer.unwrap_or_default().to_owned(), request.session.clone());
        self.asked.lock().expect("a lock").push(asked);
        let answer = self.answers.lock().expect("a lock").pop_front();
        Box::pin(async { answer.unwrap_or_else(|| Err("nothing more".to_owned())) })
    }
}

fn answer(status: u16, message: Value) -> Result<McpAnswer, String> {
    let message = Some(message).filter(|message| !message.is_null());
    Ok(McpAnswer { status, challenge: None, session: Some("s1".to_owned()), message })
}

fn greeting() -> Result<McpAnswer, String> {
    let result = json!({ "protocolVersion": "2025-06-18", "serverInfo": { "name": "docs", "version": "3" } });
    answer(200, json!({ "id": 1, "result": result }))
}

/// An instance with another MCP server, and a credential for it.
async fn with_docs(mcp: &Arc<FakeMcp>) -> (App, ClientId, String) {
    let instance = Instance::new().await;
    let state = AppState::new(instance.context.clone(), Vec::new(), Vec::new());
    let router = support::router(state.with_mcp_servers(Arc::clone(mcp) as Arc<dyn McpConnection>));
    let app = App { instance, router };
    let context = &app.instance.context;
    let scopes =
        vec![ScopeDescription { name: "docs:read".to_owned(), description: "Read.".to_owned(), implies: Vec::new() }];
    let resource = "https://docs.example/mcp".to_owned();
    let draft = ServerDraft { name: "Docs".to_owned(), resource, scopes, ..ServerDraft::default() };
    let docs = add_server(context, &operator(), &draft).await.expect("added");
    let draft = Draft { name: "reader".to_owned(), servers: vec![docs.resource], ..Draft::default() };
    let generated = generate(context, &operator(), &draft, None).await.expect("generates");
    let secret = generated.secret.expect("a secret").expose().to_owned();
    (app, generated.credential.client_id, secret)
}

#[tokio::test]
async fn a_test_on_the_page_that_shows_a_secret_does_not_lose_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let shown = browser.submit("/credentials/new", "/credentials/new", &[("name", "nightly")]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    let secret = between(&shown.body, "name=\"client_secret\" value=\"", "\"").to_owned();
    let id = between(&shown.body, "action=\"/credentials/csc_", "/test");
    let path = format!("/credentials/csc_{id}/test");
    let token = form_token(&shown.body);
    let fields = [("form_token", token.as_str()), ("client_secret", secret.as_str()), ("occasion", "generated")];
    // It can be repeated.
    for _ in 0..2 {
        let tested = browser.post(&path, &fields).await;
        assert_eq!((tested.status, tested.header("cache-control")), (StatusCode::OK, "no-store"));
        assert_eq!(tested.header("referrer-policy"), "no-referrer");
        for words in
            ["Save your client secret", "It works", "The token was issued", "2025-11-25", "whoami", "in 10 minutes"]
        {
            assert!(tested.body.contains(words), "{words}: {}", tested.body);
        }
        assert_eq!(between(&tested.body, "name=\"client_secret\" value=\"", "\""), secret);
        assert!(!tested.body.contains("eyJhbGci"), "the token is not shown");
    }
    let page = browser.get(&format!("/credentials/csc_{id}")).await.body;
    assert!(page.contains("Test now, by Ada Lovelace") && !page.contains(&secret), "{page}");
    // A form of an earlier session shows the secret again, and does nothing.
    let stale = browser.post(&path, &[&[("form_token", "x.y")], &fields[1..]].concat()).await;
    assert!(stale.body.contains(&secret) && stale.body.contains("was not tested"), "{}", stale.body);
    assert!(!stale.body.contains("The token was issued"));
}

#[tokio::test]
async fn a_test_says_why_no_token_was_issued() {
    let mcp = Arc::new(FakeMcp::default());
    let (app, id, secret) = with_docs(&mcp).await;
    let browser = app.signed_in().await;
    let path = format!("/credentials/{id}/test");
    let empty = browser.submit(&path, &path, &[("client_secret", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(empty.body.contains("Paste the secret."), "{}", empty.body);
    let other = app.generated("other", &[]).await.secret.expect("a secret").expose().to_owned();
    for wrong in [other.as_str(), "not a secret", "css_\u{1}"] {
        let tested = browser.submit(&path, &path, &[("client_secret", wrong)]).await;
        assert_eq!(tested.status, StatusCode::OK);
        assert!(tested.body.contains("No token was issued."), "{wrong}: {}", tested.body);
        assert!(tested.body.contains("was not called, because there is no token") && !tested.body.contains(wrong));
    }
    let refused = browser.submit(&path, &path, &[("client_secret", &other)]).await;
    assert!(refused.body.contains("The secret is not one of this credential."), "{}", refused.body);
    disable::disable(&app.instance.context, &operator(), &id).await.expect("disabled");
    let refused = browser.submit(&path, &path, &[("client_secret", &secret)]).await;
    assert!(refused.body.contains("The credential is disabled."), "{}", refused.body);
    assert!(mcp.asked.lock().expect("a lock").is_empty(), "no server is called without a token");
    app.instance.context.refusals.flush().await;
    let page = browser.get(&format!("/credentials/{id}?view=usage")).await.body;
    assert!(page.contains("Tried while disabled") && page.contains("Wrong secret"), "refusals are counted: {page}");
}

#[tokio::test]
async fn a_test_says_what_the_mcp_server_answered() {
    let mcp = Arc::new(FakeMcp::default());
    let (app, id, secret) = with_docs(&mcp).await;
    let browser = app.signed_in().await;
    let path = format!("/credentials/{id}/test");
    let test = async || browser.submit(&path, &path, &[("client_secret", &secret)]).await.body;
    let tools = json!({ "id": 2, "result": { "tools": [{ "name": "search" }, { "name": "read" }] } });
    mcp.will_answer([greeting(), answer(202, Value::Null), answer(200, tools.clone())]);
    let page = test().await;
    for words in ["It works", "docs 3", "2025-06-18", "2 tools", "search", "https://docs.example/mcp"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let asked = mcp.asked.lock().expect("a lock").clone();
    let methods: Vec<_> = asked.iter().map(|(method, _, session)| (*method, session.as_deref())).collect();
    assert_eq!(methods, [("initialize", None), ("notifications/initialized", Some("s1")), ("tools/list", Some("s1"))]);
    assert!(asked.iter().all(|(_, token, _)| token.starts_with("eyJ") && !page.contains(token.as_str())));

    let demanding = McpAnswer {
        status: 403,
        challenge: Some("Bearer error=\"insufficient_scope\", scope=\"docs:write\"".to_owned()),
        session: None,
        message: None,
    };
    for (first, words) in [
        (Err("its address is not public".to_owned()), "its address is not public. The program may reach it"),
        (answer(401, Value::Null), "answered 401: it does not accept the token. Check that it trusts the issuer"),
        (Ok(demanding), "It demands docs:write."),
        (answer(302, Value::Null), "a redirect, which Countersign does not follow"),
        (answer(404, Value::Null), "has no MCP endpoint at this address"),
        (answer(503, Value::Null), "answered 503: it failed itself"),
        (answer(200, json!({ "hello": "world" })), "not with a message of the protocol"),
        (answer(200, Value::Null), "not with a message of the protocol"),
    ] {
        mcp.will_answer([first]);
        let page = test().await;
        assert!(page.contains("The token was issued") && page.contains(words), "{words}: {page}");
        assert!(page.contains("It does not work yet"), "{page}");
    }
    // A server without sessions is asked in the way of later versions.
    let unknown = answer(400, json!({ "id": 1, "error": { "code": -32601, "message": "no such method" } }));
    let discovered = answer(200, json!({ "id": 2, "result": { "serverInfo": { "name": "new" } } }));
    mcp.will_answer([unknown, discovered, answer(200, tools)]);
    let page = test().await;
    assert!(page.contains("It works") && page.contains("2026-07-28"), "{page}");
}

#[tokio::test]
async fn only_administrators_read_why_no_mcp_server_answers() {
    let mcp = Arc::new(FakeMcp::default());
    let (app, id, secret) = with_docs(&mcp).await;
    let member = joined(&app, "mia@example.com", InvitedRole::Team(TeamId::first(), Role::Manager)).await;
    let (member, administrator) = (signed_in_as(&app, &member).await, app.signed_in().await);
    let path = format!("/credentials/{id}/test");
    let test = async |browser: &Browser<'_>, answers: Vec<Result<McpAnswer, String>>| {
        mcp.will_answer(answers);
        browser.submit(&path, &path, &[("client_secret", &secret)]).await.body
    };
    let late = || Err("no answer in time".to_owned());
    let case = |number: u8| match number {
        0 => (vec![Err("cannot be reached: Connection refused".to_owned())], "Connection refused"),
        1 => (vec![answer(302, Value::Null)], "answered 302"),
        2 => (vec![answer(404, Value::Null)], "no MCP endpoint"),
        3 => (vec![answer(503, Value::Null)], "answered 503"),
        4 => (vec![answer(200, Value::Null)], "not with a message of the protocol"),
        _ => (vec![greeting(), answer(202, Value::Null), late()], "no answer in time"),
    };
    for ((answers, cause), (same, _)) in (0..6).map(|number| (case(number), case(number))) {
        let told = test(&administrator, answers).await;
        assert!(told.contains(cause) && !told.contains("An administrator can read why"), "{cause}: {told}");
        let told = test(&member, same).await;
        for words in ["The token was issued", "did not answer as an MCP server. An administrator can read why on"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(told.contains("href=\"/servers/srv_") && !told.contains(cause), "{cause}: {told}");
    }
    // What the server says about the token helps everybody.
    let refused = test(&member, vec![answer(401, Value::Null)]).await;
    assert!(refused.contains("answered 401: it does not accept the token."), "{refused}");
}

#[tokio::test]
async fn tests_are_limited() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = app.generated("job", &[]).await.credential.client_id;
    let path = format!("/credentials/{id}/test");
    let token = form_token(&browser.get(&path).await.body);
    let fields = [("form_token", token.as_str()), ("client_secret", "x")];
    for _ in 0..30 {
        assert_eq!(browser.post(&path, &fields).await.status, StatusCode::OK);
    }
    let limited = browser.post(&path, &fields).await;
    assert_eq!(limited.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(limited.body.contains("There were too many tests. Wait"), "{}", limited.body);
}

#[tokio::test]
async fn a_token_is_looked_up_and_never_shown() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (generated, token) = app.access_token(&["mcp:read"]).await;
    let id = &generated.credential.client_id;
    let look_up = async |text: &str| {
        let answer = browser.submit("/tokens", "/tokens", &[("token", text)]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"), "{}", answer.body);
        assert!(!answer.body.contains(text.trim()), "{}", answer.body);
        answer.body
    };
    let hint = generated.secret.as_ref().expect("a secret").hint();
    let live = look_up(&format!(" Bearer {token}\n")).await;
    for words in ["Accepted", &format!("/credentials/{id}"), &format!("css_…{hint}"), "mcp:read", "ES256", "192.0.2.1"]
    {
        assert!(live.contains(words), "{words}: {live}");
    }
    assert!(live.contains("/fn/revoke_token"), "{live}");

    let personal = personal_token(&browser, &[]).await;
    let page = look_up(&personal).await;
    assert!(page.contains("a personal token of Ada Lovelace") && page.contains("/fn/revoke_personal_token"), "{page}");

    let context = &app.instance.context;
    disable::disable(context, &operator(), id).await.expect("disabled");
    let disabled = look_up(&token).await;
    assert!(disabled.contains("Its credential is disabled.") && disabled.contains("21 Nov, 09:00"), "{disabled}");
    disable::enable(context, &operator(), id).await.expect("enabled");
    app.instance.clock.advance(Duration::from_secs(60));
    revoke::revoke(context, &operator(), id, "leaked on a wiki").await.expect("revoked");
    app.instance.clock.advance(Duration::from_secs(900));
    let revoked = look_up(&token).await;
    for words in ["Not accepted", "Its credential was revoked. Reason: leaked on a wiki.", "21 Nov, 09:01"] {
        assert!(revoked.contains(words), "{words}: {revoked}");
    }
    assert!(!revoked.contains("/fn/revoke_token"), "{revoked}");

    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    assert!(look_up(&forged).await.contains("no present key verifies its signature"));
    // {"alg":"RS256"}.{"iss":"https://other.example","exp":1795255200}.x
    let foreign = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUiLCJleHAiOjE3OTUyNTUyMDB9.eA";
    let page = look_up(foreign).await;
    assert!(page.contains("Another issuer signed it.") && page.contains("https://other.example"), "{page}");
    let secret = generated.secret.as_ref().expect("a secret").expose();
    assert!(look_up(secret).await.contains("This is a client secret, not a token."));
    assert!(look_up("nothing").await.contains("This is not a token"));
    let empty = browser.submit("/tokens", "/tokens", &[("token", "")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn only_those_who_see_the_owner_learn_whose_a_token_is() {
    let app = App::new().await;
    let ada = app.signed_in().await;
    let (generated, token) = app.access_token(&["mcp:read"]).await;
    let client = registered(&app).await;
    let (of_app, _) = granted(&app, &ada, &client).await;
    let personal = personal_token(&ada, &[]).await;
    let team = new_team(&app, "Elsewhere").await;
    let eve = joined(&app, "eve@example.com", InvitedRole::Team(team, Role::Manager)).await;
    let eve = signed_in_as(&app, &eve).await;
    let look_up = async |text: &str| eve.submit("/tokens", "/tokens", &[("token", text)]).await.body;
    for (text, words) in
        [(&token, "A credential of a team you are not in"), (&of_app, "Another person"), (&personal, "Another person")]
    {
        let page = look_up(text).await;
        assert!(page.contains(words) && page.contains("Accepted"), "{words}: {page}");
        assert!(!page.contains("/fn/revoke") && !page.contains("Ada Lovelace"), "{page}");
    }
    let id = &generated.credential.client_id;
    assert!(!look_up(&token).await.contains(id.as_str()));
    let jti = between(&look_up(&token).await, "tok_", "<").to_owned();
    let denied = eve.submit("/tokens", "/fn/revoke_token", &[("token", &format!("tok_{jti}"))]).await;
    assert_eq!(denied.status, StatusCode::NOT_FOUND);
    revoke::revoke(&app.instance.context, &operator(), id, "a secret reason").await.expect("revoked");
    let page = look_up(&token).await;
    assert!(
        page.contains("Only people who may see its owner learn why.") && !page.contains("a secret reason"),
        "{page}"
    );
}

#[tokio::test]
async fn one_live_token_is_revoked_alone() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (generated, first) = app.access_token(&["mcp:read"]).await;
    app.instance.clock.advance(Duration::from_millis(1));
    let body = "grant_type=client_credentials";
    let second = app.token(&[("authorization", &basic(&generated))], body).await.json()["access_token"].clone();
    let second = second.as_str().expect("a token");
    let path = format!("/credentials/{}", generated.credential.client_id);
    let view = format!("{path}?view=tokens");
    let page = browser.get(&view).await.body;
    assert_eq!(page.matches("/fn/revoke_token").count(), 2, "{page}");
    // The newest is first.
    let jti = format!("tok_{}", between(&page, "name=\"token\" value=\"tok_", "\""));
    let ended = browser.submit(&path, "/fn/revoke_token", &[("token", &jti)]).await;
    let next = format!("{path}?done=token-revoked&view=tokens");
    assert_eq!((ended.status, ended.header("location")), (StatusCode::SEE_OTHER, next.as_str()));
    assert_eq!((is_accepted(&app, &first).await, is_accepted(&app, second).await), (true, false));
    let page = browser.get(&next).await.body;
    assert!(page.contains("Token revoked.") && !page.contains(&jti), "{page}");
    assert_eq!(page.matches("/fn/revoke_token").count(), 1, "{page}");
    // Twice is no error, and no second entry.
    assert_eq!(browser.submit(&path, "/fn/revoke_token", &[("token", &jti)]).await.status, StatusCode::SEE_OTHER);
    let filter = Filter { action: Some("token.revoked".to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 10).await.expect("reads");
    assert_eq!(entries.len(), 1);
    assert!(entries[0].details.contains(&jti) && entries[0].actor_name == "Ada Lovelace");
    app.instance.clock.advance(Duration::from_secs(601));
    assert!(browser.get(&view).await.body.contains("No live token."));
}

#[tokio::test]
async fn live_tokens_have_pages_and_viewers_cannot_end_them() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (generated, _) = app.access_token(&["mcp:read"]).await;
    for _ in 0..50 {
        app.instance.clock.advance(Duration::from_millis(5));
        app.token(&[("authorization", &basic(&generated))], "grant_type=client_credentials").await;
    }
    let path = format!("/credentials/{}", generated.credential.client_id);
    let view = format!("{path}?view=tokens");
    let page = browser.get(&view).await.body;
    assert_eq!(page.matches("/fn/revoke_token").count(), 50);
    let next = between(&page, &format!("{path}?view=tokens&amp;tokens_before="), "\"").to_owned();
    let page = browser.get(&format!("{view}&tokens_before={next}")).await.body;
    assert_eq!(page.matches("/fn/revoke_token").count(), 1, "{page}");
    assert!(page.contains("First page"), "{page}");
    let team = generated.credential.team;
    let viewer = joined(&app, "vic@example.com", InvitedRole::Team(team, Role::Viewer)).await;
    let viewer = signed_in_as(&app, &viewer).await;
    let page = viewer.get(&view).await.body;
    assert!(page.contains("Live tokens") && !page.contains("/fn/revoke_token") && !page.contains("Test now"), "{page}");
    let jti = format!("tok_{}", between(&browser.get(&view).await.body, "value=\"tok_", "\""));
    let denied = viewer.submit(&path, "/fn/revoke_token", &[("token", &jti)]).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_client_shows_who_gave_it_access_and_ends_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = registered(&app).await;
    let path = format!("/apps/clients/{client}");
    assert!(browser.get(&path).await.body.contains("Nobody has given this client access."));
    let (access, _) = granted(&app, &browser, &client).await;
    let page = browser.get(&path).await.body;
    for words in ["Ada Lovelace", "End access", "1 consent", "by itself", "ends now: 1 consent."] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let grant = format!("gra_{}", between(&page, "value=\"gra_", "\""));
    let ended = browser.submit(&path, "/fn/end_grant", &[("grant", &grant), ("client", &client)]).await;
    assert!(ended.header("location").starts_with(&format!("{path}?done=ended&of=")));
    assert!(!is_accepted(&app, &access).await);
    assert!(browser.get(&format!("{path}?done=ended")).await.body.contains("Its tokens no longer work."));
    granted(&app, &browser, &client).await;
    let removed = browser.submit(&path, "/fn/remove_client", &[("client", &client)]).await;
    assert!(removed.header("location").starts_with("/apps/clients?done=removed&ended=1&of="));
    let list = browser.get(removed.header("location")).await.body;
    assert!(list.contains("Access that people gave it has ended: 1."), "{list}");
}
