//! The list of credentials in the dashboard: what is seen first, columns, actions on several credentials and their
//! receipts, exports.

use std::time::Duration;

use axum::http::StatusCode;
use domain::audit;
use domain::base::id::TeamId;
use domain::credential::inspect;
use domain::model::audit::Filter;
use domain::model::credential::draft::DraftProof;
use domain::model::credential::key::KeysDraft;
use domain::model::credential::{Credential, Status};
use domain::model::incident::Policy;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::PROOF_LIFETIME;
use domain::model::person::team::InvitedRole;
use server::incident::LeakReports;

use crate::html::between;
use crate::roles::{KEY, generated_for, joined, new_team, signed_in_as};
use crate::support::{App, Browser, FORM, PASSWORD, basic};

async fn read(app: &App, id: &str) -> Credential {
    let id = domain::base::id::ClientId::parse(id).expect("a client ID");
    inspect::find(&app.instance.context, &Authority::Everything, &id).await.expect("reads").expect("exists")
}

async fn status(app: &App, id: &str) -> Status {
    read(app, id).await.status(app.instance.context.now())
}

/// Sends the form of the page for an action on these credentials.
async fn act(browser: &Browser<'_>, action: &str, ids: &[&str], fields: &[(&str, &str)]) -> crate::support::Answer {
    let ticked: Vec<(&str, &str)> = ids.iter().map(|id| ("client_id", *id)).collect();
    let query: Vec<String> = ids.iter().map(|id| format!("client_id={id}")).collect();
    let page = format!("/credentials/several?do={action}&{}", query.join("&"));
    let asked = browser.get(&page).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    browser.submit(&page, "/credentials/several", &[&[("do", action)], ticked.as_slice(), fields].concat()).await
}

#[tokio::test]
async fn a_leaked_secret_that_works_is_seen_first() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await;
    let leaked = app.generated("incident-bot", &["mcp:read"]).await;
    app.instance.clock.advance(Duration::from_secs(1));
    app.generated("job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    let before = browser.get("/credentials").await.body;
    assert!(before.find(">job<") < before.find(">incident-bot<") && !before.contains("status=leaked"));

    let secret = leaked.secret.as_ref().expect("a secret").expose();
    let report = axum::http::Request::post("/leaks/report").header("content-type", FORM);
    let report = report.body(format!("token={secret}").into()).expect("a request");
    assert_eq!(app.send(report).await.status, StatusCode::ACCEPTED);
    let list = browser.get("/credentials").await.body;
    assert!(list.find(">incident-bot<") < list.find(">job<"), "{list}");
    assert!(list.contains(">Leaked<") && list.contains(r#"data-tone="danger" href="/credentials?status=leaked""#));
    let only = browser.get("/credentials?status=leaked").await.body;
    assert!(only.contains(">incident-bot<") && !only.contains(">job<") && only.contains("1–1 of 1"));

    act(&browser, "revoke", &[leaked.credential.client_id.as_str()], &[]).await;
    assert!(!browser.get("/credentials").await.body.contains("status=leaked"), "it is over");
}

#[tokio::test]
async fn the_end_of_a_secret_finds_its_credential_and_the_credential_leads_back() {
    let app = App::new().await;
    let job = app.generated("nightly", &["mcp:read"]).await;
    app.generated("other", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    let hint = job.secret.as_ref().expect("a secret").hint();
    let found = browser.get(&format!("/credentials?q={hint}&sort=name")).await.body;
    assert!(found.contains(">nightly<") && !found.contains(">other<"), "{found}");
    let id = &job.credential.client_id;
    assert!(found.contains(&format!(r#"href="/credentials/{id}?list=q%3D{hint}%26sort%3Dname""#)), "{found}");
}

#[tokio::test]
async fn the_browser_remembers_the_columns() {
    let app = App::new().await;
    app.generated("job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    let has = |page: &str, title: &str| page.contains(&format!("class=\"{title}\""));
    let usual = browser.get("/credentials").await.body;
    assert!(
        has(&usual, "status") && has(&usual, "proof") && !has(&usual, "scopes") && !has(&usual, "team"),
        "one team"
    );
    let chosen = browser.get("/credentials?column=name&column=scopes&column=created&column=nonsense").await.body;
    assert!(has(&chosen, "scopes") && has(&chosen, "created") && !has(&chosen, "status"));
    assert_eq!(browser.cookie("countersign_columns").as_deref(), Some("name.scopes.created"));
    let later = browser.get("/credentials?sort=name").await.body;
    assert!(has(&later, "scopes") && !has(&later, "status"));
    let only_names = browser.get("/credentials?column=name").await.body;
    assert!(!has(&only_names, "scopes") && only_names.contains(">job<"));
}

#[tokio::test]
async fn an_action_on_several_ends_with_a_receipt() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (one, two, three) = (
        app.generated("one", &["mcp:read"]).await,
        app.generated("two", &["mcp:read"]).await,
        app.generated("three", &["mcp:read"]).await,
    );
    for _ in 0..3 {
        app.token(&[("authorization", &basic(&one))], "grant_type=client_credentials").await;
    }
    let ids = [&one, &two, &three].map(|one| one.credential.client_id.to_string());
    let ids = ids.each_ref().map(String::as_str);
    act(&browser, "revoke", &ids[2..], &[]).await;

    let page = browser.get(&format!("/credentials/several?do=revoke&client_id={}&client_id={}", ids[0], ids[2])).await;
    assert!(page.body.contains("Revoke 2 credentials?") && page.body.contains("This cannot be undone."));
    assert!(page.body.contains("3 times") && page.body.contains(">three<"), "{}", page.body);
    // It asks like the page of one credential.
    assert!(page.body.contains("data-tone=\"danger\" aria-labelledby=\"final\""), "{}", page.body);
    assert!(page.body.contains("Live tokens that end") && page.body.contains("the status list"), "{}", page.body);
    let answer = act(&browser, "revoke", &ids, &[("reason", "found in a log"), ("list", "status=idle")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!([status(&app, ids[0]).await, status(&app, ids[1]).await], [Status::Revoked; 2]);

    let receipt = browser.get(answer.header("location")).await.body;
    assert!(receipt.contains("2 credentials revoked, 3 live tokens ended, 1 was revoked before."), "{receipt}");
    let newest = audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 1).await;
    let last = newest.expect("reads").remove(0).seq;
    for expected in [
        format!(r#"href="/credentials/{}""#, ids[0]),
        format!(r#"href="/activity?before={}""#, last + 1),
        "Reason: found in a log".to_owned(),
        format!("revoked: two {} (audit entry {last})", ids[1]),
        format!("{} UTC, Ada", app.instance.context.now().rfc3339()[..16].replace('T', " ")),
        "3 live tokens ended.".to_owned(),
        format!("not changed: three {} (was revoked before)", ids[2]),
        r#"href="/credentials?status=idle""#.to_owned(),
    ] {
        assert!(receipt.contains(&expected), "{expected}: {receipt}");
    }
    // The button of a leak's page ends there too.
    let fields = [("client_ids", format!("{} {}", ids[0], ids[1])), ("reason", "Leaked".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let again = browser.submit("/credentials", "/fn/revoke_credentials", &fields).await;
    let again = browser.get(again.header("location")).await.body;
    assert!(again.contains("Nothing was changed, 2 were revoked before."), "{again}");
}

#[tokio::test]
async fn several_are_disabled_enabled_tagged_moved_and_rotated() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let team = new_team(&app, "Search").await;
    let (one, two) = (app.generated("one", &["mcp:read"]).await, app.generated("two", &["mcp:read"]).await);
    let ids = [&one, &two].map(|one| one.credential.client_id.to_string());
    let ids = ids.each_ref().map(String::as_str);
    let receipt_of = async |answer: crate::support::Answer| {
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser.get(answer.header("location")).await.body
    };

    let receipt = receipt_of(act(&browser, "disable", &ids, &[]).await).await;
    assert!(receipt.contains("2 credentials disabled.") && receipt.contains("Enable again"), "{receipt}");
    assert_eq!(status(&app, ids[1]).await, Status::Disabled);
    let receipt = receipt_of(act(&browser, "enable", &ids[..1], &[]).await).await;
    assert!(receipt.contains("1 credential enabled."), "{receipt}");

    let wrong = act(&browser, "tag", &ids, &[("add", "Env Prod!"), ("remove", "")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains(r##"href="#add""##) && wrong.body.contains("Env Prod!"), "{}", wrong.body);
    let receipt = receipt_of(act(&browser, "tag", &ids, &[("add", "env:prod nightly")]).await).await;
    assert!(receipt.contains("2 credentials tagged."), "{receipt}");
    assert_eq!(read(&app, ids[0]).await.tags, ["env:prod", "nightly"]);
    act(&browser, "tag", &ids[..1], &[("remove", "nightly")]).await;
    assert_eq!(read(&app, ids[0]).await.tags, ["env:prod"]);
    assert!(browser.get("/credentials?tag=nightly").await.body.contains("1–1 of 1"));

    let asked = |action: &str| format!("/credentials/several?do={action}&client_id={}&client_id={}", ids[0], ids[1]);
    let page = browser.get(&asked("move")).await.body;
    assert!(page.contains(">Continue</button>") && page.contains("data-label=\"Current team\">Default<"), "{page}");
    let page = browser.get(&format!("{}&team={team}", asked("move"))).await.body;
    assert!(page.contains(">Move 2 credentials to Search?</h1>") && page.contains(">Move credentials<"), "{page}");
    let page = browser.get(&asked("disable")).await.body;
    assert!(page.contains("<button class=\"button\">Disable credentials<"), "a quiet button: {page}");
    assert!(page.contains("Tokens that are refused while disabled"), "{page}");
    let receipt = receipt_of(act(&browser, "move", &ids, &[("team", team.as_str())]).await).await;
    assert!(receipt.contains("2 credentials moved."), "{receipt}");
    assert_eq!(read(&app, ids[1]).await.team, team);

    let page = browser.get(&format!("/credentials/several?do=rotate&client_id={}&client_id={}", ids[0], ids[1])).await;
    assert!(page.body.contains("Rotate 2 secrets?") && !page.body.contains("leaked"), "{}", page.body);
    assert!(page.body.contains(">Search<") && page.body.contains(&format!("<code>{}", ids[1])), "{}", page.body);
    let client_ids = ids.join(" ");
    let fields = [
        ("client_ids", client_ids.as_str()),
        ("how", "rotate"),
        ("confirmed", "yes"),
        ("overlap", "3600"),
        ("list", ""),
    ];
    let secrets = browser.submit("/credentials", "/credentials/renew", &fields).await;
    assert!(secrets.body.contains("Save your new client secrets"), "{}", secrets.body);
    assert!(secrets.body.contains(&format!("\"{}\",css_", ids[0])), "all secrets as CSV: {}", secrets.body);
    assert!(browser.get("/credentials?status=rotating").await.body.contains("1–1 of 1"), "one is disabled");
}

#[tokio::test]
async fn nothing_ticked_shows_the_list_again() {
    let app = App::new().await;
    app.generated("job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    for action in ["revoke", "rotate", "export"] {
        let page = browser.get(&format!("/credentials/several?do={action}&list=q%3Djob%26sort%3Dname")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.body.contains("Nothing is selected. Tick the credentials first."), "{}", page.body);
        assert!(page.body.contains(r#"value="job""#) && page.body.contains(r#"aria-sort="ascending""#));
    }
    // An action that does not fit leads back to the list, too.
    let team = TeamId::first();
    let draft = KeysDraft { text: KEY.to_owned(), ..KeysDraft::default() };
    let key = generated_for(&app, &team, "key", DraftProof::Keys(draft)).await.credential.client_id;
    let page = browser.get(&format!("/credentials/several?do=rotate&client_id={key}&list=sort%3Dname")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("None of these credentials has a secret.") && page.body.contains(">job<"));
    let unknown = browser.get("/credentials/several?do=nonsense&client_id=csc_0000000000000000000000").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_role_does_not_allow_stays_and_the_receipt_says_so() {
    let app = App::new().await;
    let (team, other) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let own = generated_for(&app, &team, "own", DraftProof::Secret).await.credential.client_id;
    let foreign = generated_for(&app, &other, "foreign", DraftProof::Secret).await.credential.client_id;
    let person = joined(&app, "lin@example.com", InvitedRole::Team(team.clone(), Role::Member)).await;
    let browser = signed_in_as(&app, &person).await;
    let fields = [("do", "disable"), ("client_id", own.as_str()), ("client_id", foreign.as_str())];
    let answer = browser.submit("/credentials", "/credentials/several", &fields).await;
    let receipt = browser.get(answer.header("location")).await.body;
    assert!(receipt.contains("1 credential disabled, 1 could not be disabled."), "{receipt}");
    assert!(!receipt.contains(">foreign<") && receipt.contains("A credential that you do not see"), "{receipt}");
    assert_eq!(status(&app, foreign.as_str()).await, Status::Unverified);
    // A member neither moves nor tags.
    let fields = [("do", "tag"), ("client_id", own.as_str()), ("add", "prod")];
    assert_eq!(browser.submit("/credentials", "/credentials/several", &fields).await.status, StatusCode::FORBIDDEN);
    let bar = browser.get("/credentials").await.body;
    assert!(bar.contains(r#"value="revoke""#) && !bar.contains(r#"value="move""#));
    // Enabling lets something work again, so a proof that is too old must be renewed.
    app.instance.clock.advance(PROOF_LIFETIME);
    let fields = [("do", "enable"), ("client_id", own.as_str())];
    let asked = browser.submit("/credentials", "/credentials/several", &fields).await;
    assert!(asked.status == StatusCode::UNPROCESSABLE_ENTITY && asked.body.contains("Your password"));
    let fields = [fields.as_slice(), &[("your_password", PASSWORD)]].concat();
    assert_eq!(browser.submit("/credentials", "/credentials/several", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(status(&app, own.as_str()).await, Status::Unverified);
}

#[tokio::test]
async fn the_list_becomes_a_file_without_secrets_and_the_audit_log_says_who_took_it() {
    let app = App::new().await;
    let team = new_team(&app, "Payments").await;
    let own = generated_for(&app, &team, "=own, \"quoted\"", DraftProof::Secret).await;
    let foreign = app.generated("foreign", &["mcp:read"]).await;
    let person = joined(&app, "lin@example.com", InvitedRole::Team(team.clone(), Role::Viewer)).await;
    let viewer = signed_in_as(&app, &person).await;
    let csv = viewer.submit("/credentials/export", "/credentials/export", &[("format", "csv"), ("list", "")]).await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"countersign-credentials.csv\"");
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.body);
    assert!(lines[0].starts_with("client_id,name,status,auth_method,"), "{}", lines[0]);
    assert!(lines[1].contains(r#""'=own, ""quoted""","unverified""#), "{}", lines[1]);
    assert!(!csv.body.contains("css_"));

    let admin = app.signed_in().await;
    let id = foreign.credential.client_id.as_str();
    let fields = [("format", "json"), ("client_id", id), ("client_id", own.credential.client_id.as_str())];
    let json = admin.submit("/credentials/export", "/credentials/export", &fields).await.json();
    assert_eq!(json.as_array().expect("a list").len(), 2);
    assert_eq!((json[0]["name"].as_str(), json[0]["status"].as_str()), (Some("foreign"), Some("unverified")));
    let fields = [("format", "json"), ("list", "status=revoked")];
    let none = admin.submit("/credentials/export", "/credentials/export", &fields).await.json();
    assert_eq!(none, serde_json::json!([]));
    let wrong = admin.submit("/credentials/export", "/credentials/export", &[("format", "xml")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    let entries = audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 50).await;
    let mut exports = entries.expect("reads");
    exports.retain(|entry| entry.action == "credentials.exported");
    let details: Vec<&str> = exports.iter().map(|entry| entry.details.as_str()).collect();
    let of_viewer = r#"{"filter":"","format":"csv"}"#;
    let expected =
        [r#"{"filter":"status=revoked","format":"json"}"#, r#"{"credentials":2,"format":"json"}"#, of_viewer];
    assert_eq!(details, expected);
    assert_eq!(exports[2].actor_id, person.id.as_str());
}

#[tokio::test]
async fn a_secret_that_was_searched_for_stands_in_no_entry_and_in_no_link() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (made, token) = app.access_token(&["mcp:read"]).await;
    let secret = made.secret.as_ref().expect("a secret");
    let end = &token[token.len() - 4..];
    for (typed, hint) in [(secret.expose(), secret.hint().as_str()), (token.as_str(), end)] {
        let list = format!("q={typed}&status=");
        let fields = [("format", "csv"), ("list", list.as_str())];
        let file = browser.submit("/credentials/export", "/credentials/export", &fields).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.body);
        assert_eq!(file.body.lines().count(), if hint == end { 1 } else { 2 }, "its end finds it: {}", file.body);
        let filter = Filter { action: Some("credentials.exported".to_owned()), ..Filter::default() };
        let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 1).await.expect("reads");
        assert_eq!(entries[0].details, format!(r#"{{"filter":"q={hint}","format":"csv"}}"#));
        for address in [
            format!("/search?q={typed}"),
            format!("/credentials?q={typed}"),
            format!("/credentials/export?list=q%3D{typed}"),
            format!("/credentials/several?do=disable&list=q%3D{typed}"),
            format!("/apps/clients?q={typed}"),
            format!("/activity?actor={typed}"),
            format!("/activity?target={typed}"),
        ] {
            let page = browser.get(&address).await.body;
            assert!(!page.contains(typed) && page.contains(hint), "{address}: {page}");
            let sent = app.browser().get(&address).await;
            assert_eq!(sent.status, StatusCode::SEE_OTHER, "somebody who is not signed in");
            assert!(!sent.header("location").contains(typed), "{}", sent.header("location"));
        }
    }
}

#[tokio::test]
async fn rare_filters_stand_behind_more_which_names_the_one_in_use() {
    let app = App::new().await;
    let ended = app.generated("ended", &["mcp:read"]).await.credential.client_id;
    app.generated("job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    act(&browser, "revoke", &[ended.as_str()], &[]).await;
    let pills = async |page: &str| {
        let body = browser.get(page).await.body.replace("<!>", "");
        assert!(body.contains("data-tone=\"idle\" class=\"chip\">Revoked<"), "{page}: what ended is grey: {body}");
        between(&body, "class=\"pills\"", "</nav>").to_owned()
    };
    let all = pills("/credentials").await;
    let (usual, rare) = all.split_once("More<svg").expect("a menu");
    assert!(!usual.contains("Revoked") && rare.contains("Revoked <b>1</b>"), "{all}");
    let revoked = pills("/credentials?status=revoked").await;
    assert!(revoked.contains("Revoked<svg") && !revoked.contains("More<svg"), "{revoked}");
}
