//! Which teams may use an MCP server: each place where that is asked, and from when on a change of it counts.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::base::id::{McpServerId, TeamId};
use domain::client::personal_token::{self, TokenDraft};
use domain::credential::edit::{Edit, edit};
use domain::credential::generate::{Generated, generate};
use domain::credential::import::{Import, ImportError};
use domain::credential::{CredentialError, revoke};
use domain::error::Fault;
use domain::model::audit::Filter;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::field_error::FieldError;
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::PROOF_LIFETIME;
use domain::model::person::team::InvitedRole;
use domain::model::server::access::{ServerAccess, ShutOut};
use domain::model::server::{McpServer, ScopeDescription};
use domain::person::team;
use domain::server::{self, ServerDraft};
use domain::token::verify::verify;
use serde_json::{Value, json};

use crate::interactive::{
    CALLBACK, RESOURCE, code, error, granted, is_accepted, parameter, path, query, redemption, redirect, refreshing,
    registered,
};
use crate::personal_tokens::generated as personal_token;
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{Answer, App, Browser, PASSWORD, basic, form_token};

pub(crate) const DOCS: &str = "https://docs.example/mcp";
const GRANT: &str = "grant_type=client_credentials";

pub(crate) async fn docs(app: &App) -> McpServerId {
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: DOCS.to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    server::add(&app.instance.context, &operator(), &draft).await.expect("added").id
}

async fn built_in(app: &App) -> McpServerId {
    let servers = server::list(&app.instance.context).await.expect("reads");
    servers.into_iter().find(|server| server.built_in).expect("the built-in server").id
}

async fn found(app: &App, id: &McpServerId) -> McpServer {
    server::find(&app.instance.context, id).await.expect("reads").expect("a server")
}

fn only(teams: &[&TeamId]) -> ServerAccess {
    ServerAccess::Teams(teams.iter().map(|team| (*team).clone()).collect())
}

async fn open_to(app: &App, id: &McpServerId, access: &ServerAccess) {
    server::set_access(&app.instance.context, &operator(), id, access, true).await.expect("set");
}

fn draft_for(team: &TeamId, resource: &str) -> Draft {
    Draft { team: Some(team.clone()), name: "job".to_owned(), servers: vec![resource.to_owned()], ..Draft::default() }
}

async fn credential(app: &App, team: &TeamId, resource: &str) -> Generated {
    generate(&app.instance.context, &operator(), &draft_for(team, resource), None).await.expect("generates")
}

async fn exchange(app: &App, credential: &Generated) -> Answer {
    app.token(&[("authorization", &basic(credential))], GRANT).await
}

async fn member(app: &App, email: &str, team: &TeamId) -> Person {
    joined(app, email, InvitedRole::Team(team.clone(), Role::Member)).await
}

async fn set_role(app: &App, team: &TeamId, person: &Person, role: Option<Role>) {
    team::set_role(&app.instance.context, &operator(), team, &person.id, role).await.expect("set");
}

const CLOSED: (u16, &str) = (400, "invalid_target");

fn assert_closed(answer: &Answer) {
    let (status, word) = error(answer);
    assert_eq!((status, word.as_str()), CLOSED, "{}", answer.body);
    let description = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    assert!(description.contains("is not open to the team"), "{description}");
}

#[tokio::test]
async fn a_credential_obeys_the_list_from_the_next_exchange_on() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = built_in(&app).await;
    let [inside, outside] = [credential(&app, &payments, RESOURCE).await, credential(&app, &search, RESOURCE).await];
    let answer = exchange(&app, &outside).await;
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    open_to(&app, &id, &only(&[&payments])).await;
    assert_closed(&exchange(&app, &outside).await);
    assert_eq!(exchange(&app, &inside).await.status, StatusCode::OK);
    assert!(is_accepted(&app, &token).await, "what was issued lives until it ends");

    app.instance.context.refusals.flush().await;
    let page = browser.get(&format!("/credentials/{}?view=usage", outside.credential.client_id)).await.body;
    for words in ["is not open to the team Search", "MCP server not open to the team"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let page = browser.get(&format!("/credentials/{}", inside.credential.client_id)).await.body;
    assert!(!page.contains("is not open to the team"), "{page}");

    open_to(&app, &id, &ServerAccess::All).await;
    assert_eq!(exchange(&app, &outside).await.status, StatusCode::OK, "it works again");
}

#[tokio::test]
async fn one_closed_server_of_two_closes_only_itself() {
    let app = App::new().await;
    let team = new_team(&app, "Payments").await;
    let id = docs(&app).await;
    let draft = Draft { servers: vec![DOCS.to_owned(), RESOURCE.to_owned()], ..draft_for(&team, DOCS) };
    let both = generate(&app.instance.context, &operator(), &draft, None).await.expect("generates");
    open_to(&app, &id, &only(&[])).await;
    assert_closed(&exchange(&app, &both).await);
    let of = async |resource: &str| {
        app.token(&[("authorization", &basic(&both))], format!("{GRANT}&resource={resource}")).await
    };
    assert_closed(&of(DOCS).await);
    assert_eq!(of(RESOURCE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_team_that_is_removed_leaves_a_list_that_admits_nobody() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let short_lived = new_team(&app, "Short-lived").await;
    let job = credential(&app, &TeamId::first(), DOCS).await;
    open_to(&app, &id, &only(&[&short_lived])).await;
    team::remove(&app.instance.context, &operator(), &short_lived).await.expect("removed");
    assert_eq!(found(&app, &id).await.access, only(&[]));
    assert_closed(&exchange(&app, &job).await);
    let page = browser.get(&format!("/servers/{id}")).await.body;
    assert!(page.contains("No team may use this server."), "{page}");
    let gone = server::set_access(&app.instance.context, &operator(), &id, &only(&[&short_lived]), true).await;
    assert!(matches!(gone, Err(server::McpServerError::Invalid(_))), "{gone:?}");
}

/// What the consent page answers to this person.
async fn consent_page(browser: &Browser<'_>, client_id: &str) -> Answer {
    browser.get(&path(&query(client_id, &[]))).await
}

async fn decide(browser: &Browser<'_>, client_id: &str, decision: &str) -> Answer {
    let token = form_token(&browser.get("/account").await.body);
    let query = query(client_id, &[]);
    let fields = [("form_token", token.as_str()), ("request", &query), ("decision", decision)];
    browser.post("/mcp/oauth/authorize", &fields).await
}

#[tokio::test]
async fn an_app_obeys_the_list_at_consent_code_and_refresh() {
    let app = App::new().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = built_in(&app).await;
    let grace = member(&app, "grace@example.com", &payments).await;
    set_role(&app, &search, &grace, Some(Role::Viewer)).await;
    let browser = signed_in_as(&app, &grace).await;
    let client_id = registered(&app).await;
    let (access, refresh) = granted(&app, &browser, &client_id).await;

    // One of two teams is enough, and any role in it.
    open_to(&app, &id, &only(&[&search])).await;
    let answer = app.token(&[], refreshing(&client_id, &refresh)).await;
    let refresh = answer.json()["refresh_token"].as_str().expect("the next token").to_owned();
    let waiting = code(&browser, &client_id, &[]).await;
    set_role(&app, &search, &grace, None).await;
    for body in [refreshing(&client_id, &refresh), redemption(&client_id, &waiting, &[])] {
        assert_closed(&app.token(&[], body).await);
    }
    assert!(is_accepted(&app, &access).await, "what was issued lives until it ends");
    let apps = browser.get("/apps").await.body;
    assert!(apps.contains("Not open to your teams"), "it stays listed: {apps}");

    let page = consent_page(&browser, &client_id).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(
        page.body.contains("is not open to your teams") && !page.body.contains(r#"value="allow""#),
        "{}",
        page.body
    );
    let answer = decide(&browser, &client_id, "allow").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    let (base, pairs) = redirect(&decide(&browser, &client_id, "deny").await);
    assert_eq!((base.as_str(), parameter(&pairs, "error")), (CALLBACK, "access_denied"));
    assert!(parameter(&pairs, "error_description").contains("is not open to the teams"), "{pairs:?}");

    // Neither the code nor the refresh token was used up.
    set_role(&app, &search, &grace, Some(Role::Viewer)).await;
    for body in [refreshing(&client_id, &refresh), redemption(&client_id, &waiting, &[])] {
        assert_eq!(app.token(&[], body).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_remembered_consent_is_asked_too() {
    let app = App::new().await;
    let payments = new_team(&app, "Payments").await;
    let grace = member(&app, "grace@example.com", &payments).await;
    let browser = signed_in_as(&app, &grace).await;
    let (client_id, _) = crate::interactive::confidential(&app).await;
    let asked = query(&client_id, &[("redirect_uri", "https://portal.example/callback")]);
    let token = form_token(&browser.get(&path(&asked)).await.body);
    let fields = [("form_token", token.as_str()), ("request", &asked), ("decision", "allow")];
    let pairs = redirect(&browser.post("/mcp/oauth/authorize", &fields).await).1;
    assert!(!parameter(&pairs, "code").is_empty());
    open_to(&app, &built_in(&app).await, &only(&[&TeamId::first()])).await;
    assert_eq!(browser.get(&path(&asked)).await.status, StatusCode::FORBIDDEN);
}

async fn introspected(app: &App, by: &Generated, token: &str) -> Value {
    let request = Request::post("/mcp/oauth/introspect")
        .header("authorization", basic(by))
        .header("content-type", crate::support::FORM)
        .body(Body::from(format!("token={token}")));
    app.send(request.expect("a request")).await.json()
}

/// Calls a tool that changes something, with this personal token.
async fn revoke_by(app: &App, token: &str, credential: &Generated) -> Answer {
    let arguments = json!({ "client_id": credential.credential.client_id.as_str(), "reason": "test" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": "revoke_credential", "arguments": arguments } });
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    app.send(request.body(Body::from(call.to_string())).expect("a request")).await
}

#[tokio::test]
async fn a_personal_token_obeys_the_list_at_each_use() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = built_in(&app).await;
    let grace = member(&app, "grace@example.com", &payments).await;
    let browser = signed_in_as(&app, &grace).await;
    let [own, of_administrator] = [personal_token(&browser, &[]).await, personal_token(&administrator, &[]).await];
    let checker = app.generated("checker", &["tokens:introspect"]).await;
    assert!(is_accepted(&app, &own).await);

    open_to(&app, &id, &only(&[&search])).await;
    assert!(!is_accepted(&app, &own).await);
    assert_eq!(introspected(&app, &checker, &own).await, json!({ "active": false }));
    assert_eq!(revoke_by(&app, &own, &checker).await.status, StatusCode::UNAUTHORIZED);
    assert!(is_accepted(&app, &of_administrator).await, "administrators may use every server");
    let list = browser.get("/account/tokens").await.body;
    assert!(list.contains("Not open to your teams") && list.contains("laptop"), "it stays listed: {list}");
    assert!(!list.contains(&format!("value=\"{id}\"")), "the closed server is not offered: {list}");

    set_role(&app, &search, &grace, Some(Role::Viewer)).await;
    assert!(is_accepted(&app, &own).await, "one of two teams is enough");
    set_role(&app, &search, &grace, None).await;
    set_role(&app, &payments, &grace, None).await;
    assert!(!is_accepted(&app, &own).await);
    open_to(&app, &id, &ServerAccess::All).await;
    assert!(is_accepted(&app, &own).await, "a person without a role uses what is open to all");
}

#[tokio::test]
async fn a_server_that_closes_during_a_call_of_a_personal_token_changes_nothing() {
    let app = App::new().await;
    let context = &app.instance.context;
    let payments = new_team(&app, "Payments").await;
    let id = built_in(&app).await;
    let grace = member(&app, "grace@example.com", &payments).await;
    let target = credential(&app, &payments, RESOURCE).await.credential.client_id;
    let browser = signed_in_as(&app, &grace).await;
    let token = personal_token(&browser, &[]).await;
    let actor = verify(context, &token, RESOURCE, None).await.expect("accepted").actor();
    open_to(&app, &id, &only(&[])).await;
    let revoked = revoke::revoke(context, &actor, &target, "").await;
    assert!(matches!(revoked, Err(CredentialError::Fault(Fault::ActorEnded))), "{revoked:?}");
    open_to(&app, &id, &only(&[&payments])).await;
    revoke::revoke(context, &actor, &target, "").await.expect("revokes");
}

#[tokio::test]
async fn nobody_generates_for_a_server_that_is_closed_to_them() {
    let app = App::new().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = docs(&app).await;
    let context = &app.instance.context;
    let before = credential(&app, &search, DOCS).await;
    open_to(&app, &id, &only(&[&search])).await;
    let grace = member(&app, "grace@example.com", &payments).await;
    let browser = signed_in_as(&app, &grace).await;

    let list = "/account/tokens";
    let fields = [("name", "laptop"), ("server", id.as_str()), ("scope", "docs:read")];
    let answer = browser.submit(list, list, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("Docs is not open to your teams."), "{}", answer.body);
    let draft = TokenDraft { name: "laptop".to_owned(), server: id.to_string(), scopes: vec![], days: 7 };
    let own = personal_token::generate(context, &operator(), &grace.id, &draft, "a form").await;
    assert!(own.is_err());

    let new = "/credentials/new";
    assert!(!browser.get(new).await.body.contains(DOCS), "the closed server is not offered");
    let fields = [("name", "job"), ("team", payments.as_str()), ("server", DOCS)];
    let answer = browser.submit(new, new, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("Docs is not open to the team Payments."), "{}", answer.body);
    let remedy = "Ask an administrator to add Payments to the access of Docs.";
    assert!(answer.body.contains(remedy), "{}", answer.body);
    // An administrator may choose the server for another team. So its card names its teams, and an error leads to the
    // remedy.
    let administrator = app.signed_in().await;
    let page = administrator.get(new).await.body;
    assert!(page.contains("Name it and choose its MCP servers."), "{page}");
    assert!(page.replace("<!>", "").contains("docs.example/mcp, only for the team Search"), "{page}");
    let answer = administrator.submit(new, new, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let remedy = format!("<a href=\"/servers/{id}/access\">Add Payments to the access of Docs</a>");
    assert!(answer.body.contains(&remedy) && !answer.body.contains("An administrator can"), "{}", answer.body);
    // The errors stand in the order of the fields.
    let wrong = [("name", ""), ("expiry", "date"), ("method", "federated")];
    let answer = administrator.submit(new, new, &wrong).await.body;
    let places: Vec<usize> =
        ["#name", "#server", "#expires_on", "#issuer"].iter().map(|field| answer.find(field).expect(field)).collect();
    assert!(places.is_sorted(), "{places:?}: {answer}");
    let refused = |result: Result<(), CredentialError>| match result {
        Err(CredentialError::Invalid(errors)) => {
            errors.iter().map(|FieldError { field, .. }| *field).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let by_operator = generate(context, &operator(), &draft_for(&payments, DOCS), None).await;
    assert_eq!(refused(by_operator.map(drop)), ["server"], "the credential’s team counts, not who generates");

    // What exists can be edited, and does not move to a team that may not use its server.
    let same = Edit { name: "renamed".to_owned(), ..Edit::of(&before.credential) };
    let moved = Edit { team: Some(payments.clone()), ..same.clone() };
    let client_id = &before.credential.client_id;
    assert_eq!(refused(edit(context, &operator(), client_id, &moved).await.map(drop)), ["team"]);
    open_to(&app, &id, &only(&[])).await;
    edit(context, &operator(), client_id, &same).await.expect("edits");

    let line =
        json!({ "name": "old", "client_secret": "0123456789abcdef0123", "team": "Payments", "mcp_servers": [DOCS] });
    let actor = operator();
    let mut import = Import::begin(context, &actor).await.expect("begins");
    match import.check(&[(1, line.to_string())]).await {
        Err(ImportError::Lines(problems)) => {
            assert!(problems[0].message.contains("mcp_servers: Docs is not open to the team Payments"), "{problems:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// The access form with these fields.
async fn choose(browser: &Browser<'_>, id: &McpServerId, fields: &[(&str, &str)]) -> Answer {
    let page = format!("/servers/{id}/access");
    browser.submit(&page, &page, fields).await
}

#[tokio::test]
async fn the_page_says_who_may_use_a_server_and_its_form_asks_again_only_to_let_in() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = docs(&app).await;
    let address = format!("/servers/{id}");
    assert!(browser.get(&address).await.body.contains("All teams may use this server"));
    credential(&app, &search, DOCS).await;
    let grace = member(&app, "grace@example.com", &search).await;
    let of_grace = signed_in_as(&app, &grace).await;
    personal_token(&of_grace, &[("server", id.as_str()), ("scope", "docs:read")]).await;
    let client_id = registered(&app).await;
    let of_docs = [("resource", DOCS), ("scope", "docs:read")];
    let code = code(&of_grace, &client_id, &of_docs).await;
    assert_eq!(app.token(&[], redemption(&client_id, &code, &[])).await.status, StatusCode::OK);

    app.instance.clock.advance(PROOF_LIFETIME);
    let form = browser.get(&format!("{address}/access")).await.body.replace("<!>", "");
    assert!(form.contains("Search<span class=\"muted\"> 1 credential</span>"), "{form}");
    let narrow = [("access", "teams"), ("team", payments.as_str())];
    let answer = choose(&browser, &id, &narrow).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "it says first who loses access");
    let refused = answer.body.replace("<!>", "");
    for words in
        [">1 credential<", ">1 connected app<", ">1 personal token<", "by team: Search (1).", "Close it to them"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(!refused.contains(r#"name="your_password""#), "who shuts out is not asked who they are: {refused}");
    assert_eq!(found(&app, &id).await.access, ServerAccess::All, "nothing was changed");
    let by_operator = server::set_access(&app.instance.context, &operator(), &id, &only(&[&payments]), false).await;
    assert!(matches!(by_operator, Err(server::McpServerError::Invalid(_))), "the domain refuses it: {by_operator:?}");
    let answer = choose(&browser, &id, &[&narrow[..], &[("closes", "yes")]].concat()).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, &*format!("{address}?done=access")));
    assert_eq!(found(&app, &id).await.access, only(&[&payments]));
    let expected = ShutOut { credentials: 1, personal_tokens: 1, apps: 1 };
    assert_eq!(
        server::access::shut_out(&app.instance.context, &found(&app, &id).await).await.expect("counts"),
        expected
    );
    let page = browser.get(&format!("{address}?done=access")).await.body;
    for words in [
        "Access saved.",
        "Only these teams may use this server: Payments.",
        "1 credential, 1 personal token and 1 connected app",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    for kind in ["credentials", "apps", "tokens"] {
        let rows = browser.get(&format!("{address}?view=access&kind={kind}")).await.body;
        assert_eq!(rows.matches(">No access<").count(), 1, "{kind}: {rows}");
        let rows = of_grace.get(&format!("{address}?view=access&kind={kind}")).await.body;
        assert_eq!(rows.matches(">No access<").count(), 1, "{kind}, own: {rows}");
    }
    let page = of_grace.get(&address).await.body;
    assert!(page.contains("none of yours") && !page.contains("Payments"), "names of other teams stay hidden: {page}");

    let form = browser.get(&format!("{address}/access")).await.body;
    assert!(form.contains(&format!("value=\"{payments}\" checked")), "{form}");
    let wide = [("access", "teams"), ("team", payments.as_str()), ("team", search.as_str())];
    for fields in [&wide[..], &[("access", "all")]] {
        let answer = choose(&browser, &id, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(r#"name="your_password""#), "{}", answer.body);
    }
    assert_eq!(found(&app, &id).await.access, only(&[&payments]), "nothing was changed");
    let answer = choose(&browser, &id, &[&wide[..], &[("your_password", PASSWORD)]].concat()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let entries =
        audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 1).await.expect("reads");
    assert_eq!(entries[0].action, "mcp_server.edited");
    let details: Value = serde_json::from_str(&entries[0].details).expect("JSON");
    assert_eq!(details, json!({ "teams": { "before": ["Payments"], "after": ["Payments", "Search"] } }));

    // No tick admits nobody. A choice that is missing or unknown changes nothing.
    for (fields, field) in [(&[][..], "access"), (&[("access", "teams"), ("team", "nonsense")], "team")] {
        let answer = choose(&browser, &id, fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(&format!("href=\"#{field}\"")), "{}", answer.body);
    }
    let nobody = [("access", "teams"), ("closes", "yes")];
    assert_eq!(choose(&browser, &id, &nobody).await.status, StatusCode::SEE_OTHER);
    assert_eq!(found(&app, &id).await.access, only(&[]));
}

#[tokio::test]
async fn a_choice_that_shuts_out_nothing_that_works_is_saved_at_once() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = docs(&app).await;
    credential(&app, &payments, DOCS).await;
    let ended = credential(&app, &search, DOCS).await;
    let grace = member(&app, "grace@example.com", &search).await;
    set_role(&app, &payments, &grace, Some(Role::Viewer)).await;
    let of_grace = signed_in_as(&app, &grace).await;
    personal_token(&of_grace, &[("server", id.as_str()), ("scope", "docs:read")]).await;
    revoke::revoke(&app.instance.context, &operator(), &ended.credential.client_id, "").await.expect("revokes");
    let short = Draft { expiry: Expiry::After(PROOF_LIFETIME), ..draft_for(&search, DOCS) };
    generate(&app.instance.context, &operator(), &short, None).await.expect("generates");
    app.instance.clock.advance(PROOF_LIFETIME);
    let narrow = [("access", "teams"), ("team", payments.as_str())];
    let answer = choose(&browser, &id, &narrow).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "one of two teams is enough for Grace: {}", answer.body);
    // Another team in its place shuts out what the list let in.
    let other = [("access", "teams"), ("team", search.as_str())];
    let answer = choose(&browser, &id, &other).await;
    assert!(answer.body.contains("Payments (1)"), "{}", answer.body);
    assert!(!answer.body.contains("personal token</a>"), "Grace is in the other team too: {}", answer.body);
    // Nothing gets tokens for an archived server, so nothing loses them.
    server::archive::archive(&app.instance.context, &operator(), &id).await.expect("archives");
    assert_eq!(choose(&browser, &id, &[("access", "teams")]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_server_is_added_for_some_teams() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let payments = new_team(&app, "Payments").await;
    let new = "/servers/new";
    let fields = [
        ("name", "Docs"),
        ("resource", DOCS),
        ("scopes", "docs:read Read."),
        ("access", "teams"),
        ("team", payments.as_str()),
    ];
    let answer = browser.submit(new, new, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let servers = server::list(&app.instance.context).await.expect("reads");
    assert_eq!(servers.iter().find(|server| !server.built_in).expect("added").access, only(&[&payments]));
}
