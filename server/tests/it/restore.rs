//! Replacing a database by a backup: what happened since the backup stays so, and is told.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::server::state::AppState;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::base::clock::Clock;
use domain::base::id::{AppClientId, ClientId, TeamId};
use domain::client::{self, ClientDraft, registered};
use domain::context::Context;
use domain::credential::edit::{Edit, edit};
use domain::credential::generate::{Generated, generate};
use domain::credential::rotate::{self, Overlap, second};
use domain::credential::{disable, inspect, revoke};
use domain::crypto::keys::MasterKey;
use domain::crypto::keys::signing::TokenAlgorithm;
use domain::crypto::password::Password;
use domain::incident::{emergency_stop, leak};
use domain::model::actor::Actor;
use domain::model::audit::Action;
use domain::model::credential::Credential;
use domain::model::credential::draft::{Draft, Expiry};
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::operations::How;
use domain::model::operations::policy::{PolicyMode, PolicyName};
use domain::model::origin::Origin;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::team::InvitedRole;
use domain::model::ports::{Fetch, Post};
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::model::server::gateway::rules::{Item, ScopeRule};
use domain::model::server::gateway::{CallLimits, ChangePolicy};
use domain::model::webhook::EventKind;
use domain::operations::housekeeping::Housekeeping;
use domain::operations::instance::open_instance;
use domain::operations::key_rotation::{self, RotationMode};
use domain::operations::restore::{self, Difference};
use domain::person::{self, invitation, manage, team};
use domain::server::edit::ServerEdit;
use domain::server::gateway::{self, GatewayDraft, GatewayEdit, rules};
use domain::server::{self, ServerDraft};
use domain::store::{DatabaseUrl, Store, StoreOptions};
use domain::testing::{FakeIssuers, FakeReceiver, FixedClock, SeededRandom};
use domain::token::verify::verify;
use domain::webhook::{self, WebhookDraft};
use serde_json::{Value, json};

use crate::openid::{Provider, app_that_links, sign_in_with};
use crate::roles::{joined, set_policy, signed_in_as};
use crate::support::{App, EMAIL, PASSWORD, basic, between, router};

const MINUTE: Duration = Duration::from_secs(60);
const GRANT: &str = "grant_type=client_credentials";

fn operator() -> Actor {
    Actor::command_line("operator")
}

/// A backup of the app's database.
struct Backup {
    store: Store,
}

impl Backup {
    async fn of(app: &App) -> Self {
        let file = app.instance.folder().join("copy.db");
        app.instance.context.store.backup(&file, &mut |_, _| {}).await.expect("a backup");
        let store = Store::open(&DatabaseUrl::Sqlite(file), &StoreOptions::default()).await.expect("opens");
        Self { store }
    }

    async fn compare(&self, app: &App) -> Difference {
        let context = &app.instance.context;
        restore::compare(&context.store, &self.store, context.now()).await.expect("compares")
    }

    /// The instance in the backup, in the same world.
    async fn open(
        self,
        clock: &Arc<FixedClock>,
        issuers: &Arc<FakeIssuers>,
        receiver: &Arc<FakeReceiver>,
        former: &Context,
    ) -> Context {
        open_instance(
            self.store,
            Arc::new(MasterKey::new(&[42; 32])),
            Arc::clone(clock) as Arc<dyn Clock>,
            Arc::new(SeededRandom::new(7)),
            Arc::clone(issuers) as Arc<dyn Fetch>,
            Arc::clone(receiver) as Arc<dyn Post>,
            (*former.settings).clone(),
        )
        .await
        .expect("opens")
    }

    /// Restores the backup, and serves it.
    async fn restored(self, app: App, end_again: bool) -> (App, Difference) {
        let difference = self.compare(&app).await;
        let instance = app.instance;
        let context = self.open(&instance.clock, &instance.issuers, &instance.receiver, &instance.context).await;
        restore::finish(&context, &operator(), &difference, end_again).await.expect("restores");
        let mut restored = App { instance, router: router(AppState::new(context.clone(), vec![], vec![])) };
        restored.instance.context = context;
        (restored, difference)
    }
}

async fn exchange(app: &App, generated: &Generated) -> StatusCode {
    app.token(&[("authorization", &basic(generated))], GRANT).await.status
}

async fn found(app: &App, id: &ClientId) -> Credential {
    inspect::find(&app.instance.context, &Authority::Everything, id).await.expect("reads").expect("a credential")
}

/// How and of which credential the differences ended.
fn told(difference: &Difference) -> Vec<(How, Option<&str>)> {
    difference.ended.iter().map(|one| (one.how, one.client_id.as_ref().map(ClientId::as_str))).collect()
}

#[tokio::test]
async fn a_secret_that_a_rotation_ended_stays_ended() {
    let app = App::new().await;
    let old = app.generated("job", &[]).await;
    let id = old.credential.client_id.clone();
    let backup = Backup::of(&app).await;
    assert!(backup.compare(&app).await.is_empty());
    let context = &app.instance.context;
    let new = rotate::secret(context, &operator(), &id, Overlap::For(MINUTE), None, None).await.expect("rotates");
    app.instance.clock.advance(2 * MINUTE);
    assert_eq!(exchange(&app, &old).await, StatusCode::UNAUTHORIZED);
    let (app, difference) = backup.restored(app, true).await;
    assert_eq!(told(&difference), [(How::EndSet, Some(id.as_str()))]);
    assert_eq!(exchange(&app, &old).await, StatusCode::UNAUTHORIZED, "it had ended");
    // The new secret is not in the backup, and that is told.
    assert_eq!(exchange(&app, &new).await, StatusCode::UNAUTHORIZED);
    let lost: Vec<(&str, &str)> =
        difference.lost.iter().map(|one| (one.action.as_str(), one.target_id.as_str())).collect();
    assert_eq!(lost, [("credential.rotation_started", id.as_str())]);
}

#[tokio::test]
async fn what_was_ended_for_good_stays_ended() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    app.signed_in().await;
    let colleague = person::NewPerson {
        name: "Grace".to_owned(),
        email: "grace@example.com".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
    };
    let grace = person::create_administrator(&context, &operator(), colleague).await.expect("a colleague");
    let revoked = app.generated("revoked", &[]).await;
    let rotated = app.generated("rotated", &[]).await;
    let id = rotated.credential.client_id.clone();
    rotate::secret(&context, &operator(), &id, Overlap::For(MINUTE), None, None).await.expect("rotates");
    let backup = Backup::of(&app).await;
    revoke::revoke(&context, &operator(), &revoked.credential.client_id, "leaked").await.expect("revokes");
    rotate::finish(&context, &operator(), &id).await.expect("finishes");
    manage::disable(&context, &operator(), &grace.id).await.expect("disables");
    let (app, difference) = backup.restored(app, true).await;
    assert_eq!(
        told(&difference),
        [
            (How::Revoked, Some(revoked.credential.client_id.as_str())),
            (How::AuthenticatorRevoked("client_secrets"), Some(id.as_str())),
            (How::PersonDisabled, None),
        ]
    );
    assert_eq!(exchange(&app, &revoked).await, StatusCode::UNAUTHORIZED);
    assert_eq!(exchange(&app, &rotated).await, StatusCode::UNAUTHORIZED);
    let answer = app.browser().sign_in_as("grace@example.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_an_edit_or_a_removal_ended_stays_ended() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let (narrowed, token) = app.access_token(&["mcp:read", "credentials:read"]).await;
    let first = app.generated("two secrets", &[]).await;
    let id = &first.credential.client_id;
    let second = second::add(&context, &operator(), id, Expiry::default(), None).await.expect("added");
    let of_first = inspect::secrets(&context, id).await.expect("reads");
    let is_first = |end: &str| first.secret.as_ref().expect("a secret").expose().ends_with(end);
    let of_first = of_first.into_iter().find(|secret| is_first(&secret.hint)).expect("the first").id;
    let backup = Backup::of(&app).await;
    let narrower = Edit { scopes: vec!["mcp:read".to_owned()], ends_tokens: true, ..Edit::of(&narrowed.credential) };
    edit(&context, &operator(), &narrowed.credential.client_id, &narrower).await.expect("edits");
    second::remove(&context, &operator(), id, &of_first).await.expect("removed");

    let (app, _) = backup.restored(app, true).await;
    let resource = "http://localhost:8080/mcp";
    assert!(verify(&app.instance.context, &token, resource, None).await.is_err(), "the token had ended");
    assert_eq!(exchange(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(exchange(&app, &second).await, StatusCode::OK);
}

#[tokio::test]
async fn narrower_rights_and_limits_stay_narrow() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let limited = app.generated("limited", &["mcp:read", "credentials:read"]).await;
    let moved = app.generated("moved", &[]).await;
    let stays = app.generated("stays", &[]).await;
    let backup = Backup::of(&app).await;
    let team = team::create(&context, &operator(), "New").await.expect("a team").id;
    let end = context.now().plus(90 * 24 * 60 * MINUTE);
    let narrowed = Edit {
        scopes: vec!["mcp:read".to_owned()],
        ip_ranges: vec!["198.51.100.0/24".to_owned()],
        expires_at: Some(end),
        ..Edit::of(&limited.credential)
    };
    edit(&context, &operator(), &limited.credential.client_id, &narrowed).await.expect("edits");
    let elsewhere = Edit { team: Some(team), ..Edit::of(&moved.credential) };
    edit(&context, &operator(), &moved.credential.client_id, &elsewhere).await.expect("edits");
    let wider = Edit { scopes: vec!["mcp:read".into(), "credentials:write".into()], ..Edit::of(&stays.credential) };
    edit(&context, &operator(), &stays.credential.client_id, &wider).await.expect("edits");

    let (app, difference) = backup.restored(app, true).await;
    let (limited_id, moved_id) = (&limited.credential.client_id, &moved.credential.client_id);
    assert_eq!(
        told(&difference),
        [(How::CredentialNarrowed, Some(limited_id.as_str())), (How::TeamUnknown, Some(moved_id.as_str()))],
        "what was only widened is as in the backup"
    );
    assert_eq!(exchange(&app, &limited).await, StatusCode::UNAUTHORIZED, "192.0.2.1 is in no range");
    let credential = found(&app, limited_id).await;
    assert_eq!(credential.scopes.to_string(), "mcp:read");
    assert_eq!(credential.expires_at.map(|at| at.seconds() / 86_400), Some(end.seconds() / 86_400));
    assert_eq!(exchange(&app, &moved).await, StatusCode::UNAUTHORIZED, "nobody of the old team may use it");
    assert_eq!(exchange(&app, &stays).await, StatusCode::OK);
}

#[tokio::test]
async fn a_later_password_holds_without_a_question() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let backup = Backup::of(&app).await;
    let new = "a later otter paints doors";
    let fields = [("current_password", PASSWORD), ("new_password", new)];
    let answer = browser.submit("/account", "/account/password", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    drop(browser);
    let (app, difference) = backup.restored(app, false).await;
    assert!(difference.is_empty(), "there is nothing to decide");
    assert_eq!(difference.passwords.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Ada Lovelace"]);
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.browser().sign_in(new).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_password_removed_for_the_owner_of_the_address_stays_removed() {
    let provider = Provider::start().await;
    let app = app_that_links(&provider).await;
    let context = &app.instance.context;
    let team = team::create(context, &operator(), "Payments").await.expect("a team").id;
    let accept = async |link: &str, name: &str| {
        let password = Password::new(PASSWORD.to_owned());
        invitation::accept_as_new(context, link, name, password, |actor| actor).await.expect("accepts")
    };
    let given = InvitedRole::Team(team.clone(), Role::Manager);
    let (_, link) = invitation::invite(context, &operator(), "mallory@example.com", given).await.expect("invites");
    accept(&link, "Mallory").await;
    // The manager invites the owner's address, and chooses the password in the owner's place.
    let mallory = app.browser();
    mallory.sign_in_as("mallory@example.com", PASSWORD).await;
    let page = format!("/teams/{team}/invite");
    let invited = mallory.submit(&page, &page, &[("email", EMAIL), ("role", "viewer")]).await;
    accept(between(&invited.body, "/invitation?token=", "\""), "Ada").await;
    drop(mallory);
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);
    let backup = Backup::of(&app).await;
    assert_eq!(sign_in_with(&app.browser(), &provider, &[]).await.status, StatusCode::SEE_OTHER);
    assert_ne!(app.browser().sign_in(PASSWORD).await.status, StatusCode::SEE_OTHER);

    let (app, difference) = backup.restored(app, false).await;
    assert_eq!(difference.passwords.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
    assert_eq!(app.browser().sign_in(PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn webhooks_that_were_removed_paused_or_changed_stay_so() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let mut ids = Vec::new();
    for name in ["gone", "paused", "renewed", "kept"] {
        let draft = WebhookDraft {
            name: name.to_owned(),
            url: format!("https://{name}.example/hook"),
            events: vec![EventKind::Revoked],
            ..WebhookDraft::default()
        };
        ids.push(webhook::add(&context, &operator(), &draft, None).await.expect("added").0.id);
    }
    let backup = Backup::of(&app).await;
    app.instance.clock.advance(MINUTE);
    webhook::remove(&context, &operator(), &ids[0]).await.expect("removed");
    webhook::pause(&context, &operator(), &ids[1], false).await.expect("paused");
    let (renewed, _) = webhook::replace_secret(&context, &operator(), &ids[2], None).await.expect("replaced");
    let (app, difference) = backup.restored(app, true).await;
    let mut ended: Vec<(String, How)> = difference.ended.iter().map(|one| (one.name.clone(), one.how)).collect();
    ended.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [("gone", How::WebhookRemoved), ("paused", How::WebhookPaused), ("renewed", How::WebhookChanged)];
    assert_eq!(ended, expected.map(|(name, how)| (name.to_owned(), how)));
    let find = async |place: usize| webhook::find(&app.instance.context, &ids[place]).await.expect("reads");
    assert!(find(0).await.is_none());
    assert!(find(1).await.expect("a webhook").paused_at.is_some());
    assert_eq!(find(2).await.expect("a webhook").secret_made_at, renewed.secret_made_at);
    assert!(find(3).await.expect("a webhook").paused_at.is_none());
}

#[tokio::test]
async fn a_redirect_uri_that_was_removed_stays_removed() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let draft = |uris: &[&str]| ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        confidential: false,
        device_grant: false,
        ..ClientDraft::default()
    };
    let (good, bad, new) =
        ("https://portal.example/callback", "https://lost.example/callback", "https://new.example/callback");
    let (portal, _) = client::create(&context, &operator(), &draft(&[good, bad]), None).await.expect("made");
    let backup = Backup::of(&app).await;
    client::edit(&context, &operator(), &portal.id, &draft(&[good, new])).await.expect("edits");
    let (app, difference) = backup.restored(app, true).await;
    assert_eq!(difference.ended.iter().map(|one| one.how).collect::<Vec<_>>(), [How::ClientNarrowed]);
    let id = AppClientId::parse(portal.id.as_str()).expect("an identifier");
    let found = client::find(&app.instance.context, &id).await.expect("reads").expect("a client");
    assert_eq!(found.redirect_uris.iter().map(|uri| uri.as_str()).collect::<Vec<_>>(), [good]);
}

#[tokio::test]
async fn an_address_of_keys_that_was_replaced_stays_replaced() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let keys = serde_json::json!({ "keys": [crate::assertions::Signer::new().jwk()] }).to_string();
    let (lost, new) = ("https://lost.example/keys", "https://portal.example/keys");
    app.instance.issuers.publish(lost, &keys);
    app.instance.issuers.publish(new, &keys);
    let draft = |address: &str| ClientDraft {
        name: "Portal".to_owned(),
        redirect_uris: vec!["https://portal.example/callback".to_owned()],
        jwks_uri: Some(address.to_owned()),
        ..ClientDraft::default()
    };
    let (portal, _) = client::create(&context, &operator(), &draft(lost), None).await.expect("made");
    let backup = Backup::of(&app).await;
    client::edit(&context, &operator(), &portal.id, &draft(new)).await.expect("edits");
    let (app, difference) = backup.restored(app, true).await;
    assert_eq!(difference.ended.iter().map(|one| one.how).collect::<Vec<_>>(), [How::ClientNarrowed]);
    let found = client::find(&app.instance.context, &portal.id).await.expect("reads").expect("a client");
    assert_eq!(found.metadata["jwks_uri"], new);
}

/// Replaces the redirect URI of a client by its own request.
async fn redescribe(app: &App, registration: &Value, name: &str, uri: &str) {
    let metadata = json!({
        "client_id": registration["client_id"], "client_name": name, "redirect_uris": [uri],
        "token_endpoint_auth_method": "none",
    });
    let (id, token) = (registration["client_id"].as_str(), registration["registration_access_token"].as_str());
    let (context, origin) = (&app.instance.context, Origin::default());
    registered::update(context, id.expect("an identifier"), token, metadata.to_string().as_bytes(), &origin)
        .await
        .expect("changes");
}

#[tokio::test]
async fn what_clients_changed_and_removed_themselves_stays_so() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let (old, new) = ("http://127.0.0.1:1/old", "http://127.0.0.1:1/new");
    let mut registrations = Vec::new();
    for number in 0..6 {
        let name = format!("Editor {number}");
        let metadata = json!({ "client_name": name, "redirect_uris": [old], "token_endpoint_auth_method": "none" });
        registrations.push(crate::interactive::register(&app, &metadata).await.json());
    }
    let [moved, renamed, folded, gone, also_gone, leaked] = registrations.as_slice() else { panic!("six") };
    let member = |registration: &Value, name: &str| registration[name].as_str().expect("a text").to_owned();
    let remove = async |registration: &Value| {
        let (id, token) = (member(registration, "client_id"), member(registration, "registration_access_token"));
        registered::remove(&context, &id, Some(&token), &Origin::default()).await.expect("removes");
    };
    // The first of each kind in this hour is in the log of the backup too. Later ones are only counted.
    redescribe(&app, renamed, "Editor", old).await;
    remove(gone).await;
    let backup = Backup::of(&app).await;
    app.instance.clock.advance(MINUTE);
    redescribe(&app, folded, "Editor 2", new).await;
    remove(also_gone).await;
    let folded_alone = backup.compare(&app).await;
    let ids = |difference: &Difference| -> Vec<(How, String)> {
        difference.ended.iter().map(|one| (one.how, one.id.clone())).collect()
    };
    let removed = (How::ClientRemoved, member(also_gone, "client_id"));
    let narrowed = (How::ClientNarrowed, member(folded, "client_id"));
    assert_eq!(ids(&folded_alone), [removed, narrowed], "no entry names them");
    assert!(folded_alone.unknown.is_empty(), "{:?}", folded_alone.unknown);
    assert_eq!(folded_alone.ended[1].at, context.now());

    app.instance.clock.advance(60 * MINUTE);
    redescribe(&app, moved, "Editor 0", new).await;
    Housekeeping::default().run(&context).await.expect("runs");
    let token = member(leaked, "registration_access_token");
    leak::report(&context, &Actor::system(), &token, None, Policy::Alert).await.expect("reports");
    let (app, difference) = backup.restored(app, true).await;
    assert!(difference.unknown.is_empty(), "{:?}", difference.unknown);
    assert!(ids(&difference).contains(&(How::ClientRegistrationEnded, member(leaked, "client_id"))));
    let context = &app.instance.context;
    for registration in [moved, folded] {
        let id = AppClientId::parse(&member(registration, "client_id")).expect("an identifier");
        let found = client::find(context, &id).await.expect("reads").expect("a client");
        assert_eq!(found.redirect_uris.iter().map(|uri| uri.as_str()).collect::<Vec<_>>(), [new]);
    }
    for registration in [also_gone, leaked] {
        let (id, token) = (member(registration, "client_id"), member(registration, "registration_access_token"));
        assert!(registered::inspect(context, &id, Some(&token)).await.is_err(), "{registration}");
    }
}

#[tokio::test]
async fn values_that_the_backup_cannot_open_pause_the_webhook() {
    use sqlx::{Connection, Executor};
    let app = App::new().await;
    let context = app.instance.context.clone();
    let draft = WebhookDraft {
        name: "alerts".to_owned(),
        url: "https://alerts.example/hook".to_owned(),
        events: vec![EventKind::Revoked],
        ..WebhookDraft::default()
    };
    let id = webhook::add(&context, &operator(), &draft, None).await.expect("added").0.id;
    let backup = Backup::of(&app).await;
    app.instance.clock.advance(MINUTE);
    webhook::replace_secret(&context, &operator(), &id, None).await.expect("replaced");
    // The former database is as an earlier version left it. The restore binds the values of the backup to their rows.
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(app.instance.database_url()).await.expect("opens");
    for (table, column) in [("instance_keys", "wrapped"), ("webhooks", "url"), ("webhooks", "secret")] {
        let sql = format!("UPDATE {table} SET {column} = REPLACE({column}, 'w2$', 'w1$')");
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("updates");
    }
    connection.close().await.expect("closes");
    let (app, difference) = backup.restored(app, true).await;
    assert_eq!(difference.ended.iter().map(|one| one.how).collect::<Vec<_>>(), [How::WebhookUnreadable]);
    let found = webhook::find(&app.instance.context, &id).await.expect("opens").expect("a webhook");
    assert!(found.paused_at.is_some());
    let verdict = domain::operations::backup::prove(
        &app.instance.context,
        &app.instance.context.store,
        app.instance.context.store.counts().await.expect("counts"),
    );
    assert!(verdict.await.is_ok(), "each wrapped value opens");
}

#[tokio::test]
async fn a_token_that_was_revoked_stays_revoked() {
    let app = App::new().await;
    let (owner, token) = app.access_token(&["tokens:introspect"]).await;
    let backup = Backup::of(&app).await;
    let call = async |app: &App, path: &str| {
        let body = format!("token={token}");
        let request = axum::http::Request::post(path).header("content-type", crate::support::FORM);
        let request = request.header("authorization", basic(&owner)).body(body.into()).expect("a request");
        app.send(request).await
    };
    assert_eq!(call(&app, "/mcp/oauth/revoke").await.status, StatusCode::OK);
    let (app, difference) = backup.restored(app, true).await;
    let id = owner.credential.client_id.as_str();
    assert_eq!(told(&difference), [(How::TokenRevoked, Some(id))]);
    let asked = app.send(
        axum::http::Request::post("/mcp")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#.into())
            .expect("a request"),
    );
    assert_eq!(asked.await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stop_of_many_a_role_and_a_signing_key_stay_ended() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    app.signed_in().await;
    let ada = person::find_by_email(&context, EMAIL).await.expect("reads").expect("Ada");
    let team = team::create(&context, &operator(), "Short-lived").await.expect("a team").id;
    team::set_role(&context, &operator(), &team, &ada.id, Some(Role::Member)).await.expect("given");
    let stopped = app.generated("stopped", &[]).await;
    let backup = Backup::of(&app).await;
    team::remove(&context, &operator(), &team).await.expect("removed");
    let order =
        StopRequest { selection: &Selection::default(), means: Means::Disable, reason: "drill", incident: None };
    emergency_stop::stop(&context, &operator(), &order, 1, |_| {}).await.expect("stops");
    key_rotation::rotate(&context, &operator(), TokenAlgorithm::default(), RotationMode::Ordered)
        .await
        .expect("rotates");
    let (app, difference) = backup.restored(app, true).await;
    let mut told: Vec<How> = difference.ended.iter().map(|one| one.how).collect();
    told.sort_by_key(|how| format!("{how:?}"));
    assert_eq!(told, [How::Disabled, How::RoleTaken(None)]);
    assert_eq!(difference.rotated, ["ES256"]);
    assert_eq!(exchange(&app, &stopped).await, StatusCode::UNAUTHORIZED);
    assert!(team::members(&app.instance.context, &team).await.expect("reads").is_empty());
    assert_eq!(key_rotation::list(&app.instance.context).await.expect("reads").len(), 2, "the rotation begins again");
    disable::enable(&app.instance.context, &operator(), &stopped.credential.client_id).await.expect("enables");
    assert_eq!(exchange(&app, &stopped).await, StatusCode::OK, "nothing else happened to it");
}

#[tokio::test]
async fn a_server_that_was_narrowed_stays_narrow() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let team = async |name: &str| team::create(&context, &operator(), name).await.expect("a team").id;
    let (kept, removed) = (team("Kept").await, team("Removed").await);
    let only = |teams: &[&TeamId]| ServerAccess::Teams(teams.iter().map(|team| (*team).clone()).collect());
    let add = async |name: &str, access: ServerAccess| {
        let scopes =
            vec![ScopeDescription { name: "docs:read".to_owned(), description: String::new(), implies: Vec::new() }];
        let resource = format!("https://{name}.example/mcp");
        let draft = ServerDraft { name: name.to_owned(), resource, scopes, access, ..ServerDraft::default() };
        server::add(&context, &operator(), &draft).await.expect("added").id
    };
    let closed = add("closed", ServerAccess::All).await;
    let changed = add("changed", only(&[&kept, &removed])).await;
    let opened = add("opened", only(&[&kept])).await;
    let left = add("left", only(&[&removed])).await;
    let implying = |lines: &[&str]| ServerEdit {
        scopes: Some(lines.iter().map(|line| ScopeDescription::parse(line)).collect()),
        ..ServerEdit::default()
    };
    let hierarchy = add("unlinked", ServerAccess::All).await;
    let wide = ["docs:read", "docs:write (implies docs:read docs:list) Change.", "docs:list"];
    let narrow = ["docs:read", "docs:write (implies docs:list) Alter.", "docs:list (implies docs:read)"];
    server::edit::edit(&context, &operator(), &hierarchy, &implying(&wide)).await.expect("edits");
    let draft =
        Draft { name: "job".to_owned(), servers: vec!["https://closed.example/mcp".to_owned()], ..Draft::default() };
    let job = generate(&context, &operator(), &draft, None).await.expect("generates");
    let backup = Backup::of(&app).await;
    assert_eq!(exchange(&app, &job).await, StatusCode::OK);
    let new = team("New").await;
    for (id, access) in
        [(&closed, only(&[&kept, &new])), (&changed, only(&[&kept, &new])), (&opened, ServerAccess::All)]
    {
        server::set_access(&context, &operator(), id, &access, true).await.expect("set");
    }
    team::remove(&context, &operator(), &removed).await.expect("removed");
    server::edit::edit(&context, &operator(), &hierarchy, &implying(&narrow)).await.expect("edits");

    let (app, difference) = backup.restored(app, true).await;
    let mut told: Vec<(&str, How)> = difference.ended.iter().map(|one| (one.name.as_str(), one.how)).collect();
    told.sort_unstable_by_key(|(name, _)| *name);
    assert_eq!(told, ["changed", "closed", "left", "unlinked"].map(|name| (name, How::ServerNarrowed)));
    let access = async |id| server::find(&app.instance.context, id).await.expect("reads").expect("a server").access;
    assert_eq!(access(&closed).await, only(&[&kept]), "the backup does not know the new team");
    assert_eq!(access(&changed).await, only(&[&kept]));
    assert_eq!(access(&opened).await, only(&[&kept]), "what was only widened is as in the backup");
    assert_eq!(access(&left).await, only(&[]), "nobody, and not all");
    let found = server::find(&app.instance.context, &hierarchy).await.expect("reads").expect("a server");
    let lines: Vec<String> = found.scopes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["docs:read", "docs:write (implies docs:list) Change.", "docs:list"], "only what both imply");
    assert_eq!(exchange(&app, &job).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rules_of_the_gateway_that_were_narrowed_stay_narrow() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let scopes = ["read", "write"].map(ScopeDescription::parse).to_vec();
    let draft = ServerDraft { name: "docs".to_owned(), scopes, ..ServerDraft::default() };
    let behind = GatewayDraft { upstream: "https://docs.example/mcp".to_owned(), ..GatewayDraft::default() };
    let docs = gateway::add(&context, &operator(), &draft, &behind).await.expect("added").id;
    let set = async |read: &[&str], write: Option<&[&str]>| {
        let tools = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let rule = |tools| ScopeRule { tools, ..ScopeRule::default() };
        let rules = [("read".to_owned(), rule(tools(read))), ("write".to_owned(), rule(write.and_then(tools)))];
        rules::set(&context, &operator(), &docs, &rules).await.expect("set");
    };
    set(&["search", "export"], None).await;
    let backup = Backup::of(&app).await;
    set(&["search", "new"], Some(&["update"])).await;
    let limits = CallLimits { per_minute_each: Some(7), is_enforced: true, ..CallLimits::default() };
    let edit = GatewayEdit {
        on_change: Some(ChangePolicy::Block),
        limits: Some(limits),
        sends_identity: Some(true),
        ..GatewayEdit::default()
    };
    gateway::edit(&context, &operator(), &docs, &edit).await.expect("edits");

    let (app, difference) = backup.restored(app, true).await;
    let told: Vec<(&str, How)> = difference.ended.iter().map(|one| (one.name.as_str(), one.how)).collect();
    assert_eq!(told, [("docs", How::ServerNarrowed)]);
    let restored = gateway::find(&app.instance.context, &docs).await.expect("reads").expect("a gateway");
    let allows = |scope: &str, tool| restored.rules.scope_allows(scope, Item::Tool(tool));
    assert!(allows("read", "search") && !allows("read", "export") && !allows("read", "new"));
    assert!(allows("write", "update") && !allows("write", "search"));
    assert_eq!((restored.on_change, restored.limits), (ChangePolicy::Block, limits));
    assert!(!restored.sends_identity, "what is no right of a client is as in the backup");
}

#[tokio::test]
async fn an_archived_server_stays_archived() {
    let app = App::new().await;
    let context = app.instance.context.clone();
    let described = |names: &[&str]| {
        let scope = |name: &&str| ScopeDescription {
            name: (*name).to_owned(),
            description: String::new(),
            implies: Vec::new(),
        };
        names.iter().map(scope).collect::<Vec<_>>()
    };
    let add = async |name: &str| {
        let (name, resource) = (name.to_owned(), format!("https://{name}.example/mcp"));
        let draft = ServerDraft { name, resource, scopes: described(&["a", "b"]), ..ServerDraft::default() };
        server::add(&context, &operator(), &draft).await.expect("added").id
    };
    let (archived, removed, edited, back) =
        (add("archived").await, add("removed").await, add("edited").await, add("back").await);
    server::archive::archive(&context, &operator(), &back).await.expect("archives");
    let backup = Backup::of(&app).await;
    for id in [&archived, &removed] {
        server::archive::archive(&context, &operator(), id).await.expect("archives");
    }
    server::archive::remove(&context, &operator(), &removed).await.expect("removes");
    server::archive::unarchive(&context, &operator(), &back).await.expect("takes it back");
    let edit = ServerEdit {
        scopes: Some(described(&["b", "c"])),
        token_lifetime: Some(MINUTE),
        alg: Some(TokenAlgorithm::EdDsa),
        ..ServerEdit::default()
    };
    server::edit::edit(&context, &operator(), &edited, &edit).await.expect("edits");

    let (app, difference) = backup.restored(app, true).await;
    assert!(difference.unknown.is_empty(), "{:?}", difference.unknown);
    let mut told: Vec<(&str, How)> = difference.ended.iter().map(|one| (one.name.as_str(), one.how)).collect();
    told.sort_unstable_by_key(|(name, _)| *name);
    let expected =
        [("archived", How::ServerArchived), ("edited", How::ServerNarrowed), ("removed", How::ServerArchived)];
    assert_eq!(told, expected);
    let found = async |id| server::find(&app.instance.context, id).await.expect("reads").expect("a server");
    assert!(found(&archived).await.is_archived() && found(&removed).await.is_archived());
    assert!(found(&back).await.is_archived(), "what was only given is as in the backup");
    let edited = found(&edited).await;
    assert_eq!((edited.scopes, edited.token_lifetime), (described(&["b"]), MINUTE));
}

#[tokio::test]
async fn an_action_or_a_field_that_is_not_known_counts_as_a_difference() {
    use sqlx::{Connection, Executor};
    let app = App::new().await;
    let backup = Backup::of(&app).await;
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(app.instance.database_url()).await.expect("opens");
    for (action, details) in [("credential.frobnicated", "{}"), ("credential.edited", r#"{"name":1,"colour":2}"#)] {
        let sql = "INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, action, target_kind, target_id,
                                      target_name, details, previous, mac)
                   SELECT MAX(seq) + 1, 0, 'system', '', '', 'ACTION', 'credential', 'x', 'job', 'DETAILS', '', ''
                   FROM audit";
        let sql = sql.replace("ACTION", action).replace("DETAILS", details);
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("inserts");
    }
    connection.close().await.expect("closes");
    let difference = backup.compare(&app).await;
    assert!(!difference.is_empty());
    let unknown: Vec<&str> = difference.unknown.iter().map(|one| one.meaning.as_str()).collect();
    assert_eq!(unknown.len(), 2);
    assert!(unknown[0].contains("the action") && unknown[1].contains("colour"), "{unknown:?}");
}

#[tokio::test]
async fn without_a_former_database_no_position_of_a_status_list_is_given_out_twice() {
    let app = App::new().await;
    app.generated("in the backup", &[]).await;
    let backup = Backup::of(&app).await;
    let position = async |app: &App| {
        let (_, token) = app.access_token(&[]).await;
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a payload")).expect("base64url");
        let claims: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        assert!(claims["status"]["status_list"]["idx"].is_i64(), "{claims}");
        claims["status"].clone()
    };
    let taken = position(&app).await;
    let instance = &app.instance;
    let context = backup.open(&instance.clock, &instance.issuers, &instance.receiver, &instance.context).await;
    restore::finish(&context, &operator(), &Difference::default(), false).await.expect("restores");
    let mut restored = App { router: router(AppState::new(context.clone(), vec![], vec![])), ..app };
    restored.instance.context = context;
    assert_ne!(position(&restored).await, taken, "what was given out after the backup is not known");
}

#[tokio::test]
async fn a_policy_that_changed_since_is_told_and_open_requests_end() {
    let app = App::new().await;
    app.signed_in().await;
    let member = InvitedRole::Team(TeamId::first(), Role::Member);
    let member = joined(&app, "member@example.com", member).await;
    set_policy(&app.instance.context, PolicyName::Generation, PolicyMode::Enforce).await;
    let browser = signed_in_as(&app, &member).await;
    let sent = browser.submit("/credentials/new", "/credentials/new", &[("name", "job")]).await;
    let page = sent.header("location").split('?').next().expect("a path").to_owned();
    drop(browser);
    let backup = Backup::of(&app).await;
    set_policy(&app.instance.context, PolicyName::Expiry, PolicyMode::Enforce).await;
    let (app, difference) = backup.restored(app, true).await;
    let lost: Vec<&str> = difference.lost.iter().map(|entry| entry.meaning.as_str()).collect();
    assert_eq!(lost, ["the policy is as it was in the backup: set it again"]);
    let browser = signed_in_as(&app, &member).await;
    assert!(browser.get(&page).await.words().contains("Withdrawn"));
    assert_eq!(
        browser.submit("/account", &format!("{page}/withdraw"), &[]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

macro_rules! tests {
    ($(#[$doc:meta])* $([$file:literal, $test:literal]: $($action:ident)+;)*) => {
        $(#[$doc])*
        fn test_of(action: Action) -> [&'static str; 2] {
            match action {
                $($(Action::$action)|+ => [$file, $test],)*
            }
        }
    };
}

tests! {
    /// The test of each action that ends something: a file of this folder and a function there. An empty name: a
    /// restore need not carry it over, because the action only gives, makes or tells something, or because every
    /// restore ends it. A new action needs a line here, and a test.
    ["restore", "a_secret_that_a_rotation_ended_stays_ended"]:
        CredentialRotationStarted CredentialRotationExtended CredentialRotationCancelled;
    ["restore", "narrower_rights_and_limits_stay_narrow"]:
        CredentialEdited;
    ["restore", "what_an_edit_or_a_removal_ended_stays_ended"]:
        CredentialSecretRemoved;
    ["restore", "a_later_password_holds_without_a_question"]:
        PersonPasswordChanged;
    ["restore", "a_password_removed_for_the_owner_of_the_address_stays_removed"]:
        PersonOpenIdConnected;
    ["restore", "webhooks_that_were_removed_paused_or_changed_stay_so"]:
        WebhookEdited WebhookPaused WebhookSecretReplaced WebhookRemoved;
    ["restore", "a_redirect_uri_that_was_removed_stays_removed"]:
        ClientChanged;
    ["restore", "a_server_that_was_narrowed_stays_narrow"]:
        McpServerEdited;
    ["restore", "rules_of_the_gateway_that_were_narrowed_stay_narrow"]:
        McpServerRulesChanged;
    ["restore", "an_archived_server_stays_archived"]:
        McpServerArchived McpServerRemoved;
    ["restore", "a_token_that_was_revoked_stays_revoked"]:
        TokenRevoked;
    ["restore", "a_stop_of_many_a_role_and_a_signing_key_stay_ended"]:
        CredentialDisabled EmergencyStopped TeamRemoved SigningKeyRotated;
    ["restore", "what_was_ended_for_good_stays_ended"]:
        CredentialRevoked CredentialKeyRemoved CredentialIdentityRemoved CredentialRotationFinished
        CredentialLeaked PersonDisabled;
    ["client_documents", "a_restore_tells_which_clients_ended_since_and_does_not_bring_them_back"]:
        ClientDisabled ClientRemoved ClientSecretEnded ClientSecretReplaced LeakReported;
    ["openid", "a_restore_tells_what_was_disconnected_since_and_does_not_bring_it_back"]:
        PersonOpenIdDisconnected;
    ["second_factor", "a_backup_brings_back_neither_a_removed_app_nor_spent_codes"]:
        SecondFactorRemoved RecoveryCodeUsed RecoveryCodesReplaced;
    ["passkeys", "a_backup_does_not_bring_a_removed_passkey_back_unnoticed"]:
        PasskeyRemoved;
    ["roles", "a_restore_tells_which_roles_were_taken_since_and_lets_no_invitation_in"]:
        PersonAdministratorChanged TeamRoleChanged;
    ["command_line", "a_restore_tells_what_ended_what_is_lost_and_what_is_left"]:
        MasterKeyReplaced;
    ["", ""]:
        CredentialHandoverCreated CredentialSecretOpened CredentialSecretUnopened
        PersonMailChosen PersonPasswordLinkCreated PersonPasswordLinkWithdrawn PersonCreated PersonRenamed PersonEnabled SecondFactorAdded PasskeyAdded TeamCreated TeamRenamed
        InstanceRestored EmergencyUndone McpServerAdded McpServerMoved McpServerToolsChanged McpServerToolsAccepted
        DestructiveToolUsed McpServerUnarchived McpServerChecked ChecklistChanged CredentialGenerated
        CredentialImported CredentialSecretAdded CredentialKeyAdded CredentialIdentityAdded CredentialEnabled
        CredentialExpiring CredentialsExported CredentialRetiredSecretTried InvitationCreated InvitationAccepted
        InvitationWithdrawn SessionStarted SessionRefused SessionSecondStepAsked SessionEnded GrantAllowed
        GrantDenied GrantEnded;
    ["", ""]:
        PersonalTokenGenerated PersonalTokenRevoked IncidentOpened IncidentEdited IncidentNoted IncidentContained
        IncidentClosed IncidentReopened;
    ["restore", "a_policy_that_changed_since_is_told_and_open_requests_end"]:
        PolicyChanged CredentialRequested CredentialRequestDecided CredentialRequestWithdrawn;
    ["", ""]:
        WebhookAdded WebhookResumed CredentialConfirmed;
    ["", ""]:
        ClientAdded ClientEnabled ClientsPruned;
}

#[test]
fn each_action_that_ends_something_has_a_test_of_its_restore() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for [file, test] in Action::ALL.map(test_of).into_iter().filter(|[file, _]| !file.is_empty()) {
        let source = fs::read_to_string(folder.join(file).with_extension("rs")).expect("a file of tests");
        assert!(source.contains(&format!("fn {test}(")), "{file}: {test}");
    }
}
