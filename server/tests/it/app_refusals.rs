//! Why a client that acts for people got no token: its page says it, though the client itself is told less.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::{AppClientId, TeamId};
use domain::client::{disable, usage};
use domain::model::client::refusal::AppRefusal;
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;
use domain::person::manage;

use crate::device;
use crate::interactive::{code, confidential, error, granted, query, redemption, refreshing, registered, text};
use crate::roles::{joined, operator, signed_in_as};
use crate::support::{App, basic_of};

/// The causes that were counted for the client, with how often each was.
async fn causes(app: &App, id: &str) -> Vec<(AppRefusal, i64)> {
    let context = &app.instance.context;
    context.refusals.flush().await;
    let id = AppClientId::parse(id).expect("an identifier");
    let mut counted: Vec<_> = usage::refusals(context, &id).await.expect("reads").into_iter().collect();
    counted.sort_by_key(|one| one.cause.as_str());
    counted.into_iter().map(|one| (one.cause, one.count)).collect()
}

#[tokio::test]
async fn each_refusal_of_an_app_has_a_cause_that_its_page_shows_in_words() {
    let app = App::new().await;
    let (context, browser) = (&app.instance.context, app.signed_in().await);
    let id = registered(&app).await;
    let page = format!("/apps/clients/{id}");
    assert!(!browser.get(&page).await.body.contains("Refused requests"), "there was none");

    // The code.
    let begun = code(&browser, &id, &[]).await;
    let long = "v".repeat(50);
    let requests = [
        redemption(&id, "coc_unknown", &[]),
        redemption(&id, &begun, &[("code_verifier", &long)]),
        redemption(&id, &begun, &[("code_verifier", &long)]),
        redemption(&id, &begun, &[("redirect_uri", "http://localhost:8085/other")]),
        redemption(&id, &begun, &[("resource", "https://other.example/mcp")]),
    ];
    for body in requests {
        assert!(app.token(&[], body.clone()).await.status.is_client_error(), "{body}");
    }
    let refresh = text(&app.token(&[], redemption(&id, &begun, &[])).await, "refresh_token");
    let late = code(&browser, &id, &[]).await;
    app.instance.clock.advance(Duration::from_secs(61));
    for body in [redemption(&id, &late, &[]), refreshing(&id, "cor_unknown")] {
        assert_eq!(error(&app.token(&[], body).await), (400, "invalid_grant".to_owned()));
    }
    // The refresh token: scopes that nobody allowed, and scopes that are none. Then the code for the second time.
    for scope in ["credentials:read", "%22"] {
        let answer = app.token(&[], format!("{}&scope={scope}", refreshing(&id, &refresh))).await;
        assert_eq!(error(&answer), (400, "invalid_scope".to_owned()));
    }
    assert_eq!(app.token(&[], redemption(&id, &begun, &[])).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.token(&[], refreshing(&id, &refresh)).await.status, StatusCode::BAD_REQUEST);
    // A token that is used for the second time after a while.
    let (_, used) = granted(&app, &browser, &id).await;
    assert_eq!(app.token(&[], refreshing(&id, &used)).await.status, StatusCode::OK);
    app.instance.clock.advance(Duration::from_secs(31));
    assert_eq!(app.token(&[], refreshing(&id, &used)).await.status, StatusCode::BAD_REQUEST);

    let expected = [
        (AppRefusal::AccessEnded, 1),
        (AppRefusal::CodeExpired, 1),
        (AppRefusal::CodeUnknown, 1),
        (AppRefusal::CodeUsed, 1),
        (AppRefusal::OtherRedirectUri, 1),
        (AppRefusal::OtherServer, 1),
        (AppRefusal::ScopeMalformed, 1),
        (AppRefusal::ScopeNotAllowed, 1),
        (AppRefusal::TokenUnknown, 1),
        (AppRefusal::TokenUsed, 1),
        (AppRefusal::WrongVerifier, 2),
    ];
    assert_eq!(causes(&app, &id).await, expected);
    let shown = browser.get(&page).await.body.replace("<!>", "");
    for words in [
        "Refused requests",
        "Access ended",
        "Code expired",
        "Unknown code",
        "Code used twice",
        "Other redirect_uri",
        "Other MCP server",
        "Malformed scope",
        "Scope not allowed",
        "Unknown refresh token",
        "Refresh token used twice",
        "Wrong code_verifier",
        "last 30 days",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    // The client is stopped, and its person.
    let (_, kept) = granted(&app, &browser, &id).await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(TeamId::first(), Role::Member)).await;
    let (_, of_grace) = granted(&app, &signed_in_as(&app, &person).await, &id).await;
    manage::disable(context, &operator(), &person.id).await.expect("disables");
    assert_eq!(app.token(&[], refreshing(&id, &of_grace)).await.status, StatusCode::BAD_REQUEST);
    let app_id = AppClientId::parse(&id).expect("an identifier");
    disable::disable(context, &operator(), &app_id).await.expect("disables");
    assert_eq!(app.token(&[], refreshing(&id, &kept)).await.status, StatusCode::UNAUTHORIZED);
    let counted = causes(&app, &id).await;
    assert!(counted.contains(&(AppRefusal::ClientDisabled, 1)), "{counted:?}");
    let ended = [AppRefusal::PersonDisabled, AppRefusal::AccessEnded]
        .map(|cause| counted.iter().find(|(counted, _)| *counted == cause).map_or(0, |(_, count)| *count));
    assert_eq!(ended.iter().sum::<i64>(), 2, "{counted:?}");
}

#[tokio::test]
async fn a_client_that_does_not_prove_itself_and_a_device_that_is_denied_are_counted() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (id, _) = confidential(&app).await;
    let (other, secret) = confidential(&app).await;
    let callback = ("redirect_uri", "https://portal.example/callback");
    let begun = code(&browser, &id, &[callback]).await;
    let body = redemption(&id, &begun, &[callback]);
    let wrong = basic_of(&id, &secret);
    assert_eq!(app.token(&[], body.clone()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.token(&[("authorization", &wrong)], body).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(causes(&app, &id).await, [(AppRefusal::NotProven, 2)]);
    assert_eq!(causes(&app, &other).await, [], "the request named another client");

    let tv = device::device_client(&app).await;
    let (device_code, user_code) = device::asked(&app, &tv).await;
    assert_eq!(device::polled(&app, &tv, &device_code).await, "authorization_pending");
    device::decide(&browser, &user_code, "deny").await;
    app.instance.clock.advance(Duration::from_secs(10));
    assert_eq!(device::polled(&app, &tv, &device_code).await, "access_denied");
    assert_eq!(causes(&app, &tv).await, [(AppRefusal::Denied, 1)], "to wait is no refusal");
    assert!(browser.get(&format!("/apps/clients/{tv}")).await.body.contains("Denied by the person"));
}

#[tokio::test]
async fn refusals_without_a_known_client_are_counted_nowhere() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let id = registered(&app).await;
    let body = redemption(&id, "coc_unknown", &[]);
    assert_eq!(app.token(&[], body.replace(&id, "csc_0000000000000000000000")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(causes(&app, "csc_0000000000000000000000").await, []);
    assert_eq!(app.token(&[], body).await.status, StatusCode::BAD_REQUEST);
    browser.submit("/apps/clients", "/fn/remove_client", &[("client", &id)]).await;
    assert_eq!(browser.get(&crate::interactive::path(&query(&id, &[]))).await.status, StatusCode::BAD_REQUEST);
    let before = causes(&app, &id).await;
    assert_eq!(app.token(&[], refreshing(&id, "cor_unknown")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(causes(&app, &id).await, before, "a removed client collects nothing");
}
