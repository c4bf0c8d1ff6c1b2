//! What strangers can cause as often as they like fills the audit log only slowly.

use std::time::Duration;

use axum::http::StatusCode;
use domain::audit;
use domain::audit::Verdict;
use domain::client::registered;
use domain::incident::leak;
use domain::model::actor::Actor;
use domain::model::audit::{AuditEntry, Filter};
use domain::model::incident::Policy;
use domain::model::origin::Origin;
use domain::model::person::authority::Authority;
use domain::operations::housekeeping::Housekeeping;
use serde_json::{Value, json};

use crate::interactive::{CALLBACK, register};
use crate::support::{App, EMAIL};

const HOUR: Duration = Duration::from_secs(3600);

/// The entries about this action, oldest first.
async fn entries(app: &App, action: &str) -> Vec<AuditEntry> {
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    let entries = audit::list(&app.instance.context, &Authority::Everything, &filter, 200).await.expect("reads");
    entries.into_iter().rev().collect()
}

fn details(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.details).expect("JSON")
}

#[tokio::test]
async fn failed_sign_ins_from_one_network_are_two_entries_an_hour() {
    let app = App::new().await;
    app.signed_in().await;
    let guess = async |email: &str| {
        let answer = app.browser().sign_in_as(email, "guess guess guess").await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER);
    };
    for _ in 0..4 {
        guess(EMAIL).await;
    }
    for number in 0..3 {
        guess(&format!("nobody{number}@example.com")).await;
    }
    let first = entries(&app, "session.refused").await;
    let names: Vec<&str> = first.iter().map(|entry| entry.target_name.as_str()).collect();
    assert_eq!(names, ["Ada Lovelace", "Unknown account"]);
    assert_eq!(first[0].address.as_deref(), Some("192.0.2.1"), "the first one is recorded at once, with all details");
    let context = &app.instance.context;
    app.instance.tidy().await;
    assert_eq!(entries(&app, "session.refused").await.len(), 2, "the hour goes on");

    app.instance.clock.advance(HOUR);
    // The next one of the same kind brings the count of the hour before; housekeeping brings the others.
    guess(EMAIL).await;
    let all = entries(&app, "session.refused").await;
    assert_eq!(all.len(), 4);
    let counted = details(&all[2]);
    assert_eq!((&all[2].target_name, &counted["repeats"]), (&"Ada Lovelace".to_owned(), &json!(3)));
    assert_eq!((&counted["network"], &counted["reason"]), (&json!("192.0.2.1"), &details(&all[0])["reason"]));
    assert_eq!(counted["within_the_hour_from"], "2026-11-21T09:00:00Z");
    for _ in 0..2 {
        app.instance.tidy().await;
    }
    let all = entries(&app, "session.refused").await;
    assert_eq!(all.len(), 5);
    assert_eq!((&all[4].target_name, &details(&all[4])["repeats"]), (&"Unknown account".to_owned(), &json!(2)));
    app.instance.clock.advance(HOUR);
    app.instance.tidy().await;
    assert_eq!(entries(&app, "session.refused").await.len(), 5, "nothing was repeated");
    assert!(matches!(audit::verify(context).await.expect("reads"), Verdict::Intact { .. }));
}

#[tokio::test]
async fn what_was_counted_while_the_clock_was_ahead_is_written_and_later_events_are_not_swallowed() {
    let app = App::new().await;
    app.signed_in().await;
    let guess = async |times: usize| {
        for _ in 0..times {
            app.browser().sign_in_as("nobody@example.com", "guess guess guess").await;
        }
    };
    app.instance.clock.advance(HOUR * 24 * 365);
    guess(3).await;
    app.instance.clock.set_back(HOUR * 24 * 365);
    app.instance.tidy().await;
    let all = entries(&app, "session.refused").await;
    assert_eq!(all.len(), 2);
    assert_eq!(details(&all[1])["repeats"], json!(2));

    app.instance.clock.advance(HOUR * 24 * 365);
    guess(2).await;
    app.instance.clock.set_back(HOUR * 24 * 365);
    guess(2).await;
    let all = entries(&app, "session.refused").await;
    assert_eq!(all.len(), 5, "the count of that hour, and an entry of now");
    assert_eq!((&details(&all[3])["repeats"], &details(&all[4])["repeats"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn clients_that_register_themselves_are_two_entries_an_hour() {
    let app = App::new().await;
    let named = |number: u32| json!({ "client_name": format!("Editor {number}"), "redirect_uris": [CALLBACK] });
    for number in 0..20 {
        assert_eq!(register(&app, &named(number)).await.status, StatusCode::CREATED);
    }
    let first = entries(&app, "client.added").await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].target_name, "Editor 0");
    app.instance.clock.advance(HOUR);
    app.instance.tidy().await;
    let all = entries(&app, "client.added").await;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[1].target_name.as_str(), &details(&all[1])["repeats"]),
        ("Clients that registered themselves", &json!(19))
    );
}

#[tokio::test]
async fn what_registered_clients_do_to_themselves_fills_the_log_slowly() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let named = |number: u32| {
        json!({
            "client_name": format!("Editor {number}"), "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        })
    };
    for number in 0..10 {
        let registration = register(&app, &named(number)).await.json();
        let member = |name: &str| registration[name].as_str().expect("a text").to_owned();
        let (id, token) = (member("client_id"), member("registration_access_token"));
        let mut metadata = named(number + 100);
        metadata["client_id"] = json!(id);
        let metadata = metadata.to_string();
        registered::update(&context, &id, Some(&token), metadata.as_bytes(), &Origin::default())
            .await
            .expect("changes");
        if number % 2 == 0 {
            registered::remove(&context, &id, Some(&token), &Origin::default()).await.expect("removes");
        } else {
            leak::report(&context, &Actor::system(), &token, None, Policy::Revoke).await.expect("reports");
        }
    }
    let actions = ["client.changed", "client.removed", "leak.reported", "client.secret_ended"];
    for action in actions {
        assert_eq!(entries(&app, action).await.len(), 1, "{action}");
    }
    app.instance.clock.advance(HOUR);
    Housekeeping::default().run(&context).await.expect("runs");
    for (action, repeats) in actions.into_iter().zip([9, 4, 4, 4]) {
        let all = entries(&app, action).await;
        assert_eq!(all.len(), 2, "{action}");
        let counted = (all[1].target_id.as_str(), all[1].target_name.as_str(), &details(&all[1])["repeats"]);
        assert_eq!(counted, ("", "Clients that registered themselves", &json!(repeats)), "{action}");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_silences_nothing() {
    const AHEAD: Duration = Duration::from_secs(48 * 3600);
    let app = App::new().await;
    let (context, clock) = (&app.instance.context, &app.instance.clock);
    let add = async |count: u32| {
        for number in 0..count {
            let editor = json!({ "client_name": format!("Editor {number}"), "redirect_uris": [CALLBACK] });
            assert_eq!(register(&app, &editor).await.status, StatusCode::CREATED);
        }
        entries(&app, "client.added").await
    };
    let repeats = |entries: &[AuditEntry]| -> Vec<Value> {
        entries.iter().map(|entry| details(entry)["repeats"].clone()).collect()
    };
    clock.advance(AHEAD);
    add(3).await;
    clock.set_back(AHEAD);
    let after = add(3).await;
    assert_eq!(repeats(&after), [json!(null), json!(2), json!(null)], "the count ends, and the log gets an entry");
    clock.advance(AHEAD);
    assert_eq!(add(2).await.len(), 5);
    clock.set_back(AHEAD);
    Housekeeping::default().run(context).await.expect("runs");
    let all = entries(&app, "client.added").await;
    assert_eq!(repeats(&all[3..]), [json!(2), json!(null), json!(1)]);
}
