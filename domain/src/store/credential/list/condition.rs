//! What restricts a list: each condition in two forms, one that an index finds and one that filters rows.

use crate::base::clock::Timestamp;
use crate::base::id::McpServerId;
use crate::model::credential::query::{OwnedBy, Section, Show, Sort};
use crate::store::columns::{Parameter, ParameterValue};
use crate::store::credential::contains_pattern;
use crate::store::credential::list::Selected;
use crate::store::person::team;
use crate::store::{Engine, Statement};

/// The clients with an imported secret that was not rotated. A secret of ours has a hint.
pub(super) const IMPORTED: &str =
    "SELECT client_id FROM client_secrets WHERE hint = '' AND revoked_at IS NULL AND retires_at IS NULL";
const NEVER: &str = "9223372036854775807";
pub(super) const END: &str = "COALESCE(ends_at, 9223372036854775807)";
pub(super) const LAST_USE: &str = "COALESCE(last_used_at, 0)";
const NOT_STOPPED: &str = "revoked_at IS NULL AND disabled_at IS NULL";
/// The characters that are stored of a secret.
const HINT_LENGTH: usize = 4;

/// The values of a statement's parameters. The text of the statement names a value as [`Values::add`] returned it.
#[derive(Default, Clone)]
pub(super) struct Values(Vec<Value>);

/// One of them.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
}

impl Parameter for Value {
    fn value(&self) -> ParameterValue<'_> {
        match self {
            Self::Text(text) => ParameterValue::Text(Some(text.into())),
            Self::Number(number) => ParameterValue::Number(Some(*number)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Number(moment.millis())
    }
}

impl Values {
    /// Adds a value. Returns the parameter that stands for it.
    pub(super) fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// The statement with this text, which is composed of constants of this folder. It has only the values that the
    /// text names: PostgreSQL must not see one text with parameters of other types.
    pub(super) fn of(self, text: String) -> ListStatement {
        let mut parts = text.split('$');
        let mut renumbered = parts.next().unwrap_or_default().to_owned();
        let mut named = Vec::new();
        for part in parts {
            let (number, rest) = part.split_at(part.find(|at: char| !at.is_ascii_digit()).unwrap_or(part.len()));
            let place = named.iter().position(|known| *known == number).unwrap_or_else(|| {
                named.push(number);
                named.len() - 1
            });
            renumbered += &format!("${}{rest}", place + 1);
        }
        let value = |number: &&str| self.0.get(number.parse::<usize>().ok()?.checked_sub(1)?).cloned();
        ListStatement { values: Self(named.iter().filter_map(value).collect()), text: renumbered }
    }
}

/// A statement of the list. Every value is a parameter.
pub(super) struct ListStatement {
    pub text: String,
    pub values: Values,
}

impl From<ListStatement> for Statement {
    fn from(ListStatement { text, values }: ListStatement) -> Self {
        values.0.iter().fold(Self::composed(text), |statement, value| statement.bind(value)).about("credentials")
    }
}

/// The rows that an index finds: the tables, in the order in which they are read, and the condition.
pub(super) struct Driver {
    pub from: String,
    pub condition: String,
    /// A subquery that finds the identifiers of the same credentials as `id`, for a count that needs no row of them.
    pub identifiers: Option<String>,
    /// In the order of names: the range of names that also have the condition. A page needs only the first of them,
    /// and they are not in `identifiers`.
    pub names: Option<String>,
}

impl Driver {
    /// Credentials that meet a condition that has an index.
    fn of_credentials(condition: impl Into<String>) -> Self {
        Self { from: "credentials".to_owned(), condition: condition.into(), identifiers: None, names: None }
    }

    /// Credentials whose identifiers a subquery finds as `id`. SQLite reads the tables of a CROSS JOIN in this order.
    fn of_found(subquery: &str) -> Self {
        Self {
            from: format!("({subquery}) AS found CROSS JOIN credentials"),
            condition: "client_id = found.id".to_owned(),
            identifiers: Some(subquery.to_owned()),
            names: None,
        }
    }
}

/// A condition in its forms.
pub(super) struct Condition {
    /// For an index, if there is one.
    pub driver: Option<Driver>,
    /// For rows that another index finds. It is written so that the planner uses it only as a filter: the planner does
    /// not know which of two indexes finds fewer rows.
    pub filter: String,
    /// What begins and ends the part of an index in the order of the list that has all rows of the condition.
    pub range: Option<String>,
    /// A statement that finds all rows of the condition, and perhaps others, in the order of creation: their moments of
    /// creation as `at`, and their identifiers as `id`. It reads an index alone.
    pub by_creation: Option<String>,
}

/// See [`Condition::by_creation`].
fn by_creation(from: &str, condition: &str) -> Option<String> {
    Some(format!("SELECT created_at AS at, client_id AS id FROM {from} WHERE {condition}"))
}

impl Condition {
    fn filter(filter: impl Into<String>) -> Self {
        Self { driver: None, filter: filter.into(), range: None, by_creation: None }
    }

    fn new(driver: Driver, filter: impl Into<String>) -> Self {
        Self { driver: Some(driver), filter: filter.into(), range: None, by_creation: None }
    }
}

/// The parameters of the moments that conditions compare with.
pub(super) struct MomentParameters {
    now: String,
    soon: String,
    idle_since: String,
}

impl MomentParameters {
    pub(super) fn add(selected: &Selected<'_>, values: &mut Values) -> Self {
        Self {
            now: values.add(selected.moments.now),
            soon: values.add(selected.moments.soon),
            idle_since: values.add(selected.moments.idle_since),
        }
    }

    pub(super) fn working(&self) -> String {
        format!("{NOT_STOPPED} AND (ends_at IS NULL OR ends_at > {})", self.now)
    }

    /// The condition of a [`Show`], as a filter.
    pub(super) fn shown(&self, show: Show) -> String {
        let (Self { now, soon, idle_since }, working) = (self, self.working());
        match show {
            Show::All => "1 = 1".to_owned(),
            Show::Leaked => format!("{working} AND COALESCE(leak_ends_at, 0) > {now}"),
            Show::InUse => format!("{working} AND verified_at IS NOT NULL"),
            Show::Unverified => format!("{working} AND verified_at IS NULL"),
            Show::Expiring => format!("{working} AND ends_at <= {soon}"),
            Show::Rotating => format!("{working} AND COALESCE(rotation_ends_at, 0) > {now}"),
            Show::Imported => {
                format!("{working} AND EXISTS ({IMPORTED} AND client_secrets.client_id = credentials.client_id)")
            }
            Show::NeverExpires => format!("{NOT_STOPPED} AND ends_at IS NULL"),
            Show::Idle => format!("{working} AND (last_used_at IS NULL OR last_used_at < {idle_since})"),
            Show::Disabled => {
                format!("revoked_at IS NULL AND disabled_at IS NOT NULL AND (ends_at IS NULL OR ends_at > {now})")
            }
            Show::Expired => format!("revoked_at IS NULL AND ends_at <= {now}"),
            Show::Revoked => "revoked_at IS NOT NULL".to_owned(),
        }
    }

    /// See [`Condition::range`].
    fn range(&self, show: Show, sort: Sort) -> Option<String> {
        let Self { now, soon, idle_since } = self;
        Some(match (sort, show) {
            // A separate index holds exactly these credentials, in the order of creation.
            (Sort::Created, Show::InUse) => format!("{NOT_STOPPED} AND verified_at IS NOT NULL"),
            (Sort::Created, Show::Unverified) => format!("{NOT_STOPPED} AND verified_at IS NULL"),
            (Sort::Created, Show::Disabled) => "revoked_at IS NULL AND disabled_at IS NOT NULL".to_owned(),
            (Sort::Created, Show::Revoked) => "revoked_at IS NOT NULL".to_owned(),
            (Sort::Created, Show::NeverExpires) => format!("{NOT_STOPPED} AND ends_at IS NULL"),
            (Sort::Ends, Show::Expiring) => format!("{END} > {now} AND {END} <= {soon}"),
            (Sort::Ends, Show::NeverExpires) => format!("{END} >= {NEVER}"),
            (Sort::Ends, Show::Expired) => format!("{END} <= {now}"),
            (Sort::Ends, show) if show != Show::All && show != Show::Revoked => format!("{END} > {now}"),
            // The first exchange sets both moments.
            (Sort::LastUsed, Show::InUse) => format!("{LAST_USE} > 0"),
            (Sort::LastUsed, Show::Unverified) => format!("{LAST_USE} <= 0"),
            (Sort::LastUsed, Show::Idle) => format!("{LAST_USE} < {idle_since}"),
            _ => return None,
        })
    }

    /// The same in the form that an index finds.
    fn driver(&self, show: Show, engine: Engine) -> Option<Driver> {
        let (Self { now, soon, idle_since }, working) = (self, self.working());
        // A separate index holds exactly these credentials, in the order of creation. SQLite would prefer an index of
        // all credentials that has more of the columns.
        let along = |index: &str| Driver {
            from: match engine {
                Engine::Sqlite => format!("credentials INDEXED BY {index}"),
                Engine::Postgres => "credentials".to_owned(),
            },
            condition: self.shown(show),
            identifiers: None,
            names: None,
        };
        Some(match show {
            Show::All => return None,
            Show::Leaked => Driver::of_credentials(format!("{working} AND leak_ends_at > {now}")),
            Show::InUse => along("credentials_in_use"),
            Show::Unverified => along("credentials_unverified"),
            Show::Expiring => Driver::of_credentials(format!("{NOT_STOPPED} AND {END} > {now} AND {END} <= {soon}")),
            Show::Rotating => Driver::of_credentials(format!("{working} AND rotation_ends_at > {now}")),
            Show::Imported => Driver::of_credentials(format!("{working} AND client_id IN ({IMPORTED})")),
            Show::NeverExpires => along("credentials_endless"),
            Show::Idle => Driver::of_credentials(format!("{working} AND {LAST_USE} < {idle_since}")),
            Show::Disabled => along("credentials_disabled"),
            Show::Expired => Driver::of_credentials(format!("revoked_at IS NULL AND {END} <= {now}")),
            Show::Revoked => along("credentials_revoked"),
        })
    }

    fn of_show(&self, show: Show, sort: Option<Sort>, engine: Engine) -> Condition {
        let range = sort.and_then(|sort| self.range(show, sort));
        let by_creation = match show {
            // An index by end has the moment of creation too. The rows are sorted by it.
            Show::Expiring | Show::Expired => {
                self.range(show, Sort::Ends).and_then(|range| by_creation("credentials", &range))
            }
            _ => self.range(show, Sort::Created).and_then(|range| by_creation("credentials", &range)),
        };
        Condition { driver: self.driver(show, engine), filter: self.shown(show), range, by_creation }
    }

    /// The credentials that are in no other section. A subquery, because it needs no column of the rows that are read.
    fn not_leaked(&self) -> String {
        format!(
            "client_id NOT IN (SELECT client_id FROM credentials WHERE {} AND leak_ends_at > {})",
            self.working(),
            self.now
        )
    }
}

/// A text that is greater than every text that begins with `part`.
fn after_beginning(part: &str) -> String {
    format!("{part}{}", char::MAX)
}

/// The last characters of a secret in a search: `2nr7`, `…2nr7`, `css_…2nr7`.
fn hint(search: &str) -> Option<&str> {
    let hint = search.strip_prefix("css_").unwrap_or(search).trim_start_matches(['…', '.']);
    (hint.len() == HINT_LENGTH && hint.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(hint)
}

/// Any part of a name, of a client ID or of a tag, or the last characters of a secret.
fn containing(search: &str, values: &mut Values) -> Condition {
    let pattern = values.add(contains_pattern(search));
    let of_secret = hint(search).map(|hint| {
        let hint = values.add(hint);
        format!(" OR client_id IN (SELECT client_id FROM client_secrets WHERE hint = {hint})")
    });
    Condition::filter(format!(
        "(search_text LIKE {pattern} ESCAPE '\\'
          OR client_id IN (SELECT client_id FROM credential_tags WHERE tag LIKE {pattern} ESCAPE '\\'){})",
        of_secret.unwrap_or_default()
    ))
}

/// The beginning of a name or of a client ID, a whole tag, or the last characters of a secret.
fn beginning(search: &str, sort: Option<Sort>, values: &mut Values) -> Condition {
    let lower = search.to_lowercase();
    let (first, last) = (values.add(lower.as_str()), values.add(after_beginning(&lower)));
    let (first_id, last_id) = (values.add(search), values.add(after_beginning(search)));
    let names = format!("search_text >= {first} AND search_text < {last}");
    let mut found = format!(
        "SELECT client_id AS id FROM credentials WHERE client_id >= {first_id} AND client_id < {last_id}
         UNION ALL SELECT client_id FROM credential_tags WHERE tag = {first}"
    );
    let mut filter = format!(
        "(search_text || '' >= {first} AND search_text || '' < {last})
         OR (client_id || '' >= {first_id} AND client_id || '' < {last_id})
         OR EXISTS (SELECT 1 FROM credential_tags AS t WHERE t.client_id = credentials.client_id AND t.tag = {first})"
    );
    if let Some(hint) = hint(search) {
        let hint = values.add(hint);
        found += &format!(" UNION ALL SELECT client_id FROM client_secrets WHERE hint = {hint}");
        filter += &format!(
            " OR EXISTS (SELECT 1 FROM client_secrets AS s WHERE s.client_id = credentials.client_id
                         AND s.hint || '' = {hint})"
        );
    }
    let driver = match sort {
        Some(Sort::Name) => Driver { names: Some(names), ..Driver::of_found(&found) },
        _ => Driver::of_found(&format!("SELECT client_id AS id FROM credentials WHERE {names} UNION ALL {found}")),
    };
    Condition::new(driver, format!("({filter})"))
}

fn of_tag(tag: &str, values: &mut Values) -> Condition {
    let tag = values.add(tag);
    let found = format!("SELECT client_id AS id FROM credential_tags WHERE tag = {tag}");
    let has = "SELECT 1 FROM credential_tags AS t WHERE t.client_id = credentials.client_id AND t.tag";
    let condition = Condition::new(Driver::of_found(&found), format!("EXISTS ({has} = {tag})"));
    Condition { by_creation: by_creation("credential_tags", &format!("tag = {tag}")), ..condition }
}

/// The credentials of a server, together with what `show` says about revoked credentials.
fn of_server(server: &McpServerId, show: Show, values: &mut Values) -> Condition {
    let server = values.add(server.as_str());
    let revoked = match show {
        Show::All => "IN (0, 1)",
        Show::Revoked => "= 1",
        _ => "= 0",
    };
    let listed = format!("server_id = {server} AND scope = '' AND revoked {revoked}");
    let found = format!("SELECT client_id AS id FROM credential_access WHERE {listed}");
    // The whole key, so that one row is read.
    let has = "SELECT 1 FROM credential_access AS s WHERE s.scope = '' AND s.revoked IN (0, 1)
         AND s.team_id = credentials.team_id AND s.created_at = credentials.created_at
         AND s.client_id = credentials.client_id AND s.server_id";
    let condition = Condition::new(Driver::of_found(&found), format!("EXISTS ({has} = {server})"));
    Condition { by_creation: by_creation("credential_access", &listed), ..condition }
}

/// The conditions of a list. A condition that few credentials meet comes first. `sort`: without one, the rows are
/// counted and need no order.
pub(super) fn conditions(
    selected: &Selected<'_>,
    engine: Engine,
    by_beginning: bool,
    sort: Option<Sort>,
    values: &mut Values,
) -> Vec<Condition> {
    let mut all = Vec::new();
    // The first parameter, because this macro needs its number.
    let teams = selected.key.map(|key| {
        values.add(key);
        team::of!("$1")
    });
    let moments = MomentParameters::add(selected, values);
    // An index has these columns together with the moment of creation, and one has the team with the name.
    let column = |name: &str, parameter: &str, ordered: &[Sort]| {
        let condition = format!("{name} = {parameter}");
        Condition {
            driver: Some(Driver::of_credentials(condition.as_str())),
            filter: format!("COALESCE({name}, '') = {parameter}"),
            by_creation: by_creation("credentials", &condition),
            range: sort.is_none_or(|sort| ordered.contains(&sort)).then_some(condition),
        }
    };
    if selected.section == Some(Section::Leaked) {
        all.push(moments.of_show(Show::Leaked, sort, engine));
    }
    if let Some(search) = selected.search {
        all.push(if by_beginning { beginning(search, sort, values) } else { containing(search, values) });
    }
    if let Some(tag) = selected.tag {
        all.push(of_tag(tag, values));
    }
    match selected.owner {
        None => {}
        Some(OwnedBy::Person(owner)) => {
            let owner = values.add(owner.as_str());
            all.push(column("owner_id", &owner, &[Sort::Created]));
        }
        Some(OwnedBy::Nobody) => {
            let condition = "owner_id IS NULL".to_owned();
            all.push(Condition {
                driver: Some(Driver::of_credentials(condition.as_str())),
                filter: "COALESCE(owner_id, '') = ''".to_owned(),
                by_creation: by_creation("credentials", &condition),
                range: sort.is_none_or(|sort| sort == Sort::Created).then_some(condition),
            });
        }
    }
    if selected.show != Show::All {
        all.push(moments.of_show(selected.show, sort, engine));
    }
    if let Some(server) = selected.server {
        all.push(of_server(server, selected.show, values));
    }
    if let Some(method) = selected.method {
        let method = values.add(method.as_str());
        all.push(column("auth_method", &method, &[Sort::Created]));
    }
    if let Some(team) = selected.team {
        let team = values.add(team.as_str());
        all.push(column("team_id", &team, &[Sort::Created, Sort::Name]));
    }
    if let Some(teams) = teams {
        let condition = format!("team_id IN {teams}");
        all.push(Condition {
            driver: Some(Driver::of_credentials(condition.as_str())),
            filter: format!("COALESCE(team_id, '') IN {teams}"),
            // An index of teams does not have the rows of several teams in one order.
            range: sort.is_none().then_some(condition),
            by_creation: None,
        });
    }
    if selected.section == Some(Section::Others) {
        all.push(Condition::filter(moments.not_leaked()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_secret_is_read_as_pages_write_it() {
        for search in ["2nr7", "…2nr7", "css_…2nr7", "css_2nr7", "...2nr7"] {
            assert_eq!(hint(search), Some("2nr7"), "{search}");
        }
        for search in ["", "css_", "job", "12345", "a-b1", "ünr7"] {
            assert_eq!(hint(search), None, "{search}");
        }
    }
}
