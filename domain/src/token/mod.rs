//! Tokens: from a request at the token endpoint to a signed access token, and the checks of tokens that come back.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | [`client_authentication`] | finds out which client asks (RFC 6749 §2.3), once a request |
//! | [`assertion`] | verifies JWTs that prove a client or are the grant (RFC 7523) |
//! | [`device_authorization`] | gives a program without a browser its codes (RFC 8628) |
//! | [`grants`] | one module a grant type: the rules of the grant |
//! | [`access_token`] | the claims (RFC 9068) and their signature |
//! | [`introspect`] | says whether a token is valid now (RFC 7662) |
//! | [`revoke`] | ends a token before it expires (RFC 7009) |
//! | [`verify`] | checks a token that a protected resource received |
//! | [`look_up`] | says what is known about a token that a person has: whose it is, and why it is not accepted |
//! | [`live`] | the live tokens of a credential, and how a person ends one |
//! | [`trial`] | tries a credential: an exchange, and calls of the MCP server with the token |
//!
//! Elsewhere: [`crate::services::ledger`] decides about exchanges of credentials and records them,
//! [`crate::store::token`] holds the SQL statements, [`crate::model::token`] the vocabulary, [`crate::base::form_body`]
//! reads the body of a request.

pub mod access_token;
pub mod assertion;
pub mod client_authentication;
pub mod device_authorization;
pub mod grants;
pub mod introspect;
pub mod live;
pub mod look_up;
mod published_keys;
pub mod revoke;
pub mod trial;
pub mod verify;
