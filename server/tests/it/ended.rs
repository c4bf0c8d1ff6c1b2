//! Requests whose session, token or secret ends while they are under way: nothing of them happens.

use std::cell::Cell;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use domain::base::form_body::TokenForm;
use domain::base::id::{AppClientId, SessionId};
use domain::client::authorization::{self, ConsentRefused};
use domain::client::personal_token::TokenDraft;
use domain::client::{self, personal_token};
use domain::credential::{CredentialError, disable, inspect, revoke};
use domain::crypto::password::Password;
use domain::error::Fault;
use domain::incident::emergency_stop;
use domain::model::actor::{Actor, ActorProof};
use domain::model::incident::{Means, Selection, StopRequest};
use domain::model::origin::Origin;
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::{CookieHash, Session};
use domain::model::person::team::InvitedRole;
use domain::model::webhook::EventKind;
use domain::person::access::EndAlso;
use domain::person::sign_in::ConfirmationProof;
use domain::person::{self, PersonError, invitation, manage, second_factor, session};
use domain::token::client_authentication::presented::Presented;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::grants::refresh_token;
use domain::token::verify::verify;
use domain::webhook::{self, WebhookDraft, WebhookError};
use serde_json::json;
use tokio::runtime::Handle;

use crate::html::between;
use crate::interactive::{RESOURCE, code, confidential, path, query, redemption, registered};
use crate::roles::{Stage, filled, joined, new_team, operator, rows};
use crate::support::{Answer, App, EMAIL, PASSWORD, basic_of, form_token, slow_body};

/// Ends every session of the administrator.
async fn end_sessions(app: &App) {
    let context = &app.instance.context;
    let person = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    assert!(manage::end_sessions(context, &operator(), &person.id, None).await.expect("ends") > 0);
}

#[tokio::test]
async fn a_session_that_ends_while_a_form_arrives_changes_nothing() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let stage = Stage::of(&app).await;
    let mut given_back = 0;
    for (round, row) in rows().iter().filter(|row| row.1 == Method::POST).enumerate() {
        let things = stage.things(row, round).await;
        let token = form_token(&browser.get("/account").await.body);
        let fields: Vec<(&str, String)> = row.5.iter().map(|(name, value)| (*name, filled(value, &things))).collect();
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("form_token", &token));
        let before = Cell::new(0);
        let answer = browser
            .post_slowly(&filled(row.0, &things), &fields, async || {
                end_sessions(&app).await;
                before.set(stage.newest_entry().await);
            })
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}: {}", row.0, answer.body);
        assert!(answer.header("location").starts_with("/login"), "{}: {}", row.0, answer.header("location"));
        assert_eq!(stage.newest_entry().await, before.get(), "{}: nothing was changed", row.0);

        // The page of the form changes nothing either. It may show the form again.
        let login = browser.get(answer.header("location")).await;
        let next = between(&login.body, r#"name="next" value=""#, "\"").to_owned();
        assert_eq!(browser.sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
        before.set(stage.newest_entry().await);
        let page = browser.get(&next).await;
        assert!(page.status != StatusCode::METHOD_NOT_ALLOWED && !page.status.is_server_error(), "{}: {next}", row.0);
        assert_eq!(stage.newest_entry().await, before.get(), "{}: nothing was changed", row.0);
        given_back += i32::from(page.body.contains("nothing was changed. Check it and send it again."));
    }
    assert!(given_back > 20, "{given_back} forms were given back");

    // The consent page is no row above: people come to it before they sign in.
    let query = query(&registered(&app).await, &[]);
    let token = form_token(&browser.get(&path(&query)).await.body);
    let fields = [("form_token", token.as_str()), ("request", &query), ("decision", "allow")];
    let answer = browser.post_slowly("/mcp/oauth/authorize", &fields, async || end_sessions(&app).await).await;
    assert!(answer.header("location").starts_with("/login?next="), "{}", answer.header("location"));
}

fn token_draft(scopes: &[&str]) -> TokenDraft {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    TokenDraft { name: "laptop".to_owned(), server: String::new(), scopes, days: 7 }
}

async fn revoke_slowly(app: &App, token: &str, client_id: &str, meanwhile: impl AsyncFnOnce()) -> Answer {
    let arguments = json!({ "client_id": client_id });
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "revoke_credential", "arguments": arguments },
    });
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    let (body, meanwhile): (Body, _) = slow_body(call.to_string(), meanwhile);
    let (answer, ()) = tokio::join!(app.send(request.body(body).expect("a request")), meanwhile);
    answer
}

#[tokio::test]
async fn a_token_that_ends_while_a_call_arrives_changes_nothing() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let target = app.generated("target", &[]).await.credential.client_id;
    let scopes = ["mcp:read", "credentials:read", "credentials:write"];

    let (robot, access_token) = app.access_token(&scopes).await;
    let end = async || {
        revoke::revoke(context, &operator(), &robot.credential.client_id, "").await.expect("ends");
    };
    let answer = revoke_slowly(&app, &access_token, target.as_str(), end).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);

    let owner = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    let draft = token_draft(&scopes);
    let generated = personal_token::generate(context, &operator(), &owner.id, &draft, "a form").await;
    let (token, secret) = generated.expect("generates");
    let end = async || personal_token::end(context, &operator(), &token.id).await.expect("ends");
    let answer = revoke_slowly(&app, secret.expose(), target.as_str(), end).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);

    // Between the check of the token and the transaction.
    let (robot, access_token) = app.access_token(&scopes).await;
    let generated = personal_token::generate(context, &operator(), &owner.id, &draft, "another form").await;
    let (token, secret) = generated.expect("generates");
    let verified = async |token: &str| verify(context, token, RESOURCE, None).await.expect("accepted").actor();
    let actors = [verified(&access_token).await, verified(secret.expose()).await];
    revoke::revoke(context, &operator(), &robot.credential.client_id, "").await.expect("ends");
    personal_token::end(context, &operator(), &token.id).await.expect("ends");
    for actor in actors {
        let revoked = revoke::revoke(context, &actor, &target, "").await;
        assert!(matches!(revoked, Err(CredentialError::Fault(Fault::ActorEnded))), "{revoked:?}");
    }
    let found = inspect::find(context, &Authority::Everything, &target).await;
    assert!(found.expect("reads").expect("exists").revoked_at.is_none());
}

/// A session of the person that lives, and the actor of its requests.
async fn session_of(app: &App, person: &Person) -> Actor {
    let context = &app.instance.context;
    let now = context.now();
    let session = Session {
        id: SessionId::generate(context.random.as_ref()),
        person: person.id.clone(),
        password_of: person.password_changed_at.millis(),
        data: "{}".to_owned(),
        address: None,
        agent: None,
        created_at: now,
        seen_at: now,
    };
    let stored = session::attach(context, &CookieHash::of(session.id.as_str().as_bytes()), &session).await;
    assert_eq!(stored.expect("stores"), session::Stored::Yes);
    Actor::person(person.id.clone(), &person.name, ActorProof::Session(session.id))
}

#[tokio::test]
async fn a_session_that_ends_before_the_transaction_changes_nothing() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let person = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    let team = new_team(&app, "Payments").await;
    let job = app.generated("job", &[]).await.credential.client_id;
    let draft = WebhookDraft {
        name: "hook".to_owned(),
        url: "https://alerts.example/".to_owned(),
        events: EventKind::ALL.to_vec(),
        ..WebhookDraft::default()
    };
    let webhook = webhook::add(context, &operator(), &draft, None).await.expect("adds").0.id;
    let delivery = webhook::sender::test(context, &operator(), &webhook).await.expect("is attempted");
    let client_id = AppClientId::parse(&registered(&app).await).expect("an identifier");
    let request = query(client_id.as_str(), &[]);
    let request = authorization::check(context, request.as_bytes(), None).await.expect("is right");
    let actor = session_of(&app, &person).await;
    let own = session::list(context, &person.id).await.expect("reads").remove(0).id;
    // While the session lives, a change of each kind works.
    person::rename(context, &actor, &person, "Ada King").await.expect("renames");
    end_sessions(&app).await;
    let stage = Stage::with(&app, team.clone(), team.clone(), person.id.clone());
    let before = stage.newest_entry().await;

    let renamed = person::rename(context, &actor, &person, "Mallory").await;
    assert!(matches!(renamed, Err(PersonError::Fault(Fault::ActorEnded))), "{renamed:?}");
    let present = ConfirmationProof::Password { password: Password::new(PASSWORD.to_owned()), code: String::new() };
    let new = Password::new("another long password".to_owned());
    let changed = person::change_password(context, &actor, &person, &own, present, new, EndAlso::ALL).await;
    assert!(matches!(changed, Err(PersonError::Fault(Fault::ActorEnded))), "{changed:?}");
    let draft = token_draft(&[]);
    let generated = personal_token::generate(context, &actor, &person.id, &draft, "a form").await;
    assert!(matches!(generated, Err(personal_token::PersonalTokenError::Fault(Fault::ActorEnded))));
    let begun = second_factor::begin_app(context, &actor, &person.id).await;
    assert!(matches!(begun, Err(second_factor::SecondFactorError::Fault(Fault::ActorEnded))));
    let role = InvitedRole::Team(team.clone(), Role::Manager);
    let invited = invitation::invite(context, &actor, "mallory@example.com", role).await;
    assert!(matches!(invited, Err(invitation::InvitationError::Fault(Fault::ActorEnded))));
    let again = webhook::sender::send_again(context, &actor, &webhook, &delivery).await;
    assert!(matches!(again, Err(WebhookError::Fault(Fault::ActorEnded))), "{again:?}");
    let tested = webhook::sender::test(context, &actor, &webhook).await;
    assert!(matches!(tested, Err(WebhookError::Fault(Fault::ActorEnded))), "{tested:?}");
    let allowed = authorization::allow(context, &actor, &person.id, &request).await;
    assert!(matches!(allowed, Err(ConsentRefused::Fault(Fault::ActorEnded))), "{allowed:?}");
    let disabled = disable::disable(context, &actor, &job).await;
    assert!(matches!(disabled, Err(CredentialError::Fault(Fault::ActorEnded))), "{disabled:?}");
    let ended = session::end(context, &actor, &person.id, &own).await;
    assert!(matches!(ended, Err(Fault::ActorEnded)), "{ended:?}");

    assert_eq!(stage.newest_entry().await, before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_goes_on_when_the_session_ends_between_two_batches() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let person = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    for number in 0..5 {
        app.generated(&format!("job {number}"), &[]).await;
    }
    let second = joined(&app, "second@example.com", InvitedRole::Administrator).await;
    let wait_for = |work: &mut dyn FnMut(&Handle)| tokio::task::block_in_place(|| work(&Handle::current()));
    let selection = Selection::default();
    let order = |means| StopRequest { selection: &selection, means, reason: "drill", incident: None };
    let (disable, revoke) = (order(Means::Disable), order(Means::Revoke));

    let actor = session_of(&app, &person).await;
    let stopped = emergency_stop::stop(context, &actor, &disable, 2, |count| {
        if count == 2 {
            wait_for(&mut |handle| {
                let ended = handle.block_on(manage::end_sessions(context, &operator(), &person.id, None));
                assert!(ended.expect("ends") > 0);
            });
        }
    });
    assert_eq!(stopped.await.expect("goes on").0, 5);
    let again = emergency_stop::stop(context, &actor, &revoke, 2, |_| {}).await;
    assert!(matches!(again, Err(CredentialError::Fault(Fault::ActorEnded))), "a new one needs a session: {again:?}");

    let actor = session_of(&app, &second).await;
    let stopped = emergency_stop::stop(context, &actor, &revoke, 2, |_| {
        wait_for(&mut |handle| {
            handle.block_on(manage::disable(context, &operator(), &second.id)).expect("disables");
        });
    });
    let refused = stopped.await;
    assert!(matches!(refused, Err(CredentialError::NotFound)), "no administrator any more: {refused:?}");
}

#[tokio::test]
async fn a_secret_that_is_replaced_before_the_transaction_gets_no_token() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let (id, secret) = confidential(&app).await;
    let changes = [("redirect_uri", "https://portal.example/callback")];
    let code = code(&browser, &id, &changes).await;
    let fields = [("redirect_uri", "https://portal.example/callback"), ("client_id", "")];
    let body = redemption(&id, &code, &fields);
    let answer = app.token(&[("authorization", &basic_of(&id, &secret))], body).await;
    let token = answer.json()["refresh_token"].as_str().expect("a token").to_owned();

    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let form = TokenForm::parse(form.as_bytes()).expect("a form");
    let header = basic_of(&id, &secret);
    let presented = Presented::read(&[header.as_bytes()], &form).expect("reads");
    let client = authenticate(context, presented, &form, ServedClients::Interactive).await.expect("authenticates");
    let client_id = AppClientId::parse(&id).expect("an identifier");
    let (_, new) = client::replace_secret(context, &operator(), &client_id, None).await.expect("replaces");
    let refused = refresh_token::exchange(context, client, &form, &Origin::new(None, None)).await;
    assert_eq!(refused.expect_err("refused").code.as_str(), "invalid_client");

    // The token was not used up: the owner goes on with the new secret.
    let header = basic_of(&id, new.expose());
    let presented = Presented::read(&[header.as_bytes()], &form).expect("reads");
    let client = authenticate(context, presented, &form, ServedClients::Interactive).await.expect("authenticates");
    assert!(refresh_token::exchange(context, client, &form, &Origin::new(None, None)).await.is_ok());
}
