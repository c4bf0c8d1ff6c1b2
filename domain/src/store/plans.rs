//! Tests how the databases run the statements of pages that read growing tables. The statements of the list of
//! credentials are tested beside it.

use ParameterKind::{Nothing, Number, Text};

use crate::base::id::{AppClientId, PersonId};
use crate::base::random::SystemRandom;
use crate::model::server::access::ServerAccess;
use crate::store::client::consent::{self, ConsentOwner};
use crate::store::client::personal_token;
use crate::store::credential::generated;
use crate::store::incident::emergency_stop;
use crate::store::person::{session, team};
use crate::store::server::{access, callers};
use crate::store::token::{ledger, usage};
use crate::store::{Columns, Engine, FromRow, Result, Store, audit, composed_sql, credential, webhook};
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

const REACHED: &[ParameterKind] = &[Text, Text, Text, Text, Text, Number, Number];

/// The statements, and the types of their parameters.
const STATEMENTS: [(&str, &str, &[ParameterKind]); 21] = [
    ("newest exchanges", ledger::RECENT, &[Text, Number]),
    ("exchanges of a day", ledger::EXCHANGES, &[Text, Text]),
    ("live tokens", ledger::LIVE_TOKENS, &[Text, Text, Number]),
    ("list of live tokens", ledger::LISTED_TOKENS, &[Text, Text, Text, Number, Number]),
    ("reached addresses", ledger::REACHED_ADDRESSES, REACHED),
    ("reached servers", ledger::REACHED_SERVERS, REACHED),
    ("refusals", usage::REFUSALS, &[Text, Number]),
    ("exchanges of each secret", usage::BY_AUTHENTICATOR, &[Text, Number]),
    ("the log", audit::EVERYTHING, AUDIT_FILTER),
    ("the log of a reader", audit::SEEN_BY_READER, AUDIT_FILTER),
    ("the log of one thing", audit::OF_TARGET, &[Text, Number]),
    ("the log of one thing, of a reader", audit::OF_TARGET_SEEN_BY_READER, &[Text, Number, Text]),
    ("the log in order", audit::WALK, &[Number, Number]),
    ("how many a person generated", generated::COUNT, &[Text, Number]),
    ("emergency stops", emergency_stop::RECORDED, &[Number]),
    ("what a stop disables", emergency_stop::STOPPED_AT, &[Number]),
    ("deliveries", webhook::DELIVERIES, &[Text, Number]),
    ("waiting deliveries", webhook::WAITING, &[Text]),
    ("sessions", session::LIVE_SESSIONS, &[Text, Number, Number]),
    ("credentials of an owner", credential::OWNED, &[Text, Number]),
    ("how many an owner has", credential::OWNED_COUNT, &[Text]),
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
/// until the page is full. A list in a parameter is no table.
fn reads_everything(plan: &[String], step: &str) -> bool {
    // The result of a part of the statement is read as a whole. The steps of that part stand in the plan too.
    let is_of_a_part = |name: &str| plan.iter().any(|step| *step == format!("CO-ROUTINE {name}"));
    let scanned = step
        .strip_prefix("SCAN ")
        .filter(|rest| !rest.contains("USING INDEX") && !rest.contains("VIRTUAL TABLE") && !is_of_a_part(rest));
    scanned.is_some() || step.contains("Seq Scan")
}

#[tokio::test]
async fn no_page_reads_a_table_that_grows_from_end_to_end() {
    let instance = Instance::without_whole_reads().await;
    let (person, client) = (PersonId::generate(&SystemRandom), AppClientId::generate(&SystemRandom));
    let [grants, own_grants, searched, own_searched] = [(false, false), (true, false), (false, true), (true, true)]
        .map(|(of_person, of_server)| consent::search_sql(of_person, of_server));
    let grants_of_one = consent::list_sql(ConsentOwner::Person(&person));
    let grants_of_client = consent::list_sql(ConsentOwner::Client(&client));
    let (tokens, tokens_of_one) = (personal_token::list_sql(false), personal_token::list_sql(true));
    let generated = generated::newest_sql();
    let engine = instance.context.store.engine();
    let (grants_of_server, tokens_of_server) =
        (consent::list_of_server_sql(engine), personal_token::list_of_server_sql(engine));
    let (ended, tokens_by_hour) = (consent::list_ended_sql(), consent::bars_sql(24));
    let of_people: [(&str, &str, &[ParameterKind]); 13] = [
        ("ended access of a client", &ended, &[Text, Number, Number, Number, Number]),
        ("bars of a client", &tokens_by_hour, &[Text, Number, Text]),
        ("generated by a person", &generated, &[Text, Number]),
        ("connected apps of a server", &grants_of_server, &[Number, Number, Number, Text, Number, Text, Text, Text]),
        ("personal tokens of a server", &tokens_of_server, &[Number, Number, Text, Number, Text, Text, Text]),
        ("connected apps", &grants, &[Number, Number, Number, Nothing, Number, Text, Nothing, Text]),
        ("own connected apps", &own_grants, &[Number, Number, Number, Text, Number, Text, Nothing, Text]),
        ("search of connected apps", &searched, &[Number, Number, Number, Nothing, Number, Text, Text, Text]),
        ("search of own connected apps", &own_searched, &[Number, Number, Number, Text, Number, Text, Text, Text]),
        ("connected apps of a person", &grants_of_one, &[Number, Number, Number, Text, Number, Text]),
        ("connected apps of a client", &grants_of_client, &[Number, Number, Number, Text, Number, Text]),
        ("personal tokens", &tokens, &[Number, Number, Text, Number, Text]),
        ("personal tokens of a person", &tokens_of_one, &[Number, Number, Text, Number, Text]),
    ];
    let bars = usage::exchanges_of_credential(24);
    let [of_team, of_server] = ["team_id = $2 AND $3 IS NULL", "$2 IS NULL AND server_id = $3"]
        .map(|condition| usage::sums(24, "team_exchange_hours", "exchanges", condition));
    let refusals = usage::sums(24, "team_refusal_hours", "refusals", "$2 IS NULL AND $3 IS NULL");
    let used = usage::most_used_sql("$2 IS NULL", "server_id = $3");
    let [refused, refused_of_one] = ["$2 IS NULL", "client_id = $2"].map(usage::most_refused_sql);
    let of_use: [(&str, &str, &[ParameterKind]); 7] = [
        ("bars of a credential", &bars, &[Number, Text, Text]),
        ("bars of a team", &of_team, &[Number, Text, Text]),
        ("bars of an MCP server", &of_server, &[Number, Text, Text]),
        ("bars of refused exchanges", &refusals, &[Number, Text, Text]),
        ("most used credentials", &used, &[Number, Text, Text, Number]),
        ("most refused credentials", &refused, &[Number, Text, Number, Number]),
        ("refusals of a credential", &refused_of_one, &[Number, Text, Number, Number]),
    ];
    let (all, some) = (ServerAccess::All, ServerAccess::Teams(Default::default()));
    let [[tokens_lost, apps_lost], [tokens_of_some, apps_of_some]] =
        [&all, &some].map(|before| access::shut_out_sql(engine, before, &some));
    let of_change: [(&str, &str, &[ParameterKind]); 4] = [
        ("personal tokens that lose a server", &tokens_lost, &[Text, Number, Text, Text]),
        ("apps that lose a server", &apps_lost, &[Text, Number, Text, Text, Number]),
        ("personal tokens that lose a server of some teams", &tokens_of_some, &[Text, Number, Text, Text]),
        ("apps that lose a server of some teams", &apps_of_some, &[Text, Number, Text, Text, Number]),
    ];
    for (name, sql, kinds) in STATEMENTS.into_iter().chain(of_people).chain(of_use).chain(of_change) {
        let plan = plan(&instance.context.store, sql, kinds).await;
        assert!(!plan.iter().any(|step| reads_everything(&plan, step)), "{name}:\n{}", plan.join("\n"));
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
        statements.push((callers::by_giving_sql(engine, key), vec![Text, Text, kind]));
        statements.push((callers::by_server_sql(engine, key), vec![Text, Text, kind]));
    }
    for team in [Nothing, Text] {
        let of_team = matches!(team, Text);
        for scopes in [1, 2] {
            let of = |cursor: [ParameterKind; 3]| {
                let kinds = [Text, team].into_iter().chain(cursor).chain([Number]);
                kinds.chain(std::iter::repeat_n(Text, scopes)).collect::<Vec<_>>()
            };
            statements.push((callers::page_sql(of_team, true, scopes), of([Text, Number, Text])));
            statements.push((callers::page_sql(of_team, false, scopes), of([Nothing, Nothing, Nothing])));
        }
    }
    statements.push((access::COUNT_BY_TEAM.to_owned(), vec![Text, Text, Number]));
    statements.push((callers::LONGEST_OWN_LIFETIME.to_owned(), vec![Text, Text]));
    for (sql, kinds) in statements {
        let plan = plan(store, &sql, &kinds).await;
        let whole = |step: &String| {
            reads_everything(&plan, step) && (step.contains("credential_access") || step.contains("credentials"))
        };
        assert!(!plan.iter().any(whole), "{sql}:\n{}", plan.join("\n"));
        let key = match engine {
            Engine::Sqlite => "USING PRIMARY KEY (server_id=?",
            Engine::Postgres => "credential_access_pkey",
        };
        assert!(plan.iter().any(|step| step.contains(key)), "{sql}:\n{}", plan.join("\n"));
    }
}

#[tokio::test]
async fn the_credentials_of_teams_are_counted_in_an_index() {
    let instance = Instance::without_whole_reads().await;
    let store = &instance.context.store;
    let plan = plan(store, team::WORKING, &[Text, Number]).await.join("\n");
    let counted = match store.engine() {
        Engine::Sqlite => "USING COVERING INDEX credentials_by_team",
        Engine::Postgres => "credentials_by_team",
    };
    assert!(plan.contains(counted), "{plan}");
}
