//! The page of a client: its use over time, and the access that has ended.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::ConsentId;
use domain::client::consent;
use domain::model::client::consent::IDLE_LIMIT;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::access::EndAlso;
use domain::person::manage;

use crate::html::between;
use crate::interactive::{granted, refreshing, registered};
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{App, PASSWORD};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn the_page_of_a_client_shows_its_use_over_time() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let client = registered(&app).await;
    let page = format!("/apps/clients/{client}");
    let exchanges = async |query: &str| {
        let page = browser.get(&format!("{page}{query}")).await.body.replace("<!>", "");
        between(&page, "aria-labelledby=\"exchanges\"", "</section>").to_owned()
    };
    assert!(exchanges("").await.contains("No exchange in the last 24 hours."));
    let (_, refresh) = granted(&app, &browser, &client).await;
    app.instance.clock.advance(3 * DAY);
    browser.sign_in(PASSWORD).await;
    assert_eq!(app.token(&[], refreshing(&client, &refresh)).await.status, StatusCode::OK);
    granted(&app, &browser, &client).await;
    let other = registered(&app).await;
    granted(&app, &browser, &other).await;
    for (query, sum, bars) in
        [("", "2 exchanges", 1), ("?period=7d", "3 exchanges", 2), ("?period=90d", "3 exchanges", 2)]
    {
        let shown = exchanges(query).await;
        assert!(shown.contains(&format!("<span>{sum}</span>")), "{query}: {shown}");
        assert_eq!(shown.matches("<tr><th scope=\"row\">").count(), bars, "{query}: {shown}");
        assert!(!shown.contains("refused") && shown.contains("keeps them for 90 days"), "{shown}");
    }
    let pills = exchanges("?period=30d").await;
    assert!(
        pills.contains(&format!("href=\"{page}#exchanges\"")) && pills.contains("?period=90d#exchanges"),
        "{pills}"
    );
}

#[tokio::test]
async fn the_page_of_a_client_lists_the_access_that_has_ended_and_by_whom() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let team = new_team(&app, "Payments").await;
    let client = registered(&app).await;
    let page = format!("/apps/clients/{client}");
    let ended = async || {
        let page = browser.get(&page).await.body.replace("<!>", "");
        page.contains("id=\"ended\"").then(|| between(&page, "aria-labelledby=\"ended\"", "</section>").to_owned())
    };
    granted(&app, &browser, &client).await;
    assert_eq!(ended().await, None, "nothing has ended");
    let mut people = Vec::new();
    for email in ["grace@example.com", "lin@example.com", "vic@example.com"] {
        let person = joined(&app, email, InvitedRole::Team(team.clone(), Role::Member)).await;
        let theirs = signed_in_as(&app, &person).await;
        granted(&app, &theirs, &client).await;
        let consents = consent::list_of_person(context, &Authority::Everything, &person.id, 1).await.expect("reads");
        let id: ConsentId = consents[0].consent.id.clone();
        people.push((person, id));
    }
    // The person ends one on their own page, an administrator ends all access of another, and the third is disabled.
    let grace = signed_in_as(&app, &people[0].0).await;
    assert_eq!(
        grace.submit("/apps", "/fn/end_grant", &[("grant", people[0].1.as_str())]).await.status,
        StatusCode::SEE_OTHER
    );
    let list = ended().await.expect("is there");
    assert!(list.contains("Its person ended it.") && list.contains("Built-in server"), "{list}");
    assert!(list.contains(&format!("by {}, <a href=\"/activity?entry=", people[0].0.name)), "{list}");
    assert!(list.contains(&format!("/people/{}", people[0].0.id)), "{list}");
    app.instance.clock.advance(Duration::from_secs(1));
    let apps = EndAlso { apps: true, ..EndAlso::default() };
    manage::end_access(context, &operator(), &people[1].0.id, apps).await.expect("ends");
    app.instance.clock.advance(Duration::from_secs(1));
    manage::disable(context, &operator(), &people[2].0.id).await.expect("disables");
    let list = ended().await.expect("is there");
    let places =
        ["Its person was disabled.", "An administrator ended it.", "Its person ended it."].map(|why| list.find(why));
    assert!(places.is_sorted() && places[0].is_some(), "the latest first: {list}");
    // The own access ends by time.
    app.instance.clock.advance(IDLE_LIMIT);
    browser.sign_in(PASSWORD).await;
    let list = ended().await.expect("is there");
    assert!(list.contains("The app did not use it for 30 days."), "{list}");
    assert_eq!(list.matches("<tr><th scope=\"row\">").count(), 4, "{list}");
}
