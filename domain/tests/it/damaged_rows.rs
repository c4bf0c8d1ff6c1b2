//! A row that the rules cannot have produced is a fault that names its table and itself; nothing of it is left out in
//! silence.

use std::fmt::Debug;

use domain::base::id::ClientId;
use domain::client::{self, ClientDraft};
use domain::context::Context;
use domain::credential::inspect;
use domain::error::Fault;
use domain::model::person::authority::Authority;
use domain::model::webhook::EventKind;
use domain::store::StoreError;
use domain::testing::Instance;
use domain::webhook::{self, WebhookDraft};

use crate::support::{draft, generated, operator};

/// Writes what no operation writes: `sql` with a damaged value and the identifier of the row.
async fn damage(context: &Context, sql: &'static str, value: &str, id: &str) {
    let mut transaction = context.store.begin().await.expect("begins");
    let changed = sqlx::query(sql).bind(value).bind(id).execute(&mut *transaction).await.expect("writes");
    assert_eq!(changed.rows_affected(), 1, "{sql}");
    transaction.commit().await.expect("commits");
}

fn assert_names<T: Debug>(result: Result<T, Fault>, its_table: &str, parts: &[&str]) {
    let Err(Fault::Store(StoreError::Inconsistent { table, detail })) = result else {
        panic!("{its_table} {parts:?}: {result:?}");
    };
    assert_eq!(table, its_table);
    for part in parts {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
}

#[tokio::test]
async fn a_damaged_credential_is_a_fault() {
    let instance = Instance::new().await;
    let context = &instance.context;
    for (sql, value, column) in [
        ("UPDATE credentials SET mcp_servers = $1 WHERE client_id = $2", r#"["srv_1","?"]"#, "mcp_servers"),
        ("UPDATE credentials SET ip_ranges = $1 WHERE client_id = $2", r#"["192.0.2.0/33"]"#, "ip_ranges"),
        ("UPDATE credentials SET last_used_from = $1 WHERE client_id = $2", "somewhere", "last_used_from"),
        ("UPDATE credentials SET token_lifetime = CAST($1 AS BIGINT) WHERE client_id = $2", "-1", "token_lifetime"),
        ("UPDATE credentials SET team_id = $1 WHERE client_id = $2", "nobody's", "team_id"),
    ] {
        let id: ClientId = generated(context, &draft("job")).await.credential.client_id;
        damage(context, sql, value, id.as_str()).await;
        let read = inspect::find(context, &Authority::Everything, &id).await;
        assert_names(read, "credentials", &[column, id.as_str()]);
    }
}

#[tokio::test]
async fn a_damaged_client_is_a_fault() {
    let instance = Instance::new().await;
    let context = &instance.context;
    for (sql, value, column) in [
        (
            "UPDATE clients SET redirect_uris = $1 WHERE client_id = $2",
            r#"["https://app.example.com/callback","callback"]"#,
            "redirect_uris",
        ),
        ("UPDATE clients SET created_by_id = $1 WHERE client_id = $2", "somebody", "created_by_id"),
        ("UPDATE clients SET kind = $1 WHERE client_id = $2", "another", "kind"),
    ] {
        let wanted = ClientDraft {
            name: "App".to_owned(),
            redirect_uris: vec!["https://app.example.com/callback".to_owned()],
            ..ClientDraft::default()
        };
        let (app, _) = client::create(context, &operator(), &wanted, None).await.expect("adds");
        damage(context, sql, value, app.id.as_str()).await;
        assert_names(client::find(context, &app.id).await, "clients", &[column, app.id.as_str()]);
    }
}

#[tokio::test]
async fn an_unknown_event_of_a_webhook_is_a_fault() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let wanted = WebhookDraft {
        name: "Alerts".to_owned(),
        url: "https://alerts.example.com".to_owned(),
        events: EventKind::ALL.to_vec(),
        ..WebhookDraft::default()
    };
    let (added, _) = webhook::add(context, &operator(), &wanted, None).await.expect("adds");
    let sql = "UPDATE webhooks SET events = $1 WHERE id = $2";
    damage(context, sql, r#"["credential.revoked","credential.lost"]"#, added.id.as_str()).await;
    let read = webhook::list(context).await;
    assert_names(read, "webhooks", &["events", "credential.lost", added.id.as_str()]);
}
