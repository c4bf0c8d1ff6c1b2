//! Tokens: from a request at the token endpoint to a signed access token, and back.
//!
//! # Layout
//!
//! | module | step |
//! |---|---|
//! | [`form`] | the request's body, read strictly (RFC 6749 Appendix B) |
//! | [`client_authentication`] | who asks, and with what proof (RFC 6749 §2.3) |
//! | [`assertion`], `jws` | JWTs that prove a client or are a grant (RFC 7523) |
//! | [`grants`] | one module a grant type |
//! | [`ledger`] | the decision and its record, in one transaction shared by many requests |
//! | [`access_token`] | the claims (RFC 9068) and their signature |
//! | [`authenticate`] | a client that asks for something else than a token |
//! | [`introspect`], [`revoke`] | what a token is worth now (RFC 7662); ending it (RFC 7009) |
//! | [`status_list`] | the published lists of revoked tokens |
//! | [`verify`] | what a protected resource asks of a token it was sent |
//! | [`error`] | the errors of RFC 6749 §5.2 |

pub mod access_token;
pub mod assertion;
pub mod authenticate;
pub mod client_authentication;
pub mod grants;
pub mod introspect;
pub mod redeem;
pub mod revoke;
pub mod verify;
