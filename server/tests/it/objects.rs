//! Credentials as objects that people manage: editing, owners and tags, a second secret, the views of the page.

use std::time::Duration;

use axum::http::StatusCode;
use domain::audit;
use domain::base::id::{ClientId, TeamId};
use domain::credential::edit::{Edit, edit};
use domain::credential::generate::{Generated, generate};
use domain::credential::list::list;
use domain::credential::revoke::revoke;
use domain::credential::rotate::{self, second};
use domain::credential::several::{Kept, give_all};
use domain::credential::{CredentialError, Outcome, inspect};
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::credential::query::Query;
use domain::model::credential::{ClientSecret, Credential};
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::person::manage;
use domain::server::{self, ServerDraft};
use domain::token::verify::verify;
use serde_json::Value;

use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{Answer, App, basic, between};

const DOCS: &str = "https://docs.example/mcp";
const GRANT: &str = "grant_type=client_credentials";
const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

async fn docs(app: &App) {
    let scope =
        |name: &str| ScopeDescription { name: name.to_owned(), description: String::new(), implies: Vec::new() };
    let draft = ServerDraft {
        name: "Docs".to_owned(),
        resource: DOCS.to_owned(),
        scopes: vec![scope("docs:read"), scope("docs:write")],
        ..ServerDraft::default()
    };
    server::add(&app.instance.context, &operator(), &draft).await.expect("added");
}

async fn found(app: &App, id: &ClientId) -> Credential {
    inspect::find(&app.instance.context, &Authority::Everything, id).await.expect("reads").expect("a credential")
}

async fn exchange(app: &App, generated: &Generated) -> StatusCode {
    app.token(&[("authorization", &basic(generated))], GRANT).await.status
}

async fn in_team(app: &App, email: &str, team: &TeamId) -> Person {
    joined(app, email, InvitedRole::Team(team.clone(), Role::Manager)).await
}

/// The field of the error with which an operation was refused.
fn refused<T: std::fmt::Debug>(result: Result<T, CredentialError>) -> &'static str {
    match result {
        Err(CredentialError::Invalid(errors)) => errors.first().expect("an error").field,
        other => panic!("{other:?}"),
    }
}

/// A page without the marks of the renderer.
fn text(answer: Answer) -> String {
    answer.body.replace("<!>", "")
}

async fn last_details(app: &App) -> Value {
    let all = audit::list(&app.instance.context, &Authority::Everything, &Default::default(), 1).await;
    serde_json::from_str(&all.expect("reads")[0].details).expect("JSON")
}

#[tokio::test]
async fn everything_but_the_client_id_changes_and_the_log_has_both_values() {
    let app = App::new().await;
    docs(&app).await;
    let context = &app.instance.context;
    let team = new_team(&app, "Search").await;
    let grace = in_team(&app, "grace@example.com", &team).await;
    let draft = Draft { name: "job".to_owned(), team: Some(team), ..Draft::default() };
    let generated = generate(context, &operator(), &draft, None).await.expect("generates");
    let id = &generated.credential.client_id;
    let change = Edit {
        notes: "Ask before you stop it.".to_owned(),
        owner: Some(grace.id.clone()),
        tags: vec!["Nightly".to_owned(), "env:prod".to_owned()],
        servers: vec![DOCS.to_owned()],
        scopes: vec!["docs:write".to_owned()],
        expiry: Some(Expiry::After(30 * 24 * 60 * MINUTE)),
        ..Edit::of(&generated.credential)
    };
    edit(context, &operator(), id, &change).await.expect("edits");

    let after = found(&app, id).await;
    assert_eq!(after.notes, "Ask before you stop it.");
    assert_eq!(after.owner.as_ref().map(|owner| owner.name.as_str()), Some("grace"));
    assert_eq!(after.tags, ["env:prod", "nightly"]);
    assert_eq!(after.ends_at, Some(context.now().plus(30 * 24 * 60 * MINUTE)));
    let details = last_details(&app).await;
    assert_eq!(details["mcp_servers"]["before"][0], "http://localhost:8080/mcp");
    assert_eq!(details["mcp_servers"]["after"][0], DOCS);
    assert_eq!(details["scopes"]["after"], "docs:write");
    assert_eq!(details["owner"]["after"], "grace");
    assert_eq!(details["expires_at"]["after"], after.ends_at.expect("an end").rfc3339());
    let token = app.token(&[("authorization", &basic(&generated))], GRANT).await;
    assert_eq!(token.json()["scope"], "docs:write", "the next exchange obeys the new values");
    let again = edit(context, &operator(), id, &Edit::of(&after)).await.expect("edits");
    assert_eq!(again.outcome, Outcome::Unchanged, "the present values change nothing");
}

#[tokio::test]
async fn live_tokens_end_with_the_scope_that_is_taken_away_if_that_is_asked() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (generated, token) = app.access_token(&["mcp:read", "credentials:read"]).await;
    let id = &generated.credential.client_id;
    let narrower = Edit { scopes: vec!["mcp:read".to_owned()], ..Edit::of(&generated.credential) };
    let only_renamed = Edit { name: "other".to_owned(), ends_tokens: true, ..Edit::of(&generated.credential) };
    let edited = edit(context, &operator(), id, &only_renamed).await.expect("edits");
    assert_eq!(edited.tokens_ended, 0, "a name takes nothing away");
    edit(context, &operator(), id, &narrower).await.expect("edits");
    assert!(
        verify(context, &token, "http://localhost:8080/mcp", None).await.is_ok(),
        "the token keeps what it was granted"
    );

    let wider = Edit { scopes: vec!["mcp:read".into(), "credentials:read".into()], ..Edit::of(&found(&app, id).await) };
    edit(context, &operator(), id, &wider).await.expect("edits");
    let edited = edit(context, &operator(), id, &Edit { ends_tokens: true, ..narrower }).await.expect("edits");
    assert_eq!(edited.tokens_ended, 1);
    assert!(verify(context, &token, "http://localhost:8080/mcp", None).await.is_err());
    assert_eq!(last_details(&app).await["tokens_ended"], 1);
}

#[tokio::test]
async fn an_edit_obeys_the_access_of_teams_and_revives_no_expired_secret() {
    let app = App::new().await;
    docs(&app).await;
    let context = &app.instance.context;
    let short = Draft { name: "short".to_owned(), expiry: Expiry::After(MINUTE), ..Draft::default() };
    let generated = generate(context, &operator(), &short, None).await.expect("generates");
    let id = &generated.credential.client_id;
    let servers = server::list(context).await.expect("reads");
    let closed = servers.iter().find(|server| server.resource == DOCS).expect("docs");
    let nobody = ServerAccess::Teams(Default::default());
    server::set_access(context, &operator(), &closed.id, &nobody, true).await.expect("set");
    let to_docs = Edit {
        servers: vec![DOCS.to_owned()],
        scopes: vec!["docs:read".to_owned()],
        ..Edit::of(&generated.credential)
    };
    assert_eq!(refused(edit(context, &operator(), id, &to_docs).await), "server");
    let nowhere = Edit { servers: vec!["https://nowhere.example/mcp".to_owned()], ..Edit::of(&generated.credential) };
    assert_eq!(refused(edit(context, &operator(), id, &nowhere).await), "server");

    app.instance.clock.advance(MINUTE);
    let longer = Edit { expiry: Some(Expiry::Never), ..Edit::of(&generated.credential) };
    assert_eq!(refused(edit(context, &operator(), id, &longer).await), "expiry");
    assert_eq!(exchange(&app, &generated).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_secrets_work_until_one_is_removed() {
    let app = App::new().await;
    let context = &app.instance.context;
    let first = app.generated("job", &[]).await;
    let id = &first.credential.client_id;
    let second = second::add(context, &operator(), id, Expiry::default(), None).await.expect("added");
    assert_eq!(refused(second::add(context, &operator(), id, Expiry::default(), None).await.map(drop)), "main");
    for one in [&first, &second] {
        assert_eq!(exchange(&app, one).await, StatusCode::OK);
    }
    let secrets = inspect::secrets(context, id).await.expect("reads");
    let of_first =
        secrets.iter().find(|secret| first.secret.as_ref().expect("a secret").expose().ends_with(&secret.hint));
    second::remove(context, &operator(), id, &of_first.expect("the first").id).await.expect("removed");
    assert_eq!(exchange(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(exchange(&app, &second).await, StatusCode::OK);

    rotate::secret(context, &operator(), id, Default::default(), None, None).await.expect("rotates");
    let during = second::add(context, &operator(), id, Expiry::default(), None).await;
    assert!(matches!(during, Err(CredentialError::RotationUnderWay)), "cancelling would end it");
}

#[tokio::test]
async fn a_rotation_replaces_the_secret_that_was_chosen_and_no_other() {
    let app = App::new().await;
    let context = &app.instance.context;
    let first = app.generated("job", &[]).await;
    let id = &first.credential.client_id;
    app.instance.clock.advance(Duration::from_secs(60));
    let second = second::add(context, &operator(), id, Expiry::default(), None).await.expect("added");
    app.instance.clock.advance(Duration::from_secs(60));
    let ends_in = |generated: &Generated| generated.secret.as_ref().expect("a secret").hint();
    let named = async |generated: &Generated| {
        let secrets = inspect::secrets(context, id).await.expect("reads").into_iter();
        secrets.filter(|secret| secret.hint == ends_in(generated)).map(|secret| secret.id).next().expect("there")
    };
    let browser = app.signed_in().await;
    let form = format!("/credentials/{id}/rotate");
    let page = browser.get(&form).await.body;
    assert!(
        page.contains(&ends_in(&first)) && page.contains(&ends_in(&second)) && page.contains("All 2: each"),
        "{page}"
    );
    let unsaid = browser.submit(&form, &form, &[("overlap", "3600")]).await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.body.contains("Choose what the new one replaces."), "{}", unsaid.body);
    let chosen = named(&first).await.to_string();
    let shown = browser.submit(&form, &form, &[("overlap", "3600"), ("replaced", &chosen)]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    let retiring = |secrets: Vec<ClientSecret>| -> Vec<String> {
        secrets.into_iter().filter(|secret| secret.retires_at.is_some()).map(|secret| secret.hint).collect()
    };
    assert_eq!(retiring(inspect::secrets(context, id).await.expect("reads")), [ends_in(&first)]);
    assert!(browser.get(&form).await.body.contains("not part of the rotation"));

    // Cancelling ends the new one alone, and finishing ends the old one alone.
    rotate::cancel(context, &operator(), id).await.expect("cancels");
    for one in [&first, &second] {
        assert_eq!(exchange(&app, one).await, StatusCode::OK);
    }
    app.instance.clock.advance(Duration::from_secs(60));
    let (replaced, hour) = (named(&second).await, rotate::Overlap::For(Duration::from_secs(3600)));
    let third = rotate::secret_instead_of(context, &operator(), id, Some(&replaced), hour, None, None).await;
    let third = third.expect("rotates");
    rotate::finish(context, &operator(), id).await.expect("finishes");
    for (one, works) in [(&first, StatusCode::OK), (&second, StatusCode::UNAUTHORIZED), (&third, StatusCode::OK)] {
        assert_eq!(exchange(&app, one).await, works);
    }

    // The new secret ends by itself. What was no part of the rotation is not taken for it.
    app.instance.clock.advance(Duration::from_secs(60));
    let (replaced, short) = (named(&first).await, Some(Expiry::After(Duration::from_secs(60))));
    let fourth = rotate::secret_instead_of(context, &operator(), id, Some(&replaced), hour, short, None).await;
    let fourth = fourth.expect("rotates");
    app.instance.clock.advance(Duration::from_secs(120));
    assert!(browser.get(&form).await.body.contains("The new secret or key no longer works"));
    assert!(rotate::finish(context, &operator(), id).await.is_err(), "nothing replaced the old one");
    rotate::cancel(context, &operator(), id).await.expect("cancels");
    for (one, works) in [(&first, StatusCode::OK), (&third, StatusCode::OK), (&fourth, StatusCode::UNAUTHORIZED)] {
        assert_eq!(exchange(&app, one).await, works);
    }
}

#[tokio::test]
async fn the_page_adds_and_removes_a_secret() {
    let app = App::new().await;
    let first = app.generated("job", &[]).await;
    let id = &first.credential.client_id;
    let browser = app.signed_in().await;
    let (view, form) = (format!("/credentials/{id}?view=secrets"), format!("/credentials/{id}/secrets/new"));
    assert!(browser.get(&view).await.body.contains("Add a secret"));
    let past = browser.submit(&form, &form, &[("expiry", "date"), ("expires_on", "2020-01-01")]).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
    let shown = browser.submit(&form, &form, &[("expiry", "30")]).await;
    assert!(shown.body.contains("Save your new client secret"), "{}", shown.body);
    let page = browser.get(&view).await.body;
    assert!(!page.contains("Add a secret"), "two are the most");
    let secrets = inspect::secrets(&app.instance.context, id).await.expect("reads");
    let fields = [("client_id", id.as_str()), ("id", secrets[0].id.as_str())];
    let removed = browser.submit(&view, "/fn/remove_secret", &fields).await;
    assert_eq!(removed.header("location"), format!("/credentials/{id}?view=secrets&done=secret_removed"));
    let page = browser.get(removed.header("location")).await.body;
    assert!(page.contains("Secret removed.") && page.contains("Ended "), "{page}");
}

#[tokio::test]
async fn an_owner_is_a_person_of_the_team_and_gives_everything_away_when_they_leave() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (search, payments) = (new_team(&app, "Search").await, new_team(&app, "Payments").await);
    let grace = in_team(&app, "grace@example.com", &search).await;
    let alan = in_team(&app, "alan@example.com", &search).await;
    let stranger = in_team(&app, "mallory@example.com", &payments).await;
    let browser = signed_in_as(&app, &grace).await;
    let fields = [("name", "job"), ("team", search.as_str())];
    let made = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let id =
        ClientId::parse(between(&made.body, "id=\"client-id\" type=\"text\" readonly value=\"", "\"")).expect("an ID");
    assert_eq!(found(&app, &id).await.owner.map(|owner| owner.id), Some(grace.id.clone()), "who generates owns");

    let before = found(&app, &id).await;
    let to_stranger = Edit { owner: Some(stranger.id.clone()), ..Edit::of(&before) };
    assert_eq!(refused(edit(context, &operator(), &id, &to_stranger).await), "owner");

    let administrator = app.signed_in().await;
    let question = text(administrator.get(&format!("/people/{}/change?to=disabled", grace.id)).await);
    let facts = "Ends now: 1 session, 0 connected apps, 0 personal tokens.";
    assert!(question.contains(facts) && question.contains("owns 1 credential. Give them"), "{question}");
    manage::disable(context, &operator(), &grace.id).await.expect("disabled");
    let (page, give) = (format!("/people/{}", grace.id), format!("/people/{}/owned", grace.id));
    let body = text(administrator.get(&page).await);
    assert!(body.contains("still owns credentials"), "{body}");
    let body = text(administrator.get(&format!("{page}?view=credentials")).await);
    assert!(body.contains("Owns <b>1</b>") && body.contains(">job</a>"), "{body}");
    let body = text(administrator.get(&give).await);
    assert!(body.contains(&format!("{}: all", alan.name)), "{body}");
    assert!(!body.contains(stranger.id.as_str()), "who can get nothing is not in the list: {body}");
    for wrong in ["", grace.id.as_str()] {
        let refused = administrator.submit(&give, &give, &[("new_owner", wrong)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    let outside = give_all(context, &operator(), &grace.id, &stranger.id).await.expect("runs");
    assert!(outside.entries.is_empty(), "somebody outside the team gets nothing");
    assert_eq!(outside.kept, [(id.clone(), Kept::Owner)]);
    let given = administrator.submit(&give, &give, &[("new_owner", alan.id.as_str())]).await;
    let receipt = text(administrator.get(given.header("location")).await);
    assert!(receipt.contains("1 credential given to another owner.") && receipt.contains("job"), "{receipt}");
    let fields = [("do", "owner"), ("client_id", id.as_str()), ("owner", stranger.id.as_str())];
    let kept = administrator.submit(&give, "/credentials/several", &fields).await;
    let receipt = text(administrator.get(kept.header("location")).await);
    assert!(receipt.contains("that person is not in its team, or is disabled"), "{receipt}");
    assert_eq!(found(&app, &id).await.owner.map(|owner| owner.id), Some(alan.id.clone()));

    let elsewhere = Edit { team: Some(payments), ..Edit::of(&found(&app, &id).await) };
    edit(context, &operator(), &id, &elsewhere).await.expect("moves");
    assert_eq!(found(&app, &id).await.owner, None, "an owner who is not in the new team is left behind");
}

#[tokio::test]
async fn a_team_is_removed_after_all_of_its_credentials_moved_the_revoked_ones_too() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (search, payments) = (new_team(&app, "Search").await, new_team(&app, "Payments").await);
    let mut ids = Vec::new();
    for name in ["works", "ended"] {
        let draft = Draft { name: name.to_owned(), team: Some(search.clone()), ..Draft::default() };
        ids.push(generate(context, &operator(), &draft, None).await.expect("generates").credential.client_id);
    }
    revoke(context, &operator(), &ids[1], "").await.expect("revokes");
    let browser = app.signed_in().await;
    let (page, team) = (format!("/teams/{search}/remove"), [("team", search.as_str())]);
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("1 of them revoked") && !shown.contains(">Remove team</button>"), "{shown}");
    assert_eq!(browser.submit(&page, "/fn/remove_team", &team).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let question =
        format!("/credentials/several{}", between(&shown, "/credentials/several", "\"").replace("&amp;", "&"));
    let fields =
        [("do", "move"), ("client_id", ids[0].as_str()), ("client_id", ids[1].as_str()), ("team", payments.as_str())];
    let moved = browser.submit(&question, "/credentials/several", &fields).await;
    let receipt = text(browser.get(moved.header("location")).await);
    assert!(receipt.contains("2 credentials moved."), "{receipt}");
    let ended = found(&app, &ids[1]).await;
    assert!(ended.team == payments && ended.revoked_at.is_some());
    assert!(browser.get(&page).await.body.contains(">Remove team</button>"));
    let removed = browser.submit(&page, "/fn/remove_team", &team).await;
    assert!(removed.header("location").starts_with("/teams?done=removed&of="));
}

#[tokio::test]
async fn the_form_asks_for_a_server_where_there_are_several_and_tells_all_errors_at_once() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let new = "/credentials/new";
    assert_eq!(browser.submit(new, new, &[("name", "one server")]).await.status, StatusCode::OK);
    docs(&app).await;
    let wrong = [("name", " "), ("expiry", "date"), ("expires_on", "x"), ("ip_ranges", "nowhere"), ("tags", "a/b")];
    let answer = browser.submit(new, new, &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for words in [
        "Enter a name",
        "Choose at least one MCP server.",
        "Choose the day on which it stops working.",
        "is not an address range",
        "is not a tag",
    ] {
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    // The scope of a server that is not ticked any more is left out.
    let built_in = "http://localhost:8080/mcp";
    let fields = [
        ("name", "two"),
        ("server", built_in),
        ("scope", "mcp:read http://localhost:8080/mcp"),
        ("scope", "docs:write https://docs.example/mcp"),
        ("tags", "env:prod, nightly"),
    ];
    assert_eq!(browser.submit(new, new, &fields).await.status, StatusCode::OK);
    let query = Query::default();
    let all = list(&app.instance.context, &Authority::Everything, &query, 5).await.expect("reads");
    let newest = all.credentials.iter().find(|one| one.name == "two").expect("the new one");
    assert_eq!(newest.scopes.to_string(), "mcp:read");
    assert_eq!(newest.tags, ["env:prod", "nightly"]);
}

#[tokio::test]
async fn the_form_begins_with_the_settings_of_another_credential_and_says_so() {
    let app = App::new().await;
    docs(&app).await;
    let draft = Draft {
        name: "incident-bot".to_owned(),
        servers: vec![DOCS.to_owned()],
        scopes: vec!["docs:write".to_owned()],
        ..Draft::default()
    };
    let made = generate(&app.instance.context, &operator(), &draft, None).await.expect("generates");
    let id = &made.credential.client_id;
    let browser = app.signed_in().await;
    for (address, title) in [
        (format!("/credentials/new?from={id}"), "Replacement for incident-bot"),
        (format!("/credentials/new?from={id}&as=duplicate"), "Duplicate of incident-bot"),
    ] {
        let page = text(browser.get(&address).await);
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
        assert!(page.contains("docs.example/mcp · docs:write · every address · client secret"), "{page}");
        assert!(page.contains("<details open class=\"more\">"), "{page}");
        let kept = browser.submit(&address, "/credentials/new", &[("from", id.as_str()), ("name", "")]).await;
        assert!(text(kept).contains("for incident-bot"), "an error keeps the title");
    }
}

#[tokio::test]
async fn the_page_has_views_and_keeps_the_place_in_the_list() {
    let app = App::new().await;
    let made = app.generated("job", &[]).await;
    let id = &made.credential.client_id;
    let browser = app.signed_in().await;
    let place = "list=status%3Dexpiring%26q%3Djob%26evil%3D1";
    let views = [
        ("", "Overview"),
        ("secrets", "Secrets"),
        ("usage", "Usage"),
        ("activity", "Activity"),
        ("connect", "Connect"),
    ];
    for (view, name) in views {
        let page = browser.get(&format!("/credentials/{id}?view={view}&{place}")).await;
        assert_eq!(page.status, StatusCode::OK);
        let page = text(page);
        let crumb = between(&page, "aria-label=\"Breadcrumb\" class=\"crumb\">", "</nav>");
        assert_eq!(crumb, "<a href=\"/credentials?status=expiring&amp;q=job\">Credentials (expiring)</a>");
        assert!(!page.contains("evil"), "only the parameters of the list are kept");
        let views = between(&page, "aria-label=\"Views of the credential\" class=\"views\">", "</nav>");
        let current = views.split("</a>").find(|link| link.contains("aria-current")).expect("a current view");
        assert!(current.contains(name), "{views}");
        for action in ["Rotate secret", ">Disable<", ">Revoke<", ">Edit<"] {
            assert!(page.contains(action), "{action} stays in sight: {page}");
        }
    }
    assert_eq!(browser.get(&format!("/credentials/{id}?view=nonsense")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_finished_rotation_shows_when_the_old_secret_ended() {
    let app = App::new().await;
    let context = &app.instance.context;
    let made = app.generated("job", &[]).await;
    let id = &made.credential.client_id;
    let new = rotate::secret(context, &operator(), id, Default::default(), None, None).await.expect("rotates");
    let browser = app.signed_in().await;
    let rotation = format!("/credentials/{id}/rotate");
    let overview = format!("/credentials/{id}");
    assert!(browser.get(&overview).await.body.contains("Old and new, by use"), "while both work");
    let unsafe_yet = browser.get(&rotation).await.body;
    assert!(unsafe_yet.contains("Finish anyway…"), "{unsafe_yet}");
    app.instance.clock.advance(MINUTE);
    assert_eq!(exchange(&app, &new).await, StatusCode::OK);
    assert!(!browser.get(&rotation).await.body.contains("Finish anyway…"), "only the new secret was used");
    rotate::finish(context, &operator(), id).await.expect("finishes");
    assert!(!browser.get(&overview).await.body.contains("Old and new, by use"), "only one is left");
    app.instance.clock.advance(5 * MINUTE);
    let page = browser.get(&format!("/credentials/{id}?view=secrets")).await.body;
    assert!(page.contains("5 minutes ago") && page.contains("Ended "), "{page}");
    assert!(!page.contains("in 24 hours"), "what has ended does not end again");
}
