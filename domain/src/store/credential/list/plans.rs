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
    let (team, server) = (TeamId::first(), McpServerId::generate(instance.context.random.as_ref()));
    let owner = OwnedBy::Person(PersonId::nobody());
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
        ("no owner".to_owned(), Selected { owner: Some(&OwnedBy::Nobody), ..all }),
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
                if let Some(few) = statements.page_along_index(&slice) {
                    let few = plan(store, few).await;
                    assert!(!reads_everything(&few), "{name}: the page of few\n{few}");
                }
                if let Some(merged) = statements.page_merged(&slice) {
                    let merged = plan(store, merged).await;
                    assert!(!reads_everything(&merged), "{name}: the merged page\n{merged}");
                    let is_merged = store.engine() != Engine::Sqlite || merged.contains("MERGE (INTERSECT)");
                    assert!(is_merged, "{name}: not side by side\n{merged}");
                }
                let first = plan(store, statements.page_of_first(&slice, 500)).await;
                assert!(!reads_everything(&first), "{name}: the page of the first\n{first}");
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
    // PostgreSQL has statistics of the values, and may know better.
    let driven = driven.into_iter().zip(indexes).filter(|_| store.engine() == Engine::Sqlite);
    for (place, index) in driven {
        statements.driving = Some(place);
        let count = statements.count(FEW).expect("an index");
        let plan = plan(store, count).await;
        assert!(plan.contains(index), "{index}\n{plan}");
        let others = indexes.iter().filter(|other| **other != index && **other != "credential_tags_by_tag");
        assert!(!others.into_iter().any(|other| plan.contains(other)), "{index} alone\n{plan}");
    }
}

/// 120 credentials that differ in everything a list asks for.
async fn fill(instance: &Instance, server: &McpServerId, owner: &PersonId) {
    let mut transaction = instance.context.store.begin().await.expect("begins");
    let now = instance.context.now().millis();
    let team = TeamId::first();
    let person = format!(
        "INSERT INTO people (id, name, email, password_hash, created_at, password_changed_at)
         VALUES ('{owner}', 'Ada', 'ada@example.com', '', 1, 1)"
    );
    Statement::composed(person).execute(&mut transaction).await.expect("inserts");
    for number in 0..120_i64 {
        let moment = |every: i64, at: i64| if number % every == 0 { at.to_string() } else { "NULL".to_owned() };
        let (id, ends) = (format!("csc_{number:022}"), if number % 6 == 2 { now - 5 } else { now + number });
        let method = if number % 4 == 1 { "private_key_jwt" } else { "client_secret" };
        let servers = if number % 2 == 0 { format!(r#"["{server}"]"#) } else { "[]".to_owned() };
        let sql = format!(
            "INSERT INTO credentials (client_id, name, search_text, description, auth_method, scopes, mcp_servers,
                 ip_ranges, created_by, created_at, team_id, owner_id, revoked_at, disabled_at, verified_at,
                 last_used_at, ends_at, leak_ends_at, rotation_ends_at)
             VALUES ('{id}', 'job {number}', 'job {number} {id}', '', '{method}', 'x', '{servers}', '[]', '', {number},
                 '{team}', {}, {}, {}, {}, {}, {}, {}, {})",
            if number % 3 == 0 { format!("'{owner}'") } else { "NULL".to_owned() },
            moment(11, now),
            moment(13, now),
            moment(2, 7),
            moment(2, 7 + number % 5),
            if number % 7 == 0 { "NULL".to_owned() } else { ends.to_string() },
            moment(9, now + 9),
            moment(8, now + 9),
        );
        Statement::composed(sql).execute(&mut transaction).await.expect("inserts");
        if number % 5 != 0 {
            let tag =
                format!("INSERT INTO credential_tags (client_id, tag, created_at) VALUES ('{id}', 'prod', {number})");
            Statement::composed(tag).execute(&mut transaction).await.expect("inserts");
        }
    }
    transaction.commit().await.expect("commits");
}

/// A row in the middle of [`fill`] in each order.
fn cursors(now: i64) -> [(Sort, CredentialCursor); 4] {
    [(Sort::Created, 60), (Sort::Name, 0), (Sort::LastUsed, 9), (Sort::Ends, now + 40)].map(|(sort, key)| {
        let key = if sort == Sort::Name { "job 5".to_owned() } else { key.to_string() };
        let client_id = format!("csc_{:022}", 60);
        (sort, CredentialCursor { section: Section::Others, key, client_id, position: 1 })
    })
}

/// Whole lists and pages, in each order.
fn slices(cursors: &[(Sort, CredentialCursor)]) -> impl Iterator<Item = Slice<'_>> {
    cursors.iter().flat_map(|(sort, cursor)| {
        [(false, None, 200), (false, Some(cursor), 200), (true, None, 7), (true, Some(cursor), 7)]
            .map(|(reversed, beside, limit)| Slice { sort: *sort, reversed, beside, backward: false, limit })
    })
}

/// Whichever index is read, the list is the same.
#[tokio::test]
async fn every_way_to_read_a_list_finds_the_same_credentials() {
    let instance = Instance::new().await;
    let store = &instance.context.store;
    let (team, server) = (TeamId::first(), McpServerId::generate(instance.context.random.as_ref()));
    let owner = PersonId::generate(instance.context.random.as_ref());
    fill(&instance, &server, &owner).await;
    let (owned, nobody) = (OwnedBy::Person(owner), OwnedBy::Nobody);
    let cursors = cursors(instance.context.now().millis());
    let ids = async |statement: ListStatement| -> Vec<String> {
        let rows: Vec<Credential> = Statement::from(statement).all(store).await.expect("a page");
        rows.into_iter().map(|row| row.client_id.to_string()).collect()
    };
    for show in SHOWN {
        for (tag, with_server, owner, method) in [
            (None, false, None, None),
            (Some("prod"), false, None, None),
            (Some("prod"), false, Some(&nobody), None),
            (Some("prod"), true, Some(&owned), Some(AuthMethod::ClientSecret)),
            (None, true, None, Some(AuthMethod::PrivateKeyJwt)),
        ] {
            let selected = Selected {
                key: None,
                search: Some("job"),
                team: Some(&team),
                server: with_server.then_some(&server),
                method,
                owner,
                tag,
                show,
                section: None,
                moments: Moments::at(instance.context.now()),
            };
            for slice in slices(&cursors) {
                let sort = slice.sort;
                let name = format!("{show:?} {tag:?} {sort:?} {} {}", slice.reversed, slice.beside.is_some());
                let small = Statements::sized(store.engine(), false, &selected, Some(sort));
                let expected = ids(small.page(&slice)).await;
                let mut statements = Statements::sized(store.engine(), true, &selected, Some(sort));
                assert_eq!(ids(statements.page(&slice)).await, expected, "{name} in order");
                assert_eq!(ids(statements.page_of_first(&slice, 200)).await, expected, "{name} of the first");
                if let Some(merged) = statements.page_merged(&slice) {
                    assert_eq!(ids(merged).await, expected, "{name} merged");
                }
                for place in 0..statements.conditions.len() {
                    statements.driving = Some(place);
                    let Some(few) = statements.page_along_index(&slice) else { continue };
                    assert_eq!(ids(few).await, expected, "{name} along {place}");
                }
            }
            let all = Statements::sized(store.engine(), false, &selected, None).count_of_filters(200);
            let all: i64 = Statement::from(all).one(store).await.expect("a count");
            let mut statements = Statements::sized(store.engine(), true, &selected, None);
            for place in 0..statements.conditions.len() {
                statements.driving = Some(place);
                let Some(count) = statements.count(200) else { continue };
                let count: i64 = Statement::from(count).one(store).await.expect("a count");
                assert_eq!(count, all, "{show:?} {tag:?} along {place}");
            }
        }
    }
}
