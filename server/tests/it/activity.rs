//! The audit log on its page: times, links, filters, one entry.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use domain::audit;
use domain::base::id::{ClientId, TeamId};
use domain::credential::edit::{Edit, edit};
use domain::credential::inspect;
use domain::credential::several::{self, Step};
use domain::model::audit::{AuditEntry, Filter};
use domain::model::credential::draft::DraftProof;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::{invitation, team};
use serde_json::{Value, json};

use crate::roles::{generated_for, joined, new_team, operator, signed_in_as};
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
    let views = [
        ("", &["<h2 id=\"teams\">Teams</h2>", "Credential generated"] as &[&str]),
        ("?view=credentials", &[">crawler</a>", "Give all to somebody else"]),
        ("?view=credentials&kind=generated", &[">crawler</a>"]),
        ("?view=access", &["End session", "This person has connected no app."]),
        ("?view=activity", &["Credential generated", "Signed in"]),
    ];
    for (view, expected) in views {
        let page = administrator.get(&format!("/people/{}{view}", person.id)).await.body.replace("<!>", "");
        for expected in expected {
            assert!(page.contains(expected), "{view}: {expected}: {page}");
        }
        assert!(!page.contains("of somebody else"));
    }
    let page = grace.get(&format!("/teams/{team}")).await.body.replace("<!>", "");
    assert!(page.contains(">crawler</a>") && page.contains(">Rename</a>") && !page.contains(">Remove</a>"), "{page}");
    let page = grace.get(&format!("/teams/{team}?view=activity")).await.body;
    assert!(page.contains("Team created"), "{page}");
}

/// Changes the notes of a credential, and then moves it together with other changes.
async fn edited_and_moved(app: &App, id: &ClientId, to: &TeamId) {
    let context = &app.instance.context;
    let present = async || {
        let found = inspect::find(context, &Authority::Everything, id).await.expect("reads");
        Edit::of(&found.expect("a credential"))
    };
    let noted = Edit { notes: "notes of Alpha".to_owned(), ..present().await };
    edit(context, &operator(), id, &noted).await.expect("edits");
    let moved = Edit {
        team: Some(to.clone()),
        name: "job of Beta".to_owned(),
        notes: "notes of Beta".to_owned(),
        tags: vec!["of-beta".to_owned()],
        ..present().await
    };
    edit(context, &operator(), id, &moved).await.expect("moves");
}

#[tokio::test]
async fn a_team_reads_only_what_happened_while_it_owned_a_credential() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (alpha, beta) = (new_team(&app, "Alpha").await, new_team(&app, "Beta").await);
    let viewer = |team: &TeamId| InvitedRole::Team(team.clone(), Role::Viewer);
    let stays = joined(&app, "stays@example.com", viewer(&alpha)).await;
    let there = joined(&app, "there@example.com", viewer(&beta)).await;
    let both = joined(&app, "both@example.com", viewer(&alpha)).await;
    team::set_role(context, &operator(), &beta, &both.id, Some(Role::Viewer)).await.expect("a second team");
    let id = generated_for(&app, &alpha, "job of Alpha", DraftProof::Secret).await.credential.client_id;
    edited_and_moved(&app, &id, &beta).await;

    let (stays, there, both) =
        (signed_in_as(&app, &stays).await, signed_in_as(&app, &there).await, signed_in_as(&app, &both).await);
    let administrator = app.signed_in().await;
    for view in ["", "?view=activity"] {
        let page = format!("/credentials/{id}{view}");
        let seen = there.get(&page).await.body;
        assert_eq!(seen.matches("Credential changed").count(), 2, "the move, and what changed with it: {seen}");
        assert!(!seen.contains("Credential generated"), "{seen}");
        for browser in [&both, &administrator] {
            let seen = browser.get(&page).await.body;
            assert!(seen.contains("Credential generated"), "{seen}");
            assert_eq!(seen.matches("Credential changed").count(), 3, "{seen}");
        }
    }
    let log = format!("/activity?target={id}");
    let seen = stays.get(&log).await.body;
    assert!(seen.contains("Alpha → Beta") && seen.contains("notes of Alpha"), "{seen}");
    for words in ["job of Beta", "notes of Beta", "of-beta"] {
        assert!(!seen.contains(words), "{words}: {seen}");
        assert!(there.get(&log).await.body.contains(words), "{words}");
    }
}

#[tokio::test]
async fn of_a_credential_that_moves_the_old_team_reads_that_alone() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (alpha, beta) = (new_team(&app, "Alpha").await, new_team(&app, "Beta").await);
    let owner = joined(&app, "olga@example.com", InvitedRole::Team(alpha.clone(), Role::Viewer)).await;
    let job = generated_for(&app, &alpha, "job", DraftProof::Secret).await.credential;
    let owned = Edit { owner: Some(owner.id.clone()), ..Edit::of(&job) };
    edit(context, &operator(), &job.client_id, &owned).await.expect("edits");
    let other = generated_for(&app, &alpha, "other", DraftProof::Secret).await.credential.client_id;
    let ids = [job.client_id.clone(), other];
    let receipt = several::apply(context, &operator(), &ids, &Step::Move { team: beta.clone(), owner: None })
        .await
        .expect("moves");
    let [first, second] = receipt.entries[..] else { panic!("an entry for each: {receipt:?}") };
    assert_eq!(second, first + 1, "the receipt names the first and the last");

    let filter = Filter { target: Some(job.client_id.to_string()), ..Filter::default() };
    let newest = async |team: &TeamId| {
        let authority =
            Authority::Person { id: owner.id.clone(), roles: BTreeMap::from([(team.clone(), Role::Viewer)]) };
        audit::list(context, &authority, &filter, 1).await.expect("reads").remove(0)
    };
    let moved = newest(&alpha).await;
    let details = |entry: &AuditEntry| serde_json::from_str::<Value>(&entry.details).expect("JSON");
    let team = json!({ "before": "Alpha", "after": "Beta", "before_id": alpha.as_str(), "after_id": beta.as_str() });
    assert_eq!((moved.seq, details(&moved)), (first, json!({ "team": team })));
    let left = newest(&beta).await;
    let owner = json!({ "before": "olga", "after": null, "before_id": owner.id.as_str(), "after_id": null });
    assert_eq!((left.seq, details(&left)), (first + 2, json!({ "owner": owner })));
}
