//! Several servers on one PostgreSQL, as processes: they behave as one, and survive each other and the database.
//!
//! Needs PostgreSQL: `./with-postgres cargo test --release --test nodes -- --include-ignored`

mod faults;
mod moving;
mod support;
mod together;
