//! Statements: a text with the values of its parameters, run where it is told, and read into types.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::store::columns::{Columns, FromRow, Parameter, ParameterValue, StoredRow};
use crate::store::connection::direct::DirectReads;
use crate::store::connection::pool::{Patience, Pool, is_broken};
use crate::store::connection::transaction::Transaction;
use crate::store::error::Result;

/// A statement and its parameters.
pub(crate) struct Statement {
    text: SqlStr,
    values: Vec<ParameterValue<'static>>,
    table: &'static str,
    limit: Option<Duration>,
    is_by_key: bool,
}

/// A [`Statement`] of a constant text: `sql!("… $1 … $2 …"; first, second)`.
macro_rules! sql {
    ($text:expr $(; $($value:expr),+ $(,)?)?) => {
        $crate::store::connection::statement::Statement::of($text)$($(.bind(&$value))+)?
    };
}
pub(crate) use sql;

/// A [`Statement`] whose text has parts in braces, as in [`format!`]. The parts are constants of the store: what comes
/// from outside is always a parameter.
macro_rules! composed_sql {
    ($text:literal $(; $($value:expr),+ $(,)?)?) => {
        $crate::store::connection::statement::Statement::composed(format!($text))$($(.bind(&$value))+)?
    };
}
pub(crate) use composed_sql;

impl Statement {
    /// A statement without parameters yet.
    pub(crate) fn of(text: impl SqlSafeStr) -> Self {
        let text = text.into_sql_str();
        Self { text, values: Vec::new(), table: "the database", limit: None, is_by_key: false }
    }

    /// A statement without parameters yet, composed of constants of the store.
    pub(crate) fn composed(text: impl Into<String>) -> Self {
        Self::of(AssertSqlSafe(text.into()))
    }

    /// Adds the value of the next parameter.
    pub(crate) fn bind(mut self, value: &(impl Parameter + ?Sized)) -> Self {
        self.values.push(value.value().into_owned());
        self
    }

    /// Names the table for the fault of a row whose type does not say it.
    pub(crate) fn about(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    /// Waits no longer than this for the answer. The wait for a connection does not count: a pool that is in use is no
    /// sign of a silent network.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Says that the statement finds few rows by keys that have an index, and that programs ask it very often. Reads
    /// of [`Self::optional`] and [`Self::one`] on a SQLite store then need no other thread: see [`DirectReads`].
    pub(crate) fn by_key(self) -> Self {
        Self { is_by_key: true, ..self }
    }

    /// The statement as the driver takes it.
    fn query(self) -> Query<'static, Any, AnyArguments> {
        self.values.into_iter().fold(sqlx::query(self.text), |query, value| match value {
            ParameterValue::Text(text) => query.bind(text.map(Cow::into_owned)),
            ParameterValue::Number(number) => query.bind(number),
        })
    }

    /// Runs the statement.
    pub(crate) async fn execute<'on>(self, on: impl On<'on>) -> Result<()> {
        self.affected(on).await.map(drop)
    }

    /// Runs the statement. Returns how many rows it changed.
    pub(crate) async fn affected<'on>(self, on: impl On<'on>) -> Result<u64> {
        let mut taken = on.connection().take(self.limit).await?;
        let (connection, patience) = taken.parts();
        let done = patience.wait(self.query().execute(connection)).await;
        Ok(taken.end(done)?.rows_affected())
    }

    /// Runs the statement. Returns whether it changed a row.
    pub(crate) async fn changed<'on>(self, on: impl On<'on>) -> Result<bool> {
        Ok(self.affected(on).await? > 0)
    }

    /// Runs the statement as a transaction of its own. Returns whether it changed a row.
    pub(crate) async fn commit(self, mut transaction: Transaction) -> Result<bool> {
        let changed = self.changed(&mut transaction).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    async fn first(self, connection: StatementConnection<'_>) -> Result<Option<AnyRow>> {
        let mut taken = connection.take(self.limit).await?;
        let (connection, patience) = taken.parts();
        let row = patience.wait(self.query().fetch_optional(connection)).await;
        taken.end(row)
    }

    /// Whether there is a row.
    pub(crate) async fn exists<'on>(self, on: impl On<'on>) -> Result<bool> {
        Ok(self.first(on.connection()).await?.is_some())
    }

    /// The row, if there is one.
    pub(crate) async fn optional<'on, T: FromRow>(self, on: impl On<'on>) -> Result<Option<T>> {
        let (table, connection) = (self.table, on.connection());
        if let (true, StatementConnection::OneOf(_, Some(direct))) = (self.is_by_key, &connection)
            && let Some(found) = direct.first(self.text.as_str(), &self.values, |row| read(table, row))
        {
            return found.transpose();
        }
        self.first(connection).await?.as_ref().map(|row| read(table, row)).transpose()
    }

    /// The only row.
    pub(crate) async fn one<'on, T: FromRow>(self, on: impl On<'on>) -> Result<T> {
        Ok(self.optional(on).await?.ok_or(sqlx::Error::RowNotFound)?)
    }

    /// All rows.
    pub(crate) async fn all<'on, T: FromRow>(self, on: impl On<'on>) -> Result<Vec<T>> {
        self.collect(on).await
    }

    /// All rows, in a collection of any kind.
    pub(crate) async fn collect<'on, T: FromRow, C: FromIterator<T>>(self, on: impl On<'on>) -> Result<C> {
        let mut taken = on.connection().take(self.limit).await?;
        let (connection, patience) = taken.parts();
        let table = self.table;
        let rows = patience.wait(self.query().fetch_all(connection)).await;
        taken.end(rows)?.iter().map(|row| read(table, row)).collect()
    }
}

fn read<'row, T: FromRow>(table: &'static str, row: impl Into<StoredRow<'row>>) -> Result<T> {
    T::from_row(&Columns::of(T::TABLE.unwrap_or(table), row))
}

/// Where a statement runs. The [`Store`](crate::store::Store) itself stands for its connections for reads.
pub(crate) trait On<'on> {
    fn connection(self) -> StatementConnection<'on>;
}

/// See [`On`]. It is an enum and not a type of the trait: the compiler cannot see that futures with such types are
/// [`Send`].
pub(crate) enum StatementConnection<'on> {
    /// A connection of this pool; or, for reads by key, one of these.
    OneOf(&'on Pool, Option<&'on DirectReads>),
    /// The connection of this transaction.
    In(&'on mut Transaction),
    /// This connection, without a time limit.
    This(&'on mut AnyConnection),
}

impl<'on> StatementConnection<'on> {
    async fn take(self, limit: Option<Duration>) -> Result<Taken<'on>> {
        let within = |patience: &Patience| limit.map_or_else(|| patience.clone(), |limit| patience.shortened(limit));
        Ok(match self {
            Self::OneOf(pool, _) => Taken::Own(pool.acquire().await?, within(pool.patience())),
            Self::In(transaction) => Taken::Lent(within(transaction.patience()), transaction),
            Self::This(connection) => Taken::Lent(Patience::default(), connection),
        })
    }
}

/// A connection for one statement.
enum Taken<'on> {
    Own(PoolConnection<Any>, Patience),
    Lent(Patience, &'on mut AnyConnection),
}

impl Taken<'_> {
    fn parts(&mut self) -> (&mut AnyConnection, &Patience) {
        match self {
            Self::Own(connection, patience) => (connection, patience),
            Self::Lent(patience, connection) => (connection, patience),
        }
    }

    /// Throws the connection away if it is broken. Otherwise the pool would wait for its last answer.
    fn end<T>(self, done: std::result::Result<T, sqlx::Error>) -> Result<T> {
        let done = done.map_err(Into::into);
        if let Self::Own(connection, _) = self
            && is_broken(&done)
        {
            drop(connection.detach());
        }
        done
    }
}

impl<'on> On<'on> for &'on Pool {
    fn connection(self) -> StatementConnection<'on> {
        StatementConnection::OneOf(self, None)
    }
}

impl<'on> On<'on> for &'on mut Transaction {
    fn connection(self) -> StatementConnection<'on> {
        StatementConnection::In(self)
    }
}

impl<'on> On<'on> for &'on mut AnyConnection {
    fn connection(self) -> StatementConnection<'on> {
        StatementConnection::This(self)
    }
}
