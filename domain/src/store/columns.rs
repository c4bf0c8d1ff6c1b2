//! Converts rows to types, and types to parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Column, Row};

use crate::base::clock::Timestamp;
use crate::base::id::{
    AppClientId, AuthenticatorId, ClientId, ConsentId, DeliveryId, FederatedIdentityId, InvitationId, KeyId,
    McpServerId, OpenIdLinkId, PasskeyId, PersonId, PersonalTokenId, RequestId, SecretId, SessionId, TeamId, TokenId,
    WebhookId,
};
use crate::crypto::keys::TokenAlgorithm;
use crate::crypto::password::StoredPassword;
use crate::crypto::public_key::PublicKey;
use crate::crypto::secret::SecretHash;
use crate::model::audit::Target;
use crate::model::client::consent::EndCause;
use crate::model::client::redirect_uri::RedirectUri;
use crate::model::client::refusal::AppRefusal;
use crate::model::client::{ClientKind, ClientState};
use crate::model::credential::AuthMethod;
use crate::model::credential::request::RequestState;
use crate::model::incident::record::Source;
use crate::model::operations::ChecklistMark;
use crate::model::person::authority::Role;
use crate::model::person::session::CookieHash;
use crate::model::server::gateway::ChangePolicy;
use crate::model::server::gateway::call::{CallKind, CallOutcome};
use crate::model::server::scope::Scopes;
use crate::model::token::Refusal;
use crate::model::webhook::{EventKind, WebhookFormat};
use crate::store::engine::Engine;
use crate::store::error::{Result, StoreError};

/// A row of either driver.
#[derive(Clone, Copy)]
pub(crate) enum StoredRow<'row> {
    Any(&'row AnyRow),
    /// See [`DirectReads`](crate::store::connection::direct::DirectReads).
    Direct(&'row rusqlite::Row<'row>),
}

impl<'row> From<&'row AnyRow> for StoredRow<'row> {
    fn from(row: &'row AnyRow) -> Self {
        Self::Any(row)
    }
}

impl<'row> From<&'row rusqlite::Row<'row>> for StoredRow<'row> {
    fn from(row: &'row rusqlite::Row<'row>) -> Self {
        Self::Direct(row)
    }
}

impl StoredRow<'_> {
    /// The value in the column of this name, if it is there.
    fn value<T: ColumnValue>(&self, column: &str) -> Result<Option<T>> {
        Ok(match self {
            Self::Any(row) => row.try_get(column)?,
            Self::Direct(row) => row.get(column)?,
        })
    }

    /// The name of the column at this place.
    fn name(&self, place: usize) -> Option<&str> {
        match self {
            Self::Any(row) => row.columns().get(place).map(Column::name),
            Self::Direct(row) => row.as_ref().column_name(place).ok(),
        }
    }
}

/// A type that the drivers know: a text or a number.
pub(crate) trait ColumnValue:
    for<'row> sqlx::Decode<'row, sqlx::Any> + sqlx::Type<sqlx::Any> + rusqlite::types::FromSql
{
}

impl ColumnValue for String {}
impl ColumnValue for i64 {}

/// Reads one row's columns into domain types.
pub(crate) struct Columns<'row> {
    table: &'static str,
    row: StoredRow<'row>,
}

impl<'row> Columns<'row> {
    pub(crate) fn of(table: &'static str, row: impl Into<StoredRow<'row>>) -> Self {
        Self { table, row: row.into() }
    }

    /// The value in the column of this name.
    pub(crate) fn get<T: FromColumn>(&self, column: &str) -> Result<T> {
        T::from_column(self, column)
    }

    /// The value in the column at this place, from 0.
    fn at<T: FromColumn>(&self, place: usize) -> Result<T> {
        self.get(self.row.name(place).ok_or(sqlx::Error::RowNotFound)?)
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.get::<String>(column)?)
            .map_err(|error| self.inconsistent(format!("{column}: {error}")))
    }

    /// The fault of this row, which it names by the identifier that was read.
    pub(crate) fn inconsistent(&self, detail: String) -> StoreError {
        let id = ["id", "client_id", "jti", "kid", "person_id", "server_id"]
            .into_iter()
            .find_map(|column| self.row.value::<String>(column).ok().flatten());
        let row = id.map_or_else(String::new, |id| format!(" (row {id:?})"));
        StoreError::Inconsistent { table: self.table, detail: format!("{detail}{row}") }
    }

    fn check<T: FromValue>(&self, column: &str, value: T::Value) -> Result<T> {
        T::from_value(value).map_err(|value| self.inconsistent(format!("{column} is {value}")))
    }
}

/// A row, or the columns of a row that make one value. [`row!`] implements it for a struct. A type that one column
/// holds is read from the first column, a tuple from the columns in their order.
pub(crate) trait FromRow: Sized {
    /// The table that a fault names; `None`: the statement says it.
    const TABLE: Option<&'static str> = None;

    fn from_row(columns: &Columns<'_>) -> Result<Self>;
}

/// Implements [`FromRow`] for a struct of a table. A field stands in the column of its own name, unless another one
/// follows `=`, or a function of the [`Columns`] follows `:`.
macro_rules! row {
    (@field $columns:ident, $field:ident) => { $columns.get(stringify!($field))? };
    (@field $columns:ident, $field:ident = $column:literal) => { $columns.get($column)? };
    (@field $columns:ident, $field:ident : $read:expr) => {{
        let read: fn(&$crate::store::columns::Columns<'_>) -> $crate::store::error::Result<_> = $read;
        read($columns)?
    }};
    ($table:literal => $row:path { $($field:ident $(= $column:literal)? $(: $read:expr)?),+ $(,)? }) => {
        impl $crate::store::columns::FromRow for $row {
            const TABLE: Option<&'static str> = Some($table);

            fn from_row(columns: &$crate::store::columns::Columns<'_>) -> $crate::store::error::Result<Self> {
                Ok(Self { $($field: row!(@field columns, $field $(= $column)? $(: $read)?)),+ })
            }
        }
    };
}
pub(crate) use row;

impl<T: FromColumn> FromRow for T {
    fn from_row(columns: &Columns<'_>) -> Result<Self> {
        columns.at(0)
    }
}

/// The columns of tuples, with their places.
macro_rules! tuples {
    ($(($($column:ident $place:literal),+))+) => {$(
        impl<$($column: FromColumn),+> FromRow for ($($column),+) {
            fn from_row(columns: &Columns<'_>) -> Result<Self> {
                Ok(($(columns.at::<$column>($place)?),+))
            }
        }
    )+};
}

tuples! { (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) (A 0, B 1, C 2, D 3, E 4) }

/// What a column can be read as.
pub(crate) trait FromColumn: Sized {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self>;
}

impl<T: FromValue> FromColumn for T {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
        let value = columns.row.value(column)?.ok_or_else(|| columns.inconsistent(format!("{column} is empty")))?;
        columns.check(column, value)
    }
}

impl<T: FromValue> FromColumn for Option<T> {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
        let value: Option<T::Value> = columns.row.value(column)?;
        value.map(|value| columns.check(column, value)).transpose()
    }
}

/// A boolean is a moment that may be absent.
impl FromColumn for bool {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
        Ok(columns.get::<Option<i64>>(column)?.is_some())
    }
}

/// A JSON list of texts.
impl<T: FromValue<Value = String>> FromColumn for Vec<T> {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
        let wrong = |text: String| columns.inconsistent(format!("{column} holds {text}"));
        columns.json::<Vec<String>>(column)?.into_iter().map(|text| T::from_value(text).map_err(wrong)).collect()
    }
}

/// A type that is made of a text or a number.
pub(crate) trait FromValue: Sized {
    /// [`String`] or [`i64`].
    type Value: ColumnValue;

    /// # Errors
    ///
    /// The value that makes no sense, to be shown.
    fn from_value(value: Self::Value) -> Result<Self, String>;
}

/// A value of a parameter. An absent value has a type too: a statement is prepared with the types of its first use.
pub(crate) enum ParameterValue<'value> {
    Text(Option<Cow<'value, str>>),
    Number(Option<i64>),
}

use ParameterValue::{Number, Text};

impl ParameterValue<'_> {
    pub(crate) fn into_owned(self) -> ParameterValue<'static> {
        match self {
            Text(text) => Text(text.map(|text| text.into_owned().into())),
            Number(number) => Number(number),
        }
    }
}

/// A type that can be a parameter of a statement.
pub(crate) trait Parameter {
    const NULL: ParameterValue<'static> = Text(None);

    fn value(&self) -> ParameterValue<'_>;
}

impl<T: Parameter + ?Sized> Parameter for &T {
    const NULL: ParameterValue<'static> = T::NULL;

    fn value(&self) -> ParameterValue<'_> {
        T::value(self)
    }
}

impl<T: Parameter> Parameter for Option<T> {
    const NULL: ParameterValue<'static> = T::NULL;

    fn value(&self) -> ParameterValue<'_> {
        self.as_ref().map_or(T::NULL, T::value)
    }
}

/// A JSON list of texts.
impl<T: Parameter> Parameter for Vec<T> {
    fn value(&self) -> ParameterValue<'_> {
        let text = |one| match T::value(one) {
            Text(text) => text,
            Number(number) => number.map(|number| number.to_string().into()),
        };
        Text(Some(to_json(&self.iter().map(text).collect::<Vec<_>>()).into()))
    }
}

/// Types that are stored as numbers: how each is read from a column, and written to a parameter.
macro_rules! numbers {
    ($($type:ty: |$read:ident| $from:expr, |$written:ident| $to:expr;)+) => {$(
        impl FromValue for $type {
            type Value = i64;

            fn from_value($read: i64) -> Result<Self, String> {
                $from
            }
        }

        impl Parameter for $type {
            const NULL: ParameterValue<'static> = Number(None);

            fn value(&self) -> ParameterValue<'_> {
                let $written = self;
                Number(Some($to))
            }
        }
    )+};
}

numbers! {
    i64: |number| Ok(number), |number| *number;
    Timestamp: |millis| Ok(Self::from_millis(millis)), |moment| moment.millis();
    // A whole number of seconds.
    Duration: |seconds| u64::try_from(seconds).map(Self::from_secs).map_err(|_| seconds.to_string()),
        |duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
}

/// Types that are stored as texts: how they are written to a parameter, and how they are read from a column, if they
/// are.
macro_rules! texts {
    ($($type:ty),+: |$written:ident| $to:expr) => {$(
        impl Parameter for $type {
            fn value(&self) -> ParameterValue<'_> {
                let $written = self;
                Text(Some($to.into()))
            }
        }
    )+};
    ($($type:ty),+: |$written:ident| $to:expr, |$read:ident| $from:expr) => {$(
        texts! { $type: |$written| $to }

        impl FromValue for $type {
            type Value = String;

            fn from_value($read: String) -> Result<Self, String> {
                Option::ok_or_else($from, || format!("{:?}", $read))
            }
        }
    )+};
}

texts! {
    AppClientId, AuthenticatorId, ClientId, ConsentId, DeliveryId, FederatedIdentityId, InvitationId, KeyId,
    McpServerId, OpenIdLinkId, PasskeyId, PersonId, PersonalTokenId, RequestId, SecretId, SessionId, TeamId, TokenId, WebhookId,
    AppRefusal, AuthMethod, CallKind, CallOutcome, ChangePolicy, ChecklistMark, ClientKind, ClientState, EndCause, EventKind, RedirectUri, Refusal, RequestState, Role, Source, Target, TokenAlgorithm, WebhookFormat:
    |value| value.as_str(), |text| Self::parse(&text)
}
texts! { Scopes: |scopes| scopes.to_string(), |text| Self::parse(&text) }
texts! { IpAddr, IpNet: |value| value.to_string(), |text| text.parse().ok() }
texts! { PublicKey: |key| key.to_jwk().to_string(), |jwk| Self::from_stored(&jwk) }
texts! { String: |text| text.as_str() }
texts! { str: |text| text }
texts! { StoredPassword: |hash| hash.as_str(), |hash| Some(Self::from_stored(hash.clone())) }
texts! { SecretHash, CookieHash: |hash| hash.as_str() }
texts! { Value, Map<String, Value>, BTreeMap<String, String>: |document| to_json(document) }

impl FromValue for String {
    type Value = Self;

    fn from_value(text: Self) -> Result<Self, Self> {
        Ok(text)
    }
}

/// Types that are read from JSON.
macro_rules! documents {
    ($($type:ty),+) => {$(
        impl FromColumn for $type {
            fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
                columns.json(column)
            }
        }
    )+};
}

documents! { Map<String, Value>, BTreeMap<String, String> }

impl FromColumn for Option<Value> {
    fn from_column(columns: &Columns<'_>, column: &str) -> Result<Self> {
        columns.get::<Option<String>>(column)?.map(|_| columns.json(column)).transpose()
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

/// Scopes as [`crate::store::Engine::elements`] reads them: each in a list of its own.
pub(crate) fn to_elements(scopes: &Scopes) -> String {
    to_json(&scopes.iter().map(|scope| [scope]).collect::<Vec<_>>())
}

/// A length of time in milliseconds, as it is added to moments.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
