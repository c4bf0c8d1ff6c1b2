//! E-mails to people: who gets one, what it says, and what no e-mail and no page tells.

use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::TeamId;
use domain::credential::disable;
use domain::credential::generate::{Generated, generate};
use domain::incident::leak;
use domain::model::actor::Actor;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::incident::Policy;
use domain::model::incident::record::Source;
use domain::model::operations::policy::{PolicyMode, PolicyName};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::person::{manage, password_link, team};
use domain::testing::FakeMailServer;
use domain::webhook::{alert, mail};

use crate::roles::{joined, operator, set_policy, signed_in_as};
use crate::support::{App, EMAIL, PASSWORD, until};

const DAY: Duration = Duration::from_secs(24 * 3600);
const FORGOT: &str = "/password/forgot";
const NEW_PASSWORD: &str = "a much longer phrase than before";

/// Makes and sends what is due. Returns addresses and subjects, and all texts.
async fn round(app: &App, mailbox: &FakeMailServer) -> (Vec<String>, String) {
    // An entry waits this long, so that one e-mail can tell it together with the next entries.
    app.instance.clock.advance(Duration::from_secs(3));
    mail::enqueue(&app.instance.context).await.expect("makes");
    mail::send_due(&app.instance.context).await.expect("sends");
    let mails = mailbox.take();
    let heads = mails.iter().map(|(to, subject, _)| format!("{to}: {subject}")).collect();
    (heads, mails.into_iter().map(|(.., text)| text).collect())
}

fn role(role: Role) -> InvitedRole {
    InvitedRole::Team(TeamId::first(), role)
}

/// Asks for a link by e-mail. The answer comes before the address is looked up, so this waits until the request is
/// handled: for an address with an account the e-mail waits then.
async fn asked(app: &App, email: &str) -> String {
    let answer = app.browser().submit(FORGOT, FORGOT, &[("email", email)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.words()
}

async fn waiting(app: &App) -> i64 {
    mail::health(&app.instance.context).await.expect("reads").map_or(0, |health| health.waiting)
}

#[tokio::test]
async fn a_person_who_forgot_the_password_gets_a_link_and_sets_another_one() {
    let (app, mailbox) = App::with_mail().await;
    app.signed_in().await;
    round(&app, &mailbox).await;
    let stranger = app.browser();
    assert!(stranger.get("/login").await.body.contains("href=\"/password/forgot\""));
    let empty = stranger.submit(FORGOT, FORGOT, &[("email", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let known = asked(&app, EMAIL).await;
    until(async || (waiting(&app).await == 1).then_some(())).await;
    assert_eq!(
        known,
        asked(&app, "nobody@example.com").await,
        "the page does not tell which addresses have an account"
    );
    // While a link works, another request makes no other one.
    asked(&app, EMAIL).await;
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, [format!("{EMAIL}: Set a new password")]);
    let link = text.split_whitespace().find(|word| word.contains("/password?token=")).expect("a link");
    let path = link.strip_prefix("http://localhost:8080").expect("an address of this instance");
    let page = stranger.get(path).await;
    assert!(page.words().contains("You asked for this link by email."), "{}", page.words());
    let token = path.split_once("token=").expect("a token").1;
    let fields = [("token", token), ("password", NEW_PASSWORD)];
    let done = stranger.submit(path, "/password", &fields).await;
    assert!(done.words().contains("Your new password works"), "{}", done.words());
    assert_eq!(stranger.sign_in(PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stranger.sign_in(NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
    let again = app.browser().submit("/login", "/password", &fields).await;
    assert_eq!(again.status, StatusCode::GONE, "the link works once");
}

#[tokio::test]
async fn who_asks_many_times_at_once_gets_one_link() {
    let (app, mailbox) = App::with_mail().await;
    app.signed_in().await;
    round(&app, &mailbox).await;
    for attempt in 0..20 {
        app.instance.clock.advance(Duration::from_secs(2 * 3600));
        mail::ask_for_password_link(&app.instance.context, EMAIL).await.expect("handles");
        // Requests come while the e-mail is being sent.
        let asking = (0..4).map(|_| {
            let context = app.instance.context.clone();
            tokio::spawn(async move { mail::ask_for_password_link(&context, EMAIL).await })
        });
        let asking: Vec<_> = asking.collect();
        while mailbox.is_empty() {
            mail::send_due(&app.instance.context).await.expect("sends");
        }
        for asked in asking {
            asked.await.expect("no panic").expect("handles");
        }
        mail::send_due(&app.instance.context).await.expect("sends");
        assert_eq!(mailbox.take().len(), 1, "round {attempt}");
    }
}

#[tokio::test]
async fn a_link_by_email_hinders_no_other_link_and_no_mailbox() {
    let (app, mailbox) = App::with_mail().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let grace = joined(&app, "grace@example.com", role(Role::Viewer)).await;
    round(&app, &mailbox).await;
    let (_, token) = password_link::create(context, &operator(), &grace.id).await.expect("made");
    mail::ask_for_password_link(context, "grace@example.com").await.expect("handles");
    assert_eq!(waiting(&app).await, 0, "a stranger does not end the link that an administrator made");
    assert!(password_link::open(context, &token).await.expect("reads").is_some());
    password_link::withdraw(context, &operator(), &grace.id).await.expect("withdrawn");

    mail::ask_for_password_link(context, " Grace@example.com ").await.expect("handles");
    assert_eq!(round(&app, &mailbox).await.0, ["grace@example.com: Set a new password"]);
    mail::ask_for_password_link(context, "grace@example.com").await.expect("handles");
    assert_eq!(waiting(&app).await, 0, "not more than one within some minutes");
    app.instance.clock.advance(Duration::from_secs(15 * 60));
    mail::ask_for_password_link(context, "grace@example.com").await.expect("handles");
    assert_eq!(waiting(&app).await, 1);
    manage::disable(context, &operator(), &grace.id).await.expect("disabled");
    assert_eq!(round(&app, &mailbox).await.0.len(), 0, "a disabled person gets none");
    assert_eq!(waiting(&app).await, 0);
    let mut limited = String::new();
    for _ in 0..12 {
        limited = app.browser().submit(FORGOT, FORGOT, &[("email", "x@example.com")]).await.words();
    }
    assert!(limited.contains("There were too many requests from your address."), "{limited}");
}

#[tokio::test]
async fn without_a_mail_server_nothing_offers_an_email() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    assert_eq!(app.browser().get(FORGOT).await.status, StatusCode::NOT_FOUND);
    assert!(app.browser().get("/login").await.words().contains("ask an administrator for a password link"));
    assert!(!browser.get("/account").await.words().contains("Send me an email about"));
    assert!(browser.get("/settings/about").await.words().contains("smtp_url is not set"));
    mail::enqueue(&app.instance.context).await.expect("makes none");
    assert_eq!(mail::send_due(&app.instance.context).await.expect("sends none"), 0);
}

#[tokio::test]
async fn those_who_must_act_are_told_and_each_chooses() {
    let (app, mailbox) = App::with_mail().await;
    let context = &app.instance.context;
    app.signed_in().await;
    joined(&app, "viewer@example.com", role(Role::Viewer)).await;
    joined(&app, "member@example.com", role(Role::Member)).await;
    let manager = joined(&app, "manager@example.com", role(Role::Manager)).await;
    round(&app, &mailbox).await;

    let draft = Draft { name: "nightly job".to_owned(), expiry: Expiry::After(DAY * 40), ..Draft::default() };
    let job = generate(context, &operator(), &draft, None).await.expect("generated");
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, ["manager@example.com: Generated: nightly job"]);
    assert!(text.contains("Generated by: operator") && text.contains("/credentials/csc_"), "{text}");
    assert!(text.contains("You choose which e-mails you get: http://localhost:8080/account#mail"), "{text}");

    app.instance.clock.advance(DAY * 37);
    alert::expiring(context).await.expect("writes");
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, ["manager@example.com: Expires within 3 days: nightly job"], "nobody owns it");
    assert!(text.contains("Expires: 2026-12-31 09:00:"), "{text}");

    let secret = job.secret.as_ref().expect("a secret").expose();
    leak::report(context, &Actor::system(), secret, Some("https://example.com/p"), Policy::Revoke)
        .await
        .expect("reports");
    let (heads, text) = round(&app, &mailbox).await;
    let subject = "Leak: Secret of nightly job leaked";
    assert_eq!(heads.len(), 3, "members, managers and administrators, not viewers: {heads:?}");
    for who in ["ada@example.com", "member@example.com", "manager@example.com"] {
        assert!(heads.contains(&format!("{who}: {subject}")), "{heads:?}");
    }
    assert!(text.contains("/incidents/1") && text.contains("Found at: https://example.com/p"), "{text}");
    assert!(!text.contains(secret));

    let browser = signed_in_as(&app, &manager).await;
    let page = browser.get("/account").await;
    assert_eq!(page.body.matches("name=\"mail\"").count(), 4, "{}", page.words());
    let saved = browser.submit("/account", "/account/mail", &[("mail", "sign_in")]).await;
    assert_eq!(saved.header("location"), "/account?done=mail");
    round(&app, &mailbox).await;
    let draft = Draft { name: "another job".to_owned(), ..Draft::default() };
    generate(context, &operator(), &draft, None).await.expect("generated");
    assert_eq!(round(&app, &mailbox).await.0.len(), 0, "who chose only sign-ins is told of nothing else");
}

#[tokio::test]
async fn a_sign_in_with_an_unknown_browser_is_told() {
    let (app, mailbox) = App::with_mail().await;
    app.signed_in().await;
    let (heads, _) = round(&app, &mailbox).await;
    assert!(heads.is_empty(), "the first sign-in tells nothing new: {heads:?}");
    let sign_in = async |agent: &str| {
        let browser = app.browser();
        let token = crate::support::form_token(&browser.get("/login").await.body);
        let fields = [("form_token", &*token), ("email", EMAIL), ("password", PASSWORD)];
        let headers = [("sec-fetch-site", "same-origin"), ("user-agent", agent)];
        assert_eq!(browser.post_with("/login", &fields, &headers).await.status, StatusCode::SEE_OTHER);
    };
    sign_in("Mozilla/5.0 (X11) Firefox/131.0").await;
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, [format!("{EMAIL}: New sign-in to your account")]);
    assert!(text.contains("Browser: Mozilla/5.0 (X11) Firefox/131.0") && text.contains("From: 192.0.2.1"), "{text}");
    for known in ["Mozilla/5.0 (X11) Firefox/131.0", "Mozilla/5.0 (X11) Firefox/132.1"] {
        sign_in(known).await;
        assert!(round(&app, &mailbox).await.0.is_empty(), "{known}");
    }
}

#[tokio::test]
async fn an_email_that_the_server_refuses_is_sent_later_and_the_page_about_says_why() {
    let (app, mailbox) = App::with_mail().await;
    let browser = app.signed_in().await;
    joined(&app, "manager@example.com", role(Role::Manager)).await;
    round(&app, &mailbox).await;
    mailbox.refuse(Some("450 try again later"));
    app.generated("nightly job", &[]).await;
    assert!(round(&app, &mailbox).await.0.is_empty());
    let about = browser.get("/settings/about").await.words();
    assert!(about.contains("1 email waits") && about.contains("450 try again later"), "{about}");
    mailbox.refuse(None);
    assert!(round(&app, &mailbox).await.0.is_empty(), "not at once");
    app.instance.clock.advance(Duration::from_secs(30));
    assert_eq!(round(&app, &mailbox).await.0, ["manager@example.com: Generated: nightly job"]);
    assert_eq!(waiting(&app).await, 0);
}

#[tokio::test]
async fn an_invitation_is_sent_and_the_link_is_shown_too() {
    let (app, mailbox) = App::with_mail().await;
    let browser = app.signed_in().await;
    let team = TeamId::first();
    let fields = [("email", "grace@example.com"), ("team", team.as_str()), ("role", "member")];
    let page = browser.submit("/people/invite", "/people/invite", &fields).await;
    assert!(page.words().contains("The link was sent to grace@example.com."), "{}", page.words());
    let [(to, subject, text)] = <[_; 1]>::try_from(mailbox.take()).expect("one e-mail");
    assert_eq!((to.as_str(), subject.as_str()), ("grace@example.com", "Invitation to Countersign"));
    let link = text.split_whitespace().find(|word| word.contains("/invitation?token=")).expect("a link");
    assert!(page.body.contains(link));
    let page = browser.submit("/people/invite", "/people/invite", &fields).await.words();
    assert!(page.contains("grace@example.com got an email a few minutes ago.") && mailbox.take().is_empty(), "{page}");
    mailbox.refuse(Some("550 no such mailbox"));
    let fields = [("email", "lin@example.com"), fields[1], fields[2]];
    let page = browser.submit("/people/invite", "/people/invite", &fields).await.words();
    assert!(page.contains("The email could not be sent (550 no such mailbox)"), "{page}");
}

#[tokio::test]
async fn a_person_reads_of_an_incident_what_they_see_and_is_told_once() {
    let (app, mailbox) = App::with_mail().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let other = team::create(context, &operator(), "Elsewhere").await.expect("made");
    let member = InvitedRole::Team(other.id.clone(), Role::Member);
    joined(&app, "bob@example.com", member).await;
    round(&app, &mailbox).await;
    let payroll = app.generated("payroll", &[]).await;
    let draft = Draft { team: Some(other.id.clone()), name: "sensors".to_owned(), ..Draft::default() };
    let sensors = generate(context, &operator(), &draft, None).await.expect("generated");
    let exposed = |one: &Generated| one.secret.as_ref().expect("a secret").expose().to_owned();
    let text = format!("{} {}", exposed(&payroll), exposed(&sensors));
    let source = Source::CommandLine;
    leak::record(context, &operator(), &Authority::Everything, &text, source).await.expect("records");
    let (heads, text) = round(&app, &mailbox).await;
    let own: Vec<&String> = heads.iter().filter(|head| head.starts_with("bob@")).collect();
    assert_eq!(own, ["bob@example.com: Leak: Secret of sensors and 1 more leaked"], "{heads:?}");
    assert!(!text.contains(&exposed(&payroll)));
    // Who disables and enables fills nobody's mailbox.
    for _ in 0..3 {
        disable::disable(context, &operator(), &sensors.credential.client_id).await.expect("disabled");
        disable::disable(context, &operator(), &payroll.credential.client_id).await.expect("disabled");
        disable::enable(context, &operator(), &sensors.credential.client_id).await.expect("enabled");
    }
    assert!(round(&app, &mailbox).await.0.is_empty());
}

#[tokio::test]
async fn what_changed_since_an_email_was_made_counts_when_it_is_sent() {
    let (app, mailbox) = App::with_mail().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let manager = joined(&app, "manager@example.com", role(Role::Manager)).await;
    round(&app, &mailbox).await;
    mailbox.refuse(Some("450 later"));
    app.generated("nightly job", &[]).await;
    mail::ask_for_password_link(context, "manager@example.com").await.expect("handles");
    for _ in 0..2 {
        round(&app, &mailbox).await;
    }
    assert_eq!(waiting(&app).await, 2);
    let page = signed_in_as(&app, &manager).await;
    assert!(!page.get("/account").await.words().is_empty());
    // The link of the attempt that failed does not work, and a withdrawn request brings no other one.
    password_link::withdraw(context, &operator(), &manager.id).await.expect("withdrawn");
    team::set_role(context, &operator(), &TeamId::first(), &manager.id, None).await.expect("removed");
    mailbox.refuse(None);
    app.instance.clock.advance(Duration::from_secs(3600));
    assert!(round(&app, &mailbox).await.0.is_empty());
    assert_eq!(waiting(&app).await, 0);
}

#[tokio::test]
async fn whoever_turns_the_warning_off_is_told_of() {
    let (app, mailbox) = App::with_mail().await;
    let browser = app.signed_in().await;
    round(&app, &mailbox).await;
    browser.submit("/account", "/account/mail", &[("mail", "incidents")]).await;
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, [format!("{EMAIL}: E-mails about sign-ins were turned off")]);
    assert!(text.contains("From: 192.0.2.1"), "{text}");
}

#[tokio::test]
async fn managers_hear_of_requests_and_members_of_decisions() {
    let (app, mailbox) = App::with_mail().await;
    app.signed_in().await;
    let manager = joined(&app, "manager@example.com", role(Role::Manager)).await;
    let member = joined(&app, "member@example.com", role(Role::Member)).await;
    set_policy(&app.instance.context, PolicyName::Generation, PolicyMode::Enforce).await;
    let (manager, member) = (signed_in_as(&app, &manager).await, signed_in_as(&app, &member).await);
    round(&app, &mailbox).await;
    let fields = [("name", "nightly"), ("why", "The index is built at night.")];
    let sent = member.submit("/credentials/new", "/credentials/new", &fields).await;
    let page = sent.header("location").split('?').next().expect("a path");
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, ["manager@example.com: Asks for a credential: nightly"]);
    assert!(text.contains(&format!("http://localhost:8080{page}")), "{text}");
    manager.submit(page, &format!("{page}/decide"), &[("decision", "approve")]).await;
    let (heads, text) = round(&app, &mailbox).await;
    assert_eq!(heads, ["member@example.com: Request approved: nightly"]);
    assert!(text.contains("Decided by: manager"), "{text}");
}
