//! Every SQL statement of Countersign, one file a table or two, each returning domain types.
//!
//! # Rules
//!
//! The statements are portable, so that the same text serves SQLite and PostgreSQL: columns are TEXT and BIGINT,
//! placeholders are `$1`, booleans are nullable moments, sums are `CAST(… AS BIGINT)`, a conflict is recognised by its
//! kind and never by a constraint's name. Where one statement reads or writes a whole batch it takes the batch as one
//! JSON parameter; `Engine::elements` makes a table of it.
//!
//! `sql!` makes a statement, and `composed_sql!` makes one whose text is composed of constants. A statement runs on a
//! [`Transaction`], or on the [`Store`]: then it uses a read connection. `row!` says how a row becomes a type.
//!
//! # Connections
//!
//! Reads have connections of their own. On SQLite, reads by key that programs ask very often run in the thread that
//! asks (`connection::direct`). A change ([`Store::begin`]) commits to the disk, so an acknowledged revocation
//! survives a power cut. The ledger's commits need not wait for the disk: an exchange survives a killed process, and
//! also a power cut if the operator chose that ([`LedgerDurability`]).
//!
//! Changes happen one at a time, and none while a batch of exchanges is written. A batch is written only if no change
//! happened since its data was read.
//!
//! - SQLite has one writer anyway. Changes and batches begin IMMEDIATE, because a transaction that starts as a reader
//!   and then writes fails with "database is locked" when another writer came between.
//! - On PostgreSQL a change takes a lock exclusively. Every transaction that must not overlap with a change shares that
//!   lock.
//!
//! So a decision that rests on several rows is safe, its author need not consider isolation levels, and the two engines
//! behave alike. The rejected alternative is serialisable transactions: every caller would have to repeat failed ones.

pub mod audit;
pub mod client;
pub(crate) mod columns;
pub mod connection;
pub mod credential;
pub mod engine;
pub mod error;
pub mod incident;
pub mod operations;
pub mod person;
#[cfg(test)]
mod plans;
pub mod server;
pub mod token;
pub mod webhook;

pub use connection::transaction::Transaction;
pub use connection::url::{DatabaseUrl, PostgresUrl};
pub use connection::{LedgerDurability, Store, StoreOptions};
pub use engine::Engine;
pub use error::StoreError;

pub(crate) use columns::{Columns, FromRow, row, to_elements, to_json};
pub(crate) use connection::statement::{On, Statement, StatementConnection, composed_sql, sql};
pub(crate) use error::Result;
