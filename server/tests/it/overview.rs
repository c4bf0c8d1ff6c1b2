//! The overview: charts, what was refused, the checklist, and what people see who have nothing yet.

use std::time::Duration;

use axum::http::StatusCode;
use domain::credential::generate::{Generated, generate};
use domain::crypto::password::Password;
use domain::model::actor::Actor;
use domain::model::credential::draft::Draft;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::person::{invitation, team};

use crate::html::between;
use crate::support::{App, Browser, basic};

const PASSWORD: &str = "a long password of a colleague";

async fn exchange(app: &App, of: &Generated, body: &str) -> StatusCode {
    let status =
        app.token(&[("authorization", &basic(of))], format!("grant_type=client_credentials{body}")).await.status;
    app.instance.context.refusals.flush().await;
    status
}

/// A browser in which a person is signed in who accepted an invitation.
async fn colleague<'app>(app: &'app App, email: &str, role: InvitedRole) -> Browser<'app> {
    let context = &app.instance.context;
    let (_, link) = invitation::invite(context, &Actor::command_line("operator"), email, role).await.expect("invites");
    let password = Password::new(PASSWORD.to_owned());
    invitation::accept_as_new(context, &link, "Grace", password, |actor| actor).await.expect("accepts");
    let browser = app.browser();
    browser.sign_in_as(email, PASSWORD).await;
    browser
}

#[tokio::test]
async fn a_bar_leads_to_the_refused_exchanges_of_its_hour() {
    let app = App::new().await;
    let job = app.generated("nightly-index", &[]).await;
    let browser = app.signed_in().await;
    assert_eq!(exchange(&app, &job, "").await, StatusCode::OK);
    assert_eq!(exchange(&app, &job, "&scope=nothing").await, StatusCode::BAD_REQUEST);

    for (page, whose) in [
        ("/", String::new()),
        (
            &format!("/credentials/{}", job.credential.client_id),
            format!("&amp;credential={}", job.credential.client_id),
        ),
    ] {
        let body = browser.get(page).await.body;
        assert!(body.contains(">1 exchange<") && body.contains("1 refused: a scope that is not allowed"));
        let hour = app.instance.context.now().rfc3339()[..13].to_owned();
        let address = format!("/refusals?from={hour}&amp;hours=1{whose}");
        assert!(body.contains(&format!("<a href=\"{address}\"><svg")), "{page}: {address} in {body}");
        let listed = browser.get(&address.replace("&amp;", "&")).await.body;
        assert!(listed.contains(">nightly-index<") && listed.contains("Scope not allowed"), "{listed}");
        // A whole day has one bar and one address too.
        let body = browser.get(&format!("{page}?period=90d")).await.body;
        let address = format!("/refusals?from={}T00&amp;hours=24{whose}", &hour[..10]);
        assert!(body.contains(&format!("<a href=\"{address}\"><svg")), "{page}: {address} in {body}");
    }
    let before = browser.get("/refusals?from=2020-01-01T00&hours=1").await.body;
    assert!(before.contains("No exchange was refused in this time."), "{before}");
    for wrong in
        ["from=yesterday&hours=1", "from=2020-01-01T00&hours=25", "from=2020-01-01T00", "credential=1", "team=1"]
    {
        let answer = browser.get(&format!("/refusals?{wrong}")).await;
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST].contains(&answer.status),
            "{wrong}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn the_checklist_stays_until_it_is_dismissed_and_can_be_shown_again() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let body = browser.get("/").await.body;
    assert!(body.contains("No credential yet") && body.contains("0 of 7 done"));
    let job = app.generated("job", &[]).await;
    exchange(&app, &job, "").await;
    assert!(browser.get("/").await.body.contains("2 of 7 done"));

    let change = async |mark: &str, on: &str| {
        let answer = browser.submit("/", "/fn/change_checklist", &[("mark", mark), ("on", on)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        browser.get(answer.header("location")).await.body
    };
    let body = change("backup", "yes").await;
    assert!(body.contains("3 of 7 done") && body.contains("are kept elsewhere"));
    let body = change("dismissed", "yes").await;
    assert!(
        body.contains("Checklist dismissed") && body.contains("Show it again") && !body.contains("of 7 done"),
        "{body}"
    );
    assert!(!browser.get("/").await.body.contains("of 7 done"));
    assert!(change("dismissed", "no").await.contains("3 of 7 done"));
    assert!(change("backup", "no").await.contains("2 of 7 done"));
    let activity = browser.get("/activity?action=checklist.changed").await.body;
    assert_eq!(activity.matches("<summary").count(), 4, "{activity}");
    let wrong = browser.submit("/", "/fn/change_checklist", &[("mark", "other"), ("on", "yes")]).await;
    assert_eq!(wrong.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn people_see_their_teams_and_no_checklist() {
    let app = App::new().await;
    let context = &app.instance.context;
    let operator = Actor::command_line("operator");
    let payments = team::create(context, &operator, "Payments").await.expect("a team").id;
    let draft = |name: &str, team| Draft { name: name.to_owned(), team, ..Draft::default() };
    let theirs =
        generate(context, &operator, &draft("payouts", Some(payments.clone())), None).await.expect("generates");
    let foreign = app.generated("foreign-job", &[]).await;
    for (of, times) in [(&theirs, 1), (&foreign, 2)] {
        for _ in 0..times {
            exchange(&app, of, "").await;
            exchange(&app, of, "&scope=nothing").await;
        }
    }
    let grace = colleague(&app, "grace@example.com", InvitedRole::Team(payments.clone(), Role::Viewer)).await;
    for page in ["/", "/?period=7d", "/refusals", &format!("/teams/{payments}")] {
        let body = grace.get(page).await.body;
        assert!(body.contains("payouts") && !body.contains("foreign-job"), "{page}: {body}");
        assert!(!body.contains("of 7 done"), "{page}");
    }
    assert!(grace.get("/").await.body.contains(">1 exchange<"));
    let foreign = format!("/refusals?credential={}", foreign.credential.client_id);
    assert_eq!(grace.get(&foreign).await.status, StatusCode::NOT_FOUND);

    // Sign-ins are no changes.
    let body = grace.get("/").await.body;
    assert!(body.contains("Latest changes") && !body.contains("Signed in"));

    // Who is in no team reads what to do, and no empty charts.
    team::set_role(context, &operator, &payments, &find(&app, "grace@example.com").await, None).await.expect("removes");
    let body = grace.get("/").await.body;
    assert!(body.contains("You are in no team yet") && !body.contains("Exchanges"));
}

async fn find(app: &App, email: &str) -> domain::base::id::PersonId {
    let people = domain::person::manage::list(&app.instance.context).await.expect("reads");
    people.into_iter().find(|listed| listed.person.email == email).expect("a person").person.id
}

#[tokio::test]
async fn the_lists_below_the_chart_follow_its_period() {
    let app = App::new().await;
    let job = app.generated("nightly-index", &[]).await;
    exchange(&app, &job, "").await;
    exchange(&app, &job, "&scope=nothing").await;
    app.instance.clock.advance(Duration::from_secs(2 * 24 * 3600));
    let browser = app.signed_in().await;
    let lists = async |page: &str| {
        let body = browser.get(page).await.body;
        between(&body, "id=\"most-refused\"", "id=\"latest\"").to_owned()
    };
    let day = lists("/").await;
    assert!(!day.contains(">nightly-index<") && day.contains("No exchange in the last 24 hours."), "{day}");
    let week = lists("/?period=7d").await;
    assert_eq!(week.matches(">nightly-index<").count(), 2, "{week}");
    assert!(week.contains("Refused most, 7 days") && week.matches("last 7 days").count() == 2, "{week}");
    let month = lists("/?period=30d").await;
    assert_eq!([month.matches("last 30 days").count(), month.matches("last 7 days").count()], [1, 1], "{month}");
}
