//! The rules of Countersign and their storage. Nothing here knows HTTP or HTML.
//!
//! # Layout
//!
//! | module | what it holds |
//! |---|---|
//! | [`context`] | [`Context`](context::Context): what every operation takes (store, clock, randomness, keys) |
//! | [`clock`], [`random`] | time and randomness as parameters |
//! | [`id`], [`secret`] | typed identifiers; client secrets, their checksum and their stored hash |
//! | [`public_key`], [`issuer_keys`] | public keys of clients, and of issuers whose tokens stand for them |
//! | [`keys`] | master key, the secrets wrapped under it, signing keys and JWKS |
//! | [`store`] | every SQL statement, and nothing but |
//! | [`audit`] | the append-only, hash-chained record of changes |
//! | [`origin`] | address and user agent of a request |
//! | [`person`], [`password`], [`setup`], [`sign_in`], [`session`] | people and how they prove who they are |
//! | [`personal_token`] | tokens that people generate for themselves |
//! | [`openid`] | signing in with an account at an OpenID provider |
//! | [`second_factor`], [`passkey`] | what people prove themselves with besides their password, or instead of it |
//! | [`team`], [`invitation`], [`authority`] | teams, how people come into them, what their roles allow |
//! | [`mcp_server`], [`scope`] | protected resources and what may be asked of them |
//! | [`credential`] | generate, list, edit, disable, revoke |
//! | [`interactive`] | clients that act for people: registration, consent, grants |
//! | [`token`] | the exchange: request, client authentication, ledger, signing, verification |
//! | [`usage`], [`metrics`] | exchanges and refusals by hour; counts of this process |
//! | [`alert`], [`webhook`] | what nobody does but somebody should hear of; telling other programs |
//! | [`backup`], [`restore`] | proved copies, and what must not come back with one |
//! | [`place`] | where a page of a list ends |
//! | [`housekeeping`] | removal of rows that no decision can need any more |
//! | [`testing`] | fixed clock, seeded randomness, a temporary database |
//!
//! A client credential's life: [`credential::generate`] → [`token::grants`] for each exchange →
//! [`token::verify`] wherever its tokens are used → [`credential::revoke`].

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
pub mod server;
pub mod services;
pub mod store;
pub mod testing;
pub mod token;
pub mod webhook;
