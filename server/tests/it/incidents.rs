//! Incidents: the record of a leak, from the text that was found to the end.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::TeamId;
use domain::client::{self, ClientDraft};
use domain::credential::generate::{Generated, generate};
use domain::credential::rotate::{self, Overlap};
use domain::incident::{emergency_stop, leak, record};
use domain::model::credential::draft::Draft;
use domain::model::incident::record::Source;
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::team;
use serde_json::Value;
use server::incident::LeakReports;
use sqlx::{Connection, Executor};

use crate::roles::{joined, operator, signed_in_as};
use crate::support::{Answer, App, Browser, basic};

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

async fn exchange_from(app: &App, generated: &Generated, address: &str) -> StatusCode {
    let headers = [("authorization", &*basic(generated)), ("x-forwarded-for", address)];
    app.token(&headers, "grant_type=client_credentials").await.status
}

async fn alarming() -> App {
    App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await
}

async fn report(app: &App, text: &str) -> Answer {
    app.browser().submit("/leaks/report", "/leaks/reported", &[("token", text), ("url", "https://example.com/p")]).await
}

async fn json(browser: &Browser<'_>, number: i64) -> Value {
    let answer = browser.get(&format!("/incidents/{number}/record.json")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"), "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn timeline(record: &Value) -> String {
    let steps = record["timeline"].as_array().expect("a list");
    steps.iter().map(|step| step["what"].as_str().expect("words")).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn a_pasted_text_becomes_a_contained_incident_in_two_steps() {
    let app = App::new().await;
    let (one, token) = app.access_token(&["mcp:read"]).await;
    let two = app.generated("second job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    assert!(browser.get("/incidents").await.words().contains("No leak is recorded."));
    let text = format!("SECRET={}\nTOKEN={token}\nOTHER={}", secret(&one), secret(&two));
    let found = browser.submit("/leaks", "/leaks", &[("text", &text)]).await;
    assert!(found.words().contains("The leak is recorded as incident #1"), "{}", found.words());
    let again = browser.submit("/leaks", "/leaks", &[("text", secret(&two))]).await;
    assert!(again.words().contains("incident #1"), "the same leak is the same incident: {}", again.words());

    let open = json(&browser, 1).await;
    assert_eq!((open["state"].as_str(), open["source"].as_str()), (Some("open"), Some("search")), "{open}");
    assert_eq!(open["leaked"].as_array().map(Vec::len), Some(2), "several secrets of one text are one incident");
    assert_eq!(open["leaked"][0]["works"], true);
    for page in ["/", "/leaks", "/incidents"] {
        let words = browser.get(page).await.words();
        assert!(words.contains("1 incident"), "the navigation of {page} counts it: {words}");
    }
    assert!(browser.get("/").await.words().contains("1 open incident"));

    let done = browser.submit("/incidents/1", "/incidents/1/state", &[("to", "stop")]).await;
    assert_eq!(done.header("location"), "/incidents/1?done=stopped");
    let contained = json(&browser, 1).await;
    assert_eq!(
        (contained["state"].as_str(), &contained["leaked"][0]["works"]),
        (Some("contained"), &Value::Bool(false))
    );
    assert!(contained["contained_at"].is_string() && contained["tokens_ended"] == 1, "{contained}");
    for generated in [&one, &two] {
        assert_eq!(exchange_from(&app, generated, "203.0.113.9").await, StatusCode::UNAUTHORIZED);
    }
    let page = browser.get("/incidents/1?done=stopped").await;
    for words in
        ["Contained", "Revoked. What leaked is refused", "Revoked by", "Nothing that leaked works", "Close incident"]
    {
        assert!(page.words().contains(words), "{words}: {}", page.words());
    }
    for leaked in [secret(&one), secret(&two), token.as_str()] {
        assert!(!page.body.contains(leaked));
    }
    let done = browser.submit("/incidents/1", "/incidents/1/state", &[("to", "handled")]).await;
    assert_eq!(done.header("location"), "/incidents/1?done=closed");
    assert_eq!(json(&browser, 1).await["state"], "closed");
    assert!(!browser.get("/").await.words().contains("incident"));
    browser.submit("/incidents/1", "/incidents/1/state", &[("to", "open")]).await;
    assert_eq!(json(&browser, 1).await["state"], "contained");
}

#[tokio::test]
async fn the_record_tells_who_used_it_while_it_was_exposed_and_since() {
    let app = App::trusting(&["192.0.2.1/32"]).await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let clock = &app.instance.clock;
    assert_eq!(exchange_from(&app, &job, "192.0.2.10").await, StatusCode::OK);
    clock.advance(Duration::from_secs(3 * 3600));
    let exposed = app.instance.context.now();
    clock.advance(Duration::from_secs(60));
    assert_eq!(exchange_from(&app, &job, "192.0.2.10").await, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(exchange_from(&app, &job, "203.0.113.77").await, StatusCode::OK);
    }
    clock.advance(Duration::from_secs(120));
    let said = report(&app, secret(&job)).await.words();
    assert!(said.contains("was stopped"), "{said}");
    clock.advance(Duration::from_secs(60));
    assert_eq!(exchange_from(&app, &job, "203.0.113.77").await, StatusCode::UNAUTHORIZED);
    app.instance.context.refusals.flush().await;

    let browser = app.signed_in().await;
    let unknown = json(&browser, 1).await;
    assert_eq!((unknown["state"].as_str(), unknown["source"].as_str()), (Some("contained"), Some("report")));
    assert_eq!(unknown["exchanges_while_exposed"], 0, "nothing is known of the time before the report: {unknown}");
    let (exposed, place) = (exposed.rfc3339(), "https://git.example.com/acme/tools?key=hidden");
    let fields = [("owner", ""), ("exposed_at", &*exposed), ("found_at", place)];
    let saved = browser.submit("/incidents/1", "/incidents/1", &fields).await;
    assert_eq!(saved.header("location"), "/incidents/1?done=saved", "{}", saved.words());

    let record = json(&browser, 1).await;
    assert_eq!(record["found_at"], "https://git.example.com/acme/tools", "a query may hold a secret");
    assert_eq!((&record["exchanges_while_exposed"], &record["exchanges_from_new_addresses"]), (&3.into(), &2.into()));
    let used = &record["used_while_exposed"];
    assert_eq!((&used[0]["address"], &used[0]["known_before"]), (&"203.0.113.77".into(), &false.into()), "{used}");
    assert_eq!((&used[1]["address"], &used[1]["known_before"]), (&"192.0.2.10".into(), &true.into()), "{used}");
    assert_eq!((&record["tried_since"], &record["tokens_ended"]), (&1.into(), &3.into()), "{record}");
    let steps = timeline(&record);
    let expected = [
        "Generated",
        "First use",
        "Exposed at https://git.example.com/acme/tools",
        "First use from 203.0.113.77",
        "Reported from outside",
        "Revoked automatically, because it was reported",
        "Contained",
        "Tried again ×1",
    ];
    let mut from = 0;
    for step in expected {
        from += steps[from..].find(step).unwrap_or_else(|| panic!("{step} after the steps before it: {steps}"));
    }
    let page = browser.get("/incidents/1").await.words();
    for words in
        ["exposed for", "2 from new addresses", "203.0.113.77", "Tell the owner of", "Generate a replacement for"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let markdown = browser.get("/incidents/1/record.md").await;
    assert!(markdown.header("content-type").starts_with("text/markdown"), "{:?}", markdown.header("content-type"));
    for words in
        ["# Secret of nightly job leaked", "| 203.0.113.77 | 2 |", "- [ ] Generate a replacement for nightly job"]
    {
        assert!(markdown.body.contains(words), "{words}: {}", markdown.body);
    }
}

#[tokio::test]
async fn what_is_left_is_ticked_as_it_is_done() {
    let app = App::trusting(&["192.0.2.1/32"]).await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    assert_eq!(exchange_from(&app, &job, "203.0.113.77").await, StatusCode::OK);
    app.instance.clock.advance(Duration::from_secs(60));
    report(&app, secret(&job)).await;
    let browser = app.signed_in().await;
    let day = app.instance.context.now().rfc3339()[..10].to_owned();
    browser.submit("/incidents/1", "/incidents/1", &[("owner", ""), ("exposed_at", &day)]).await;
    let id = job.credential.client_id.as_str();
    let form = browser.get(&format!("/credentials/new?from={id}")).await;
    assert_eq!(form.status, StatusCode::OK);
    let fields = [("name", "nightly job 2"), ("from", id), ("expiry", "never")];
    let made = browser.submit(&format!("/credentials/new?from={id}"), "/credentials/new", &fields).await;
    assert!(made.body.contains("css_"), "{}", made.words());
    let about = browser.get("/incidents/1").await.body;
    let about =
        about.split("name=\"about\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a server");
    let fields = [("about", about), ("note", "The owner was told.")];
    let told = browser.submit("/incidents/1", "/incidents/1/note", &fields).await;
    assert_eq!(told.header("location"), "/incidents/1?done=told");

    let record = json(&browser, 1).await;
    let tasks = record["tasks"].as_array().expect("a list");
    let done = |words: &str| tasks.iter().find(|task| task["what"].as_str().is_some_and(|what| what.contains(words)));
    for (words, expected) in [
        ("nightly job is replaced by nightly job 2", true),
        ("Give the program of nightly job its replacement: it is not used yet", false),
        ("was told", true),
        ("Assign somebody to this incident", false),
    ] {
        assert_eq!(done(words).map(|task| task["done"] == true), Some(expected), "{words}: {tasks:?}");
    }
    assert_eq!(record["notes"][0]["text"], "The owner was told.");
}

#[tokio::test]
async fn each_way_to_end_what_leaked_contains_it_and_each_way_back_opens_it_again() {
    let app = alarming().await;
    let context = &app.instance.context;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let id = job.credential.client_id.as_str();
    let said = report(&app, secret(&job)).await.words();
    assert!(said.contains("still works"), "{said}");
    let browser = app.signed_in().await;
    assert_eq!(json(&browser, 1).await["state"], "open");
    let refused = browser.submit("/incidents/1", "/incidents/1/state", &[("to", "handled")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.words().contains("Something that leaked still works. Revoke or rotate it first."));

    let page = format!("/credentials/{id}");
    browser.submit(&page, "/fn/disable_credential", &[("client_id", id)]).await;
    assert_eq!(json(&browser, 1).await["state"], "contained");
    browser.submit(&page, "/fn/enable_credential", &[("client_id", id)]).await;
    assert_eq!(json(&browser, 1).await["state"], "open");

    // A rotation contains it when the old secret reaches its deadline: no change happens at that moment.
    let overlap = Duration::from_secs(600);
    rotate::secret(context, &operator(), &job.credential.client_id, Overlap::For(overlap), None, None)
        .await
        .expect("rotated");
    assert_eq!(json(&browser, 1).await["state"], "open");
    assert!(!record::settle_due(context).await.expect("settles"));
    app.instance.clock.advance(overlap + Duration::from_secs(1));
    assert!(record::settle_due(context).await.expect("settles"));
    let record = json(&browser, 1).await;
    assert_eq!(
        (record["state"].as_str(), timeline(&record).contains("Rotation started by")),
        (Some("contained"), true)
    );
    let tasks = record["tasks"].to_string();
    assert!(tasks.contains("nightly job is replaced by a new secret"), "{tasks}");
}

#[tokio::test]
async fn a_false_alarm_takes_the_marks_back() {
    let app = App::new().await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    browser.submit("/leaks", "/leaks", &[("text", secret(&job))]).await;
    assert!(browser.get("/teams").await.words().contains("1 leaked credential still works."));
    let done = browser.submit("/incidents/1", "/incidents/1/state", &[("to", "false_alarm")]).await;
    assert_eq!(done.header("location"), "/incidents/1?done=false-alarm");
    assert!(!browser.get("/teams").await.words().contains("leaked credential"));
    let record = json(&browser, 1).await;
    assert_eq!((record["state"].as_str(), &record["false_alarm"]), (Some("closed"), &true.into()));
    assert_eq!(exchange_from(&app, &job, "192.0.2.1").await, StatusCode::OK);
    // It leaks after all: that is another incident.
    let found = browser.submit("/leaks", "/leaks", &[("text", secret(&job))]).await.words();
    assert!(found.contains("incident #2"), "{found}");
}

#[tokio::test]
async fn people_see_of_an_incident_what_they_see_elsewhere() {
    let app = App::new().await;
    let context = &app.instance.context;
    let payroll = app.generated("payroll", &["mcp:read"]).await;
    app.signed_in().await;
    let other = team::create(context, &operator(), "Elsewhere").await.expect("made");
    let draft = Draft { team: Some(other.id.clone()), name: "sensors".to_owned(), ..Draft::default() };
    let sensors = generate(context, &operator(), &draft, None).await.expect("generated");
    let text = format!("{} {}", secret(&payroll), secret(&sensors));
    leak::record(context, &operator(), &Authority::Everything, &text, Source::CommandLine).await.expect("records");
    report(&app, &text).await;
    let role = |team: &TeamId, role| InvitedRole::Team(team.clone(), role);
    let member = joined(&app, "grace@example.com", role(&other.id, Role::Member)).await;
    let viewer = joined(&app, "alan@example.com", role(&TeamId::first(), Role::Viewer)).await;
    let third = team::create(context, &operator(), "Third").await.expect("made");
    let stranger = joined(&app, "lin@example.com", role(&third.id, Role::Manager)).await;
    let (member, viewer) = (signed_in_as(&app, &member).await, signed_in_as(&app, &viewer).await);
    let stranger = signed_in_as(&app, &stranger).await;

    let page = member.get("/incidents/1").await.words();
    assert!(page.contains("sensors") && page.contains("1 more thing leaked. You have no access to it."), "{page}");
    let record = json(&member, 1).await.to_string();
    for page in [&page, &record, &member.get("/incidents").await.words(), &member.get("/activity").await.words()] {
        assert!(!page.contains("payroll"), "{page}");
    }
    let noted = member.submit("/incidents/1", "/incidents/1/note", &[("note", "Asked the vendor.")]).await;
    assert_eq!(noted.status, StatusCode::SEE_OTHER);
    // Who may not end everything of it cannot say that nothing leaked.
    let refused = member.submit("/incidents/1", "/incidents/1/state", &[("to", "false_alarm")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let page = viewer.get("/incidents/1").await.words();
    assert!(page.contains("payroll") && page.contains("Asked the vendor.") && !page.contains("Add note"), "{page}");
    for (path, field, value) in [("/note", "note", "x"), ("/state", "to", "handled"), ("", "owner", "")] {
        let refused = viewer.submit("/incidents/1", &format!("/incidents/1{path}"), &[(field, value)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["", "/record.json", "/record.md"] {
        assert_eq!(stranger.get(&format!("/incidents/1{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let refused = stranger.submit("/incidents", "/incidents/1/note", &[("note", "x")]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(stranger.get("/incidents").await.words().contains("No leak is recorded."));
    assert_eq!(stranger.get("/incidents/x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_people_type_into_a_record_is_checked() {
    let app = App::new().await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let browser = app.signed_in().await;
    browser.submit("/leaks", "/leaks", &[("text", secret(&job))]).await;
    for (note, words) in [
        (" ", "Write something."),
        (secret(&job), "The note holds a secret or a token."),
        (&secret(&job)[..30], "The note holds a secret or a token."),
    ] {
        let answer = browser.submit("/incidents/1", "/incidents/1/note", &[("note", note)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{note}");
        assert!(answer.words().contains(words), "{words}: {}", answer.words());
    }
    for (owner, exposed_at, words) in [
        ("", "yesterday", "Write the moment as 2026-11-28 19:41, in UTC."),
        ("", "2999-01-01", "Choose a moment before the leak was found."),
        ("usr_x", "", "Choose one of the list."),
    ] {
        let fields = [("owner", owner), ("exposed_at", exposed_at)];
        let answer = browser.submit("/incidents/1", "/incidents/1", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(answer.words().contains(words), "{words}: {}", answer.words());
    }
    assert_eq!(json(&browser, 1).await["notes"].as_array().map(Vec::len), Some(0));
    let found = record::find(&app.instance.context, &Authority::Everything, 1).await.expect("reads").expect("exists");
    assert!(found.exposed_at.is_none() && found.owner.is_none());
}

#[tokio::test]
async fn nobody_gets_into_the_record_of_another_team_with_a_secret_of_their_own() {
    let app = alarming().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let other = team::create(context, &operator(), "Elsewhere").await.expect("made");
    let victim = app.generated("payroll", &["mcp:read"]).await;
    report(&app, secret(&victim)).await;
    let attacker = joined(&app, "lin@example.com", InvitedRole::Team(other.id.clone(), Role::Member)).await;
    let attacker = signed_in_as(&app, &attacker).await;
    // Client IDs decide the order in which a text is handled: with several, one comes after the victim's.
    let mut text = secret(&victim).to_owned();
    for number in 0..6 {
        let draft = Draft { team: Some(other.id.clone()), name: format!("own {number}"), ..Draft::default() };
        let own = generate(context, &operator(), &draft, None).await.expect("generated");
        text = format!("{text} {}", secret(&own));
    }
    report(&app, &text).await;
    let found = attacker.submit("/leaks", "/leaks", &[("text", &text)]).await.words();
    assert!(found.contains("incident #2") && !found.contains("incident #1"), "{found}");
    assert_eq!(attacker.get("/incidents/1").await.status, StatusCode::NOT_FOUND);
    let refused = attacker.submit("/incidents/2", "/incidents/1/note", &[("note", "x")]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let browser = signed_in_as(&app, &joined(&app, "grace@example.com", InvitedRole::Administrator).await).await;
    let own = json(&browser, 2).await;
    assert_eq!(own["leaked"].as_array().map(Vec::len), Some(6), "one incident for the team: {own}");
    assert_eq!(json(&browser, 1).await["leaked"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_new_leak_beside_an_old_one_gets_an_incident_of_its_own() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let old = app.generated("old job", &["mcp:read"]).await;
    report(&app, secret(&old)).await;
    browser.submit("/incidents/1", "/incidents/1/state", &[("to", "handled")]).await;
    for number in 0..4 {
        let fresh = app.generated(&format!("job {number}"), &["mcp:read"]).await;
        report(&app, &format!("{} {}", secret(&old), secret(&fresh))).await;
        let record = json(&browser, number + 2).await;
        assert_eq!(
            (record["leaked"][0]["name"].as_str(), record["leaked"][1].is_null()),
            (Some(&*format!("job {number}")), true)
        );
    }
    assert_eq!(json(&browser, 1).await["state"], "closed");
}

#[tokio::test]
async fn a_false_alarm_takes_back_its_own_marks_alone() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    report(&app, secret(&job)).await;
    browser.submit("/incidents/1", "/incidents/1/state", &[("to", "handled")]).await;
    let id = &job.credential.client_id;
    let second = rotate::secret(context, &operator(), id, Overlap::Nothing, None, None).await.expect("rotated");
    browser.submit("/leaks", "/leaks", &[("text", secret(&second))]).await;
    browser.submit("/incidents/2", "/incidents/2/state", &[("to", "false_alarm")]).await;
    assert_eq!(json(&browser, 2).await["false_alarm"], true);
    let again = report(&app, secret(&job)).await.words();
    assert!(again.contains("did not work any more"), "{again}");
    assert_eq!(browser.get("/incidents/3").await.status, StatusCode::NOT_FOUND, "the first leak stays recorded");
}

#[tokio::test]
async fn the_secret_of_a_client_is_contained_and_opens_again_with_it() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let draft = ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: vec!["http://localhost/callback".to_owned()],
        confidential: true,
        ..ClientDraft::default()
    };
    let (portal, plain) = client::create(context, &operator(), &draft, None).await.expect("made");
    let plain = plain.expect("a secret");
    browser.submit("/leaks", "/leaks", &[("text", plain.expose())]).await;
    assert_eq!(json(&browser, 1).await["state"], "open");
    client::disable::disable(context, &operator(), &portal.id).await.expect("disabled");
    assert_eq!(json(&browser, 1).await["state"], "contained");
    browser.submit("/incidents/1", "/incidents/1/state", &[("to", "handled")]).await;
    client::disable::enable(context, &operator(), &portal.id).await.expect("enabled");
    assert_eq!(json(&browser, 1).await["state"], "open", "a closed incident opens again when its leak works again");
    let done = browser.submit("/incidents/1", "/incidents/1/state", &[("to", "stop")]).await;
    assert_eq!(done.header("location"), "/incidents/1?done=stopped");
    assert_eq!(json(&browser, 1).await["state"], "contained");
}

#[tokio::test]
async fn what_one_may_not_see_still_counts_as_working() {
    let app = alarming().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let other = team::create(context, &operator(), "Elsewhere").await.expect("made");
    let draft = Draft { team: Some(other.id.clone()), name: "sensors".to_owned(), ..Draft::default() };
    let sensors = generate(context, &operator(), &draft, None).await.expect("generated");
    let payroll = app.generated("payroll", &["mcp:read"]).await;
    // A person who may act on both recorded it, so it is one incident.
    let text = format!("{} {}", secret(&payroll), secret(&sensors));
    leak::record(context, &operator(), &Authority::Everything, &text, Source::CommandLine).await.expect("records");
    let member = joined(&app, "grace@example.com", InvitedRole::Team(TeamId::first(), Role::Member)).await;
    let member = signed_in_as(&app, &member).await;
    member.submit("/incidents/1", "/incidents/1/state", &[("to", "stop")]).await;
    let record = json(&member, 1).await;
    assert_eq!((record["state"].as_str(), &record["tasks"][0]["done"]), (Some("open"), &false.into()), "{record}");
    let page = member.get("/incidents/1").await.words();
    assert!(page.contains("Something that you cannot see still works. Ask an administrator to stop it."), "{page}");
}

#[tokio::test]
async fn a_thief_stands_first_among_many_known_addresses() {
    let app = App::trusting(&["192.0.2.1/32"]).await;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    let known = |number: usize| format!("198.51.100.{number}");
    for number in 0..60 {
        assert_eq!(exchange_from(&app, &job, &known(number)).await, StatusCode::OK);
    }
    app.instance.clock.advance(Duration::from_secs(600));
    let exposed = app.instance.context.now();
    for number in 0..60 {
        assert_eq!(exchange_from(&app, &job, &known(number)).await, StatusCode::OK);
        assert_eq!(exchange_from(&app, &job, &known(number)).await, StatusCode::OK);
    }
    assert_eq!(exchange_from(&app, &job, "203.0.113.77").await, StatusCode::OK);
    app.instance.clock.advance(Duration::from_secs(60));
    report(&app, secret(&job)).await;
    let browser = app.signed_in().await;
    let fields = [("owner", ""), ("exposed_at", &*exposed.rfc3339())];
    browser.submit("/incidents/1", "/incidents/1", &fields).await;
    let record = json(&browser, 1).await;
    assert_eq!((&record["exchanges_while_exposed"], &record["exchanges_from_new_addresses"]), (&121.into(), &1.into()));
    assert_eq!(record["used_while_exposed"][0]["address"], "203.0.113.77");
    assert_eq!(record["lists_are_cut"], true);
    let page = browser.get("/incidents/1").await.words();
    assert!(page.contains("There is more. New addresses come first."), "{page}");
}

#[tokio::test]
async fn tries_after_a_stop_are_counted_whatever_stopped_it() {
    let app = alarming().await;
    let context = &app.instance.context;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    report(&app, secret(&job)).await;
    let selection = Selection::default();
    let order = StopRequest { selection: &selection, means: Means::Disable, reason: "drill", incident: Some(1) };
    emergency_stop::stop(context, &operator(), &order, emergency_stop::BATCH_SIZE, |_| {}).await.expect("stops");
    for _ in 0..3 {
        assert_eq!(exchange_from(&app, &job, "203.0.113.77").await, StatusCode::UNAUTHORIZED);
    }
    let browser = app.signed_in().await;
    let record = json(&browser, 1).await;
    assert_eq!(record["tried_since"], 3);
    assert!(timeline(&record).contains("Emergency stop by operator: 1 credential disabled"), "{record}");
}

#[tokio::test]
async fn a_leak_without_a_record_gets_one() {
    let app = alarming().await;
    let context = &app.instance.context;
    let job = app.generated("nightly job", &["mcp:read"]).await;
    report(&app, secret(&job)).await;
    // As after a restore: the mark came along, the record did not.
    let url = app.instance.database_url().replacen("sqlite://", "sqlite:", 1);
    let mut connection = sqlx::AnyConnection::connect(&url).await.expect("opens");
    for statement in ["DELETE FROM incident_marks", "DELETE FROM incident_items", "DELETE FROM incidents"] {
        connection.execute(statement).await.expect("runs");
    }
    let browser = app.signed_in().await;
    assert_eq!(browser.get("/incidents/1").await.status, StatusCode::NOT_FOUND);
    record::settle_due(context).await.expect("settles");
    let record = json(&browser, 1).await;
    assert_eq!((record["state"].as_str(), record["source"].as_str()), (Some("open"), Some("earlier")), "{record}");
    browser.submit("/incidents/1", "/incidents/1/state", &[("to", "false_alarm")]).await;
    assert!(!browser.get("/teams").await.words().contains("leaked credential"));
}
