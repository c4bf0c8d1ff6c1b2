//! The words on every page: no relative time after "until", "since", "on" or "by", and none of the phrases that were
//! replaced.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use domain::base::id::{ClientId, TeamId};
use domain::credential::generate::generate;
use domain::credential::keys;
use domain::incident::emergency_stop;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::incident::{Means, Selection, StopRequest};
use domain::model::person::authority::Role;
use domain::model::person::team::InvitedRole;

use crate::roles::{Stage, joined, operator, rows, signed_in_as};
use crate::support::{App, Browser, FORM, PASSWORD, basic, between, form_token};

/// Phrases that pages had. Each has a better one.
const REPLACED: &[&str] = &[
    "This is final since",
    "Its time is over",
    "What it proved is refused from now on",
    "The old one stops working in",
    "What was replaced is refused from now on",
    "None also ends the tokens that it made",
    "Another deadline",
    "There is no way back",
    "To pause it instead, stop it for now",
    "One that only checks signatures accepts them",
    "Both are at the top of this page",
    "Known by their last characters",
    "the last ends in",
    "Without the secret: it was shown once",
    "Prefer an end, and a new one in time",
    "None ticked: the first scope",
    "A token is for one of them",
    "It owns the credential",
    "The MCP server’s rule",
    "Who reads it can use it too",
    "The iss of the tokens, exactly",
    "Nothing in the text belongs to this Countersign",
    "The text is about",
    "is in the text, and works",
    "that you do not answer for",
    "May ask for",
    "Those that made themselves known go by themselves",
    "or registers itself, anew",
    "by their consent",
    "Access goes to",
    "Answers go to",
    "What it had is refused from now on",
    "Who is not in it does not see it",
    "their history is the team’s",
    "It holds from the next click on",
    "Take out of the team",
    "Take the administration",
    "that it is they who ask",
    "the role below means nothing",
    "whoever has it first comes in",
    "I have handed it over",
    "In good order",
    "Nobody notices",
    "Leaves the JWKS",
    "Replace ES256 now",
    "Count what it ends",
    "people allow and generate them again",
    "It is told of what happens from now on",
    "before anything is believed",
    "Failed, waiting",
    "It answered",
    "A credential ends in 14, 3 or 1 days",
    "Whoever learns your password",
    "ends none of your sessions",
    "Another token",
    "There is no personal token",
    "is none of yours",
    "Lost access?",
    "Some things need your attention",
    "it is not yours to see",
    "Nothing was changed. Ask a manager",
    "telephone",
    "Choose only scopes of that server",
    "os error",
    "failed to lookup",
    "Retired secret tried",
    "secret or key tried",
    "Tokens that would end",
    "One a line",
    "range a line",
    "End these too",
    "Untick what you are sure is yours",
    "See all of 24 hours",
    "See all of its use",
    "subject with numbers",
    "less after 30 days without use",
    "Access tokens from before",
    "The next page says what gets no tokens",
    "Without a team, connected",
    "Its last day is over",
    "Contains the active secret",
    "Make a pair with openssl",
    "Anyone with the link can use it",
    "only for this address",
    "Any proof",
    "Give a reason and revoke",
    " anew",
    "for ever",
];

/// What is wrong with the words of a page.
fn problems(html: &str) -> Vec<String> {
    let words = text(html);
    let mut problems: Vec<String> =
        REPLACED.iter().filter(|phrase| words.contains(**phrase)).map(|phrase| format!("“{phrase}”")).collect();
    let parts: Vec<&str> = html.split("<time").collect();
    let mut before = String::new();
    for pair in parts.windows(2) {
        before = format!("{before} {}", text(pair[0].split_once('>').map_or(pair[0], |(_, rest)| rest)));
        let shown = pair[1].split_once('>').map_or("", |(_, rest)| rest).split('<').next().unwrap_or_default();
        let is_relative = shown.ends_with(" ago") || shown.starts_with("in ");
        let last = before.split_whitespace().last().unwrap_or_default().to_lowercase();
        if is_relative && ["until", "since", "on", "by"].contains(&last.as_str()) {
            problems.push(format!("“{last} {shown}”"));
        }
    }
    problems
}

#[test]
fn a_distance_after_a_preposition_is_found() {
    let time = |words: &str| format!("<p>Works <b>until</b> <time datetime=\"x\">{words}</time>, since then.</p>");
    assert_eq!(problems(&time("in 3 days")), ["“until in 3 days”"]);
    assert_eq!(problems(&time("5 Dec, 20:14")), Vec::<String>::new());
    assert_eq!(problems("<p>Used <time>3 days ago</time> on Monday</p>"), Vec::<String>::new());
    assert_eq!(problems("<dt>Stopped since</dt><dd><time>3 days ago</time></dd>"), ["“since 3 days ago”"]);
    assert_eq!(problems("<p>Use your <b>telephone</b>.</p>"), ["“telephone”"]);
}

/// The pages that a person reaches from the overview. Pages of one kind with the same parameters are opened once;
/// credentials, people and webhooks are opened each, because their states differ.
async fn every_page(browser: &Browser<'_>, who: &str, wrong: &mut BTreeMap<String, BTreeSet<String>>) -> usize {
    let kind = |path: &str| {
        let (page, query) = path.split_once('?').unwrap_or((path, ""));
        let names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
        let is_list = page.starts_with("/activity") || page == "/credentials" || page == "/credentials/new";
        if is_list { format!("{page}?{}", names.join("&")) } else { path.to_owned() }
    };
    let (mut seen, mut waiting) = (BTreeSet::new(), VecDeque::from(["/".to_owned()]));
    while let Some(path) = waiting.pop_front() {
        if !seen.insert(kind(&path)) {
            continue;
        }
        let page = browser.get(&path).await.body;
        for problem in problems(&page) {
            wrong.entry(problem).or_default().insert(format!("{path} ({who})"));
        }
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.split('#').next().unwrap_or_default().replace("&amp;", "&");
            let is_page = link.starts_with('/') && !["/assets", "/mcp", "/fn"].iter().any(|no| link.starts_with(no));
            if is_page {
                waiting.push_back(link);
            }
        }
    }
    seen.len()
}

/// A credential in each state.
async fn credentials(browser: &Browser<'_>, team: &TeamId) -> Vec<ClientId> {
    let app = browser.app;
    let (context, actor) = (&app.instance.context, operator());
    let named = |name: &str| Draft { team: Some(team.clone()), name: name.to_owned(), ..Draft::default() };
    let mut ids = Vec::new();
    let mut secrets = Vec::new();
    for name in ["fresh", "used", "disabled", "revoked", "rotating", "rotated", "leaked", "stopped"] {
        let generated = generate(context, &actor, &named(name), None).await.expect("generates");
        ids.push(generated.credential.client_id.clone());
        secrets.push(generated);
    }
    for used in &secrets[1..] {
        app.token(&[("authorization", &basic(used))], "grant_type=client_credentials").await;
    }
    let soon = Draft { expiry: Expiry::After(Duration::from_secs(3600)), ..named("expired") };
    ids.push(generate(context, &actor, &soon, None).await.expect("generates").credential.client_id);
    let done = async |page: &str, action: &str, fields: &[(&str, &str)]| {
        let answer = browser.submit(page, action, fields).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{action}: {}", answer.body);
    };
    done("/account", "/fn/disable_credential", &[("client_id", ids[2].as_str())]).await;
    done("/account", "/fn/revoke_credentials", &[("client_ids", ids[3].as_str()), ("reason", "Found in a log")]).await;
    for (index, overlap) in [(4, "86400"), (5, "0")] {
        let page = format!("/credentials/{}/rotate", ids[index]);
        done(&page, &page, &[("overlap", overlap)]).await;
    }
    let leaked = format!("token={}", secrets[6].secret.as_ref().expect("a secret").expose());
    let report = Request::post("/leaks/report").header("content-type", FORM).body(Body::from(leaked));
    app.send(report.expect("a request")).await;
    ids
}

#[tokio::test]
async fn every_page_speaks_one_language() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let stage = Stage::of(&app).await;
    let (context, team) = (&app.instance.context, &stage.team);
    let ids = credentials(&administrator, team).await;
    let row = rows().into_iter().find(|row| row.0 == "/fn/remove_key").expect("a row");
    let things = stage.things(&row, 0).await;
    let key = ClientId::parse(&things["{key_client_id}"]).expect("an identifier");
    let key_id = keys::list(context, &key).await.expect("reads").remove(0).id;
    keys::remove(context, &operator(), &key, &key_id).await.expect("removes");
    app.instance.clock.advance(Duration::from_secs(2 * 3600));
    administrator.sign_in(PASSWORD).await;
    let selection = Selection { team: Some(stage.other.clone()), ..Selection::default() };
    let order = StopRequest { selection: &selection, means: Means::Disable, reason: "drill", incident: None };
    emergency_stop::stop(context, &operator(), &order, 10, |_| {}).await.expect("stops");

    let mut wrong: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut opened = every_page(&administrator, "administrator", &mut wrong).await;
    for (name, role) in [("manager", Role::Manager), ("viewer", Role::Viewer)] {
        let person = joined(&app, &format!("{name}@example.com"), InvitedRole::Team(team.clone(), role)).await;
        opened += every_page(&signed_in_as(&app, &person).await, name, &mut wrong).await;
    }
    assert!(opened > 120, "only {opened} pages were opened");

    // Forms with mistakes, and answers of forms.
    let page = format!("/credentials/{}", ids[0]);
    let token = form_token(&administrator.get(&page).await.body);
    let mut answers = vec![
        ("/login".to_owned(), app.get("/login").await.body),
        ("/login (wrong)".to_owned(), app.browser().sign_in("wrong").await.body),
        ("/setup".to_owned(), app.get("/setup?token=wrong").await.body),
        ("/invitation".to_owned(), app.get("/invitation?token=wrong").await.body),
        ("receipts".to_owned(), include_str!("../../../app/src/done.rs").to_owned()),
    ];
    for path in [
        "/credentials/new",
        "/servers/new",
        "/leaks",
        "/teams/new",
        "/people/invite",
        "/settings/webhooks/new",
        "/apps/clients/new",
        "/account/tokens",
        "/account/password",
        "/emergency",
    ] {
        let answer = administrator.post(path, &[("form_token", &token), ("expiry", "date")]).await.body;
        answers.push((format!("POST {path}"), answer));
    }
    for (text, name) in [("css_0123456789abcdef", "cut"), (ids[0].as_str(), "client ID"), ("nothing", "nothing")] {
        let answer = administrator.post("/leaks", &[("form_token", &token), ("text", text)]).await.body;
        answers.push((format!("POST /leaks ({name})"), answer));
    }
    for (path, answer) in answers {
        for problem in problems(&answer) {
            wrong.entry(problem).or_default().insert(path.clone());
        }
    }
    let lines: Vec<String> = wrong
        .iter()
        .map(|(problem, pages)| format!("{problem}: {}", pages.iter().take(3).cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// What the browser's tab shows: the text between the tags, as it is.
pub(crate) fn title(html: &str) -> &str {
    between(html, "<title>", "</title>")
}

/// The words of a page: without tags and references to characters.
pub(crate) fn text(html: &str) -> String {
    let mut words = String::new();
    for part in html.split('<') {
        words.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
