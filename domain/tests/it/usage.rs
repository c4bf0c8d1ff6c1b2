//! Use by the hour: of credentials, their secrets, teams and MCP servers.

use std::time::Duration;

use domain::context::Context;
use domain::credential::generate::Generated;
use domain::credential::rotate::{self, Overlap};
use domain::credential::{disable, usage};
use domain::model::credential::usage::{Period, Whose};
use domain::model::person::authority::Authority;
use domain::model::server::ScopeDescription;
use domain::model::token::Refusal;
use domain::person::team;
use domain::server::{self, ServerDraft};
use domain::testing::Instance;

use crate::support::{RESOURCE, draft, exchanged, generated, operator};

const HOUR: Duration = Duration::from_secs(3600);
const DOCS: &str = "https://docs.example.com/mcp";

async fn uses(context: &Context, of: &Generated, times: usize, parameters: &str) {
    for _ in 0..times {
        let _ = exchanged(context, of.secret.as_ref().expect("a secret").expose(), parameters).await;
    }
    context.refusals.flush().await;
}

async fn sums(context: &Context, whose: Whose<'_>, period: Period) -> (i64, i64) {
    let bars = usage::bars(context, whose, period).await.expect("reads");
    assert_eq!(bars.len() as i64, period.bars());
    (bars.iter().map(|bar| bar.exchanges).sum(), bars.iter().map(|bar| bar.refusals).sum())
}

#[tokio::test]
async fn exchanges_are_counted_for_the_credential_its_team_and_the_mcp_server() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let docs = ServerDraft {
        name: "Docs".to_owned(),
        resource: DOCS.to_owned(),
        scopes: vec![ScopeDescription {
            name: "docs:read".to_owned(),
            description: String::new(),
            implies: Vec::new(),
        }],
        ..ServerDraft::default()
    };
    let docs = server::add(context, &operator(), &docs).await.expect("adds").id;
    let payments = team::create(context, &operator(), "Payments").await.expect("a team").id;
    let mut both = draft("both");
    both.servers = vec![RESOURCE.to_owned(), DOCS.to_owned()];
    both.scopes = vec!["mcp:read".to_owned(), "docs:read".to_owned()];
    let both = generated(context, &both).await;
    let mut theirs = draft("theirs");
    theirs.team = Some(payments.clone());
    let theirs = generated(context, &theirs).await;
    uses(context, &both, 2, "").await;
    uses(context, &both, 3, &format!("&resource={DOCS}")).await;
    uses(context, &theirs, 4, "").await;
    uses(context, &theirs, 1, "&scope=nothing").await;

    let everything = Authority::Everything;
    assert_eq!(sums(context, Whose::Credential(&both.credential.client_id), Period::Day).await, (5, 0));
    assert_eq!(sums(context, Whose::Team(&payments), Period::Week).await, (4, 1));
    assert_eq!(sums(context, Whose::Server(&docs, &everything), Period::Month).await, (3, 0));
    assert_eq!(sums(context, Whose::All(&everything), Period::Quarter).await, (9, 1));
    // Who is in one team sees the use of this team.
    let of_payments = Authority::Team(payments);
    assert_eq!(sums(context, Whose::All(&of_payments), Period::Day).await, (4, 1));
    assert_eq!(sums(context, Whose::Server(&docs, &of_payments), Period::Day).await, (0, 0));

    let by_server = usage::servers(context, &everything, Period::Day).await.expect("reads");
    assert_eq!(by_server.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [6, 3]);
    assert_eq!(by_server[1].0, docs);
    let leaders = usage::leaders(context, Whose::All(&everything), Period::Day).await.expect("reads");
    assert_eq!(
        leaders.used.iter().map(|used| (used.name.as_str(), used.exchanges)).collect::<Vec<_>>(),
        [("both", 5), ("theirs", 4)]
    );
    let refused: Vec<_> = leaders.refused.iter().map(|row| (row.name.as_str(), row.cause, row.count)).collect();
    assert_eq!(refused, [("theirs", Refusal::ScopeNotAllowed, 1)]);
    let of_docs = usage::leaders(context, Whose::Server(&docs, &everything), Period::Quarter).await.expect("reads");
    assert_eq!(of_docs.used.iter().map(|used| used.exchanges).collect::<Vec<_>>(), [3]);
    let live = usage::live_tokens(context, &everything).await.expect("reads");
    assert_eq!((live.tokens, live.or_more), (9, false));
    disable::disable(context, &operator(), &theirs.credential.client_id).await.expect("disables");
    assert_eq!(usage::live_tokens(context, &everything).await.expect("reads").tokens, 5);
}

#[tokio::test]
async fn each_secret_is_counted_while_one_replaces_the_other() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let old = generated(context, &draft("nightly-index")).await;
    let id = &old.credential.client_id;
    uses(context, &old, 3, "").await;
    let new = rotate::secret(context, &operator(), id, Overlap::For(24 * HOUR), None, None).await.expect("rotates");
    instance.clock.advance(HOUR);
    uses(context, &old, 1, "").await;
    uses(context, &new, 2, "").await;
    let secrets = domain::credential::inspect::secrets(context, id).await.expect("reads");
    let bars = usage::by_authenticator(context, id, context.now().minus(HOUR)).await.expect("reads");
    let of = |hint: &str| {
        let secret = secrets.iter().find(|secret| secret.hint == hint).expect("a secret").id.to_string();
        let of_it = bars.iter().filter(move |bar| bar.authenticator == secret);
        of_it.map(|bar| (bar.hour - context.now().hour(), bar.exchanges)).collect::<Vec<_>>()
    };
    let hint = |generated: &Generated| generated.secret.as_ref().expect("a secret").hint().clone();
    assert_eq!(of(&hint(&old)), [(-1, 3), (0, 1)]);
    assert_eq!(of(&hint(&new)), [(0, 2)]);
}

#[tokio::test]
async fn refused_exchanges_of_an_hour_are_listed_by_credential_and_cause() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let (first, second) = (generated(context, &draft("first")).await, generated(context, &draft("second")).await);
    uses(context, &first, 1, "&scope=nothing").await;
    instance.clock.advance(HOUR);
    uses(context, &second, 2, "&scope=nothing").await;
    disable::disable(context, &operator(), &second.credential.client_id).await.expect("disables");
    uses(context, &second, 3, "").await;

    let everything = Authority::Everything;
    let listed = async |whose: Whose<'_>, hours_ago: u32, hours: u16| {
        let from = context.now().minus(HOUR * hours_ago);
        let rows = usage::refused_within(context, whose, from, hours, 10).await.expect("reads");
        rows.iter().map(|row| (row.name.clone(), row.cause, row.count)).collect::<Vec<_>>()
    };
    let disabled = ("second".to_owned(), Refusal::CredentialDisabled, 3);
    let scope = ("second".to_owned(), Refusal::ScopeNotAllowed, 2);
    let earlier = ("first".to_owned(), Refusal::ScopeNotAllowed, 1);
    assert_eq!(listed(Whose::All(&everything), 0, 1).await, [disabled.clone(), scope.clone()]);
    assert_eq!(listed(Whose::All(&everything), 1, 1).await, std::slice::from_ref(&earlier));
    assert_eq!(listed(Whose::All(&everything), 1, 2).await, [disabled, scope, earlier.clone()]);
    assert_eq!(listed(Whose::Credential(&first.credential.client_id), 1, 2).await, [earlier]);
    let causes = usage::causes(context, Whose::All(&everything), Period::Day).await.expect("reads");
    assert_eq!(causes, [(Refusal::CredentialDisabled, 3), (Refusal::ScopeNotAllowed, 3)]);
}

#[tokio::test]
async fn the_use_of_90_days_is_kept() {
    let instance = Instance::new().await;
    let context = &instance.context;
    let credential = generated(context, &draft("reader")).await;
    let id = &credential.credential.client_id;
    uses(context, &credential, 2, "").await;
    uses(context, &credential, 1, "&scope=nothing").await;
    instance.clock.advance(89 * 24 * HOUR);
    instance.tidy().await;
    assert_eq!(sums(context, Whose::Credential(id), Period::Quarter).await, (2, 1));
    assert_eq!(sums(context, Whose::All(&Authority::Everything), Period::Quarter).await, (2, 1));
    instance.clock.advance(320 * 24 * HOUR);
    instance.tidy().await;
    instance.clock.advance(2 * HOUR);
    assert_eq!(usage::by_authenticator(context, id, context.now().minus(1000 * 24 * HOUR)).await.expect("reads"), []);
}
