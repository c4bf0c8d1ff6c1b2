//! Connections to SQLite and PostgreSQL, their transactions and migrations.

pub mod migrations;
pub mod postgres;
pub mod sqlite;
pub mod transaction;
pub mod url;
