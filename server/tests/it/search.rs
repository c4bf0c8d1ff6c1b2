//! The search over everything: what it finds, in which order, and what it hides from whom.

use domain::model::credential::draft::DraftProof;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;

use crate::interactive::registered;
use crate::roles::{generated_for, joined, new_team, signed_in_as};
use crate::support::{App, Browser, between};

/// The beginning of the list of hits.
const LIST: &str = r#"<ul id="hits""#;

/// The addresses of the hits, in their order.
async fn hits(browser: &Browser<'_>, text: &str) -> Vec<String> {
    let page = browser.get(&format!("/search?q={}", text.replace(' ', "+"))).await.body;
    if !page.contains(LIST) {
        assert!(page.contains("Nothing matches"), "{page}");
        return Vec::new();
    }
    let list = between(&page, LIST, "</ul>");
    list.split(r#"href=""#).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_search_finds_things_of_every_kind_pages_and_actions() {
    let app = App::new().await;
    let team = new_team(&app, "Observatory").await;
    let job = generated_for(&app, &team, "obs job", DraftProof::Secret).await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Viewer)).await;
    let client = registered(&app).await;
    let browser = app.signed_in().await;
    let page = format!("/credentials/{}", job.credential.client_id);
    assert_eq!(hits(&browser, "obs job").await, [page.as_str()]);
    assert_eq!(hits(&browser, job.credential.client_id.as_str()).await, [page.as_str()]);
    // Both names begin with the text. The team's address is behind the credential's.
    assert_eq!(hits(&browser, "OBS").await, [page, format!("/teams/{team}")]);
    assert_eq!(hits(&browser, "grace@").await, [format!("/people/{}", person.id)]);
    assert!(hits(&browser, &client).await.contains(&format!("/apps/clients/{client}")));
    assert!(hits(&browser, "/mcp").await.iter().any(|href| href.starts_with("/servers/srv_")));
    // A page whose name begins with the text comes before one that another word describes.
    assert_eq!(hits(&browser, "emergency").await, ["/emergency"]);
    assert_eq!(hits(&browser, "lea").await, ["/leaks", "/incidents"]);
    assert_eq!(hits(&browser, "new cred").await, ["/credentials/new"]);
    assert!(hits(&browser, "").await.contains(&"/account".to_owned()));
    assert!(hits(&browser, "%3Cb%3Enothing").await.is_empty());
}

#[tokio::test]
async fn the_search_hides_what_a_person_may_not_see() {
    let app = App::new().await;
    let (ours, theirs) = (new_team(&app, "Our team").await, new_team(&app, "Their team").await);
    let own = generated_for(&app, &ours, "worker", DraftProof::Secret).await;
    generated_for(&app, &theirs, "worker", DraftProof::Secret).await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(ours.clone(), Role::Viewer)).await;
    let client = registered(&app).await;
    let viewer = signed_in_as(&app, &person).await;
    assert_eq!(hits(&viewer, "worker").await, [format!("/credentials/{}", own.credential.client_id)]);
    assert_eq!(hits(&viewer, "team").await, ["/teams".to_owned(), format!("/teams/{ours}")]);
    for text in ["grace@", client.as_str(), "emergency", "new cred"] {
        assert!(hits(&viewer, text).await.is_empty(), "{text}");
    }
}
