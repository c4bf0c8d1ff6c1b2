//! From rows to types, and from types to parameters.

use std::time::Duration;

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::base::clock::Timestamp;
use crate::store::engine::Engine;
use crate::store::error::StoreError;

/// Reads one row's columns into domain types.
pub(crate) struct Columns<'row> {
    table: &'static str,
    row: &'row AnyRow,
}

impl<'row> Columns<'row> {
    pub(crate) fn of(table: &'static str, row: &'row AnyRow) -> Self {
        Self { table, row }
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(crate) fn number(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(crate) fn optional_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(crate) fn moment(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.number(column)?))
    }

    pub(crate) fn optional_moment(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
    }

    /// A column whose text `parse` must accept.
    pub(crate) fn parsed<T>(&self, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| self.inconsistent(format!("{column} is {text:?}")))
    }

    /// A column that is NULL, or whose text `parse` must accept.
    pub(crate) fn optional_parsed<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        self.optional_text(column)?
            .map(|text| parse(&text).ok_or_else(|| self.inconsistent(format!("{column} is {text:?}"))))
            .transpose()
    }

    /// A column that holds a JSON list of texts, each of which `parse` must accept.
    pub(crate) fn parsed_list<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StoreError> {
        self.json::<Vec<String>>(column)?
            .iter()
            .map(|text| parse(text).ok_or_else(|| self.inconsistent(format!("{column} holds {text:?}"))))
            .collect()
    }

    /// A column that is NULL, or holds a whole number of seconds.
    pub(crate) fn optional_seconds(&self, column: &str) -> Result<Option<Duration>, StoreError> {
        self.optional_number(column)?
            .map(|seconds| match u64::try_from(seconds) {
                Ok(seconds) => Ok(Duration::from_secs(seconds)),
                Err(_) => Err(self.inconsistent(format!("{column} is {seconds}"))),
            })
            .transpose()
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.inconsistent(format!("{column}: {error}")))
    }

    /// The fault of this row, which it names by the identifier that was read.
    pub(crate) fn inconsistent(&self, detail: String) -> StoreError {
        let id = ["id", "client_id", "jti", "kid", "person_id"]
            .into_iter()
            .find_map(|column| self.row.try_get::<Option<String>, _>(column).ok().flatten());
        let row = id.map_or_else(String::new, |id| format!(" (row {id:?})"));
        StoreError::Inconsistent { table: self.table, detail: format!("{detail}{row}") }
    }
}

/// The aggregate that turns all rows into one JSON list, in which each row is the list of these columns.
pub(crate) fn list(engine: Engine, columns: &str) -> String {
    match engine {
        Engine::Sqlite => format!("json_group_array(json_array({columns}))"),
        Engine::Postgres => format!("CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT)"),
    }
}

/// A list or an object as JSON text. Callers pass strings, numbers and lists of them only, which JSON can always
/// represent.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(crate) fn millis(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::millis)
}
