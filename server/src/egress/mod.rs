//! Requests to other servers: for the discovery documents and keys of issuers whose tokens are accepted, for the tokens
//! of an OpenID provider, for the documents of clients, and to webhooks. The address comes from an administrator, that
//! of a client's document from anybody who is signed in; what it leads to comes from neither. So every request is held
//! to https, to public addresses, to what was resolved once, to one answer without redirects, to a size and a time. A
//! ready-made client would do more than that.

pub mod connector;
pub mod policy;
pub mod ports;
