//! The public page that stops a leaked secret, and the way of a colleague without rights to it.

use axum::http::StatusCode;
use domain::base::id::TeamId;
use domain::credential::generate::Generated;
use domain::model::incident::Policy;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::person::team;
use domain::testing;
use server::incident::LeakReports;

use crate::roles::{joined, operator, signed_in_as};
use crate::support::{App, basic};

const PAGE: &str = "/leaks/report";
const FORM: &str = "/leaks/reported";

fn secret(generated: &Generated) -> &str {
    generated.secret.as_ref().expect("a secret").expose()
}

async fn works(app: &App, generated: &Generated) -> bool {
    app.token(&[("authorization", &basic(generated))], "grant_type=client_credentials").await.status == StatusCode::OK
}

#[tokio::test]
async fn a_stranger_stops_a_secret_in_two_steps_and_does_not_learn_whose_it_was() {
    let app = App::new().await;
    let (owner, token) = app.access_token(&["mcp:read"]).await;
    let stranger = app.browser();
    assert!(stranger.get("/login").await.body.contains("href=\"/leaks/report\""));
    let page = stranger.get(PAGE).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Leaked secret") && page.body.contains("Report and stop it"), "{}", page.body);
    let empty = stranger.submit(PAGE, FORM, &[("token", " "), ("url", "https://example.com/x")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(empty.body.contains("Paste the secret") && empty.body.contains("https://example.com/x"), "{}", empty.body);

    let text = format!("SECRET={} TOKEN={token}", secret(&owner));
    let fields = [("token", text.as_str()), ("url", "https://example.com/paste/1")];
    let done = stranger.submit(PAGE, FORM, &fields).await;
    assert_eq!((done.status, done.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(done.words().contains("2 secrets and tokens were stopped."), "{}", done.words());
    for private in [secret(&owner), token.as_str(), "nightly job", owner.credential.client_id.as_str(), "Default"] {
        assert!(!done.body.contains(private), "{private}");
    }
    assert!(!works(&app, &owner).await);
    let again = stranger.submit(PAGE, FORM, &fields).await.words();
    assert!(again.contains("2 secrets and tokens did not work any more."), "{again}");
    let browser = app.signed_in().await;
    let page = browser.get(&format!("/credentials/{}", owner.credential.client_id)).await.words();
    assert!(page.contains("was reported as leaked") && page.contains("https://example.com/paste/1"), "{page}");
}

#[tokio::test]
async fn a_report_says_what_it_could_not_use() {
    let app = App::new().await;
    let stranger = app.browser();
    let owner = app.generated("job", &["mcp:read"]).await;
    let unknown = domain::crypto::secret::PlainSecret::generate(&testing::SeededRandom::new(7));
    let cut = &secret(&owner)[..30];
    for (text, words) in [
        (unknown.expose(), "1 secret or token is not known here."),
        (cut, "1 text looks like a secret that is cut off or mistyped."),
        ("hello", "The text holds no secret and no token of Countersign."),
    ] {
        let said = stranger.submit(PAGE, FORM, &[("token", text)]).await.words();
        assert!(said.contains("Nothing was found to stop") && said.contains(words), "{words}: {said}");
    }
    assert!(works(&app, &owner).await);
    // A page of another site stops nothing. A session that ended meanwhile hinders nobody.
    let fields = [("token", secret(&owner)), ("form_token", "x.y")];
    let other = stranger.post_with(FORM, &fields, &[("sec-fetch-site", "cross-site")]).await;
    assert!(other.status.is_client_error());
    assert!(works(&app, &owner).await);
    let stale = stranger.post_with(FORM, &fields, &[("sec-fetch-site", "same-origin")]).await;
    assert!(stale.words().contains("1 secret or token was stopped."), "{}", stale.words());
    assert!(!stale.body.contains(secret(&owner)) && !works(&app, &owner).await);
    let mut limited = stranger.submit(PAGE, FORM, &[("token", "x")]).await;
    for _ in 0..60 {
        limited = stranger.submit(PAGE, FORM, &[("token", "x")]).await;
    }
    assert!(limited.words().contains("There were too many reports from your address. Wait"), "{}", limited.words());
    let counted = stranger.submit(PAGE, FORM, &[("token", secret(&owner))]).await;
    assert!(counted.words().contains("too many reports"));
}

#[tokio::test]
async fn where_people_decide_the_page_says_that_the_secret_still_works() {
    let app = App::with_leak_reports(LeakReports { policy: Policy::Alert, github_keys: Vec::new() }).await;
    let owner = app.generated("job", &["mcp:read"]).await;
    let said = app.browser().submit(PAGE, FORM, &[("token", secret(&owner))]).await.words();
    assert!(said.contains("1 secret or token still works: here people decide what happens."), "{said}");
    assert!(works(&app, &owner).await);
}

#[tokio::test]
async fn a_colleague_without_rights_stops_what_they_hold_and_learns_whom_to_tell() {
    let app = App::new().await;
    let context = &app.instance.context;
    let owner = app.generated("payroll", &["mcp:read"]).await;
    app.signed_in().await;
    let other = team::create(context, &operator(), "Elsewhere").await.expect("made");
    assert_ne!(other.id, TeamId::first());
    let colleague = joined(&app, "grace@example.com", InvitedRole::Team(other.id, Role::Viewer)).await;
    let browser = signed_in_as(&app, &colleague).await;
    let text = format!("a log\nSECRET={}\nPASSWORD=hunter2", secret(&owner));
    let found = browser.submit("/leaks", "/leaks", &[("text", text.as_str())]).await;
    let said = found.words();
    assert!(said.contains("Report and stop it") && said.contains("ada@example.com"), "{said}");
    assert!(!found.body.contains("payroll") && !found.body.contains("hunter2"), "only what is ours comes back");
    let (_, form) = found.body.split_once("action=\"/leaks/reported\"").expect("the form");
    let value = form.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
    let done = browser.submit("/leaks", FORM, &[("token", value)]).await.words();
    assert!(done.contains("1 secret or token was stopped."), "{done}");
    assert!(!works(&app, &owner).await);
}

#[tokio::test]
async fn a_colleague_stops_as_many_as_they_hold_in_as_many_reports_as_that_takes() {
    let app = App::new().await;
    app.signed_in().await;
    let mut owned = Vec::new();
    for number in 0..53 {
        owned.push(app.generated(&format!("job {number}"), &["mcp:read"]).await);
    }
    let other = team::create(&app.instance.context, &operator(), "Elsewhere").await.expect("made");
    let colleague = joined(&app, "grace@example.com", InvitedRole::Team(other.id, Role::Viewer)).await;
    let browser = signed_in_as(&app, &colleague).await;
    let text = owned.iter().map(secret).collect::<Vec<_>>().join("\n");
    for (stopped, heading) in [(50, "There is more to report"), (3, "It no longer works")] {
        let found = browser.submit("/leaks", "/leaks", &[("text", text.as_str())]).await.body;
        let (_, form) = found.split_once("action=\"/leaks/reported\"").expect("the form");
        let value = form.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let said = browser.submit("/leaks", FORM, &[("token", value.expect("a value"))]).await.words();
        assert!(
            said.contains(heading) && said.contains(&format!("{stopped} secrets and tokens were stopped")),
            "{said}"
        );
    }
    let found = browser.submit("/leaks", "/leaks", &[("text", text.as_str())]).await.body;
    assert!(!found.contains("action=\"/leaks/reported\""), "nothing is left to stop");
}
