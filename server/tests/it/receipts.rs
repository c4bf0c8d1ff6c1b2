//! Receipts: they name what was changed, and lead to its entry in the audit log.

use axum::http::StatusCode;
use domain::client::consent;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::webhook::EventKind;
use domain::webhook::{self, WebhookDraft};

use crate::html::between;
use crate::interactive::{granted, registered};
use crate::roles::{joined, new_team, operator, signed_in_as};
use crate::support::{App, Browser};

/// The receipt on the page that an action leads to.
async fn receipt(browser: &Browser<'_>, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
    let answer = browser.submit(page, action, fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = browser.get(answer.header("location")).await.body.replace("<!>", "");
    between(&page, "role=\"status\" class=\"notice\"", "</div></div>").to_owned()
}

/// Whether the receipt has these parts, and a link to an entry with this text.
async fn leads_to(browser: &Browser<'_>, receipt: &str, parts: &[&str], entry: &str) {
    for part in parts {
        assert!(receipt.contains(part), "{part}: {receipt}");
    }
    let address = format!("/activity?entry={}", between(receipt, "/activity?entry=", "\""));
    let page = browser.get(&address).await.body;
    assert!(page.contains(entry), "{entry}: {page}");
    assert_eq!(page.matches("<tbody id=\"entry-").count(), 1);
}

#[tokio::test]
async fn a_receipt_names_what_was_removed_or_ended_and_for_whom() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;

    let team = new_team(&app, "Payments").await;
    let removed = receipt(&browser, "/teams", "/fn/remove_team", &[("team", team.as_str())]).await;
    leads_to(&browser, &removed, &["<p>Team removed. ", "Payments", "See the entry"], "Team removed").await;

    let team = new_team(&app, "Search").await;
    let grace = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Member)).await;
    let theirs = signed_in_as(&app, &grace).await;
    let client = registered(&app).await;
    granted(&app, &theirs, &client).await;
    let consents = consent::list_of_person(context, &Authority::Everything, &grace.id, 1).await.expect("reads");
    let grant = consents[0].consent.id.as_str();
    let ended = receipt(&browser, "/apps", "/fn/end_grant", &[("grant", grant)]).await;
    let link = format!("<a href=\"/people/{}\">{}</a>", grace.id, grace.name);
    leads_to(
        &browser,
        &ended,
        &["<p>Access ended. Its tokens no longer work. ", ">mcp</a> for ", &link],
        "Access ended",
    )
    .await;
    // The latest changes of the client and the log say it too.
    for page in [format!("/apps/clients/{client}"), "/activity".to_owned()] {
        assert!(browser.get(&page).await.body.replace("<!>", "").contains(&format!(">mcp</a> for {link}")), "{page}");
    }
    let removed = receipt(&browser, "/apps", "/fn/remove_client", &[("client", &client)]).await;
    let words = "<p>Client removed. Access that people gave it has ended: 0. ";
    leads_to(&browser, &removed, &[words, "mcp"], "Client removed").await;

    let draft = WebhookDraft {
        name: "Pager".to_owned(),
        url: "https://pager.example/hook".to_owned(),
        events: vec![EventKind::Revoked],
        ..WebhookDraft::default()
    };
    let pager = webhook::add(context, &operator(), &draft, None).await.expect("added").0.id;
    let page = format!("/settings/webhooks/{pager}");
    let paused = receipt(&browser, &page, "/fn/pause_webhook", &[("id", pager.as_str())]).await;
    assert!(paused.contains("<p>Paused. ") && paused.contains(&format!("/activity?target={pager}")), "{paused}");
    let removed = receipt(&browser, &page, "/fn/remove_webhook", &[("id", pager.as_str())]).await;
    leads_to(&browser, &removed, &["<p>Webhook removed, with its deliveries. ", "Pager"], "Webhook removed").await;

    for (invited, list) in [("lin@example.com", format!("/teams/{team}")), ("vic@example.com", "/people".to_owned())] {
        let (page, role) = match list.as_str() {
            "/people" => ("/people/invite".to_owned(), ("team", "administration")),
            _ => (format!("/teams/{team}/invite"), ("role", "viewer")),
        };
        browser.submit(&page, &page, &[("email", invited), role]).await;
        let open = browser.get(&list).await.body;
        let id = format!("inv_{}", between(&open, "name=\"id\" value=\"inv_", "\""));
        let withdrawn = receipt(&browser, &list, "/fn/withdraw_invitation", &[("id", &id)]).await;
        leads_to(&browser, &withdrawn, &["<p>Invitation withdrawn. ", invited], "Invitation withdrawn").await;
    }
}

#[tokio::test]
async fn a_receipt_names_no_entry_of_somebody_else() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    new_team(&app, "Payments").await;
    for of in ["1", "2", "4", "99", "9223372036854775807", "-1", "x", ""] {
        let page = browser.get(&format!("/teams?done=removed&of={of}")).await;
        assert_eq!(page.status, StatusCode::OK);
        let receipt = between(&page.body, "role=\"status\" class=\"notice\"", "</div></div>").to_owned();
        assert!(receipt.ends_with("<p>Team removed.</p>"), "{of}: {receipt}");
    }
}

#[tokio::test]
async fn a_receipt_of_a_thing_leads_to_its_entries() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let page = format!("/teams/{team}/name");
    let renamed = receipt(&browser, &page, &page, &[("name", "Payouts")]).await;
    assert!(renamed.contains("<p>Name saved. ") && renamed.contains(&format!("/activity?target={team}")), "{renamed}");
}
