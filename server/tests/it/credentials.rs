//! Generating, seeing once, listing, editing and stopping credentials in the dashboard.

use std::time::Duration;

use axum::http::StatusCode;
use domain::credential::list::counts;
use domain::credential::{Outcome, rotate};
use domain::model::actor::Actor;
use domain::model::person::authority::Authority;
use domain::model::person::session::PROOF_LIFETIME;

use crate::second_factor::enrolled;
use crate::support::{App, PASSWORD, basic, between, form_token};

const EVIL: &str = "</title></textarea><script>alert(1)</script>\"'&";

fn secret_of(html: &str) -> String {
    let start = html.find("css_").expect("a secret");
    html[start..start + 53].to_owned()
}

#[tokio::test]
async fn the_secret_is_in_the_answer_and_nowhere_else() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let token = form_token(&browser.get("/credentials/new").await.body);
    let fields = [("form_token", token.as_str()), ("name", "nightly-index")];
    let answer = browser.post("/credentials/new", &fields).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(answer.body.contains("Save your client secret"));
    let secret = secret_of(&answer.body);
    let client_id = between(&answer.body, r#"value="csc_"#, "\"");

    let again = browser.post("/credentials/new", &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("Already generated") && again.body.contains(&format!("/credentials/csc_{client_id}")));
    assert_eq!(counts(&app.instance.context, &Authority::Everything).await.expect("reads").all, 1);
    for path in
        ["/", "/credentials", "/credentials/new", &format!("/credentials/csc_{client_id}"), "/activity", "/account"]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.body.contains(&secret), "{path}");
    }
    assert!(!again.body.contains(&secret));
    let answer = app.token(&[], format!("grant_type=client_credentials&client_secret={secret}")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn the_forms_of_a_rotation_have_fields_of_their_own() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    enrolled(&browser).await;
    let generated = app.generated("job", &["mcp:read"]).await;
    let path = format!("/credentials/{}/rotate", generated.credential.client_id);
    assert_eq!(browser.submit(&path, &path, &[("overlap", "3600")]).await.status, StatusCode::OK);
    app.instance.clock.advance(PROOF_LIFETIME);
    let page = browser.get(&path).await.body;
    for name in ["your_password", "your_code"] {
        assert_eq!(page.matches(&format!(r#"name="{name}""#)).count(), 2, "both forms ask: {page}");
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id}");
    }
}

#[tokio::test]
async fn a_mistake_keeps_the_input_and_makes_nothing() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let fields = [
        ("name", "nightly-index"),
        ("description", EVIL),
        ("scope", "credentials:read"),
        ("expiry", "date"),
        ("expires_on", "2020-01-01"),
        ("ip_ranges", "10.0.0.0/99\r\n10.0.0.0/8"),
    ];
    let answer = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("10.0.0.0/99") && answer.body.contains("value=\"nightly-index\""));
    assert!(!answer.body.contains("<script>alert"), "what was typed stays text");
    assert!(answer.body.contains(r##"href="#ip_ranges""##) && answer.body.contains(r#"role="alert""#));
    assert_eq!(counts(&app.instance.context, &Authority::Everything).await.expect("reads").all, 0);
}

#[tokio::test]
async fn a_stale_proof_asks_for_the_password_again() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let fresh = browser.get("/credentials/new").await;
    assert!(!fresh.body.contains("Your password"));
    app.instance.clock.advance(PROOF_LIFETIME);
    let token = form_token(&fresh.body);
    let send = async |password: &str| {
        let fields = [("form_token", token.as_str()), ("name", "job"), ("your_password", password)];
        browser.post("/credentials/new", &fields).await
    };
    let cookie = browser.cookie("countersign_session");
    for wrong in ["", "wrong wrong wrong"] {
        let answer = send(wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("Your password") && answer.body.contains("value=\"job\""));
    }
    assert_eq!(counts(&app.instance.context, &Authority::Everything).await.expect("reads").all, 0);
    assert_eq!(send(PASSWORD).await.status, StatusCode::OK);
    assert_ne!(browser.cookie("countersign_session"), cookie, "a new cookie after proving it again");
    assert!(!browser.get("/credentials/new").await.body.contains("Your password"));
}

#[tokio::test]
async fn names_that_look_like_markup_are_text_on_every_page() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let name = "<img src=x onerror=alert(1)>\"'&";
    let fields = [("name", name), ("description", EVIL)];
    let reveal = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    let id = format!("csc_{}", between(&reveal.body, r#"value="csc_"#, "\""));
    let page = format!("/credentials/{id}");
    let mut pages = vec![reveal];
    let query = format!("/credentials?q={}", url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>());
    for path in [
        "/",
        "/credentials",
        &query,
        &page,
        &format!("{page}/edit"),
        &format!("{page}/disable"),
        &format!("{page}/revoke"),
        "/activity",
        &format!("/credentials/new?from={id}"),
    ] {
        pages.push(browser.get(path).await);
    }
    for page in pages {
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("<img src=x") && !page.body.contains("<script>alert"), "{}", page.body);
    }
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_by_its_address() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    assert!(browser.get("/credentials").await.body.contains("A credential lets one program"));
    for number in 0..55 {
        app.generated(&format!("job {number:02}"), &[]).await;
        app.instance.clock.advance(Duration::from_millis(10));
    }
    let first = browser.get("/credentials").await;
    assert!(first.body.len() < 60_000, "{} bytes", first.body.len());
    assert!(first.body.contains("1–50 of 55") && !first.body.contains(">Previous page<"));
    assert!(first.body.contains("job 54") && !first.body.contains("job 04"));
    let next = between(&first.body, r#"href="/credentials?after="#, "\"");
    let second = browser.get(&format!("/credentials?after={next}")).await;
    assert!(second.body.contains("job 04") && !second.body.contains("job 05"));
    assert!(second.body.contains("51–55 of 55") && !second.body.contains(">Next<"));
    let previous = between(&second.body, r#"href="/credentials?before="#, "\"");
    let back = browser.get(&format!("/credentials?before={previous}")).await;
    assert!(back.body.contains("1–50 of 55") && back.body.contains("job 54") && back.body.contains("job 05"));
    let by_name = browser.get("/credentials?sort=name").await.body;
    assert!(by_name.contains(r#"aria-sort="ascending""#) && by_name.contains("job 49") && !by_name.contains("job 50"));
    assert!(by_name.contains(r#"href="/credentials?sort=name_desc""#), "the head turns the order round");
    let found = browser.get("/credentials?q=JOB+07&sort=name").await;
    assert!(found.body.contains("job 07") && !found.body.contains("job 08"));
    let none = browser.get("/credentials?q=zebra&status=revoked").await.body;
    assert!(none.contains("No credential matches “zebra”, status Revoked."), "{none}");
    assert!(none.contains(r#"href="/credentials?status=revoked""#) && none.contains(r#"href="/credentials?q=zebra""#));
    for wrong in ["/credentials?after=forged", "/credentials?sort=nonsense", "/credentials?status=nonsense"] {
        assert_eq!(browser.get(wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn a_credential_is_edited_disabled_enabled_and_revoked() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let generated = app.generated("job", &[]).await;
    let id = generated.credential.client_id.as_str();
    let page = format!("/credentials/{id}");
    assert!(browser.get(&page).await.body.contains(">Unverified<"));
    let exchange = async || {
        app.token(
            &[],
            format!(
                "grant_type=client_credentials&client_secret={}",
                generated.secret.as_ref().expect("a secret").expose()
            ),
        )
        .await
        .status
    };
    assert_eq!(exchange().await, StatusCode::OK);
    let in_use = browser.get(&page).await.body;
    assert!(in_use.contains(">In use<") && in_use.contains("192.0.2.1"));

    let edit = format!("{page}/edit");
    let fields = [("name", "renamed"), ("description", ""), ("scope", "mcp:read"), ("token_lifetime", "300")];
    let saved = browser.submit(&edit, &edit, &fields).await;
    assert_eq!(saved.header("location"), format!("{page}?done=saved"));
    let refused = browser.submit(&edit, &edit, &[("name", "  "), ("scope", "mcp:read")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

    let act = async |from: &str, function: &str, fields: &[(&str, &str)]| {
        browser.submit(&format!("{page}{from}"), &format!("/fn/{function}"), fields).await
    };
    let answer = act("/disable", "disable_credential", &[("client_id", id)]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, format!("{page}?done=disabled").as_str())
    );
    assert_eq!(exchange().await, StatusCode::UNAUTHORIZED);
    assert!(browser.get(&page).await.body.contains(">Disabled<"));
    act("", "enable_credential", &[("client_id", id)]).await;
    assert_eq!(exchange().await, StatusCode::OK);

    let facts = browser.get(&format!("{page}/revoke")).await.body;
    for (words, times) in [("2 times", 1), ("1 address", 1), ("<dt>Live tokens that end</dt><dd>2</dd>", 1)] {
        assert_eq!(facts.matches(words).count(), times, "{words}: {facts}");
    }
    let answer = act("/revoke", "revoke_credentials", &[("client_ids", id), ("reason", "found in a log")]).await;
    assert_eq!(answer.header("location"), format!("{page}?done=revoked"));
    assert_eq!(exchange().await, StatusCode::UNAUTHORIZED);
    let revoked = browser.get(&page).await.body;
    assert!(revoked.contains(">Revoked<") && revoked.contains("found in a log"));
    assert!(revoked.contains("Generate a replacement with the same settings"));
    let activity = browser.get("/activity").await.body;
    for word in
        ["Credential revoked", ">renamed", "Credential disabled", "Credential enabled", "Credential changed", "job"]
    {
        assert!(activity.contains(word), "{word}");
    }
    assert!(browser.get("/activity?verify=yes").await.body.contains("Chain intact"));
}

#[tokio::test]
async fn server_functions_answer_programs_in_json_and_refuse_nonsense() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let generated = app.generated("job", &[]).await;
    let id = generated.credential.client_id.as_str();
    let ask = async || browser.get(&format!("/fn/first_exchange?client_id={id}")).await;
    assert_eq!(ask().await.body, "false");
    app.token(
        &[],
        format!(
            "grant_type=client_credentials&client_secret={}",
            generated.secret.as_ref().expect("a secret").expose()
        ),
    )
    .await;
    assert_eq!(ask().await.body, "true");
    assert_eq!(browser.get("/fn/first_exchange?client_id=nonsense").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/fn/first_exchange").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = browser
        .submit("/credentials/new", "/fn/disable_credential", &[("client_id", "csc_0000000000000000000000")])
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.header("location"), "");
    assert_eq!(browser.get("/credentials/csc_0000000000000000000000").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_says_from_where_and_with_what_it_was_used_and_refused() {
    let app = App::new().await;
    let job = app.generated("job", &["mcp:read"]).await;
    let grant = "grant_type=client_credentials";
    let used = app.token(&[("authorization", &basic(&job)), ("user-agent", "job/1.0 <b>")], grant).await;
    assert_eq!(used.status, StatusCode::OK);
    let header = basic(&job);
    let refused = [("authorization", header.as_str()), ("user-agent", "scanner/2.0")];
    app.token(&refused, format!("{grant}&scope=other:scope")).await;
    app.instance.context.refusals.flush().await;
    let browser = app.signed_in().await;
    let address = format!("/credentials/{}", job.credential.client_id);
    let usage = browser.get(&format!("{address}?view=usage")).await.body;
    let page = (browser.get(&address).await.body + &usage).replace("<!>", "");
    for expected in [
        "job/1.0 &lt;b&gt;",
        "scanner/2.0",
        "from 192.0.2.1",
        "1 refused: a scope that is not allowed",
        "Scope not allowed",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
}

#[tokio::test]
async fn a_rotation_is_finished_though_the_clock_was_ahead_before_it() {
    let app = App::new().await;
    let context = &app.instance.context;
    let generated = app.generated("job", &["mcp:read"]).await;
    let id = &generated.credential.client_id;
    let rotated = async || {
        let overlap = rotate::Overlap::default();
        rotate::secret(context, &Actor::command_line("operator"), id, overlap, None, None).await.expect("rotates")
    };
    rotated().await;
    let cancelled = rotate::cancel(context, &Actor::command_line("operator"), id).await.expect("cancels");
    assert_ne!(cancelled, Outcome::Unchanged);
    // The secret that was cancelled seems to be younger than the next one.
    app.instance.clock.set_back(Duration::from_secs(600));
    let next = rotated().await;
    let finished = rotate::finish(context, &Actor::command_line("operator"), id).await.expect("finishes");
    assert_ne!(finished, Outcome::Unchanged);
    for (secret, expected) in [(&generated, StatusCode::UNAUTHORIZED), (&next, StatusCode::OK)] {
        let answer = app.token(&[("authorization", &basic(secret))], "grant_type=client_credentials").await;
        assert_eq!(answer.status, expected, "{}", answer.body);
    }
}
