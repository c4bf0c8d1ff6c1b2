//! The list of credentials and its counts. A page is read along an index, even if there are very many credentials.

mod condition;
#[cfg(test)]
mod plans;

use crate::base::id::{McpServerId, PersonId, TeamId};
use crate::model::credential::query::{Counts, CredentialCursor, Moments, OwnedBy, Section, Show, Sort, Total};
use crate::model::credential::{AuthMethod, Credential};
use crate::store::credential::COLUMNS;
use crate::store::credential::list::condition::{
    Condition, Driver, END, IMPORTED, LAST_USE, ListStatement, MomentParameters, Values, conditions,
};
use crate::store::person::team;
use crate::store::{Engine, Result, Statement, Store, row, sql};

/// Which credentials a list has.
#[derive(Clone, Copy)]
pub(crate) struct Selected<'query> {
    /// See [`Authority::key`](crate::model::person::authority::Authority).
    pub key: Option<&'query str>,
    pub search: Option<&'query str>,
    pub team: Option<&'query TeamId>,
    pub server: Option<&'query McpServerId>,
    pub method: Option<AuthMethod>,
    pub owner: Option<&'query OwnedBy>,
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
/// If at most this many rows meet a condition, they are found by its index and sorted.
const FEW: i64 = 4000;
/// If more rows meet each condition, so many rows are read in the order of the list, and then more: they nearly always
/// have a full page of matches.
const SCANNED: [i64; 2] = [500, 4000];
/// If they have not, and at most this many rows meet a condition, these are sorted. With more rows, several conditions
/// are merged, and a list with one condition is read on in its order.
const MOST_SORTED: i64 = 30_000;
/// So far the matches of several conditions are counted when many rows meet each condition: most of the rows that are
/// read for it are no match.
const MOST_COUNTED: i64 = 200;

/// Some rows of the list, in its order.
pub(crate) async fn list(store: &Store, selected: &Selected<'_>, slice: &Slice<'_>) -> Result<Vec<Credential>> {
    let mut rows = Statements::of(store, selected, Some(slice.sort)).await?.read(store, slice).await?;
    if slice.backward {
        rows.reverse();
    }
    Ok(rows)
}

/// How many credentials the list has. With very many credentials they are counted up to a limit.
pub(crate) async fn total(store: &Store, selected: &Selected<'_>) -> Result<Total> {
    let statements = Statements::of(store, selected, None).await?;
    let most = match statements.are_few || statements.conditions.len() < 2 {
        true => FEW,
        false => MOST_COUNTED,
    };
    let limit = if statements.are_many { most + 1 } else { i64::MAX };
    let count = statements.count(limit).unwrap_or_else(|| statements.count_of_filters(limit));
    let count: i64 = Statement::from(count).one(store).await?;
    Ok(if count < limit { Total::Exactly(count) } else { Total::MoreThan(most) })
}

/// Whether there are too many credentials for a search that reads all of them, and for a page that waits for counts.
pub(crate) async fn are_many(store: &Store) -> Result<bool> {
    sql!("SELECT 1 FROM credentials LIMIT 1 OFFSET $1"; MANY).exists(store).await
}

/// The statements of one list, which share their conditions.
struct Statements {
    are_many: bool,
    conditions: Vec<Condition>,
    /// The place of the condition whose index is read; `None`: no condition has one.
    driving: Option<usize>,
    /// Whether at most [`FEW`] rows meet that condition.
    are_few: bool,
    /// Whether at least [`MOST_SORTED`] rows meet each condition that has an index.
    are_all_large: bool,
    values: Values,
}

impl Statements {
    async fn of(store: &Store, selected: &Selected<'_>, sort: Option<Sort>) -> Result<Self> {
        let mut statements = Self::sized(store.engine(), are_many(store).await?, selected, sort);
        // With one index in the order of the list, there is nothing to choose.
        if !statements.is_in_order() {
            statements.drive_along_least(store).await?;
        }
        Ok(statements)
    }

    fn sized(engine: Engine, are_many: bool, selected: &Selected<'_>, sort: Option<Sort>) -> Self {
        let mut values = Values::default();
        let conditions = conditions(selected, engine, are_many, sort, &mut values);
        let driving = conditions.iter().position(|condition| condition.driver.is_some());
        Self { are_many, conditions, driving, are_few: false, are_all_large: false, values }
    }

    /// Chooses the index in which the fewest rows meet its condition. The planner cannot: it does not know the values,
    /// and a tag of half of all credentials would be read to its end for the three that are leaked.
    async fn drive_along_least(&mut self, store: &Store) -> Result<()> {
        let (mut driving, mut least) = (self.driving, MOST_SORTED);
        for (place, condition) in self.conditions.iter().enumerate() {
            let Some(driver) = &condition.driver else { continue };
            let size: i64 = Statement::from(self.estimate(condition, driver, least)).one(store).await?;
            if size < least {
                (driving, least) = (Some(place), size);
            }
        }
        (self.driving, self.are_few, self.are_all_large) = (driving, least <= FEW, least == MOST_SORTED);
        Ok(())
    }

    async fn read(&self, store: &Store, slice: &Slice<'_>) -> Result<Vec<Credential>> {
        if self.is_in_order() {
            return Statement::from(self.page(slice)).all(store).await;
        }
        let sorted = match self.are_all_large {
            true => self.page_merged(slice),
            false => self.page_along_index(slice),
        };
        let Some(sorted) = sorted else { return Statement::from(self.page(slice)).all(store).await };
        let scanned = if self.are_few { [].as_slice() } else { &SCANNED };
        for most in scanned {
            let page: Vec<Credential> = Statement::from(self.page_of_first(slice, *most)).all(store).await?;
            if page.len() as i64 == slice.limit {
                return Ok(page);
            }
        }
        Statement::from(sorted).all(store).await
    }

    /// Whether one condition has an index, and that index is in the order of the list. Then a page is its first rows.
    fn is_in_order(&self) -> bool {
        let mut indexed = self.conditions.iter().filter(|condition| condition.driver.is_some());
        matches!((indexed.next(), indexed.next()), (Some(only), None) if only.range.is_some())
    }

    /// About how many credentials meet a condition, at most `limit`: as many as are found without reading their rows.
    fn estimate(&self, condition: &Condition, driver: &Driver, limit: i64) -> ListStatement {
        let found = condition.by_creation.as_ref().or(driver.identifiers.as_ref());
        let (from, condition) = match found {
            Some(found) => (format!("({found}) AS found"), "1 = 1"),
            None => (driver.from.clone(), driver.condition.as_str()),
        };
        let mut values = self.values.clone();
        let limit = values.add(limit);
        values.of(format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM {from} WHERE {condition} LIMIT {limit}) AS t"))
    }

    /// The number of credentials that meet the condition of an index, at most `limit`. A search may find a credential
    /// by several of its texts.
    fn size(&self, Driver { from, condition, identifiers, .. }: &Driver, limit: i64) -> ListStatement {
        match identifiers {
            Some(found) => self.limited_count("id", &format!("({found}) AS found"), "1 = 1", limit),
            None => self.limited_count("client_id", from, condition, limit),
        }
    }

    /// The condition whose index is read, and the filters of the other conditions.
    fn along_index(&self) -> Option<(&Driver, String)> {
        let place = self.driving?;
        let driver = self.conditions.get(place)?.driver.as_ref()?;
        let others = self.conditions.iter().enumerate().filter(|(other, _)| *other != place);
        let filters = others.map(|(_, condition)| format!(" AND {}", condition.filter));
        Some((driver, filters.collect()))
    }

    fn filters(&self) -> String {
        let filters = self.conditions.iter().map(|condition| format!(" AND {}", condition.filter));
        format!("1 = 1{}", filters.collect::<String>())
    }

    /// The part of an index in the order of the list that has all rows of the list.
    fn range(&self) -> &str {
        self.conditions.iter().find_map(|condition| condition.range.as_deref()).unwrap_or("1 = 1")
    }

    /// The number of credentials in the list, found along an index, at most `limit`.
    fn count(&self, limit: i64) -> Option<ListStatement> {
        let (driver, filters) = self.along_index()?;
        Some(match self.conditions.as_slice() {
            [_] => self.size(driver, limit),
            _ => self.limited_count("client_id", &driver.from, &format!("{}{filters}", driver.condition), limit),
        })
    }

    /// The same for a list without a condition that has an index.
    fn count_of_filters(&self, limit: i64) -> ListStatement {
        self.limited_count("client_id", "credentials", &self.filters(), limit)
    }

    fn limited_count(&self, id: &str, from: &str, condition: &str, limit: i64) -> ListStatement {
        let mut values = self.values.clone();
        let limit = values.add(limit);
        values.of(format!(
            "SELECT COUNT(DISTINCT {id}) FROM (SELECT {id} FROM {from} WHERE {condition} LIMIT {limit}) AS t"
        ))
    }

    /// A page of the rows that an index finds.
    fn page_along_index(&self, slice: &Slice<'_>) -> Option<ListStatement> {
        let (Driver { from, condition, identifiers, names }, filters) = self.along_index()?;
        let mut values = self.values.clone();
        let (Order { key, direction, .. }, limit) = (Order::of(slice), values.add(slice.limit));
        let from = match (names, identifiers) {
            (Some(names), Some(others)) => format!(
                "(SELECT id FROM (SELECT client_id AS id FROM credentials
                      WHERE {names}{filters}{} ORDER BY {key} {direction}, client_id {direction} LIMIT {limit}) AS named
                  UNION ALL {others}) AS found CROSS JOIN credentials",
                beside(slice, key, "client_id", &mut values)
            ),
            _ => from.clone(),
        };
        Some(sorted(&from, &format!("{condition}{filters}"), slice, values))
    }

    /// A page of the rows that several indexes have. SQLite reads these side by side, each in the order of creation: it
    /// looks at hundreds of thousands of entries in the time in which it finds some thousand rows.
    fn page_merged(&self, slice: &Slice<'_>) -> Option<ListStatement> {
        let found: Vec<&str> =
            self.conditions.iter().filter_map(|condition| condition.by_creation.as_deref()).collect();
        let found_by_all = format!("{} ORDER BY at, id LIMIT {}", found.join(" INTERSECT "), i64::MAX);
        let from = format!("({found_by_all}) AS found CROSS JOIN credentials");
        let condition = format!("client_id = found.id AND {}", self.filters());
        (found.len() > 1).then(|| sorted(&from, &condition, slice, self.values.clone()))
    }

    /// A page of those of the first `most` credentials in the order of the list that meet the conditions.
    fn page_of_first(&self, slice: &Slice<'_>, most: i64) -> ListStatement {
        let mut values = self.values.clone();
        let Order { key, direction, .. } = Order::of(slice);
        let (range, beside) = (self.range(), beside(slice, key, "client_id", &mut values));
        let first = format!(
            "SELECT client_id AS id FROM credentials WHERE {range}{beside}
             ORDER BY {key} {direction}, client_id {direction} LIMIT {}",
            values.add(most)
        );
        let from = format!("({first}) AS found CROSS JOIN credentials");
        sorted(&from, &format!("client_id = found.id AND {}", self.filters()), slice, values)
    }

    /// A page of all credentials that meet the conditions, read in the order of the list.
    fn page(&self, slice: &Slice<'_>) -> ListStatement {
        let mut values = self.values.clone();
        let Order { key, direction, .. } = Order::of(slice);
        let (range, beside) = (self.range(), beside(slice, key, "client_id", &mut values));
        let limit = values.add(slice.limit);
        values.of(format!(
            "SELECT {COLUMNS} FROM credentials WHERE {range} AND {}{beside}
             ORDER BY {key} {direction}, client_id {direction} LIMIT {limit}",
            self.filters()
        ))
    }
}

/// A page of the credentials in `from` that meet the condition. They are sorted by their keys alone; the rest of a row
/// is read when the page shows it. SQLite reads the tables of a CROSS JOIN in this order. The greatest limit keeps the
/// planner from reading an index in the order of the list instead.
fn sorted(from: &str, condition: &str, slice: &Slice<'_>, mut values: Values) -> ListStatement {
    let Order { key, direction, .. } = Order::of(slice);
    let (beside, limit) = (beside(slice, "place", "chosen", &mut values), values.add(slice.limit));
    let found = format!("SELECT client_id AS chosen, {key} AS place FROM {from} WHERE {condition} LIMIT {}", i64::MAX);
    let chosen = format!(
        "SELECT DISTINCT chosen, place FROM ({found}) AS found WHERE 1 = 1{beside}
         ORDER BY place {direction}, chosen {direction} LIMIT {limit}"
    );
    values.of(format!(
        "SELECT {COLUMNS} FROM ({chosen}) AS page CROSS JOIN credentials WHERE client_id = page.chosen
         ORDER BY {key} {direction}, client_id {direction}"
    ))
}

/// The order in which a statement reads.
struct Order {
    key: &'static str,
    is_number: bool,
    comparison: &'static str,
    direction: &'static str,
}

impl Order {
    fn of(slice: &Slice<'_>) -> Self {
        let (key, is_number, ascends) = match slice.sort {
            Sort::Created => ("created_at", true, false),
            Sort::Name => ("search_text", false, true),
            Sort::LastUsed => (LAST_USE, true, false),
            Sort::Ends => (END, true, true),
        };
        let ascends = ascends != (slice.reversed != slice.backward);
        let (comparison, direction) = if ascends { (">", "ASC") } else { ("<", "DESC") };
        Self { key, is_number, comparison, direction }
    }
}

/// The condition for the rows beyond the cursor, by the names of the key and of the client ID. The first page has none:
/// a condition that may be absent would keep an index from being used.
fn beside(slice: &Slice<'_>, key: &str, id: &str, values: &mut Values) -> String {
    let Some(cursor) = slice.beside else { return String::new() };
    let Order { is_number, comparison, .. } = Order::of(slice);
    let last = match is_number {
        // The list wrote the key itself.
        true => values.add(cursor.key.parse::<i64>().unwrap_or_default()),
        false => values.add(cursor.key.as_str()),
    };
    let last_id = values.add(cursor.client_id.as_str());
    // SQLite does not begin at a pair in an index of expressions, but at its first half.
    format!(" AND {key} {comparison}= {last} AND ({key}, {id}) {comparison} ({last}, {last_id})")
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
    let condition = |condition: &Condition| match &condition.range {
        Some(range) => format!(" AND {range}"),
        None => format!(" AND {}", condition.filter),
    };
    let filters = conditions.iter().map(condition).collect::<String>();
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
    let statements = Statements::sized(store.engine(), true, &selected, None);
    let count = statements.count(i64::MAX).unwrap_or_else(|| statements.count_of_filters(i64::MAX));
    Statement::from(count).one(store).await
}

/// Each value of an indexed column, at most `$1`. Each step finds the next value in the index. A DISTINCT would read
/// the rows of all credentials.
macro_rules! each_value {
    ($table:literal, $column:literal) => {
        concat!(
            "WITH RECURSIVE each(value) AS (SELECT ",
            each_value!(@after "''", $table, $column),
            " UNION ALL SELECT ",
            each_value!(@after "each.value", $table, $column),
            " FROM each WHERE each.value IS NOT NULL)"
        )
    };
    (@after $value:literal, $table:literal, $column:literal) => {
        concat!("(SELECT MIN(", $column, ") FROM ", $table, " WHERE ", $column, " > ", $value, ")")
    };
}

/// The tags of the credentials that the key `$2` sees, at most `$1`.
const TAGS: &str = concat!(
    each_value!("credential_tags", "tag"),
    " SELECT value FROM each WHERE value IS NOT NULL AND ($2 IS NULL OR EXISTS (
          SELECT 1 FROM credential_tags AS t JOIN credentials AS c ON c.client_id = t.client_id
          WHERE t.tag = each.value AND c.team_id IN ",
    team::of!("$2"),
    ")) LIMIT $1"
);

/// The owners of the credentials that the key `$2` sees, at most `$1`.
const OWNERS: &str = concat!(
    each_value!("credentials", "owner_id"),
    " SELECT p.id AS id, p.name AS name FROM each JOIN people AS p ON p.id = each.value
      WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM credentials AS c WHERE c.owner_id = p.id AND c.team_id IN ",
    team::of!("$2"),
    ") ORDER BY p.name, p.id LIMIT $1"
);

/// The tags of the credentials that `key` sees, at most `most`.
pub(crate) async fn tags(store: &Store, key: Option<&str>, most: i64) -> Result<Vec<String>> {
    sql!(TAGS; most, key).about("credential_tags").all(store).await
}

/// The owners of the credentials that `key` sees, with their names, at most `most`.
pub(crate) async fn owners(store: &Store, key: Option<&str>, most: i64) -> Result<Vec<(PersonId, String)>> {
    sql!(OWNERS; most, key).about("people").all(store).await
}
