//! The second factor: setting it up, signing in with it, losing it.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::audit;
use domain::base::clock::Clock;
use domain::context::Context;
use domain::model::audit::{AuditEntry, Filter};
use domain::model::operations::How;
use domain::model::person::authority::Authority;
use domain::operations::restore;
use domain::person::second_factor;
use domain::person::sign_in::WINDOW;
use domain::person::sign_in::second_step::{CODE_LIMIT, DAILY_CODE_LIMIT, LIFETIME};
use domain::store::{DatabaseUrl, Store, StoreOptions};

use crate::support::{Answer, App, Browser, EMAIL, PASSWORD, between, form_token};

const SESSION: &str = "countersign_session";
const STEP: &str = "/login/second-factor";
const STEP_SECONDS: u64 = 30;

/// An authenticator app, as a telephone would have it.
pub(crate) struct Phone(Vec<u8>);

impl Phone {
    fn of(base32: &str) -> Self {
        let bits: String = base32
            .bytes()
            .map(|byte| {
                format!(
                    "{:05b}",
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|own| *own == byte).expect("base32")
                )
            })
            .collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        Self(bytes.map(|byte| u8::from_str_radix(str::from_utf8(byte).expect("bits"), 2).expect("a byte")).collect())
    }

    /// The code that is shown so many steps from now.
    pub(crate) fn code(&self, app: &App, away: i64) -> String {
        let step = app.instance.clock.now().millis() / 1000 / STEP_SECONDS as i64 + away;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0), &step.to_be_bytes());
        let tag = tag.as_ref();
        let start = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes(tag[start..start + 4].try_into().expect("four")) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// A code that is none of those around now.
    fn wrong(&self, app: &App) -> String {
        let right: Vec<String> = (-2..=2).map(|away| self.code(app, away)).collect();
        (0..).map(|number| format!("{number:06}")).find(|code| !right.contains(code)).expect("one of them")
    }
}

/// Sets an app up in a browser whose person proved who they are a moment ago; returns it with the recovery codes.
pub(crate) async fn enrolled(browser: &Browser<'_>) -> (Phone, Vec<String>) {
    let shown = browser.submit("/account/authenticator", "/account/authenticator", &[]).await;
    assert_eq!((shown.status, shown.header("referrer-policy")), (StatusCode::OK, "no-referrer"));
    let phone = Phone::of(between(&shown.body, "?secret=", "&"));
    let token = form_token(&shown.body);
    let fields =
        [("form_token", token.as_str()), ("shown", shown_token(&shown)), ("code", &phone.code(browser.app, 0))];
    let answer = browser.post("/account/authenticator/confirm", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    (phone, recovery_codes(&answer))
}

/// What the page with the secret sends back.
fn shown_token(page: &Answer) -> &str {
    between(&page.body, r#"name="shown" value=""#, "\"")
}

/// That the sign-in has to begin again, on the way to `next`.
fn begins_again(answer: &Answer, next: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("Start again with your password."), "{}", answer.body);
    assert!(answer.body.contains(&format!(r#"name="next" value="{next}""#)), "{}", answer.body);
}

fn recovery_codes(answer: &Answer) -> Vec<String> {
    let codes = between(&answer.body, r#"aria-label="Recovery codes">"#, "</pre>");
    codes.replace("<!>", "").lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Takes the first step in a browser.
async fn first_step(browser: &Browser<'_>) {
    let answer = browser.sign_in(PASSWORD).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, STEP));
}

async fn second_step(browser: &Browser<'_>, code: &str) -> Answer {
    browser.submit(STEP, STEP, &[("code", code)]).await
}

async fn entries(app: &App, action: &str) -> Vec<AuditEntry> {
    let entries = audit::list(&app.instance.context, &Authority::Everything, &Filter::default(), 200).await;
    entries.expect("reads").into_iter().filter(|entry| entry.action == action).collect()
}

#[tokio::test]
async fn an_app_counts_once_it_has_shown_a_code() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let shown = browser.submit("/account/authenticator", "/account/authenticator", &[]).await;
    let phone = Phone::of(between(&shown.body, "?secret=", "&"));
    assert!(shown.body.contains("<svg") && shown.body.contains("otpauth://totp/"));
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/", "nothing counts before the first code");

    let seen = shown_token(&shown);
    let confirm = async |token: &str, code: &str| {
        let fields = [("form_token", token), ("shown", seen), ("code", code)];
        browser.post("/account/authenticator/confirm", &fields).await
    };
    let wrong = confirm(&form_token(&shown.body), &phone.wrong(&app)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(between(&wrong.body, "?secret=", "&"), between(&shown.body, "?secret=", "&"), "the same secret goes on");
    assert_eq!(shown_token(&wrong), seen);
    let token = form_token(&wrong.body);
    let right = confirm(&token, &phone.code(&app, 0)).await;
    let codes = recovery_codes(&right);
    assert_eq!(codes.len(), 10);
    let again = confirm(&token, &phone.code(&app, 1)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "codes are shown once");
    assert!(!again.body.contains(&codes[0]));
    assert!(browser.get("/account").await.body.contains("10 recovery codes are left."));
    assert_eq!(entries(&app, "second_factor.added").await.len(), 1);

    first_step(&app.browser()).await;
}

#[tokio::test]
async fn another_session_sees_no_secret_and_turns_no_app_on() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let left_open = app.browser();
    left_open.sign_in(PASSWORD).await;
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let begun = owner.submit("/account", "/account/authenticator", &[("your_password", PASSWORD)]).await;
    let phone = Phone::of(between(&begun.body, "?secret=", "&"));
    for code in [phone.wrong(&app), phone.code(&app, 0)] {
        for shown in ["", "made up"] {
            let fields = [("shown", shown), ("code", code.as_str())];
            let answer = left_open.submit("/account", "/account/authenticator/confirm", &fields).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(!answer.body.contains("secret=") && !answer.body.contains("Save your recovery codes"));
        }
    }
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/", "it does not count");

    // Whoever saw the page goes on, though the proof is older than five minutes by now.
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let mistyped = phone.wrong(&app);
    let fields = [("shown", shown_token(&begun)), ("code", mistyped.as_str())];
    let wrong = owner.submit("/account", "/account/authenticator/confirm", &fields).await;
    assert_eq!(between(&wrong.body, "?secret=", "&"), between(&begun.body, "?secret=", "&"));
    let code = phone.code(&app, 0);
    let fields = [("shown", shown_token(&wrong)), ("code", code.as_str())];
    let right = owner.submit("/account", "/account/authenticator/confirm", &fields).await;
    assert_eq!(recovery_codes(&right).len(), 10);
}

#[tokio::test]
async fn an_app_that_was_begun_long_ago_is_begun_again() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let shown = browser.submit("/account/authenticator", "/account/authenticator", &[]).await;
    let phone = Phone::of(between(&shown.body, "?secret=", "&"));
    app.instance.clock.advance(Duration::from_secs(16 * 60));
    let code = phone.code(&app, 0);
    let late = browser.submit("/account", "/account/authenticator/confirm", &[("code", code.as_str())]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/");
    // By now the password is asked for before another secret is shown.
    let asked = browser.submit("/account/authenticator", "/account/authenticator", &[]).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.body.contains("Enter your password to go on.") && !asked.body.contains("secret="));
    let fields = [("your_password", PASSWORD)];
    assert_eq!(browser.submit("/account", "/account/authenticator", &fields).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_long_request_of_a_client_comes_through_both_steps() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let (_, codes) = enrolled(&owner).await;
    let next = format!("/mcp/oauth/authorize?client_id=x&state={}", "%2F%26".repeat(1_200));
    let browser = app.browser();
    let fields = [("next", next.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(browser.submit("/login", "/login", &fields).await.header("location"), STEP);
    let page = browser.get(STEP).await;
    let other = between(&page.body, "href=\"/login/second-factor?", "\"").replace("&amp;", "&");
    let other = format!("{STEP}?{other}");
    assert_eq!(browser.get(&other).await.status, StatusCode::OK);
    // In another browser no sign-in waits: it begins again, and leads to the same request.
    begins_again(&app.browser().get(&other).await, &next.replace('&', "&amp;"));
    let entered = browser.submit(&other, STEP, &[("with", "recovery-code"), ("code", &codes[0])]).await;
    assert_eq!(entered.header("location"), next, "{}", entered.body);
}

#[tokio::test]
async fn there_is_no_session_before_both_steps_are_right() {
    let app = App::new().await;
    let (phone, _) = enrolled(&app.signed_in().await).await;
    let browser = app.browser();
    assert_eq!(browser.get(STEP).await.header("location"), "/login", "the second step comes second");
    let wrong = browser.sign_in("nonsense nonsense").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.body.contains("authenticator app"), "whether there is a factor shows only after the right password");

    let started = entries(&app, "session.started").await.len();
    let next = "/mcp/oauth/authorize?client_id=a&state=b";
    let fields = [("email", EMAIL), ("password", PASSWORD), ("next", next)];
    browser.submit("/login", "/login", &fields).await;
    assert_eq!((browser.cookie(SESSION), browser.get("/account").await.status), (None, StatusCode::SEE_OTHER));
    // Whoever leaves it at that may have stolen the password: its owner reads of it.
    let asked = entries(&app, "session.second_step_asked").await;
    assert_eq!((asked.len(), asked[0].actor_kind.as_str(), asked[0].target_kind.as_str()), (1, "system", "person"));
    let page = browser.get(STEP).await;
    assert!(
        !page.header("content-security-policy").contains("form-action"),
        "a client's redirect is followed from here"
    );
    assert_eq!(second_step(&browser, &phone.wrong(&app)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((browser.cookie(SESSION), entries(&app, "session.started").await.len()), (None, started));

    // The token is this browser's, and does for one sign-in.
    let token = browser.cookie("countersign_second_step").expect("a token");
    let entered = second_step(&browser, &phone.code(&app, 1)).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, next));
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(browser.cookie("countersign_second_step"), None);
    let started = entries(&app, "session.started").await;
    assert!(started[0].details.contains("authenticator_app"), "{}", started[0].details);
    let replayed = Request::get(STEP).header("cookie", format!("countersign_second_step={token}"));
    assert_eq!(app.send(replayed.body(Body::empty()).expect("a request")).await.header("location"), "/login");
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let app = App::new().await;
    let (phone, _) = enrolled(&app.signed_in().await).await;
    let (first, second) = (app.browser(), app.browser());
    first_step(&first).await;
    first_step(&second).await;
    assert_eq!(
        second_step(&first, &phone.code(&app, 0)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "used to set up"
    );
    let code = phone.code(&app, 1);
    assert_eq!(second_step(&first, &code).await.status, StatusCode::SEE_OTHER);
    assert_eq!(second_step(&second, &code).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    app.instance.clock.advance(Duration::from_secs(2 * STEP_SECONDS));
    let spaced = format!("{} {}", &phone.code(&app, 0)[..3], &phone.code(&app, 0)[3..]);
    assert_eq!(second_step(&second, &spaced).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn of_two_that_bring_one_code_at_once_one_gets_in() {
    let app = App::new().await;
    let (phone, codes) = enrolled(&app.signed_in().await).await;
    for code in [phone.code(&app, 1), codes[0].clone()] {
        let browsers: Vec<Browser<'_>> = (0..4).map(|_| app.browser()).collect();
        let mut tokens = Vec::new();
        for browser in &browsers {
            first_step(browser).await;
            tokens.push(form_token(&browser.get(STEP).await.body));
        }
        let attempts = browsers.iter().zip(&tokens).map(async |(browser, token)| {
            browser.post(STEP, &[("form_token", token.as_str()), ("code", code.as_str())]).await.status
        });
        let attempts = futures::future::join_all(attempts).await;
        let entered = attempts.into_iter().filter(|status| *status == StatusCode::SEE_OTHER).count();
        assert_eq!(entered, 1, "{code}");
    }
}

#[tokio::test]
async fn a_recovery_code_works_once() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (_, codes) = enrolled(&browser).await;
    let other = app.browser();
    first_step(&other).await;
    let page = other.get("/login/second-factor?with=recovery-code").await;
    assert!(page.body.contains("Recovery code"));
    let stale = other.post(STEP, &[("form_token", "of before"), ("code", &codes[3])]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.body.contains("Send the form again."), "nothing was checked: {}", stale.body);
    let typed = codes[3].to_lowercase().replace('-', " ");
    assert_eq!(second_step(&other, &typed).await.status, StatusCode::SEE_OTHER);
    assert!(other.get("/account").await.body.contains("9 recovery codes are left."));
    assert_eq!(entries(&app, "recovery_code.used").await.len(), 1);
    let third = app.browser();
    first_step(&third).await;
    assert_eq!(second_step(&third, &codes[3]).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    // New ones end the old ones.
    let made = browser.submit("/account/recovery-codes", "/account/recovery-codes", &[]).await;
    let new = recovery_codes(&made);
    assert_eq!((new.len(), entries(&app, "recovery_codes.replaced").await.len()), (10, 1));
    assert_eq!(second_step(&third, &codes[4]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(second_step(&third, &new[0]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_second_step_cannot_be_put_off() {
    let app = App::new().await;
    let (phone, _) = enrolled(&app.signed_in().await).await;
    let browser = app.browser();
    first_step(&browser).await;
    let shown = browser.get(STEP).await.body;
    let token = form_token(&shown);
    assert_eq!(between(&shown, r#"name="next" value=""#, "\""), "/", "the page knows the way");
    app.instance.clock.advance(LIFETIME);
    let code = phone.code(&app, 0);
    for (sent, next) in [("/activity?actor=Ada", "/activity?actor=Ada"), ("//evil.example", "/")] {
        let fields = [("form_token", token.as_str()), ("code", code.as_str()), ("next", sent)];
        begins_again(&browser.post(STEP, &fields).await, next);
    }
    begins_again(&browser.get("/login/second-factor?with=recovery-code&next=%2Factivity").await, "/activity");
    assert_eq!(browser.cookie(SESSION), None);
}

#[tokio::test]
async fn a_changed_password_ends_the_sign_ins_that_wait() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let (phone, _) = enrolled(&owner).await;
    let waiting = app.browser();
    first_step(&waiting).await;
    let token = form_token(&waiting.get(STEP).await.body);
    app.instance.clock.advance(Duration::from_secs(STEP_SECONDS));
    let new = "another quiet otter door";
    let change = async |code: &str| {
        let fields = [("current_password", PASSWORD), ("new_password", new), ("code", code)];
        owner.submit("/account", "/account/password", &fields).await.status
    };
    assert_eq!(change("").await, StatusCode::UNPROCESSABLE_ENTITY, "the code is asked for too");
    assert_eq!(change(&phone.code(&app, 0)).await, StatusCode::SEE_OTHER);
    let fields = [("form_token", token.as_str()), ("code", &phone.code(&app, 1))];
    begins_again(&waiting.post(STEP, &fields).await, "/");
    // The factor outlives the password.
    assert_eq!(app.browser().sign_in(new).await.header("location"), STEP);
}

#[tokio::test]
async fn guessed_codes_are_counted_and_the_owner_gets_in() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let (phone, codes) = enrolled(&owner).await;
    owner.submit("/account", "/logout", &[]).await;
    let stranger = app.browser();
    first_step(&stranger).await;
    let guess = phone.wrong(&app);
    let refused = entries(&app, "session.refused").await.len() as i64;
    for _ in 0..CODE_LIMIT {
        assert_eq!(second_step(&stranger, &guess).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let limited = second_step(&stranger, &phone.code(&app, 1)).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.header("retry-after").parse::<u64>().expect("seconds") > 0);
    assert_eq!(entries(&app, "session.refused").await.len() as i64, refused + CODE_LIMIT);
    assert!(limited.body.contains("Too many wrong codes") && limited.body.contains("or use a recovery code"));
    // A browser in which a code was shown before, and a recovery code in any, are counted apart.
    first_step(&owner).await;
    assert_eq!(second_step(&owner, &phone.code(&app, 1)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(second_step(&stranger, &codes[0]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_day_has_few_guesses() {
    let app = App::new().await;
    let (phone, _) = enrolled(&app.signed_in().await).await;
    let mut refused = 0;
    // Over twelve hours, never more at once than the short count allows.
    for _ in 0..DAILY_CODE_LIMIT / 2 {
        app.instance.clock.advance(Duration::from_secs(1800));
        let stranger = app.browser();
        first_step(&stranger).await;
        let guess = phone.wrong(&app);
        for _ in 0..4 {
            refused += i64::from(second_step(&stranger, &guess).await.status == StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
    assert_eq!(refused, DAILY_CODE_LIMIT);
}

#[tokio::test]
async fn to_have_known_the_password_gives_no_guesses_of_ones_own() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let strangers = [app.browser(), app.browser()];
    for stranger in &strangers {
        assert_eq!(stranger.sign_in(PASSWORD).await.header("location"), "/");
        stranger.submit("/account", "/logout", &[]).await;
        assert!(stranger.cookie("countersign_device").is_some());
    }
    let (phone, _) = enrolled(&owner).await;
    owner.submit("/account", "/logout", &[]).await;
    let guess = phone.wrong(&app);
    first_step(&strangers[0]).await;
    for _ in 0..CODE_LIMIT {
        assert_eq!(second_step(&strangers[0], &guess).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for stranger in &strangers {
        first_step(stranger).await;
        assert_eq!(second_step(stranger, &phone.code(&app, 1)).await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    first_step(&owner).await;
    assert_eq!(second_step(&owner, &phone.code(&app, 1)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn known_browsers_share_the_guesses_of_a_day() {
    let app = App::new().await;
    let owner = app.signed_in().await;
    let (phone, codes) = enrolled(&owner).await;
    let known = [app.browser(), app.browser()];
    for (browser, code) in known.iter().zip(&codes) {
        first_step(browser).await;
        assert_eq!(second_step(browser, code).await.status, StatusCode::SEE_OTHER);
        browser.submit("/account", "/logout", &[]).await;
    }
    let mut refused = 0;
    for _ in 0..DAILY_CODE_LIMIT / CODE_LIMIT {
        app.instance.clock.advance(WINDOW);
        let guess = phone.wrong(&app);
        for browser in &known {
            first_step(browser).await;
            for _ in 0..CODE_LIMIT {
                refused += i64::from(second_step(browser, &guess).await.status == StatusCode::UNPROCESSABLE_ENTITY);
            }
        }
    }
    assert_eq!(refused, DAILY_CODE_LIMIT);
    app.instance.clock.advance(WINDOW);
    first_step(&known[0]).await;
    assert_eq!(second_step(&known[0], &phone.code(&app, 0)).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second_step(&known[0], &codes[2]).await.status, StatusCode::SEE_OTHER, "a recovery code does");
}

#[tokio::test]
async fn wrong_recovery_codes_keep_nobody_from_theirs() {
    let app = App::new().await;
    let (_, codes) = enrolled(&app.signed_in().await).await;
    let stranger = app.browser();
    first_step(&stranger).await;
    for _ in 0..2 * CODE_LIMIT {
        let answer = second_step(&stranger, "AAAAAA-AAAAAA-AAAAAA-AAAAAA").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let elsewhere = app.browser();
    first_step(&elsewhere).await;
    assert_eq!(second_step(&elsewhere, &codes[0]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_has_the_guesses_of_the_day_and_no_more() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (phone, codes) = enrolled(&browser).await;
    let generate = async |password: &str, code: &str| {
        let fields = [("name", "job"), ("your_password", password), ("your_code", code)];
        browser.submit("/credentials/new", "/credentials/new", &fields).await
    };
    for _ in 0..DAILY_CODE_LIMIT / CODE_LIMIT {
        app.instance.clock.advance(WINDOW);
        let guess = phone.wrong(&app);
        for _ in 0..CODE_LIMIT {
            assert!(generate(PASSWORD, &guess).await.body.contains("This code is wrong"));
        }
        assert!(generate(PASSWORD, &guess).await.body.contains("Too many failed attempts."));
    }
    app.instance.clock.advance(WINDOW);
    let limited = generate(PASSWORD, &phone.code(&app, 0)).await;
    assert_eq!(limited.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(limited.body.contains("Too many wrong codes. Use a recovery code"), "{}", limited.body);
    assert_eq!(generate(PASSWORD, &codes[0]).await.status, StatusCode::OK);
    // They are the guesses of the browsers in which the owner is known, too.
    browser.submit("/account", "/logout", &[]).await;
    first_step(&browser).await;
    assert_eq!(second_step(&browser, &phone.code(&app, 0)).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn who_does_not_know_the_password_uses_up_no_guesses_of_the_day() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (phone, _) = enrolled(&browser).await;
    for _ in 0..=DAILY_CODE_LIMIT / CODE_LIMIT {
        app.instance.clock.advance(WINDOW);
        for _ in 0..CODE_LIMIT {
            let fields = [("name", "job"), ("your_password", "guess guess guess"), ("your_code", "000000")];
            let answer = browser.submit("/credentials/new", "/credentials/new", &fields).await;
            assert!(answer.body.contains("This is not your password."));
        }
    }
    browser.submit("/account", "/logout", &[]).await;
    first_step(&browser).await;
    assert_eq!(second_step(&browser, &phone.code(&app, 0)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_sensitive_action_asks_for_password_and_code() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (phone, codes) = enrolled(&browser).await;
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let asked = browser.get("/credentials/new").await;
    assert!(asked.body.contains("Code from your authenticator app"));
    let generate = async |fields: &[(&str, &str)]| {
        let fields = [&[("name", "job")], fields].concat();
        browser.submit("/credentials/new", "/credentials/new", &fields).await
    };
    let wrong = phone.wrong(&app);
    let right = phone.code(&app, 0);
    for fields in [
        &[][..],
        &[("your_password", PASSWORD)],
        &[("your_code", right.as_str())],
        &[("your_password", PASSWORD), ("your_code", wrong.as_str())],
        &[("your_password", "wrong wrong wrong"), ("your_code", right.as_str())],
    ] {
        let answer = generate(fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(!answer.body.contains("css_"));
        assert!(!between(&answer.body, "<details", ">").contains("open"), "nothing is wrong with the options");
    }
    let answer = generate(&[("your_password", PASSWORD), ("your_code", right.as_str())]).await;
    assert_eq!(answer.status, StatusCode::OK);
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let answer = generate(&[("your_password", PASSWORD), ("your_code", codes[0].as_str())]).await;
    assert_eq!((answer.status, entries(&app, "recovery_code.used").await.len()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn removing_the_app_asks_again_and_ends_the_recovery_codes() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (phone, codes) = enrolled(&browser).await;
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    const REMOVE: &str = "/account/authenticator/remove";
    let password = [("your_password", PASSWORD)];
    assert_eq!(browser.submit(REMOVE, REMOVE, &password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    first_step(&app.browser()).await;
    let code = phone.code(&app, 0);
    let both = [("your_password", PASSWORD), ("your_code", code.as_str())];
    assert_eq!(browser.submit(REMOVE, REMOVE, &both).await.header("location"), "/account?done=app-removed");
    assert_eq!(entries(&app, "second_factor.removed").await.len(), 1);
    assert_eq!(app.browser().sign_in(PASSWORD).await.header("location"), "/");
    assert_eq!(browser.get(REMOVE).await.status, StatusCode::NOT_FOUND);

    // Another app has codes of its own.
    let (_, new) = enrolled(&browser).await;
    assert!(new.iter().all(|code| !codes.contains(code)));
    let other = app.browser();
    first_step(&other).await;
    assert_eq!(second_step(&other, &codes[0]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_administrator_removes_what_somebody_lost() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let context = &app.instance.context;
    let new = domain::person::NewPerson {
        name: "Grace Hopper".to_owned(),
        email: "grace@example.com".to_owned(),
        password: domain::crypto::password::Password::new(PASSWORD.to_owned()),
    };
    let operator = domain::model::actor::Actor::command_line("operator");
    let grace = domain::person::create_administrator(context, &operator, new).await.expect("a person");
    let change = format!("/people/{}/change", grace.id);
    let reset = async || {
        let fields = [("to", "second-factor-removed"), ("reason", "lost telephone")];
        administrator.submit(&change, &change, &fields).await
    };
    assert_eq!(reset().await.status, StatusCode::UNPROCESSABLE_ENTITY, "there is none yet");

    let browser = app.browser();
    browser.sign_in_as(&grace.email, PASSWORD).await;
    enrolled(&browser).await;
    let waiting = app.browser();
    assert_eq!(waiting.sign_in_as(&grace.email, PASSWORD).await.header("location"), STEP);
    assert!(administrator.get(&format!("/people/{}", grace.id)).await.body.contains("Remove second factor"));
    assert_eq!(reset().await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER, "her sessions have ended");
    assert_eq!(waiting.get(STEP).await.header("location"), "/login", "and the sign-ins that waited");
    assert_eq!(browser.sign_in_as(&grace.email, PASSWORD).await.header("location"), "/");
    let entry = entries(&app, "second_factor.removed").await.remove(0);
    assert_eq!((entry.actor_name.as_str(), entry.target_name.as_str()), ("Ada Lovelace", "Grace Hopper"));
    assert!(entry.details.contains("lost telephone"));
}

#[tokio::test]
async fn a_disabled_person_does_not_get_past_the_second_step() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let (phone, _) = enrolled(&browser).await;
    let waiting = app.browser();
    first_step(&waiting).await;
    let token = form_token(&waiting.get(STEP).await.body);
    let context = &app.instance.context;
    let operator = domain::model::actor::Actor::command_line("operator");
    let new = domain::person::NewPerson {
        name: "Second".to_owned(),
        email: "second@example.com".to_owned(),
        password: domain::crypto::password::Password::new(PASSWORD.to_owned()),
    };
    domain::person::create_administrator(context, &operator, new).await.expect("somebody who stays");
    let ada = domain::person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");
    domain::person::manage::disable(context, &operator, &ada.id).await.expect("disables");
    let fields = [("form_token", token.as_str()), ("code", &phone.code(&app, 1))];
    begins_again(&waiting.post(STEP, &fields).await, "/");
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_backup_brings_back_neither_a_removed_app_nor_spent_codes() {
    const REMOVE: &str = "/account/authenticator/remove";
    let app = App::new().await;
    let owner = app.signed_in().await;
    let (_, codes) = enrolled(&owner).await;
    let context = &app.instance.context;
    let file = app.instance.folder().join("copy.db");
    domain::operations::backup::write(context, &file, &mut |_, _| {}).await.expect("writes");
    let copy = Store::open(&DatabaseUrl::Sqlite(file), &StoreOptions::default()).await.expect("opens");
    let restored = Context { store: copy.clone(), ..context.clone() };
    let compare = async || restore::compare(&context.store, &copy, context.now()).await.expect("compares");
    let operator = domain::model::actor::Actor::command_line("operator");
    let ada = domain::person::find_by_email(context, EMAIL).await.expect("reads").expect("Ada");

    let browser = app.browser();
    first_step(&browser).await;
    assert_eq!(second_step(&browser, &codes[0]).await.status, StatusCode::SEE_OTHER);
    let difference = compare().await;
    assert!(difference.is_empty(), "there is nothing to decide about a code that was used");
    restore::finish(&restored, &operator, &difference, false).await.expect("restores");
    let left = second_factor::find_recovery(&restored, &ada.id).await.expect("reads");
    assert_eq!((left.codes_left, left.app_since.is_some()), (9, true));

    assert_eq!(owner.submit(REMOVE, REMOVE, &[]).await.status, StatusCode::SEE_OTHER);
    let difference = compare().await;
    let ended: Vec<_> = difference.ended.iter().map(|one| (one.how, one.name.as_str())).collect();
    assert_eq!(ended, [(How::AppRemoved, "Ada Lovelace")]);
    restore::finish(&restored, &operator, &difference, true).await.expect("restores");
    let left = second_factor::find_recovery(&restored, &ada.id).await.expect("reads");
    assert_eq!((left.codes_left, left.app_since), (0, None));
    let entries = audit::list(&restored, &Authority::Everything, &Filter::default(), 1).await.expect("reads");
    assert_eq!(
        (entries[0].action.as_str(), entries[0].target_name.as_str()),
        ("second_factor.removed", "Ada Lovelace")
    );
    copy.close().await;
}

#[tokio::test]
async fn the_database_holds_neither_secret_nor_codes() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let shown = browser.submit("/account/authenticator", "/account/authenticator", &[]).await;
    let secret = between(&shown.body, "?secret=", "&").to_owned();
    let phone = Phone::of(&secret);
    let seen = shown_token(&shown).to_owned();
    let fields = [("form_token", form_token(&shown.body)), ("shown", seen), ("code", phone.code(&app, 0))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let codes = recovery_codes(&browser.post("/account/authenticator/confirm", &fields).await);
    let waiting = app.browser();
    first_step(&waiting).await;
    let token = waiting.cookie("countersign_second_step").expect("a token");
    let bare: Vec<String> = codes.iter().map(|code| code.replace('-', "")).collect();
    let canaries = [secret.as_bytes(), &phone.0, token.as_bytes()];
    let canaries = canaries.into_iter().chain(codes.iter().chain(&bare).map(String::as_bytes));
    let canaries: Vec<&[u8]> = canaries.collect();
    // Every row, whatever the database.
    let dump = app.instance.folder().join("dump.db");
    domain::operations::backup::write(&app.instance.context, &dump, &mut |_, _| {}).await.expect("a copy");
    for file in std::fs::read_dir(app.instance.folder()).expect("the folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("bytes");
        for canary in &canaries {
            assert!(
                !bytes.windows(canary.len()).any(|window| window == *canary),
                "{}",
                String::from_utf8_lossy(canary)
            );
        }
    }
}
