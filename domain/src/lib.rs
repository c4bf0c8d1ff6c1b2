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

pub mod actor;
pub mod alert;
pub mod audit;
pub mod authority;
pub mod backup;
pub mod clock;
pub mod context;
pub mod credential;
pub mod error;
pub mod housekeeping;
pub mod id;
pub mod interactive;
pub mod invitation;
pub mod issuer_keys;
pub mod keys;
pub mod mcp_server;
pub mod metrics;
pub mod openid;
pub mod origin;
pub mod passkey;
pub mod password;
pub mod person;
pub mod personal_token;
pub mod place;
pub mod public_key;
pub mod random;
pub mod restore;
pub mod scope;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod setup;
pub mod sign_in;
pub mod store;
pub mod team;
pub mod testing;
pub mod token;
pub mod usage;
pub mod webhook;

mod base32;
mod base62;
mod fingerprint;
mod form;
mod recent;
mod strict_json;
mod text;
