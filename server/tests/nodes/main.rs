//! Several servers on one PostgreSQL, as processes: they behave as one, and survive each other and the database.
//!
//! Needs PostgreSQL, so `cargo test` alone leaves it out: `./with-postgres cargo test --workspace --test nodes`

mod documents;
mod faults;
mod gateway;
#[path = "../it/html.rs"]
mod html;
mod moving;
mod pooler;
mod proxy;
mod support;
mod together;
