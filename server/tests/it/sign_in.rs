//! First run, signing in, sessions, forms.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::model::person::authority::Authority;
use domain::model::person::session::{ABSOLUTE_LIMIT, IDLE_LIMIT};
use domain::model::person::team::InvitedRole;
use domain::person::access::EndAlso;
use domain::person::sign_in::ACCOUNT_LIMIT;
use domain::person::{invitation, setup};

use crate::roles::operator;
use crate::support::{App, EMAIL, PASSWORD, between, form_token};

const SESSION: &str = "countersign_session";

#[tokio::test]
async fn the_setup_link_makes_the_first_administrator_and_signs_them_in() {
    let app = App::new().await;
    let token = setup::create_link_token(&app.instance.context).await.expect("makes").expect("a link");
    let browser = app.browser();
    let page = browser.get(&format!("/setup?token={token}")).await;
    assert_eq!((page.status, page.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
    let fields = |password| [("token", token.as_str()), ("name", "Ada"), ("email", EMAIL), ("password", password)];
    let link = format!("/setup?token={token}");

    let short = browser.submit(&link, "/setup", &fields("too short")).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(short.body.contains("at least 15 characters") && short.body.contains(EMAIL));
    assert!(!short.body.contains("too short"), "a password is never shown again");

    let answer = browser.submit(&link, "/setup", &fields(PASSWORD)).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/credentials/new"));
    assert_eq!(browser.get("/credentials/new").await.status, StatusCode::OK);
    let again = app.browser().get(&link).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(!again.body.contains("Create administrator"));
    assert_eq!(app.get("/setup").await.status, StatusCode::GONE);
}

#[tokio::test]
async fn wrong_and_unknown_get_one_answer() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    drop(browser);
    let stranger = app.browser();
    let wrong = stranger.submit("/login", "/login", &[("email", EMAIL), ("password", "nonsense nonsense")]).await;
    let unknown = stranger.submit("/login", "/login", &[("email", "bob@example.com"), ("password", PASSWORD)]).await;
    assert_eq!((wrong.status, unknown.status), (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY));
    let message = |body: &str| crate::support::between(body, r#"role="alert""#, "</p>").to_owned();
    assert_eq!(message(&wrong.body), message(&unknown.body));
    assert!(!wrong.body.contains("nonsense nonsense"));
}

#[tokio::test]
async fn guessing_is_stopped_and_a_known_browser_gets_in() {
    let app = App::new().await;
    let known = app.signed_in().await;
    known.submit("/account", "/logout", &[]).await;
    let stranger = app.browser();
    for _ in 0..ACCOUNT_LIMIT {
        assert_eq!(stranger.sign_in("guess guess guess").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let limited = stranger.sign_in(PASSWORD).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.header("retry-after").parse::<u64>().expect("seconds") > 0);
    assert_eq!(known.sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_cookie_is_new_at_sign_in_and_dead_after_sign_out() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let first = browser.cookie(SESSION).expect("a session");
    let answer = browser.submit("/account", "/logout", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/login"));
    let replayed = Request::get("/account").header("cookie", format!("{SESSION}={first}"));
    assert_eq!(app.send(replayed.body(Body::empty()).expect("a request")).await.status, StatusCode::SEE_OTHER);

    browser.cookies.lock().expect("a lock").insert(SESSION.to_owned(), "AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let answer = browser.sign_in(PASSWORD).await;
    let cookie = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .find(|value| value.to_str().is_ok_and(|value| value.starts_with(SESSION)));
    let cookie = cookie.expect("a session cookie").to_str().expect("ASCII");
    assert!(!cookie.contains("AAAAAAAAAAAAAAAAAAAAAA"), "a planted cookie is not taken over");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

#[tokio::test]
async fn a_session_ends_when_idle_and_when_old() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let signed_in = async || browser.get("/account").await.status == StatusCode::OK;
    app.instance.clock.advance(IDLE_LIMIT - Duration::from_secs(1));
    assert!(signed_in().await);
    app.instance.clock.advance(IDLE_LIMIT);
    assert!(!signed_in().await, "idle for half an hour");

    browser.sign_in(PASSWORD).await;
    let steps = ABSOLUTE_LIMIT.as_secs() / 600;
    for _ in 0..steps - 1 {
        app.instance.clock.advance(Duration::from_secs(600));
        assert!(signed_in().await);
    }
    app.instance.clock.advance(Duration::from_secs(600));
    assert!(!signed_in().await, "twelve hours after sign-in");
}

#[tokio::test]
async fn failures_that_were_counted_while_the_clock_was_ahead_keep_nobody_out() {
    let app = App::new().await;
    app.signed_in().await;
    let (clock, day) = (&app.instance.clock, Duration::from_secs(24 * 3600));
    clock.advance(day);
    for _ in 0..ACCOUNT_LIMIT {
        app.browser().sign_in("guess guess guess").await;
    }
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    clock.set_back(day);
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER, "that count is over");
    for _ in 0..ACCOUNT_LIMIT {
        app.browser().sign_in("guess guess guess").await;
    }
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS, "a count of now holds");
    // The clocks of two servers differ by seconds. A count that the other server began a moment ahead goes on.
    clock.set_back(Duration::from_secs(30));
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_request_in_flight_does_not_revive_a_session() {
    use domain::model::person::session::CookieHash;
    use domain::person::session::{load, save};
    let app = App::new().await;
    let browser = app.signed_in().await;
    let cookie = browser.cookie(SESSION).expect("a session");
    let id: tower_sessions::session::Id = cookie.parse().expect("an identifier");
    let hash = CookieHash::of(&id.0.to_le_bytes());
    assert!(load(&app.instance.context, &hash).await.expect("reads").is_some());
    browser.submit("/account", "/logout", &[]).await;
    assert!(!save(&app.instance.context, &hash, "{}").await.expect("writes"));
    assert!(load(&app.instance.context, &hash).await.expect("reads").is_none());
}

#[tokio::test]
async fn a_step_up_in_flight_does_not_revive_a_session() {
    use domain::model::person::session::CookieHash;
    use domain::person::session::{self, Stored};
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let id: tower_sessions::session::Id = browser.cookie(SESSION).expect("a session").parse().expect("an identifier");
    let old = CookieHash::of(&id.0.to_le_bytes());
    let present = session::load(context, &old).await.expect("reads").expect("alive");

    // What a step-up does: the new cookie takes over the session, and with that the old one dies.
    let new = CookieHash::of(b"the second cookie");
    assert_eq!(session::attach(context, &new, &present).await.expect("writes"), Stored::Yes);
    assert!(session::load(context, &old).await.expect("reads").is_none());

    // The same, with the end of the session in between.
    let actor = domain::model::actor::Actor::system();
    assert!(session::end(context, &actor, &present.person, &present.id).await.expect("ends"));
    let third = CookieHash::of(b"the third cookie");
    assert_eq!(session::attach(context, &third, &present).await.expect("writes"), Stored::Ended);
    assert!(session::load(context, &third).await.expect("reads").is_none());
}

#[tokio::test]
async fn a_sign_in_with_the_old_password_does_not_survive_its_change() {
    use domain::crypto::password::Password;
    use domain::model::actor::Actor;
    use domain::model::person::session::{CookieHash, Session};
    use domain::person;
    use domain::person::session::{self, Stored};
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let id: tower_sessions::session::Id = browser.cookie(SESSION).expect("a session").parse().expect("an identifier");
    let hash = CookieHash::of(&id.0.to_le_bytes());
    let first = session::load(context, &hash).await.expect("reads").expect("alive");
    let in_flight = Session { id: domain::base::id::SessionId::generate(context.random.as_ref()), ..first.clone() };

    app.instance.clock.advance(Duration::from_secs(1));
    let ada = person::find(context, &first.person).await.expect("reads").expect("a person");
    let present = domain::person::sign_in::ConfirmationProof::Password {
        password: Password::new(PASSWORD.into()),
        code: String::new(),
    };
    let new = Password::new("another quiet otter door".into());
    person::change_password(context, &Actor::system(), &ada, &first.id, present, new, EndAlso::default())
        .await
        .expect("changes");
    let stored = session::attach(context, &CookieHash::of(b"in flight"), &in_flight).await.expect("writes");
    assert_eq!(stored, Stored::Ended);
}

#[tokio::test]
async fn the_present_password_cannot_be_guessed_on_the_account_page() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let guess = async |current: &str| {
        let fields = [("current_password", current), ("new_password", "another quiet otter door")];
        browser.submit("/account", "/account/password", &fields).await
    };
    for _ in 0..domain::person::sign_in::DEVICE_LIMIT {
        assert!(guess("guess guess guess").await.body.contains("This is not your password."));
    }
    assert!(guess(PASSWORD).await.body.contains("Too many failed attempts."));
    let entries = domain::audit::list(
        &app.instance.context,
        &Authority::Everything,
        &domain::model::audit::Filter::default(),
        50,
    )
    .await;
    let refused = entries.expect("reads").into_iter().filter(|entry| entry.action == "session.refused").count();
    assert_eq!(refused as i64, domain::person::sign_in::DEVICE_LIMIT);
}

#[tokio::test]
async fn reloading_the_page_of_the_secret_never_makes_another_one() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let token = form_token(&browser.get("/credentials/new").await.body);
    let fields = [("form_token", token.as_str()), ("name", "nightly")];
    assert_eq!(browser.post("/credentials/new", &fields).await.status, StatusCode::OK);
    assert_eq!(browser.post("/credentials/new", &fields).await.status, StatusCode::CONFLICT);
    // Also when the password would be asked again by now.
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let late = browser.post("/credentials/new", &fields).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(!late.body.contains("css_"));
}

#[tokio::test]
async fn the_database_holds_neither_cookie_nor_password() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let cookies: Vec<String> = browser.cookies.lock().expect("a lock").values().cloned().collect();
    for file in std::fs::read_dir(app.instance.folder()).expect("the folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("bytes");
        for canary in cookies.iter().map(String::as_str).chain([PASSWORD]) {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary}");
        }
    }
}

#[tokio::test]
async fn forms_are_believed_only_from_a_page_of_this_session() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let own = form_token(&browser.get("/account").await.body);
    let other = app.browser();
    let foreign = form_token(&other.get("/login").await.body);
    for headers in [
        &[("sec-fetch-site", "cross-site")] as &[_],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        // A request that does not say which site sent it.
        &[],
    ] {
        let fields = [("form_token", own.as_str()), ("name", "Mallory")];
        let answer = browser.post_with("/account/name", &fields, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(!answer.body.contains("Mallory"), "{headers:?}");
    }
    // A page of ours in an earlier session: the form comes back with what was typed, and with a token that is good.
    for token in ["", "nonsense", foreign.as_str()] {
        let answer = browser.post("/account/name", &[("form_token", token), ("name", "Ada King")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{token}");
        assert!(answer.body.contains("nothing was changed") && answer.body.contains("value=\"Ada King\""));
        let cross = [("form_token", token), ("name", "Mallory")];
        let answer = browser.post_with("/account/name", &cross, &[("origin", "https://evil.example")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(browser.get("/account").await.body.contains("Ada Lovelace"));
    let sign_in = [("email", EMAIL), ("password", PASSWORD)];
    let again = other.post("/login", &sign_in).await;
    assert_ne!(again.status, StatusCode::SEE_OTHER, "signing in needs the token too");
    assert!(again.body.contains(EMAIL) && !again.body.contains(PASSWORD), "{}", again.body);
    assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER);
    // A sign-in form in a browser that is signed in by now leads on.
    let sign_in = [("form_token", foreign.as_str()), ("email", EMAIL), ("password", "wrong"), ("next", "/activity")];
    assert_eq!(browser.post("/login", &sign_in).await.header("location"), "/activity");
    let fields = [("form_token", own.as_str()), ("name", "Ada King")];
    assert_eq!(browser.post("/account/name", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let other = app.browser();
    other.sign_in(PASSWORD).await;
    let change = async |current: &str, new: &str| {
        let fields = [("current_password", current), ("new_password", new)];
        browser.submit("/account", "/account/password", &fields).await
    };
    assert_eq!(change("wrong wrong wrong", "another quiet otter door").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, "short").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.get("/account").await.status, StatusCode::OK);
    assert_eq!(change(PASSWORD, "another quiet otter door").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(other.sign_in(PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn signing_in_leads_back_to_a_page_of_ours_and_nowhere_else() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    browser.submit("/account", "/logout", &[]).await;
    let answer = browser.get("/credentials?q=a%20b").await;
    assert_eq!(answer.header("location"), "/login?next=%2Fcredentials%3Fq%3Da%2520b");
    for (next, expected) in
        [("/credentials?q=a", "/credentials?q=a"), ("https://evil.example", "/"), ("//evil.example", "/")]
    {
        let fields = [("email", EMAIL), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/login", "/login", &fields).await;
        assert_eq!(answer.header("location"), expected);
        browser.submit("/account", "/logout", &[]).await;
    }
}

#[tokio::test]
async fn a_form_token_of_the_sign_in_page_is_none_of_a_session() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let elsewhere = app.browser();
    elsewhere.sign_in(PASSWORD).await;
    let session = between(&elsewhere.get("/account").await.body, r#"name="session" value=""#, "\"").to_owned();
    assert!(session.starts_with("ses_"), "{session}");
    // The cookie of the sign-in page can hold anything: also the identifier of a session, which is no secret.
    let stranger = app.browser();
    stranger.cookies.lock().expect("a lock").insert("countersign_form".to_owned(), session);
    let token = form_token(&stranger.get("/login").await.body);
    let answer = browser.post("/account/name", &[("form_token", token.as_str()), ("name", "Mallory")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "the form is shown again");
    assert!(!browser.get("/account").await.body.contains("Mallory"));
}

#[tokio::test]
async fn a_change_of_the_password_that_was_proved_before_another_one_does_not_land_after_it() {
    use domain::crypto::password::Password;
    use domain::model::actor::Actor;
    use domain::model::person::session::CookieHash;
    use domain::person::sign_in::ConfirmationProof;
    use domain::person::{self, PersonError, session};
    const OWNERS: &str = "another quiet otter door";
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let id: tower_sessions::session::Id = browser.cookie(SESSION).expect("a session").parse().expect("an identifier");
    let session = session::load(context, &CookieHash::of(&id.0.to_le_bytes())).await.expect("reads").expect("alive");
    app.instance.clock.advance(Duration::from_secs(1));
    let read = person::find(context, &session.person).await.expect("reads").expect("a person");
    let change = async |new: &str| {
        let present = ConfirmationProof::Password { password: Password::new(PASSWORD.into()), code: String::new() };
        person::change_password(
            context,
            &Actor::system(),
            &read,
            &session.id,
            present,
            Password::new(new.into()),
            EndAlso::default(),
        )
        .await
    };
    change(OWNERS).await.expect("changes");
    // A thief's request was begun with the old password, and is as far as the owner's was.
    let late = change("the thief chose this door").await;
    assert!(matches!(late, Err(PersonError::Invalid(_))), "{late:?}");
    assert_eq!(app.browser().sign_in(OWNERS).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_old_tab_signs_out_and_searches_nothing() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let old = form_token(&browser.get("/account").await.body);
    browser.submit("/account", "/logout", &[]).await;
    browser.sign_in(PASSWORD).await;
    let fields = [("form_token", old.as_str()), ("text", "css_pasted"), ("days", "7")];
    let answer = browser.post("/leaks", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("nothing was changed") && !answer.body.contains("css_pasted"), "{}", answer.body);
    let session = browser.cookie(SESSION).expect("a session");
    let elsewhere = browser.post_with("/logout", &[("form_token", &old)], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK, "another site signs nobody out");

    let answer = browser.post("/logout", &[("form_token", &old)]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/login"));
    let replayed = Request::get("/account").header("cookie", format!("{SESSION}={session}"));
    assert_eq!(app.send(replayed.body(Body::empty()).expect("a request")).await.status, StatusCode::SEE_OTHER);
    let answer = browser.post("/login", &[("form_token", &old), ("email", EMAIL), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("signed in or out in this browser") && answer.body.contains(EMAIL));
}

#[tokio::test]
async fn the_forms_of_a_link_are_shown_again_with_what_was_typed() {
    let app = App::new().await;
    let link = setup::create_link_token(&app.instance.context).await.expect("makes").expect("a link");
    let browser = app.browser();
    browser.get(&format!("/setup?token={link}")).await;
    let (name, email, password) = (("name", "Ada King"), ("email", EMAIL), ("password", PASSWORD));
    let again = browser.post("/setup", &[("form_token", "of before"), ("token", &link), name, email, password]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("Ada King") && again.body.contains("nothing was changed"), "{}", again.body);
    let token = form_token(&again.body);
    let answer = browser.post("/setup", &[("form_token", &token), ("token", &link), name, email, password]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);

    let role = InvitedRole::Administrator;
    let invited = invitation::invite(&app.instance.context, &operator(), "bob@example.com", role).await;
    let (_, link) = invited.expect("invites");
    let guest = app.browser();
    guest.get(&format!("/invitation?token={link}")).await;
    let mut fields = [("form_token", "of before"), ("token", &link), ("name", "Bob Stone"), ("password", PASSWORD)];
    let again = guest.post("/invitation", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("Bob Stone") && again.body.contains("nothing was changed"), "{}", again.body);
    let token = form_token(&again.body);
    fields[0].1 = &token;
    assert_eq!(guest.post("/invitation", &fields).await.status, StatusCode::SEE_OTHER);
}
