//! Interactive clients: programs that act for people (OAuth 2.1, authorization code with PKCE).
//!
//! # Layout
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | the clients: those that administrators make, and what all have in common |
//! | [`registration`] | clients that register themselves (RFC 7591) |
//! | [`metadata_document`] | clients whose identifier is the address of a document that describes them |
//! | [`prune`] | clients that nobody uses go |
//! | [`redirect_uri`] | where answers may be sent, and how that is compared |
//! | [`authorization`] | a request at the authorization endpoint, and the code that answers it |
//! | [`redeem`] | codes and refresh tokens become access tokens |
//! | [`grant`] | what people have allowed, and ending it |
//!
//! A grant's life: [`authorization::check`] → consent → [`authorization::allow`] → [`redeem::code`] → [`redeem::refresh`], again and
//! again → [`grant::end`].

pub mod authorization;
pub mod client;
pub mod grant;
pub mod metadata_document;
pub mod prune;
pub mod redeem;
pub mod redirect_uri;
pub mod registration;
