//! The audit log on its page: times, links, filters, one entry.

use axum::http::StatusCode;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::person::invitation;

use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{App, between};
use crate::words::title;

#[tokio::test]
async fn an_entry_says_when_and_links_to_what_it_names() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let team = new_team(&app, "Search").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Manager)).await;
    let job = app.generated("nightly job", &[]).await.credential.client_id;
    let to_viewer = InvitedRole::Team(team.clone(), Role::Viewer);
    invitation::invite(&app.instance.context, &operator(), "alan@example.com", to_viewer).await.expect("invites");
    let page = browser.get("/activity").await.body.replace("<!>", "");
    let at = app.instance.context.now().rfc3339();
    for expected in [
        // The day once, and the time on the clock.
        &format!(">{}</time>", &at[11..19]),
        // Whom, and what it was about.
        &format!("grace@example.com in <a href=\"/teams/{team}\">Search</a>"),
        &format!("<a href=\"/people/{0}\">grace</a> in <a href=\"/teams/{team}\">Search</a>", person.id),
        "role: none → manager",
        &format!("<a href=\"/credentials/{job}\">nightly job</a>"),
        "alan@example.com in",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert_eq!(page.matches("scope=\"rowgroup\"").count(), 1, "one day");
    // A person who may not open the pages of people gets their names.
    let grace = signed_in_as(&app, &person).await;
    let page = grace.get("/activity").await.body;
    assert!(
        page.contains("alan@example.com") && !page.contains("/people/") && page.contains(&format!("/teams/{team}"))
    );
}

#[tokio::test]
async fn entries_are_chosen_by_kind_and_by_number() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let team = new_team(&app, "Search").await;
    app.generated("nightly job", &[]).await;
    let rows = async |path: &str| browser.get(path).await.body.matches("class=\"did\"").count();
    assert_eq!(rows("/activity?action=credentials").await, 1);
    assert_eq!(rows("/activity?action=credential.generated").await, 1);
    assert_eq!(rows("/activity?action=incidents").await, 0);
    // The account that signed in, and the new team.
    assert_eq!(rows("/activity?action=people").await, 2);
    assert_eq!(rows(&format!("/activity?target={team}")).await, 1);
    let all = browser.get("/activity").await.body;
    let newest = between(&all, "<tbody id=\"entry-", "\"");
    let entry = browser.get(&format!("/activity?entry={newest}")).await.body;
    assert!(entry.matches("class=\"did\"").count() == 1 && entry.contains("<details open"), "{entry}");
    assert_eq!(rows("/activity?entry=999").await, 0);

    let wrong = browser.get("/activity?from=yesterday&to=tomorrow").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(title(&wrong.body), "Error: Activity · Countersign");
    for field in ["from", "to"] {
        assert!(wrong.body.contains(&format!("id=\"{field}-error\"")), "{field}");
    }
}

#[tokio::test]
async fn the_page_of_a_person_lists_what_they_generated_and_what_they_did() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Search").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Manager)).await;
    let grace = signed_in_as(&app, &person).await;
    let fields = [("name", "crawler"), ("scope", "mcp:read"), ("team", team.as_str())];
    let generated = grace.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(generated.status, StatusCode::OK, "{}", generated.body);
    app.generated("of somebody else", &[]).await;
    let page = administrator.get(&format!("/people/{}", person.id)).await.body.replace("<!>", "");
    for expected in ["Credentials generated</dt><dd>1", ">crawler</a>", "Credential generated", "Sessions</dt><dd>1"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("of somebody else"));
    let page = grace.get(&format!("/teams/{team}")).await.body.replace("<!>", "");
    assert!(page.contains(">crawler</a>") && page.contains("Team created") && !page.contains("Remove team"), "{page}");
}
