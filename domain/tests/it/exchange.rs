use std::time::Duration;

use domain::base::id::ClientId;
use domain::credential::{disable, edit, inspect, revoke, usage};
use domain::model::credential::Status;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::credential::usage::{Period, Whose};
use domain::model::person::authority::Authority;
use domain::model::token::Refusal;
use domain::model::token::oauth_error::OAuthErrorCode;
use domain::testing::Instance;
use domain::token::verify::{Subject, VerifyError, verify};
use sqlx::{AssertSqlSafe, Connection};
use tokio::task::JoinSet;

use crate::support::{RESOURCE, draft, exchanged, exchanged_from, generated, operator};

/// Runs SQL on the database as somebody with access to it would.
async fn tamper(instance: &Instance, sql: String) {
    let mut connection = sqlx::AnyConnection::connect(instance.database_url()).await.expect("connects");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("changes a row");
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn a_secret_becomes_a_token_that_its_server_accepts() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("nightly-index")).await;
    let client_id = &generated.credential.client_id;

    let token = exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token");
    assert_eq!((token.expires_in, token.scope.as_str()), (600, "mcp:read"));
    let caller = verify(context, &token.token, RESOURCE, None).await.expect("accepted");
    let subject = Subject::Credential(client_id.clone());
    assert_eq!((caller.subject, caller.name.as_str()), (subject, "nightly-index"));

    let credential = inspect::find(context, &Authority::Everything, client_id).await.expect("reads").expect("exists");
    assert_eq!(credential.status(context.now()), Status::InUse);
    assert_eq!(credential.last_used_at, Some(context.now()));
    assert_eq!(credential.last_used_from, Some("192.0.2.1".parse().expect("an address")));
    let impact = inspect::impact(context, &credential).await.expect("reads");
    assert_eq!((impact.exchanges, impact.addresses, impact.live_tokens), (1, 1, 1));
}

#[tokio::test]
async fn a_token_is_refused_elsewhere_later_and_after_any_change() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("nightly-index")).await;
    let token =
        exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token").token;

    assert!(matches!(verify(context, &token, "http://localhost:8080/other", None).await, Err(VerifyError::Invalid(_))));
    for cut in 1..20 {
        let truncated = &token[..token.len() - cut];
        assert!(matches!(verify(context, truncated, RESOURCE, None).await, Err(VerifyError::Foreign(_))), "{cut}");
    }
    instance.clock.advance(Duration::from_secs(599));
    assert!(verify(context, &token, RESOURCE, None).await.is_ok());
    instance.clock.advance(Duration::from_secs(1));
    assert!(matches!(verify(context, &token, RESOURCE, None).await, Err(VerifyError::Invalid("expired"))));
}

#[tokio::test]
async fn every_failed_authentication_looks_the_same_and_is_told_apart_inside() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let short = Draft { expiry: Expiry::After(Duration::from_secs(3600)), ..draft("short") };
    let (revoked, disabled) = (generated(context, &draft("a")).await, generated(context, &draft("b")).await);
    let (expired, narrow) = (
        generated(context, &short).await,
        generated(context, &Draft { ip_ranges: vec!["10.0.0.0/8".to_owned()], ..draft("d") }).await,
    );
    revoke::revoke(context, &operator(), &revoked.credential.client_id, "leaked").await.expect("revokes");
    disable::disable(context, &operator(), &disabled.credential.client_id).await.expect("disables");
    instance.clock.advance(Duration::from_secs(3600));

    let other = format!("&client_id={}", revoked.credential.client_id);
    let unknown = domain::crypto::secret::PlainSecret::generate(context.random.as_ref());
    let mut descriptions = Vec::new();
    for (secret, parameters, detail) in [
        (unknown.expose(), "", Refusal::WrongSecret),
        ("css_short", "", Refusal::WrongSecret),
        (narrow.secret.as_ref().expect("a secret").expose(), other.as_str(), Refusal::WrongSecret),
        (revoked.secret.as_ref().expect("a secret").expose(), "", Refusal::CredentialRevoked),
        (disabled.secret.as_ref().expect("a secret").expose(), "", Refusal::CredentialDisabled),
        (expired.secret.as_ref().expect("a secret").expose(), "", Refusal::SecretExpired),
        (narrow.secret.as_ref().expect("a secret").expose(), "", Refusal::AddressNotAllowed),
    ] {
        let error = exchanged(context, secret, parameters).await.expect_err("refused");
        assert_eq!(error.code, OAuthErrorCode::InvalidClient);
        assert_eq!(error.detail, detail.as_str());
        descriptions.push(error.description);
    }
    descriptions.dedup();
    assert_eq!(descriptions.len(), 1);
    assert!(exchanged_from(context, narrow.secret.as_ref().expect("a secret").expose(), "", "10.9.8.7").await.is_ok());
}

#[tokio::test]
async fn revoking_stops_exchanges_and_tokens_and_disabling_does_so_until_enabled() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("nightly-index")).await;
    let client_id = &generated.credential.client_id;
    let token =
        exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token").token;

    disable::disable(context, &operator(), client_id).await.expect("disables");
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_err());
    assert!(verify(context, &token, RESOURCE, None).await.is_err());
    disable::enable(context, &operator(), client_id).await.expect("enables");
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_ok());
    assert!(verify(context, &token, RESOURCE, None).await.is_ok());
    revoke::revoke(context, &operator(), client_id, "").await.expect("revokes");
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_err());
    assert!(verify(context, &token, RESOURCE, None).await.is_err());
}

#[tokio::test]
async fn scopes_are_narrowed_to_what_credential_and_server_allow() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let scopes = vec!["mcp:read".to_owned(), "credentials:read".to_owned()];
    let generated = generated(context, &Draft { scopes, ..draft("reader") }).await;
    let secret = generated.secret.as_ref().expect("a secret").expose();
    let ask = async |parameters: &str| {
        exchanged(context, secret, parameters).await.map(|token| token.scope).map_err(|error| error.code)
    };

    assert_eq!(ask("").await, Ok("mcp:read credentials:read".to_owned()));
    assert_eq!(ask("&scope=").await, Ok("mcp:read credentials:read".to_owned()));
    assert_eq!(ask("&scope=credentials:read+credentials:write+x").await, Ok("credentials:read".to_owned()));
    assert_eq!(ask("&scope=credentials:write").await, Err(OAuthErrorCode::InvalidScope));
    assert_eq!(ask("&scope=a%22b").await, Err(OAuthErrorCode::InvalidScope));
}

#[tokio::test]
async fn the_resource_names_one_server_of_the_credential() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("reader")).await;
    for good in ["http://localhost:8080/mcp", "HTTP://LOCALHOST:8080/mcp"] {
        assert!(
            exchanged(context, generated.secret.as_ref().expect("a secret").expose(), &format!("&resource={good}"))
                .await
                .is_ok(),
            "{good}"
        );
    }
    for wrong in [
        "&resource=https://evil.example/mcp",
        "&resource=http://localhost:8080/mcp%23x",
        "&resource=/mcp",
        "&resource=http://localhost:8080/mcp&resource=http://localhost:8080/mcp",
    ] {
        let error = exchanged(context, generated.secret.as_ref().expect("a secret").expose(), wrong)
            .await
            .expect_err("refused");
        assert_eq!(error.code, OAuthErrorCode::InvalidTarget, "{wrong}");
    }
}

#[tokio::test]
async fn a_token_ends_with_its_secret() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let expiry = Expiry::After(Duration::from_secs(300));
    let generated = generated(context, &Draft { expiry, ..draft("short") }).await;
    let token = exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token");
    assert_eq!(token.expires_in, 300);
}

#[tokio::test]
async fn an_edit_is_obeyed_by_the_next_exchange() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("reader")).await;
    let edit = edit::Edit {
        scopes: vec!["credentials:read".to_owned()],
        token_lifetime: Some(Duration::from_secs(120)),
        ip_ranges: vec!["192.0.2.0/24".to_owned()],
        ..edit::Edit::of(&generated.credential)
    };
    edit::edit(context, &operator(), &generated.credential.client_id, &edit).await.expect("edits");
    let token = exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token");
    assert_eq!((token.expires_in, token.scope.as_str()), (120, "credentials:read"));
    assert!(
        exchanged_from(context, generated.secret.as_ref().expect("a secret").expose(), "", "198.51.100.1")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn exchanges_and_refusals_are_counted_by_hour() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("reader")).await;
    let client_id = generated.credential.client_id.clone();
    for _ in 0..3 {
        exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.expect("a token");
    }
    let unknown = ClientId::generate(context.random.as_ref());
    for id in [&client_id, &unknown] {
        let wrong = domain::crypto::secret::PlainSecret::generate(context.random.as_ref());
        let _ = exchanged(context, wrong.expose(), &format!("&client_id={id}")).await.expect_err("refused");
    }
    // Refusals are written in the background; wait until they are.
    let refusals = loop {
        let refusals = usage::refusals(context, &client_id).await.expect("reads");
        if !refusals.is_empty() {
            break refusals;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((refusals[0].cause, refusals[0].count), (Refusal::WrongSecret, 1));
    let hours = usage::bars(context, Whose::Credential(&client_id), Period::Day).await.expect("reads");
    assert_eq!(hours.len(), 24);
    assert_eq!((hours[23].exchanges, hours[23].refusals), (3, 1));
    assert!(usage::refusals(context, &unknown).await.expect("reads").is_empty());
    assert_eq!(usage::recent_exchanges(context, &client_id).await.expect("reads").len(), 3);
}

#[tokio::test]
async fn a_damaged_row_is_a_fault_that_names_table_and_row_and_leaves_the_others_alone() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let whole = generated(context, &draft("whole")).await;
    for (table, column, value) in [
        ("credentials", "mcp_servers", r#"["nonsense"]"#),
        ("credentials", "ip_ranges", r#"["everywhere"]"#),
        ("credentials", "token_lifetime", "-1"),
        ("client_secrets", "last_used_from", "nowhere"),
    ] {
        let damaged = generated(context, &draft("damaged")).await;
        let client_id = &damaged.credential.client_id;
        tamper(&instance, format!("UPDATE {table} SET {column} = '{value}' WHERE client_id = '{client_id}'")).await;
        let (refused, served) = tokio::join!(
            exchanged(context, damaged.secret.as_ref().expect("a secret").expose(), ""),
            exchanged(context, whole.secret.as_ref().expect("a secret").expose(), ""),
        );
        let refused = refused.expect_err("it cannot be told what the credential allows");
        assert_eq!(refused.code, OAuthErrorCode::TemporarilyUnavailable, "{column}");
        let row = if table == "credentials" { client_id.as_str() } else { "sec_" };
        let expected = format!("inconsistent row in {table}: {column} makes no sense (row \"{row}");
        assert!(refused.detail.starts_with(&expected), "{}", refused.detail);
        assert!(served.is_ok(), "its neighbour in the batch");
    }
    let client_id = &whole.credential.client_id;
    context.rollup.flush().await;
    assert_eq!(usage::recent_exchanges(context, client_id).await.expect("reads").len(), 4);
    tamper(&instance, format!("UPDATE ledger SET server_id = 'nonsense' WHERE client_id = '{client_id}'")).await;
    let fault = usage::recent_exchanges(context, client_id).await.err().expect("an impossible MCP server").to_string();
    assert!(fault.starts_with("inconsistent row in ledger: server_id is \"nonsense\" (row \"tok_"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_exchanges_are_all_served_and_none_begins_after_the_revocation() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("busy")).await;
    let secret: &'static str =
        Box::leak(generated.secret.as_ref().expect("a secret").expose().to_owned().into_boxed_str());
    let run = async |count: usize| {
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let context = context.clone();
                tokio::spawn(async move { exchanged(&context, secret, "").await })
            })
            .collect();
        let mut granted = 0;
        for task in tasks {
            granted += usize::from(task.await.expect("runs").is_ok());
        }
        granted
    };
    assert_eq!(run(200).await, 200);
    revoke::revoke(context, &operator(), &generated.credential.client_id, "").await.expect("revokes");
    assert_eq!(run(200).await, 0);
}

#[tokio::test]
async fn beyond_what_may_wait_everybody_is_told_so_at_once_and_the_rest_are_served() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("nightly-index")).await;
    let secret = generated.secret.as_ref().expect("a secret").expose();
    // While something is changed no exchange is decided.
    let change = context.store.begin().await.expect("begins");
    let mut requests = JoinSet::new();
    loop {
        for _ in 0..200 {
            let (context, secret) = (context.clone(), secret.to_owned());
            requests.spawn(async move { exchanged(&context, &secret, "").await });
        }
        tokio::task::yield_now().await;
        // With no place left nothing is looked at, not even that this is no secret of ours.
        let error = exchanged(context, "css_short", "").await.expect_err("refused");
        if error.code == OAuthErrorCode::TemporarilyUnavailable {
            break;
        }
        assert_eq!(error.code, OAuthErrorCode::InvalidClient);
        assert!(requests.len() < 10_000, "the queue has no end");
    }
    change.commit().await.expect("commits");
    let (mut granted, mut refused) = (0, 0);
    while let Some(answer) = requests.join_next().await {
        match answer.expect("no panic") {
            Ok(_) => granted += 1,
            Err(error) => {
                assert_eq!(error.code, OAuthErrorCode::TemporarilyUnavailable);
                refused += 1;
            }
        }
    }
    assert!(granted >= 1024, "{granted} granted, {refused} refused");
    let credential = inspect::find(context, &Authority::Everything, &generated.credential.client_id).await;
    let impact = inspect::impact(context, &credential.expect("reads").expect("exists")).await.expect("reads");
    assert_eq!(impact.exchanges, granted, "what was refused left nothing");
}
