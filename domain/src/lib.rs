//! The rules of Countersign and their storage. Nothing here knows HTTP or HTML.
//!
//! # Layers
//!
//! The table begins with the lowest layer. A module uses its own layer and lower ones, never a higher one. A test of
//! the workspace reads the `use` lines.
//!
//! | layer | modules | what it holds |
//! |---|---|---|
//! | base | [`base`] | time, randomness, identifiers, encodings, digests |
//! | crypto | [`crypto`] | keys, signatures, hashes of passwords and secrets |
//! | model | [`model`] | the vocabulary: types, states, checks; no I/O |
//! | store | [`store`] | every SQL statement, and nothing else |
//! | errors | [`error`] | errors that several areas share |
//! | services | [`services`] | what runs by itself: ledger queue, roll-up, status lists, issuer keys, metrics |
//! | context | [`context`] | what every operation takes |
//! | change | [`change`], [`idempotency`] | how an operation commits, and how a form counts only once |
//! | prelude | `prelude` | the names that most operations use |
//! | operations | the rooms below | a function a verb |
//!
//! # Rooms
//!
//! `model`, `store`, `app` and `server` have the same rooms.
//!
//! | room | operations |
//! |---|---|
//! | [`credential`] | generate, list, edit, rotate, disable and revoke credentials of machines |
//! | [`client`] | clients that act for people: registration, consent, personal tokens |
//! | [`token`] | the token endpoint: client authentication, grant types, introspection, revocation, verification |
//! | [`server`] | MCP servers, the protected resources that tokens are for |
//! | [`person`] | sign-in, second factors, passkeys, OpenID, teams, invitations |
//! | [`incident`] | leaks and the emergency stop |
//! | [`audit`] | reading and verifying the audit log |
//! | [`webhook`] | alerts, the outbox, sending |
//! | [`operations`] | backup, restore, housekeeping, replacing keys |
//!
//! [`testing`] has a fixed clock, seeded randomness and a database of its own for each test. `properties` tests the
//! parsers that strangers reach with random input.
//!
//! A credential's life: [`credential::generate`] → [`token::grants`] for each exchange → [`token::verify`] where its
//! tokens are used → [`credential::revoke`].

pub mod audit;
pub mod base;
pub mod change;
pub mod client;
pub mod context;
pub mod credential;
pub mod crypto;
pub mod error;
pub mod idempotency;
pub mod incident;
pub mod model;
pub mod operations;
pub mod person;
mod prelude;
#[cfg(test)]
mod properties;
pub mod server;
pub mod services;
pub mod store;
pub mod testing;
pub mod token;
pub mod webhook;
