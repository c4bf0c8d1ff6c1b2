//! Tests how the databases run the statements of pages that read growing tables. The statements of the list of
//! credentials are tested beside it.

use ParameterKind::{Nothing, Number, Text};

use crate::store::client::{consent, personal_token};
use crate::store::person::{session, team};
use crate::store::server::callers;
use crate::store::token::{ledger, usage};
use crate::store::{Columns, Engine, FromRow, Result, Store, audit, composed_sql, webhook};
use crate::testing::Instance;

/// A parameter's type.
#[derive(Clone, Copy)]
enum ParameterKind {
    Text,
    Number,
    /// A text that is absent.
    Nothing,
}

const AUDIT_FILTER: &[ParameterKind] = &[Number, Text, Text, Text, Text, Text, Number, Number, Number, Text];

/// The statements, and the types of their parameters.
const STATEMENTS: [(&str, &str, &[ParameterKind]); 14] = [
    ("newest exchanges", ledger::RECENT, &[Text, Number]),
    ("exchanges of a day", ledger::EXCHANGES, &[Text, Text]),
    ("live tokens", ledger::LIVE_TOKENS, &[Text, Text, Number]),
    ("reached addresses", ledger::REACHED_ADDRESSES, &[Text, Text, Number]),
    ("reached servers", ledger::REACHED_SERVERS, &[Text, Text]),
    ("refusals", usage::REFUSALS, &[Text, Number]),
    ("refusals by hour", usage::REFUSALS_BY_HOUR, &[Text, Number]),
    ("the log", audit::EVERYTHING, AUDIT_FILTER),
    ("the log of a reader", audit::SEEN_BY_READER, AUDIT_FILTER),
    ("the log of one thing", audit::OF_TARGET, &[Text, Number]),
    ("the log in order", audit::WALK, &[Number, Number]),
    ("deliveries", webhook::DELIVERIES, &[Text, Number]),
    ("waiting deliveries", webhook::WAITING, &[Text]),
    ("sessions", session::LIVE_SESSIONS, &[Text, Number, Number]),
];

/// A step of a plan.
pub(crate) struct Step(pub(crate) String);

impl FromRow for Step {
    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        Ok(Self(columns.get("detail").or_else(|_| columns.get("QUERY PLAN"))?))
    }
}

async fn plan(store: &Store, sql: &str, kinds: &[ParameterKind]) -> Vec<String> {
    let explain = match store.engine() {
        Engine::Sqlite => "EXPLAIN QUERY PLAN",
        Engine::Postgres => "EXPLAIN",
    };
    let explain = composed_sql!("{explain} {sql}");
    let explain = kinds.iter().fold(explain, |explain, kind| match kind {
        // PostgreSQL reads a text that is cast to a list while it plans.
        Text => explain.bind(r#"[["a text"]]"#),
        Number => explain.bind(&1),
        Nothing => explain.bind(&None::<&str>),
    });
    let steps: Vec<Step> = explain.all(store).await.expect(sql);
    steps.into_iter().map(|step| step.0).collect()
}

/// Whether a step reads a table from end to end. An index in the order of the page does not count: it is read only
/// until the page is full.
fn reads_everything(step: &str) -> bool {
    (step.starts_with("SCAN") && !step.contains("USING INDEX")) || step.contains("Seq Scan")
}

#[tokio::test]
async fn no_page_reads_a_table_that_grows_from_end_to_end() {
    let instance = Instance::without_whole_reads().await;
    let (grants, grants_of_one) = (consent::list_sql(false), consent::list_sql(true));
    let (tokens, tokens_of_one) = (personal_token::list_sql(false), personal_token::list_sql(true));
    let (grants_of_server, tokens_of_server) = (consent::list_of_server_sql(), personal_token::list_of_server_sql());
    let of_people: [(&str, &str, &[ParameterKind]); 6] = [
        ("connected apps of a server", &grants_of_server, &[Number, Number, Number, Text, Number, Text, Text, Text]),
        ("personal tokens of a server", &tokens_of_server, &[Number, Number, Text, Number, Text, Text, Text]),
        ("connected apps", &grants, &[Number, Number, Number, Text, Number, Text]),
        ("connected apps of a person", &grants_of_one, &[Number, Number, Number, Text, Number, Text]),
        ("personal tokens", &tokens, &[Number, Number, Text, Number, Text]),
        ("personal tokens of a person", &tokens_of_one, &[Number, Number, Text, Number, Text]),
    ];
    for (name, sql, kinds) in STATEMENTS.into_iter().chain(of_people) {
        let plan = plan(&instance.context.store, sql, kinds).await;
        assert!(!plan.iter().any(|step| reads_everything(step)), "{name}:\n{}", plan.join("\n"));
    }
}

#[tokio::test]
async fn the_callers_of_a_server_are_counted_and_listed_along_their_key() {
    let instance = Instance::without_whole_reads().await;
    let store = &instance.context.store;
    let engine = store.engine();
    let mut statements = Vec::new();
    for (key, kind) in [(None, Nothing), (Some("usr_"), Text)] {
        statements.push((callers::by_scope_sql(engine, key), vec![Text, Text, kind]));
        statements.push((callers::by_server_sql(engine, key), vec![Text, Text, kind]));
    }
    for team in [Nothing, Text] {
        let of_team = matches!(team, Text);
        statements.push((callers::page_sql(of_team, true), vec![Text, Text, team, Text, Number, Text, Number]));
        statements.push((callers::page_sql(of_team, false), vec![Text, Text, team, Nothing, Nothing, Nothing, Number]));
    }
    for (sql, kinds) in statements {
        let plan = plan(store, &sql, &kinds).await;
        let whole = |step: &String| {
            reads_everything(step) && (step.contains("credential_access") || step.contains("credentials"))
        };
        assert!(!plan.iter().any(whole), "{sql}:\n{}", plan.join("\n"));
        let key = match engine {
            Engine::Sqlite => "SEARCH credential_access USING PRIMARY KEY",
            Engine::Postgres => "credential_access_pkey",
        };
        assert!(plan.iter().any(|step| step.contains(key)), "{sql}:\n{}", plan.join("\n"));
    }
}

#[tokio::test]
async fn the_credentials_of_teams_are_counted_in_an_index() {
    let instance = Instance::without_whole_reads().await;
    let store = &instance.context.store;
    let plan = plan(store, team::SUMMARIES, &[Text, Number]).await.join("\n");
    let counted = match store.engine() {
        Engine::Sqlite => "USING COVERING INDEX credentials_by_team",
        Engine::Postgres => "credentials_by_team",
    };
    assert!(plan.contains(counted), "{plan}");
}
