use std::time::Duration;

use domain::audit;
use domain::base::clock::Timestamp;
use domain::base::form_body::TokenForm;
use domain::base::id::ClientId;
use domain::base::random::SystemRandom;
use domain::context::Context;
use domain::credential::import::{Import, ImportError, Imported, Problem};
use domain::credential::inspect::find;
use domain::credential::list::{counts, list};
use domain::credential::rotate::{self, Overlap};
use domain::crypto::password::Password;
use domain::crypto::secret::PlainSecret;
use domain::model::audit::Filter;
use domain::model::credential::Status;
use domain::model::credential::query::{Query, Show};
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::token::Refusal;
use domain::model::token::oauth_error::OAuthErrorCode;
use domain::person::{NewPerson, create_administrator, invitation, team};
use domain::testing::Instance;
use domain::token::client_authentication::presented::Presented;
use domain::token::client_authentication::{ServedClients, authenticate};
use domain::token::grants::client_credentials::exchange;

use crate::support::{draft, exchanged, generated, operator};

const ARGON2: &str = "$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$kJDB5bOOdKXUTbUljRcA6wIHgDrR9jWiMwmeZdp8KOY";
const BCRYPT: &str = "$2b$04$rtIjMN9EFd.dfWnmnyDWTuiIu5mo2kP9f4Hdi74pMBFI3EsjNCutq";
const PBKDF2: &str = "$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE";

fn numbered(lines: &[String]) -> Vec<(u64, String)> {
    (1..).zip(lines.iter().cloned()).collect()
}

async fn imported(context: &Context, lines: &[String]) -> Result<Imported, ImportError> {
    let (actor, lines) = (operator(), numbered(lines));
    let begin = async || Import::begin(context, &actor).await.expect("begins").allowing_short_secrets(true);
    begin().await.check(&lines).await?;
    begin().await.write(&lines, true).await
}

async fn problems(context: &Context, lines: &[String]) -> Vec<Problem> {
    match imported(context, lines).await {
        Err(ImportError::Lines(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

/// Whether the client gets a token with this secret.
async fn works(context: &Context, id: &str, secret: &str) -> bool {
    works_from(context, "192.0.2.1", id, secret).await
}

async fn works_from(context: &Context, address: &str, id: &str, secret: &str) -> bool {
    let body = format!("client_id={id}&client_secret={}", secret.replace(' ', "+"));
    let form = TokenForm::parse(body.as_bytes()).expect("a form");
    let origin = address.parse::<std::net::IpAddr>().expect("an address").into();
    let presented = Presented::read(&[], &form).expect("one mechanism");
    let client = authenticate(context, presented, &form, ServedClients::Credentials).await.expect("a claim");
    exchange(context, client, &form, &origin).await.is_ok()
}

#[tokio::test]
async fn a_flood_of_wrong_secrets_leaves_the_first_use_of_the_right_one_alone() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let line = format!(r#"{{"name":"argon2","client_id":"argon2-client","client_secret_hash":"{ARGON2}"}}"#);
    imported(context, &[line]).await.expect("imports");
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..200 {
        let context = context.clone();
        flood.spawn(async move {
            works_from(&context, "198.51.100.66", "argon2-client", &format!("correct horse {number}")).await
        });
    }
    // One that is refused, because its network has its share.
    assert_eq!(flood.join_next().await.and_then(Result::ok), Some(false));
    assert!(works(context, "argon2-client", "correct horse").await, "another network has its own share");
    assert!(flood.join_all().await.iter().all(|accepted| !accepted));
}

#[tokio::test]
async fn clients_of_another_system_go_on_with_what_they_have() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let ours = PlainSecret::generate(&SystemRandom);
    let lines = [
        format!(r#"{{"name":"ours","client_secret":"{}"}}"#, ours.expose()),
        r#"{"name":"plain","client_id":"plain.client","client_secret":"correct horse"}"#.to_owned(),
        format!(r#"{{"name":"argon2","client_id":"argon2-client","client_secret_hash":"{ARGON2}"}}"#),
        format!(r#"{{"name":"bcrypt","client_id":"0123456789@project","client_secret_hash":"{BCRYPT}"}}"#),
        format!(r#"{{"name":"pbkdf2","client_id":"PBKDF2_client","client_secret_hash":"{PBKDF2}"}}"#),
        format!(r#"{{"name":"the same hash","client_id":"another","client_secret_hash":"{BCRYPT}","disabled":true}}"#),
    ];
    assert_eq!(imported(context, &lines).await.expect("imports"), Imported { new: 6, present: 0 });
    assert_eq!(imported(context, &lines).await.expect("again"), Imported { new: 0, present: 6 });

    assert!(exchanged(context, ours.expose(), "").await.is_ok());
    for id in ["plain.client", "argon2-client", "0123456789@project", "PBKDF2_client"] {
        assert!(!works(context, id, "correct horsf").await, "{id}");
        // The first use, and one under our own hash.
        assert!(works(context, id, "correct horse").await, "{id}");
        assert!(works(context, id, "correct horse").await, "{id}");
        assert!(!works(context, id, "correct horsf").await, "{id}");
    }
    assert!(!works(context, "plain.client", ours.expose()).await, "another client's");
    let copy = instance.folder().join("copy.db");
    context.store.backup(&copy, &mut |_, _| {}).await.expect("copies");
    let stored = String::from_utf8_lossy(&std::fs::read(copy).expect("reads")).into_owned();
    assert!(!stored.contains("correct horse"));
    assert!(!stored.contains(&ARGON2[40..]), "what was used once is under our own hash");
    assert!(stored.contains(BCRYPT), "what was not used is as it came");
    assert!(!works(context, "another", "correct horse").await, "it was imported disabled");

    let entries = audit::list(context, &Authority::Everything, &Filter::default(), 10).await.expect("reads");
    assert_eq!(entries.iter().filter(|entry| entry.action == "credential.imported").count(), 6);
}

#[tokio::test]
async fn a_line_says_all_that_a_form_does() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let ada = NewPerson {
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        password: Password::new("quiet otter paints doors".to_owned()),
    };
    create_administrator(context, &operator(), ada).await.expect("an administrator");
    let line = format!(
        r#"{{"name":"job","client_id":"nightly","client_secret_hash":"{BCRYPT}","description":"What for","team":"default",
            "notes":"Ask first.\nThen stop it.","owner":"Ada@example.com","tags":["nightly","Env:prod"],
            "mcp_servers":["http://localhost:8080/mcp"],"scopes":["mcp:read"],"token_lifetime":300,
            "ip_ranges":["10.0.0.0/8"],"expires_at":"2027-03-01T00:00:00Z"}}"#
    );
    imported(context, &[line.replace('\n', " ")]).await.expect("imports");
    let id = ClientId::parse("nightly").expect("an identifier");
    let credential = find(context, &Authority::Everything, &id).await.expect("reads").expect("exists");
    assert_eq!((credential.name.as_str(), credential.description.as_str()), ("job", "What for"));
    assert_eq!(credential.notes, "Ask first.\nThen stop it.");
    assert_eq!(credential.owner.as_ref().map(|owner| owner.name.as_str()), Some("Ada"));
    assert_eq!(credential.tags, ["env:prod", "nightly"]);
    let query = Query { tag: Some("nightly".to_owned()), ..Query::default() };
    assert_eq!(list(context, &Authority::Everything, &query, 10).await.expect("reads").credentials.len(), 1);
    assert_eq!(credential.ends_at, Timestamp::parse_rfc3339("2027-03-01T00:00:00Z"));
    assert_eq!(credential.token_lifetime.map(|lifetime| lifetime.as_secs()), Some(300));
    assert_eq!(credential.ip_ranges.len(), 1);
    assert_eq!(credential.status(context.now()), Status::Unverified);
}

#[tokio::test]
async fn one_bad_line_stops_everything_and_is_told_by_its_number() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let good = |id: &str| format!(r#"{{"name":"job","client_id":"{id}","client_secret_hash":"{BCRYPT}"}}"#);
    let secret = PlainSecret::generate(&SystemRandom);
    let team = team::create(context, &operator(), "Elsewhere").await.expect("a team").id;
    let role = InvitedRole::Team(team, Role::Viewer);
    let (_, token) = invitation::invite(context, &operator(), "eve@example.com", role).await.expect("invites");
    let password = Password::new("quiet otter paints doors".to_owned());
    invitation::accept_as_new(context, &token, "Eve", password, |actor| actor).await.expect("accepts");
    imported(context, &[format!(r#"{{"name":"there","client_secret":"{}"}}"#, secret.expose())])
        .await
        .expect("imports");
    for (wrong, word) in [
        ("not JSON".to_owned(), "column 2"),
        (r#"{"name":"x","client_secret":"canary-secret","secret":"canary-secret"}"#.to_owned(), "not known"),
        (r#"{"name":["canary-secret"],"client_secret":"canary-secret"}"#.to_owned(), "wrong kind"),
        (r#"{"client_secret":"canary-secret"}"#.to_owned(), "missing field `name`"),
        (r#"{"name":"x"}"#.to_owned(), "client_secret_hash"),
        (r#"{"name":" ","client_secret":"canary-secret"}"#.to_owned(), "name: "),
        (r#"{"name":"x","client_secret":"short"}"#.to_owned(), "8 to 256"),
        (r#"{"name":"x","client_secret":"css_canary-secret"}"#.to_owned(), "checksum"),
        (r#"{"name":"x","client_secret_hash":"canary-secret"}"#.to_owned(), "PHC"),
        (r#"{"name":"x","client_id":"csc_nope","client_secret":"canary-secret"}"#.to_owned(), "client_id: "),
        (r#"{"name":"x","client_secret":"canary-secret","team":"nobody's"}"#.to_owned(), "team: "),
        (
            r#"{"name":"x","client_secret":"canary-secret","owner":"nobody@example.com"}"#.to_owned(),
            "owner: there is no",
        ),
        (r#"{"name":"x","client_secret":"canary-secret","owner":"eve@example.com"}"#.to_owned(), "not in the team"),
        (r#"{"name":"x","client_secret":"canary-secret","tags":["a tag"]}"#.to_owned(), "tags: "),
        (r#"{"name":"x","client_secret":"canary-secret","expires_at":"tomorrow"}"#.to_owned(), "expires_at: "),
        (r#"{"name":"x","client_secret":"canary-secret","scopes":["no:such"]}"#.to_owned(), "no:such"),
        (good("first"), "an earlier line has it"),
        (format!(r#"{{"name":"x","client_id":"thief","client_secret":"{}"}}"#, secret.expose()), "another credential"),
    ] {
        let found = problems(context, &[good("first"), good("second"), wrong.clone()]).await;
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert_eq!(found[0].line, 3, "{wrong}");
        assert!(found[0].message.contains(word), "{wrong}: {}", found[0].message);
        assert!(
            !found[0].message.contains("canary") && !found[0].message.contains(secret.expose()),
            "{}",
            found[0].message
        );
    }
    let id = ClientId::parse("first").expect("an identifier");
    assert!(find(context, &Authority::Everything, &id).await.expect("reads").is_none(), "nothing was imported");
}

#[tokio::test]
async fn what_cannot_be_the_clients_secret_is_refused() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let line = format!(r#"{{"name":"job","client_id":"nightly","client_secret_hash":"{BCRYPT}"}}"#);
    imported(context, &[line]).await.expect("imports");
    for (id, secret) in [("nightly", "short"), ("nightly", "css_000"), ("unknown", "correct horse")] {
        assert!(!works(context, id, secret).await, "{id} {secret}");
    }
    assert!(works(context, "nightly", "correct horse").await);
}

/// The answer to a client that presents this secret from this address.
async fn presented(context: &Context, address: &str, id: &str, secret: &str) -> Result<(), OAuthErrorCode> {
    let body = format!("client_id={id}&client_secret={secret}");
    let form = TokenForm::parse(body.as_bytes()).expect("a form");
    let origin = address.parse::<std::net::IpAddr>().expect("an address").into();
    let presented = Presented::read(&[], &form).expect("one mechanism");
    let client = authenticate(context, presented, &form, ServedClients::Credentials).await.expect("a claim");
    exchange(context, client, &form, &origin).await.map(drop).map_err(|error| error.code)
}

#[tokio::test]
async fn guesses_at_an_imported_secret_are_limited_before_they_are_evaluated() {
    const AT_HOME: &str = "192.0.2.1";
    let instance = Instance::new().await;
    let context = &instance.context;
    let line = r#"{"name":"old","client_id":"old-client","client_secret":"summer2019"}"#.to_owned();
    imported(context, &[line]).await.expect("imports");
    let ask = async |address: &str, secret: &str| presented(context, address, "old-client", secret).await;
    let guess = async |address: &str, times: usize| {
        for number in 0..times {
            assert_eq!(
                ask(address, &format!("winter{number:04}")).await,
                Err(OAuthErrorCode::InvalidClient),
                "{number}"
            );
        }
    };
    let is_limited = |answer| matches!(answer, Err(OAuthErrorCode::TooManyGuesses { seconds: 1..=900 }));

    assert_eq!(ask(AT_HOME, "summer2019").await, Ok(()));
    guess("198.51.100.66", 30).await;
    assert!(is_limited(ask("198.51.100.66", "summer2019").await), "the right one is refused like the wrong one");
    assert_eq!(ask(AT_HOME, "summer2019").await, Ok(()), "a network that the client used has its own count");
    assert_eq!(ask("203.0.113.9", "summer2019").await, Ok(()), "another network too");

    // Very many networks together.
    for network in 0..9 {
        guess(&format!("198.18.{network}.1"), 30).await;
    }
    assert!(is_limited(ask("198.18.99.1", "summer2019").await));
    assert_eq!(ask(AT_HOME, "summer2019").await, Ok(()));
    guess(AT_HOME, 30).await;
    assert!(is_limited(ask(AT_HOME, "summer2019").await), "a known network is limited too");
    assert_eq!(ask("203.0.113.9", "summer2019").await, Ok(()));
    let id = ClientId::parse("old-client").expect("an identifier");
    while !domain::credential::usage::refusals(context, &id)
        .await
        .expect("reads")
        .iter()
        .any(|refusal| refusal.cause == Refusal::TooManyGuesses)
    {
        tokio::task::yield_now().await;
    }

    instance.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(ask("198.51.100.66", "summer2019").await, Ok(()));
}

#[tokio::test]
async fn guesses_do_not_lock_out_a_credential_with_address_ranges() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let line = r#"{"name":"old","client_id":"old-client","client_secret":"summer2019","ip_ranges":["10.0.0.0/8"]}"#;
    imported(context, &[line.to_owned()]).await.expect("imports");
    let ask = async |address: &str, secret: &str| presented(context, address, "old-client", secret).await;
    // From outside, even the right one is only wrong, and nothing counts.
    for number in 0..400 {
        let answer = ask(&format!("198.18.{}.1", number % 200), "winter2019").await;
        assert_eq!(answer, Err(OAuthErrorCode::InvalidClient), "{number}");
    }
    assert_eq!(ask("198.51.100.66", "summer2019").await, Err(OAuthErrorCode::InvalidClient));
    // Inside, each network has its own count.
    for network in 0..11 {
        for _ in 0..30 {
            let answer = ask(&format!("10.0.{network}.1"), "winter2019").await;
            assert_eq!(answer, Err(OAuthErrorCode::InvalidClient), "{network}");
        }
    }
    assert!(matches!(ask("10.0.0.1", "summer2019").await, Err(OAuthErrorCode::TooManyGuesses { .. })));
    assert_eq!(ask("10.0.99.1", "summer2019").await, Ok(()));
    let id = ClientId::parse("old-client").expect("an identifier");
    context.refusals.flush().await;
    let refusals = domain::credential::usage::refusals(context, &id).await.expect("reads");
    assert!(refusals.iter().any(|refusal| refusal.cause == Refusal::AddressNotAllowed), "managers see why");
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_in_turn() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let line = r#"{"name":"old","client_id":"old-client","client_secret":"summer2019"}"#.to_owned();
    imported(context, &[line]).await.expect("imports");
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..100 {
        let context = context.clone();
        guesses.spawn(async move {
            presented(&context, "198.51.100.66", "old-client", &format!("winter{number:04}")).await
        });
    }
    let answers = guesses.join_all().await;
    let evaluated = answers.iter().filter(|answer| !matches!(answer, Err(OAuthErrorCode::TooManyGuesses { .. })));
    assert!(evaluated.count() <= 30);
}

#[tokio::test]
async fn short_secrets_are_imported_only_on_request() {
    let instance = Instance::new().await;
    let (context, actor) = (&instance.context, operator());
    let line = |secret: &str| numbered(&[format!(r#"{{"name":"old","client_secret":"{secret}"}}"#)]);
    let mut import = Import::begin(context, &actor).await.expect("begins");
    match import.check(&line("fifteen-bytes-x")).await {
        Err(ImportError::Lines(problems)) => assert!(problems[0].message.contains("--allow-short-secrets")),
        other => panic!("{other:?}"),
    }
    assert_eq!(import.check(&line("sixteen-bytes-xy")).await.expect("is fine").new, 1);
}

#[tokio::test]
async fn an_imported_secret_is_counted_until_it_is_rotated() {
    let instance = Instance::new().await;
    let (context, actor) = (&instance.context, operator());
    generated(context, &draft("ours")).await;
    let line = r#"{"name":"old","client_id":"old-client","client_secret":"summer2019"}"#.to_owned();
    imported(context, &[line]).await.expect("imports");
    let found = async || {
        let query = Query { show: Show::Imported, ..Query::default() };
        let page = list(context, &Authority::Everything, &query, 10).await.expect("reads");
        let counted = counts(context, &Authority::Everything).await.expect("counts").imported;
        (page.credentials.len(), counted)
    };
    assert_eq!(found().await, (1, 1));
    let id = ClientId::parse("old-client").expect("an identifier");
    rotate::secret(context, &actor, &id, Overlap::default(), None, None).await.expect("rotates");
    assert_eq!(found().await, (0, 0));
}
