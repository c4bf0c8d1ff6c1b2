//! Password links: how people who lost their password get in again.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::{PersonId, TeamId};
use domain::client::personal_token;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::access::EndAlso;
use domain::person::{self, manage, password_link};

use crate::roles::{joined, operator, signed_in_as};
use crate::support::{Answer, App, Browser};

const NEW: &str = "seven quiet otters draw maps";

async fn colleague(app: &App) -> PersonId {
    joined(app, "grace@example.com", InvitedRole::Team(TeamId::first(), Role::Member)).await.id
}

/// Makes a link on the page of the person. Returns its path.
async fn link_of(browser: &Browser<'_>, id: &PersonId) -> String {
    let path = format!("/people/{id}/password-link");
    assert!(browser.get(&format!("/people/{id}")).await.body.contains(&format!("href=\"{path}\"")));
    let shown = browser.submit(&path, &path, &[]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"), "{}", shown.body);
    assert_eq!(shown.header("referrer-policy"), "no-referrer");
    let token = shown.body.split("/password?token=").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    format!("/password?token={token}")
}

async fn set(browser: &Browser<'_>, link: &str, fields: &[(&str, &str)]) -> Answer {
    let token = link.split_once('=').expect("a token").1;
    browser.submit(link, "/password", &[&[("token", token)], fields].concat()).await
}

#[tokio::test]
async fn a_person_who_forgot_the_password_gets_in_again() {
    let app = App::new().await;
    let admin = app.signed_in().await;
    let id = colleague(&app).await;
    let person = person::find(&app.instance.context, &id).await.expect("reads").expect("a person");
    let lost = signed_in_as(&app, &person).await;
    let link = link_of(&admin, &id).await;
    let visitor = app.browser();
    assert!(visitor.get("/login").await.words().contains("ask an administrator for a password link"));
    let page = visitor.get(&link).await;
    assert_eq!((page.status, page.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
    assert!(page.words().contains("Set a new passwordFor grace@example.com."), "{}", page.words());
    let token = link.split_once('=').expect("a token").1;
    let fields = [("token", token), ("password", NEW), ("form_token", "x.y")];
    let stale = visitor.post_with("/password", &fields, &[("sec-fetch-site", "same-origin")]).await;
    assert!(stale.words().contains("nothing was changed") && stale.words().contains("Set a new password"));
    let weak = set(&visitor, &link, &[("password", "short")]).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(lost.get("/").await.status, StatusCode::OK, "nothing has changed");

    let done = set(&visitor, &link, &[("password", NEW)]).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.words().contains("Your new password works") && done.words().contains("1 session"), "{}", done.words());
    assert!(visitor.get("/").await.header("location").starts_with("/login"), "nobody is signed in by a link");
    assert_ne!(lost.get("/").await.status, StatusCode::OK, "every session has ended");
    let used = visitor.get(&link).await;
    assert_eq!(used.status, StatusCode::GONE);
    for token in [token, "x", ""] {
        let late =
            visitor.submit("/login", "/password", &[("token", token), ("password", "another quiet otter")]).await;
        assert_eq!(late.status, StatusCode::GONE, "{token}");
    }
    let entered = app.browser();
    assert_eq!(entered.sign_in_as("grace@example.com", NEW).await.status, StatusCode::SEE_OTHER);

    let activity = admin.get("/activity").await.words();
    assert!(activity.contains("Password link made") && activity.contains("Password changed"), "{activity}");
    assert!(!activity.contains(token));
}

#[tokio::test]
async fn a_link_ends_with_what_it_depends_on() {
    let app = App::new().await;
    let admin = app.signed_in().await;
    let id = colleague(&app).await;
    let context = &app.instance.context;
    let works = async |link: &str| app.browser().get(link).await.status == StatusCode::OK;

    let withdrawn = link_of(&admin, &id).await;
    let page = format!("/people/{id}");
    assert!(admin.get(&page).await.words().contains("A password link that Ada Lovelace made works until "));
    let done = admin.submit(&page, "/fn/withdraw_password_link", &[("person", id.as_str())]).await;
    assert!(done.header("location").contains("done=link-withdrawn"), "{}", done.header("location"));
    assert!(!works(&withdrawn).await);
    let shown = admin.get(&page).await.words();
    assert!(!shown.contains("A password link that") && shown.contains("Password link withdrawn"), "{shown}");
    let first = link_of(&admin, &id).await;
    let second = link_of(&admin, &id).await;
    assert_eq!((works(&first).await, works(&second).await), (false, true), "a newer link replaces it");
    app.instance.clock.advance(Duration::from_secs(24 * 3600));
    assert!(!works(&second).await, "it is a day old");

    let (_, token) = password_link::create(context, &operator(), &id).await.expect("made");
    let link = format!("/password?token={token}");
    manage::disable(context, &operator(), &id).await.expect("disabled");
    assert!(!works(&link).await);
    manage::enable(context, &operator(), &id).await.expect("enabled");
    assert!(!works(&link).await, "also when the person is enabled again");

    // The password was set in another way.
    let (_, older) = password_link::create(context, &operator(), &id).await.expect("made");
    let (_, newer) = password_link::create(context, &operator(), &id).await.expect("made");
    assert!(!works(&format!("/password?token={older}")).await);
    let link = format!("/password?token={newer}");
    assert_eq!(set(&app.browser(), &link, &[("password", NEW)]).await.status, StatusCode::OK);
    assert!(!works(&link).await);

    // Whoever made it is no administrator any more.
    manage::set_administrator(context, &operator(), &id, true).await.expect("promoted");
    let grace = person::find(context, &id).await.expect("reads").expect("a person");
    let ada = person::find_by_email(context, "ada@example.com").await.expect("reads").expect("a person");
    let (_, token) = password_link::create(context, &operator(), &ada.id).await.expect("made");
    assert!(works(&format!("/password?token={token}")).await);
    let rogue = app.browser();
    assert_eq!(rogue.sign_in_as("grace@example.com", NEW).await.status, StatusCode::SEE_OTHER);
    let link = link_of(&rogue, &ada.id).await;
    assert!(works(&link).await);
    manage::set_administrator(context, &operator(), &grace.id, false).await.expect("demoted");
    assert!(!works(&link).await);

    // The access of its person, or of whoever made it, was ended.
    manage::set_administrator(context, &operator(), &grace.id, true).await.expect("promoted");
    for ended in [&ada.id, &grace.id] {
        let maker = app.browser();
        assert_eq!(maker.sign_in_as("grace@example.com", NEW).await.status, StatusCode::SEE_OTHER);
        let link = link_of(&maker, &ada.id).await;
        assert!(works(&link).await);
        manage::end_access(context, &operator(), ended, EndAlso::default()).await.expect("ended");
        assert!(!works(&link).await);
    }
}

#[tokio::test]
async fn what_was_ticked_ends_with_the_old_password() {
    let app = App::new().await;
    app.signed_in().await;
    let id = colleague(&app).await;
    let context = &app.instance.context;
    let grace = person::find(context, &id).await.expect("reads").expect("a person");
    let browser = signed_in_as(&app, &grace).await;
    let made = browser.submit("/account/tokens", "/account/tokens", &[("name", "laptop")]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let tokens = async || {
        let listed = personal_token::list_of_person(context, &Authority::Everything, &id, 10).await;
        listed.expect("reads").len()
    };
    for (ticked, left) in [(&[][..], 1), (&[("end_personal_tokens", "yes")], 0)] {
        let (_, token) = password_link::create(context, &operator(), &id).await.expect("made");
        let link = format!("/password?token={token}");
        assert!(app.browser().get(&link).await.words().contains("1 personal token"));
        let done = set(&app.browser(), &link, &[&[("password", NEW)], ticked].concat()).await;
        assert_eq!((done.status, tokens().await), (StatusCode::OK, left), "{}", done.words());
    }
}

#[tokio::test]
async fn only_administrators_make_links_and_many_uses_at_once_set_one_password() {
    let app = App::new().await;
    app.signed_in().await;
    let id = colleague(&app).await;
    let context = &app.instance.context;
    let grace = person::find(context, &id).await.expect("reads").expect("a person");
    let member = signed_in_as(&app, &grace).await;
    let path = format!("/people/{id}/password-link");
    assert_eq!(member.get(&path).await.status, StatusCode::NOT_FOUND);

    let (_, token) = password_link::create(context, &operator(), &id).await.expect("made");
    let link = format!("/password?token={token}");
    let tries = (0..5).map(|number| {
        let (app, link) = (&app, &link);
        async move {
            let password = format!("{NEW} number {number}");
            let answer = set(&app.browser(), link, &[("password", password.as_str())]).await;
            (answer.status == StatusCode::OK).then_some(password)
        }
    });
    let set: Vec<String> = futures::future::join_all(tries).await.into_iter().flatten().collect();
    assert_eq!(set.len(), 1, "one of them wins");
    assert_eq!(app.browser().sign_in_as("grace@example.com", &set[0]).await.status, StatusCode::SEE_OTHER);
}
