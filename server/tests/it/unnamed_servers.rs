//! Authorization requests that do not name their MCP server: the scopes decide, then a setting, then the person.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use domain::base::id::McpServerId;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::server::{self, ServerDraft, archive};

use crate::html::between;
use crate::interactive::{CALLBACK, confidential, parameter, path, query, redemption, redirect, registered, text};
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{Answer, App, Browser, basic_of, claims_of, form_token};

const DOCS: &str = "https://docs.example/mcp";
const MAIL: &str = "https://mail.example/mcp";
const BUILT_IN: &str = "http://localhost:8080/mcp";

async fn added(app: &App, resource: &str, scopes: &[&str]) -> McpServerId {
    let scope = |name: &&str| ScopeDescription {
        name: (*name).to_owned(),
        description: format!("Allows {name}."),
        implies: Vec::new(),
    };
    let draft = ServerDraft {
        name: format!("Server of {resource}"),
        resource: resource.to_owned(),
        scopes: scopes.iter().map(scope).collect(),
        ..ServerDraft::default()
    };
    server::add(&app.instance.context, &operator(), &draft).await.expect("added").id
}

async fn built_in(app: &App) -> McpServerId {
    server::find_named(&app.instance.context, BUILT_IN).await.expect("reads").expect("is there").id
}

/// A request without `resource`, for these scopes.
fn unnamed(client_id: &str, scope: &str) -> String {
    query(client_id, &[("resource", ""), ("scope", scope)])
}

/// Sends the form of the consent page. `server` is the chosen or shown server; nothing: the field is missing.
async fn allow(browser: &Browser<'_>, query: &str, server: Option<&McpServerId>) -> Answer {
    let token = form_token(&browser.get(&path(query)).await.body);
    let mut fields = vec![("form_token", token.as_str()), ("request", query), ("decision", "allow")];
    fields.extend(server.map(|server| ("server", server.as_str())));
    browser.post("/mcp/oauth/authorize", &fields).await
}

/// The audience and the scope of the token that the answer's code is worth.
async fn worth(app: &App, client_id: &str, allowed: &Answer) -> (String, String) {
    let (_, pairs) = redirect(allowed);
    let answer = app.token(&[], redemption(client_id, parameter(&pairs, "code"), &[])).await;
    let claims = claims_of(&text(&answer, "access_token"));
    let claim = |name: &str| claims[name].as_str().expect("a text").to_owned();
    (claim("aud"), claim("scope"))
}

/// Whether the page lets the person choose.
fn is_choice(page: &Answer) -> bool {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.body.contains("type=\"radio\" name=\"server\"")
}

#[tokio::test]
async fn with_the_built_in_server_alone_it_is_for_that_one() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    for scope in ["", "mcp:read", "offline_access"] {
        let asked = unnamed(&client_id, scope);
        assert!(!is_choice(&browser.get(&path(&asked)).await));
        let allowed = allow(&browser, &asked, None).await;
        assert_eq!(worth(&app, &client_id, &allowed).await, (BUILT_IN.to_owned(), "mcp:read".to_owned()));
    }
    let (_, pairs) = redirect(&browser.get(&path(&unnamed(&client_id, "docs:read"))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_scope");
}

#[tokio::test]
async fn scopes_of_one_server_say_which_one_is_meant() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let docs = added(&app, DOCS, &["docs:read", "search"]).await;
    added(&app, MAIL, &["mail:read", "search"]).await;
    for (scope, expected, granted) in [
        ("docs:read", DOCS, "docs:read"),
        ("mail:read offline_access openid", MAIL, "mail:read"),
        ("mcp:read", BUILT_IN, "mcp:read"),
        // Only one server has both.
        ("search mail:read", MAIL, "search mail:read"),
    ] {
        let asked = unnamed(&client_id, scope);
        let page = browser.get(&path(&asked)).await;
        assert!(!is_choice(&page) && page.body.contains(expected), "{scope}: {}", page.body);
        let allowed = allow(&browser, &asked, None).await;
        assert_eq!(worth(&app, &client_id, &allowed).await, (expected.to_owned(), granted.to_owned()), "{scope}");
    }
    // An archived server is not meant.
    archive::archive(&app.instance.context, &operator(), &docs).await.expect("archives");
    assert!(!is_choice(&browser.get(&path(&unnamed(&client_id, "search"))).await));
    let (_, pairs) = redirect(&browser.get(&path(&unnamed(&client_id, "docs:read"))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_scope");
}

#[tokio::test]
async fn otherwise_the_person_chooses_and_the_token_is_for_that_server() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    let (docs, mail) = (added(&app, DOCS, &["docs:read"]).await, added(&app, MAIL, &["mail:read"]).await);
    let asked = unnamed(&client_id, "");
    let page = browser.get(&path(&asked)).await;
    assert!(is_choice(&page));
    for shown in [DOCS, MAIL, BUILT_IN, "Allows docs:read.", "Allows mail:read.", "Call the built-in MCP server."] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let inputs = page.body.split("<input type=\"radio\"").skip(1).map(|rest| between(rest, "", ">"));
    let inputs: Vec<&str> = inputs.collect();
    assert!(
        inputs.len() == 3 && !inputs.iter().any(|input| input.contains("checked")),
        "nothing is chosen: {inputs:?}"
    );
    for (server, expected) in [(&docs, (DOCS, "docs:read")), (&mail, (MAIL, "mail:read"))] {
        let allowed = allow(&browser, &asked, Some(server)).await;
        let (audience, scope) = worth(&app, &client_id, &allowed).await;
        assert_eq!((audience.as_str(), scope.as_str()), expected);
    }
    let without = allow(&browser, &asked, None).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("Choose an MCP server."), "{}", without.body);
    // Scopes of several servers leave the choice to the person, among these servers.
    let both = unnamed(&client_id, "docs:read mail:read");
    let page = browser.get(&path(&both)).await;
    assert!(is_choice(&page) && !page.body.contains(BUILT_IN), "{}", page.body);
    let allowed = allow(&browser, &both, Some(&mail)).await;
    assert_eq!(worth(&app, &client_id, &allowed).await, (MAIL.to_owned(), "mail:read".to_owned()));
    // A server that is not on the page is not allowed, whatever the form says.
    for (asked, server) in [(&both, built_in(&app).await), (&unnamed(&client_id, "docs:read"), mail.clone())] {
        let answer = allow(&browser, asked, Some(&server)).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::OK, ""), "the page asks again");
    }
    let named = query(&client_id, &[("resource", DOCS), ("scope", "")]);
    assert_eq!(allow(&browser, &named, Some(&mail)).await.status, StatusCode::OK, "the page asks again");
    // "Deny" needs no choice.
    let token = form_token(&browser.get(&path(&asked)).await.body);
    let fields = [("form_token", token.as_str()), ("request", &asked), ("decision", "deny")];
    let (base, pairs) = redirect(&browser.post("/mcp/oauth/authorize", &fields).await);
    assert_eq!((base.as_str(), parameter(&pairs, "error")), (CALLBACK, "access_denied"));
}

#[tokio::test]
async fn what_closed_after_the_page_is_not_allowed() {
    let app = App::new().await;
    app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let member = InvitedRole::Team(team.clone(), Role::Member);
    let grace = signed_in_as(&app, &joined(&app, "grace@example.com", member).await).await;
    let client_id = registered(&app).await;
    let docs = added(&app, DOCS, &["docs:read"]).await;
    let asked = unnamed(&client_id, "");
    let page = grace.get(&path(&asked)).await;
    assert!(is_choice(&page));
    let nobody = ServerAccess::Teams(BTreeSet::new());
    server::set_access(&app.instance.context, &operator(), &docs, &nobody, true).await.expect("set");
    let token = form_token(&page.body);
    let fields =
        [("form_token", token.as_str()), ("request", &asked), ("decision", "allow"), ("server", docs.as_str())];
    let answer = grace.post("/mcp/oauth/authorize", &fields).await;
    assert!(!is_choice(&answer) && answer.header("location").is_empty(), "one server is left");
    assert!(answer.body.contains("Built-in server") && !answer.body.contains(DOCS), "{}", answer.body);
    // What is not open to a person does not make them choose, and its scopes name nothing.
    assert!(!is_choice(&grace.get(&path(&asked)).await));
    let (_, pairs) = redirect(&grace.get(&path(&unnamed(&client_id, "docs:read"))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_scope");
    assert!(!parameter(&pairs, "error_description").contains("docs:read"), "{pairs:?}");
}

#[tokio::test]
async fn the_setting_names_a_server_where_the_scopes_do_not() {
    let app = App::with_settings(|settings| settings.default_resource = Some(DOCS.to_owned())).await;
    let browser = app.signed_in().await;
    let client_id = registered(&app).await;
    added(&app, MAIL, &["mail:read", "search"]).await;
    // As long as there is no such server, the client learns that it must name one.
    let (_, pairs) = redirect(&browser.get(&path(&unnamed(&client_id, ""))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_target");
    assert!(parameter(&pairs, "error_description").contains("default_resource"), "{pairs:?}");
    let docs = added(&app, DOCS, &["docs:read", "search"]).await;
    for (scope, expected) in [("", DOCS), ("search", DOCS), ("mail:read", MAIL), ("mail:read search", MAIL)] {
        let asked = unnamed(&client_id, scope);
        assert!(!is_choice(&browser.get(&path(&asked)).await), "{scope}");
        let allowed = allow(&browser, &asked, None).await;
        assert_eq!(worth(&app, &client_id, &allowed).await.0, expected, "{scope}");
    }
    archive::archive(&app.instance.context, &operator(), &docs).await.expect("archives");
    let (_, pairs) = redirect(&browser.get(&path(&unnamed(&client_id, ""))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_target");
    let (_, pairs) = redirect(&app.get(&path(&unnamed(&client_id, ""))).await);
    assert_eq!(parameter(&pairs, "error"), "invalid_target", "a stranger learns it too");
}

#[tokio::test]
async fn what_is_remembered_is_remembered_for_one_server() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (client_id, secret) = confidential(&app).await;
    let (docs, mail) = (added(&app, DOCS, &["read"]).await, added(&app, MAIL, &["read"]).await);
    let callback = ("redirect_uri", "https://portal.example/callback");
    let of = |resource: &str| query(&client_id, &[callback, ("resource", resource), ("scope", "read")]);
    let allowed = allow(&browser, &of(""), Some(&docs)).await;
    let body = redemption(&client_id, parameter(&redirect(&allowed).1, "code"), &[callback]);
    let answer = app.token(&[("authorization", &basic_of(&client_id, &secret))], body).await;
    assert_eq!(claims_of(&text(&answer, "access_token"))["aud"], DOCS);
    // The same scope of another server was not allowed, and a request without a server may mean either.
    assert!(!parameter(&redirect(&browser.get(&path(&of(DOCS))).await).1, "code").is_empty());
    assert!(browser.get(&path(&of(MAIL))).await.body.contains("Allow access"));
    assert!(is_choice(&browser.get(&path(&of(""))).await));
    archive::archive(&app.instance.context, &operator(), &docs).await.expect("archives");
    let page = browser.get(&path(&of(""))).await;
    assert!(!is_choice(&page) && page.body.contains(mail.as_str()), "{}", page.body);
}
