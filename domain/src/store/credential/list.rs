//! The list of credentials and its counts. A page is read along an index, even if there are very many credentials.

use crate::base::id::TeamId;
use crate::model::credential::Credential;
use crate::model::credential::query::{Counts, CredentialCursor, Moments, Show, Sort};
use crate::store::credential::{COLUMNS, contains_pattern};
use crate::store::person::team;
use crate::store::{Engine, FromRow, Result, Store, composed_sql, row, sql, to_json};

const WORKING: &str = "revoked_at IS NULL AND disabled_at IS NULL AND (ends_at IS NULL OR ends_at > $2)";

/// The condition for the owners of the credentials, with the parameters `$8` (see
/// [`Authority::key`](crate::model::person::authority::Authority)) and `$9` (a team). Without a key
/// or a team no condition is added, so that the index of the other one can be used.
fn owned(key: Option<&str>, team: Option<&TeamId>) -> &'static str {
    match (key, team) {
        (None, None) => "$8 IS NULL AND $9 IS NULL",
        (Some(_), None) => concat!("$9 IS NULL AND team_id IN ", team::of!("$8")),
        (None, Some(_)) => "$8 IS NULL AND team_id = $9",
        (Some(_), Some(_)) => concat!("team_id = $9 AND team_id IN ", team::of!("$8")),
    }
}

/// The selection of [`list`].
pub(crate) struct Selected<'query> {
    pub key: Option<&'query str>,
    pub team: Option<&'query TeamId>,
    pub search: Option<&'query str>,
    pub show: Show,
    pub sort: Sort,
    pub after: Option<&'query CredentialCursor>,
}

/// With more credentials than this a search compares beginnings, which an index finds. With fewer it finds any part of
/// a name.
const MANY: i64 = 20_000;
/// If at most this many rows match, they are found by the index of the condition and sorted. If more rows match, a scan
/// in the order of the list soon finds a full page. With the wrong choice, the database reads the whole table.
const FEW: i64 = 1000;

/// A condition in two forms: for an index, and as a filter.
struct Condition {
    /// The condition, written so that the database uses its index; [`None`] without such an index.
    indexed: Option<String>,
    /// An index with only the matching rows. SQLite would prefer an index of all credentials that has more of the
    /// columns.
    index: Option<&'static str>,
    /// A filter for rows that come in the order of the list. It is written so that the planner uses it only as a
    /// filter.
    filter: String,
}

impl Condition {
    /// The condition of a [`Show`], with the moments in `$2`, `$3` and `$4`: see [`Moments`].
    fn of_show(show: Show) -> Self {
        const NOT_STOPPED: &str = "revoked_at IS NULL AND disabled_at IS NULL";
        match show {
            Show::All => Self::filter("1 = 1"),
            Show::InUse => Self::alike("credentials_in_use", format!("{WORKING} AND verified_at IS NOT NULL")),
            Show::Unverified => Self::alike("credentials_unverified", format!("{WORKING} AND verified_at IS NULL")),
            Show::Expiring => Self::differing(
                format!("{NOT_STOPPED} AND {END} > $2 AND {END} <= $3"),
                format!("{WORKING} AND ends_at <= $3"),
            ),
            Show::Rotating => Self::differing(
                format!("{WORKING} AND rotation_ends_at > $2"),
                format!("{WORKING} AND COALESCE(rotation_ends_at, 0) > $2"),
            ),
            Show::Imported => Self::differing(
                format!("{WORKING} AND client_id IN ({IMPORTED})"),
                format!("{WORKING} AND EXISTS ({IMPORTED} AND client_secrets.client_id = credentials.client_id)"),
            ),
            Show::NeverExpires => {
                Self::differing(format!("{NOT_STOPPED} AND {END} = {NEVER}"), format!("{WORKING} AND ends_at IS NULL"))
            }
            Show::Idle => Self::differing(
                format!("{WORKING} AND {LAST_USE} < $4"),
                format!("{WORKING} AND (last_used_at IS NULL OR last_used_at < $4)"),
            ),
            Show::Disabled => Self::alike(
                "credentials_disabled",
                "revoked_at IS NULL AND disabled_at IS NOT NULL AND (ends_at IS NULL OR ends_at > $2)".to_owned(),
            ),
            Show::Expired => Self::differing(
                format!("revoked_at IS NULL AND {END} <= $2"),
                "revoked_at IS NULL AND ends_at <= $2".to_owned(),
            ),
            Show::Revoked => Self::alike("credentials_revoked", "revoked_at IS NOT NULL".to_owned()),
        }
    }

    /// The condition for names and client IDs that begin with `$1` (and so are before `$10`).
    fn of_beginning() -> Self {
        Self::differing(
            "((search_text >= $1 AND search_text < $10) OR (client_id >= $11 AND client_id < $12))".to_owned(),
            "((search_text || '' >= $1 AND search_text || '' < $10)
              OR (client_id || '' >= $11 AND client_id || '' < $12))"
                .to_owned(),
        )
    }

    /// Without an index.
    fn filter(filter: &str) -> Self {
        Self { indexed: None, index: None, filter: filter.to_owned() }
    }

    /// With a separate index that holds exactly these credentials, in the order of creation.
    fn alike(index: &'static str, text: String) -> Self {
        Self { indexed: Some(text.clone()), index: Some(index), filter: text }
    }

    fn differing(indexed: String, filter: String) -> Self {
        Self { indexed: Some(indexed), index: None, filter }
    }
}

/// The clients with an imported secret that was not rotated. A secret of ours has a hint.
const IMPORTED: &str =
    "SELECT client_id FROM client_secrets WHERE hint = '' AND revoked_at IS NULL AND retires_at IS NULL";
const NEVER: &str = "9223372036854775807";
const END: &str = "COALESCE(ends_at, 9223372036854775807)";
const LAST_USE: &str = "COALESCE(last_used_at, 0)";

/// A text that is greater than every text that begins with `part`.
fn after_beginning(part: &str) -> String {
    format!("{part}{}", char::MAX)
}

/// One page. The statements are built from the constants in this file only; every value is a parameter.
pub(crate) async fn list(
    store: &Store,
    selected: &Selected<'_>,
    moments: &Moments,
    limit: i64,
) -> Result<Vec<Credential>> {
    let by_beginning = selected.search.is_some() && are_many(store).await?;
    let shown = Condition::of_show(selected.show);
    let searched = match selected.search {
        None => Condition::filter("$1 IS NULL"),
        Some(_) if by_beginning => Condition::of_beginning(),
        Some(_) => Condition::filter("search_text LIKE $1 ESCAPE '\\'"),
    };
    let list = List { store, selected, moments, limit, by_beginning };
    let indexed = match (&searched.indexed, &shown.indexed) {
        (Some(indexed), _) => Some((format!("{indexed} AND {}", shown.filter), searched.index)),
        (None, Some(indexed)) => Some((format!("{indexed} AND {}", searched.filter), shown.index)),
        (None, None) => None,
    };
    if let Some((indexed, index)) = indexed {
        let found: Vec<String> = list.rows(&list.matching(&indexed, index), list.first_parameter()).await?;
        if found.len() as i64 <= FEW {
            let found: Vec<[String; 1]> = found.into_iter().map(|id| [id]).collect();
            return list.rows(&list.page_of_found(), Some(to_json(&found))).await;
        }
    }
    let filter = format!("{} AND {}", searched.filter, shown.filter);
    list.rows(&list.page("credentials", &filter), list.first_parameter()).await
}

/// Whether there are too many credentials for a search that reads all of them, and for a page that waits for counts.
pub(crate) async fn are_many(store: &Store) -> Result<bool> {
    sql!("SELECT 1 FROM credentials LIMIT 1 OFFSET $1"; MANY).exists(store).await
}

/// The statements of one list, which share their parameters.
struct List<'query> {
    store: &'query Store,
    selected: &'query Selected<'query>,
    moments: &'query Moments,
    limit: i64,
    by_beginning: bool,
}

impl List<'_> {
    /// The rows that match a condition, read along its index; at most one more than `FEW`.
    fn matching(&self, indexed: &str, index: Option<&str>) -> String {
        let owned = owned(self.selected.key, self.selected.team);
        let along = match (self.store.engine(), index) {
            (Engine::Sqlite, Some(index)) => format!("INDEXED BY {index}"),
            _ => String::new(),
        };
        format!("SELECT client_id FROM credentials {along} WHERE {indexed} AND {owned} LIMIT {FEW} + 1")
    }

    /// A page of the credentials in the parameter `$1`.
    fn page_of_found(&self) -> String {
        let found = self.store.engine().elements("$1", "found");
        self.page(&format!("{found} JOIN credentials ON client_id = found.value ->> 0"), "1 = 1")
    }

    /// A page of the rows of `from` that meet `condition`.
    fn page(&self, from: &str, condition: &str) -> String {
        // The parameter is always a text, also when it is compared with numbers: a statement is prepared with the
        // parameter types of its first use.
        let (key, last, comparison, direction) = match self.selected.sort {
            Sort::Created => ("created_at", "CAST($5 AS BIGINT)", "<", "DESC"),
            Sort::Name => ("search_text", "$5", ">", "ASC"),
            Sort::LastUsed => (LAST_USE, "CAST($5 AS BIGINT)", "<", "DESC"),
            Sort::Ends => (END, "CAST($5 AS BIGINT)", ">", "ASC"),
        };
        // The first page has no such condition: a condition that may be absent would keep an index from being used.
        let after = match self.selected.after {
            Some(_) => format!("({key}, client_id) {comparison} ({last}, $6)"),
            None => "$6 IS NULL".to_owned(),
        };
        format!(
            "SELECT {COLUMNS} FROM {from} WHERE {condition} AND {} AND {after}
             ORDER BY {key} {direction}, client_id {direction} LIMIT $7",
            owned(self.selected.key, self.selected.team)
        )
    }

    /// The value of the search, in the form that its condition compares.
    fn first_parameter(&self) -> Option<String> {
        self.selected.search.map(|search| match self.by_beginning {
            true => search.to_lowercase(),
            false => contains_pattern(search),
        })
    }

    /// Runs a statement whose parameter `$1` is `first`.
    async fn rows<T: FromRow>(&self, sql: &str, first: Option<String>) -> Result<Vec<T>> {
        let Selected { key: whose, team, search, after, .. } = *self.selected;
        let Moments { now, soon, idle_since } = self.moments;
        composed_sql!(
            "{sql}";
            first, now, soon, idle_since, after.map(|cursor| cursor.key.as_str()),
            after.map(|cursor| cursor.client_id.as_str()), self.limit, whose, team,
            search.map(|search| after_beginning(&search.to_lowercase())), search, search.map(after_beginning)
        )
        .all(self.store)
        .await
    }
}

row! { "credentials" => Counts { all = "everything", working, expiring, idle, never_expires, unverified, rotating, imported } }

pub(crate) async fn counts(store: &Store, key: Option<&str>, moments: &Moments) -> Result<Counts> {
    let count = |condition: &str| format!("CAST(COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)");
    let sql = format!(
        "SELECT COUNT(*) AS everything, {} AS working, {} AS expiring, {} AS idle, {} AS never_expires,
                {} AS unverified, {} AS rotating, {} AS imported FROM credentials WHERE $2 > 0 AND {}",
        count(WORKING),
        count(&format!("{WORKING} AND ends_at <= $3")),
        count(&format!("{WORKING} AND (last_used_at IS NULL OR last_used_at < $4)")),
        count(&format!("{WORKING} AND ends_at IS NULL")),
        count(&format!("{WORKING} AND verified_at IS NULL")),
        count(&format!("{WORKING} AND rotation_ends_at > $2")),
        count(&format!("{WORKING} AND client_id IN ({IMPORTED})")),
        if key.is_none() { "$1 IS NULL" } else { concat!("team_id IN ", team::of!("$1")) }
    );
    composed_sql!("{sql}"; key, moments.now, moments.soon, moments.idle_since).one(store).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans::Step;
    use crate::testing::Instance;

    const SHOWN: [Show; 11] = [
        Show::All,
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
    async fn plan(list: &List<'_>, sql: &str, first: Option<&str>) -> String {
        let engine = list.store.engine();
        let explain = match engine {
            Engine::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
            // PostgreSQL would read tables this small as a whole. The test asks whether it could use an index.
            Engine::Postgres => format!("EXPLAIN {sql}"),
        };
        let steps: Vec<Step> = list.rows(&explain, first.map(str::to_owned)).await.expect(sql);
        steps.into_iter().map(|step| step.0).collect::<Vec<_>>().join("\n")
    }

    /// Whether a plan reads the table from end to end, or sorts what it read.
    fn reads_everything(plan: &str) -> bool {
        plan.lines().any(|step| step.contains("SCAN credentials") && !step.contains("USING"))
            || plan.contains("Seq Scan on credentials")
    }

    fn sorts(plan: &str) -> bool {
        plan.contains("TEMP B-TREE FOR ORDER BY")
            || plan.lines().any(|step| step.trim_start().trim_start_matches("-> ").trim_start().starts_with("Sort "))
    }

    #[tokio::test]
    async fn every_list_is_read_along_an_index() {
        let instance = Instance::without_whole_reads().await;
        let store = &instance.context.store;
        let moments = Moments::at(instance.context.now());
        let cursor = CredentialCursor { key: "1".to_owned(), client_id: "csc_".to_owned() };
        let team = TeamId::first();
        for sort in [Sort::Created, Sort::Name, Sort::LastUsed, Sort::Ends] {
            for show in SHOWN {
                for (after, search, team) in [
                    (None, None, None),
                    (Some(&cursor), None, None),
                    (None, Some("night"), None),
                    (Some(&cursor), Some("night"), None),
                    (None, None, Some(&team)),
                ] {
                    let selected = Selected { key: None, team, search, show, sort, after };
                    let list = List {
                        store,
                        selected: &selected,
                        moments: &moments,
                        limit: 51,
                        by_beginning: search.is_some(),
                    };
                    let shown = Condition::of_show(show);
                    let searched = search.map(|_| Condition::of_beginning());
                    let name = format!("{sort:?} {show:?} {after:?} {search:?} {team:?}");

                    let by = searched.as_ref().unwrap_or(&shown);
                    if let Some(indexed) = &by.indexed {
                        let plan = plan(&list, &list.matching(indexed, by.index), search).await;
                        assert!(!reads_everything(&plan), "{name}: what matches\n{plan}");
                    }
                    let plan_of_found = plan(&list, &list.page_of_found(), Some("[]")).await;
                    assert!(!reads_everything(&plan_of_found), "{name}: the page of few\n{plan_of_found}");
                    let filter = searched.map_or("$1 IS NULL".to_owned(), |searched| searched.filter);
                    let plan =
                        plan(&list, &list.page("credentials", &format!("{filter} AND {}", shown.filter)), search).await;
                    // A team's credentials are indexed by creation and by name.
                    let in_order = team.is_none() || matches!(sort, Sort::Created | Sort::Name);
                    assert!(
                        !reads_everything(&plan) && (!in_order || !sorts(&plan)),
                        "{name}: the page of many\n{plan}"
                    );
                }
            }
        }
    }
}
