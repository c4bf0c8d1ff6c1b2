//! MCP servers as objects that are managed: editing, archive, removal, who may call them, and the check.

use std::sync::{Arc, Mutex};

use ::server::egress::mcp::McpServers;
use ::server::state::AppState;
use axum::body::Body;
use axum::extract::Request as AnyRequest;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::base::id::{McpServerId, TeamId};
use domain::credential::generate::{Generated, generate};
use domain::credential::{disable, inspect, revoke};
use domain::model::credential::draft::Draft;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::server::callers::CallerCounts;
use domain::model::server::check::{CheckStep, StepOutcome};
use domain::model::server::{McpServer, ScopeDescription};
use domain::server::edit::{ServerEdit, edit};
use domain::server::{self, McpServerError, ServerDraft, archive, callers, check};
use domain::testing::Instance;
use serde_json::{Value, json};

use crate::interactive::{
    CALLBACK, code, error, parameter, path, query, redemption, redirect, refreshing, registered, text,
};
use crate::personal_tokens::generated as personal_token;
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{self, Answer, App, FORM, basic};

const DOCS: &str = "https://docs.example/mcp";
const GRANT: &str = "grant_type=client_credentials";

fn scopes(names: &[&str]) -> Vec<ScopeDescription> {
    let scope = |name: &&str| ScopeDescription {
        name: (*name).to_owned(),
        description: format!("Allows {name}."),
        implies: Vec::new(),
    };
    names.iter().map(scope).collect()
}

async fn docs_at(app: &App, resource: &str) -> McpServerId {
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: resource.to_owned(),
        scopes: scopes(&["docs:read", "docs:write"]),
        ..ServerDraft::default()
    };
    server::add(&app.instance.context, &operator(), &draft).await.expect("added").id
}

async fn docs(app: &App) -> McpServerId {
    docs_at(app, DOCS).await
}

async fn found(app: &App, id: &McpServerId) -> McpServer {
    server::find(&app.instance.context, id).await.expect("reads").expect("a server")
}

async fn job(app: &App, team: &TeamId, scopes: &[&str]) -> Generated {
    let draft = Draft {
        team: Some(team.clone()),
        name: "job".to_owned(),
        servers: vec![DOCS.to_owned()],
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Draft::default()
    };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates")
}

async fn exchange(app: &App, credential: &Generated) -> Answer {
    app.token(&[("authorization", &basic(credential))], GRANT).await
}

async fn introspected(app: &App, by: &Generated, token: &str) -> Value {
    let request = Request::post("/mcp/oauth/introspect")
        .header("authorization", basic(by))
        .header("content-type", FORM)
        .body(Body::from(format!("token={token}")));
    app.send(request.expect("a request")).await.json()
}

fn assert_archived(answer: &Answer) {
    assert_eq!(error(answer), (400, "invalid_target".to_owned()), "{}", answer.body);
    assert!(answer.body.contains("is archived"), "{}", answer.body);
}

#[tokio::test]
async fn an_archived_server_gets_no_new_token_of_any_kind_until_it_is_taken_back() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let (page, archived) = (format!("/servers/{id}"), format!("/servers/{id}/archive"));
    let team = TeamId::first();
    let (job, checker) = (job(&app, &team, &[]).await, job(&app, &team, &["tokens:introspect"]).await);
    let issued = text(&exchange(&app, &job).await, "access_token");
    let own = personal_token(&browser, &[("server", id.as_str()), ("scopes", "docs:read")]).await;
    let client = registered(&app).await;
    let changes = [("resource", DOCS), ("scope", "docs:read")];
    let request = query(&client, &changes);
    let unused = code(&browser, &client, &changes).await;
    let redeemed = code(&browser, &client, &changes).await;
    let refresh = text(&app.token(&[], redemption(&client, &redeemed, &[("resource", DOCS)])).await, "refresh_token");

    let facts = browser.get(&archived).await.body;
    for words in ["Archive Docs?", "2 have only this MCP server", "Exchanges, last 24 hours"] {
        assert!(facts.contains(words), "{words}: {facts}");
    }
    let answer = browser.submit(&archived, &archived, &[]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, &*format!("{page}?done=archived")));

    assert_archived(&exchange(&app, &job).await);
    assert_archived(&app.token(&[], redemption(&client, &unused, &[("resource", DOCS)])).await);
    assert_archived(&app.token(&[], refreshing(&client, &refresh)).await);
    assert_eq!(introspected(&app, &checker, &issued).await["active"], json!(true), "it lives until it ends");
    assert_eq!(introspected(&app, &checker, &own).await, json!({ "active": false }));
    let (base, pairs) = redirect(&browser.get(&path(&request)).await);
    assert_eq!((base.as_str(), parameter(&pairs, "error")), (CALLBACK, "invalid_target"));
    let draft = Draft { name: "late".to_owned(), servers: vec![DOCS.to_owned()], ..Draft::default() };
    assert!(generate(&context, &operator(), &draft, None).await.is_err());

    let list = browser.get("/servers").await.body;
    assert!(!list.contains(DOCS) && list.contains("Archived"), "{list}");
    assert!(browser.get("/servers?status=archived").await.body.contains(DOCS));
    assert!(!browser.get("/credentials/new").await.body.contains(DOCS), "no choice");
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("Archived since") && shown.contains("Unarchive"), "{shown}");
    context.refusals.flush().await;
    let credential = browser.get(&format!("/credentials/{}", job.credential.client_id)).await.body.replace("<!>", "");
    assert!(credential.contains("1 refused: an archived MCP server"), "{credential}");
    assert!(
        credential.contains("<h1>job</h1><span data-tone=\"warn\" class=\"chip\">Server archived<"),
        "{credential}"
    );

    let list = browser.get("/credentials").await.body;
    let status = "<td class=\"status\"><span data-tone=\"warn\" class=\"chip\">Server archived<";
    assert_eq!(list.matches(status).count(), 2, "{list}");
    for (kind, count) in [("credentials", 2), ("apps", 1), ("tokens", 1)] {
        let rows = browser.get(&format!("{page}?view=access&kind={kind}")).await.body;
        assert_eq!(rows.matches(">No access<").count(), count, "{kind}: {rows}");
        assert!(!rows.contains(">In use<") && !rows.contains(">Unverified<"), "{kind}: {rows}");
    }

    // The archived server does not hinder an edit of something else.
    let path = format!("/credentials/{}/edit", job.credential.client_id);
    let fields = [("name", "renamed"), ("team", "team_0000000000000000000000"), ("server", DOCS), ("expiry", "keep")];
    let edited = browser.submit(&path, &path, &fields).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.body);

    let back = format!("{page}/unarchive");
    assert_eq!(browser.submit(&back, &back, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(exchange(&app, &job).await.status, StatusCode::OK);
    assert_eq!(app.token(&[], refreshing(&client, &refresh)).await.status, StatusCode::OK, "the token stayed good");
    assert_eq!(introspected(&app, &checker, &own).await["active"], json!(true));
}

#[tokio::test]
async fn the_built_in_server_cannot_be_archived_and_keeps_its_scopes() {
    let app = App::new().await;
    let context = &app.instance.context;
    let servers = server::list(context).await.expect("reads");
    let built_in = servers.iter().find(|server| server.built_in).expect("the built-in server");
    assert!(matches!(archive::archive(context, &operator(), &built_in.id).await, Err(McpServerError::Invalid(_))));
    let other = ServerEdit { scopes: Some(scopes(&["other"])), ..ServerEdit::default() };
    assert!(matches!(edit(context, &operator(), &built_in.id, &other).await, Err(McpServerError::Invalid(_))));
    let name = ServerEdit { name: Some("Here".to_owned()), ..ServerEdit::default() };
    assert!(edit(context, &operator(), &built_in.id, &name).await.expect("edits"));
    assert!(!edit(context, &operator(), &built_in.id, &name).await.expect("edits"), "nothing changes");
    assert_eq!(found(&app, &built_in.id).await.name, "Here");
}

#[tokio::test]
async fn a_scope_that_its_server_lost_can_be_taken_away_and_not_added() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let job = job(&app, &TeamId::first(), &["docs:read", "docs:write"]).await.credential.client_id;
    let page = format!("/servers/{id}/edit");
    let fields = [("name", "Docs"), ("scopes", "docs:read Read it."), ("alg", "ES256"), ("removes", "yes")];
    assert_eq!(browser.submit(&page, &page, &fields).await.status, StatusCode::SEE_OTHER);

    let shown = browser.get(&format!("/credentials/{job}")).await.body.replace("<!>", "");
    let lost = ">docs:write</span> <span class=\"muted\">no longer offered</span>";
    assert!(shown.contains(lost) && shown.matches("no longer offered").count() == 1, "{shown}");

    let path = format!("/credentials/{job}/edit");
    let save = async |scopes: &[&str]| {
        let fields = [("name", "job"), ("team", "team_0000000000000000000000"), ("server", DOCS), ("expiry", "keep")];
        let scopes: Vec<_> = scopes.iter().map(|scope| ("scope", *scope)).collect();
        browser.submit(&path, &path, &[&fields[..], &scopes[..]].concat()).await
    };
    let held = async || {
        let context = &app.instance.context;
        let found = inspect::find(context, &Authority::Everything, &job).await.expect("reads").expect("a credential");
        found.scopes.to_string()
    };
    let lost = r#"<input type="checkbox" name="scope" value="docs:write" checked>"#;
    let form = browser.get(&path).await.body;
    assert!(form.contains(lost) && form.contains("No longer offered by the server."), "{form}");
    let own = format!("docs:read {DOCS}");
    assert_eq!(save(&[&own, "docs:write"]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(held().await, "docs:read docs:write", "what is ticked stays");
    assert_eq!(save(&[&own]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(held().await, "docs:read");

    let form = browser.get(&path).await.body;
    assert!(!form.contains("docs:write") && !form.contains("Other scopes"), "{form}");
    let refused = save(&[&own, "docs:write"]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("has no scope docs:write"), "{}", refused.body);
    assert_eq!(held().await, "docs:read");
}

#[tokio::test]
async fn a_credential_keeps_the_scope_of_introspection_without_the_server_that_offers_it() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    docs(&app).await;
    let job = job(&app, &TeamId::first(), &["docs:read", "tokens:introspect"]).await.credential.client_id;
    let path = format!("/credentials/{job}/edit");
    let shown = browser.get(&format!("/credentials/{job}")).await.body;
    assert!(shown.contains("tokens:introspect") && !shown.contains("no longer offered"), "{shown}");
    let form = browser.get(&path).await.body;
    assert!(form.contains("which is not one of its MCP servers"), "{form}");
    let own = format!("docs:read {DOCS}");
    let fields = [
        ("name", "renamed"),
        ("team", "team_0000000000000000000000"),
        ("server", DOCS),
        ("scope", own.as_str()),
        ("scope", "tokens:introspect"),
        ("expiry", "keep"),
    ];
    assert_eq!(browser.submit(&path, &path, &fields).await.status, StatusCode::SEE_OTHER);
    let found = inspect::find(&app.instance.context, &Authority::Everything, &job).await.expect("reads");
    assert_eq!(found.expect("a credential").scopes.to_string(), "docs:read tokens:introspect");
}

#[tokio::test]
async fn an_edit_counts_from_the_next_exchange_and_removes_no_held_scope_by_accident() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let both = job(&app, &TeamId::first(), &["docs:read", "docs:write"]).await;
    let writer = job(&app, &TeamId::first(), &["docs:write"]).await;
    let page = format!("/servers/{id}/edit");
    let form = browser.get(&page).await.body;
    assert!(form.contains("docs:read Allows docs:read.") && form.contains("docs:write Allows docs:write."), "{form}");

    let fields = [("name", "Handbook"), ("scopes", "docs:read Read it."), ("token_lifetime", "300"), ("alg", "ES256")];
    let refused = browser.submit(&page, &page, &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    for words in ["docs:write is in use", "Held by 2 credentials", "1 credential has no other scope", "Handbook"] {
        assert!(refused.body.contains(words), "{words}: {}", refused.body);
    }
    assert_eq!(found(&app, &id).await.name, "Docs", "nothing was changed");

    let confirmed = [&fields[..], &[("removes", "yes")]].concat();
    assert_eq!(browser.submit(&page, &page, &confirmed).await.status, StatusCode::SEE_OTHER);
    let server = found(&app, &id).await;
    assert_eq!((server.name.as_str(), server.resource.as_str(), server.scopes.len()), ("Handbook", DOCS, 1));
    let answer = exchange(&app, &both).await.json();
    assert_eq!((&answer["scope"], &answer["expires_in"]), (&json!("docs:read"), &json!(300)));
    assert_eq!(error(&exchange(&app, &writer).await), (400, "invalid_scope".to_owned()));

    // An edit of something else neither gives the credential the default scope nor takes the lost one.
    let path = format!("/credentials/{}/edit", writer.credential.client_id);
    let fields = [
        ("name", "writer"),
        ("team", "team_0000000000000000000000"),
        ("server", DOCS),
        ("scope", "docs:write"),
        ("expiry", "keep"),
    ];
    let edited = browser.submit(&path, &path, &fields).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.body);
    assert_eq!(error(&exchange(&app, &writer).await), (400, "invalid_scope".to_owned()));

    let back = [("name", "Handbook"), ("scopes", "docs:read Read it.\ndocs:write")];
    assert_eq!(browser.submit(&page, &page, &back).await.status, StatusCode::SEE_OTHER);
    assert_eq!(exchange(&app, &writer).await.json()["scope"], json!("docs:write"), "it was only taken from the server");
    let shown = browser.get(&format!("/servers/{id}")).await.body;
    assert!(shown.contains("1 scope has no description"), "{shown}");

    let wrong = [("name", ""), ("scopes", "docs:read\ndocs:read"), ("alg", "none")];
    let refused = browser.submit(&page, &page, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn callers_are_counted_by_scope_and_listed_page_by_page_for_those_who_may_see_them() {
    let app = App::new().await;
    let context = &app.instance.context;
    let id = docs(&app).await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let mut jobs = Vec::new();
    for (team, scope) in
        [(&payments, "docs:read"), (&payments, "docs:read"), (&search, "docs:read"), (&search, "docs:write")]
    {
        jobs.push(job(&app, team, &[scope]).await);
    }
    app.generated("elsewhere", &["mcp:read"]).await;
    let server = found(&app, &id).await;
    let counts = async |authority: &Authority| {
        let callers = callers::count(context, authority, &server).await.expect("counts");
        let of = |counts: &CallerCounts| counts.credentials;
        (of(&callers.all), callers.by_scope.iter().map(|(_, counts)| of(counts)).collect::<Vec<_>>())
    };
    assert_eq!(counts(&Authority::Everything).await, (4, vec![3, 1]));
    let grace = joined(&app, "grace@example.com", InvitedRole::Team(payments.clone(), Role::Viewer)).await;
    let roles = [(payments.clone(), Role::Viewer)].into_iter().collect();
    let viewer = Authority::Person { id: grace.id.clone(), roles };
    assert_eq!(counts(&viewer).await, (2, vec![2, 0]));

    let listed = async |authority: &Authority, scope: Option<&str>| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = callers::credentials(context, authority, &server, scope, cursor.as_deref(), 1).await;
            let page = page.expect("reads");
            found.extend(page.credentials.into_iter().map(|credential| credential.client_id));
            cursor = page.next;
            if cursor.is_none() {
                found.sort();
                return found;
            }
        }
    };
    let ids = |jobs: &[&Generated]| {
        let mut ids: Vec<_> = jobs.iter().map(|job| job.credential.client_id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(listed(&Authority::Everything, None).await, ids(&[&jobs[0], &jobs[1], &jobs[2], &jobs[3]]));
    assert_eq!(listed(&Authority::Everything, Some("docs:write")).await, ids(&[&jobs[3]]));
    assert_eq!(listed(&viewer, None).await, ids(&[&jobs[0], &jobs[1]]));

    disable::disable(context, &operator(), &jobs[0].credential.client_id).await.expect("disables");
    assert_eq!(counts(&viewer).await, (2, vec![2, 0]), "a disabled credential can be enabled");
    revoke::revoke(context, &operator(), &jobs[0].credential.client_id, "").await.expect("revokes");
    assert_eq!(counts(&viewer).await, (1, vec![1, 0]));

    let browser = signed_in_as(&app, &grace).await;
    let page = browser.get(&format!("/servers/{id}?view=access&scope=docs:read")).await.body;
    assert!(page.contains(jobs[1].credential.client_id.as_str()), "{page}");
    for other in [&jobs[0], &jobs[2], &jobs[3]] {
        assert!(!page.contains(other.credential.client_id.as_str()), "{page}");
    }
}

#[tokio::test]
async fn a_server_is_removed_only_when_it_is_archived_and_nothing_refers_to_it() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let job = job(&app, &TeamId::first(), &[]).await;
    let own = personal_token(&browser, &[("server", id.as_str()), ("scopes", "docs:read")]).await;
    let page = format!("/servers/{id}/remove");
    let remove = async || browser.submit(&page, &page, &[]).await;
    let is_refused = |answer: &Answer, words: &str| {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    };
    assert!(browser.get(&page).await.body.contains("Archive it first"));
    is_refused(&remove().await, "Archive the server first");
    archive::archive(context, &operator(), &id).await.expect("archives");
    is_refused(&remove().await, "still refer to this server");
    revoke::revoke(context, &operator(), &job.credential.client_id, "").await.expect("revokes");
    is_refused(&remove().await, "still refer to this server");
    let tokens = browser.get("/account/tokens").await.body;
    let token = support::between(&tokens, "name=\"token\" value=\"", "\"").to_owned();
    browser.submit("/account/tokens", "/fn/revoke_personal_token", &[("token", &token)]).await;
    assert!(browser.get(&page).await.body.contains("This cannot be undone"));
    let answer = remove().await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("location").starts_with("/servers?done=removed&of="), "{}", answer.header("location"));
    assert!(server::find(context, &id).await.expect("reads").is_none());
    assert_eq!(browser.get(&format!("/credentials/{}", job.credential.client_id)).await.status, StatusCode::OK);
    assert_eq!(browser.get("/account/tokens").await.status, StatusCode::OK, "{own}");
    assert_ne!(docs(&app).await, id, "the resource is free again");
}

/// What a server answers to a request at a path: status, headers and body.
type Behaviour = fn(&str, &AnyRequest) -> (StatusCode, Vec<(&'static str, String)>, String);

/// An MCP server on this machine. `behave` says what it answers to a request: status, headers and body.
async fn start(behave: Behaviour) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let seen = Seen::default();
    let (kept, origin) = (Arc::clone(&seen), format!("http://{host}"));
    let router = axum::Router::new().fallback(async move |request: AnyRequest| {
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().expect("text").to_owned());
        kept.lock().expect("a lock").push((request.uri().path().to_owned(), authorization));
        let (status, headers, body) = behave(&origin, &request);
        let mut answer = axum::http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        answer.body(Body::from(body)).expect("an answer")
    });
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
    (host, seen)
}

/// The paths that were asked for, each with its `Authorization`.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

fn metadata(origin: &str) -> String {
    let issuer = "http://localhost:8080";
    json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [issuer], "scopes_supported": ["docs:read"] })
        .to_string()
}

fn protected(origin: &str, request: &AnyRequest) -> (StatusCode, Vec<(&'static str, String)>, String) {
    if request.uri().path() == METADATA {
        return (StatusCode::OK, vec![("content-type", "application/json".to_owned())], metadata(origin));
    }
    let pointer = format!("Bearer error=\"invalid_token\", resource_metadata=\"{origin}{METADATA}\"");
    (StatusCode::UNAUTHORIZED, vec![("www-authenticate", pointer)], String::new())
}

/// Answers everybody, repeats the token, and describes another server.
fn open(_: &str, request: &AnyRequest) -> (StatusCode, Vec<(&'static str, String)>, String) {
    if request.uri().path() == METADATA {
        let document = json!({ "resource": "https://other.example/\u{1b}[31m", "scopes_supported": ["docs:admin"] });
        return (StatusCode::OK, Vec::new(), document.to_string());
    }
    let token = request.headers().get("authorization").map_or("none", |value| value.to_str().expect("text"));
    (StatusCode::OK, vec![("www-authenticate", token.to_owned())], token.to_owned())
}

fn elsewhere(_: &str, _: &AnyRequest) -> (StatusCode, Vec<(&'static str, String)>, String) {
    (StatusCode::FOUND, vec![("location", "http://127.0.0.1:1/".to_owned())], String::new())
}

fn probe(hosts: &[&str]) -> McpServers {
    McpServers::new(hosts.iter().map(|host| (*host).to_owned()).collect())
}

/// An application that may ask these hosts.
async fn asking(hosts: &[&str]) -> App {
    let instance = Instance::new().await;
    let state = AppState::new(instance.context.clone(), Vec::new(), Vec::new());
    let router = support::router(state.with_probe(Arc::new(probe(hosts))));
    App { instance, router }
}

async fn outcomes(app: &App, host: &str, id: &McpServerId) -> Vec<(CheckStep, StepOutcome)> {
    let check = check::run(&app.instance.context, &probe(&[host]), &operator(), id).await.expect("checks");
    check.steps.iter().map(|step| (step.step, step.outcome)).collect()
}

#[tokio::test]
async fn a_check_passes_where_each_foreign_request_is_refused_and_says_what_to_do_where_not() {
    use StepOutcome::{Failed, Passed, Skipped};
    let ((good, seen), (bad, _), (moved, _)) = (start(protected).await, start(open).await, start(elsewhere).await);
    let app = asking(&[&good, &bad, &moved]).await;
    let browser = app.signed_in().await;
    let id = docs_at(&app, &format!("http://{good}/mcp")).await;
    let page = format!("/servers/{id}");
    let answer = browser.submit(&page, &format!("{page}/check"), &[]).await;
    assert_eq!(answer.header("location"), format!("{page}?done=checked&view=check"), "{}", answer.body);
    let shown = browser.get(answer.header("location")).await.body;
    assert_eq!(shown.matches("Passed").count(), CheckStep::ALL.len() + 1, "{shown}");
    assert!(shown.contains("Check finished: every step passed."), "{shown}");
    assert!(browser.get("/servers").await.body.contains("Passed"));

    // One token was sent. It is for nothing that exists, and Countersign refuses it too.
    let seen = seen.lock().expect("a lock").clone();
    let sent: Vec<String> =
        seen.iter().filter_map(|(_, token)| Some(token.as_ref()?["Bearer ".len()..].to_owned())).collect();
    assert_eq!((seen.len(), sent.len()), (3, 1));
    let claims = URL_SAFE_NO_PAD.decode(sent[0].split('.').nth(1).expect("claims")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert!(claims["aud"].as_str().is_some_and(|aud| aud.starts_with("http://localhost:8080/check/")), "{claims}");
    assert_eq!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time"), 60);
    let checker = app.generated("checker", &["tokens:introspect"]).await;
    assert_eq!(introspected(&app, &checker, &sent[0]).await, json!({ "active": false }));

    let (bad, host) = (docs_at(&app, &format!("http://{bad}/mcp")).await, bad);
    let expected = [Passed, Failed, Failed, Failed, Failed, Skipped, Failed];
    assert_eq!(outcomes(&app, &host, &bad).await, CheckStep::ALL.into_iter().zip(expected).collect::<Vec<_>>());
    let shown = browser.get(&format!("/servers/{bad}?view=check")).await.body;
    for words in ["https://other.example/", "docs:admin", "Anyone can call the server now", "Status 200."] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("eyJ") && !shown.contains('\u{1b}'), "no token, nothing unprintable: {shown}");
    let (moved, host) = (docs_at(&app, &format!("http://{moved}/mcp")).await, moved);
    let expected = [Failed, Skipped, Skipped, Skipped, Failed, Skipped, Failed];
    assert_eq!(outcomes(&app, &host, &moved).await, CheckStep::ALL.into_iter().zip(expected).collect::<Vec<_>>());
    let log = browser.get("/activity").await.body;
    assert!(log.contains("MCP server checked") && !log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn a_check_asks_no_private_host_that_is_not_listed_and_no_stranger_starts_one() {
    let (host, seen) = start(protected).await;
    let app = asking(&[]).await;
    let browser = app.signed_in().await;
    let id = docs_at(&app, &format!("https://{host}/mcp")).await;
    let page = format!("/servers/{id}");
    browser.submit(&page, &format!("{page}/check"), &[]).await;
    let shown = browser.get(&format!("{page}?view=check")).await.body;
    assert!(shown.contains("private_upstreams") && shown.contains("could not reach the server"), "{shown}");
    // What was not reached did not fail, and above all was not accepted.
    let steps = CheckStep::ALL.len();
    assert!(shown.matches(">Not reached<").count() > steps && !shown.contains(">Failed<"), "{shown}");
    let shown = browser.get(&format!("{page}?done=checked&view=check")).await.body;
    assert!(shown.contains("Check finished: the server was not reached."), "{shown}");
    assert!(!shown.contains("data-tone=\"ok\" role=\"status\""), "{shown}");
    let grace = joined(&app, "grace@example.com", InvitedRole::Team(TeamId::first(), Role::Manager)).await;
    let manager = signed_in_as(&app, &grace).await;
    let refused = manager.submit("/credentials/new", &format!("{page}/check"), &[]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(seen.lock().expect("a lock").is_empty());
}
