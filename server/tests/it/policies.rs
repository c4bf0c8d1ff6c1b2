//! Policies: what each refuses, what it leaves alone, who approves a credential, and the review of credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::StatusCode;
use domain::base::id::{ClientId, TeamId};
use domain::context::Context;
use domain::credential::edit::{Edit, edit};
use domain::credential::generate::{Generated, generate};
use domain::credential::rotate::{self, Overlap, second};
use domain::credential::several::{self, Kept};
use domain::credential::{CredentialError, inspect, keys};
use domain::model::credential::Credential;
use domain::model::credential::draft::{Draft, DraftProof, Expiry};
use domain::model::credential::key::KeysDraft;
use domain::model::operations::policy::{GRACE, PolicyMode, PolicyName, PolicyTerms};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::operations::policy::{self, PolicyEdit, PolicyError};
use domain::server::edit::{ServerEdit, edit as server_edit};
use domain::server::{McpServerError, ServerDraft};

use crate::command_line::{Folder, text};
use crate::roles::{KEY, generated_for, joined, new_team, operator, set_policy, signed_in_as};
use crate::second_factor::enrolled;
use crate::support::{App, Browser, basic, between, form_token};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NEW: &str = "/credentials/new";

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Enforces a policy with these terms.
async fn enforce(context: &Context, name: PolicyName, limit: u32, own: &[&str]) {
    let terms = PolicyTerms { limit, words: words(own), teams: BTreeMap::new() };
    let edit = PolicyEdit { name, mode: PolicyMode::Enforce, terms, accepts: true };
    policy::set(context, &operator(), &edit).await.expect("is set");
}

fn draft(name: &str) -> Draft {
    Draft { name: name.to_owned(), ..Draft::default() }
}

/// The fields that are refused.
fn fields<T: std::fmt::Debug>(result: Result<T, CredentialError>) -> Vec<&'static str> {
    match result {
        Err(CredentialError::Invalid(errors)) => errors.iter().map(|error| error.field).collect(),
        other => panic!("nothing is refused: {other:?}"),
    }
}

async fn found(context: &Context, id: &ClientId) -> Credential {
    inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("a credential")
}

async fn works(app: &App, generated: &Generated) -> bool {
    let answer = app.token(&[("authorization", &basic(generated))], "grant_type=client_credentials").await;
    answer.status == StatusCode::OK
}

async fn count(context: &Context, name: PolicyName) -> i64 {
    let policy = policy::all(context).await.expect("reads").get(name);
    policy::not_complying(context, &policy).await.expect("reads").count
}

#[tokio::test]
async fn a_policy_is_observed_then_enforced_and_says_what_that_means() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let context = &app.instance.context;
    let endless = generate(context, &operator(), &Draft { expiry: Expiry::Never, ..draft("endless") }, None).await;
    let endless = endless.expect("generates");
    let list = browser.get("/settings/policies").await.words();
    assert!(list.contains("Everything ends") && list.contains("Off"), "{list}");

    let page = "/settings/policies/secret_lifetime";
    let observed = browser.submit(page, page, &[("mode", "observe"), ("limit", "30")]).await;
    assert_eq!(observed.header("location"), "/settings/policies?done=saved");
    let shown = browser.get(page).await;
    assert!(shown.words().contains("Does not comply: 1 credential"), "{}", shown.words());
    assert!(shown.body.contains(endless.credential.client_id.as_str()));
    generate(context, &operator(), &draft("ninety days"), None).await.expect("nothing is refused");
    assert_eq!(count(context, PolicyName::SecretLifetime).await, 2);

    let fields = [("mode", "enforce"), ("limit", "30")];
    let asked = browser.submit(page, page, &fields).await;
    assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(asked.words().contains("2 credentials do not comply. They keep working."), "{}", asked.words());
    assert!(generate(context, &operator(), &draft("still allowed"), None).await.is_ok(), "nothing was changed");
    let enforced = browser.submit(page, page, &[fields[0], fields[1], ("accept", "yes")]).await;
    assert_eq!(enforced.status, StatusCode::SEE_OTHER, "{}", enforced.body);
    assert!(works(&app, &endless).await, "what exists goes on");

    let refused = browser.submit(NEW, NEW, &[("name", "job"), ("expiry", "90")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.words().contains("A policy allows a secret to work for at most 30 days."), "{}", refused.words());
    let form = browser.get(NEW).await;
    let chosen = between(&form.body, "id=\"expiry\"", "</fieldset>");
    assert!(!chosen.contains("value=\"90\"") && !chosen.contains("value=\"never\""), "{chosen}");
    assert!(between(chosen, "value=\"30\"", ">").contains("checked"), "{chosen}");
    let made = browser.submit(NEW, NEW, &[("name", "job"), ("expiry", "30")]).await;
    assert!(made.words().contains("Save your client secret"), "{}", made.words());

    let log = browser.get("/activity?action=policy.changed").await.words();
    assert!(log.contains("Policy changed"), "{log}");
    let wrong = browser.submit(page, page, &[("mode", "enforce"), ("limit", "0"), ("accept", "yes")]).await;
    assert!(wrong.words().contains("Enter 1 to 3653 days."), "{}", wrong.words());
    let again = browser.submit(page, page, &[fields[0], fields[1], ("accept", "yes")]).await;
    assert_eq!(again.header("location"), "/settings/policies?done=unchanged");
    let off = browser.submit(page, page, &[("mode", "off"), ("limit", "")]).await;
    assert_eq!(off.status, StatusCode::UNPROCESSABLE_ENTITY, "a number that cannot be read is told");
    let off = browser.submit(page, page, &[("mode", "off"), ("limit", "30")]).await;
    assert_eq!(off.status, StatusCode::SEE_OTHER);
    generate(context, &operator(), &draft("ninety days"), None).await.expect("nothing is refused");
    assert_eq!(browser.get("/settings/policies/other").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_policy_refuses_what_does_not_comply_wherever_it_is_made() {
    let app = App::new().await;
    let context = &app.instance.context;
    let actor = operator();
    let key = || DraftProof::Keys(KeysDraft { text: KEY.to_owned(), ..KeysDraft::default() });
    let old = generate(context, &actor, &Draft { expiry: Expiry::Never, ..draft("old") }, None).await.expect("made");
    let id = &old.credential.client_id;
    let keyed = generate(context, &actor, &Draft { proof: key(), ..draft("keyed") }, None).await.expect("made");

    enforce(context, PolicyName::SecretLifetime, 30, &[]).await;
    assert_eq!(fields(generate(context, &actor, &draft("job"), None).await), ["expiry"]);
    let thirty = Expiry::After(DAY * 30);
    let job = generate(context, &actor, &Draft { expiry: thirty, ..draft("job") }, None).await.expect("complies");
    let job = job.credential.client_id;
    generate(context, &actor, &Draft { proof: key(), expiry: Expiry::Never, ..draft("key") }, None)
        .await
        .expect("a key");
    assert_eq!(fields(second::add(context, &actor, id, Expiry::Never, None).await), ["expiry"]);
    let longer = Some(Expiry::After(DAY * 31));
    assert_eq!(fields(rotate::secret(context, &actor, id, Overlap::default(), longer, None).await), ["expiry"]);
    // The 30 days count from when the secret was made, however often they are lengthened.
    app.instance.clock.advance(DAY * 20);
    let lengthened = Edit { expiry: Some(thirty), ..Edit::of(&found(context, &job).await) };
    assert_eq!(fields(edit(context, &actor, &job, &lengthened).await), ["expiry"]);
    let sooner = Edit { expiry: Some(thirty), ..Edit::of(&found(context, id).await) };
    edit(context, &actor, id, &sooner).await.expect("an end is better than none");
    let rotated = rotate::secret(context, &actor, id, Overlap::Nothing, None, None).await.expect("rotates");
    assert_eq!(rotated.expires_at, Some(context.now().plus(DAY * 30)), "an end that nobody chose complies");
    set_policy(context, PolicyName::SecretLifetime, PolicyMode::Off).await;

    set_policy(context, PolicyName::Expiry, PolicyMode::Enforce).await;
    let endless = |proof| Draft { proof, expiry: Expiry::Never, ..draft("endless") };
    assert_eq!(fields(generate(context, &actor, &endless(DraftProof::Secret), None).await), ["expiry"]);
    assert_eq!(fields(generate(context, &actor, &endless(key()), None).await), ["expiry"]);
    let other = KeysDraft { text: KEY.to_owned(), ..KeysDraft::default() };
    let added = keys::add(context, &actor, &keyed.credential.client_id, &other, Expiry::Never).await;
    assert_eq!(fields(added), ["expiry"]);
    // The last day of a credential may be the only end of its secret.
    let last_day = context.now().plus(DAY * 60);
    set_policy(context, PolicyName::Expiry, PolicyMode::Off).await;
    let only = generate(context, &actor, &endless(DraftProof::Secret), None).await.expect("made").credential;
    let ends = Edit { expires_at: Some(last_day), ..Edit::of(&only) };
    edit(context, &actor, &only.client_id, &ends).await.expect("ends");
    set_policy(context, PolicyName::Expiry, PolicyMode::Enforce).await;
    let never = Edit { expires_at: None, ..Edit::of(&found(context, &only.client_id).await) };
    assert_eq!(fields(edit(context, &actor, &only.client_id, &never).await), ["expiry"]);
    let sooner = Edit { expires_at: Some(last_day.minus(DAY * 5)), ..never };
    edit(context, &actor, &only.client_id, &sooner).await.expect("sooner is better");
    set_policy(context, PolicyName::Expiry, PolicyMode::Off).await;
}

#[tokio::test]
async fn tokens_live_as_long_as_a_policy_allows_and_scopes_need_address_ranges() {
    let app = App::new().await;
    let (context, actor) = (&app.instance.context, operator());
    enforce(context, PolicyName::TokenLifetime, 5, &[]).await;
    assert_eq!(
        fields(generate(context, &actor, &draft("job"), None).await),
        ["token_lifetime"],
        "the server's are longer"
    );
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    assert_eq!(
        fields(generate(context, &actor, &Draft { token_lifetime: minutes(6), ..draft("job") }, None).await),
        ["token_lifetime"]
    );
    generate(context, &actor, &Draft { token_lifetime: minutes(5), ..draft("job") }, None).await.expect("complies");
    let server = domain::server::list(context).await.expect("reads").remove(0);
    let raised = ServerEdit { token_lifetime: minutes(20), ..ServerEdit::default() };
    let raised = server_edit(context, &actor, &server.id, &raised).await;
    assert!(matches!(raised, Err(McpServerError::Invalid(_))), "tokens of credentials would live longer: {raised:?}");
    set_policy(context, PolicyName::TokenLifetime, PolicyMode::Off).await;

    enforce(context, PolicyName::AddressRanges, 0, &["credentials:read"]).await;
    let reading = || Draft { scopes: vec!["credentials:read".to_owned()], ..draft("reader") };
    assert_eq!(fields(generate(context, &actor, &reading(), None).await), ["ip_ranges"]);
    let inside = Draft { ip_ranges: vec!["10.0.0.0/8".to_owned()], ..reading() };
    let inside = generate(context, &actor, &inside, None).await.expect("complies").credential;
    let everywhere = Edit { ip_ranges: Vec::new(), ..Edit::of(&inside) };
    assert_eq!(fields(edit(context, &actor, &inside.client_id, &everywhere).await), ["ip_ranges"]);
    generate(context, &actor, &draft("job"), None).await.expect("another scope needs none");
    // A scope that implies it gives it too.
    let lines = ["docs:read", "docs:write (implies docs:read) Change."];
    let scopes = lines.iter().map(|line| ScopeDescription::parse(line)).collect();
    let resource = "https://docs.example/mcp".to_owned();
    let docs = ServerDraft { name: "docs".to_owned(), resource: resource.clone(), scopes, ..ServerDraft::default() };
    domain::server::add(context, &actor, &docs).await.expect("added");
    let writing =
        || Draft { servers: vec![resource.clone()], scopes: vec!["docs:write".to_owned()], ..draft("writer") };
    generate(context, &actor, &writing(), None).await.expect("made before");
    enforce(context, PolicyName::AddressRanges, 0, &["docs:read"]).await;
    assert_eq!(count(context, PolicyName::AddressRanges).await, 1);
    assert_eq!(fields(generate(context, &actor, &writing(), None).await), ["ip_ranges"]);
    let unknown = PolicyTerms { words: words(&["no:scope"]), ..PolicyTerms::default() };
    let unknown =
        PolicyEdit { name: PolicyName::AddressRanges, mode: PolicyMode::Observe, terms: unknown, accepts: true };
    assert!(matches!(policy::set(context, &actor, &unknown).await, Err(PolicyError::Invalid(_))));
}

#[tokio::test]
async fn an_edit_need_not_put_right_what_did_not_comply_and_must_not_make_it_worse() {
    let app = App::new().await;
    let (context, actor) = (&app.instance.context, operator());
    let half_an_hour = Some(Duration::from_secs(1800));
    let wide = Draft {
        expiry: Expiry::Never,
        token_lifetime: half_an_hour,
        scopes: vec!["credentials:read".to_owned()],
        ..draft("wide")
    };
    let wide = generate(context, &actor, &wide, None).await.expect("made").credential;
    let id = &wide.client_id;
    enforce(context, PolicyName::SecretLifetime, 30, &[]).await;
    enforce(context, PolicyName::TokenLifetime, 10, &[]).await;
    enforce(context, PolicyName::AddressRanges, 0, &["credentials:read", "credentials:write"]).await;
    for name in [PolicyName::SecretLifetime, PolicyName::TokenLifetime, PolicyName::AddressRanges] {
        assert_eq!(count(context, name).await, 1, "{name:?}");
    }
    let same = Edit::of(&wide);
    edit(context, &actor, id, &Edit { name: "renamed".to_owned(), ..same.clone() }).await.expect("a name");
    let shorter = Edit { token_lifetime: Some(Duration::from_secs(1200)), ..same.clone() };
    edit(context, &actor, id, &shorter).await.expect("less is better, also where it does not comply yet");
    let longer = Edit { token_lifetime: half_an_hour, ..same.clone() };
    assert_eq!(fields(edit(context, &actor, id, &longer).await), ["token_lifetime"]);
    let more = vec!["credentials:read".to_owned(), "credentials:write".to_owned()];
    let more = Edit { scopes: more, token_lifetime: shorter.token_lifetime, ..same };
    assert_eq!(fields(edit(context, &actor, id, &more).await), ["ip_ranges"]);
    rotate::secret(context, &actor, id, Overlap::Nothing, None, None).await.expect("a leaked secret can be replaced");
}

#[tokio::test]
async fn a_team_may_have_rules_of_its_own_for_proofs() {
    let app = App::new().await;
    let (browser, context) = (app.signed_in().await, &app.instance.context);
    let payments = new_team(&app, "Payments").await;
    let moved = generated_for(&app, &TeamId::first(), "moved", DraftProof::Secret).await.credential.client_id;
    let stays = generated_for(&app, &payments, "stays", DraftProof::Secret).await;
    let page = "/settings/policies/proof";
    let typed = |teams| [("mode", "enforce"), ("word", "secret"), ("word", "key"), ("teams", teams), ("accept", "yes")];
    for (wrong, words) in [
        ("Nobody: key", "There is no team “Nobody”."),
        ("Payments key", "Write a team, a colon and its proofs."),
        ("Payments: password", "“password” is none of secret, key, federated."),
        ("Payments:", "Name at least one proof."),
    ] {
        let refused = browser.submit(page, page, &typed(wrong)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(refused.words().contains(words) && refused.body.contains(wrong), "{wrong}: {}", refused.words());
    }
    let set = browser.submit(page, page, &typed("payments: key, federated")).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.words());
    let shown = browser.get(page).await;
    assert!(shown.body.contains("Payments: federated, key"), "{}", shown.body);
    assert!(shown.words().contains("Does not comply: 1 credential"), "{}", shown.words());
    let key = || DraftProof::Keys(KeysDraft { text: KEY.to_owned(), ..KeysDraft::default() });
    let of = |team: &TeamId, proof| Draft { team: Some(team.clone()), proof, ..draft("job") };
    generate(context, &operator(), &of(&TeamId::first(), DraftProof::Secret), None).await.expect("the rule of all");
    assert_eq!(fields(generate(context, &operator(), &of(&payments, DraftProof::Secret), None).await), ["method"]);
    generate(context, &operator(), &of(&payments, key()), None).await.expect("the rule of the team");
    let step = several::Step::Move { team: payments.clone(), owner: None };
    let receipt = several::apply(context, &operator(), std::slice::from_ref(&moved), &step).await.expect("decides");
    assert_eq!(receipt.kept, [(moved.clone(), Kept::Policy)]);
    let into = Edit { team: Some(payments), ..Edit::of(&found(context, &moved).await) };
    assert_eq!(fields(edit(context, &operator(), &moved, &into).await), ["team"]);
    assert!(works(&app, &stays).await);
    let id = &stays.credential.client_id;
    rotate::secret(context, &operator(), id, Overlap::Nothing, None, None)
        .await
        .expect("a leaked secret can be replaced");
}

#[tokio::test]
async fn who_needs_a_second_factor_reaches_only_their_account() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let context = &app.instance.context;
    let viewer = joined(&app, "viewer@example.com", InvitedRole::Team(TeamId::first(), Role::Viewer)).await;
    let viewer = signed_in_as(&app, &viewer).await;
    let page = "/settings/policies/second_factor";
    let asked = administrator.submit(page, page, &[("mode", "enforce"), ("word", "administrator")]).await;
    assert!(asked.words().contains("1 person has no second factor, and must add one"), "{}", asked.words());
    assert!(asked.body.contains("ada@example.com") && !asked.body.contains("viewer@example.com"));
    enforce(context, PolicyName::SecondFactor, 0, &["administrator"]).await;

    assert_eq!(viewer.get("/").await.status, StatusCode::OK, "the role is none of the policy");
    let old = administrator.get("/account").await;
    assert!(old.words().contains("Add a second factor to go on"), "{}", old.words());
    assert_eq!(administrator.get("/docs").await.status, StatusCode::OK);
    let app_asks = administrator.get("/mcp/oauth/authorize?x=y").await;
    assert!(app_asks.words().contains("Add a second factor first"), "{}", app_asks.words());
    for path in ["/", "/credentials", "/account/tokens", "/settings/policies", "/device"] {
        let led = administrator.get(path).await;
        assert_eq!((led.status, led.header("location")), (StatusCode::SEE_OTHER, "/account"), "{path}");
    }
    let token = form_token(&old.body);
    for (path, fields) in [
        (NEW, vec![("name", "job")]),
        ("/settings/policies/second_factor", vec![("mode", "off")]),
        ("/fn/revoke_credentials", vec![("client_ids", "csc_0000000000000000000000")]),
        ("/account/tokens", vec![("name", "mine")]),
    ] {
        let fields = [fields, vec![("form_token", token.as_str())]].concat();
        let refused = administrator.post(path, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.words().contains("Add a second factor first"), "{path}: {}", refused.words());
    }
    assert!(inspect::owned_by(context, &viewer_id(&administrator).await, 5).await.expect("reads").0.is_empty());
    enrolled(&administrator).await;
    assert_eq!(administrator.get("/credentials").await.status, StatusCode::OK);
    assert!(!administrator.get("/account").await.words().contains("Add a second factor to go on"));
    assert_eq!(count(context, PolicyName::SecondFactor).await, 0);
    let out = viewer.submit("/account", "/logout", &[]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
}

/// The person who is signed in.
async fn viewer_id(browser: &Browser<'_>) -> domain::base::id::PersonId {
    let context = &browser.app.instance.context;
    domain::person::find_by_email(context, crate::support::EMAIL).await.expect("reads").expect("a person").id
}

/// A manager and a member of a new team, and the identifier of a request of the member.
async fn asked<'app>(app: &'app App) -> (TeamId, Browser<'app>, Browser<'app>, String) {
    let team = new_team(app, "Payments").await;
    let of = |role| InvitedRole::Team(team.clone(), role);
    let manager = signed_in_as(app, &joined(app, "manager@example.com", of(Role::Manager)).await).await;
    let member = signed_in_as(app, &joined(app, "member@example.com", of(Role::Member)).await).await;
    set_policy(&app.instance.context, PolicyName::Generation, PolicyMode::Enforce).await;
    let form = member.get(NEW).await;
    assert!(form.body.contains("Ask for approval") && form.body.contains("For the manager"), "{}", form.words());
    let fields = [("name", "nightly"), ("why", "The index is built at night."), ("expiry", "7")];
    let sent = member.submit(NEW, NEW, &fields).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.words());
    let id = between(sent.header("location"), "/requests/", "?done=sent").to_owned();
    (team, manager, member, id)
}

#[tokio::test]
async fn a_member_asks_a_manager_approves_and_the_member_sees_the_secret_once() {
    let app = App::new().await;
    app.signed_in().await;
    let (_, manager, member, id) = asked(&app).await;
    let page = format!("/requests/{id}");
    let (decide, generate) = (format!("{page}/decide"), format!("{page}/generate"));
    assert!(manager.get("/").await.words().contains("1 request waits for you"));
    let shown = manager.get(&page).await.words();
    assert!(shown.contains("mcp:read"), "the default scope, as it will be generated: {shown}");
    for part in ["nightly", "The index is built at night.", "7 days after it is generated", "Client secret"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let early = member.submit(&page, &generate, &[]).await;
    assert!(early.words().contains("This request is not approved"), "{}", early.words());
    assert_eq!(member.submit(&page, &decide, &[("decision", "approve")]).await.status, StatusCode::FORBIDDEN);
    let neither = manager.submit(&page, &decide, &[("answer", "So be it")]).await;
    assert!(neither.status == StatusCode::UNPROCESSABLE_ENTITY && neither.body.contains("So be it"));

    let approved =
        manager.submit(&page, &decide, &[("decision", "approve"), ("answer", "Use it at night only.")]).await;
    assert_eq!(approved.header("location"), format!("{page}?done=approved"));
    let again = manager.submit(&page, &decide, &[("decision", "decline")]).await;
    assert!(again.words().contains("Somebody has decided already"), "{}", again.words());
    assert_eq!(manager.submit(&page, &generate, &[]).await.status, StatusCode::NOT_FOUND, "only who asked sees it");
    assert!(member.get("/").await.words().contains("1 approved request to generate"));
    assert!(member.get(&page).await.words().contains("Use it at night only."));

    let token = form_token(&member.get(&page).await.body);
    let made = member.post(&generate, &[("form_token", &token)]).await;
    assert!(made.words().contains("Save your client secret"), "{}", made.words());
    let secret = between(&made.body, "css_", "\"").to_owned();
    let twice = member.post(&generate, &[("form_token", &token)]).await;
    assert!(!twice.body.contains(&secret) && !twice.words().contains("Save your client secret"), "{}", twice.words());
    let used = member.get(&page).await;
    assert!(used.words().contains("Approved by manager and generated."), "{}", used.words());
    let credential = between(&used.body, "/credentials/csc_", "\"").to_owned();
    let entry = manager.get(&format!("/credentials/csc_{credential}")).await.words();
    assert!(entry.contains("nightly") && entry.contains("member"), "{entry}");
    let log = manager.get("/activity?action=credential.request_decided").await.words();
    assert!(log.contains("Request for a credential decided"), "{log}");
}

#[tokio::test]
async fn a_request_ends_when_it_is_declined_withdrawn_or_old() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let context = &app.instance.context;
    let (team, manager, member, id) = asked(&app).await;
    let page = format!("/requests/{id}");
    let outsider = InvitedRole::Team(new_team(&app, "Search").await, Role::Manager);
    let outsider = signed_in_as(&app, &joined(&app, "outsider@example.com", outsider).await).await;
    assert_eq!(outsider.get(&page).await.status, StatusCode::NOT_FOUND);
    assert!(!outsider.get("/requests").await.body.contains(&id));
    let declined = [("decision", "decline"), ("answer", "Use the one we have.")];
    assert_eq!(manager.submit(&page, &format!("{page}/decide"), &declined).await.status, StatusCode::SEE_OTHER);
    assert!(member.get(&page).await.words().contains("Use the one we have."));
    let refused = member.submit(&page, &format!("{page}/generate"), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

    let next = async || {
        let sent = member.submit(NEW, NEW, &[("name", "another")]).await;
        format!("/requests/{}", between(sent.header("location"), "/requests/", "?"))
    };
    let withdrawn = next().await;
    let path = format!("{withdrawn}/withdraw");
    assert_eq!(member.submit(&withdrawn, &path, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(member.submit(&withdrawn, &path, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let late = next().await;
    manager.submit(&late, &format!("{late}/decide"), &[("decision", "approve")]).await;
    app.instance.clock.advance(DAY * 7);
    let member_again = app.browser();
    member_again.sign_in_as("member@example.com", crate::support::PASSWORD).await;
    let over = member_again.submit(&late, &format!("{late}/generate"), &[]).await;
    assert!(over.words().contains("its time is over"), "{}", over.words());

    // A draft that does not comply any more is refused, also when it was approved before.
    let stale = format!(
        "/requests/{}",
        between(member_again.submit(NEW, NEW, &[("name", "long")]).await.header("location"), "/requests/", "?")
    );
    let manager = app.browser();
    manager.sign_in_as("manager@example.com", crate::support::PASSWORD).await;
    manager.submit(&stale, &format!("{stale}/decide"), &[("decision", "approve")]).await;
    enforce(context, PolicyName::SecretLifetime, 30, &[]).await;
    let refused = member_again.submit(&stale, &format!("{stale}/generate"), &[]).await;
    assert!(refused.words().contains("at most 30 days"), "{}", refused.words());

    // Managers, administrators and the command line ask nobody; and members do not where the policy is off.
    assert!(generated_for_ninety(context, &team).await.is_err(), "the other policy holds");
    set_policy(context, PolicyName::SecretLifetime, PolicyMode::Off).await;
    assert!(generated_for_ninety(context, &team).await.is_ok());
    assert!(manager.submit(NEW, NEW, &[("name", "direct")]).await.words().contains("Save your client secret"));
    drop(administrator);
    set_policy(context, PolicyName::Generation, PolicyMode::Observe).await;
    assert!(member_again.submit(NEW, NEW, &[("name", "free")]).await.words().contains("Save your client secret"));
    assert!(count(context, PolicyName::Generation).await >= 1);
}

async fn generated_for_ninety(context: &Context, team: &TeamId) -> Result<Generated, CredentialError> {
    generate(context, &operator(), &Draft { team: Some(team.clone()), ..draft("direct") }, None).await
}

#[tokio::test]
async fn a_team_confirms_its_credentials_and_what_nobody_confirms_is_disabled() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let endless = |name: &str| Draft { team: Some(team.clone()), expiry: Expiry::Never, ..draft(name) };
    let needed = generate(&context, &operator(), &endless("needed"), None).await.expect("made");
    let forgotten = generate(&context, &operator(), &endless("forgotten"), None).await.expect("made");
    let of = |role| InvitedRole::Team(team.clone(), role);
    let (viewer, member) = (
        joined(&app, "viewer@example.com", of(Role::Viewer)).await,
        joined(&app, "member@example.com", of(Role::Member)).await,
    );
    assert!(signed_in_as(&app, &member).await.get("/reviews").await.words().contains("Reviews are off"));
    let terms = PolicyTerms { limit: 30, ..PolicyTerms::default() };
    let set = async |mode| {
        let edit = PolicyEdit { name: PolicyName::Review, mode, terms: terms.clone(), accepts: true };
        policy::set(&context, &operator(), &edit).await.expect("is set");
    };
    set(PolicyMode::Observe).await;
    assert_eq!(count(&context, PolicyName::Review).await, 0);
    app.instance.clock.advance(DAY * 30);
    assert_eq!(count(&context, PolicyName::Review).await, 2);
    app.instance.clock.advance(GRACE);
    app.instance.tidy().await;
    assert!(works(&app, &forgotten).await, "an observed policy disables nothing");

    set(PolicyMode::Enforce).await;
    let (viewer, member) = (signed_in_as(&app, &viewer).await, signed_in_as(&app, &member).await);
    assert!(member.get("/").await.words().contains("2 credentials to confirm"));
    let page = member.get(&format!("/credentials/{}", needed.credential.client_id)).await.words();
    assert!(page.contains("Is this credential still needed? Nobody has confirmed it yet. It is disabled on"), "{page}");
    let id = needed.credential.client_id.as_str();
    let refused = viewer.submit("/reviews", "/reviews", &[("client_id", id)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let none = member.submit("/reviews", "/reviews", &[]).await;
    assert!(none.words().contains("Choose at least one credential."), "{}", none.words());
    let confirmed = member.submit("/reviews", "/reviews", &[("client_id", id)]).await;
    assert_eq!(confirmed.header("location"), "/reviews?done=confirmed&confirmed=1");
    let left = member.get(confirmed.header("location")).await;
    assert!(left.words().contains("Confirmed: 1 credential."), "{}", left.words());
    assert!(left.body.contains("forgotten") && !left.body.contains(">needed<"), "{}", left.words());

    app.instance.clock.advance(GRACE.checked_sub(DAY).expect("longer than a day"));
    app.instance.tidy().await;
    assert!(works(&app, &forgotten).await, "the days of grace count from when it was enforced");
    app.instance.clock.advance(DAY);
    app.instance.tidy().await;
    assert!(!works(&app, &forgotten).await && works(&app, &needed).await);
    let log = app.browser();
    log.sign_in(crate::support::PASSWORD).await;
    let shown = log.get(&format!("/credentials/{}", forgotten.credential.client_id)).await.words();
    assert!(shown.contains("Disabled"), "{shown}");
    // Whoever enables it says that it is needed.
    domain::credential::disable::enable(&context, &operator(), &forgotten.credential.client_id).await.expect("enabled");
    app.instance.tidy().await;
    assert!(works(&app, &forgotten).await);
    // A shorter time gives the days of grace once more.
    app.instance.clock.advance(DAY * 25);
    let shorter = PolicyTerms { limit: 7, ..PolicyTerms::default() };
    let shorter = PolicyEdit { name: PolicyName::Review, mode: PolicyMode::Enforce, terms: shorter, accepts: true };
    policy::set(&context, &operator(), &shorter).await.expect("is set");
    app.instance.tidy().await;
    assert!(works(&app, &forgotten).await, "nobody could confirm it yet");
    app.instance.clock.advance(GRACE);
    app.instance.tidy().await;
    assert!(!works(&app, &forgotten).await);
}

#[test]
fn the_command_line_sets_policies_and_obeys_them() {
    let folder = Folder::new("policy");
    let created =
        folder.json(&["credential", "create", "--name", "endless", "--expires-in", "never", "--format", "json"]);
    let id = created["client_id"].as_str().expect("a text");
    let list = folder.json(&["policy", "list", "--format", "json"]);
    assert_eq!(list.as_array().expect("a list").len(), PolicyName::ALL.len());
    assert!(list.as_array().expect("a list").iter().all(|policy| policy["mode"] == "off"));
    let observed = folder.run(&["policy", "set", "secret_lifetime", "--limit", "30", "--mode", "observe"]);
    assert!(text(&observed.stdout).contains("Set secret_lifetime observe  30 days"), "{observed:?}");
    let shown = folder.json(&["policy", "show", "secret_lifetime", "--format", "json"]);
    assert_eq!(shown["not_complying"]["credentials"][0]["client_id"], id);
    let asked = folder.run(&["policy", "set", "secret_lifetime", "--mode", "enforce"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(text(&asked.stderr).contains("--yes: 1 credential does not comply."), "{asked:?}");
    assert!(folder.run(&["policy", "set", "secret_lifetime", "--mode", "enforce", "--yes"]).status.success());
    let refused = folder.run(&["credential", "create", "--name", "job", "--expires-in", "31d"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--expires-in: A policy allows"), "{refused:?}");
    let team = folder.run(&["policy", "set", "proof", "--team", "Default=key", "--mode", "enforce", "--yes"]);
    assert!(text(&team.stdout).contains("Default=key"), "{team:?}");
    let refused = folder.run(&["credential", "create", "--name", "job", "--expires-in", "30d"]);
    assert!(text(&refused.stderr).contains("A policy allows this team: key."), "{refused:?}");
    assert!(folder.run(&["policy", "set", "proof", "--team", "Default="]).status.success());
    assert!(folder.run(&["credential", "create", "--name", "job", "--expires-in", "30d"]).status.success());
    std::fs::write(
        folder.path("lines"),
        "{\"name\":\"old\",\"client_secret\":\"0123456789abcdefghij\",\"expires_at\":null}\n",
    )
    .expect("writes");
    let import = folder.run(&["import", "lines"]);
    assert!(text(&import.stderr).contains("expires_at: A policy allows"), "{import:?}");
    assert_eq!(folder.run(&["policy", "set", "other"]).status.code(), Some(2));
    let off = folder.run(&["policy", "reviews"]);
    assert!(text(&off.stderr).contains("reviews are off"), "{off:?}");
    assert!(folder.run(&["policy", "set", "review", "--mode", "observe"]).status.success());
    assert_eq!(folder.json(&["policy", "reviews", "--format", "json"]), serde_json::json!([]));
    assert!(folder.run(&["policy", "confirm", id]).status.success());
}

#[tokio::test]
async fn the_manager_reads_everything_and_a_request_holds_no_secret() {
    let app = App::new().await;
    app.signed_in().await;
    let (_, manager, member, _) = asked(&app).await;
    let secret = app.generated("other", &[]).await.secret.expect("a secret");
    let leaking = [("name", "job"), ("why", secret.expose())];
    let refused = member.submit(NEW, NEW, &leaking).await;
    assert!(refused.words().contains("This text holds a secret or a token."), "{}", refused.words());
    let fields = [
        ("name", "signed"),
        ("method", "private_key_jwt"),
        ("public_key", KEY),
        ("assertions", "reusable"),
        ("assertions", "jwt_bearer"),
        ("ip_ranges", "10.1.0.0/16"),
        ("notes", "Rotated by the platform team."),
    ];
    let sent = member.submit(NEW, NEW, &fields).await;
    let page = format!("/requests/{}", between(sent.header("location"), "/requests/", "?"));
    let shown = manager.get(&page).await.words();
    let key = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    for part in [key, "reusable, jwt_bearer", "10.1.0.0/16", "Rotated by", "member, who asks"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let id = page.rsplit('/').next().expect("an identifier");
    let again = member.get(&format!("{NEW}?request={id}")).await;
    for part in ["value=\"signed\"", "10.1.0.0/16", "Rotated by the platform team."] {
        assert!(again.body.contains(part), "{part}: {}", again.body);
    }
    app.instance.clock.advance(DAY * 91);
    app.instance.tidy().await;
    let manager = app.browser();
    manager.sign_in_as("manager@example.com", crate::support::PASSWORD).await;
    assert_eq!(manager.get(&page).await.status, StatusCode::NOT_FOUND, "old requests are removed");
}

#[tokio::test]
async fn an_end_cannot_be_avoided_by_detours_and_wide_ranges_are_none() {
    let app = App::new().await;
    let (context, actor) = (&app.instance.context, operator());
    let endless = Draft { expiry: Expiry::Never, ..draft("old") };
    let old = generate(context, &actor, &endless, None).await.expect("made").credential.client_id;
    let last_day = Edit { expires_at: Some(context.now().plus(DAY * 60)), ..Edit::of(&found(context, &old).await) };
    edit(context, &actor, &old, &last_day).await.expect("ends");
    enforce(context, PolicyName::SecretLifetime, 90, &[]).await;
    rotate::secret(context, &actor, &old, Overlap::default(), None, None).await.expect("rotates");
    let without = Edit { expires_at: None, ..Edit::of(&found(context, &old).await) };
    assert_eq!(fields(edit(context, &actor, &old, &without).await), ["expiry"], "the replaced secret may come back");

    enforce(context, PolicyName::AddressRanges, 0, &["mcp:read"]).await;
    let within =
        |ranges: &[&str]| Draft { ip_ranges: ranges.iter().map(|range| (*range).to_owned()).collect(), ..draft("job") };
    for wide in [&["0.0.0.0/0", "::/0"][..], &["0.0.0.0/1", "128.0.0.0/1"], &["10.0.0.0/8", "2000::/3"]] {
        assert_eq!(fields(generate(context, &actor, &within(wide), None).await), ["ip_ranges"], "{wide:?}");
    }
    generate(context, &actor, &within(&["10.0.0.0/8", "2001:db8::/32"]), None).await.expect("complies");
    set_policy(context, PolicyName::AddressRanges, PolicyMode::Off).await;
    generate(context, &actor, &within(&["10.0.0.0/8", "2000::/3"]), None).await.expect("made");
    generate(context, &actor, &within(&["0.0.0.0/7"]), None).await.expect("made");
    enforce(context, PolicyName::AddressRanges, 0, &["mcp:read"]).await;
    assert_eq!(count(context, PolicyName::AddressRanges).await, 3, "the first one has none at all");
}
