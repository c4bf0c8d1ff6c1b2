//! Who may do what: every route of the dashboard as nobody, viewer, member of another team, member, manager and
//! administrator; and what teams see of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use About::{Nothing, Team};
use Needs::{Administrator, Manager, Member, Viewer};
use axum::http::{Method, StatusCode};
use domain::audit;
use domain::base::id::{McpServerId, PersonId, SessionId, TeamId};
use domain::client::{self, ClientDraft};
use domain::context::Context;
use domain::credential::generate::{Generated, generate};
use domain::credential::keys;
use domain::credential::list;
use domain::credential::{federated, inspect};
use domain::crypto::password::Password;
use domain::incident::{emergency_stop, leak};
use domain::model::actor::{Actor, ActorProof};
use domain::model::audit::Filter;
use domain::model::credential::draft::{Draft, DraftProof};
use domain::model::credential::federated::FederatedDraft;
use domain::model::credential::key::KeysDraft;
use domain::model::credential::query::Query;
use domain::model::incident::{Means, Policy, Selection, StopRequest};
use domain::model::operations::How;
use domain::model::operations::policy::{PolicyMode, PolicyName};
use domain::model::person::Person;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::PROOF_LIFETIME;
use domain::model::person::team::InvitedRole;
use domain::model::server::ScopeDescription;
use domain::model::server::access::ServerAccess;
use domain::model::webhook::EventKind;
use domain::operations::policy::{self, PolicyEdit};
use domain::operations::restore;
use domain::person::invitation;
use domain::person::{manage, team};
use domain::server::gateway::{self, GatewayDraft};
use domain::server::{ServerDraft, add as add_server};
use domain::token::verify::verify;
use domain::webhook::{self, WebhookDraft};
use server::routes::{Access, Asks, Permission, table};
use server::state::AppState;
use tokio::sync::OnceCell;

use crate::openid::backed_up;
use crate::support::{Answer, App, Browser, PASSWORD, basic, between, form_token};

pub(crate) const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
const OTHER_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

pub(crate) fn operator() -> Actor {
    Actor::command_line("operator")
}

pub(crate) async fn new_team(app: &App, name: &str) -> TeamId {
    team::create(&app.instance.context, &operator(), name).await.expect("a team").id
}

/// Invites somebody and accepts for them.
pub(crate) async fn joined(app: &App, email: &str, grant: InvitedRole) -> Person {
    let context = &app.instance.context;
    let (_, token) = invitation::invite(context, &operator(), email, grant).await.expect("invites");
    let name = email.split('@').next().expect("a name");
    let password = Password::new(PASSWORD.to_owned());
    invitation::accept_as_new(context, &token, name, password, |actor| actor).await.expect("accepts")
}

pub(crate) async fn signed_in_as<'app>(app: &'app App, person: &Person) -> Browser<'app> {
    let browser = app.browser();
    let answer = browser.sign_in_as(&person.email, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{} signs in", person.email);
    browser
}

async fn manager_of<'app>(app: &'app App, team: &TeamId) -> Browser<'app> {
    let role = InvitedRole::Team(team.clone(), Role::Manager);
    signed_in_as(app, &joined(app, "manager@example.com", role).await).await
}

pub(crate) async fn generated_for(app: &App, team: &TeamId, name: &str, proof: DraftProof) -> Generated {
    let draft = Draft { team: Some(team.clone()), name: name.to_owned(), proof, ..Draft::default() };
    generate(&app.instance.context, &operator(), &draft, None).await.expect("generates")
}

/// Sets a policy whose terms are the usual ones.
pub(crate) async fn set_policy(context: &Context, name: PolicyName, mode: PolicyMode) {
    let terms = policy::all(context).await.expect("reads").get(name).terms;
    let edit = PolicyEdit { name, mode, terms, accepts: true };
    policy::set(context, &operator(), &edit).await.expect("is set");
}

/// What a row of the table needs, written down again and not read from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Needs {
    Person,
    Viewer,
    Member,
    Manager,
    Administrator,
}

/// Whether what the request is about belongs to the team.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    Nothing,
    Team,
}

/// A route, a method, who may, and the status for those who may. `{…}` stands for a thing of [`Stage::things`].
pub(crate) type Row = (&'static str, Method, Needs, About, u16, &'static [(&'static str, &'static str)]);

const PERSON: Needs = Needs::Person;

pub(crate) fn rows() -> Vec<Row> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        ("/", GET, PERSON, Nothing, 200, &[]),
        ("/credentials", GET, PERSON, Nothing, 200, &[]),
        ("/credentials/new", GET, Member, Nothing, 200, &[]),
        ("/credentials/new", POST, Member, Team, 200, &[("name", "job"), ("team", "{team_id}"), ("server", "{id}")]),
        ("/credentials/several", GET, Member, Nothing, 422, &[]),
        ("/credentials/several", POST, Member, Team, 303, &[("do", "disable"), ("client_id", "{client_id}")]),
        // Without an entry there is no receipt.
        ("/credentials/receipt", GET, PERSON, Nothing, 404, &[]),
        ("/credentials/export", GET, PERSON, Nothing, 200, &[]),
        ("/credentials/export", POST, PERSON, Nothing, 200, &[("format", "csv")]),
        ("/credentials/{client_id}", GET, Viewer, Team, 200, &[]),
        ("/credentials/{client_id}/edit", GET, Manager, Team, 200, &[]),
        (
            "/credentials/{client_id}/edit",
            POST,
            Manager,
            Team,
            303,
            &[("name", "other"), ("server", "http://localhost:8080/mcp")],
        ),
        ("/credentials/{client_id}/handover", POST, Member, Team, 422, &[("client_secret", "css_x"), ("within", "1h")]),
        ("/credentials/{client_id}/rotate", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/rotate", POST, Member, Team, 200, &[("overlap", "3600")]),
        ("/credentials/{client_id}/rotation", POST, Member, Team, 303, &[("step", "finish")]),
        ("/credentials/{client_id}/handover", POST, Member, Team, 422, &[("client_secret", "css_x"), ("within", "1h")]),
        ("/credentials/{client_id}/disable", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/enable", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/revoke", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/secrets/new", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/secrets/new", POST, Member, Team, 200, &[("expiry", "30")]),
        ("/credentials/{client_id}/keys/new", GET, Manager, Team, 200, &[]),
        ("/credentials/{key_client_id}/keys/new", POST, Manager, Team, 303, &[("public_key", OTHER_KEY)]),
        ("/credentials/{client_id}/identities/new", GET, Manager, Team, 200, &[]),
        (
            "/credentials/{identity_client_id}/identities/new",
            POST,
            Manager,
            Team,
            303,
            &[("issuer", "https://ci.example"), ("subject", "job:two")],
        ),
        ("/refusals", GET, PERSON, Nothing, 200, &[]),
        ("/reviews", GET, PERSON, Nothing, 200, &[]),
        ("/reviews", POST, Member, Team, 303, &[("client_id", "{client_id}")]),
        ("/requests", GET, PERSON, Nothing, 200, &[]),
        ("/requests/{request_id}", GET, Viewer, Team, 200, &[]),
        ("/requests/{request_id}/decide", POST, Manager, Team, 303, &[("decision", "approve")]),
        ("/requests/{request_id}/withdraw", POST, Manager, Team, 303, &[]),
        // Only who asked generates it, and nobody here did.
        ("/requests/{request_id}/generate", POST, PERSON, Nothing, 404, &[]),
        ("/servers", GET, PERSON, Nothing, 200, &[]),
        ("/servers/new", GET, Administrator, Nothing, 200, &[]),
        (
            "/servers/new",
            POST,
            Administrator,
            Nothing,
            303,
            &[("name", "docs"), ("resource", "https://docs.example/mcp"), ("scopes", "docs:read Read.")],
        ),
        ("/servers/{id}", GET, PERSON, Nothing, 200, &[]),
        ("/servers/{id}/access", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/access", POST, Administrator, Nothing, 303, &[("access", "all")]),
        ("/servers/{id}/edit", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/edit", POST, Administrator, Nothing, 303, &[("name", "Built-in server")]),
        ("/servers/{id}/archive", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/archive", POST, Administrator, Nothing, 422, &[]),
        ("/servers/{id}/unarchive", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/unarchive", POST, Administrator, Nothing, 303, &[]),
        ("/servers/{id}/remove", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/remove", POST, Administrator, Nothing, 422, &[]),
        ("/servers/{gateway_id}/gateway", GET, Administrator, Nothing, 200, &[]),
        (
            "/servers/{gateway_id}/gateway",
            POST,
            Administrator,
            Nothing,
            303,
            &[("upstream", "https://docs.example/mcp"), ("header", "keep"), ("on_change", "warn")],
        ),
        ("/servers/{gateway_id}/tools", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{gateway_id}/tools", POST, Administrator, Nothing, 303, &[]),
        ("/servers/{gateway_id}/tools/look", GET, Administrator, Nothing, 200, &[]),
        // The server does not answer.
        ("/servers/{gateway_id}/tools/look", POST, Administrator, Nothing, 422, &[]),
        ("/servers/{gateway_id}/tools/accept", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{gateway_id}/tools/accept", POST, Administrator, Nothing, 422, &[("seen", "other")]),
        ("/servers/{gateway_id}/tools/scope", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{gateway_id}/tools/scope", POST, Administrator, Nothing, 303, &[("kind", "all")]),
        ("/servers/{id}/check", GET, Administrator, Nothing, 200, &[]),
        ("/servers/{id}/check", POST, Administrator, Nothing, 422, &[]),
        ("/leaks", GET, PERSON, Nothing, 200, &[]),
        ("/leaks", POST, PERSON, Nothing, 200, &[("text", "a log"), ("days", "7")]),
        ("/incidents", GET, PERSON, Nothing, 200, &[]),
        ("/incidents/{number}", GET, Viewer, Team, 200, &[]),
        ("/incidents/{number}", POST, Member, Team, 303, &[("owner", ""), ("exposed_at", "")]),
        ("/incidents/{number}/note", POST, Member, Team, 303, &[("note", "Asked.")]),
        ("/incidents/{number}/state", POST, Member, Team, 303, &[("to", "handled")]),
        ("/incidents/{number}/record.json", GET, Viewer, Team, 200, &[]),
        ("/incidents/{number}/record.md", GET, Viewer, Team, 200, &[]),
        (
            "/leaks/renew",
            POST,
            Member,
            Team,
            200,
            &[("client_ids", "{client_id}"), ("how", "rotate"), ("overlap", "900"), ("confirmed", "yes")],
        ),
        (
            "/credentials/renew",
            POST,
            Member,
            Team,
            200,
            &[("client_ids", "{client_id}"), ("how", "rotate"), ("overlap", "900"), ("confirmed", "yes")],
        ),
        ("/search?q=job", GET, PERSON, Nothing, 200, &[]),
        ("/docs", GET, PERSON, Nothing, 200, &[]),
        ("/docs/{slug}", GET, PERSON, Nothing, 200, &[]),
        ("/emergency", GET, Administrator, Nothing, 200, &[]),
        ("/emergency", POST, Administrator, Nothing, 422, &[("confirmation", "no")]),
        ("/activity", GET, PERSON, Nothing, 200, &[]),
        ("/activity/export", GET, PERSON, Nothing, 200, &[]),
        ("/activity/export", POST, PERSON, Nothing, 200, &[("format", "jsonl")]),
        ("/teams", GET, PERSON, Nothing, 200, &[]),
        ("/teams/new", GET, Administrator, Nothing, 200, &[]),
        ("/teams/new", POST, Administrator, Nothing, 303, &[("name", "New team")]),
        ("/teams/{team_id}", GET, Viewer, Team, 200, &[]),
        ("/teams/{team_id}/name", GET, Manager, Team, 200, &[]),
        ("/teams/{team_id}/remove", GET, Administrator, Nothing, 200, &[]),
        ("/teams/{team_id}/name", POST, Manager, Team, 303, &[("name", "Payments")]),
        ("/teams/{team_id}/invite", GET, Manager, Team, 200, &[]),
        ("/teams/{team_id}/invite", POST, Manager, Team, 200, &[("email", "new@example.com"), ("role", "viewer")]),
        ("/teams/{team_id}/members/{person_id}", GET, Manager, Team, 200, &[]),
        ("/teams/{team_id}/members/{person_id}", POST, Manager, Team, 303, &[("role", "member")]),
        ("/people", GET, Administrator, Nothing, 200, &[]),
        ("/people/invite", GET, Administrator, Nothing, 200, &[]),
        (
            "/people/invite",
            POST,
            Administrator,
            Nothing,
            200,
            &[("email", "boss@example.com"), ("team", "administration"), ("role", "viewer")],
        ),
        ("/people/{person_id}", GET, Administrator, Nothing, 200, &[]),
        ("/people/{person_id}/change", GET, Administrator, Nothing, 200, &[]),
        ("/people/{person_id}/change", POST, Administrator, Nothing, 303, &[("to", "enabled")]),
        ("/people/{person_id}/name", GET, Administrator, Nothing, 200, &[]),
        ("/people/{person_id}/name", POST, Administrator, Nothing, 303, &[("name", "Somebody")]),
        ("/people/{person_id}/password-link", GET, Administrator, Nothing, 200, &[]),
        ("/people/{person_id}/password-link", POST, Administrator, Nothing, 200, &[]),
        ("/people/{person_id}/owned", GET, Administrator, Nothing, 200, &[]),
        // They own nothing.
        ("/people/{person_id}/owned", POST, Administrator, Nothing, 422, &[("new_owner", "{person_id}")]),
        ("/people/{person_id}/teams", GET, Administrator, Nothing, 200, &[]),
        (
            "/people/{person_id}/teams",
            POST,
            Administrator,
            Nothing,
            303,
            &[("team", "{other_team_id}"), ("role", "viewer")],
        ),
        ("/settings", GET, Administrator, Nothing, 200, &[]),
        ("/settings/keys", GET, Administrator, Nothing, 200, &[]),
        ("/settings/keys", POST, Administrator, Nothing, 303, &[("algorithm", "ES256"), ("haste", "emergency")]),
        ("/settings/about", GET, Administrator, Nothing, 200, &[]),
        ("/settings/policies", GET, Administrator, Nothing, 200, &[]),
        ("/settings/policies/{policy}", GET, Administrator, Nothing, 200, &[]),
        ("/settings/policies/{policy}", POST, Administrator, Nothing, 303, &[("mode", "observe")]),
        ("/settings/stop", GET, Administrator, Nothing, 200, &[]),
        ("/settings/stop", POST, Administrator, Nothing, 422, &[("confirmation", "no")]),
        ("/settings/webhooks", GET, Administrator, Nothing, 200, &[]),
        ("/settings/webhooks/new", GET, Administrator, Nothing, 200, &[]),
        (
            "/settings/webhooks/new",
            POST,
            Administrator,
            Nothing,
            200,
            &[("name", "hook"), ("url", "https://alerts.example/"), ("event", "credential.revoked")],
        ),
        ("/settings/webhooks/{webhook_id}", GET, Administrator, Nothing, 200, &[]),
        ("/settings/webhooks/{webhook_id}/edit", GET, Administrator, Nothing, 200, &[]),
        (
            "/settings/webhooks/{webhook_id}/edit",
            POST,
            Administrator,
            Nothing,
            303,
            &[("name", "hook"), ("url", "https://alerts.example/"), ("event", "credential.leaked")],
        ),
        ("/settings/webhooks/{webhook_id}/secret", GET, Administrator, Nothing, 200, &[]),
        ("/settings/webhooks/{webhook_id}/secret", POST, Administrator, Nothing, 200, &[]),
        ("/settings/webhooks/{webhook_id}/remove", GET, Administrator, Nothing, 200, &[]),
        ("/fn/test_webhook", POST, Administrator, Nothing, 303, &[("id", "{webhook_id}")]),
        ("/fn/pause_webhook", POST, Administrator, Nothing, 303, &[("id", "{webhook_id}")]),
        ("/fn/resume_webhook", POST, Administrator, Nothing, 303, &[("id", "{webhook_id}")]),
        (
            "/fn/send_delivery_again",
            POST,
            Administrator,
            Nothing,
            303,
            &[("id", "{webhook_id}"), ("delivery", "{delivery_id}")],
        ),
        ("/fn/change_checklist", POST, Administrator, Nothing, 303, &[("mark", "backup"), ("on", "yes")]),
        ("/fn/remove_webhook", POST, Administrator, Nothing, 303, &[("id", "{webhook_id}")]),
        ("/apps", GET, PERSON, Nothing, 200, &[]),
        ("/apps/clients", GET, Administrator, Nothing, 200, &[]),
        ("/apps/clients/new", GET, Administrator, Nothing, 200, &[]),
        (
            "/apps/clients/new",
            POST,
            Administrator,
            Nothing,
            303,
            &[("name", "CLI"), ("redirect_uris", "http://localhost/callback"), ("kind", "public")],
        ),
        ("/apps/clients/{interactive_id}", GET, Administrator, Nothing, 200, &[]),
        ("/apps/clients/{interactive_id}/edit", GET, Administrator, Nothing, 200, &[]),
        (
            "/apps/clients/{interactive_id}/edit",
            POST,
            Administrator,
            Nothing,
            303,
            &[("name", "Other"), ("redirect_uris", "http://localhost/other")],
        ),
        ("/apps/clients/{interactive_id}/disable", GET, Administrator, Nothing, 200, &[]),
        ("/apps/clients/{interactive_id}/disable", POST, Administrator, Nothing, 303, &[]),
        ("/apps/clients/{interactive_id}/enable", GET, Administrator, Nothing, 200, &[]),
        ("/apps/clients/{interactive_id}/enable", POST, Administrator, Nothing, 303, &[]),
        ("/apps/clients/{interactive_id}/secret", GET, Administrator, Nothing, 200, &[]),
        ("/apps/clients/{interactive_id}/secret", POST, Administrator, Nothing, 200, &[]),
        ("/fn/remove_client", POST, Administrator, Nothing, 303, &[("client", "{interactive_id}")]),
        // Of a grant that is not one's own: not there.
        ("/credentials/{client_id}/test", GET, Member, Team, 200, &[]),
        ("/credentials/{client_id}/test", POST, Member, Team, 422, &[]),
        ("/device", GET, PERSON, Nothing, 200, &[]),
        ("/device", POST, PERSON, Nothing, 422, &[("user_code", "BCDF-GHJK")]),
        ("/tokens", GET, PERSON, Nothing, 200, &[]),
        ("/tokens", POST, PERSON, Nothing, 422, &[]),
        ("/fn/revoke_token", POST, PERSON, Nothing, 404, &[("token", "tok_00000000000000000000000000")]),
        ("/fn/end_device", POST, PERSON, Nothing, 404, &[("device", "h1$x$x")]),
        ("/fn/end_grant", POST, PERSON, Nothing, 404, &[("grant", "gra_0000000000000000000000")]),
        // Of a token that is not one's own: not there.
        ("/fn/revoke_personal_token", POST, PERSON, Nothing, 404, &[("token", "ptk_0000000000000000000000")]),
        ("/account", GET, PERSON, Nothing, 200, &[]),
        ("/account/tokens", GET, PERSON, Nothing, 200, &[]),
        ("/account/tokens", POST, PERSON, Nothing, 200, &[("name", "laptop")]),
        ("/account/mail", POST, PERSON, Nothing, 303, &[("mail", "sign_in")]),
        ("/account/name", POST, PERSON, Nothing, 303, &[("name", "Another")]),
        (
            "/account/password",
            POST,
            PERSON,
            Nothing,
            422,
            &[("current_password", "wrong"), ("new_password", "a new long password")],
        ),
        // Without a provider there is nothing to connect to.
        ("/account/openid", POST, PERSON, Nothing, 404, &[]),
        ("/account/openid/disconnect", POST, PERSON, Nothing, 404, &[]),
        ("/account/authenticator", GET, PERSON, Nothing, 200, &[]),
        ("/account/authenticator", POST, PERSON, Nothing, 200, &[]),
        ("/account/authenticator/confirm", POST, PERSON, Nothing, 422, &[("code", "no code")]),
        // Of what nobody here has: not there.
        ("/account/authenticator/remove", GET, PERSON, Nothing, 404, &[]),
        ("/account/authenticator/remove", POST, PERSON, Nothing, 404, &[]),
        ("/account/recovery-codes", GET, PERSON, Nothing, 404, &[]),
        ("/account/recovery-codes", POST, PERSON, Nothing, 404, &[]),
        ("/account/passkeys/challenge?for=add", GET, PERSON, Nothing, 200, &[]),
        ("/account/passkeys/new", GET, PERSON, Nothing, 200, &[]),
        ("/account/passkeys/new", POST, PERSON, Nothing, 422, &[("name", "blue key")]),
        ("/account/passkeys/{id}/remove", GET, PERSON, Nothing, 404, &[]),
        ("/account/passkeys/{id}/remove", POST, PERSON, Nothing, 404, &[]),
        ("/fn/overview", GET, PERSON, Nothing, 200, &[]),
        ("/fn/credentials?query[q]=", GET, PERSON, Nothing, 200, &[]),
        ("/fn/activity?query[actor]=", GET, PERSON, Nothing, 200, &[]),
        ("/fn/first_exchange?client_id={client_id}", GET, Viewer, Team, 200, &[]),
        ("/fn/enable_credential", POST, Member, Team, 303, &[("client_id", "{client_id}")]),
        ("/fn/disable_credential", POST, Member, Team, 303, &[("client_id", "{client_id}")]),
        ("/fn/revoke_credentials", POST, Member, Team, 303, &[("client_ids", "{client_id}"), ("reason", "")]),
        ("/fn/remove_secret", POST, Member, Team, 303, &[("client_id", "{client_id}"), ("id", "{secret_id}")]),
        ("/fn/remove_key", POST, Manager, Team, 303, &[("client_id", "{key_client_id}"), ("id", "{key_id}")]),
        (
            "/fn/remove_identity",
            POST,
            Manager,
            Team,
            303,
            &[("client_id", "{identity_client_id}"), ("id", "{identity_id}")],
        ),
        ("/fn/withdraw_invitation", POST, Manager, Team, 303, &[("id", "{invitation_id}")]),
        ("/fn/remove_member", POST, Manager, Team, 303, &[("team", "{team_id}"), ("person", "{person_id}")]),
        ("/fn/remove_team", POST, Administrator, Nothing, 303, &[("team", "{empty_team_id}")]),
        (
            "/fn/end_sessions_of",
            POST,
            Administrator,
            Nothing,
            303,
            &[("person", "{person_id}"), ("session", "ses_0000000000000000000000")],
        ),
        ("/fn/withdraw_password_link", POST, Administrator, Nothing, 303, &[("person", "{person_id}")]),
        ("/fn/undo_emergency_stop", POST, Administrator, Nothing, 303, &[("stopped_at", "{stopped_at}")]),
        // Of a session that is not one's own: not there, whoever asks.
        ("/fn/end_session", POST, PERSON, Nothing, 404, &[("session", "ses_0000000000000000000000")]),
    ]
}

/// The team, the other team, and somebody to act upon.
pub(crate) struct Stage<'app> {
    pub app: &'app App,
    pub team: TeamId,
    pub other: TeamId,
    pub target: PersonId,
    /// A member who asks for credentials.
    asker: OnceCell<Browser<'app>>,
}

impl<'app> Stage<'app> {
    /// These two teams, and this person of the first one.
    pub(crate) fn with(app: &'app App, team: TeamId, other: TeamId, target: PersonId) -> Self {
        Self { app, team, other, target, asker: OnceCell::new() }
    }

    /// Two new teams, and a viewer of the first one.
    pub(crate) async fn of(app: &'app App) -> Self {
        let (team, other) = (new_team(app, "Payments").await, new_team(app, "Search").await);
        let role = InvitedRole::Team(team.clone(), Role::Viewer);
        let target = joined(app, "target@example.com", role).await.id;
        Self::with(app, team, other, target)
    }

    /// Fresh things for one request: what an earlier one ended must not decide the next.
    pub(crate) async fn things(&self, row: &Row, round: usize) -> BTreeMap<&'static str, String> {
        let (app, context, team) = (self.app, &self.app.instance.context, &self.team);
        let secret = generated_for(app, team, "secret", DraftProof::Secret).await.credential.client_id;
        let secret_id = inspect::secrets(context, &secret).await.expect("reads").remove(0).id;
        let draft = KeysDraft { text: KEY.to_owned(), ..KeysDraft::default() };
        let key = generated_for(app, team, "key", DraftProof::Keys(draft)).await.credential.client_id;
        let key_id = keys::list(context, &key).await.expect("reads").remove(0).id;
        let draft = FederatedDraft {
            issuer: "https://ci.example".to_owned(),
            subject: "job:one".to_owned(),
            ..FederatedDraft::default()
        };
        let identity = generated_for(app, team, "identity", DraftProof::Federated(draft)).await.credential.client_id;
        let identity_id = federated::list(context, &identity).await.expect("reads").remove(0).id;
        let grant = InvitedRole::Team(team.clone(), Role::Viewer);
        let invited = invitation::invite(context, &operator(), "guest@example.com", grant).await.expect("invites");
        let role = Some(Role::Viewer);
        team::set_role(context, &operator(), team, &self.target, role).await.expect("is put back");
        let is_asked = |thing: &str| row.5.iter().any(|(_, value)| *value == thing);
        let empty = match is_asked("{empty_team_id}") {
            true => new_team(app, &format!("Empty {round}")).await,
            false => TeamId::first(),
        };
        let mut stopped_at = 0;
        if is_asked("{stopped_at}") {
            let stopped = new_team(app, &format!("Stopped {round}")).await;
            generated_for(app, &stopped, "stopped", DraftProof::Secret).await;
            let selection = Selection { team: Some(stopped), ..Selection::default() };
            let order = StopRequest { selection: &selection, means: Means::Disable, reason: "drill", incident: None };
            let stop = emergency_stop::stop(context, &operator(), &order, emergency_stop::BATCH_SIZE, |_| {}).await;
            stopped_at = stop.expect("stops").1.millis();
        }
        let mut number = 0;
        if row.0.contains("{number}") {
            let leaked = generated_for(app, team, "leaked", DraftProof::Secret).await.secret.expect("a secret");
            let report = leak::report(context, &Actor::system(), leaked.expose(), None, Policy::Revoke).await;
            number = report.expect("reports").incident.expect("an incident");
        }
        let request = if row.0.contains("{request_id}") { self.asked().await } else { String::new() };
        let servers = domain::server::list(context).await.expect("reads");
        let behind = match is_asked("all") {
            true => behind(context, &format!("Ready {round}")).await,
            false => match gateway::list(context).await.expect("reads").into_iter().next() {
                Some((id, _)) => id,
                None => behind(context, "Docs").await,
            },
        };
        for webhook in webhook::list(context).await.expect("reads") {
            webhook::remove(context, &operator(), &webhook.id).await.expect("removes");
        }
        let draft = WebhookDraft {
            name: "hook".to_owned(),
            url: "https://alerts.example/".to_owned(),
            events: EventKind::ALL.to_vec(),
            ..WebhookDraft::default()
        };
        let webhook = webhook::add(context, &operator(), &draft, None).await.expect("adds").0.id;
        let delivery = webhook::sender::test(context, &operator(), &webhook).await.expect("is attempted");
        let draft = ClientDraft {
            name: "CLI".to_owned(),
            redirect_uris: vec!["http://localhost/callback".to_owned()],
            confidential: true,
            device_grant: false,
            ..ClientDraft::default()
        };
        let client = client::create(context, &operator(), &draft, None).await.expect("made").0.id;
        BTreeMap::from([
            ("{interactive_id}", client.to_string()),
            ("{webhook_id}", webhook.to_string()),
            ("{delivery_id}", delivery.to_string()),
            ("{client_id}", secret.to_string()),
            ("{secret_id}", secret_id.to_string()),
            ("{key_client_id}", key.to_string()),
            ("{key_id}", key_id.to_string()),
            ("{identity_client_id}", identity.to_string()),
            ("{identity_id}", identity_id.to_string()),
            ("{invitation_id}", invited.0.id.to_string()),
            ("{team_id}", team.to_string()),
            ("{other_team_id}", self.other.to_string()),
            ("{empty_team_id}", empty.to_string()),
            ("{person_id}", self.target.to_string()),
            ("{stopped_at}", stopped_at.to_string()),
            ("{id}", servers[0].id.to_string()),
            ("{slug}", "guide".to_owned()),
            ("{gateway_id}", behind.to_string()),
            ("{number}", number.to_string()),
            ("{request_id}", request),
            ("{policy}", "expiry".to_owned()),
        ])
    }

    /// The identifier of a request for a credential of the team.
    async fn asked(&self) -> String {
        let (app, context) = (self.app, &self.app.instance.context);
        let asker = async || {
            let role = InvitedRole::Team(self.team.clone(), Role::Member);
            signed_in_as(app, &joined(app, "asker@example.com", role).await).await
        };
        let asker = self.asker.get_or_init(asker).await;
        set_policy(context, PolicyName::Generation, PolicyMode::Enforce).await;
        let fields = [("name", "job"), ("server", "http://localhost:8080/mcp")];
        let asked = asker.submit("/credentials/new", "/credentials/new", &fields).await;
        set_policy(context, PolicyName::Generation, PolicyMode::Off).await;
        between(asked.header("location"), "/requests/", "?").to_owned()
    }

    pub(crate) async fn newest_entry(&self) -> i64 {
        let everything = Filter::default();
        let entries = audit::list(&self.app.instance.context, &Authority::Everything, &everything, 1).await;
        entries.expect("reads").first().map_or(0, |entry| entry.seq)
    }
}

pub(crate) fn filled(template: &str, things: &BTreeMap<&'static str, String>) -> String {
    things.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// A server behind the gateway.
async fn behind(context: &Context, name: &str) -> McpServerId {
    let scopes = vec![ScopeDescription::parse("docs:read")];
    let draft = ServerDraft { name: name.to_owned(), scopes, ..ServerDraft::default() };
    let behind = GatewayDraft { upstream: "https://docs.example/mcp".to_owned(), ..GatewayDraft::default() };
    gateway::add(context, &operator(), &draft, &behind).await.expect("added").id
}

async fn request(browser: &Browser<'_>, row: &Row, things: &BTreeMap<&'static str, String>, token: &str) -> Answer {
    let (path, method, _, _, _, fields) = row;
    let path = filled(path, things);
    if *method == Method::GET {
        return browser.get(&path).await;
    }
    let fields: Vec<(&str, String)> = fields.iter().map(|(name, value)| (*name, filled(value, things))).collect();
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fields.push(("form_token", token));
    browser.post(&path, &fields).await
}

/// The path of the table that a row is about.
fn path_of(row: &Row) -> String {
    let path = row.0.split('?').next().unwrap_or_default();
    let path = path.replace("{key_client_id}", "{client_id}").replace("{identity_client_id}", "{client_id}");
    path.replace("{webhook_id}", "{id}").replace("{interactive_id}", "{id}").replace("{gateway_id}", "{id}")
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let (team, other) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let grant = |role| InvitedRole::Team(team.clone(), role);
    let target = joined(&app, "target@example.com", grant(Role::Viewer)).await.id;
    let viewer = signed_in_as(&app, &joined(&app, "viewer@example.com", grant(Role::Viewer)).await).await;
    let member = signed_in_as(&app, &joined(&app, "member@example.com", grant(Role::Member)).await).await;
    let manager = signed_in_as(&app, &joined(&app, "manager@example.com", grant(Role::Manager)).await).await;
    let elsewhere = InvitedRole::Team(other.clone(), Role::Member);
    let outsider = signed_in_as(&app, &joined(&app, "outsider@example.com", elsewhere).await).await;
    let nobody = app.browser();
    let stage = Stage::with(&app, team, other, target);

    let rows = rows();
    let mut round = 0;
    for row in &rows {
        let (path, method, needs, about, ok, _) = row;
        let what = format!("{method} {path}");
        for (name, browser, holds) in [
            ("nobody", &nobody, None),
            ("outsider", &outsider, if *about == Team { None } else { Some(Member) }),
            ("viewer", &viewer, Some(Viewer)),
            ("member", &member, Some(Member)),
            ("manager", &manager, Some(Manager)),
            ("administrator", &administrator, Some(Administrator)),
        ] {
            round += 1;
            let things = stage.things(row, round).await;
            let page = if name == "nobody" { "/login" } else { "/account" };
            let token = form_token(&browser.get(page).await.body);
            let before = stage.newest_entry().await;
            let answer = request(browser, row, &things, &token).await;
            let status = answer.status.as_u16();
            if name == "nobody" {
                assert_eq!((status, answer.header("location").starts_with("/login")), (303, true), "{what}, {name}");
            } else if holds.is_some_and(|holds| holds >= *needs) {
                assert_eq!(status, *ok, "{what}, {name}: {}", answer.body);
                assert!(!answer.header("location").starts_with("/login"), "{what}, {name}");
                continue;
            } else if name == "outsider" && *about == Team {
                // What one may not see is not there: the answer is the one about a thing that never was.
                // MCP servers are no things of a team.
                let known = |name: &str| name == "{id}" && *path == "/credentials/new";
                let made_up = things
                    .iter()
                    .map(|(name, value)| (*name, if known(name) { value.clone() } else { unknown(value) }))
                    .collect();
                let never = request(browser, row, &made_up, &token).await.status.as_u16();
                assert_eq!(status, never, "{what}, {name}");
                assert!(status == 404 || (status == 403 && *needs == Manager), "{what}, {name}: {status}");
            } else {
                let expected = if *needs == Administrator { 404 } else { 403 };
                assert_eq!(status, expected, "{what}, {name}");
            }
            assert_eq!(stage.newest_entry().await, before, "{what}, {name}: nothing was changed");
        }
    }

    // No route is missing above, and no method.
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let guarded = |access| matches!(access, Access::Dashboard(permission) if permission != Permission::Anybody);
    let known: BTreeSet<String> = rows.iter().map(path_of).collect();
    let things = stage.things(&rows[0], round + 1).await;
    for route in table(&state).iter().filter(|route| guarded(route.access)) {
        assert!(known.contains(route.path), "{} has no row", route.path);
        for method in [Method::GET, Method::POST] {
            if !rows.iter().any(|row| path_of(row) == route.path && row.1 == method) {
                let row: Row = ("", method.clone(), PERSON, Nothing, 405, &[]);
                let path: &'static str = route.path;
                let answer = request(&administrator, &(path, row.1, row.2, row.3, row.4, row.5), &things, "").await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path} has no row");
            }
        }
    }
    let there: BTreeSet<String> = table(&state).iter().map(|route| route.path.to_owned()).collect();
    assert!(known.is_subset(&there), "rows of routes that are gone: {:?}", known.difference(&there));
}

/// The routes whose forms always ask again who the person is, written down again and not read from the table.
const ASK_AGAIN: [&str; 41] = [
    "/account/authenticator",
    "/account/authenticator/remove",
    "/account/openid",
    "/account/openid/disconnect",
    "/account/passkeys/{id}/remove",
    "/account/recovery-codes",
    "/account/tokens",
    "/activity/export",
    "/apps/clients/new",
    "/apps/clients/{id}/edit",
    "/apps/clients/{id}/enable",
    "/apps/clients/{id}/secret",
    "/credentials/export",
    "/credentials/new",
    "/credentials/renew",
    "/credentials/{client_id}/edit",
    "/credentials/{client_id}/enable",
    "/credentials/{client_id}/identities/new",
    "/credentials/{client_id}/keys/new",
    "/credentials/{client_id}/rotate",
    "/credentials/{client_id}/secrets/new",
    "/fn/enable_credential",
    "/fn/undo_emergency_stop",
    "/leaks/renew",
    "/people/invite",
    "/people/{person_id}/password-link",
    "/people/{person_id}/teams",
    "/requests/{request_id}/decide",
    "/requests/{request_id}/generate",
    "/servers/new",
    "/servers/{id}/gateway",
    "/servers/{id}/tools/accept",
    "/servers/{id}/tools/scope",
    "/servers/{id}/unarchive",
    "/settings/keys",
    "/settings/policies/{policy}",
    "/settings/webhooks/new",
    "/settings/webhooks/{id}/secret",
    "/teams/new",
    "/teams/{team_id}/invite",
    "/teams/{team_id}/members/{person_id}",
];
/// Those that ask for some of what can be sent.
const ASK_SOMETIMES: [&str; 8] = [
    "/account/passkeys/new",
    "/credentials/several",
    "/credentials/{client_id}/rotation",
    "/people/{person_id}/change",
    "/servers/{id}/access",
    "/servers/{id}/edit",
    "/servers/{id}/tools",
    "/settings/webhooks/{id}/edit",
];

#[tokio::test]
async fn forms_that_widen_rights_ask_again_and_forms_that_narrow_them_do_not() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let with = |asks: Asks| {
        let paths: BTreeSet<_> =
            table(&state).into_iter().filter(|route| route.asks == asks).map(|route| route.path).collect();
        paths.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(with(Asks::Again), ASK_AGAIN);
    assert_eq!(with(Asks::Sometimes), ASK_SOMETIMES);

    let stage = Stage::of(&app).await;
    app.instance.clock.advance(PROOF_LIFETIME);
    for (round, row) in rows().iter().filter(|row| row.1 == Method::POST).enumerate() {
        let path = path_of(row);
        // Of what nobody here has, there is nothing to ask for.
        let is_there = row.4 != 404 || !ASK_AGAIN.contains(&path.as_str());
        if ASK_SOMETIMES.contains(&path.as_str()) || !is_there {
            continue;
        }
        let things = stage.things(row, round).await;
        let token = form_token(&administrator.get("/teams").await.body);
        let before = stage.newest_entry().await;
        let answer = request(&administrator, row, &things, &token).await;
        if ASK_AGAIN.contains(&path.as_str()) {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.body);
            assert!(answer.body.contains("name=\"your_password\""), "{path}: {}", answer.body);
            assert_eq!(stage.newest_entry().await, before, "{path}: nothing was changed");
        } else {
            assert!(!answer.body.contains("Confirm it is you"), "{path}: {}", answer.body);
            // No app waits for its first code here, because adding one asked again.
            let ok = if path == "/account/authenticator/confirm" { 409 } else { row.4 };
            assert_eq!(answer.status.as_u16(), ok, "{path}: {}", answer.body);
        }
    }

    // With the password the server function goes on, and the page that asked has the fields of the form.
    let row: Row = ("/fn/enable_credential", Method::POST, Member, Team, 303, &[("client_id", "{client_id}")]);
    let things = stage.things(&row, 1000).await;
    let token = form_token(&administrator.get("/teams").await.body);
    let asked = request(&administrator, &row, &things, &token).await;
    let form = between(&asked.body, "action=\"/fn/enable_credential\"", "</form>");
    let client_id = things["{client_id}"].as_str();
    assert!(form.contains(&format!("name=\"client_id\" value=\"{client_id}\"")), "{form}");
    let token = form_token(form);
    let fields = [("form_token", token.as_str()), ("client_id", client_id), ("your_password", PASSWORD)];
    assert_eq!(administrator.post("/fn/enable_credential", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_of_an_earlier_session_is_shown_again_and_changes_nothing() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let stage = Stage::of(&app).await;
    let old = form_token(&administrator.get("/teams").await.body);
    let administrator = app.browser();
    administrator.sign_in(PASSWORD).await;
    for (round, row) in rows().iter().filter(|row| row.1 == Method::POST).enumerate() {
        let things = stage.things(row, round).await;
        let before = stage.newest_entry().await;
        let answer = request(&administrator, row, &things, &old).await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER, "{}", row.0);
        assert_eq!(stage.newest_entry().await, before, "{}: nothing was changed", row.0);
    }
    let fields = [("form_token", old.as_str()), ("name", "job 17"), ("description", "typed <once>")];
    let again = administrator.post("/credentials/new", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("value=\"job 17\"") && again.body.contains("typed &lt;once&gt;"), "{}", again.body);
    let token = form_token(&again.body);
    let server = domain::server::list(&app.instance.context).await.expect("reads").remove(0).id;
    let fields = [
        ("form_token", token.as_str()),
        ("name", "job 17"),
        ("team", stage.team.as_str()),
        ("server", server.as_str()),
    ];
    assert_eq!(administrator.post("/credentials/new", &fields).await.status, StatusCode::OK);
    // A page of another origin gets nothing of it.
    let fields = [("form_token", old.as_str()), ("name", "job 17")];
    let cross = administrator.post_with("/credentials/new", &fields, &[("sec-fetch-site", "cross-site")]).await;
    assert!(cross.status == StatusCode::FORBIDDEN && !cross.body.contains("job 17"), "{}", cross.body);
}

/// An identifier of the same form that names nothing.
fn unknown(id: &str) -> String {
    match id.split_once('_') {
        Some((prefix, rest)) if rest.len() == 22 => format!("{prefix}_{}", "1".repeat(22)),
        _ => "1".to_owned(),
    }
}

#[tokio::test]
async fn a_team_sees_its_own_and_nothing_of_others() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (ours, theirs) = (new_team(&app, "Ours").await, new_team(&app, "Theirs").await);
    let person = joined(&app, "grace@example.com", InvitedRole::Team(ours.clone(), Role::Member)).await;
    let own = generated_for(&app, &ours, "our job", DraftProof::Secret).await;
    let foreign = generated_for(&app, &theirs, "their job", DraftProof::Secret).await;
    for generated in [&own, &foreign] {
        let answer = app.token(&[("authorization", &basic(generated))], "grant_type=client_credentials").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let browser = signed_in_as(&app, &person).await;
    for page in [
        "/credentials",
        "/credentials?q=job",
        "/",
        "/activity",
        "/activity?target=job",
        "/search?q=their",
        "/teams",
        "/fn/credentials?query[q]=",
        "/fn/activity?query[actor]=",
    ] {
        let body = browser.get(page).await.body;
        assert!(!body.contains("their job") && !body.contains("Theirs"), "{page}");
    }
    assert!(browser.get("/credentials").await.body.contains("our job"));
    assert!(browser.get("/activity").await.body.contains("our job"));
    assert!(browser.get("/fn/overview").await.json()["all"] == 1);
    assert!(browser.get(&format!("/credentials?team={theirs}")).await.body.contains("No credential matches"));
    // The chart counts our exchange alone.
    assert!(browser.get("/").await.body.contains(">1 exchange<"));

    // A leak of theirs is counted, not shown; a client ID of theirs is nothing.
    let secret = foreign.secret.as_ref().expect("a secret").expose();
    let found = browser.submit("/leaks", "/leaks", &[("text", secret), ("days", "7")]).await.body;
    assert!(found.contains("1 more secret or token belongs to teams") && !found.contains("their job"));
    let id = foreign.credential.client_id.as_str();
    let found = browser.submit("/leaks", "/leaks", &[("text", id), ("days", "7")]).await.body;
    assert!(found.contains("No Countersign secret, token or client ID found."));

    // Ticked together with one of ours, only ours is revoked.
    let ids = format!("{} {id}", own.credential.client_id);
    let fields = [("client_ids", ids.as_str()), ("reason", "")];
    assert_eq!(browser.submit("/credentials", "/fn/revoke_credentials", &fields).await.status, StatusCode::SEE_OTHER);
    for (client_id, is_revoked) in [(&own.credential.client_id, true), (&foreign.credential.client_id, false)] {
        let found = inspect::find(context, &Authority::Everything, client_id).await.expect("reads").expect("exists");
        assert_eq!(found.revoked_at.is_some(), is_revoked);
    }

    // The export holds what the page shows.
    let export = browser.submit("/activity/export", "/activity/export", &[("format", "jsonl")]).await.body;
    assert!(export.contains("our job") && !export.contains("their job"));
}

#[tokio::test]
async fn privileged_scopes_are_granted_by_administrators_and_reach_one_team() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (ours, theirs) = (new_team(&app, "Ours").await, new_team(&app, "Theirs").await);
    let person = joined(&app, "grace@example.com", InvitedRole::Team(ours.clone(), Role::Manager)).await;
    let browser = signed_in_as(&app, &person).await;
    assert!(!browser.get("/credentials/new").await.body.contains("credentials:write"));
    let fields = [("name", "robot"), ("scope", "credentials:write")];
    let refused = browser.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("Only an administrator grants credentials:write."));

    let scopes = ["mcp:read", "credentials:read", "credentials:write"].map(str::to_owned).to_vec();
    let draft = Draft { team: Some(ours.clone()), name: "robot".to_owned(), scopes, ..Draft::default() };
    let robot = generate(context, &operator(), &draft, None).await.expect("generates");
    let foreign = generated_for(&app, &theirs, "their job", DraftProof::Secret).await.credential.client_id;
    let answer = app.token(&[("authorization", &basic(&robot))], "grant_type=client_credentials").await;
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let actor = verify(context, &token, &context.settings.built_in_resource(), None).await.expect("accepted").actor();
    let authority = domain::person::authority::of(context, &actor).await.expect("reads");
    let listed = list::list(context, &authority, &Query::default(), 10).await.expect("lists");
    assert_eq!(listed.credentials.len(), 1);
    let revoked = domain::credential::revoke::revoke(context, &actor, &foreign, "").await;
    assert!(matches!(revoked, Err(domain::credential::CredentialError::NotFound)));

    // A manager may leave in place what an administrator granted, and not add to it.
    let edit = format!("/credentials/{}/edit", robot.credential.client_id);
    let kept = [("name", "robot"), ("scope", "mcp:read"), ("scope", "credentials:read")];
    assert_eq!(browser.submit(&edit, &edit, &kept).await.status, StatusCode::SEE_OTHER);
    let more = [("name", "robot"), ("scope", "credentials:read"), ("scope", "credentials:write")];
    assert_eq!(browser.submit(&edit, &edit, &more).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Nor move it to a team that is not theirs.
    let away = [("name", "robot"), ("scope", "mcp:read"), ("team", theirs.as_str())];
    assert_eq!(browser.submit(&edit, &edit, &away).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_invitation_works_once_for_whom_it_is_for() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let invite = format!("/teams/{team}/invite");
    let fields = [("email", " Grace@Example.com"), ("role", "member")];
    let shown = administrator.submit(&invite, &invite, &fields).await;
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
    assert_eq!(shown.header("referrer-policy"), "no-referrer");
    let link = between(&shown.body, "http://localhost:8080", "\"").to_owned();
    let token = link.split_once("token=").expect("a token").1.to_owned();
    let page = administrator.get(&format!("/teams/{team}")).await.body;
    assert!(page.contains("grace@example.com") && !page.contains(&token), "shown once");

    // Not for the administrator, who is somebody else.
    assert_eq!(administrator.get(&link).await.status, StatusCode::FORBIDDEN);
    let accepted = administrator.submit("/account", "/invitation", &[("token", &token)]).await;
    assert_eq!(accepted.status, StatusCode::FORBIDDEN);

    let grace = app.browser();
    let opened = grace.get(&link).await;
    assert!(opened.body.contains("team Payments, as a member"), "{}", opened.body);
    assert_eq!(opened.header("referrer-policy"), "no-referrer");
    let form = [("token", token.as_str()), ("name", "Grace"), ("password", "short")];
    assert_eq!(grace.submit(&link, "/invitation", &form).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = [("token", token.as_str()), ("name", "Grace"), ("password", PASSWORD)];
    let late = app.browser();
    let late_token = form_token(&late.get(&link).await.body);
    assert_eq!(grace.submit(&link, "/invitation", &form).await.header("location"), "/");
    assert_eq!(grace.get("/credentials/new").await.status, StatusCode::OK, "signed in, with the role");
    let again = late.post("/invitation", &[&form[..], &[("form_token", &late_token)]].concat()).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert_eq!(app.browser().get(&link).await.status, StatusCode::GONE);

    // A second invitation gives the account a role elsewhere, once its owner has signed in.
    let context = &app.instance.context;
    let search = new_team(&app, "Search").await;
    let grant = InvitedRole::Team(search.clone(), Role::Manager);
    let (_, token) = invitation::invite(context, &operator(), "grace@example.com", grant).await.expect("invites");
    let (link, token) = (format!("/invitation?token={token}"), token.as_str());
    assert!(app.browser().get(&link).await.body.contains("Sign in first"));
    let form = [("token", token), ("name", "Mallory"), ("password", PASSWORD)];
    let taken_over = app.browser().submit("/login", "/invitation", &form).await;
    assert!(taken_over.body.contains("Sign in first"), "an account is not taken over by a link");
    assert!(grace.get(&link).await.body.contains("Accept invitation"));
    let joined = grace.submit(&link, "/invitation", &[("token", token)]).await;
    assert_eq!(joined.header("location"), format!("/teams/{search}?done=joined"));
    assert_eq!(grace.get(&format!("/teams/{search}/invite")).await.status, StatusCode::OK);

    // An old link is no link, and neither is one that was withdrawn or replaced.
    let grant = InvitedRole::Team(search.clone(), Role::Viewer);
    let invite = async || invitation::invite(context, &operator(), "late@example.com", grant.clone()).await;
    let (_, first) = invite().await.expect("invites");
    let (second_invitation, second) = invite().await.expect("invites");
    assert!(invitation::open(context, &first).await.expect("reads").is_none(), "replaced");
    invitation::withdraw(context, &operator(), &second_invitation.id).await.expect("withdraws");
    assert!(invitation::open(context, &second).await.expect("reads").is_none(), "withdrawn");
    let (_, third) = invite().await.expect("invites");
    app.instance.clock.advance(invitation::LINK_LIFETIME + Duration::from_millis(1));
    assert!(invitation::open(context, &third).await.expect("reads").is_none(), "too old");
}

#[tokio::test]
async fn a_person_with_an_account_is_in_the_team_at_once_and_other_accounts_stay_unknown() {
    let app = App::new().await;
    app.signed_in().await;
    let context = &app.instance.context;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let role = |team: &TeamId| InvitedRole::Team(team.clone(), Role::Viewer);
    let grace = joined(&app, "grace@example.com", role(&search)).await;
    let dan = joined(&app, "dan@example.com", role(&search)).await;
    manage::disable(context, &operator(), &dan.id).await.expect("disabled");
    let manager = manager_of(&app, &payments).await;
    // A manager made this account: nobody has proven that the address belongs to its owner.
    let other = joined(&app, "other@example.com", InvitedRole::Team(search.clone(), Role::Manager)).await;
    let (other, invite) = (signed_in_as(&app, &other).await, format!("/teams/{search}/invite"));
    let fields = [("email", "claimed@example.com"), ("role", "viewer")];
    let shown = other.submit(&invite, &invite, &fields).await.body;
    let token = between(&shown, "/invitation?token=", "\"").to_owned();
    let password = Password::new(PASSWORD.to_owned());
    invitation::accept_as_new(context, &token, "Claimed", password, |actor| actor).await.expect("accepts");

    let (page, invite) = (format!("/teams/{payments}"), format!("/teams/{payments}/invite"));
    let add = async |email: &str| manager.submit(&invite, &invite, &[("email", email), ("role", "member")]).await;
    let (_, open) =
        invitation::invite(context, &operator(), "grace@example.com", role(&payments)).await.expect("invites");
    let added = add(" Grace@example.com").await;
    assert_eq!(added.header("location"), format!("{page}?done=added&person={}", grace.id));
    let receipt = manager.get(added.header("location")).await.body;
    assert!(receipt.contains("Added. grace is in the team, as Member."), "{receipt}");
    assert_eq!(signed_in_as(&app, &grace).await.get(&page).await.status, StatusCode::OK);
    assert!(invitation::open(context, &open).await.expect("reads").is_none(), "an invitation is needed no more");
    let again = add("grace@example.com").await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("grace is in the team already, as member."), "{}", again.body);

    // The answers differ by the address and the link alone.
    let mut answers = Vec::new();
    for email in ["dan@example.com", "claimed@example.com", "new@example.com"] {
        let answer = add(email).await;
        assert_eq!(answer.status, StatusCode::OK, "{email}");
        let token = between(&answer.body, "/invitation?token=", "\"");
        let form_token = form_token(&answer.body);
        let same = answer.body.replace(token, "TOKEN").replace(email, "EMAIL").replace(&form_token, "FORM");
        answers.push(between(&same, "<main", "</main>").to_owned());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let members = team::members(context, &payments).await.expect("reads");
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["grace", "manager"]);
    let viewer = joined(&app, "viewer@example.com", role(&payments)).await;
    let refused = signed_in_as(&app, &viewer).await.submit("/account", &invite, &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_page_of_a_team_shows_its_servers_and_what_a_person_leaves_behind() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (payments, search) = (new_team(&app, "Payments").await, new_team(&app, "Search").await);
    let server = |name: &str, access: ServerAccess| ServerDraft {
        name: name.to_owned(),
        resource: format!("https://{name}.example.com/mcp"),
        scopes: vec![ScopeDescription { name: "x:read".to_owned(), description: String::new(), implies: Vec::new() }],
        access,
        ..ServerDraft::default()
    };
    let only = |team: &TeamId| ServerAccess::Teams([team.clone()].into());
    for draft in [server("ours", only(&payments)), server("theirs", only(&search))] {
        add_server(context, &operator(), &draft).await.expect("added");
    }
    let grace = joined(&app, "grace@example.com", InvitedRole::Team(payments.clone(), Role::Manager)).await;
    let fields = [
        ("name", "night job"),
        ("team", payments.as_str()),
        ("server", "https://ours.example.com/mcp"),
        ("scope", "x:read https://ours.example.com/mcp"),
    ];
    let made = signed_in_as(&app, &grace).await.submit("/credentials/new", "/credentials/new", &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let manager = manager_of(&app, &payments).await;
    let page = format!("/teams/{payments}");
    let shown = manager.get(&format!("{page}?view=servers")).await.body;
    let servers = between(&shown, "id=\"servers", "</section>");
    assert!(servers.contains("ours.example.com") && !servers.contains("theirs.example.com"), "{servers}");
    assert!(servers.contains("This team only"), "{servers}");
    let list = between(servers, "href=\"/credentials?team=", "\"").replace("&amp;", "&");
    let listed = manager.get(&format!("/credentials?team={list}")).await.body;
    assert!(listed.contains("night job"), "{listed}");
    let member = format!("{page}/members/{}", grace.id);
    let fields = [("team", payments.as_str()), ("person", grace.id.as_str())];
    let removed = manager.submit(&member, "/fn/remove_member", &fields).await;
    let receipt = manager.get(removed.header("location")).await.body;
    assert!(receipt.contains("They still own night job: choose another owner"), "{receipt}");
}

#[tokio::test]
async fn disabling_a_person_ends_their_sessions_and_not_their_teams_credentials() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Manager)).await;
    let grace = signed_in_as(&app, &person).await;
    let made = grace.submit("/credentials/new", "/credentials/new", &[("name", "nightly")]).await.body;
    let secret = between(&made, "css_", "\"").to_owned();
    let invite = format!("/teams/{team}/invite");
    let link = grace.submit(&invite, &invite, &[("email", "friend@example.com"), ("role", "viewer")]).await.body;
    let link = between(&link, "http://localhost:8080", "\"").to_owned();

    let change = format!("/people/{}/change", person.id);
    let disabled = administrator.submit(&change, &change, &[("to", "disabled")]).await;
    assert_eq!(disabled.status, StatusCode::SEE_OTHER);
    assert_eq!(grace.get("/credentials").await.header("location"), "/login?next=%2Fcredentials");
    let body = format!("grant_type=client_credentials&client_secret=css_{secret}");
    assert_eq!(app.token(&[], body).await.status, StatusCode::OK, "the credential is the team's");
    assert_eq!(app.browser().get(&link).await.status, StatusCode::GONE, "their invitations are withdrawn");
    // Refused like a wrong password.
    let stranger = app.browser();
    let refused = stranger.sign_in_as("grace@example.com", PASSWORD).await;
    let wrong = stranger.sign_in_as("grace@example.com", "not the password").await;
    assert_eq!((refused.status, wrong.status), (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY));
    let without_token = |answer: &Answer| answer.body.replace(&form_token(&answer.body), "");
    assert_eq!(without_token(&refused), without_token(&wrong));

    // "Revoke everything this person made" is the emergency stop, limited to them.
    let page = administrator.get(&format!("/settings/stop?made_by={}&means=revoke", person.id)).await.body;
    assert!(page.contains("Revoke 1 credential?") && page.contains("<dt>Live tokens</dt><dd>1</dd>"), "{page}");
    let fields = [("made_by", person.id.as_str()), ("means", "revoke"), ("confirmation", "STOP"), ("reason", "left")];
    let stopped = administrator.submit("/settings/stop", "/settings/stop", &fields).await;
    assert_eq!(stopped.header("location"), "/emergency?done=revoked&count=1");
    let body = format!("grant_type=client_credentials&client_secret=css_{secret}");
    assert_eq!(app.token(&[], body).await.status, StatusCode::UNAUTHORIZED);

    administrator.submit(&change, &change, &[("to", "enabled")]).await;
    signed_in_as(&app, &person).await;
}

#[tokio::test]
async fn whoever_rotated_a_secret_has_made_it() {
    let app = App::new().await;
    let context = &app.instance.context;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Member)).await;
    let grace = signed_in_as(&app, &person).await;
    let rotated = generated_for(&app, &team, "rotated", DraftProof::Secret).await.credential.client_id;
    generated_for(&app, &team, "untouched", DraftProof::Secret).await;
    let made = async || {
        let selection = Selection { made_by: Some(person.id.clone()), ..Selection::default() };
        emergency_stop::preview(context, &selection, Means::Revoke).await.expect("counts").credentials
    };
    assert_eq!(made().await, 0);
    let rotate = format!("/credentials/{rotated}/rotate");
    assert_eq!(grace.submit(&rotate, &rotate, &[("overlap", "0")]).await.status, StatusCode::OK);
    assert_eq!(made().await, 1);
    app.instance.clock.advance(Duration::from_secs(1));
    // Rotated once more by somebody else: what they saw is worth nothing when the overlap is over.
    let overlap = domain::credential::rotate::Overlap::For(Duration::from_secs(60));
    domain::credential::rotate::secret(context, &operator(), &rotated, overlap, None, None).await.expect("rotates");
    assert_eq!(made().await, 1);
    app.instance.clock.advance(Duration::from_secs(61));
    assert_eq!(made().await, 0);
}

#[tokio::test]
async fn somebody_always_administers() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let second = joined(&app, "second@example.com", InvitedRole::Administrator).await;
    let people = domain::person::manage::list(&app.instance.context).await.expect("reads");
    let first = people.iter().find(|listed| listed.person.id != second.id).expect("the first").person.clone();
    let both = signed_in_as(&app, &second).await;
    let change = |id: &PersonId| format!("/people/{id}/change");
    let (one, two) = (change(&first.id), change(&second.id));
    // Both have the form before either sends it.
    let tokens = [administrator.get(&two).await, both.get(&one).await].map(|page| form_token(&page.body));
    let disable = tokens.each_ref().map(|token| [("form_token", token.as_str()), ("to", "disabled")]);
    let (left, right) = tokio::join!(administrator.post(&two, &disable[0]), both.post(&one, &disable[1]));
    let is_done = |answer: &&Answer| answer.header("location").ends_with("?done=disabled");
    let done = [left, right].iter().filter(is_done).count();
    assert_eq!(done, 1, "of two who shut each other out, one stays");
    let left: Vec<_> = domain::person::manage::list(&app.instance.context).await.expect("reads");
    let last = left.iter().find(|listed| listed.person.disabled_at.is_none()).expect("one stays").person.clone();
    let browser = signed_in_as(&app, &last).await;
    for to in ["disabled", "person"] {
        let own = change(&last.id);
        let answer = browser.submit(&own, &own, &[("to", to)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{to}");
        assert!(answer.body.contains("Nobody could administer"));
    }
}

#[tokio::test]
async fn people_are_changed_after_the_password_was_proved_again() {
    let app = App::new().await;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "grace@example.com", InvitedRole::Team(team.clone(), Role::Viewer)).await;
    app.instance.clock.advance(Duration::from_secs(6 * 60));
    let change = format!("/people/{}/change", person.id);
    let member = format!("/teams/{team}/members/{}", person.id);
    for (action, fields) in [
        ("/people/invite", vec![("email", "new@example.com"), ("team", team.as_str()), ("role", "viewer")]),
        (change.as_str(), vec![("to", "administrator")]),
        (member.as_str(), vec![("role", "manager")]),
    ] {
        let asked = administrator.submit(action, action, &fields).await;
        assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY, "{action}");
        assert!(asked.body.contains("Enter your password to go on."), "{action}");
    }
    // Shutting somebody out does not wait.
    let disabled = administrator.submit(&change, &change, &[("to", "disabled")]).await;
    assert_eq!(disabled.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_was_taken_away_does_not_come_back_by_an_older_link() {
    let app = App::new().await;
    let context = &app.instance.context;
    let administrator = app.signed_in().await;
    let team = new_team(&app, "Payments").await;
    let person = joined(&app, "mia@example.com", InvitedRole::Team(team.clone(), Role::Viewer)).await;
    let mia = signed_in_as(&app, &person).await;
    let invited = async |grant: InvitedRole| {
        let (_, token) = invitation::invite(context, &operator(), "mia@example.com", grant).await.expect("invites");
        token
    };
    let accepts = async |token: &str| mia.submit("/account", "/invitation", &[("token", token)]).await.status;
    let change = format!("/people/{}/change", person.id);

    let link = invited(InvitedRole::Administrator).await;
    administrator.submit(&change, &change, &[("to", "administrator")]).await;
    assert_eq!(mia.get("/people").await.status, StatusCode::OK);
    administrator.submit(&change, &change, &[("to", "person")]).await;
    assert_eq!(accepts(&link).await, StatusCode::GONE);
    assert_eq!(mia.get("/people").await.status, StatusCode::NOT_FOUND);

    let link = invited(InvitedRole::Team(team.clone(), Role::Manager)).await;
    let fields = [("team", team.as_str()), ("person", person.id.as_str())];
    administrator.submit("/account", "/fn/remove_member", &fields).await;
    assert_eq!(accepts(&link).await, StatusCode::GONE);
    assert_eq!(mia.get(&format!("/teams/{team}")).await.status, StatusCode::NOT_FOUND);

    let link = invited(InvitedRole::Team(team.clone(), Role::Manager)).await;
    administrator.submit(&change, &change, &[("to", "disabled")]).await;
    let again = invitation::invite(context, &operator(), "mia@example.com", InvitedRole::Administrator).await;
    assert!(matches!(again, Err(invitation::InvitationError::Invalid(_))), "nobody who is disabled is invited");
    // A manager learns nothing about the account, and the link gives nothing.
    let page = format!("/teams/{team}/invite");
    let fields = [("email", "mia@example.com"), ("role", "viewer")];
    let told = manager_of(&app, &team).await.submit(&page, &page, &fields).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    administrator.submit(&change, &change, &[("to", "enabled")]).await;
    assert!(invitation::open(context, &link).await.expect("reads").is_none());
}

#[tokio::test]
async fn moving_a_credential_moves_no_privilege_and_leaves_its_history() {
    let app = App::new().await;
    let context = &app.instance.context;
    let (alpha, beta) = (new_team(&app, "Alpha").await, new_team(&app, "Beta").await);
    let mia = joined(&app, "mia@example.com", InvitedRole::Team(alpha.clone(), Role::Manager)).await;
    team::set_role(context, &operator(), &beta, &mia.id, Some(Role::Manager)).await.expect("a second team");
    let stays = joined(&app, "stays@example.com", InvitedRole::Team(alpha.clone(), Role::Viewer)).await;
    let there = joined(&app, "there@example.com", InvitedRole::Team(beta.clone(), Role::Viewer)).await;
    let (mia, stays, there) =
        (signed_in_as(&app, &mia).await, signed_in_as(&app, &stays).await, signed_in_as(&app, &there).await);

    let scopes = ["mcp:read", "credentials:write"].map(str::to_owned).to_vec();
    let draft = Draft { team: Some(alpha.clone()), name: "robot".to_owned(), scopes, ..Draft::default() };
    let robot = generate(context, &operator(), &draft, None).await.expect("generates").credential.client_id;
    let edit = format!("/credentials/{robot}/edit");
    let fields = [("name", "robot"), ("scope", "credentials:write"), ("team", beta.as_str())];
    assert_eq!(mia.submit(&edit, &edit, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let job = generated_for(&app, &alpha, "moving job", DraftProof::Secret).await.credential.client_id;
    let edit = format!("/credentials/{job}/edit");
    let fields = [("name", "moving job"), ("scope", "mcp:read"), ("team", beta.as_str())];
    assert_eq!(mia.submit(&edit, &edit, &fields).await.status, StatusCode::SEE_OTHER);
    let page = format!("/credentials/{job}");
    assert_eq!(stays.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(there.get(&page).await.status, StatusCode::OK);
    let sees = async |browser: &Browser<'_>, action: &str| {
        let path = format!("/activity?target=moving+job&action=credential.{action}");
        browser.get(&path).await.body.contains(">moving job<")
    };
    assert!(sees(&stays, "generated").await && sees(&stays, "edited").await);
    assert!(!sees(&there, "generated").await && sees(&there, "edited").await);
}

#[tokio::test]
async fn a_team_keeps_no_other_from_a_subject_and_both_see_that_programs_must_send_a_client_id() {
    let app = App::new().await;
    let (alpha, beta) = (new_team(&app, "Alpha").await, new_team(&app, "Beta").await);
    let mia = joined(&app, "mia@example.com", InvitedRole::Team(beta.clone(), Role::Member)).await;
    let mia = signed_in_as(&app, &mia).await;
    let identity = || FederatedDraft {
        issuer: "https://ci.example".to_owned(),
        subject: "job:deploy".to_owned(),
        ..FederatedDraft::default()
    };
    let first = generated_for(&app, &alpha, "deploy", DraftProof::Federated(identity())).await;
    let fields =
        [("name", "mine"), ("method", "federated"), ("issuer", "https://ci.example"), ("subject", "job:deploy")];
    app.instance.clock.advance(Duration::from_millis(1));
    let answer = mia.submit("/credentials/new", "/credentials/new", &fields).await;
    assert!(!answer.status.is_client_error(), "{}", answer.body);
    let context = &app.instance.context;
    let later = generated_for(&app, &beta, "deploy too", DraftProof::Federated(identity())).await;
    for generated in [first, later] {
        let identities = federated::list(context, &generated.credential.client_id).await.expect("reads");
        let shared = federated::is_shared(context, &identities).await.expect("reads");
        assert!(shared, "{}", generated.credential.name);
    }
}

#[tokio::test]
async fn a_restore_tells_which_roles_were_taken_since_and_lets_no_invitation_in() {
    let app = App::new().await;
    let context = &app.instance.context;
    app.signed_in().await;
    let team = new_team(&app, "Docs").await;
    let grace = joined(&app, "grace@example.com", InvitedRole::Administrator).await;
    let margaret = joined(&app, "margaret@example.com", InvitedRole::Team(team.clone(), Role::Manager)).await;
    let (_, link) = invitation::invite(context, &operator(), "mallory@example.com", InvitedRole::Administrator)
        .await
        .expect("invites");
    let (backup, compared) = backed_up(&app).await;
    assert!(compared(&backup).await.is_empty());
    manage::set_administrator(context, &operator(), &grace.id, false).await.expect("taken");
    team::set_role(context, &operator(), &team, &margaret.id, Some(Role::Viewer)).await.expect("lowered");
    let difference = compared(&backup).await;
    let told: Vec<_> = difference.ended.iter().map(|one| (one.name.as_str(), one.how)).collect();
    let expected = [("grace", How::AdministrationTaken), ("margaret in Docs", How::RoleTaken(Some(Role::Viewer)))];
    assert_eq!(told, expected);

    let restored = domain::context::Context { store: backup.clone(), ..context.clone() };
    restore::finish(&restored, &operator(), &difference, true).await.expect("restores");
    assert!(invitation::open(&restored, &link).await.expect("reads").is_none());
    let authority = async |person: &Person| {
        let session = ActorProof::Session(SessionId::generate(restored.random.as_ref()));
        let actor = Actor::person(person.id.clone(), &person.name, session);
        domain::person::authority::of(&restored, &actor).await.expect("reads")
    };
    assert!(!authority(&grace).await.is_administrator());
    assert!(authority(&margaret).await.require(&team, Role::Viewer).is_ok());
    assert!(authority(&margaret).await.require(&team, Role::Member).is_err());
    team::set_role(&restored, &operator(), &team, &margaret.id, Some(Role::Manager)).await.expect("given again");
    team::set_role(context, &operator(), &team, &margaret.id, None).await.expect("taken");
    let difference = compared(&backup).await;
    assert_eq!(difference.ended.iter().map(|one| one.how).collect::<Vec<_>>(), [How::RoleTaken(None)]);
    restore::finish(&restored, &operator(), &difference, true).await.expect("restores");
    assert!(authority(&margaret).await.require(&team, Role::Viewer).is_err());
    backup.close().await;
}
