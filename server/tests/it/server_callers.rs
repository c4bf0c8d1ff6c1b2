//! Who may call an MCP server, for the people who administer it: acting on callers, finding apps, whose callers a
//! number counts.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::{McpServerId, TeamId};
use domain::credential::generate::generate;
use domain::credential::inspect;
use domain::model::credential::draft::Draft;
use domain::model::credential::{Credential, Status};
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::manage;

use crate::interactive::{code, granted, redemption, registered};
use crate::personal_tokens::generated as personal_token;
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::server_access::{DOCS, docs};
use crate::support::{Answer, App, Browser, between};

fn text(answer: Answer) -> String {
    answer.body.replace("<!>", "")
}

async fn job(app: &App, name: &str, team: &TeamId) -> Credential {
    let draft =
        Draft { name: name.to_owned(), team: Some(team.clone()), servers: vec![DOCS.to_owned()], ..Draft::default() };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates").credential
}

async fn in_team(app: &App, email: &str, team: &TeamId, role: Role) -> Person {
    joined(app, email, InvitedRole::Team(team.clone(), role)).await
}

async fn status(app: &App, credential: &Credential) -> Status {
    let context = &app.instance.context;
    let found = inspect::find(context, &Authority::Everything, &credential.client_id).await.expect("reads");
    found.expect("a credential").status(context.now())
}

fn callers(id: &McpServerId, kind: &str) -> String {
    format!("/servers/{id}?view=access&kind={kind}")
}

#[tokio::test]
async fn the_callers_that_a_person_manages_are_stopped_several_at_once() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = docs(&app).await;
    let jobs = [job(&app, "one", &payments).await, job(&app, "two", &search).await];
    let manager = in_team(&app, "grace@example.com", &payments, Role::Manager).await;
    let member = in_team(&app, "lin@example.com", &payments, Role::Member).await;

    let boxes = async |browser: &Browser<'_>| {
        let page = browser.get(&callers(&id, "credentials")).await.body;
        (page.matches(r#"name="client_id""#).count(), page.contains(">Replace or remove server<"))
    };
    assert_eq!(boxes(&administrator).await, (2, true));
    assert_eq!(boxes(&signed_in_as(&app, &manager).await).await, (1, true), "of the team that the person manages");
    assert_eq!(boxes(&signed_in_as(&app, &member).await).await, (0, false));

    let page = administrator.get(&callers(&id, "credentials")).await.body;
    let form = between(&page, "<form id=\"bulk\"", "</form>");
    for part in [
        "<thead><tr><td class=\"tick\"><input type=\"checkbox\" id=\"all\"".to_owned(),
        "aria-label=\"Select all\"".to_owned(),
        "<span id=\"ticked\">".to_owned(),
        "action=\"/credentials/several\"".to_owned(),
        format!("name=\"server\" value=\"{id}\""),
        format!("name=\"list\" value=\"server={id}\""),
    ] {
        assert!(form.contains(&part), "{part}: {form}");
    }
    for (action, question, done, expected) in [
        ("disable", "Disable 2 credentials", "2 credentials disabled", Status::Disabled),
        ("revoke", "Revoke 2 credentials", "2 credentials revoked", Status::Revoked),
    ] {
        let list = format!("server={id}");
        let [first, second] = [0, 1].map(|place| jobs[place].client_id.as_str());
        let asked = format!(
            "/credentials/several?server={id}&list=server%3D{id}&client_id={first}&client_id={second}&do={action}"
        );
        let page = text(administrator.get(&asked).await);
        assert!(page.contains(question), "{page}");
        let fields = [("do", action), ("client_id", first), ("client_id", second), ("list", list.as_str())];
        let receipt = administrator.submit(&asked, "/credentials/several", &fields).await;
        let receipt = text(administrator.get(receipt.header("location")).await);
        assert!(receipt.contains(done) && receipt.contains(&format!("/credentials?server={id}")), "{receipt}");
        for job in &jobs {
            assert_eq!(status(&app, job).await, expected);
        }
    }
}

#[tokio::test]
async fn apps_and_personal_tokens_are_ended_where_they_are_listed() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let client = registered(&app).await;
    let code = code(&browser, &client, &[("resource", DOCS), ("scope", "docs:read")]).await;
    assert_eq!(app.token(&[], redemption(&client, &code, &[("resource", DOCS)])).await.status, StatusCode::OK);
    personal_token(&browser, &[("server", id.as_str()), ("scope", "docs:read")]).await;
    for (kind, action, field, done, receipt) in [
        ("apps", "/fn/end_grant", "grant", "app-ended", "Access ended."),
        ("tokens", "/fn/revoke_personal_token", "token", "token-revoked", "Token revoked."),
    ] {
        let page = callers(&id, kind);
        let rows = browser.get(&page).await.body;
        let one = between(&rows, &format!("name=\"{field}\" value=\""), "\"").to_owned();
        let ended = browser.submit(&page, action, &[(field, &one), ("server", id.as_str())]).await;
        assert!(ended.header("location").starts_with(&format!("{page}&done={done}&of=")));
        let shown = browser.get(ended.header("location")).await.body;
        assert!(shown.contains(receipt) && !shown.contains(&one), "{shown}");
    }
}

#[tokio::test]
async fn connected_apps_are_found_by_server_person_and_name() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let id = docs(&app).await;
    let client = registered(&app).await;
    let (grace, lin) = (
        in_team(&app, "grace@example.com", &team, Role::Viewer).await,
        in_team(&app, "lin@example.com", &team, Role::Viewer).await,
    );
    let (of_grace, of_lin) = (signed_in_as(&app, &grace).await, signed_in_as(&app, &lin).await);
    granted(&app, &of_grace, &client).await;
    let code = code(&of_lin, &client, &[("resource", DOCS), ("scope", "docs:read")]).await;
    assert_eq!(app.token(&[], redemption(&client, &code, &[("resource", DOCS)])).await.status, StatusCode::OK);

    let found = async |browser: &Browser<'_>, query: &str| {
        let page = browser.get(&format!("/apps?{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        let is_named = |name: &str| page.body.contains(&format!(" for {name}<"));
        (is_named("grace"), is_named("lin"))
    };
    for (query, expected) in [
        (String::new(), (true, true)),
        (format!("server={id}"), (false, true)),
        ("q=GRA".to_owned(), (true, false)),
        ("q=mcp".to_owned(), (true, true)),
        (format!("server={id}&q=grace"), (false, false)),
        ("q=%25".to_owned(), (false, false)),
    ] {
        assert_eq!(found(&administrator, &query).await, expected, "{query}");
    }
    assert_eq!(found(&of_grace, "q=mcp").await, (true, false), "a person finds their own");
    assert_eq!(found(&of_grace, &format!("server={id}")).await, (false, false));
    let page = administrator.get(&format!("/apps?server={id}&q=grace")).await.body;
    assert!(page.contains("No connected app matches.") && page.contains("value=\"grace\""), "{page}");
    assert!(page.contains(&format!("<option value=\"{id}\" selected>Docs</option>")), "{page}");
}

#[tokio::test]
async fn a_number_says_whose_callers_it_counts() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let id = docs(&app).await;
    job(&app, "of others", &search).await;
    let grace = in_team(&app, "grace@example.com", &payments, Role::Manager).await;
    let browser = signed_in_as(&app, &grace).await;
    let own = [
        ("credentials", "No credential of your teams may call this server. <a"),
        ("apps", "None of your connected apps may call this server."),
        ("tokens", "None of your personal tokens is for this server."),
    ];
    for (kind, words) in own {
        let page = text(browser.get(&callers(&id, kind)).await);
        assert!(page.contains(words) && page.contains("<dt>Credentials of your teams</dt>"), "{kind}: {page}");
    }
    assert!(text(browser.get("/servers").await).contains(">Credentials of your teams</th>"));
    let page = text(administrator.get(&callers(&id, "credentials")).await);
    assert!(!page.contains("your teams") && page.contains("<dt>Credentials</dt>"), "{page}");
}

#[tokio::test]
async fn a_disabled_person_is_no_new_owner_and_the_present_one_is_marked() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let (grace, lin) = (
        in_team(&app, "grace@example.com", &team, Role::Manager).await,
        in_team(&app, "lin@example.com", &team, Role::Manager).await,
    );
    let draft =
        Draft { name: "job".to_owned(), team: Some(team.clone()), owner: Some(grace.id.clone()), ..Draft::default() };
    let job = generate(&app.instance.context, &operator(), &draft, None).await.expect("generates").credential;
    let manager = in_team(&app, "mei@example.com", &team, Role::Manager).await;
    for person in [&grace, &lin] {
        manage::disable(&app.instance.context, &operator(), &person.id).await.expect("disables");
    }
    for browser in [administrator, signed_in_as(&app, &manager).await] {
        let page = text(browser.get(&format!("/credentials/{}/edit", job.client_id)).await);
        let choice = between(&page, "<select id=\"owner\"", "</select>");
        assert!(choice.contains(">grace (disabled)</option>") && !choice.contains(lin.id.as_str()), "{choice}");
    }
}

#[tokio::test]
async fn the_page_of_a_server_shows_what_changed_as_far_as_the_visitor_sees_it() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let id = docs(&app).await;
    let edit = format!("/servers/{id}/edit");
    let save = async |scopes: &str| {
        let saved = administrator.submit(&edit, &edit, &[("name", "Docs"), ("scopes", scopes)]).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        saved.header("location").to_owned()
    };
    let view = format!("/servers/{id}?view=activity");
    assert_eq!(save("docs:read Read.\ndocs:write").await, format!("/servers/{id}?done=edited"));
    let page = text(administrator.get(&view).await);
    let changes = between(&page, "Latest changes", "</section>");
    assert!(changes.contains("MCP server changed"), "{changes}");
    assert!(changes.contains(&format!("<a href=\"/activity?target={id}\">See all entries</a>")), "{changes}");
    let viewer = in_team(&app, "grace@example.com", &team, Role::Viewer).await;
    let page = text(signed_in_as(&app, &viewer).await.get(&view).await);
    assert!(page.contains("Nothing yet.") && !page.contains("MCP server changed"), "{page}");

    // Another first scope.
    let receipt = save("docs:write\ndocs:read Read.").await;
    let words = "Changes saved. They count from the next token on. docs:write is the default scope now.";
    assert!(text(administrator.get(&receipt).await).contains(words), "{receipt}");
    let untrue = administrator.get(&format!("/servers/{id}?done=edited&default=docs:read")).await;
    assert!(!text(untrue).contains("default scope now"));
}

#[tokio::test]
async fn archiving_names_the_longest_lifetime_of_tokens() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app).await;
    let page = format!("/servers/{id}/archive");
    let words = async || text(browser.get(&page).await);
    assert!(words().await.contains("work until they expire, 10 minutes at most."));
    let draft = Draft {
        name: "job".to_owned(),
        servers: vec![DOCS.to_owned()],
        token_lifetime: Some(Duration::from_secs(1800)),
        ..Draft::default()
    };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates");
    assert!(words().await.contains("work until they expire, 30 minutes at most."), "{}", words().await);
}
