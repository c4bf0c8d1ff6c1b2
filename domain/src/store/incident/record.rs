//! `incidents`, `incident_items` and `incident_notes`.

use std::collections::HashSet;

use crate::base::clock::Timestamp;
use crate::base::id::{ClientId, PersonId, TokenId};
use crate::model::audit::Target;
use crate::model::credential::Owner;
use crate::model::incident::record::{Incident, Item, Note, Source, Turn};
use crate::store::person::team;
use crate::store::{Columns, On, Result, Store, Transaction, audit, composed_sql, row, sql, to_json};

row! { "incidents" => Incident {
    number, source, opened_at, opened_by, found_at, exposed_at, owner: owner, contained_at, closed_at, closed_by,
    dismissed: |columns| Ok(columns.get::<i64>("dismissed")? != 0), items: |_| Ok(Vec::new()), unseen: |_| Ok(0),
    unseen_working: |_| Ok(0),
} }

fn owner(columns: &Columns<'_>) -> Result<Option<Owner>> {
    let Some(id) = columns.get::<Option<PersonId>>("owner_id")? else { return Ok(None) };
    let disabled = columns.get::<Option<Timestamp>>("owner_disabled_at")?.is_some();
    Ok(Some(Owner { id, name: columns.get("owner_name")?, disabled }))
}

row! { "incident_items" => Item {
    incident, kind, id, name, team = "team_id", person = "person_id", what,
    works: |columns| Ok(columns.get::<i64>("works")? != 0), revoked: |columns| Ok(columns.get::<i64>("revoked")? != 0),
    stopped_at: stopped_at, replaced_by
} }

/// The first end that holds: a later one changes nothing of what was stopped then.
fn stopped_at(columns: &Columns<'_>) -> Result<Option<Timestamp>> {
    let ends: [Option<Timestamp>; 3] =
        [columns.get("revoked_at")?, columns.get("disabled_at")?, columns.get("secrets_end_at")?];
    Ok(ends.into_iter().flatten().min())
}

row! { "incident_notes" => Note { at, author = "author_name", about, text } }

/// Condition: what leaked of the item `i` works at the moment in this parameter.
macro_rules! works {
    ($now:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM credentials AS w WHERE i.kind = 'credential' AND w.client_id = i.id
                      AND w.revoked_at IS NULL AND w.disabled_at IS NULL AND w.leak_ends_at > ",
            $now,
            " AND (w.ends_at IS NULL OR w.ends_at > ",
            $now,
            ")) OR EXISTS (SELECT 1 FROM personal_tokens AS w JOIN people AS p ON p.id = w.person_id
                      WHERE i.kind = 'personal_token' AND w.id = i.id AND w.leaked_at IS NOT NULL
                      AND w.ended_at IS NULL AND w.expires_at > ",
            $now,
            " AND p.disabled_at IS NULL)
              OR EXISTS (SELECT 1 FROM consents AS w WHERE i.kind = 'grant' AND w.id = i.id
                      AND w.leaked_at IS NOT NULL AND w.ended_at IS NULL AND w.expires_at > ",
            $now,
            " AND w.last_used_at > ",
            $now,
            " - 2592000000 AND (i.jti IS NULL OR EXISTS (SELECT 1 FROM consent_tokens AS t WHERE t.jti = i.jti
                      AND t.revoked_at IS NULL AND t.expires_at > ",
            $now,
            "))) OR EXISTS (SELECT 1 FROM clients AS w WHERE i.kind = 'client' AND w.client_id = i.id
                      AND w.leaked_at IS NOT NULL AND w.secret_hash IS NOT NULL AND w.removed_at IS NULL
                      AND w.disabled_at IS NULL))"
        )
    };
}

/// The incidents that the key `$1` sees.
const SEEN: &str = concat!(
    "(CAST($1 AS TEXT) IS NULL OR n.owner_id = $1 OR EXISTS (SELECT 1 FROM incident_items AS i
         LEFT JOIN credentials AS c ON i.kind = 'credential' AND c.client_id = i.id
         WHERE i.incident = n.number AND (i.person_id = $1 OR c.team_id IN ",
    team::of!("$1"),
    ")))"
);

const COLUMNS: &str = "n.number AS number, n.source AS source, n.opened_at AS opened_at, n.opened_by AS opened_by,
     n.found_at AS found_at, n.exposed_at AS exposed_at, n.owner_id AS owner_id, o.name AS owner_name,
     o.disabled_at AS owner_disabled_at, n.contained_at AS contained_at, n.closed_at AS closed_at,
     n.closed_by AS closed_by, n.dismissed AS dismissed";

/// The incident with this number, without its items, if the key sees it.
pub(crate) async fn find(on: impl On<'_>, key: Option<&str>, number: i64) -> Result<Option<Incident>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM incidents AS n LEFT JOIN people AS o ON o.id = n.owner_id
         WHERE n.number = $2 AND {SEEN}";
        key, number
    )
    .optional(on)
    .await
}

/// The incidents that are not closed, without their items: open ones first, then the newest.
pub(crate) async fn unclosed(store: &Store, key: Option<&str>, limit: i64) -> Result<Vec<Incident>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM incidents AS n LEFT JOIN people AS o ON o.id = n.owner_id
         WHERE n.closed_at IS NULL AND {SEEN}
         ORDER BY CASE WHEN n.contained_at IS NULL THEN 0 ELSE 1 END, n.number DESC LIMIT $2";
        key, limit
    )
    .all(store)
    .await
}

/// The closed incidents with a number below `before`, without their items, the newest first.
pub(crate) async fn closed(store: &Store, key: Option<&str>, before: i64, limit: i64) -> Result<Vec<Incident>> {
    composed_sql!(
        "SELECT {COLUMNS} FROM incidents AS n LEFT JOIN people AS o ON o.id = n.owner_id
         WHERE n.closed_at IS NOT NULL AND n.number < $2 AND {SEEN} ORDER BY n.number DESC LIMIT $3";
        key, before, limit
    )
    .all(store)
    .await
}

/// How many incidents are open, and how many are contained, but not closed.
pub(crate) async fn count(store: &Store, key: Option<&str>) -> Result<(i64, i64)> {
    composed_sql!(
        "SELECT COUNT(*) - COUNT(n.contained_at) AS open, COUNT(n.contained_at) AS contained FROM incidents AS n
         WHERE n.closed_at IS NULL AND {SEEN}";
        key
    )
    .about("incidents")
    .one(store)
    .await
}

/// What leaked, with what is known of it at the moment `$2`; a condition follows.
const ITEMS: &str = concat!(
    "SELECT i.incident AS incident, i.kind AS kind, i.id AS id, i.name AS name, c.team_id AS team_id,
            i.person_id AS person_id, i.what AS what, i.replaced_by AS replaced_by,
            CASE WHEN c.revoked_at IS NULL THEN 0 ELSE 1 END AS revoked,
            c.revoked_at AS revoked_at, c.disabled_at AS disabled_at,
            (SELECT CASE WHEN COUNT(COALESCE(s.revoked_at, s.retires_at, s.expires_at)) = COUNT(*)
                         THEN MAX(COALESCE(s.revoked_at, s.retires_at, s.expires_at)) END
             FROM client_secrets AS s WHERE s.client_id = c.client_id AND s.leaked_at IS NOT NULL) AS secrets_end_at,
            CASE WHEN ",
    works!("$2"),
    " THEN 1 ELSE 0 END AS works
     FROM incident_items AS i LEFT JOIN credentials AS c ON i.kind = 'credential' AND c.client_id = i.id"
);

/// What leaked in an incident, in the order in which it was added.
pub(crate) async fn items(on: impl On<'_>, number: i64, now: Timestamp) -> Result<Vec<Item>> {
    composed_sql!("{ITEMS} WHERE i.incident = $1 ORDER BY i.added_at, i.kind, i.id"; number, now).all(on).await
}

/// What leaked in these incidents.
pub(crate) async fn items_of_all(store: &Store, numbers: &[i64], now: Timestamp) -> Result<Vec<Item>> {
    let elements = store.engine().elements("$1", "wanted");
    let wanted = to_json(&numbers.iter().map(|number| [number]).collect::<Vec<_>>());
    composed_sql!(
        "{ITEMS} WHERE i.incident IN (SELECT CAST(value ->> 0 AS BIGINT) FROM {elements})
         ORDER BY i.incident, i.added_at, i.kind, i.id";
        wanted, now
    )
    .all(store)
    .await
}

/// The newest incident in which this leaked, and whether it is closed.
pub(crate) async fn of_item(on: impl On<'_>, kind: Target, id: &str) -> Result<Option<(i64, bool)>> {
    let sql = "SELECT n.number AS number, n.closed_at AS closed_at FROM incident_items AS i
         JOIN incidents AS n ON n.number = i.incident WHERE i.kind = $1 AND i.id = $2 ORDER BY n.number DESC LIMIT 1";
    let found: Option<(i64, Option<Timestamp>)> = sql!(sql; kind, id).about("incidents").optional(on).await?;
    Ok(found.map(|(number, closed_at)| (number, closed_at.is_some())))
}

/// The newest incident that is not closed in which something of this person leaked.
pub(crate) async fn of_person(on: impl On<'_>, person: &PersonId) -> Result<Option<i64>> {
    let sql = "SELECT MAX(n.number) AS number FROM incidents AS n
         WHERE n.closed_at IS NULL AND EXISTS
               (SELECT 1 FROM incident_items AS i WHERE i.incident = n.number AND i.person_id = $1)";
    let found: Option<Option<i64>> = sql!(sql; person).about("incidents").optional(on).await?;
    Ok(found.flatten())
}

/// A credential that leaked and works, but is in no incident: a restored backup is older than its incident.
pub(crate) async fn without_incident(on: impl On<'_>, now: Timestamp) -> Result<Option<ClientId>> {
    let sql = "SELECT c.client_id AS client_id FROM credentials AS c
         WHERE c.leak_ends_at > $1 AND c.revoked_at IS NULL AND c.disabled_at IS NULL
           AND (c.ends_at IS NULL OR c.ends_at > $1)
           AND NOT EXISTS (SELECT 1 FROM incident_items AS i WHERE i.kind = 'credential' AND i.id = c.client_id)
         ORDER BY c.client_id LIMIT 1";
    sql!(sql; now).about("credentials").optional(on).await
}

/// Stores a new incident. Returns its number. Two transactions do not get the same number: the head of the audit log
/// stays locked until the first one has ended.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    source: Source,
    opened_by: &str,
    found_at: Option<&str>,
    now: Timestamp,
) -> Result<i64> {
    audit::head_in(transaction).await?;
    let number: i64 = sql!("SELECT COALESCE(MAX(number), 0) + 1 AS number FROM incidents")
        .about("incidents")
        .one(&mut *transaction)
        .await?;
    let sql = "INSERT INTO incidents (number, source, opened_at, opened_by, found_at) VALUES ($1, $2, $3, $4, $5)";
    sql!(sql; number, source, now, opened_by, found_at).execute(transaction).await?;
    Ok(number)
}

/// Adds a thing, or says that something else of it leaked too.
pub(crate) async fn add_item(transaction: &mut Transaction, item: &NewItem<'_>, now: Timestamp) -> Result<()> {
    let NewItem { incident, kind, id, name, person, what, jti } = item;
    let sql = "INSERT INTO incident_items (incident, kind, id, name, person_id, what, jti, added_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (incident, kind, id) DO UPDATE SET
            what = CASE WHEN incident_items.what = excluded.what THEN excluded.what ELSE 'secret and token' END,
            jti = CASE WHEN incident_items.jti = excluded.jti THEN excluded.jti END";
    sql!(sql; incident, kind, id, name, person, what, jti, now).execute(transaction).await
}

/// A thing that leaked in an incident.
pub(crate) struct NewItem<'item> {
    pub incident: i64,
    pub kind: Target,
    pub id: &'item str,
    pub name: &'item str,
    pub person: Option<&'item PersonId>,
    pub what: &'static str,
    pub jti: Option<&'item TokenId>,
}

/// Remembers that an incident marked a secret or a token as leaked.
pub(crate) async fn add_mark(transaction: &mut Transaction, incident: i64, kind: &str, id: &str) -> Result<()> {
    let sql = "INSERT INTO incident_marks (incident, kind, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    sql!(sql; incident, kind, id).execute(transaction).await
}

/// Remembers that `new` was generated in place of the leaked credential `old`.
pub(crate) async fn replaced(transaction: &mut Transaction, old: &ClientId, new: &ClientId) -> Result<()> {
    let sql = "UPDATE incident_items SET replaced_by = $1 WHERE kind = 'credential' AND id = $2";
    sql!(sql; new, old).execute(transaction).await
}

/// What brings the states up to date: an incident is contained when nothing of it works, and open again when something
/// does. Returns the incidents whose state is to change.
///
/// Few incidents are not contained, and few leaked things work. So this reads few rows, whatever the number of
/// incidents.
pub(crate) async fn turns(on: impl On<'_>, now: Timestamp) -> Result<Vec<Turn>> {
    let works = works!("$1");
    let rows: Vec<(i64, i64, i64)> = composed_sql!(
        "SELECT n.number AS number, CASE WHEN n.contained_at IS NULL THEN 0 ELSE 1 END AS contained,
                CASE WHEN EXISTS (SELECT 1 FROM incident_items AS i WHERE i.incident = n.number AND {works})
                     THEN 1 ELSE 0 END AS works
         FROM incidents AS n WHERE n.closed_at IS NULL
         UNION ALL
         SELECT n.number, 1, 1
         FROM (SELECT 'credential' AS kind, client_id AS id FROM credentials
               WHERE leak_ends_at > $1 AND revoked_at IS NULL AND disabled_at IS NULL
               UNION ALL SELECT 'personal_token', id FROM personal_tokens
               WHERE leaked_at IS NOT NULL AND ended_at IS NULL AND expires_at > $1
               UNION ALL SELECT 'grant', id FROM consents
               WHERE leaked_at IS NOT NULL AND ended_at IS NULL AND expires_at > $1
               UNION ALL SELECT 'client', client_id FROM clients
               WHERE leaked_at IS NOT NULL AND secret_hash IS NOT NULL AND removed_at IS NULL) AS leaked
         CROSS JOIN incident_items AS i CROSS JOIN incidents AS n
         WHERE i.kind = leaked.kind AND i.id = leaked.id AND n.number = i.incident AND n.closed_at IS NOT NULL
           AND n.number = (SELECT MAX(x.incident) FROM incident_items AS x WHERE x.kind = i.kind AND x.id = i.id)
           AND {works}";
        now
    )
    .about("incidents")
    .all(on)
    .await?;
    let mut seen = HashSet::new();
    let changed = rows.into_iter().filter(|(number, contained, works)| contained == works && seen.insert(*number));
    Ok(changed.map(|(number, contained, _)| Turn { number, is_contained: contained == 0 }).collect())
}

/// Stores the new state.
pub(crate) async fn turn(transaction: &mut Transaction, turn: &Turn, now: Timestamp) -> Result<()> {
    let contained_at = turn.is_contained.then_some(now);
    let sql = "UPDATE incidents SET contained_at = $1, closed_at = NULL, closed_by = NULL, dismissed = 0
         WHERE number = $2";
    sql!(sql; contained_at, turn.number).execute(transaction).await
}

/// Closes it, or opens it again.
pub(crate) async fn set_closed(
    transaction: &mut Transaction,
    number: i64,
    closed: Option<(Timestamp, &str)>,
    dismissed: bool,
) -> Result<()> {
    let sql = "UPDATE incidents SET closed_at = $1, closed_by = $2, dismissed = $3 WHERE number = $4";
    sql!(sql; closed.map(|(at, _)| at), closed.map(|(_, by)| by), i64::from(dismissed), number)
        .execute(transaction)
        .await
}

/// Stores who handles it, since when what leaked could be read, and where.
pub(crate) async fn edit(
    transaction: &mut Transaction,
    number: i64,
    owner: Option<&PersonId>,
    exposed_at: Option<Timestamp>,
    found_at: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE incidents SET owner_id = $1, exposed_at = $2, found_at = $3 WHERE number = $4";
    sql!(sql; owner, exposed_at, found_at, number).execute(transaction).await
}

/// Takes back the marks of a credential, unless another incident that is no false alarm has them too.
pub(crate) async fn unmark_credential(transaction: &mut Transaction, number: i64, id: &ClientId) -> Result<()> {
    const OWN: &str = "(SELECT m.id FROM incident_marks AS m WHERE m.incident = $1 AND m.kind = $3
         AND NOT EXISTS (SELECT 1 FROM incident_marks AS o JOIN incidents AS n ON n.number = o.incident
                         WHERE o.kind = m.kind AND o.id = m.id AND o.incident <> $1 AND n.dismissed = 0))";
    composed_sql!(
        "UPDATE client_secrets SET leaked_at = NULL, leaked_where = NULL WHERE client_id = $2 AND id IN {OWN}";
        number, id, "secret"
    )
    .execute(&mut *transaction)
    .await?;
    composed_sql!(
        "DELETE FROM reported_tokens WHERE jti IN {OWN}
         AND EXISTS (SELECT 1 FROM ledger AS l WHERE l.jti = reported_tokens.jti AND l.client_id = $2)";
        number, id, "token"
    )
    .execute(transaction)
    .await
}

/// Takes back the mark of what acts for people, unless another incident that is no false alarm has it too.
pub(crate) async fn unmark_of_people(transaction: &mut Transaction, number: i64, kind: Target, id: &str) -> Result<()> {
    let (table, key) = match kind {
        Target::PersonalToken => ("personal_tokens", "id"),
        Target::Consent => ("consents", "id"),
        _ => ("clients", "client_id"),
    };
    composed_sql!(
        "UPDATE {table} SET leaked_at = NULL WHERE {key} = $1 AND NOT EXISTS
             (SELECT 1 FROM incident_items AS i JOIN incidents AS n ON n.number = i.incident
              WHERE i.kind = $2 AND i.id = $1 AND i.incident <> $3 AND n.dismissed = 0)";
        id, kind, number
    )
    .execute(transaction)
    .await
}

/// Adds a note after the others.
pub(crate) async fn add_note(
    transaction: &mut Transaction,
    number: i64,
    author: &str,
    about: &str,
    text: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO incident_notes (incident, place, at, author_name, about, text)
         SELECT $1, COALESCE(MAX(place), 0) + 1, $2, $3, $4, $5 FROM incident_notes WHERE incident = $1";
    sql!(sql; number, now, author, about, text).execute(transaction).await
}

/// The notes, oldest first.
pub(crate) async fn notes(store: &Store, number: i64) -> Result<Vec<Note>> {
    let sql = "SELECT at, author_name, about, text FROM incident_notes WHERE incident = $1 ORDER BY place";
    sql!(sql; number).all(store).await
}
