use std::collections::HashSet;
use std::time::Duration;

use domain::base::id::{ClientId, TeamId};
use domain::context::Context;
use domain::credential::generate::generate;
use domain::credential::list::{self, ListError, counts};
use domain::credential::rotate::{self, Overlap};
use domain::credential::{CredentialError, Outcome, disable, edit, inspect, revoke};
use domain::incident::leak;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::credential::query::{Query, Show, Sort, Total};
use domain::model::credential::{AuthMethod, Status};
use domain::model::incident::Policy;
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::server::{self, ServerDraft};
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
            let page = list::list(context, &Authority::Everything, &query, 7).await.expect("a page");
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
        list::list(context, &Authority::Everything, &query, 50).await.expect("a page").credentials.len()
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
    let page = list::list(context, &Authority::Everything, &Query::default(), 1).await.expect("a page");
    let cursor = page.next.expect("a second page");
    let with = async |cursor: &str, sort| {
        list::list(
            context,
            &Authority::Everything,
            &Query { cursor: Some(cursor.to_owned()), sort, ..Query::default() },
            1,
        )
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
        let page = list::list(context, &Authority::Everything, &query, 50).await.expect("a page");
        let names: Vec<_> = page.credentials.iter().map(|credential| credential.name.as_str()).collect();
        assert_eq!(names, expected, "{show:?}");
    }
    let counts = counts(context, &Authority::Everything).await.expect("reads");
    assert_eq!((counts.all, counts.working, counts.expiring), (6, 3, 1));
    assert_eq!((counts.idle, counts.never_expires, counts.unverified), (2, 1, 2));
    assert_eq!(forever.expires_at, None);
}

#[tokio::test]
async fn a_leaked_credential_that_works_is_above_every_other() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let report = async |text: &str, policy| {
        leak::report(context, &operator(), text, None, policy).await.expect("takes the report");
    };
    let everything = Authority::Everything;
    let leaked = generated(context, &draft("leaked")).await;
    let secret = leaked.secret.as_ref().expect("a secret").expose();
    for number in 0..4 {
        instance.clock.advance(Duration::from_secs(1));
        generated(context, &draft(&format!("job {number}"))).await;
    }
    assert_eq!(list::leaked(context, &everything).await.expect("counts"), 0);
    report(secret, Policy::Alert).await;
    assert_eq!(list::leaked(context, &everything).await.expect("counts"), 1);
    assert_eq!(list::counts(context, &everything).await.expect("counts").leaked, 1);

    // First in the default order, whatever page it would be on; and only there.
    let names = async |query: &Query, limit| {
        let page = list::list(context, &everything, query, limit).await.expect("a page");
        (page.credentials.iter().map(|row| row.name.clone()).collect::<Vec<_>>(), page)
    };
    let (first, page) = names(&Query::default(), 2).await;
    assert_eq!((first, page.first, page.previous), (vec!["leaked".to_owned(), "job 3".to_owned()], 1, None));
    let (second, page) = names(&Query { cursor: page.next, ..Query::default() }, 2).await;
    assert_eq!((second, page.first), (vec!["job 2".to_owned(), "job 1".to_owned()], 3));
    let next = page.next.clone();
    let (third, last) = names(&Query { cursor: next, ..Query::default() }, 2).await;
    assert_eq!((third, last.first, last.next), (vec!["job 0".to_owned()], 5, None));
    let (back, page) = names(&Query { cursor: page.previous, backward: true, ..Query::default() }, 2).await;
    assert_eq!((back, page.first, page.previous), (vec!["leaked".to_owned(), "job 3".to_owned()], 1, None));
    let (shown, _) = names(&Query { show: Show::Leaked, ..Query::default() }, 2).await;
    assert_eq!(shown, ["leaked"]);
    let id = &leaked.credential.client_id;
    let status = async || {
        let credential = inspect::find(context, &everything, id).await.expect("reads").expect("exists");
        credential.status(context.now())
    };
    assert_eq!(status().await, Status::Leaked);

    // It is over when the credential is stopped, when the leaked secret ends, and when the leaked token expires.
    disable::disable(context, &operator(), id).await.expect("disables");
    assert_eq!((status().await, list::leaked(context, &everything).await.expect("counts")), (Status::Disabled, 0));
    disable::enable(context, &operator(), id).await.expect("enables");
    rotate::secret(context, &operator(), id, Overlap::For(Duration::from_secs(60)), None, None).await.expect("rotates");
    assert_eq!(status().await, Status::Leaked, "the leaked secret still works");
    instance.clock.advance(Duration::from_secs(60));
    assert_eq!((status().await, list::leaked(context, &everything).await.expect("counts")), (Status::Unverified, 0));

    let other = generated(context, &draft("other")).await;
    let token = exchanged(context, other.secret.as_ref().expect("a secret").expose(), "").await.expect("a token").token;
    report(&token, Policy::Alert).await;
    assert_eq!(list::leaked(context, &everything).await.expect("counts"), 1);
    instance.clock.advance(Duration::from_secs(600));
    assert_eq!(list::leaked(context, &everything).await.expect("counts"), 0);
}

#[tokio::test]
async fn every_filter_and_every_text_finds_its_credentials() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let docs = ServerDraft {
        name: "Docs".to_owned(),
        resource: "https://docs.example/mcp".to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    let docs = server::add(context, &operator(), &docs).await.expect("adds");
    let on_docs = Draft {
        servers: vec!["https://docs.example/mcp".to_owned()],
        tags: vec!["env:prod".to_owned(), "nightly".to_owned()],
        ..draft("indexer")
    };
    let indexer = generated(context, &on_docs).await;
    generated(context, &draft("other")).await;
    let hint = indexer.secret.as_ref().expect("a secret").hint();
    let found = async |query: Query| {
        let page = list::list(context, &Authority::Everything, &query, 50).await.expect("a page");
        let total = list::total(context, &Authority::Everything, &query).await.expect("counts");
        assert_eq!(total, Total::Exactly(page.credentials.len() as i64), "{query:?}");
        page.credentials.into_iter().map(|credential| credential.name).collect::<Vec<_>>()
    };
    for search in ["index", &hint, &format!("css_…{hint}"), "nv:prod", indexer.credential.client_id.as_str()] {
        assert_eq!(found(Query { search: Some(search.to_owned()), ..Query::default() }).await, ["indexer"], "{search}");
    }
    for query in [
        Query { server: Some(docs.id.clone()), ..Query::default() },
        Query { tag: Some("nightly".to_owned()), ..Query::default() },
        Query { tag: Some("nightly".to_owned()), server: Some(docs.id.clone()), sort: Sort::Name, ..Query::default() },
    ] {
        assert_eq!(found(query.clone()).await, ["indexer"], "{query:?}");
    }
    assert_eq!(found(Query { server: Some(docs.id), show: Show::Revoked, ..Query::default() }).await, [""; 0]);
    assert_eq!(found(Query { method: Some(AuthMethod::ClientSecret), ..Query::default() }).await, ["other", "indexer"]);
    assert_eq!(found(Query { method: Some(AuthMethod::Federated), ..Query::default() }).await, [""; 0]);
    assert_eq!(found(Query { sort: Sort::Name, reversed: true, ..Query::default() }).await, ["other", "indexer"]);
    assert_eq!(list::tags(context, &Authority::Everything).await.expect("reads"), ["env:prod", "nightly"]);
    let nobody = Authority::Team(TeamId::generate(context.random.as_ref()));
    assert_eq!(list::tags(context, &nobody).await.expect("reads"), [""; 0]);
    let tagged = Query { tag: Some("nightly".to_owned()), ..Query::default() };
    let counts = list::counts_of(context, &Authority::Everything, &tagged).await.expect("reads").expect("counts");
    assert_eq!((counts.all, counts.unverified, counts.revoked), (1, 1, 0));
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
