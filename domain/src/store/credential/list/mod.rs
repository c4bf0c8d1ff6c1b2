//! The list of credentials and its counts. A page is read along an index, even if there are very many credentials.

mod condition;
#[cfg(test)]
mod plans;

use std::collections::BTreeSet;

use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::model::credential::query::{Counts, CredentialCursor, Moments, Section, Show, Sort, Total};
use crate::model::credential::{AuthMethod, Credential};
use crate::store::credential::COLUMNS;
use crate::store::credential::list::condition::{
    Condition, Driver, END, IMPORTED, LAST_USE, ListStatement, MomentParameters, Values, conditions,
};
use crate::store::person::team;
use crate::store::{Engine, Result, Statement, Store, row, sql, to_json};

/// Which credentials a list has.
#[derive(Clone, Copy)]
pub(crate) struct Selected<'query> {
    /// See [`Authority::key`](crate::model::person::authority::Authority).
    pub key: Option<&'query str>,
    pub search: Option<&'query str>,
    pub team: Option<&'query TeamId>,
    pub server: Option<&'query McpServerId>,
    pub method: Option<AuthMethod>,
    pub owner: Option<&'query PersonId>,
    pub tag: Option<&'query str>,
    pub show: Show,
    /// Without one: all.
    pub section: Option<Section>,
    pub moments: Moments,
}

/// Which part of the list is read, and in which order.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'query> {
    pub sort: Sort,
    /// Whether the order is the opposite one.
    pub reversed: bool,
    /// Where the part begins.
    pub beside: Option<&'query CredentialCursor>,
    /// Whether the part is before that row and not after it.
    pub backward: bool,
    pub limit: i64,
}

/// With more credentials than this a search compares beginnings, which an index finds. With fewer it finds any part of
/// a name.
pub(crate) const MANY: i64 = 20_000;
/// If at most this many rows match, they are found by the index of the condition and sorted. If more rows match, a scan
/// in the order of the list soon finds a full page. With the wrong choice, the database reads the whole table.
const FEW: i64 = 1000;

/// Some rows of the list, in its order.
pub(crate) async fn list(store: &Store, selected: &Selected<'_>, slice: &Slice<'_>) -> Result<Vec<Credential>> {
    let statements = Statements::of(store, selected, Some(slice.sort)).await?;
    let mut rows: Vec<Credential> = match statements.found(store).await? {
        Some(found) => Statement::from(statements.page_of_found(&found, slice)).all(store).await?,
        None => Statement::from(statements.page(slice)).all(store).await?,
    };
    if slice.backward {
        rows.reverse();
    }
    Ok(rows)
}

/// How many credentials the list has. With very many credentials they are counted up to a limit.
pub(crate) async fn total(store: &Store, selected: &Selected<'_>) -> Result<Total> {
    let statements = Statements::of(store, selected, None).await?;
    let limit = if statements.are_many { FEW + 1 } else { i64::MAX };
    let count: i64 = Statement::from(statements.count(limit)).one(store).await?;
    Ok(if count < limit { Total::Exactly(count) } else { Total::MoreThan(FEW) })
}

/// Whether there are too many credentials for a search that reads all of them, and for a page that waits for counts.
pub(crate) async fn are_many(store: &Store) -> Result<bool> {
    sql!("SELECT 1 FROM credentials LIMIT 1 OFFSET $1"; MANY).exists(store).await
}

/// The statements of one list, which share their conditions.
struct Statements {
    engine: Engine,
    are_many: bool,
    conditions: Vec<Condition>,
    values: Values,
}

impl Statements {
    async fn of(store: &Store, selected: &Selected<'_>, sort: Option<Sort>) -> Result<Self> {
        Ok(Self::sized(store.engine(), are_many(store).await?, selected, sort))
    }

    fn sized(engine: Engine, are_many: bool, selected: &Selected<'_>, sort: Option<Sort>) -> Self {
        let mut values = Values::default();
        let conditions = conditions(selected, engine, are_many, sort, &mut values);
        Self { engine, are_many, conditions, values }
    }

    /// The condition of the first index, and the filters of the other conditions.
    fn along_index(&self) -> Option<(&Driver, String)> {
        let (place, driver) = self
            .conditions
            .iter()
            .enumerate()
            .find_map(|(place, condition)| condition.driver.as_ref().map(|driver| (place, driver)))?;
        let others = self.conditions.iter().enumerate().filter(|(other, _)| *other != place);
        let filters = others.map(|(_, condition)| format!(" AND {}", condition.filter));
        Some((driver, format!("{}{}", driver.condition, filters.collect::<String>())))
    }

    fn filters(&self) -> String {
        let filters = self.conditions.iter().map(|condition| format!(" AND {}", condition.filter));
        format!("1 = 1{}", filters.collect::<String>())
    }

    /// The rows that match, read along an index; at most one more than `FEW`.
    fn matching(&self) -> Option<ListStatement> {
        let (driver, condition) = self.along_index()?;
        let text = format!("SELECT client_id FROM {} WHERE {condition} LIMIT {FEW} + 1", driver.from);
        Some(self.values.clone().of(text))
    }

    /// The rows that match, if an index finds them and they are few.
    async fn found(&self, store: &Store) -> Result<Option<BTreeSet<String>>> {
        let Some(matching) = self.matching() else { return Ok(None) };
        let found: Vec<String> = Statement::from(matching).all(store).await?;
        // A search may find a credential by several of its texts.
        Ok((found.len() as i64 <= FEW).then(|| found.into_iter().collect()))
    }

    /// A page of these credentials.
    fn page_of_found(&self, found: &BTreeSet<String>, slice: &Slice<'_>) -> ListStatement {
        let mut values = Values::default();
        let found: Vec<[&str; 1]> = found.iter().map(|id| [id.as_str()]).collect();
        let found = self.engine.elements(&values.add(to_json(&found)), "found");
        page(&format!("{found} JOIN credentials ON client_id = found.value ->> 0"), "1 = 1", slice, values)
    }

    /// A page of all credentials that meet the conditions.
    fn page(&self, slice: &Slice<'_>) -> ListStatement {
        page("credentials", &self.filters(), slice, self.values.clone())
    }

    /// The number of rows that match, at most `limit`.
    fn count(&self, limit: i64) -> ListStatement {
        let (from, condition) = match self.along_index() {
            Some((driver, condition)) => (driver.from.as_str(), condition),
            None => ("credentials", self.filters()),
        };
        let mut values = self.values.clone();
        let limit = values.add(limit);
        let text = format!(
            "SELECT COUNT(DISTINCT client_id) AS n FROM (SELECT client_id FROM {from} WHERE {condition} LIMIT {limit}) AS t"
        );
        values.of(text)
    }
}

/// A page of the rows of `from` that meet `condition`.
fn page(from: &str, condition: &str, slice: &Slice<'_>, mut values: Values) -> ListStatement {
    let (key, is_number, ascends) = match slice.sort {
        Sort::Created => ("created_at", true, false),
        Sort::Name => ("search_text", false, true),
        Sort::LastUsed => (LAST_USE, true, false),
        Sort::Ends => (END, true, true),
    };
    let ascends = ascends != (slice.reversed != slice.backward);
    let (comparison, direction) = if ascends { (">", "ASC") } else { ("<", "DESC") };
    // The first page has no such condition: a condition that may be absent would keep an index from being used.
    let beside = slice.beside.map(|cursor| {
        let last = match is_number {
            // The list wrote the key itself.
            true => values.add(cursor.key.parse::<i64>().unwrap_or_default()),
            false => values.add(cursor.key.as_str()),
        };
        let id = values.add(cursor.client_id.as_str());
        format!(" AND ({key}, client_id) {comparison} ({last}, {id})")
    });
    let limit = values.add(slice.limit);
    values.of(format!(
        "SELECT {COLUMNS} FROM {from} WHERE {condition}{}
         ORDER BY {key} {direction}, client_id {direction} LIMIT {limit}",
        beside.unwrap_or_default()
    ))
}

row! { "credentials" => Counts {
    all = "everything", working, leaked, in_use, unverified, expiring, rotating, imported, never_expires, idle,
    disabled, expired, revoked
} }

/// The filters that are counted, by the column of the count.
const COUNTED: [(&str, Show); 11] = [
    ("leaked", Show::Leaked),
    ("in_use", Show::InUse),
    ("unverified", Show::Unverified),
    ("expiring", Show::Expiring),
    ("rotating", Show::Rotating),
    ("imported", Show::Imported),
    ("never_expires", Show::NeverExpires),
    ("idle", Show::Idle),
    ("disabled", Show::Disabled),
    ("expired", Show::Expired),
    ("revoked", Show::Revoked),
];

/// How many credentials each filter would show.
pub(crate) async fn counts(store: &Store, selected: &Selected<'_>) -> Result<Counts> {
    let Statements { conditions, mut values, .. } = Statements::of(store, selected, None).await?;
    let moments = MomentParameters::add(selected, &mut values);
    let sum = |condition: String, name: &str| {
        format!("CAST(COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT) AS {name}")
    };
    let sums = COUNTED.map(|(name, show)| match show {
        // A subquery for each row would take longer than one list of all of them.
        Show::Imported => sum(format!("{} AND client_id IN ({IMPORTED})", moments.working()), name),
        _ => sum(moments.shown(show), name),
    });
    let filters = conditions.iter().map(|condition| format!(" AND {}", condition.filter)).collect::<String>();
    let text = format!(
        "SELECT COUNT(*) AS everything, {}, {} FROM credentials WHERE 1 = 1{filters}",
        sum(moments.working(), "working"),
        sums.join(", ")
    );
    Statement::from(values.of(text)).one(store).await
}

/// How many leaked credentials work. An index holds only these.
pub(crate) async fn leaked(store: &Store, selected: &Selected<'_>) -> Result<i64> {
    let selected = Selected { show: Show::Leaked, ..*selected };
    Statement::from(Statements::sized(store.engine(), true, &selected, None).count(i64::MAX)).one(store).await
}

/// Each value of an indexed column, at most `$1`. Each step finds the next value in the index. A DISTINCT would read the
/// rows of all credentials.
macro_rules! each_value {
    ($table:literal, $column:literal) => {
        concat!(
            "WITH RECURSIVE each(value) AS (
                SELECT MIN(",
            $column,
            ") FROM ",
            $table,
            "
                UNION ALL SELECT (SELECT MIN(",
            $column,
            ") FROM ",
            $table,
            " WHERE ",
            $column,
            " > each.value)
                FROM each WHERE each.value IS NOT NULL
            )"
        )
    };
}

/// The tags of the credentials that `key` sees, at most `most`.
pub(crate) async fn tags(store: &Store, key: Option<&str>, most: i64) -> Result<Vec<String>> {
    let sql = concat!(
        each_value!("credential_tags", "tag"),
        " SELECT value FROM each WHERE value IS NOT NULL AND ($2 IS NULL OR EXISTS (
              SELECT 1 FROM credential_tags AS t JOIN credentials AS c ON c.client_id = t.client_id
              WHERE t.tag = each.value AND c.team_id IN ",
        team::of!("$2"),
        ")) LIMIT $1"
    );
    sql!(sql; most, key).about("credential_tags").all(store).await
}

/// The owners of the credentials that `key` sees, with their names, at most `most`.
pub(crate) async fn owners(store: &Store, key: Option<&str>, most: i64) -> Result<Vec<(PersonId, String)>> {
    let sql = concat!(
        each_value!("credentials", "owner_id"),
        " SELECT p.id AS id, p.name AS name FROM each JOIN people AS p ON p.id = each.value
          WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM credentials AS c WHERE c.owner_id = p.id AND c.team_id IN ",
        team::of!("$2"),
        ") ORDER BY p.name, p.id LIMIT $1"
    );
    sql!(sql; most, key).about("people").all(store).await
}
