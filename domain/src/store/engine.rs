//! The kinds of databases, and where their SQL differs.

/// The database's kind, where statements differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one writer.
    Sqlite,
    /// A server that several processes share.
    Postgres,
}

impl Engine {
    /// The elements of the JSON list in this parameter, as rows of a table `name` with a column `value`. Read the parts
    /// of an element with `->>`, and cast numbers.
    pub(crate) fn elements(self, parameter: &str, name: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({parameter}) AS {name}"),
            Self::Postgres => format!("jsonb_array_elements(CAST({parameter} AS JSONB)) AS {name}(value)"),
        }
    }

    /// The condition that the column `scopes`, a list with spaces, has one of the scopes of the list in this parameter;
    /// true without a list.
    pub(crate) fn has_one_of(self, scopes: &str, parameter: &str) -> String {
        let asked = self.elements(parameter, "asked");
        format!(
            "(CAST({parameter} AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM {asked}
              WHERE REPLACE(' ' || {scopes} || ' ', ' ' || (asked.value ->> 0) || ' ', '') <> ' ' || {scopes} || ' '))"
        )
    }

    /// Ends a subquery that picks rows to change, if it does not matter which rows are picked. Rows that another
    /// transaction is changing are skipped.
    pub(crate) fn leaving_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}
