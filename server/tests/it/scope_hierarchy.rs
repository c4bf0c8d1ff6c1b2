//! Scopes that imply others: the form and the command that say it, and each token that carries it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::base::id::McpServerId;
use domain::credential::generate::{Generated, generate};
use domain::model::credential::draft::Draft;
use domain::model::person::authority::Authority;
use domain::model::person::session::PROOF_LIFETIME;
use domain::server::{self, callers};
use serde_json::{Value, json};

use crate::command_line::Folder;
use crate::html::between;
use crate::interactive::{
    code, confidential, decide, error, parameter, path, query, redemption, redirect, refreshing, registered, text,
};
use crate::personal_tokens::generated as personal_token;
use crate::roles::operator;
use crate::support::{Answer, App, Browser, FORM, PASSWORD, basic, basic_of};

const DOCS: &str = "https://docs.example/mcp";
const LINES: &str = "docs:read Read the documents.\n\
                     docs:write (implies docs:read) Create and change pages.\n\
                     docs:admin (implies docs:write, docs:share) Manage.\n\
                     docs:share Share pages.";

/// The MCP server, added with the form.
async fn docs(app: &App, browser: &Browser<'_>) -> McpServerId {
    let fields = [("name", "Docs"), ("resource", DOCS), ("scopes", LINES)];
    let answer = browser.submit("/servers/new", "/servers/new", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    server::find_named(&app.instance.context, DOCS).await.expect("reads").expect("a server").id
}

async fn job(app: &App, scopes: &[&str]) -> Generated {
    let draft = Draft {
        name: "job".to_owned(),
        servers: vec![DOCS.to_owned()],
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Draft::default()
    };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates")
}

/// The answer to an exchange for these scopes; nothing: without a scope.
async fn exchanged(app: &App, credential: &Generated, scope: &str) -> Answer {
    let body = match scope {
        "" => "grant_type=client_credentials".to_owned(),
        scope => format!("grant_type=client_credentials&scope={}", scope.replace(' ', "+")),
    };
    app.token(&[("authorization", &basic(credential))], body).await
}

#[tokio::test]
async fn a_token_carries_what_its_scopes_imply() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    docs(&app, &browser).await;
    let writer = job(&app, &["docs:write"]).await;
    for (asked, granted) in [
        ("", "docs:write docs:read"),
        ("docs:write", "docs:write docs:read"),
        ("docs:read", "docs:read"),
        ("docs:read docs:write", "docs:read docs:write"),
        ("docs:read docs:share unknown", "docs:read"),
    ] {
        assert_eq!(text(&exchanged(&app, &writer, asked).await, "scope"), granted, "{asked}");
    }
    for more in ["docs:share", "docs:admin"] {
        assert_eq!(error(&exchanged(&app, &writer, more).await), (400, "invalid_scope".to_owned()), "{more}");
    }
    let admin = job(&app, &["docs:admin"]).await;
    let answer = exchanged(&app, &admin, "").await;
    assert_eq!(text(&answer, "scope"), "docs:admin docs:read docs:write docs:share");
    // The ledger, and so the pages, know the same scopes.
    let found = browser.submit("/tokens", "/tokens", &[("token", &text(&answer, "access_token"))]).await;
    assert!(found.body.contains("docs:share"), "{}", found.body);
    // Nothing is implied upwards, and nothing at another server.
    let reader = job(&app, &["docs:read"]).await;
    assert_eq!(text(&exchanged(&app, &reader, "").await, "scope"), "docs:read");
    assert_eq!(error(&exchanged(&app, &reader, "docs:write").await), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn an_edit_of_what_a_scope_implies_counts_from_the_next_exchange() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app, &browser).await;
    let writer = job(&app, &["docs:write"]).await;
    assert_eq!(text(&exchanged(&app, &writer, "").await, "scope"), "docs:write docs:read");
    let edit = format!("/servers/{id}/edit");
    let form = browser.get(&edit).await.body;
    assert!(form.contains("docs:write (implies docs:read) Create and change pages."), "{form}");
    assert!(form.contains("docs:admin (implies docs:write docs:share) Manage."), "{form}");
    let shown = browser.get(&format!("/servers/{id}")).await.body.replace("<!>", "");
    assert!(shown.contains("Implies <span class=\"scope\">docs:read</span>"), "{shown}");

    // Less needs no new proof, more does.
    app.instance.clock.advance(PROOF_LIFETIME);
    let with = |lines: &str| [("name", "Docs".to_owned()), ("scopes", lines.to_owned())];
    let save = async |lines: &str, proof: &[(&str, &str)]| {
        let fields = with(lines);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.submit(&edit, &edit, &[&fields[..], proof].concat()).await
    };
    let less = LINES.replace("docs:write (implies docs:read)", "docs:write");
    assert_eq!(save(&less, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(text(&exchanged(&app, &writer, "").await, "scope"), "docs:write");
    let more = less.replace("docs:write Create", "docs:write (implies docs:share) Create");
    assert_eq!(save(&more, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "it needs the password");
    assert_eq!(save(&more, &[("your_password", PASSWORD)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(text(&exchanged(&app, &writer, "").await, "scope"), "docs:write docs:share");

    for (lines, said) in [
        ("a (implies b)\nb (implies c)\nc (implies a)", "a implies itself"),
        ("a (implies a)", "a implies itself"),
        ("a (implies docs:raed)", "a implies docs:raed, which is none of these scopes"),
        ("a (implies b Write.\nb", "a implies Write., which is none of these scopes"),
    ] {
        let fields = [("name", "Other"), ("resource", "https://other.example/mcp"), ("scopes", lines)];
        let refused = browser.submit("/servers/new", "/servers/new", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{lines}");
        assert!(refused.body.contains(said), "{said}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_person_reads_all_that_is_implied_and_is_not_asked_for_it_again() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    docs(&app, &browser).await;
    let client_id = registered(&app).await;
    let asked = |scope| [("resource", DOCS), ("scope", scope)];
    let page = browser.get(&path(&query(&client_id, &asked("docs:write")))).await.body;
    for shown in ["Read the documents.", "Create and change pages."] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("Manage."), "{page}");
    let code = code(&browser, &client_id, &asked("docs:write")).await;
    let answer = app.token(&[], redemption(&client_id, &code, &[])).await;
    assert_eq!(text(&answer, "scope"), "docs:write docs:read");
    let narrowed = format!("{}&scope=docs:read", refreshing(&client_id, &text(&answer, "refresh_token")));
    let answer = app.token(&[], narrowed).await;
    assert_eq!(text(&answer, "scope"), "docs:read");
    let refresh = text(&answer, "refresh_token");
    let wider = format!("{}&scope=docs:share", refreshing(&client_id, &refresh));
    assert_eq!(error(&app.token(&[], wider).await), (400, "invalid_scope".to_owned()));
    let again = format!("{}&scope=docs:write", refreshing(&client_id, &refresh));
    assert_eq!(text(&app.token(&[], again).await, "scope"), "docs:write docs:read");

    // A client whose consent is remembered.
    let (client_id, secret) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let of = |scope| query(&client_id, &[callback, ("resource", DOCS), ("scope", scope)]);
    let allowed = decide(&browser, &of("docs:write"), "allow").await;
    let body = redemption(&client_id, parameter(&redirect(&allowed).1, "code"), &[callback]);
    app.token(&[("authorization", &basic_of(&client_id, &secret))], body).await;
    for held in ["docs:read", "docs:write docs:read"] {
        let answer = browser.get(&path(&of(held))).await;
        assert!(!parameter(&redirect(&answer).1, "code").is_empty(), "{held}");
    }
    for more in ["docs:share", "docs:admin"] {
        assert!(browser.get(&path(&of(more))).await.body.contains("Allow access"), "{more}");
    }
}

#[tokio::test]
async fn a_personal_token_carries_what_its_scopes_imply() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app, &browser).await;
    let fields = [("server", id.as_str()), ("scope", "docs:write"), ("expiry", "30")];
    let token = personal_token(&browser, &fields).await;
    let machine = job(&app, &["tokens:introspect"]).await;
    let request = Request::post("/mcp/oauth/introspect").header("authorization", basic(&machine));
    let request = request.header("content-type", FORM).body(Body::from(format!("token={token}")));
    let answer = app.send(request.expect("a request")).await.json();
    assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!("docs:write docs:read")), "{answer}");
}

#[tokio::test]
async fn who_gets_a_scope_is_counted_and_listed_with_those_who_get_it_through_another_one() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app, &browser).await;
    let mut jobs = Vec::new();
    for scopes in [&["docs:read"][..], &["docs:read", "docs:write"], &["docs:admin"], &["docs:share"]] {
        jobs.push(job(&app, scopes).await.credential.client_id);
    }
    let client = registered(&app).await;
    let code = code(&browser, &client, &[("resource", DOCS), ("scope", "docs:admin")]).await;
    let granted = app.token(&[], redemption(&client, &code, &[])).await;
    let refresh = granted.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    personal_token(&browser, &[("server", id.as_str()), ("scope", "docs:write"), ("expiry", "30")]).await;

    let context = &app.instance.context;
    let server = server::find(context, &id).await.expect("reads").expect("a server");
    let counted = callers::count(context, &Authority::Everything, &server).await.expect("counts").by_scope;
    let counted: Vec<_> = counted.iter().map(|(_, all)| (all.credentials, all.apps, all.personal_tokens)).collect();
    assert_eq!(counted, [(3, 1, 1), (2, 1, 1), (1, 1, 0), (2, 1, 0)]);

    // Every page has one credential, so the credential that holds two of the scopes is there once.
    for (scope, expected) in
        [("docs:read", &[0, 1, 2][..]), ("docs:write", &[1, 2]), ("docs:admin", &[2]), ("docs:share", &[2, 3])]
    {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let scope = Some(scope);
            let page =
                callers::credentials(context, &Authority::Everything, &server, scope, cursor.as_deref(), 1).await;
            let page = page.expect("reads");
            found.extend(page.credentials.into_iter().map(|credential| credential.client_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut expected: Vec<_> = expected.iter().map(|place| jobs[*place].clone()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{scope}");
    }

    let view = async |kind: &str, scope: &str| {
        let page = browser.get(&format!("/servers/{id}?view=access&kind={kind}&scope={scope}")).await.body;
        let panel = page.replace("<!>", "").split_once("Who may call it").expect("the panel").1.to_owned();
        (panel.matches("<tr>").count() - 1, panel.matches("through docs:admin").count())
    };
    assert_eq!(view("credentials", "docs:read").await, (3, 1));
    assert_eq!(view("credentials", "docs:admin").await, (1, 0));
    assert_eq!(view("credentials", "").await, (4, 0));
    assert_eq!(view("apps", "docs:read").await, (1, 0), "the person read and allowed all implied scopes");
    assert_eq!(view("tokens", "docs:write").await, (1, 0));
    assert_eq!(view("tokens", "docs:read").await, (1, 0), "the token holds what its scope implied");
    let overview = browser.get(&format!("/servers/{id}")).await.body.replace("<!>", "");
    for (kind, count) in [("credentials", 3), ("apps", 1), ("tokens", 1)] {
        let link = format!("kind={kind}&amp;scope=docs%3Aread\">{count}</a>");
        assert!(overview.contains(&link), "{link}: {overview}");
    }

    let admin = browser.get(&format!("/credentials/{}", jobs[2])).await.body.replace("<!>", "");
    for implied in ["docs:read", "docs:write", "docs:share"] {
        let tag = format!(r#"<span class="scope">{implied}</span> <span class="muted">implied by docs:admin</span>"#);
        assert!(admin.contains(&tag), "{tag}: {admin}");
    }
    let reader = browser.get(&format!("/credentials/{}", jobs[0])).await.body;
    assert!(!reader.contains("implied by"), "{reader}");

    let more = LINES.replace("docs:admin (implies", "docs:list List.\ndocs:admin (implies docs:list,");
    let edit = format!("/servers/{id}/edit");
    let saved = browser.submit(&edit, &edit, &[("name", "Docs"), ("scopes", more.as_str())]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    // It was implied after the person allowed the app, so the app does not get it.
    let refreshed =
        app.token(&[], format!("grant_type=refresh_token&client_id={client}&refresh_token={refresh}")).await;
    assert!(!refreshed.body.contains("docs:list") && refreshed.body.contains("docs:admin"), "{}", refreshed.body);
    let none = browser.get(&format!("/servers/{id}?view=access&kind=apps&scope=docs:list")).await.body;
    assert!(none.contains("No connected app may call this server"), "{none}");
    assert_eq!(view("credentials", "docs:list").await, (1, 1), "a credential gets what its scopes mean now");
}

#[tokio::test]
async fn a_scope_that_programs_get_through_another_one_is_not_removed_by_accident() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = docs(&app, &browser).await;
    job(&app, &["docs:admin"]).await;
    job(&app, &["docs:write"]).await;
    personal_token(&browser, &[("server", id.as_str()), ("scope", "docs:write"), ("expiry", "30")]).await;
    let edit = format!("/servers/{id}/edit");
    let rest = "docs:write Change pages.\ndocs:admin (implies docs:write, docs:share) Manage.\ndocs:share Share pages.";
    let refused = browser.submit(&edit, &edit, &[("name", "Docs"), ("scopes", rest)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let page = refused.body.replace("<!>", "");
    for words in [
        "docs:read is in use",
        "Held by 2 credentials, 1 personal token, also through docs:write, docs:admin.",
        "Each credential keeps another scope",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let confirmed = [("name", "Docs"), ("scopes", rest), ("removes", "yes")];
    assert_eq!(browser.submit(&edit, &edit, &confirmed).await.status, StatusCode::SEE_OTHER);
}

#[test]
fn the_command_line_says_and_shows_what_a_scope_implies() {
    let folder = Folder::new("hierarchy");
    folder.json(&["credential", "create", "--name", "first", "--format", "json"]);
    let add = ["server", "add", "--name", "Docs", "--resource", DOCS, "--scope", "docs:read Read."];
    let run = |arguments: &[&str]| {
        let output = folder.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let (_, refused) = run(&[&add[..], &["--scope", "docs:write (implies docs:raed)"]].concat());
    assert!(refused.contains("--scope") && refused.contains("docs:write implies docs:raed"), "{refused}");
    let (added, output) = run(&[&add[..], &["--scope", "docs:write (implies docs:read) Change pages."]].concat());
    assert!(added, "{output}");
    let (_, shown) = run(&["server", "show", DOCS]);
    assert!(shown.contains("docs:write (implies docs:read) Change pages."), "{shown}");
    let scopes = || folder.json(&["server", "show", DOCS, "--format", "json"])["scopes"].clone();
    let of = |name: &str, allows: &str, implies: Value| json!({ "name": name, "allows": allows, "implies": implies });
    let read = of("docs:read", "Read.", json!([]));
    assert_eq!(scopes(), json!([read, of("docs:write", "Change pages.", json!(["docs:read"]))]));
    let created = folder.json(&[
        "credential",
        "create",
        "--name",
        "job",
        "--mcp-server",
        DOCS,
        "--scope",
        "docs:write",
        "--format",
        "json",
    ]);
    assert_eq!(created["scope"], "docs:write");
    let (_, shown) = run(&["server", "show", DOCS]);
    assert!(shown.contains("docs:read Read. (credentials: 1)"), "{shown}");

    // A name alone keeps its words and what it implies; new implications keep the words.
    let edit = |scopes: &[&str]| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        run(&["server", "edit", DOCS].into_iter().chain(scopes).collect::<Vec<_>>())
    };
    assert!(edit(&["docs:read", "docs:write"]).1.contains("Nothing changed."));
    assert!(edit(&["docs:read", "docs:write (implies docs:read docs:list)", "docs:list"]).0);
    assert_eq!(scopes()[1], of("docs:write", "Change pages.", json!(["docs:read", "docs:list"])));
    assert!(edit(&["docs:read", "docs:write Change pages.", "docs:list"]).0);
    assert_eq!(scopes()[1], of("docs:write", "Change pages.", json!([])));
    assert!(between(&run(&["server", "add", "--help"]).1, "--scope", "--token-lifetime").contains("implies"));
}
