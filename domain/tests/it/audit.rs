use domain::audit::{Verdict, list, verify};
use domain::credential::{edit, revoke};
use domain::model::audit::Filter;
use domain::model::person::authority::Authority;
use domain::store::Engine;
use domain::testing::Instance;
use sqlx::{Connection, Executor};

use crate::support::{draft, generated, operator};

/// Runs SQL on the database as somebody with access to it would.
async fn tamper(instance: &Instance, sql: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = sqlx::AnyConnection::connect(instance.database_url()).await?;
    let result = connection.execute(sql).await.map(drop);
    connection.close().await?;
    result
}

async fn with_five_entries() -> Instance {
    let instance = Instance::new().await;
    for number in 0..4 {
        generated(&instance.context, &draft(&format!("job {number}"))).await;
    }
    assert_eq!(verify(&instance.context).await.expect("reads"), Verdict::Intact { entries: 5 });
    instance
}

#[tokio::test]
async fn changes_are_listed_with_who_what_and_the_values_before_and_after() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("job")).await;
    let new = edit::Edit { name: "other".to_owned(), ..edit::Edit::of(&generated.credential) };
    edit::edit(context, &operator(), &generated.credential.client_id, &new).await.expect("edits");
    revoke::revoke(context, &operator(), &generated.credential.client_id, "leaked").await.expect("revokes");

    let all = list(context, &Authority::Everything, &Filter::default(), 50).await.expect("reads");
    let actions: Vec<_> = all.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["credential.revoked", "credential.edited", "credential.generated", "mcp_server.added"]);
    assert_eq!(all[0].actor_name, "operator");
    assert_eq!(all[0].details, r#"{"reason":"leaked"}"#);
    assert_eq!(all[1].details, r#"{"name":{"after":"other","before":"job"}}"#);

    let only = |filter| async move { list(context, &Authority::Everything, &filter, 50).await.expect("reads").len() };
    assert_eq!(only(Filter { actor: Some("OPERA".into()), ..Filter::default() }).await, 3);
    assert_eq!(only(Filter { action: Some("credential.revoked".into()), ..Filter::default() }).await, 1);
    assert_eq!(only(Filter { target: Some("othe".into()), ..Filter::default() }).await, 2);
    assert_eq!(only(Filter { before: Some(2), ..Filter::default() }).await, 1);
    assert_eq!(
        only(Filter { from: Some(context.now().plus(std::time::Duration::from_secs(1))), ..Filter::default() }).await,
        0
    );
}

#[tokio::test]
async fn the_log_cannot_be_changed_through_sql() {
    let instance = with_five_entries().await;
    assert!(tamper(&instance, "UPDATE audit SET actor_name = 'nobody'").await.is_err());
    assert!(tamper(&instance, "DELETE FROM audit").await.is_err());
    assert_eq!(verify(&instance.context).await.expect("reads"), Verdict::Intact { entries: 5 });
}

#[tokio::test]
async fn verification_names_the_first_broken_entry() {
    for (sql, seq) in [
        ("UPDATE audit SET target_name = 'job X' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", 2),
        ("UPDATE audit SET address = '' WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 3", 3),
        (
            "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 WHEN 4 THEN 3 ELSE seq END; UPDATE audit SET seq = 4 WHERE seq = -4",
            3,
        ),
        ("DELETE FROM audit WHERE seq >= 4", 4),
        ("DELETE FROM audit WHERE seq = 5; UPDATE audit_head SET seq = 4", 4),
    ] {
        let instance = with_five_entries().await;
        let drop = match instance.context.store.engine() {
            Engine::Sqlite => "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete",
            Engine::Postgres => "DROP TRIGGER audit_no_change ON audit",
        };
        tamper(&instance, drop).await.expect("drops");
        tamper(&instance, sql).await.expect("tampers");
        match verify(&instance.context).await.expect("reads") {
            Verdict::Broken { seq: found, .. } => assert_eq!(found, seq, "{sql}"),
            Verdict::Intact { .. } => panic!("not noticed: {sql}"),
        }
    }
}
