//! Tests how the databases run the statements of the list.

use super::*;
use crate::store::plans::Step;
use crate::testing::Instance;

const SHOWN: [Show; 12] = [
    Show::All,
    Show::Leaked,
    Show::InUse,
    Show::Unverified,
    Show::Expiring,
    Show::Rotating,
    Show::Imported,
    Show::NeverExpires,
    Show::Idle,
    Show::Disabled,
    Show::Expired,
    Show::Revoked,
];

/// How the database would run a statement of the list, one step a line.
async fn plan(store: &Store, statement: ListStatement) -> String {
    let explain = match store.engine() {
        Engine::Sqlite => "EXPLAIN QUERY PLAN",
        // PostgreSQL would read tables this small as a whole. The test asks whether it could use an index.
        Engine::Postgres => "EXPLAIN",
    };
    let text = format!("{explain} {}", statement.text);
    let steps: Vec<Step> = Statement::from(statement.values.of(text)).all(store).await.expect("a plan");
    steps.into_iter().map(|step| step.0).collect::<Vec<_>>().join("\n")
}

/// Whether a plan reads a table from end to end, or sorts what it read.
fn reads_everything(plan: &str) -> bool {
    let reads = |step: &str| {
        let is_table =
            ["SCAN credentials", "SCAN credential_", "SCAN client_secrets"].iter().any(|scan| step.contains(scan));
        (is_table && !step.contains("USING")) || step.contains("Seq Scan on c")
    };
    plan.lines().any(reads)
}

fn sorts(plan: &str) -> bool {
    plan.contains("TEMP B-TREE FOR ORDER BY")
        || plan.lines().any(|step| step.trim_start().trim_start_matches("-> ").trim_start().starts_with("Sort "))
}

#[tokio::test]
async fn every_list_is_read_along_an_index() {
    let instance = Instance::without_whole_reads().await;
    let store = &instance.context.store;
    let cursor =
        CredentialCursor { section: Section::Others, key: "1".to_owned(), client_id: "csc_".to_owned(), position: 1 };
    let (team, server, owner) =
        (TeamId::first(), McpServerId::generate(instance.context.random.as_ref()), PersonId::nobody());
    let all = Selected {
        key: None,
        search: None,
        team: None,
        server: None,
        method: None,
        owner: None,
        tag: None,
        show: Show::All,
        section: None,
        moments: Moments::at(instance.context.now()),
    };
    let mut selections: Vec<(String, Selected<'_>)> = vec![
        ("leaked first".to_owned(), Selected { section: Some(Section::Leaked), ..all }),
        ("the others".to_owned(), Selected { section: Some(Section::Others), ..all }),
        ("team".to_owned(), Selected { team: Some(&team), ..all }),
        ("server".to_owned(), Selected { server: Some(&server), ..all }),
        ("method".to_owned(), Selected { method: Some(AuthMethod::Federated), ..all }),
        ("owner".to_owned(), Selected { owner: Some(&owner), ..all }),
        ("tag".to_owned(), Selected { tag: Some("prod"), ..all }),
        ("tag and server".to_owned(), Selected { tag: Some("prod"), server: Some(&server), ..all }),
        ("teams of a person".to_owned(), Selected { key: Some("usr_"), ..all }),
    ];
    for show in SHOWN {
        selections.push((format!("{show:?}"), Selected { show, ..all }));
        selections.push((format!("{show:?} of a team"), Selected { show, team: Some(&team), ..all }));
        selections.push((format!("{show:?} of an owner"), Selected { show, owner: Some(&owner), ..all }));
        selections.push((format!("{show:?} and a search"), Selected { show, search: Some("2nr7"), ..all }));
    }
    for offered in [TAGS, OWNERS] {
        let mut values = Values::default();
        values.add(200);
        values.add("usr_");
        let plan = plan(store, values.of(offered.to_owned())).await;
        assert!(!reads_everything(&plan), "{plan}");
    }
    for (name, selected) in selections {
        for sort in [Sort::Created, Sort::Name, Sort::LastUsed, Sort::Ends] {
            let statements = Statements::sized(store.engine(), true, &selected, Some(sort));
            let count = statements.count(FEW).unwrap_or_else(|| statements.count_of_filters(FEW));
            let count = plan(store, count).await;
            assert!(!reads_everything(&count), "{name}: the count\n{count}");
            for (reversed, backward, beside) in
                [(false, false, None), (true, false, None), (false, false, Some(&cursor)), (false, true, Some(&cursor))]
            {
                let name = format!("{name} {sort:?} {reversed} {backward}");
                let slice = Slice { sort, reversed, beside, backward, limit: 51 };
                if let Some(few) = statements.page_of_few(&slice) {
                    let few = plan(store, few).await;
                    assert!(!reads_everything(&few), "{name}: the page of few\n{few}");
                }
                let many = plan(store, statements.page(&slice)).await;
                assert!(!reads_everything(&many) && !sorts(&many), "{name}: the page of many\n{many}");
            }
        }
    }
}

/// The index whose condition few rows meet is read, whatever else the list asks, and wherever it stands.
#[tokio::test]
async fn the_rarest_condition_is_read_along_its_index() {
    let instance = Instance::without_whole_reads().await;
    let store = &instance.context.store;
    let team = TeamId::first();
    let selected = Selected {
        key: None,
        search: None,
        team: Some(&team),
        server: None,
        method: None,
        owner: None,
        tag: Some("prod"),
        show: Show::Leaked,
        section: None,
        moments: Moments::at(instance.context.now()),
    };
    let mut statements = Statements::sized(store.engine(), true, &selected, None);
    let indexes = ["credential_tags_by_tag", "credentials_leaked", "credentials_by_team"];
    let driven: Vec<usize> = (0..statements.conditions.len()).collect();
    assert_eq!(driven.len(), indexes.len());
    for (place, index) in driven.into_iter().zip(indexes) {
        statements.driving = Some(place);
        let count = statements.count(FEW).expect("an index");
        let plan = plan(store, count).await;
        assert!(plan.contains(index), "{index}\n{plan}");
        let others = indexes.iter().filter(|other| **other != index && **other != "credential_tags_by_tag");
        assert!(!others.into_iter().any(|other| plan.contains(other)), "{index} alone\n{plan}");
    }
}
