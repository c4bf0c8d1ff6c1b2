use std::net::IpAddr;
use std::time::Duration;

use domain::crypto::password::Password;
use domain::person::setup::{self, SetupError};
use domain::person::sign_in::{self, ACCOUNT_LIMIT, Attempt, ShownFactor, SignInError};
use domain::person::{self, NewPerson, PersonError};
use domain::store::{DatabaseUrl, Engine, Store, StoreOptions};
use domain::testing::{self, Instance};

use crate::support::operator;

const PASSWORD: &str = "quiet otter paints doors";

fn ada(password: &str) -> NewPerson {
    NewPerson {
        name: "Ada Lovelace".to_owned(),
        email: " Ada@Example.com ".to_owned(),
        password: Password::new(password.to_owned()),
    }
}

fn attempt(password: &str, address: &str, device: Option<&str>) -> Attempt {
    Attempt {
        email: "ada@example.com".to_owned(),
        password: Password::new(password.to_owned()),
        address: Some(address.parse::<IpAddr>().expect("an address")),
        agent: None,
        device: device.map(str::to_owned),
        next: String::new(),
    }
}

#[tokio::test]
async fn a_setup_link_makes_one_administrator_and_ends() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let first = setup::create_link_token(context).await.expect("makes").expect("no administrator yet");
    let token = setup::create_link_token(context).await.expect("makes").expect("no administrator yet");
    // A restart replaces the link, unless another server may have printed it.
    let is_shared = context.store.engine() == Engine::Postgres;
    assert_eq!(setup::link_is_usable(context, &first).await.expect("reads"), is_shared);
    assert!(setup::link_is_usable(context, &token).await.expect("reads"));

    let short = setup::create_first_administrator(context, &operator(), &token, ada("short")).await;
    assert!(matches!(short, Err(SetupError::Person(PersonError::Invalid(_)))));
    let actor = operator();
    let (left, right) = tokio::join!(
        setup::create_first_administrator(context, &actor, &token, ada(PASSWORD)),
        setup::create_first_administrator(context, &actor, &token, ada(PASSWORD)),
    );
    assert!(left.is_ok() != right.is_ok(), "of two at once, one succeeds");
    assert!(matches!(left.and(right), Err(SetupError::LinkUnusable)));
    assert!(!setup::link_is_usable(context, &token).await.expect("reads"));
    assert_eq!(setup::create_link_token(context).await.expect("reads"), None);
}

#[tokio::test]
async fn parallel_guesses_are_counted_one_by_one() {
    let instance = Instance::new().await;
    let context = &instance.context;
    person::create_administrator(context, &operator(), ada(PASSWORD)).await.expect("an administrator");
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..30 {
        let context = context.clone();
        let address = format!("192.0.2.{number}");
        guesses.spawn(async move { sign_in::sign_in(&context, attempt("guess guess guess", &address, None)).await });
    }
    let results = guesses.join_all().await;
    let evaluated = results.iter().filter(|result| matches!(result, Err(SignInError::Refused))).count();
    assert!(evaluated <= ACCOUNT_LIMIT as usize, "{evaluated} guesses were looked at");
    assert!(results.iter().all(Result::is_err));
}

#[tokio::test]
async fn programs_that_start_at_once_agree_on_one_new_database() {
    let instance = Instance::new().await;
    let url = testing::database_url(&instance.folder().join("with a space % and more.db")).await;
    let url = DatabaseUrl::parse(&url).expect("understood");
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        starts.spawn(async move {
            let store = Store::open(&url, &StoreOptions::default()).await?;
            store.migrate().await
        });
    }
    for result in starts.join_all().await {
        result.expect("each finds or makes the schema");
    }
}

#[tokio::test]
async fn a_setup_link_ends_after_half_an_hour() {
    let instance = Instance::new().await;
    let token = setup::create_link_token(&instance.context).await.expect("makes").expect("no administrator yet");
    instance.clock.advance(Duration::from_secs(30 * 60));
    assert!(!setup::link_is_usable(&instance.context, &token).await.expect("reads"));
}

#[tokio::test]
async fn signing_in_needs_the_right_address_and_password() {
    let instance = Instance::new().await;
    let context = &instance.context;
    person::create_administrator(context, &operator(), ada(PASSWORD)).await.expect("makes");
    assert!(sign_in::sign_in(context, attempt(PASSWORD, "192.0.2.1", None)).await.is_ok());
    let wrong = sign_in::sign_in(context, attempt("quiet otter paints walls", "192.0.2.1", None)).await;
    assert!(matches!(wrong, Err(SignInError::Refused)));
    let unknown = Attempt { email: "bob@example.com".to_owned(), ..attempt(PASSWORD, "192.0.2.1", None) };
    assert!(matches!(sign_in::sign_in(context, unknown).await, Err(SignInError::Refused)));
    let again = person::create_administrator(context, &operator(), ada(PASSWORD)).await;
    assert!(matches!(again, Err(PersonError::Invalid(errors)) if errors[0].field == "email"));
}

#[tokio::test]
async fn guessing_is_stopped_and_the_owner_is_not() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let ada = person::create_administrator(context, &operator(), ada(PASSWORD)).await.expect("makes");
    let device = sign_in::device_token(context, &ada.id, ShownFactor::Password, None);
    for number in 0..ACCOUNT_LIMIT {
        let address = format!("192.0.2.{number}");
        let guess = sign_in::sign_in(context, attempt("guess guess guess", &address, None)).await;
        assert!(matches!(guess, Err(SignInError::Refused)), "{number}");
    }
    let throttled = sign_in::sign_in(context, attempt(PASSWORD, "192.0.2.99", None)).await;
    assert!(matches!(throttled, Err(SignInError::Throttled { retry_after }) if retry_after == sign_in::WINDOW));
    let forged = sign_in::sign_in(context, attempt(PASSWORD, "192.0.2.99", Some("nonce.mac"))).await;
    assert!(matches!(forged, Err(SignInError::Throttled { .. })));
    assert!(sign_in::sign_in(context, attempt(PASSWORD, "192.0.2.99", Some(&device))).await.is_ok());
    instance.clock.advance(sign_in::WINDOW);
    assert!(sign_in::sign_in(context, attempt(PASSWORD, "192.0.2.99", None)).await.is_ok());
}
