use domain::audit::{Verdict, verify};
use domain::context::Context;
use domain::crypto::keys::KeyError;
use domain::crypto::keys::master::MasterKey;
use domain::crypto::password::Password;
use domain::error::Fault;
use domain::model::webhook::EventKind;
use domain::operations::backup;
use domain::operations::key_rotation::rewrap;
use domain::person::{NewPerson, create_administrator, second_factor};
use domain::services::keyring::check_master_key;
use domain::testing::Instance;
use domain::webhook::{self, WebhookDraft, WebhookError};

use crate::support::{draft, exchanged, generated, operator};

#[tokio::test]
async fn the_master_key_is_replaced_and_everything_opens_under_the_new_one_only() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let generated = generated(context, &draft("job")).await;
    let hook = WebhookDraft {
        name: "alerts".to_owned(),
        url: "https://alerts.example.com/x".to_owned(),
        events: vec![EventKind::Revoked],
        ..WebhookDraft::default()
    };
    webhook::add(context, &operator(), &hook, None).await.expect("adds");
    let ada = NewPerson {
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        password: Password::new("quiet otter paints doors".to_owned()),
    };
    let ada = create_administrator(context, &operator(), ada).await.expect("a person");
    second_factor::begin_app(context, &operator(), &ada.id).await.expect("begins");

    let new = MasterKey::new(&[7; 32]);
    // Three keys of the instance, one that signs, the address and the secret of a webhook, the secret of an
    // authenticator app.
    assert_eq!(rewrap(context, &operator(), &new).await.expect("wraps"), 7);
    check_master_key(&context.store, &new).await.expect("opens");
    let old = check_master_key(&context.store, &MasterKey::new(&[42; 32])).await;
    assert!(matches!(old, Err(Fault::Keys(KeyError::WrongMasterKey { .. }))));
    assert!(matches!(verify(context).await.expect("reads"), Verdict::Intact { .. }));
    let again = rewrap(context, &operator(), &MasterKey::new(&[8; 32])).await;
    assert!(matches!(again, Err(Fault::Keys(KeyError::WrongMasterKey { .. }))), "this program still holds the old key");
    assert!(exchanged(context, generated.secret.as_ref().expect("a secret").expose(), "").await.is_ok());
}

#[tokio::test]
async fn a_backup_is_proved_before_it_counts() {
    let instance = Instance::new().await;
    let context = &instance.context;
    generated(context, &draft("job")).await;
    let file = instance.folder().join("copy.db");
    let proof = backup::write(context, &file, &mut |_, _| {}).await.expect("writes");
    assert_eq!((proof.rows_of("credentials"), proof.opened, proof.entries), (1, 4, 2));
    assert!(backup::write(context, &file, &mut |_, _| {}).await.is_err(), "it never overwrites");
    assert!(file.exists());

    rewrap(context, &operator(), &MasterKey::new(&[7; 32])).await.expect("wraps");
    let file = instance.folder().join("unusable.db");
    let refused = backup::write(context, &file, &mut |_, _| {}).await;
    assert!(matches!(refused, Err(backup::BackupError::Keys(KeyError::WrongMasterKey { .. }))), "{refused:?}");
    assert!(!file.exists(), "what could not be proved is not left behind");
}

/// What somebody does who can write to the database and has no master key.
async fn write(context: &Context, sql: &'static str, values: &[&str]) {
    let mut transaction = context.store.begin().await.expect("begins");
    let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
    query.execute(&mut *transaction).await.expect("writes");
    transaction.commit().await.expect("commits");
}

#[tokio::test]
async fn a_wrapped_value_of_another_row_does_not_open() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let mut hooks = Vec::new();
    for name in ["one", "two"] {
        let url = format!("https://{name}.example.com/x");
        let hook =
            WebhookDraft { name: name.to_owned(), url, events: vec![EventKind::Revoked], ..WebhookDraft::default() };
        hooks.push(webhook::add(context, &operator(), &hook, None).await.expect("adds").0.id);
    }
    for column in ["url", "secret"] {
        let sql = format!("SELECT {column} FROM webhooks WHERE id = $1");
        let mut transaction = context.store.begin().await.expect("begins");
        let value: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(hooks[1].as_str())
            .fetch_one(&mut *transaction)
            .await
            .expect("reads");
        drop(transaction);
        let sql = if column == "url" {
            "UPDATE webhooks SET url = $1 WHERE id = $2"
        } else {
            "UPDATE webhooks SET secret = $1 WHERE id = $2"
        };
        write(context, sql, &[&value, hooks[0].as_str()]).await;
        let opened = webhook::address(context, &hooks[0]).await;
        assert!(
            matches!(opened, Err(WebhookError::Fault(Fault::Keys(KeyError::Damaged(_))))),
            "{column}: the other webhook's receiver would be asked"
        );
        let address = webhook::address(context, &hooks[1]).await.expect("unchanged");
        assert_eq!(address, "https://two.example.com/x");
    }
}
