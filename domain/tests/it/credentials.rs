use std::collections::HashSet;
use std::time::Duration;

use domain::base::id::ClientId;
use domain::context::Context;
use domain::credential::generate::generate;
use domain::credential::list::{ListError, counts, list};
use domain::credential::{CredentialError, Outcome, disable, edit, inspect, revoke};
use domain::model::credential::Status;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::credential::query::{Query, Show, Sort};
use domain::model::person::authority::Authority;
use domain::testing::Instance;

use crate::support::{draft, exchanged, generated, operator};

#[tokio::test]
async fn a_name_is_enough_and_the_rest_has_defaults() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("  nightly-index ")).await;
    let credential = &generated.credential;
    assert_eq!(credential.name, "nightly-index");
    assert_eq!(credential.scopes.to_string(), "mcp:read");
    assert_eq!(generated.server.resource, "http://localhost:8080/mcp");
    assert_eq!(generated.expires_at, Some(context.now().plus(Duration::from_secs(90 * 24 * 3600))));
    assert_eq!(credential.status(context.now()), Status::Unverified);
    let secrets = inspect::secrets(context, &credential.client_id).await.expect("reads");
    assert_eq!(secrets.len(), 1);
    assert!(generated.secret.as_ref().expect("a secret").expose().ends_with(&secrets[0].hint));
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_and_nothing_is_made() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let wrong = Draft {
        scopes: vec!["nonsense".to_owned()],
        expiry: Expiry::At(context.now()),
        token_lifetime: Some(Duration::from_secs(1)),
        ip_ranges: vec!["nowhere".to_owned()],
        ..draft(" ")
    };
    let Err(CredentialError::Invalid(errors)) = generate(context, &operator(), &wrong, None).await else {
        panic!("accepted");
    };
    let fields: Vec<_> = errors.iter().map(|error| error.field).collect();
    assert_eq!(fields, ["name", "scopes", "expiry", "token_lifetime", "ip_ranges"]);
    assert_eq!(counts(context, &Authority::Everything).await.expect("reads").all, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_many_times_at_once_makes_one_credential() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let context = context.clone();
            tokio::spawn(async move { generate(&context, &operator(), &draft("once"), Some("form-token")).await })
        })
        .collect();
    let (mut made, mut repeated) = (HashSet::new(), HashSet::new());
    for task in tasks {
        match task.await.expect("runs") {
            Ok(generated) => made.insert(generated.credential.client_id),
            Err(CredentialError::AlreadySubmitted(client_id)) => repeated.insert(client_id),
            Err(error) => panic!("{error}"),
        };
    }
    assert_eq!(made.len(), 1);
    assert_eq!(made, repeated);
    assert_eq!(counts(context, &Authority::Everything).await.expect("reads").all, 1);
}

#[tokio::test]
async fn the_list_finds_sorts_and_pages_without_gaps() {
    let instance = Instance::new().await;
    let context = &instance.context;
    for number in 0..25 {
        generated(context, &draft(&format!("Job {number:02}"))).await;
        instance.clock.advance(Duration::from_secs(if number % 3 == 0 { 1 } else { 0 }));
    }
    generated(context, &draft("100% wool_sock")).await;

    for sort in [Sort::Created, Sort::Name, Sort::LastUsed, Sort::Ends] {
        let mut query = Query { sort, ..Query::default() };
        let mut seen = Vec::new();
        loop {
            let page = list(context, &Authority::Everything, &query, 7).await.expect("a page");
            seen.extend(page.credentials.into_iter().map(|credential| credential.name));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 26, "{sort:?}");
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 26, "{sort:?}");
        if sort == Sort::Name {
            assert!(seen.is_sorted_by_key(|name| name.to_lowercase()));
        }
    }

    let found = async |search: &str| {
        let query = Query { search: Some(search.to_owned()), ..Query::default() };
        list(context, &Authority::Everything, &query, 50).await.expect("a page").credentials.len()
    };
    assert_eq!(found("job 1").await, 10);
    assert_eq!(found("%").await, 1);
    assert_eq!(found("wool_s").await, 1);
    assert_eq!(found("' OR 1=1 --").await, 0);
    assert_eq!(found("").await, 26);
    assert_eq!(found("CSC_").await, 26);
}

#[tokio::test]
async fn a_forged_cursor_is_refused() {
    let instance = Instance::new().await;
    let context = &instance.context;
    for number in 0..3 {
        generated(context, &draft(&format!("Job {number}"))).await;
    }
    let page = list(context, &Authority::Everything, &Query::default(), 1).await.expect("a page");
    let cursor = page.next.expect("a second page");
    let with = async |cursor: &str, sort| {
        list(context, &Authority::Everything, &Query { cursor: Some(cursor.to_owned()), sort, ..Query::default() }, 1)
            .await
    };
    assert!(with(&cursor, Sort::Created).await.is_ok());
    assert!(matches!(with(&cursor, Sort::Name).await, Err(ListError::BadCursor)));
    for forged in ["", "a.b.c", &cursor.replacen("csc_", "csc_X", 1), &format!("{cursor}x"), "'; DROP TABLE x;--"] {
        assert!(matches!(with(forged, Sort::Created).await, Err(ListError::BadCursor)), "{forged}");
    }
}

#[tokio::test]
async fn filters_show_what_their_words_say() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let used = generated(context, &draft("used")).await;
    exchanged(context, used.secret.as_ref().expect("a secret").expose(), "").await.expect("a token");
    let forever = generated(context, &Draft { expiry: Expiry::Never, ..draft("forever") }).await;
    let soon = Expiry::After(Duration::from_secs(5 * 24 * 3600));
    generated(context, &Draft { expiry: soon, ..draft("soon") }).await;
    generated(context, &Draft { expiry: Expiry::After(Duration::from_secs(60)), ..draft("gone") }).await;
    let stopped = generated(context, &draft("stopped")).await;
    disable::disable(context, &operator(), &stopped.credential.client_id).await.expect("disables");
    let ended = generated(context, &draft("ended")).await;
    revoke::revoke(context, &operator(), &ended.credential.client_id, "").await.expect("revokes");
    instance.clock.advance(Duration::from_secs(60));

    for (show, expected) in [
        (Show::InUse, vec!["used"]),
        (Show::Unverified, vec!["forever", "soon"]),
        (Show::Expiring, vec!["soon"]),
        (Show::NeverExpires, vec!["forever"]),
        (Show::Idle, vec!["forever", "soon"]),
        (Show::Disabled, vec!["stopped"]),
        (Show::Expired, vec!["gone"]),
        (Show::Revoked, vec!["ended"]),
    ] {
        let query = Query { show, sort: Sort::Name, ..Query::default() };
        let page = list(context, &Authority::Everything, &query, 50).await.expect("a page");
        let names: Vec<_> = page.credentials.iter().map(|credential| credential.name.as_str()).collect();
        assert_eq!(names, expected, "{show:?}");
    }
    let counts = counts(context, &Authority::Everything).await.expect("reads");
    assert_eq!((counts.all, counts.working, counts.expiring), (6, 3, 1));
    assert_eq!((counts.idle, counts.never_expires, counts.unverified), (2, 1, 2));
    assert_eq!(forever.expires_at, None);
}

#[tokio::test]
async fn asking_twice_changes_nothing_and_a_revoked_credential_stays_so() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("job")).await;
    let id = &generated.credential.client_id;
    assert!(matches!(disable::disable(context, &operator(), id).await, Ok(Outcome::Changed(_))));
    assert!(matches!(disable::disable(context, &operator(), id).await, Ok(Outcome::Unchanged)));
    assert!(matches!(revoke::revoke(context, &operator(), id, " leaked ").await, Ok(Outcome::Changed(_))));
    assert!(matches!(revoke::revoke(context, &operator(), id, "again").await, Ok(Outcome::Unchanged)));
    assert!(matches!(disable::enable(context, &operator(), id).await, Err(CredentialError::Revoked)));
    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert_eq!(credential.revoke_reason.as_deref(), Some("leaked"));
    let unknown = ClientId::generate(context.random.as_ref());
    assert!(matches!(revoke::revoke(context, &operator(), &unknown, "").await, Err(CredentialError::NotFound)));
}

async fn edited(context: &Context, id: &ClientId, new: &edit::Edit) -> Result<Outcome, CredentialError> {
    Ok(edit::edit(context, &operator(), id, new).await?.outcome)
}

#[tokio::test]
async fn a_hard_end_stops_the_credential_whatever_its_secrets_say() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &Draft { expiry: Expiry::Never, ..draft("job") }).await;
    let id = &generated.credential.client_id;
    let mut new = edit::Edit {
        expires_at: Some(context.now().plus(Duration::from_secs(3600))),
        ..edit::Edit::of(&generated.credential)
    };
    assert!(matches!(edited(context, id, &new).await, Ok(Outcome::Changed(_))));
    assert!(matches!(edited(context, id, &new).await, Ok(Outcome::Unchanged)));
    instance.clock.advance(Duration::from_secs(3600));
    let credential = inspect::find(context, &Authority::Everything, id).await.expect("reads").expect("exists");
    assert_eq!(credential.status(context.now()), Status::Expired);
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_err());
    new.expires_at = Some(context.now().minus(Duration::from_secs(1)));
    assert!(matches!(edit::edit(context, &operator(), id, &new).await, Err(CredentialError::Invalid(_))));
    new.expires_at = None;
    assert!(matches!(edited(context, id, &new).await, Ok(Outcome::Changed(_))));
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_ok());
}

#[tokio::test]
async fn the_database_holds_no_secret() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("job")).await;
    let token =
        exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token").token;
    let copy = instance.folder().join("copy.db");
    context.store.backup(&copy, &mut |_, _| {}).await.expect("copies");
    for entry in std::fs::read_dir(instance.folder()).expect("the folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        for canary in [
            generated.secret.as_ref().expect("a secret").expose(),
            &generated.secret.as_ref().expect("a secret").expose()[4..],
            &token,
        ] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
        }
    }
}
